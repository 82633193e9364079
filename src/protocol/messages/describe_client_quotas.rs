//! DescribeClientQuotas, key 48.

use crate::error_code::ErrorCode;

messages! {
    /// Asks for quotas (KIP-546).
    request DescribeClientQuotasRequest(48, 0-1, flexible 1+) -> DescribeClientQuotasResponse {
        components: Vec<ComponentData>,
        strict: bool,
    }

    /// An item of [`DescribeClientQuotasRequest::components`].
    struct ComponentData {
        entity_type: String,
        match_type: i8,
        match_: Option<String> = empty,
    }

    /// The answer to [`DescribeClientQuotasRequest`].
    response DescribeClientQuotasResponse(48, 0-1, flexible 1+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> = empty,
        entries: Option<Vec<EntryData>> = empty,
    }

    /// An item of [`DescribeClientQuotasResponse::entries`].
    struct EntryData {
        entity: Vec<EntityData>,
        values: Vec<ValueData>,
    }

    /// An item of [`EntryData::entity`].
    struct EntityData {
        entity_type: String,
        entity_name: Option<String> = empty,
    }

    /// An item of [`EntryData::values`].
    struct ValueData {
        key: String,
        value: f64,
    }
}

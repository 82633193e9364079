//! DescribeClientQuotas

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request DescribeClientQuotasRequest(48, 0-1, flexible 1+) -> DescribeClientQuotasResponse {
        components: Vec<ComponentData>,
        strict: bool,
    }

    /// A part.
    struct ComponentData {
        entity_type: String,
        match_type: i8,
        match_: Option<String> = empty,
    }

    /// TODO.
    response DescribeClientQuotasResponse(48, 0-1, flexible 1+) {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<String> = empty,
        entries: Option<Vec<EntryData>> = empty,
    }

    /// A part.
    struct EntryData {
        entity: Vec<EntityData>,
        values: Vec<ValueData>,
    }

    /// A part.
    struct EntityData {
        entity_type: String,
        entity_name: Option<String> = empty,
    }

    /// A part.
    struct ValueData {
        key: String,
        value: f64,
    }
}

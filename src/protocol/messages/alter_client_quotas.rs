//! AlterClientQuotas, key 49.

use crate::error_code::ErrorCode;

messages! {
    /// Changes quotas (KIP-546).
    request AlterClientQuotasRequest(49, 0-1, flexible 1+) -> AlterClientQuotasResponse {
        entries: Vec<AlterClientQuotasRequestEntryData>,
        /// Whether to check the request without doing anything.
        validate_only: bool,
    }

    /// An item of [`AlterClientQuotasRequest::entries`].
    struct AlterClientQuotasRequestEntryData {
        entity: Vec<AlterClientQuotasRequestEntityData>,
        ops: Vec<OpData>,
    }

    /// An item of [`AlterClientQuotasRequestEntryData::entity`].
    struct AlterClientQuotasRequestEntityData {
        entity_type: String,
        entity_name: Option<String> = empty,
    }

    /// An item of [`AlterClientQuotasRequestEntryData::ops`].
    struct OpData {
        key: String,
        value: f64,
        remove: bool,
    }

    /// The answer to [`AlterClientQuotasRequest`].
    response AlterClientQuotasResponse(49, 0-1, flexible 1+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        entries: Vec<AlterClientQuotasResponseEntryData>,
    }

    /// An item of [`AlterClientQuotasResponse::entries`].
    struct AlterClientQuotasResponseEntryData {
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> = empty,
        entity: Vec<AlterClientQuotasResponseEntityData>,
    }

    /// An item of [`AlterClientQuotasResponseEntryData::entity`].
    struct AlterClientQuotasResponseEntityData {
        entity_type: String,
        entity_name: Option<String> = empty,
    }
}

//! AlterClientQuotas

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request AlterClientQuotasRequest(49, 0-1, flexible 1+) -> AlterClientQuotasResponse {
        entries: Vec<AlterClientQuotasRequestEntryData>,
        validate_only: bool,
    }

    /// A part.
    struct AlterClientQuotasRequestEntryData {
        entity: Vec<AlterClientQuotasRequestEntityData>,
        ops: Vec<OpData>,
    }

    /// A part.
    struct AlterClientQuotasRequestEntityData {
        entity_type: String,
        entity_name: Option<String> = empty,
    }

    /// A part.
    struct OpData {
        key: String,
        value: f64,
        remove: bool,
    }

    /// TODO.
    response AlterClientQuotasResponse(49, 0-1, flexible 1+) {
        throttle_time_ms: i32,
        entries: Vec<AlterClientQuotasResponseEntryData>,
    }

    /// A part.
    struct AlterClientQuotasResponseEntryData {
        error_code: ErrorCode,
        error_message: Option<String> = empty,
        entity: Vec<AlterClientQuotasResponseEntityData>,
    }

    /// A part.
    struct AlterClientQuotasResponseEntityData {
        entity_type: String,
        entity_name: Option<String> = empty,
    }
}

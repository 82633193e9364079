//! AlterConfigs

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request AlterConfigsRequest(33, 0-2, flexible 2+) -> AlterConfigsResponse {
        resources: Vec<AlterConfigsResource>,
        validate_only: bool,
    }

    /// A part.
    struct AlterConfigsResource {
        resource_type: i8,
        resource_name: String,
        configs: Vec<AlterableConfig>,
    }

    /// A part.
    struct AlterableConfig {
        name: String,
        value: Option<String> [secret] = empty,
    }

    /// TODO.
    response AlterConfigsResponse(33, 0-2, flexible 2+) {
        throttle_time_ms: i32,
        responses: Vec<AlterConfigsResourceResponse>,
    }

    /// A part.
    struct AlterConfigsResourceResponse {
        error_code: ErrorCode,
        error_message: Option<String> = empty,
        resource_type: i8,
        resource_name: String,
    }
}

//! IncrementalAlterConfigs

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request IncrementalAlterConfigsRequest(44, 0-1, flexible 1+) -> IncrementalAlterConfigsResponse {
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
        config_operation: i8,
        value: Option<String> [secret] = empty,
    }

    /// TODO.
    response IncrementalAlterConfigsResponse(44, 0-1, flexible 1+) {
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

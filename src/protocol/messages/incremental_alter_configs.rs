//! IncrementalAlterConfigs, key 44.

use crate::error_code::ErrorCode;

messages! {
    /// Changes single options of resources (KIP-339).
    request IncrementalAlterConfigsRequest(44, 0-1, flexible 1+) -> IncrementalAlterConfigsResponse {
        resources: Vec<AlterConfigsResource>,
        /// Whether to check the request without doing anything.
        validate_only: bool,
    }

    /// An item of [`IncrementalAlterConfigsRequest::resources`].
    struct AlterConfigsResource {
        resource_type: i8,
        resource_name: String,
        configs: Vec<AlterableConfig>,
    }

    /// An item of [`AlterConfigsResource::configs`].
    struct AlterableConfig {
        name: String,
        /// 0 sets, 1 removes, 2 appends to a list, 3 takes from a list.
        config_operation: i8,
        value: Option<String> [secret] = empty,
    }

    /// The answer to [`IncrementalAlterConfigsRequest`].
    response IncrementalAlterConfigsResponse(44, 0-1, flexible 1+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        responses: Vec<AlterConfigsResourceResponse>,
    }

    /// An item of [`IncrementalAlterConfigsResponse::responses`].
    struct AlterConfigsResourceResponse {
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> = empty,
        resource_type: i8,
        resource_name: String,
    }
}

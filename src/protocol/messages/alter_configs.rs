//! AlterConfigs, key 33.

use crate::error_code::ErrorCode;

messages! {
    /// Replaces the whole configuration of resources. Use
    /// [`IncrementalAlterConfigsRequest`](super::IncrementalAlterConfigsRequest) where there is a choice.
    request AlterConfigsRequest(33, 0-2, flexible 2+) -> AlterConfigsResponse {
        resources: Vec<AlterConfigsResource>,
        /// Whether to check the request without doing anything.
        validate_only: bool,
    }

    /// An item of [`AlterConfigsRequest::resources`].
    struct AlterConfigsResource {
        resource_type: i8,
        resource_name: String,
        configs: Vec<AlterableConfig>,
    }

    /// An item of [`AlterConfigsResource::configs`].
    struct AlterableConfig {
        name: String,
        value: Option<String> [secret] = empty,
    }

    /// The answer to [`AlterConfigsRequest`].
    response AlterConfigsResponse(33, 0-2, flexible 2+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        responses: Vec<AlterConfigsResourceResponse>,
    }

    /// An item of [`AlterConfigsResponse::responses`].
    struct AlterConfigsResourceResponse {
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> = empty,
        resource_type: i8,
        resource_name: String,
    }
}

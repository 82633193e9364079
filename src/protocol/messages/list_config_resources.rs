//! ListConfigResources, key 74.

use crate::error_code::ErrorCode;

messages! {
    /// Asks for the resources that have a configuration (KIP-1142). Version 0 knows client metrics only.
    request ListConfigResourcesRequest(74, 0-1, flexible 0+) -> ListConfigResourcesResponse {
        resource_types: Vec<i8> [1+],
    }

    /// The answer to [`ListConfigResourcesRequest`].
    response ListConfigResourcesResponse(74, 0-1, flexible 0+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        config_resources: Vec<ConfigResource>,
    }

    /// An item of [`ListConfigResourcesResponse::config_resources`].
    struct ConfigResource {
        resource_name: String,
        resource_type: i8 [1+, ignorable] = 16,
    }
}

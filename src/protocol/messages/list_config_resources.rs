//! ListConfigResources

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request ListConfigResourcesRequest(74, 0-1, flexible 0+) -> ListConfigResourcesResponse {
        resource_types: Vec<i8> [1+],
    }

    /// TODO.
    response ListConfigResourcesResponse(74, 0-1, flexible 0+) {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        config_resources: Vec<ConfigResource>,
    }

    /// A part.
    struct ConfigResource {
        resource_name: String,
        resource_type: i8 [1+, ignorable] = 16,
    }
}

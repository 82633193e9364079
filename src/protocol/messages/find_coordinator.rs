//! FindCoordinator

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request FindCoordinatorRequest(10, 0-6, flexible 3+) -> FindCoordinatorResponse {
        key: String [0-3],
        key_type: i8 [1+],
        coordinator_keys: Vec<String> [4+],
    }

    /// TODO.
    response FindCoordinatorResponse(10, 0-6, flexible 3+) {
        throttle_time_ms: i32 [1+, ignorable],
        error_code: ErrorCode [0-3],
        error_message: Option<String> [1-3, ignorable] = empty,
        node_id: i32 [0-3],
        host: String [0-3],
        port: i32 [0-3],
        coordinators: Vec<Coordinator> [4+],
    }

    /// A part.
    struct Coordinator {
        key: String,
        node_id: i32,
        host: String,
        port: i32,
        error_code: ErrorCode,
        error_message: Option<String> = empty,
    }
}

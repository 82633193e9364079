//! FindCoordinator, key 10.

use crate::error_code::ErrorCode;

messages! {
    /// Asks for the broker that coordinates a group, a transactional id or a share partition.
    request FindCoordinatorRequest(10, 0-6, flexible 3+) -> FindCoordinatorResponse {
        /// The group id, transactional id or share partition; from version 4 on see `coordinator_keys`.
        key: String [0-3],
        /// 0 for a group, 1 for a transactional id, 2 for a share partition.
        key_type: i8 [1+],
        coordinator_keys: Vec<String> [4+],
    }

    /// The answer to [`FindCoordinatorRequest`].
    response FindCoordinatorResponse(10, 0-6, flexible 3+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32 [1+, ignorable],
        error_code: ErrorCode [0-3],
        /// More words on the error, if the broker has any.
        error_message: Option<String> [1-3, ignorable] = empty,
        node_id: i32 [0-3],
        host: String [0-3],
        port: i32 [0-3],
        coordinators: Vec<Coordinator> [4+],
    }

    /// An item of [`FindCoordinatorResponse::coordinators`].
    struct Coordinator {
        key: String,
        node_id: i32,
        host: String,
        port: i32,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> = empty,
    }
}

//! UnregisterController

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request UnregisterControllerRequest(94, 0, flexible 0+) -> UnregisterControllerResponse {
        controller_id: i32,
    }

    /// TODO.
    response UnregisterControllerResponse(94, 0, flexible 0+) {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<String> = empty,
    }
}

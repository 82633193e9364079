//! UnregisterController, key 94.

use crate::error_code::ErrorCode;

messages! {
    /// Removes the registration of a controller that is gone for ever.
    request UnregisterControllerRequest(94, 0, flexible 0+) -> UnregisterControllerResponse {
        /// The id of the controller, or of a random broker on clusters with KRaft; -1 for unknown.
        controller_id: i32,
    }

    /// The answer to [`UnregisterControllerRequest`].
    response UnregisterControllerResponse(94, 0, flexible 0+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> = empty,
    }
}

//! UnregisterBroker, key 64.

use crate::error_code::ErrorCode;

messages! {
    /// Removes the registration of a broker that is gone for ever.
    request UnregisterBrokerRequest(64, 0, flexible 0+) -> UnregisterBrokerResponse {
        broker_id: i32,
    }

    /// The answer to [`UnregisterBrokerRequest`].
    response UnregisterBrokerResponse(64, 0, flexible 0+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> = empty,
    }
}

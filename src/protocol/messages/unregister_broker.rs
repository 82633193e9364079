//! UnregisterBroker

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request UnregisterBrokerRequest(64, 0, flexible 0+) -> UnregisterBrokerResponse {
        broker_id: i32,
    }

    /// TODO.
    response UnregisterBrokerResponse(64, 0, flexible 0+) {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<String> = empty,
    }
}

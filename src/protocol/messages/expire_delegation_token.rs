//! ExpireDelegationToken

use bytes::Bytes;

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request ExpireDelegationTokenRequest(40, 0-2, flexible 2+) -> ExpireDelegationTokenResponse {
        hmac: Bytes [secret],
        expiry_time_period_ms: i64,
    }

    /// TODO.
    response ExpireDelegationTokenResponse(40, 0-2, flexible 2+) {
        error_code: ErrorCode,
        expiry_timestamp_ms: i64,
        throttle_time_ms: i32,
    }
}

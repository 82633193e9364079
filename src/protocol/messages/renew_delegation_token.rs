//! RenewDelegationToken

use bytes::Bytes;

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request RenewDelegationTokenRequest(39, 0-2, flexible 2+) -> RenewDelegationTokenResponse {
        hmac: Bytes [secret],
        renew_period_ms: i64,
    }

    /// TODO.
    response RenewDelegationTokenResponse(39, 0-2, flexible 2+) {
        error_code: ErrorCode,
        expiry_timestamp_ms: i64,
        throttle_time_ms: i32,
    }
}

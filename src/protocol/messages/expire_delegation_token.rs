//! ExpireDelegationToken, key 40.

use bytes::Bytes;

use crate::error_code::ErrorCode;

messages! {
    /// Makes a delegation token end earlier.
    request ExpireDelegationTokenRequest(40, 0-2, flexible 2+) -> ExpireDelegationTokenResponse {
        /// The secret of the token.
        hmac: Bytes [secret],
        expiry_time_period_ms: i64,
    }

    /// The answer to [`ExpireDelegationTokenRequest`].
    response ExpireDelegationTokenResponse(40, 0-2, flexible 2+) {
        error_code: ErrorCode,
        expiry_timestamp_ms: i64,
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
    }
}

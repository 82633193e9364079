//! RenewDelegationToken, key 39.

use bytes::Bytes;

use crate::error_code::ErrorCode;

messages! {
    /// Makes a delegation token last longer.
    request RenewDelegationTokenRequest(39, 0-2, flexible 2+) -> RenewDelegationTokenResponse {
        /// The secret of the token.
        hmac: Bytes [secret],
        renew_period_ms: i64,
    }

    /// The answer to [`RenewDelegationTokenRequest`].
    response RenewDelegationTokenResponse(39, 0-2, flexible 2+) {
        error_code: ErrorCode,
        expiry_timestamp_ms: i64,
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
    }
}

//! CreateDelegationToken, key 38.

use bytes::Bytes;

use crate::error_code::ErrorCode;

messages! {
    /// Creates a delegation token (KIP-48).
    request CreateDelegationTokenRequest(38, 0-3, flexible 2+) -> CreateDelegationTokenResponse {
        owner_principal_type: Option<String> [3+] = empty,
        owner_principal_name: Option<String> [3+] = empty,
        renewers: Vec<CreatableRenewers>,
        max_lifetime_ms: i64,
    }

    /// An item of [`CreateDelegationTokenRequest::renewers`].
    struct CreatableRenewers {
        principal_type: String,
        principal_name: String,
    }

    /// The answer to [`CreateDelegationTokenRequest`].
    response CreateDelegationTokenResponse(38, 0-3, flexible 2+) {
        error_code: ErrorCode,
        principal_type: String,
        principal_name: String,
        token_requester_principal_type: String [3+],
        token_requester_principal_name: String [3+],
        issue_timestamp_ms: i64,
        expiry_timestamp_ms: i64,
        max_timestamp_ms: i64,
        token_id: String,
        /// The secret of the token.
        hmac: Bytes [secret],
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
    }
}

//! CreateDelegationToken

use bytes::Bytes;

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request CreateDelegationTokenRequest(38, 0-3, flexible 2+) -> CreateDelegationTokenResponse {
        owner_principal_type: Option<String> [3+] = empty,
        owner_principal_name: Option<String> [3+] = empty,
        renewers: Vec<CreatableRenewers>,
        max_lifetime_ms: i64,
    }

    /// A part.
    struct CreatableRenewers {
        principal_type: String,
        principal_name: String,
    }

    /// TODO.
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
        hmac: Bytes [secret],
        throttle_time_ms: i32,
    }
}

//! DescribeDelegationToken

use bytes::Bytes;

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request DescribeDelegationTokenRequest(41, 0-3, flexible 2+) -> DescribeDelegationTokenResponse {
        owners: Option<Vec<DescribeDelegationTokenOwner>> = empty,
    }

    /// A part.
    struct DescribeDelegationTokenOwner {
        principal_type: String,
        principal_name: String,
    }

    /// TODO.
    response DescribeDelegationTokenResponse(41, 0-3, flexible 2+) {
        error_code: ErrorCode,
        tokens: Vec<DescribedDelegationToken>,
        throttle_time_ms: i32,
    }

    /// A part.
    struct DescribedDelegationToken {
        principal_type: String,
        principal_name: String,
        token_requester_principal_type: String [3+],
        token_requester_principal_name: String [3+],
        issue_timestamp: i64,
        expiry_timestamp: i64,
        max_timestamp: i64,
        token_id: String,
        hmac: Bytes [secret],
        renewers: Vec<DescribedDelegationTokenRenewer>,
    }

    /// A part.
    struct DescribedDelegationTokenRenewer {
        principal_type: String,
        principal_name: String,
    }
}

//! DescribeDelegationToken, key 41.

use bytes::Bytes;

use crate::error_code::ErrorCode;

messages! {
    /// Asks for delegation tokens.
    request DescribeDelegationTokenRequest(41, 0-3, flexible 2+) -> DescribeDelegationTokenResponse {
        /// The owners; null for all.
        owners: Option<Vec<DescribeDelegationTokenOwner>> = empty,
    }

    /// An item of [`DescribeDelegationTokenRequest::owners`].
    struct DescribeDelegationTokenOwner {
        principal_type: String,
        principal_name: String,
    }

    /// The answer to [`DescribeDelegationTokenRequest`].
    response DescribeDelegationTokenResponse(41, 0-3, flexible 2+) {
        error_code: ErrorCode,
        tokens: Vec<DescribedDelegationToken>,
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
    }

    /// An item of [`DescribeDelegationTokenResponse::tokens`].
    struct DescribedDelegationToken {
        principal_type: String,
        principal_name: String,
        token_requester_principal_type: String [3+],
        token_requester_principal_name: String [3+],
        issue_timestamp: i64,
        expiry_timestamp: i64,
        max_timestamp: i64,
        token_id: String,
        /// The secret of the token.
        hmac: Bytes [secret],
        renewers: Vec<DescribedDelegationTokenRenewer>,
    }

    /// An item of [`DescribedDelegationToken::renewers`].
    struct DescribedDelegationTokenRenewer {
        principal_type: String,
        principal_name: String,
    }
}

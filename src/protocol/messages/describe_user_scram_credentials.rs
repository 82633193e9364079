//! DescribeUserScramCredentials, key 50.

use crate::error_code::ErrorCode;

messages! {
    /// Asks which SCRAM credentials users have (KIP-554).
    request DescribeUserScramCredentialsRequest(50, 0, flexible 0+) -> DescribeUserScramCredentialsResponse {
        /// The users; null or none for all.
        users: Option<Vec<UserName>> = empty,
    }

    /// An item of [`DescribeUserScramCredentialsRequest::users`].
    struct UserName {
        name: String,
    }

    /// The answer to [`DescribeUserScramCredentialsRequest`].
    response DescribeUserScramCredentialsResponse(50, 0, flexible 0+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> = empty,
        results: Vec<DescribeUserScramCredentialsResult>,
    }

    /// An item of [`DescribeUserScramCredentialsResponse::results`].
    struct DescribeUserScramCredentialsResult {
        user: String,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> = empty,
        credential_infos: Vec<CredentialInfo>,
    }

    /// An item of [`DescribeUserScramCredentialsResult::credential_infos`].
    struct CredentialInfo {
        mechanism: i8,
        iterations: i32,
    }
}

//! DescribeUserScramCredentials

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request DescribeUserScramCredentialsRequest(50, 0, flexible 0+) -> DescribeUserScramCredentialsResponse {
        users: Option<Vec<UserName>> = empty,
    }

    /// A part.
    struct UserName {
        name: String,
    }

    /// TODO.
    response DescribeUserScramCredentialsResponse(50, 0, flexible 0+) {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<String> = empty,
        results: Vec<DescribeUserScramCredentialsResult>,
    }

    /// A part.
    struct DescribeUserScramCredentialsResult {
        user: String,
        error_code: ErrorCode,
        error_message: Option<String> = empty,
        credential_infos: Vec<CredentialInfo>,
    }

    /// A part.
    struct CredentialInfo {
        mechanism: i8,
        iterations: i32,
    }
}

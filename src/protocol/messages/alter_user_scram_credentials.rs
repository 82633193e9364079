//! AlterUserScramCredentials

use bytes::Bytes;

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request AlterUserScramCredentialsRequest(51, 0, flexible 0+) -> AlterUserScramCredentialsResponse {
        deletions: Vec<ScramCredentialDeletion>,
        upsertions: Vec<ScramCredentialUpsertion>,
    }

    /// A part.
    struct ScramCredentialDeletion {
        name: String,
        mechanism: i8,
    }

    /// A part.
    struct ScramCredentialUpsertion {
        name: String,
        mechanism: i8,
        iterations: i32,
        salt: Bytes [secret],
        salted_password: Bytes [secret],
    }

    /// TODO.
    response AlterUserScramCredentialsResponse(51, 0, flexible 0+) {
        throttle_time_ms: i32,
        results: Vec<AlterUserScramCredentialsResult>,
    }

    /// A part.
    struct AlterUserScramCredentialsResult {
        user: String,
        error_code: ErrorCode,
        error_message: Option<String> = empty,
    }
}

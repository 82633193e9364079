//! AlterUserScramCredentials, key 51.

use bytes::Bytes;

use crate::error_code::ErrorCode;

messages! {
    /// Sets and removes SCRAM credentials (KIP-554).
    request AlterUserScramCredentialsRequest(51, 0, flexible 0+) -> AlterUserScramCredentialsResponse {
        deletions: Vec<ScramCredentialDeletion>,
        upsertions: Vec<ScramCredentialUpsertion>,
    }

    /// An item of [`AlterUserScramCredentialsRequest::deletions`].
    struct ScramCredentialDeletion {
        name: String,
        mechanism: i8,
    }

    /// An item of [`AlterUserScramCredentialsRequest::upsertions`].
    struct ScramCredentialUpsertion {
        name: String,
        mechanism: i8,
        iterations: i32,
        salt: Bytes [secret],
        salted_password: Bytes [secret],
    }

    /// The answer to [`AlterUserScramCredentialsRequest`].
    response AlterUserScramCredentialsResponse(51, 0, flexible 0+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        results: Vec<AlterUserScramCredentialsResult>,
    }

    /// An item of [`AlterUserScramCredentialsResponse::results`].
    struct AlterUserScramCredentialsResult {
        user: String,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> = empty,
    }
}

//! SaslAuthenticate

use bytes::Bytes;

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request SaslAuthenticateRequest(36, 0-2, flexible 2+) -> SaslAuthenticateResponse {
        auth_bytes: Bytes [secret],
    }

    /// TODO.
    response SaslAuthenticateResponse(36, 0-2, flexible 2+) {
        error_code: ErrorCode,
        error_message: Option<String> = empty,
        auth_bytes: Bytes [secret],
        session_lifetime_ms: i64 [1+, ignorable],
    }
}

//! SaslAuthenticate, key 36.

use bytes::Bytes;

use crate::error_code::ErrorCode;

messages! {
    /// Carries one message of a SASL exchange.
    request SaslAuthenticateRequest(36, 0-2, flexible 2+) -> SaslAuthenticateResponse {
        auth_bytes: Bytes [secret],
    }

    /// The answer to [`SaslAuthenticateRequest`].
    response SaslAuthenticateResponse(36, 0-2, flexible 2+) {
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> = empty,
        auth_bytes: Bytes [secret],
        /// How long the authentication lasts, in milliseconds; 0 for as long as the connection does.
        session_lifetime_ms: i64 [1+, ignorable],
    }
}

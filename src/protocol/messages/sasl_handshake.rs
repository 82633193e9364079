//! SaslHandshake

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request SaslHandshakeRequest(17, 0-1) -> SaslHandshakeResponse {
        mechanism: String,
    }

    /// TODO.
    response SaslHandshakeResponse(17, 0-1) {
        error_code: ErrorCode,
        mechanisms: Vec<String>,
    }
}

//! SaslHandshake, key 17.

use crate::error_code::ErrorCode;

messages! {
    /// Chooses a SASL mechanism.
    request SaslHandshakeRequest(17, 0-1) -> SaslHandshakeResponse {
        mechanism: String,
    }

    /// The answer to [`SaslHandshakeRequest`].
    response SaslHandshakeResponse(17, 0-1) {
        error_code: ErrorCode,
        mechanisms: Vec<String>,
    }
}

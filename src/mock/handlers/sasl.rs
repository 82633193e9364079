//! SaslHandshake and SaslAuthenticate.

use super::{Cx, Handled, Handler};
use crate::error_code::ErrorCode;
use crate::mock::sasl::Said;
use crate::protocol::messages::{
    SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};

impl Handler for SaslHandshakeRequest {
    async fn handle(self, cx: &Cx) -> Handled<SaslHandshakeResponse> {
        let mut response = SaslHandshakeResponse::default();
        let sasl = cx.state().settings.sasl.clone();
        response.error_code = match (cx.check(), sasl) {
            (Err(code), _) => code,
            (Ok(()), None) => ErrorCode::ILLEGAL_SASL_STATE,
            (Ok(()), Some(sasl)) => {
                response.mechanisms = sasl.offered();
                if cx.login.begin(&sasl, &self.mechanism, cx.version == 0) {
                    ErrorCode::NONE
                } else {
                    ErrorCode::UNSUPPORTED_SASL_MECHANISM
                }
            }
        };
        Handled::Answer(response)
    }
}

impl Handler for SaslAuthenticateRequest {
    async fn handle(self, cx: &Cx) -> Handled<SaslAuthenticateResponse> {
        let mut response = SaslAuthenticateResponse::default();
        if let Err(code) = cx.check() {
            response.error_code = code;
            return Handled::Answer(response);
        }
        let sasl = cx.state().settings.sasl.clone();
        let said = sasl.and_then(|sasl| cx.login.take(&sasl, &cx.cluster.net, &self.auth_bytes));
        match said {
            None => response.error_code = ErrorCode::ILLEGAL_SASL_STATE,
            Some(Said::Refused(why)) => {
                response.error_code = ErrorCode::SASL_AUTHENTICATION_FAILED;
                response.error_message = Some(why);
            }
            Some(Said::Challenge(bytes)) => response.auth_bytes = bytes.into(),
            Some(Said::Welcome(bytes, lifetime)) => {
                response.auth_bytes = bytes.into();
                let millis = lifetime.map_or(0, |lifetime| lifetime.as_millis());
                response.session_lifetime_ms = i64::try_from(millis).unwrap_or(i64::MAX);
            }
        }
        Handled::Answer(response)
    }
}

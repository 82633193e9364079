//! Tokens from the token endpoint of an OpenID provider: client credentials (KIP-768) and JWT bearer (KIP-1139).

use std::fs;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::jwt;
use super::sigv4::encode;
use crate::config::{Grant, OAuthToken, OAuthTokenProvider, Oidc};
use crate::error::{Error, ErrorKind, Result, printable};
use crate::net::clock::Clock;

pub(super) struct TokenEndpoint {
    oidc: Oidc,
    agent: ureq::Agent,
    clock: Clock,
}

impl TokenEndpoint {
    pub(super) fn new(oidc: Oidc) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_resolve(Some(LONGEST_PHASE))
            .timeout_connect(Some(oidc.connect_timeout.unwrap_or(LONGEST_PHASE)))
            .timeout_send_request(Some(LONGEST_PHASE))
            .timeout_send_body(Some(LONGEST_PHASE))
            .timeout_recv_response(Some(oidc.read_timeout.unwrap_or(LONGEST_PHASE)))
            .timeout_recv_body(Some(oidc.read_timeout.unwrap_or(LONGEST_PHASE)))
            .user_agent(concat!("kavka/", env!("CARGO_PKG_VERSION")));
        #[cfg(feature = "tls")]
        let agent = agent.tls_config(tls_config());
        Self { oidc, agent: agent.build().into(), clock: Clock::system() }
    }

    /// The form, and the header that stands for the client.
    fn question(&self) -> Result<(Form, Option<String>)> {
        let (mut form, header) = match &self.oidc.grant {
            Grant::ClientCredentials { client_id, client_secret, urlencode } => {
                let secret = client_secret.reveal();
                let pair = if *urlencode {
                    format!("{}:{}", encode(client_id), encode(secret))
                } else {
                    format!("{client_id}:{secret}")
                };
                let form = vec![("grant_type", "client_credentials".to_owned())];
                (form, Some(format!("Basic {}", STANDARD.encode(pair))))
            }
            Grant::AssertionFile(path) => {
                let text = fs::read_to_string(path).map_err(|cause| {
                    let text = format!("the assertion file {}", path.display());
                    Error::new(ErrorKind::Authentication, text).with_source(cause)
                })?;
                (jwt_bearer(text.trim().to_owned()), None)
            }
            Grant::Assertion(assertion) => {
                (jwt_bearer(jwt::sign(assertion, self.clock.unix_millis() / 1000)?), None)
            }
        };
        if let Some(scope) = &self.oidc.scope {
            form.push(("scope", scope.clone()));
        }
        Ok((form, header))
    }

    fn at_endpoint(&self, kind: ErrorKind, text: impl std::fmt::Display) -> Error {
        Error::new(kind, format!("the token endpoint {}: {text}", without_secrets(&self.oidc.url)))
    }
}

/// A URL without user, password and query.
fn without_secrets(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let place = rest.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = place.split_once('/').map_or((place, None), |(host, path)| (host, Some(path)));
    let host = host.rsplit('@').next().unwrap_or_default();
    match path {
        Some(path) => format!("{scheme}://{host}/{path}"),
        None => format!("{scheme}://{host}"),
    }
}

/// The system's CAs are trusted.
#[cfg(feature = "rustls")]
fn tls_config() -> ureq::tls::TlsConfig {
    use std::sync::Arc;

    use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

    let found = rustls_native_certs::load_native_certs().certs;
    let certificates = found.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(RootCerts::Specific(Arc::new(certificates)))
        .build()
}

/// The system's CAs are trusted.
#[cfg(all(feature = "native-tls", not(feature = "rustls")))]
fn tls_config() -> ureq::tls::TlsConfig {
    use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

    TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(RootCerts::PlatformVerifier).build()
}

#[cfg(all(feature = "tls", not(feature = "rustls"), not(feature = "native-tls")))]
fn tls_config() -> ureq::tls::TlsConfig {
    ureq::tls::TlsConfig::default()
}

type Form = Vec<(&'static str, String)>;

fn jwt_bearer(assertion: String) -> Form {
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned();
    vec![("grant_type", grant), ("assertion", assertion)]
}

impl OAuthTokenProvider for TokenEndpoint {
    fn token(&self) -> Result<OAuthToken> {
        let (form, header) = self.question()?;
        let mut request = self.agent.post(&self.oidc.url).header("Accept", "application/json");
        if let Some(header) = header {
            request = request.header("Authorization", header);
        }
        let mut response = request.send_form(form).map_err(|error| match error {
            ureq::Error::BadUri(_) | ureq::Error::TlsRequired | ureq::Error::Tls(_) => self.at_endpoint(
                ErrorKind::Authentication,
                format_args!("{error} (https needs one of kavka's features rustls and native-tls)"),
            ),
            // The endpoint may be back soon.
            error => self.at_endpoint(ErrorKind::Connection, printable(error)),
        })?;
        let status = response.status();
        let body = response
            .body_mut()
            .with_config()
            .limit(LARGEST_ANSWER)
            .read_to_string()
            .map_err(|error| self.at_endpoint(ErrorKind::Connection, printable(error)))?;
        let answer: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
        if !status.is_success() {
            let kind = match status.as_u16() {
                408 | 429 | 500.. => ErrorKind::Connection,
                _ => ErrorKind::Authentication,
            };
            let word = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
            let words = format!("{} {}", word("error"), word("error_description"));
            return Err(self.at_endpoint(kind, format_args!("{status} {}", printable(words.trim()))));
        }
        let Some(value) = answer.get("access_token").and_then(Value::as_str) else {
            return Err(self.at_endpoint(ErrorKind::Authentication, "the answer has no access_token"));
        };
        let mut token = OAuthToken::new(value);
        let now = self.clock.unix_millis() / 1000;
        let told = answer.get("expires_in").and_then(Value::as_u64);
        let seconds = told.or_else(|| u64::try_from(jwt::expiry(value)?.saturating_sub(now)).ok());
        token.lifetime = seconds.map(Duration::from_secs);
        token.extensions.clone_from(&self.oidc.extensions);
        Ok(token)
    }
}

/// No phase of a request takes longer, so that a helper thread ends in the end.
const LONGEST_PHASE: Duration = Duration::from_secs(30);

const LARGEST_ANSWER: u64 = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_shown_without_what_may_be_secret() {
        for (url, shown) in [
            ("https://id.example.com/token", "https://id.example.com/token"),
            ("https://id.example.com", "https://id.example.com"),
            (
                "https://user:hush@id.example.com:8443/a/token?key=hush#hush",
                "https://id.example.com:8443/a/token",
            ),
            ("http://hush@[::1]:80?hush", "http://[::1]:80"),
            ("https://user:hu@sh@id.example.com/@", "https://id.example.com/@"),
        ] {
            assert_eq!(without_secrets(url), shown);
        }
    }
}

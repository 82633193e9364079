//! OAUTHBEARER (RFC 7628, KIP-255): a bearer token, with extensions (KIP-342).

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use parking_lot::Mutex;

use super::{Exchange, Mechanism, Peer, Reply, unexpected};
use crate::config::{Extensions, OAuthToken, OAuthTokenProvider, TokenSource, Unsecured};
use crate::error::{Error, ErrorKind, Result};
use crate::net::clock::Clock;

/// The provider of a configured source.
pub(super) fn provider(source: TokenSource) -> Result<Arc<dyn OAuthTokenProvider>> {
    Ok(match source {
        TokenSource::Provided(provider) => Arc::new(move || provider.token()),
        TokenSource::Unsecured(unsecured) => {
            let clock = Clock::system();
            Arc::new(move || Ok(unsecured_token(&unsecured, clock.unix_millis())))
        }
        TokenSource::File(path, extensions) => Arc::new(FileToken { path, extensions }),
        #[cfg(feature = "oidc")]
        TokenSource::Oidc(oidc) => Arc::new(super::oidc::TokenEndpoint::new(oidc)),
        #[cfg(not(feature = "oidc"))]
        TokenSource::Oidc(_) => {
            let text = "sasl.oauthbearer.token.endpoint.url needs kavka's feature \"oidc\"";
            return Err(Error::new(ErrorKind::Configuration, text));
        }
    })
}

pub(super) struct OAuthBearer {
    provider: Arc<dyn OAuthTokenProvider>,
    /// The part of a token's life after which another one is asked for.
    refresh: f64,
    /// The token in use, and until when it is. Whoever asks for a new one holds the lock, so that many
    /// connections ask once.
    token: Mutex<Option<(OAuthToken, Instant)>>,
    refused: AtomicBool,
}

impl OAuthBearer {
    pub(super) fn new(provider: Arc<dyn OAuthTokenProvider>, refresh: f64) -> Self {
        Self { provider, refresh, token: Mutex::new(None), refused: AtomicBool::new(false) }
    }

    fn token(&self, clock: Clock) -> Result<OAuthToken> {
        let mut kept = self.token.lock();
        if self.refused.swap(false, Ordering::AcqRel) {
            *kept = None;
        }
        if let Some((token, until)) = &*kept {
            if clock.now() < *until {
                return Ok(token.clone());
            }
        }
        let token = self.provider.token()?;
        *kept = token.lifetime.map(|lifetime| {
            let use_for = Duration::try_from_secs_f64(lifetime.as_secs_f64() * self.refresh);
            (token.clone(), clock.deadline(use_for.unwrap_or(lifetime)))
        });
        Ok(token)
    }
}

impl Mechanism for OAuthBearer {
    fn name(&self) -> &str {
        "OAUTHBEARER"
    }

    fn begin(&self, peer: &Peer) -> Result<Box<dyn Exchange>> {
        let first = first_message(&self.token(peer.clock)?)?;
        Ok(Box::new(Bearing { first, failure: None }))
    }

    fn refused(&self) {
        self.refused.store(true, Ordering::Release);
    }
}

fn first_message(token: &OAuthToken) -> Result<Bytes> {
    let value = token.value.reveal();
    if value.is_empty() || value.bytes().any(|byte| !(0x21..=0x7e).contains(&byte)) {
        let text = "the token is empty, or has characters that no token has";
        return Err(Error::new(ErrorKind::Authentication, text));
    }
    let mut message = format!("n,,\u{1}auth=Bearer {value}");
    for (name, value) in &token.extensions {
        let is_name =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic()) && name != "auth";
        let is_value = value.bytes().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e));
        if !is_name || !is_value {
            let text = format!(
                "the SASL extension {name:?} is not one: names are letters and not \"auth\", values printable"
            );
            return Err(Error::new(ErrorKind::Authentication, text));
        }
        message.push_str(&format!("\u{1}{name}={value}"));
    }
    message.push_str("\u{1}\u{1}");
    Ok(Bytes::from(message))
}

struct Bearing {
    first: Bytes,
    /// What the broker said against the token.
    failure: Option<String>,
}

impl Exchange for Bearing {
    fn respond(&mut self, challenge: Option<&[u8]>) -> Result<Reply> {
        match challenge {
            None => Ok(Reply::Send(self.first.clone())),
            Some(_) if self.failure.is_some() => Err(unexpected(self.failure.take().unwrap_or_default())),
            Some([]) => Ok(Reply::Done),
            Some(failure) => {
                // The broker tells why it refuses the token, and ends the exchange when that is acknowledged.
                self.failure = Some(String::from_utf8_lossy(failure).into_owned());
                Ok(Reply::Send(Bytes::from_static(b"\x01")))
            }
        }
    }
}

/// A token in a file that something else keeps fresh, such as Kubernetes.
struct FileToken {
    path: PathBuf,
    extensions: Extensions,
}

impl OAuthTokenProvider for FileToken {
    fn token(&self) -> Result<OAuthToken> {
        let text = fs::read_to_string(&self.path).map_err(|cause| {
            let text = format!("the token file {}", self.path.display());
            Error::new(ErrorKind::Authentication, text).with_source(cause)
        })?;
        let mut token = OAuthToken::new(text.trim());
        token.extensions.clone_from(&self.extensions);
        Ok(token)
    }
}

/// A token without a signature, which only brokers for development take.
fn unsecured_token(unsecured: &Unsecured, now_ms: i64) -> OAuthToken {
    let now = now_ms as f64 / 1000.0;
    let expires = now + unsecured.lifetime.as_secs_f64();
    let mut claims = vec![format!("\"iat\":{now}"), format!("\"exp\":{expires}")];
    for (name, value) in &unsecured.claims {
        claims.push(format!("{name:?}:{value}"));
    }
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    let payload = URL_SAFE_NO_PAD.encode(format!("{{{}}}", claims.join(",")));
    let mut token = OAuthToken::new(format!("{header}.{payload}.")).lifetime(unsecured.lifetime);
    token.extensions.clone_from(&unsecured.extensions);
    token
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    fn peer() -> Peer {
        Peer { host: "localhost".to_owned(), clock: Clock::system() }
    }

    fn first(mechanism: &OAuthBearer) -> String {
        match mechanism.begin(&peer()).unwrap().respond(None).unwrap() {
            Reply::Send(message) => String::from_utf8(message.to_vec()).unwrap(),
            Reply::Done => panic!("nothing was said"),
        }
    }

    #[test]
    fn the_message_carries_the_token_and_its_extensions() {
        let provider = || Ok(OAuthToken::new("abc.def").extension("logicalCluster", "lkc-1"));
        let mechanism = OAuthBearer::new(Arc::new(provider), 0.8);
        assert_eq!(first(&mechanism), "n,,\u{1}auth=Bearer abc.def\u{1}logicalCluster=lkc-1\u{1}\u{1}");
    }

    #[test]
    fn a_refusal_is_acknowledged_and_told() {
        let mechanism = OAuthBearer::new(Arc::new(|| Ok(OAuthToken::new("abc"))), 0.8);
        let mut exchange = mechanism.begin(&peer()).unwrap();
        exchange.respond(None).unwrap();
        let acknowledged = exchange.respond(Some(b"{\"status\":\"invalid_token\"}")).unwrap();
        assert_eq!(acknowledged, Reply::Send(Bytes::from_static(b"\x01")));
        let error = exchange.respond(Some(b"")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Authentication);
        assert!(error.to_string().contains("invalid_token"), "{error}");
    }

    #[test]
    fn a_token_is_used_until_part_of_its_life_is_over_or_it_is_refused() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let lifetime = Arc::new(Mutex::new(Duration::from_secs(3600)));
        let lasts = Arc::clone(&lifetime);
        let provider = move || {
            let number = count.fetch_add(1, Ordering::Relaxed);
            Ok(OAuthToken::new(format!("t{number}")).lifetime(*lasts.lock()))
        };
        let mechanism = OAuthBearer::new(Arc::new(provider), 0.8);
        assert_eq!(first(&mechanism), first(&mechanism));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        *lifetime.lock() = Duration::ZERO;
        mechanism.refused();
        assert!(first(&mechanism).contains("t1"));
        assert!(first(&mechanism).contains("t2"), "its life is over at once");
    }

    #[test]
    fn what_would_break_the_message_is_refused_without_being_shown() {
        for token in [
            OAuthToken::new("hush\u{1}x"),
            OAuthToken::new(""),
            OAuthToken::new("t").extension("auth", "x"),
            OAuthToken::new("t").extension("", "x"),
            OAuthToken::new("t").extension("a1", "x"),
            OAuthToken::new("t").extension("a", "hush\u{1}"),
        ] {
            let error = first_message(&token).unwrap_err();
            assert!(!error.to_string().contains("hush"), "{error}");
        }
    }

    #[test]
    fn an_unsecured_token_says_what_it_was_told() {
        let unsecured = Unsecured {
            claims: vec![("sub".to_owned(), "\"alice\"".to_owned())],
            lifetime: Duration::from_secs(60),
            extensions: vec![("a".to_owned(), "b".to_owned())],
        };
        let token = unsecured_token(&unsecured, 1_000_500);
        let mut parts = token.value.reveal().split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap());
        assert_eq!(parts.next().unwrap(), br#"{"alg":"none"}"#);
        assert_eq!(parts.next().unwrap(), br#"{"iat":1000.5,"exp":1060.5,"sub":"alice"}"#);
        assert_eq!(parts.next().unwrap(), b"");
        assert_eq!(token.lifetime, Some(Duration::from_secs(60)));
        assert_eq!(token.extensions, unsecured.extensions);
    }
}

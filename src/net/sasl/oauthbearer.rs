//! OAUTHBEARER (RFC 7628, KIP-255): a bearer token, with extensions (KIP-342).

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use parking_lot::{Condvar, Mutex};

use super::{Exchange, Mechanism, Peer, Reply, unexpected};
use crate::config::{Extensions, OAuthToken, OAuthTokenProvider, TokenSource, Unsecured};
use crate::error::{Error, ErrorKind, Result, printable};
use crate::net::bridge::panic_text;
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
    /// How long the provider's answer is waited for.
    patience: Duration,
    /// Never held while the provider is asked: the IO thread takes it, too.
    tokens: Mutex<Tokens>,
}

#[derive(Default)]
struct Tokens {
    /// The token in use, and until when it is.
    kept: Option<(OAuthToken, Instant)>,
    /// The provider is being asked, by the first connection that needed a token; the others wait for the same answer.
    question: Option<Arc<Question>>,
}

struct Question {
    given_up_at: Instant,
    answer: Mutex<Option<Result<OAuthToken>>>,
    answered: Condvar,
}

impl Question {
    fn wait(&self) -> Result<OAuthToken> {
        let mut answer = self.answer.lock();
        loop {
            if let Some(answer) = &*answer {
                return answer.clone();
            }
            if self.answered.wait_until(&mut answer, self.given_up_at).timed_out() && answer.is_none() {
                return Err(Error::new(
                    ErrorKind::Timeout,
                    "timed out: the provider of tokens gives no answer",
                ));
            }
        }
    }
}

impl OAuthBearer {
    pub(super) fn new(provider: Arc<dyn OAuthTokenProvider>, refresh: f64) -> Self {
        Self { provider, refresh, patience: PATIENCE, tokens: Mutex::default() }
    }

    fn token(&self, clock: Clock) -> Result<OAuthToken> {
        let mut tokens = self.tokens.lock();
        let now = clock.now();
        if let Some((token, _)) = tokens.kept.as_ref().filter(|(_, until)| now < *until) {
            return Ok(token.clone());
        }
        // One that hangs is left behind: the next answer may come.
        if let Some(question) = tokens.question.as_ref().filter(|question| now < question.given_up_at) {
            let question = Arc::clone(question);
            drop(tokens);
            return question.wait();
        }
        let question = Arc::new(Question {
            given_up_at: clock.deadline(self.patience),
            answer: Mutex::new(None),
            answered: Condvar::new(),
        });
        tokens.question = Some(Arc::clone(&question));
        drop(tokens);
        // It is code of the program.
        let answer = catch_unwind(AssertUnwindSafe(|| self.provider.token())).unwrap_or_else(|panic| {
            Err(Error::new(ErrorKind::Panic, format!("panicked: {}", panic_text(&*panic))))
        });
        let mut tokens = self.tokens.lock();
        tokens.question.take_if(|asked| Arc::ptr_eq(asked, &question));
        if let Ok(token) = &answer {
            tokens.kept = token.lifetime.map(|lifetime| {
                let use_for = Duration::try_from_secs_f64(lifetime.as_secs_f64() * self.refresh);
                (token.clone(), clock.deadline(use_for.unwrap_or(lifetime)))
            });
        }
        drop(tokens);
        *question.answer.lock() = Some(answer.clone());
        question.answered.notify_all();
        answer
    }
}

/// A login is given up sooner; those that come later do not wait longer than this for a provider that hangs, but ask
/// again.
const PATIENCE: Duration = Duration::from_secs(30);

impl Mechanism for OAuthBearer {
    fn name(&self) -> &str {
        "OAUTHBEARER"
    }

    fn begin(&self, peer: &Peer) -> Result<Box<dyn Exchange>> {
        let first = first_message(&self.token(peer.clock)?)?;
        Ok(Box::new(Bearing { first, failure: None }))
    }

    fn refused(&self) {
        // If the provider is being asked, the refusal is of an older token than its answer.
        self.tokens.lock().kept = None;
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
                self.failure = Some(printable(String::from_utf8_lossy(failure)).to_string());
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
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

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
        let acknowledged = exchange.respond(Some(b"{\"status\":\"invalid_token\"}\x1b[2J")).unwrap();
        assert_eq!(acknowledged, Reply::Send(Bytes::from_static(b"\x01")));
        let error = exchange.respond(Some(b"")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Authentication);
        assert!(error.to_string().contains("invalid_token\"}\\u{1b}[2J"), "{error}");
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
    fn connections_that_need_a_token_at_once_share_one_answer_good_or_bad() {
        let asked = Arc::new(AtomicUsize::new(0));
        let (answer, answers) = crossbeam_channel::bounded::<Result<OAuthToken>>(0);
        let count = Arc::clone(&asked);
        let provider = move || {
            count.fetch_add(1, Ordering::Relaxed);
            answers.recv().unwrap()
        };
        let mechanism = Arc::new(OAuthBearer::new(Arc::new(provider), 0.8));
        let long = Duration::from_secs(3600);
        let failure = Error::new(ErrorKind::Connection, "no way");
        for (round, given) in [Err(failure), Ok(OAuthToken::new("t").lifetime(long))].into_iter().enumerate()
        {
            let waiting: Vec<_> = (0..8)
                .map(|_| {
                    let mechanism = Arc::clone(&mechanism);
                    thread::spawn(move || mechanism.token(Clock::system()))
                })
                .collect();
            // The one that asks, and its seven companions.
            let all_wait = || {
                let question = mechanism.tokens.lock().question.clone();
                question.is_some_and(|question| Arc::strong_count(&question) == 10)
            };
            while !all_wait() {
                thread::yield_now();
            }
            // A refusal of the token before this one, or of none: the answer to come is newer.
            mechanism.refused();
            answer.send(given.clone()).unwrap();
            for one in waiting {
                let got = one.join().unwrap();
                assert_eq!(got.is_ok(), given.is_ok());
                assert!(got.err().is_none_or(|error| error.to_string() == "no way"));
            }
            assert_eq!(asked.load(Ordering::Relaxed), round + 1);
        }
        assert!(first(&mechanism).contains("Bearer t"));
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_provider_that_hangs_or_panics_is_asked_again() {
        let asked = AtomicUsize::new(0);
        let (release, hanging) = crossbeam_channel::bounded::<()>(0);
        let provider = move || match asked.fetch_add(1, Ordering::Relaxed) {
            0 => {
                let _ = hanging.recv();
                Ok(OAuthToken::new("late"))
            }
            1 => panic!("oh no"),
            _ => Ok(OAuthToken::new("good")),
        };
        let mechanism =
            OAuthBearer { patience: Duration::from_millis(50), ..OAuthBearer::new(Arc::new(provider), 0.8) };
        let mechanism = Arc::new(mechanism);
        let hangs = thread::spawn({
            let mechanism = Arc::clone(&mechanism);
            move || mechanism.token(Clock::system())
        });
        while mechanism.tokens.lock().question.is_none() {
            thread::yield_now();
        }
        let error = loop {
            // On a busy machine the time may be up before this has begun to wait.
            match mechanism.token(Clock::system()) {
                Err(error) if error.kind() == ErrorKind::Timeout => continue,
                other => break other.unwrap_err(),
            }
        };
        assert_eq!(error.kind(), ErrorKind::Panic, "{error}");
        assert!(error.to_string().contains("oh no"), "{error}");
        assert!(first(&mechanism).contains("good"));
        drop(release);
        assert_eq!(hangs.join().unwrap().unwrap().value.reveal(), "late");
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

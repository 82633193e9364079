//! Logins to mock brokers: who may log in, and the broker's side of PLAIN, SCRAM and OAUTHBEARER.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::config::{SaslMechanism, Secret};
use crate::net::event_loop::Net;
use crate::net::sasl::ScramHash;

/// Who may log in to the brokers of a [`MockCluster`](super::MockCluster), and for how long.
///
/// ```
/// use kavka::config::SaslMechanism;
/// use kavka::mock::{MockCluster, MockSasl};
///
/// let cluster = MockCluster::builder().sasl(MockSasl::new().user("alice", "secret")).start()?;
/// let admin = kavka::KafkaAdminClient::builder()
///     .bootstrap_servers(cluster.bootstrap_servers())
///     .set("security.protocol", "SASL_PLAINTEXT")
///     .sasl_mechanism(SaslMechanism::ScramSha512)
///     .sasl_plain_username("alice")
///     .sasl_plain_password("secret")
///     .build()?;
/// admin.bootstrap(std::time::Duration::from_secs(10))?;
/// # Ok::<(), kavka::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct MockSasl {
    users: BTreeMap<String, Secret>,
    tokens: Vec<Secret>,
    mechanisms: Vec<SaslMechanism>,
    session_lifetime: Option<Duration>,
}

impl Default for MockSasl {
    fn default() -> Self {
        Self {
            users: BTreeMap::new(),
            tokens: Vec::new(),
            mechanisms: vec![
                SaslMechanism::Plain,
                SaslMechanism::ScramSha256,
                SaslMechanism::ScramSha512,
                SaslMechanism::OAuthBearer,
            ],
            session_lifetime: None,
        }
    }
}

impl MockSasl {
    /// Nobody may log in yet. PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER are offered.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets a user log in with PLAIN and SCRAM; a second call changes the password.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.users.insert(name.into(), Secret::new(password));
        self
    }

    /// Lets whoever has this token log in with OAUTHBEARER.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.tokens.push(Secret::new(token));
        self
    }

    /// Offers these mechanisms alone; those that the mock does not know are left out.
    #[must_use]
    pub fn mechanisms(mut self, mechanisms: impl IntoIterator<Item = SaslMechanism>) -> Self {
        let known = Self::default().mechanisms;
        self.mechanisms = mechanisms.into_iter().filter(|mechanism| known.contains(mechanism)).collect();
        self
    }

    /// Ends sessions after this time, unless they are renewed before (KIP-368). Defaults to no limit.
    #[must_use]
    pub fn session_lifetime(mut self, lifetime: Duration) -> Self {
        self.session_lifetime = Some(lifetime);
        self
    }

    /// The names of what is offered.
    pub(crate) fn offered(&self) -> Vec<String> {
        self.mechanisms.iter().map(|mechanism| mechanism.as_str().to_owned()).collect()
    }
}

/// What a broker knows of one connection's login.
#[derive(Default)]
pub(crate) struct Login {
    exchange: RefCell<Option<Exchange>>,
    /// Until when the client is let through; the inner `None` is for ever.
    session: Cell<Option<Option<Instant>>>,
    /// Messages come in bare frames (SaslHandshake version 0).
    bare: Cell<bool>,
}

/// The broker's side of an exchange that is under way.
enum Exchange {
    Plain,
    Scram(ScramHash),
    ScramFinal { hash: ScramHash, password: Secret, nonce: String, salt: Vec<u8>, auth_message: String },
    Bearer,
    BearerRefused(String),
}

/// What the broker says.
pub(crate) enum Said {
    /// The exchange goes on.
    Challenge(Vec<u8>),
    /// The client is in, for this long.
    Welcome(Vec<u8>, Option<Duration>),
    /// It is not.
    Refused(String),
}

impl Login {
    /// Whether the client may send requests other than those of a login.
    pub(crate) fn is_let_in(&self, now: Instant) -> bool {
        match self.session.get() {
            None => false,
            Some(None) => true,
            Some(Some(end)) => now < end,
        }
    }

    /// Whether the next frame is a bare message.
    pub(crate) fn is_bare(&self) -> bool {
        self.bare.get() && self.exchange.borrow().is_some()
    }

    /// Begins an exchange; false when the mechanism is not offered.
    pub(crate) fn begin(&self, sasl: &MockSasl, mechanism: &str, bare: bool) -> bool {
        let chosen = sasl.mechanisms.iter().find(|offered| offered.as_str() == mechanism);
        let exchange = match chosen {
            Some(SaslMechanism::Plain) => Exchange::Plain,
            Some(SaslMechanism::ScramSha256) => Exchange::Scram(ScramHash::Sha256),
            Some(SaslMechanism::ScramSha512) => Exchange::Scram(ScramHash::Sha512),
            Some(SaslMechanism::OAuthBearer) => Exchange::Bearer,
            _ => return false,
        };
        *self.exchange.borrow_mut() = Some(exchange);
        self.bare.set(bare);
        true
    }

    /// Takes a message of the client; `None` when no exchange is under way.
    pub(crate) fn take(&self, sasl: &MockSasl, net: &Net, message: &Bytes) -> Option<Said> {
        let exchange = self.exchange.borrow_mut().take()?;
        let refused = |why: &str| Said::Refused(why.to_owned());
        let text = std::str::from_utf8(message).unwrap_or_default();
        let said = match exchange {
            Exchange::Plain => match *text.split('\0').collect::<Vec<_>>().as_slice() {
                [_, user, password]
                    if sasl.users.get(user).is_some_and(|known| known.reveal() == password) =>
                {
                    Said::Welcome(Vec::new(), sasl.session_lifetime)
                }
                _ => refused("Authentication failed: Invalid username or password"),
            },
            Exchange::Scram(hash) => match scram_first(sasl, net, hash, text) {
                Some((next, challenge)) => {
                    *self.exchange.borrow_mut() = Some(next);
                    Said::Challenge(challenge)
                }
                None => refused("Authentication failed during authentication due to invalid credentials"),
            },
            Exchange::ScramFinal { hash, password, nonce, salt, auth_message } => {
                match scram_final(hash, &password, &nonce, &salt, &auth_message, text) {
                    Some(last) => Said::Welcome(last, sasl.session_lifetime),
                    None => refused("Authentication failed during authentication due to invalid credentials"),
                }
            }
            Exchange::Bearer => {
                let token = text
                    .split('\u{1}')
                    .find_map(|part| part.strip_prefix("auth=Bearer "))
                    .filter(|token| sasl.tokens.iter().any(|known| known.reveal() == *token));
                if token.is_some() {
                    Said::Welcome(Vec::new(), sasl.session_lifetime)
                } else {
                    let why = "{\"status\":\"invalid_token\"}".to_owned();
                    *self.exchange.borrow_mut() = Some(Exchange::BearerRefused(why.clone()));
                    Said::Challenge(why.into_bytes())
                }
            }
            Exchange::BearerRefused(why) => Said::Refused(why),
        };
        if let Said::Welcome(_, lifetime) = &said {
            self.session.set(Some(lifetime.map(|lifetime| net.now() + lifetime)));
        }
        Some(said)
    }
}

fn scram_first(sasl: &MockSasl, net: &Net, hash: ScramHash, message: &str) -> Option<(Exchange, Vec<u8>)> {
    let bare = message.strip_prefix("n,,")?;
    let mut fields = bare.split(',');
    let user = fields.next()?.strip_prefix("n=")?.replace("=2C", ",").replace("=3D", "=");
    let nonce = format!("{}{}", fields.next()?.strip_prefix("r=")?, STANDARD.encode(net.random_bytes()));
    let password = sasl.users.get(&user)?.clone();
    let salt = net.random_bytes().to_vec();
    let first = format!("r={nonce},s={},i={ITERATIONS}", STANDARD.encode(&salt));
    let auth_message = format!("{bare},{first}");
    Some((Exchange::ScramFinal { hash, password, nonce, salt, auth_message }, first.into_bytes()))
}

fn scram_final(
    hash: ScramHash,
    password: &Secret,
    nonce: &str,
    salt: &[u8],
    auth_message: &str,
    message: &str,
) -> Option<Vec<u8>> {
    let (without_proof, proof) = message.rsplit_once(",p=")?;
    if without_proof != format!("c=biws,r={nonce}") {
        return None;
    }
    let auth_message = format!("{auth_message},{without_proof}");
    let salted = hash.pbkdf2(password.reveal().as_bytes(), salt, ITERATIONS);
    let stored = hash.digest(&hash.hmac(&salted, b"Client Key"));
    let signature = hash.hmac(&stored, auth_message.as_bytes());
    let proof = STANDARD.decode(proof).ok()?;
    let key: Vec<u8> = proof.iter().zip(&signature).map(|(proof, sign)| proof ^ sign).collect();
    if hash.digest(&key) != stored {
        return None;
    }
    let server_key = hash.hmac(&salted, b"Server Key");
    let own = hash.hmac(&server_key, auth_message.as_bytes());
    Some(format!("v={}", STANDARD.encode(own)).into_bytes())
}

const ITERATIONS: u32 = 4096;

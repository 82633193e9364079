//! SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802, RFC 7677): the password does not leave the client, and the broker
//! proves that it knows it, too.
//!
//! SASLprep is not applied: Kafka takes passwords as they are when it stores them (`ScramFormatter.normalize`), so a
//! client that prepared them could not log in with one that preparation changes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use pbkdf2::pbkdf2_hmac;
use sha2::{Digest, Sha256, Sha512};

use super::{Exchange, Mechanism, Peer, Reply, unexpected};
use crate::config::{Credentials, UserPassword};
use crate::error::{Error, ErrorKind, Result, printable};

pub(super) struct Scram {
    hash: Hash,
    user: UserPassword,
    token_auth: bool,
}

impl Scram {
    pub(super) fn new(sha512: bool, user: UserPassword, token_auth: bool) -> Self {
        Self { hash: if sha512 { Hash::Sha512 } else { Hash::Sha256 }, user, token_auth }
    }
}

impl Mechanism for Scram {
    fn name(&self) -> &str {
        match self.hash {
            Hash::Sha256 => "SCRAM-SHA-256",
            Hash::Sha512 => "SCRAM-SHA-512",
        }
    }

    fn begin(&self, _: &Peer) -> Result<Box<dyn Exchange>> {
        let mut random = [0; 24];
        getrandom::fill(&mut random).map_err(|error| {
            Error::new(ErrorKind::Authentication, format!("the system gives no random numbers: {error}"))
        })?;
        let nonce = STANDARD.encode(random);
        Ok(Box::new(Client::new(self.hash, self.user.get()?, self.token_auth, nonce)))
    }
}

/// One exchange.
struct Client {
    hash: Hash,
    credentials: Credentials,
    nonce: String,
    first_bare: String,
    state: State,
}

enum State {
    Start,
    First,
    /// Both sides' proof is out; this is what the broker's must be.
    Final(Vec<u8>),
    Done,
}

impl Client {
    fn new(hash: Hash, credentials: Credentials, token_auth: bool, nonce: String) -> Self {
        let user = credentials.username.replace('=', "=3D").replace(',', "=2C");
        // Kafka's own extension: the credentials are a delegation token (KIP-48).
        let extension = if token_auth { ",tokenauth=true" } else { "" };
        let first_bare = format!("n={user},r={nonce}{extension}");
        Self { hash, credentials, nonce, first_bare, state: State::Start }
    }

    fn proof(&mut self, challenge: &[u8]) -> Result<Reply> {
        let server_first = text(challenge)?;
        let fields = ServerFirst::parse(server_first)?;
        if !fields.nonce.starts_with(&self.nonce) || fields.nonce.len() == self.nonce.len() {
            return Err(unexpected("the broker's nonce does not continue the client's"));
        }
        let password = self.credentials.password.reveal().as_bytes();
        let salted = self.hash.pbkdf2(password, &fields.salt, fields.iterations);
        let without_proof = format!("c=biws,r={}", fields.nonce);
        let auth_message = format!("{},{server_first},{without_proof}", self.first_bare);
        let client_key = self.hash.hmac(&salted, b"Client Key");
        let stored_key = self.hash.digest(&client_key);
        let signature = self.hash.hmac(&stored_key, auth_message.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(key, sign)| key ^ sign).collect();
        let server_key = self.hash.hmac(&salted, b"Server Key");
        self.state = State::Final(self.hash.hmac(&server_key, auth_message.as_bytes()));
        Ok(Reply::Send(Bytes::from(format!("{without_proof},p={}", STANDARD.encode(proof)))))
    }
}

impl Exchange for Client {
    fn respond(&mut self, challenge: Option<&[u8]>) -> Result<Reply> {
        match (std::mem::replace(&mut self.state, State::Done), challenge) {
            (State::Start, None) => {
                self.state = State::First;
                // No channel binding, and nobody is acted for.
                Ok(Reply::Send(Bytes::from(format!("n,,{}", self.first_bare))))
            }
            (State::First, Some(challenge)) => self.proof(challenge),
            (State::Final(expected), Some(challenge)) => {
                let signature = server_signature(text(challenge)?)?;
                if !is_equal(&signature, &expected) {
                    return Err(unexpected(
                        "the broker did not prove that it knows the password: it is not the one it claims to be",
                    ));
                }
                Ok(Reply::Done)
            }
            _ => Err(unexpected("the broker goes on after the end of the exchange")),
        }
    }
}

/// `r=nonce,s=salt,i=iterations`.
struct ServerFirst {
    nonce: String,
    salt: Vec<u8>,
    iterations: u32,
}

impl ServerFirst {
    fn parse(message: &str) -> Result<Self> {
        let mut fields = message.split(',');
        let mut field = |name: &str| {
            let field = fields.next().and_then(|field| field.strip_prefix(name)?.strip_prefix('='));
            field.ok_or_else(|| match message.split_once('=') {
                Some(("e", why)) => unexpected(printable(why).to_string()),
                Some(("m", _)) => {
                    unexpected("the broker asks for a SCRAM extension that kavka does not know")
                }
                _ => unexpected(format!("the broker's first message has no {name}")),
            })
        };
        let (nonce, salt, iterations) = (field("r")?, field("s")?, field("i")?);
        if nonce.bytes().any(|byte| !(0x21..=0x7e).contains(&byte)) {
            return Err(unexpected("the broker's nonce is not printable"));
        }
        let salt = STANDARD.decode(salt).map_err(|_| unexpected("the broker's salt is not base64"))?;
        let iterations: u32 =
            iterations.parse().map_err(|_| unexpected("the broker's iteration count is not a number"))?;
        if iterations < LEAST_ITERATIONS {
            let text = format!(
                "the broker asks for {iterations} iterations, fewer than {LEAST_ITERATIONS}: too few to protect \
                 the password"
            );
            return Err(unexpected(text));
        }
        if iterations > MOST_ITERATIONS {
            let text = format!("the broker asks for {iterations} iterations, more than {MOST_ITERATIONS}");
            return Err(unexpected(text));
        }
        Ok(Self { nonce: nonce.to_owned(), salt, iterations })
    }
}

fn server_signature(message: &str) -> Result<Vec<u8>> {
    let first = message.split(',').next().unwrap_or_default();
    match first.split_once('=') {
        Some(("v", signature)) => {
            STANDARD.decode(signature).map_err(|_| unexpected("the broker's signature is not base64"))
        }
        Some(("e", why)) => Err(unexpected(printable(why).to_string())),
        _ => Err(unexpected("the broker's last message has no signature")),
    }
}

fn text(message: &[u8]) -> Result<&str> {
    std::str::from_utf8(message).map_err(|_| unexpected("the broker's message is not UTF-8"))
}

/// Takes the same time whatever differs.
fn is_equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

/// The hash function of a SCRAM mechanism.
#[derive(Clone, Copy)]
pub(crate) enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    pub(crate) fn digest(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(data).to_vec(),
            Self::Sha512 => Sha512::digest(data).to_vec(),
        }
    }

    pub(crate) fn hmac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => hmac_of::<Hmac<Sha256>>(key, data),
            Self::Sha512 => hmac_of::<Hmac<Sha512>>(key, data),
        }
    }

    pub(crate) fn pbkdf2(self, password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        match self {
            Self::Sha256 => {
                let mut salted = vec![0; 32];
                pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut salted);
                salted
            }
            Self::Sha512 => {
                let mut salted = vec![0; 64];
                pbkdf2_hmac::<Sha512>(password, salt, iterations, &mut salted);
                salted
            }
        }
    }
}

fn hmac_of<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> Vec<u8> {
    // A key of any length is taken.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return Vec::new() };
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

/// A fuzz target: these two messages of a broker. Keys are not derived: that takes its time, and reads nothing.
#[cfg(any(fuzzing, test))]
pub(crate) fn fuzz(first: &[u8], last: &[u8]) {
    if let Ok(fields) = text(first).and_then(ServerFirst::parse) {
        assert!((LEAST_ITERATIONS..=MOST_ITERATIONS).contains(&fields.iterations));
    }
    let _ = text(last).and_then(server_signature);
}

/// RFC 7677: a server must not take fewer.
const LEAST_ITERATIONS: u32 = 4096;

/// Kafka's own limit is 16,384. This many take about a second; a peer must not be able to ask for hours.
const MOST_ITERATIONS: u32 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn client(hash: Hash, user: &str, password: &str, nonce: &str) -> Client {
        Client::new(hash, Credentials::new(user, password), false, nonce.to_owned())
    }

    fn said(reply: Reply) -> String {
        match reply {
            Reply::Send(message) => String::from_utf8(message.to_vec()).unwrap(),
            Reply::Done => panic!("it is over"),
        }
    }

    const SERVER_FIRST: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    #[test]
    fn the_example_of_rfc_7677() {
        let mut client = client(Hash::Sha256, "user", "pencil", "rOprNGfwEbeRWgbNEkqO");
        assert_eq!(said(client.respond(None).unwrap()), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        assert_eq!(
            said(client.respond(Some(SERVER_FIRST.as_bytes())).unwrap()),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        let last = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(client.respond(Some(last)).unwrap(), Reply::Done);
        assert!(client.respond(Some(last)).is_err(), "it is over");
    }

    #[test]
    fn names_are_escaped_and_tokens_announced() {
        let credentials = Credentials::new("a=b,c", "x");
        let mut client = Client::new(Hash::Sha512, credentials, true, "abc".to_owned());
        assert_eq!(said(client.respond(None).unwrap()), "n,,n=a=3Db=2Cc,r=abc,tokenauth=true");
    }

    #[test]
    fn a_broker_that_does_not_know_the_password_is_found_out() {
        let mut client = client(Hash::Sha256, "user", "pencil", "rOprNGfwEbeRWgbNEkqO");
        client.respond(None).unwrap();
        client.respond(Some(SERVER_FIRST.as_bytes())).unwrap();
        let error = client.respond(Some(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G8=")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Authentication);
        assert!(error.to_string().contains("did not prove"), "{error}");
    }

    #[test]
    fn messages_that_cannot_be_are_refused() {
        for (first, word) in [
            ("r=ncX,s=AAAA,i=4096", "nonce"),
            ("r=nc,s=AAAA,i=4096", "nonce"),
            ("r=nc\u{e9},s=AAAA,i=4096", "printable"),
            ("r=ncYX,s=!,i=4096", "base64"),
            ("r=ncYX,s=AAAA,i=4095", "4095"),
            ("r=ncYX,s=AAAA,i=1000001", "1000001"),
            ("r=ncYX,s=AAAA,i=-1", "not a number"),
            ("r=ncYX,s=AAAA", "no i"),
            ("m=ext,r=ncYX,s=AAAA,i=4096", "extension"),
            ("e=unknown-user", "unknown-user"),
            ("e=\u{1b}[2Junknown\r\nuser", "\\u{1b}[2Junknown\\r\\nuser"),
            ("", "no r"),
        ] {
            let mut client = client(Hash::Sha256, "u", "p", "ncY");
            client.respond(None).unwrap();
            let error = client.respond(Some(first.as_bytes())).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Authentication);
            assert!(error.to_string().contains(word), "{first}: {error}");
        }
        for (last, word) in [("e=invalid-proof", "invalid-proof"), ("v=!", "base64"), ("", "no signature")] {
            let error = server_signature(last).unwrap_err();
            assert!(error.to_string().contains(word), "{last}: {error}");
        }
    }
}

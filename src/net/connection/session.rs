//! The login of a connection, and its renewal before the broker ends the session (KIP-368).
//!
//! While a session is renewed nothing else may be on its way: what is to be written meanwhile is held back, and
//! goes out in its order afterwards.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use byteorder::{BigEndian, ByteOrder};
use bytes::Bytes;

use super::{Connection, InFlight, gone};
use crate::error::{Error, ErrorKind, Result, printable};
use crate::error_code::ErrorCode;
use crate::net::bridge::panic_text;
use crate::net::helper::SASL;
use crate::net::manager::NodeId;
use crate::net::sasl::{Exchange, Mechanism, Peer, Reply};
use crate::net::wakeup::Wakeup;
use crate::protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use crate::protocol::{ApiKey, Request};

/// How a connection logs in.
#[derive(Clone)]
pub struct LoginOptions {
    /// The mechanism.
    pub mechanism: Arc<dyn Mechanism>,
    /// Whom it logs in to.
    pub peer: Peer,
}

impl fmt::Debug for LoginOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginOptions")
            .field("mechanism", &self.mechanism.name())
            .field("peer", &self.peer)
            .finish()
    }
}

/// What a connection knows of its session.
#[derive(Default)]
pub(super) struct Session {
    /// How long the broker lets the present session last; `None` for as long as the connection does.
    lifetime: Cell<Option<Duration>>,
    begun: Wakeup,
    /// A renewal is under way.
    renewing: Cell<bool>,
    held: RefCell<VecDeque<Held>>,
    drained: Wakeup,
    renewals: Cell<u64>,
}

/// A request that waits for the end of a renewal.
struct Held {
    frame: Vec<Bytes>,
    request: InFlight,
}

impl Session {
    pub(super) fn is_renewing(&self) -> bool {
        self.renewing.get()
    }

    pub(super) fn hold(&self, frame: Vec<Bytes>, request: InFlight) {
        self.held.borrow_mut().push_back(Held { frame, request });
    }

    pub(super) fn held(&self) -> usize {
        self.held.borrow().len()
    }

    pub(super) fn earliest_deadline(&self) -> Option<std::time::Instant> {
        self.held.borrow().iter().map(|held| held.request.deadline).min()
    }

    /// Looks at the first request held back that is wanted.
    pub(super) fn find_held<T>(
        &self,
        wanted: impl FnMut(&&InFlight) -> bool,
        look: impl FnOnce(&InFlight) -> T,
    ) -> Option<T> {
        self.held.borrow().iter().map(|held| &held.request).find(wanted).map(look)
    }

    /// What is held back, for a connection that is closed.
    pub(super) fn give_up(&self) -> impl Iterator<Item = InFlight> + use<> {
        std::mem::take(&mut *self.held.borrow_mut()).into_iter().map(|held| held.request)
    }

    /// All answers are there.
    pub(super) fn drained(&self) {
        self.drained.notify();
    }
}

/// An exchange with its first message.
struct Prepared {
    exchange: Box<dyn Exchange>,
    first: Bytes,
}

impl Connection {
    /// How often the session was renewed.
    pub fn renewals(&self) -> u64 {
        self.0.session.renewals.get()
    }

    /// Logs in, if the options say so.
    pub(super) async fn log_in(&self) -> Result<()> {
        let Some(login) = &self.0.options.login else { return Ok(()) };
        let lifetime = match self.prepare(login).await {
            Ok(prepared) => self.authenticate(login, prepared).await,
            Err(error) => Err(error),
        };
        self.0.options.meter.logged_in(&lifetime, self.0.net.now());
        let lifetime = lifetime?;
        log::debug!("{}: logged in with {}, for {lifetime:?}", self.0.node, login.mechanism.name());
        self.0.session.lifetime.set(lifetime);
        self.0.session.begun.notify();
        Ok(())
    }

    /// Renews the session each time before it ends; ends with an error when that has become impossible.
    pub(super) async fn keep_session(&self) -> Error {
        let session = &self.0.session;
        loop {
            session.begun.notified().await;
            while let Some(lifetime) = session.lifetime.get() {
                if let Err(error) = self.renew(lifetime.max(SHORTEST_SESSION)).await {
                    return error.context("the session could not be renewed");
                }
            }
        }
    }

    async fn renew(&self, lifetime: Duration) -> Result<()> {
        let (net, session) = (&self.0.net, &self.0.session);
        let Some(login) = &self.0.options.login else { return Ok(()) };
        let ends = net.clock().deadline(lifetime);
        // Not all connections at the same moment.
        net.sleep(lifetime.mul_f64(0.85 + 0.1 * net.random())).await;
        // Credentials first: while a provider takes its time, requests still pass.
        let pause = (lifetime / 40).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        let prepared = loop {
            let preparing = self.prepare(login);
            let error = match net
                .within(ends, || "new credentials before the session's end".to_owned(), preparing)
                .await
            {
                Ok(prepared) => break prepared,
                Err(error) => error,
            };
            if net.now() + pause >= ends {
                return Err(error);
            }
            log::warn!("{}: {error}; the session goes on for {:?}", self.0.node, ends - net.now());
            net.sleep(pause).await;
        };
        let used = self.0.last_used.get();
        session.renewing.set(true);
        while !self.0.in_flight.borrow().is_empty() {
            session.drained.notified().await;
        }
        let began = net.now();
        let deadline = net.clock().deadline(self.0.options.request_timeout);
        let authenticating = self.authenticate(login, prepared);
        let renewed = net.within(deadline, || "renewing the session".to_owned(), authenticating).await;
        session.renewing.set(false);
        let now = net.now();
        self.0.options.meter.renewed(renewed.is_ok(), now.saturating_duration_since(began), now);
        session.lifetime.set(renewed?);
        session.renewals.set(session.renewals.get() + 1);
        log::debug!("{}: session renewed, for {:?}", self.0.node, session.lifetime.get());
        // A renewal is no use of the connection: one that idles is still closed.
        self.0.last_used.set(used);
        loop {
            let held = session.held.borrow_mut().pop_front();
            let Some(held) = held else { break };
            self.put(held.frame, held.request);
        }
        self.call_next();
        Ok(())
    }

    async fn prepare(&self, login: &LoginOptions) -> Result<Prepared> {
        let (mechanism, peer) = (Arc::clone(&login.mechanism), login.peer.clone());
        let prepared = SASL.run(move || {
            // A provider is code of the program.
            catch_unwind(AssertUnwindSafe(|| begin(&*mechanism, &peer))).unwrap_or_else(|panic| {
                Err(Error::new(ErrorKind::Panic, format!("panicked: {}", panic_text(&*panic))))
            })
        });
        let name = login.mechanism.name();
        prepared.await.and_then(|prepared| prepared).map_err(|error| match error.kind() {
            ErrorKind::Connection | ErrorKind::Timeout | ErrorKind::Dns | ErrorKind::Authentication => {
                error.context(format_args!("SASL {name}: no credentials"))
            }
            _ if error.is_retriable() => error.context(format_args!("SASL {name}: no credentials")),
            _ => Error::new(ErrorKind::Authentication, format!("SASL {name}: no credentials: {error}")),
        })
    }

    /// Carries an exchange through. Returns how long the broker lets the session last.
    async fn authenticate(&self, login: &LoginOptions, prepared: Prepared) -> Result<Option<Duration>> {
        let mechanism = &login.mechanism;
        let in_requests = self.shake_hands(mechanism.name()).await?;
        let Prepared { mut exchange, first } = prepared;
        let mut message = first;
        let mut lifetime = None;
        loop {
            let challenge = if in_requests {
                let (challenge, left) = self.say(login, message).await?;
                lifetime = left;
                challenge
            } else {
                self.say_bare(mechanism.name(), &message).await?
            };
            let step = SASL.run(move || {
                let reply = exchange.respond(Some(&challenge));
                (exchange, reply)
            });
            let (continued, reply) = step.await?;
            exchange = continued;
            message = match reply.map_err(|error| self.refusal(login, &error.to_string(), None))? {
                Reply::Send(message) => message,
                Reply::Done => return Ok(lifetime),
            };
        }
    }

    /// Chooses the mechanism. Returns whether the exchange goes on in requests, rather than in bare frames.
    async fn shake_hands(&self, name: &str) -> Result<bool> {
        let (handshake, authenticate) = {
            let versions = self.0.versions.borrow();
            (versions.get(ApiKey::SASL_HANDSHAKE), versions.get(ApiKey::SASL_AUTHENTICATE))
        };
        let Some(handshake) = handshake else {
            if self.0.options.before_0_10 && name == "GSSAPI" {
                return Ok(false);
            }
            let text = format!(
                "SASL {name}: the broker has no SaslHandshake: it is older than Kafka 0.10, or this listener has \
                 no SASL (security.protocol=PLAINTEXT or SSL)"
            );
            return Err(Error::new(ErrorKind::Authentication, text));
        };
        let in_requests = authenticate.is_some() && handshake.max >= 1;
        let request = SaslHandshakeRequest { mechanism: name.to_owned() };
        let answer =
            self.start_now(&request, i16::from(in_requests), self.0.options.request_timeout)?.await?;
        match answer.error_code {
            code if code.is_ok() => Ok(in_requests),
            ErrorCode::UNSUPPORTED_SASL_MECHANISM => {
                let offered = printable(answer.mechanisms.join(", "));
                let text = format!("SASL {name}: the broker does not offer it, but: {offered}");
                Err(Error::new(ErrorKind::Authentication, text).with_code(answer.error_code))
            }
            ErrorCode::ILLEGAL_SASL_STATE => {
                let text = format!(
                    "SASL {name}: this listener has no SASL: set security.protocol to PLAINTEXT or SSL, or connect \
                     to another port"
                );
                Err(Error::new(ErrorKind::Authentication, text).with_code(answer.error_code))
            }
            code => Err(Error::from_code(code, format_args!("SASL {name}"))),
        }
    }

    async fn say(&self, login: &LoginOptions, message: Bytes) -> Result<(Bytes, Option<Duration>)> {
        let request = SaslAuthenticateRequest { auth_bytes: message };
        let version = self.pick_version::<SaslAuthenticateRequest>(i16::MAX)?;
        let answer = self.start_now(&request, version, self.0.options.request_timeout)?.await?;
        if !answer.error_code.is_ok() {
            let words = answer.error_message.filter(|words| !words.is_empty());
            let words = words.unwrap_or_else(|| answer.error_code.message().to_owned());
            return Err(self.refusal(login, &printable(words).to_string(), Some(answer.error_code)));
        }
        let lifetime = u64::try_from(answer.session_lifetime_ms).ok().filter(|millis| *millis > 0);
        Ok((answer.auth_bytes, lifetime.map(Duration::from_millis)))
    }

    /// Brokers before Kafka 1.0 take and give messages without anything around them but their length.
    async fn say_bare(&self, name: &str, message: &Bytes) -> Result<Bytes> {
        let too_long = |_| Error::new(ErrorKind::Authentication, format!("SASL {name}: a message too long"));
        let length = u32::try_from(message.len()).map_err(too_long)?;
        let mut prefix = [0; 4];
        BigEndian::write_u32(&mut prefix, length);
        let frame = vec![Bytes::copy_from_slice(&prefix), message.clone()];
        let timeout = self.0.options.request_timeout;
        let (request, answer) = self.expect(None, SaslAuthenticateRequest::API_KEY, timeout);
        self.put(frame, request);
        answer.await.unwrap_or_else(|_| Err(gone())).map_err(|error| match error.kind() {
            ErrorKind::Connection => error.context(format_args!(
                "SASL {name}: the broker closed the connection; brokers before Kafka 1.0 do so when they refuse \
                 the credentials"
            )),
            _ => error,
        })
    }

    fn refusal(&self, login: &LoginOptions, words: &str, code: Option<ErrorCode>) -> Error {
        login.mechanism.refused();
        let text = format!("SASL {} authentication failed: {words}", login.mechanism.name());
        let error = Error::new(ErrorKind::Authentication, text);
        let error = match code {
            Some(code) => error.with_code(code),
            None => error,
        };
        match self.0.node {
            NodeId::Broker(id) | NodeId::Coordinator(id) => error.with_node(id),
            NodeId::Bootstrap(_) => error,
        }
    }
}

fn begin(mechanism: &dyn Mechanism, peer: &Peer) -> Result<Prepared> {
    let mut exchange = mechanism.begin(peer)?;
    match exchange.respond(None)? {
        Reply::Send(first) => Ok(Prepared { exchange, first }),
        Reply::Done => Err(Error::new(ErrorKind::Authentication, "the mechanism has nothing to say")),
    }
}

/// A broker that ends sessions sooner than this has to close connections.
const SHORTEST_SESSION: Duration = Duration::from_millis(100);

/// Pauses between attempts to get credentials for a renewal.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

//! One connection to one broker: who asked what, and which answer is whose.
//!
//! Requests are written in the order of their correlation ids, and a broker answers in that order, so the
//! oldest in flight owns the next frame. A request that times out ends the connection: nothing can tell a slow
//! answer from a lost one (the others fail as retriable).

mod session;
mod untyped;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use byteorder::{BigEndian, ByteOrder};
use bytes::Bytes;
use futures_channel::oneshot;
use futures_util::future::{Either, FutureExt, select};

pub use session::LoginOptions;

use self::session::Session;
use super::event_loop::Net;
use super::manager::NodeId;
use super::meter::Meter;
use super::transport::{BoxStream, FrameReader, FrameTooLarge, Transport, lost};
use super::versions::ApiVersions;
use super::wakeup::Wakeup;
use crate::error::{Error, ErrorKind, Result};
use crate::error_code::ErrorCode;
use crate::protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use crate::protocol::{ApiKey, Request, Response, decode_response, encode_request};

/// A connection in use. Cheap to clone.
#[derive(Clone)]
pub struct Connection(Rc<Inner>);

struct Inner {
    net: Net,
    node: NodeId,
    options: ConnectionOptions,
    transport: Transport,
    versions: RefCell<ApiVersions>,
    in_flight: RefCell<VecDeque<InFlight>>,
    next_correlation: Cell<i32>,
    /// Tasks that wait until they may send, by their place in the line. Only the first may go on.
    line: RefCell<BTreeMap<u64, Option<Waker>>>,
    next_place: Cell<u64>,
    /// Both ends, for messages; set once the connection is in use.
    peer: RefCell<Option<String>>,
    /// Since when the connection is in use.
    opened: Cell<Instant>,
    /// Answers since then that could be read: a peer that has given one is alive.
    answers: Cell<u64>,
    closed_at: Cell<Option<Instant>>,
    throttled_until: Cell<Option<Instant>>,
    last_used: Cell<Instant>,
    /// When the watchdog looks next; requests with an earlier deadline wake it.
    watching: Cell<Option<Instant>>,
    watchdog: Wakeup,
    closed: RefCell<Option<Error>>,
    closing: Wakeup,
    session: Session,
}

/// What a connection needs to know of the client's options.
#[derive(Clone, Debug)]
pub struct ConnectionOptions {
    /// The name in every request's header, for the broker's logs and quotas.
    pub client_id: String,
    /// How long an answer may take.
    pub request_timeout: Duration,
    /// The largest frame taken from the peer.
    pub receive_message_max_bytes: usize,
    /// How many requests may be without an answer.
    pub max_in_flight: usize,
    /// Do not ask for ApiVersions: the broker is older than Kafka 0.10.
    pub before_0_10: bool,
    /// What is measured of the connection.
    pub meter: Meter,
    /// How to log in; `None` on listeners without SASL.
    pub login: Option<LoginOptions>,
}

struct InFlight {
    /// `None` for a bare message of a login, whose answer has none.
    correlation: Option<i32>,
    api: ApiKey,
    sent: Instant,
    deadline: Instant,
    reply: oneshot::Sender<Result<Bytes>>,
}

impl Connection {
    /// Takes a connected stream and learns what the broker speaks.
    ///
    /// # Errors
    /// What became of the stream, or [`ErrorKind::Protocol`] when the peer does not speak Kafka.
    pub async fn open(
        net: &Net,
        node: NodeId,
        stream: BoxStream,
        options: ConnectionOptions,
        deadline: Instant,
    ) -> Result<Self> {
        let limit = options.receive_message_max_bytes;
        let connection = Self(Rc::new(Inner {
            net: net.clone(),
            node,
            options,
            transport: Transport::new(stream),
            versions: RefCell::default(),
            in_flight: RefCell::default(),
            next_correlation: Cell::new(0),
            line: RefCell::default(),
            next_place: Cell::new(0),
            peer: RefCell::new(None),
            opened: Cell::new(net.now()),
            answers: Cell::new(0),
            closed_at: Cell::new(None),
            throttled_until: Cell::new(None),
            last_used: Cell::new(net.now()),
            watching: Cell::new(None),
            watchdog: Wakeup::new(),
            closed: RefCell::new(None),
            closing: Wakeup::new(),
            session: Session::default(),
        }));
        let first_limit = limit.min(FIRST_FRAME_LIMIT);
        net.spawn(connection.clone().serve(FrameReader::new(first_limit), limit));
        // The task above keeps the socket open, so whoever gives up waiting here has to close it.
        let guard = CloseOnDrop(&connection);
        match net.within(deadline, || connection.phase(), connection.negotiate()).await {
            Ok(()) => {
                std::mem::forget(guard);
                *connection.0.peer.borrow_mut() = Some(connection.0.transport.describe());
                connection.0.opened.set(net.now());
                connection.0.answers.set(0);
                if connection.is_open() {
                    connection.0.options.meter.opened(net.now());
                }
                Ok(connection)
            }
            Err(error) => {
                connection.close(error.clone());
                Err(error)
            }
        }
    }

    /// Since when the connection is in use.
    pub fn opened(&self) -> Instant {
        self.0.opened.get()
    }

    /// When the connection was closed, if it was.
    pub fn closed_at(&self) -> Option<Instant> {
        self.0.closed_at.get()
    }

    /// Answers since the connection is in use that could be read.
    pub fn answers(&self) -> u64 {
        self.0.answers.get()
    }

    /// The node that this is a connection to.
    pub fn node(&self) -> NodeId {
        self.0.node
    }

    /// What the broker speaks.
    pub fn versions(&self) -> ApiVersions {
        self.0.versions.borrow().clone()
    }

    /// The version to use for a request, at most `cap`.
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedVersion`], naming the API, both ranges and the node.
    pub fn pick_version<R: Request>(&self, cap: i16) -> Result<i16> {
        self.0.versions.borrow().pick::<R>(cap).map_err(|error| self.at_node(error))
    }

    /// Why the connection was closed; `None` while it is usable.
    pub fn error(&self) -> Option<Error> {
        self.0.closed.borrow().clone()
    }

    /// Whether requests can be sent.
    pub fn is_open(&self) -> bool {
        self.0.closed.borrow().is_none()
    }

    /// Requests without an answer.
    pub fn in_flight(&self) -> usize {
        self.0.in_flight.borrow().len() + self.0.session.held()
    }

    /// When the last request or answer passed.
    pub fn last_used(&self) -> Instant {
        self.0.last_used.get()
    }

    /// When the broker's throttling ends (KIP-219), if it is in force.
    pub fn throttled_until(&self) -> Option<Instant> {
        self.0.throttled_until.get().filter(|until| *until > self.0.net.now())
    }

    /// Sends a request at the newest version in common and waits for the answer.
    ///
    /// Waits for a place in the pipeline and for the end of throttling first.
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedVersion`], [`ErrorKind::Timeout`] after `request_timeout`, and
    /// [`ErrorKind::Connection`] when the connection ends first.
    pub async fn send<R: Request>(&self, request: &R) -> Result<R::Response> {
        let version = self.pick_version::<R>(i16::MAX)?;
        self.send_at(request, version, self.0.options.request_timeout).await
    }

    /// Sends a request at a version and with a timeout of the caller's choice.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_at<R: Request>(
        &self,
        request: &R,
        version: i16,
        timeout: Duration,
    ) -> Result<R::Response> {
        self.ready().await?;
        self.start(request, version, timeout)?.await
    }

    /// Waits until a request may be sent: there is a place in the pipeline, and no throttling. Those who wait
    /// are served in the order in which they came.
    ///
    /// # Errors
    /// Why the connection was closed, when it was.
    pub async fn ready(&self) -> Result<()> {
        let id = self.0.next_place.get();
        self.0.next_place.set(id + 1);
        self.0.line.borrow_mut().insert(id, None);
        let place = Place { connection: self, id };
        loop {
            let muted = poll_fn(|cx| place.poll(cx)).await?;
            let Some(until) = muted else { return Ok(()) };
            // The close of the connection ends the wait early.
            let closed = poll_fn(|cx| place.poll_closed(cx));
            self.0.net.until(until, closed).await;
        }
    }

    /// Wakes the first of those who wait, if it may go on.
    fn call_next(&self) {
        if self.is_full() {
            return;
        }
        let first = self.0.line.borrow_mut().first_entry().and_then(|mut entry| entry.get_mut().take());
        if let Some(waker) = first {
            waker.wake();
        }
    }

    fn is_full(&self) -> bool {
        self.0.session.is_renewing() || self.in_flight() >= self.0.options.max_in_flight
    }

    /// Writes a request now, whatever the pipeline holds, and returns the answer's future. Two calls in a row
    /// reach the broker in that order.
    ///
    /// # Errors
    /// [`ErrorKind::Connection`] when the connection is closed, or that the request cannot be encoded.
    pub fn start<R: Request>(&self, request: &R, version: i16, timeout: Duration) -> Result<Answer<R>> {
        let (correlation, frame) = self.encode(request, version)?;
        let (request, receiver) = self.expect(Some(correlation), R::API_KEY, timeout);
        if self.0.session.is_renewing() {
            self.0.session.hold(frame, request);
        } else {
            self.put(frame, request);
        }
        Ok(Answer { connection: self.clone(), version, receiver, request: PhantomData })
    }

    /// As [`start`](Self::start), and not held back while the session is renewed: for the renewal itself.
    fn start_now<R: Request>(&self, request: &R, version: i16, timeout: Duration) -> Result<Answer<R>> {
        let (correlation, frame) = self.encode(request, version)?;
        let (request, receiver) = self.expect(Some(correlation), R::API_KEY, timeout);
        self.put(frame, request);
        Ok(Answer { connection: self.clone(), version, receiver, request: PhantomData })
    }

    fn expect(
        &self,
        correlation: Option<i32>,
        api: ApiKey,
        timeout: Duration,
    ) -> (InFlight, oneshot::Receiver<Result<Bytes>>) {
        let (reply, receiver) = oneshot::channel();
        let sent = self.0.net.now();
        let deadline = sent.checked_add(timeout).unwrap_or(sent + super::clock::FAR);
        if self.0.watching.get().is_none_or(|at| deadline < at) {
            self.0.watchdog.notify();
        }
        (InFlight { correlation, api, sent, deadline, reply }, receiver)
    }

    /// Writes a frame, and enters its request among those that wait for an answer.
    fn put(&self, frame: Vec<Bytes>, request: InFlight) {
        self.0.in_flight.borrow_mut().push_back(request);
        self.write(frame);
    }

    /// Writes a request that the broker does not answer: a produce request with `acks=0`. Waits until the
    /// system has taken it.
    ///
    /// # Errors
    /// As [`start`](Self::start), and [`ErrorKind::Connection`] when the connection is lost meanwhile.
    pub async fn send_unanswered<R: Request>(&self, request: &R, version: i16) -> Result<()> {
        let (_, frame) = self.encode(request, version)?;
        while self.0.session.is_renewing() && self.is_open() {
            self.ready().await?;
        }
        self.write(frame);
        // The watchdog knows only requests with answers; a peer that stopped reading must be noticed, too.
        let deadline = self.0.net.clock().deadline(self.0.options.request_timeout);
        if self.0.net.until(deadline, self.0.transport.flushed()).await.is_none() {
            let text = format!(
                "timed out: node {} took no bytes for {:?}",
                self.0.node, self.0.options.request_timeout
            );
            self.close(Error::new(ErrorKind::Timeout, text));
        }
        self.error().map_or(Ok(()), Err)
    }

    fn encode<R: Request>(&self, request: &R, version: i16) -> Result<(i32, Vec<Bytes>)> {
        if let Some(error) = self.error() {
            return Err(error);
        }
        let correlation = self.0.next_correlation.get();
        let frame = encode_request(correlation, Some(&self.0.options.client_id), request, version)?;
        self.0.next_correlation.set(correlation.wrapping_add(1));
        log::trace!("{}: {} v{version} #{correlation}", self.0.node, R::API_KEY.name());
        Ok((correlation, frame))
    }

    fn write(&self, frame: Vec<Bytes>) {
        let now = self.0.net.now();
        self.0.last_used.set(now);
        self.0.options.meter.sent(frame.iter().map(Bytes::len).sum(), now);
        self.0.transport.write(frame);
    }

    /// Ends the connection; everything in flight fails with `error`.
    pub fn close(&self, error: Error) {
        if self.0.closed.borrow().is_some() {
            return;
        }
        let error = match &*self.0.peer.borrow() {
            Some(peer) => error.context(format_args!("node {} ({peer})", self.0.node)),
            // Whoever makes the connection names the address.
            None => error,
        };
        *self.0.closed.borrow_mut() = Some(error.clone());
        let now = self.0.net.now();
        self.0.closed_at.set(Some(now));
        if self.0.peer.borrow().is_some() {
            self.0.options.meter.closed(now);
        }
        self.0.transport.close();
        let in_flight = std::mem::take(&mut *self.0.in_flight.borrow_mut());
        for request in in_flight.into_iter().chain(self.0.session.give_up()) {
            let error =
                self.at_node(error.clone()).context(format_args!("{} had no answer", request.api.name()));
            // The asker may have gone.
            let _ = request.reply.send(Err(error));
        }
        let line: Vec<Waker> = self.0.line.borrow_mut().values_mut().filter_map(Option::take).collect();
        line.into_iter().for_each(Waker::wake);
        self.0.closing.notify();
    }

    /// What an attempt that runs out of time was doing.
    fn phase(&self) -> String {
        match &self.0.options.login {
            Some(login) => format!("ApiVersions and SASL {}", login.mechanism.name()),
            None => "ApiVersions".to_owned(),
        }
    }

    async fn negotiate(&self) -> Result<()> {
        self.learn_versions().await?;
        self.log_in().await
    }

    async fn learn_versions(&self) -> Result<()> {
        if self.0.options.before_0_10 {
            *self.0.versions.borrow_mut() = ApiVersions::before_0_10();
            return Ok(());
        }
        let request = ApiVersionsRequest {
            client_software_name: "kavka".to_owned(),
            client_software_version: env!("CARGO_PKG_VERSION").to_owned(),
            ..Default::default()
        };
        let mut version = ApiVersionsRequest::VERSIONS.max;
        loop {
            let answer = self.start(&request, version, self.0.options.request_timeout)?;
            let body = answer.raw().await.map_err(|error| match error.kind() {
                ErrorKind::Connection => error.context(
                    "the first request was not answered; a broker before Kafka 0.10 behaves so (set \
                     api.version), one that speaks TLS or SASL on this port, and ZooKeeper",
                ),
                _ => error,
            })?;
            // The error code is the first field of every version; a broker that does not know the version
            // answers with version 0 (KIP-511).
            let refused = body.get(4..6).map(BigEndian::read_i16) == Some(ErrorCode::UNSUPPORTED_VERSION.0);
            if refused && version > 0 {
                let (_, offer) = decode_response::<ApiVersionsRequest>(body, 0)?;
                let range = ApiVersions::from_response(&offer).get(ApiKey::API_VERSIONS);
                version = range.map_or(0, |range| range.max.clamp(0, version - 1));
                continue;
            }
            let (_, response): (_, ApiVersionsResponse) =
                decode_response::<ApiVersionsRequest>(body, version)?;
            if !response.error_code.is_ok() {
                return Err(self.at_node(Error::from_code(response.error_code, "ApiVersions")));
            }
            *self.0.versions.borrow_mut() = ApiVersions::from_response(&response);
            return Ok(());
        }
    }

    async fn serve(self, reader: FrameReader, limit: usize) {
        let io = async {
            let reading = pin!(self.read_answers(reader, limit));
            let writing = pin!(self.0.transport.drive_writes());
            Some(match select(reading, writing).await {
                Either::Left((error, _)) => error,
                // What the peer said before it hung up tells more: the reason why it refuses a certificate.
                Either::Right((error, reading)) => match reading.now_or_never() {
                    Some(said) if said.kind() != ErrorKind::Connection => said,
                    _ => lost("the connection was lost while writing", error),
                },
            })
        };
        let watching = async { Some(race(self.watch(), self.keep_session()).await) };
        let closing = async {
            self.0.closing.notified().await;
            None
        };
        let Some(error) = race(io, race(watching, closing)).await else { return };
        if !self.is_open() {
            return;
        }
        // Brokers and what stands before them close what idles; nobody has to act on it.
        let idle = self.0.net.now().saturating_duration_since(self.0.last_used.get());
        let level = match error.kind() {
            ErrorKind::Connection if self.in_flight() == 0 && idle >= IDLE => log::Level::Debug,
            ErrorKind::Connection => log::Level::Info,
            _ => log::Level::Warn,
        };
        self.close(error);
        if let Some(error) = self.error() {
            log::log!(level, "{error}");
        }
    }

    async fn read_answers(&self, mut reader: FrameReader, limit: usize) -> Error {
        loop {
            if reader.keeps_buffers() {
                let quiet = self.0.net.clock().deadline(KEEP_BUFFERS);
                match self.0.net.until(quiet, reader.arrival(&self.0.transport)).await {
                    Some(Ok(())) => {}
                    Some(Err(error)) => return error,
                    None => reader.drop_buffers(),
                }
            }
            if let Err(error) = reader.arrival(&self.0.transport).await {
                return error;
            }
            // Whoever has not been let in yet has nothing large to say. This is known for sure only now that a frame
            // is there: the wait for it may have begun before the connection came into use.
            let in_use = self.0.peer.borrow().is_some();
            if in_use {
                reader.set_limit(limit);
            }
            let body = match reader.next(&self.0.transport).await {
                Ok(body) => body,
                Err(error) => return if in_use { error } else { too_much_too_soon(error, limit) },
            };
            let correlation = body.get(..4).map(BigEndian::read_i32);
            let Some(request) = self.0.in_flight.borrow_mut().pop_front() else {
                return Error::new(ErrorKind::Protocol, "the peer sent an answer that nobody asked for");
            };
            if self.0.in_flight.borrow().is_empty() {
                self.0.session.drained();
            }
            if let Some(wanted) = request.correlation.filter(|wanted| correlation != Some(*wanted)) {
                let text = format!("the peer answered request {wanted} with correlation id {correlation:?}");
                let error = Error::new(ErrorKind::Protocol, text);
                let _ = request.reply.send(Err(self.at_node(error.clone())));
                return error;
            }
            let now = self.0.net.now();
            self.0.last_used.set(now);
            self.0.options.meter.received(body.len() + LENGTH_BYTES, now - request.sent, now);
            log::trace!(
                "{}: answer to {} #{} after {:?}, {} bytes",
                self.0.node,
                request.api.name(),
                request.correlation.unwrap_or_default(),
                now - request.sent,
                body.len()
            );
            // An asker that gave up has no use for it.
            let _ = request.reply.send(Ok(body));
            self.call_next();
        }
    }

    /// Ends with an error when a request's deadline has passed.
    async fn watch(&self) -> Error {
        loop {
            let earliest = self.0.in_flight.borrow().iter().map(|request| request.deadline).min();
            let earliest = earliest.into_iter().chain(self.0.session.earliest_deadline()).min();
            self.0.watching.set(earliest);
            let Some(deadline) = earliest else {
                self.0.watchdog.notified().await;
                continue;
            };
            let now = self.0.net.now();
            if now >= deadline {
                let is_late = |request: &&InFlight| request.deadline <= now;
                let what = |request: &InFlight| {
                    format!("{} to node {} after {:?}", request.api.name(), self.0.node, now - request.sent)
                };
                let late = self.0.in_flight.borrow().iter().find(is_late).map(what);
                let held = self.0.session.find_held(is_late, what);
                let held = held.map(|what| format!("{what}, held back while the session was renewed"));
                let what = late.or(held).unwrap_or_default();
                return Error::new(ErrorKind::Timeout, format!("timed out: no answer to {what}"));
            }
            // Woken early by a request with a shorter deadline, or by nothing of interest.
            self.0.net.until(deadline, self.0.watchdog.notified()).await;
        }
    }

    fn throttle(&self, response: &impl Response) {
        let millis = response.throttle_time_ms();
        if millis > 0 {
            let pause = Duration::from_millis(u64::from(millis.unsigned_abs())).min(LONGEST_THROTTLE);
            let now = self.0.net.now();
            let until = now + pause;
            self.0.options.meter.throttled(pause, now);
            log::debug!("{}: throttled for {millis} ms", self.0.node);
            self.0.throttled_until.set(self.0.throttled_until.get().max(Some(until)));
        }
    }

    fn at_node(&self, error: Error) -> Error {
        match self.0.node {
            NodeId::Broker(id) | NodeId::Coordinator(id) => error.with_node(id),
            NodeId::Bootstrap(_) => error,
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("node", &self.0.node)
            .field("in_flight", &self.in_flight())
            .field("open", &self.is_open())
            .finish()
    }
}

/// The answer to a request that has been sent. Dropping it gives up the answer, not the request.
#[must_use = "an answer tells whether the request succeeded"]
pub struct Answer<R: Request> {
    connection: Connection,
    version: i16,
    receiver: oneshot::Receiver<Result<Bytes>>,
    request: PhantomData<fn() -> R>,
}

impl<R: Request> Answer<R> {
    async fn raw(self) -> Result<Bytes> {
        self.receiver.await.unwrap_or_else(|_| Err(gone()))
    }
}

impl<R: Request> Future for Answer<R> {
    type Output = Result<R::Response>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let body = match ready!(Pin::new(&mut self.receiver).poll(cx)) {
            Ok(body) => body?,
            Err(_) => return Poll::Ready(Err(gone())),
        };
        let decoded = decode_response::<R>(body, self.version);
        Poll::Ready(match decoded {
            Ok((_, response)) => {
                let answers = &self.connection.0.answers;
                answers.set(answers.get().saturating_add(1));
                self.connection.throttle(&response);
                Ok(response)
            }
            Err(error) => {
                let error = self.connection.at_node(Error::from(error));
                // What is wrong with this answer is not the others' fault: they lose their connection.
                let text = format!("the connection was given up: {error}");
                self.connection.close(Error::new(ErrorKind::Connection, text));
                Err(error)
            }
        })
    }
}

/// A place in the line of those who want to send; dropping it leaves the line.
struct Place<'a> {
    connection: &'a Connection,
    id: u64,
}

impl Place<'_> {
    /// `None` when a request may be sent now, else the end of the throttling to wait for.
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Instant>>> {
        let connection = self.connection;
        if let Some(error) = connection.error() {
            return Poll::Ready(Err(error));
        }
        let mut line = connection.0.line.borrow_mut();
        let is_first = line.first_key_value().is_none_or(|(first, _)| *first >= self.id);
        if is_first && !connection.is_full() {
            return Poll::Ready(Ok(connection.throttled_until()));
        }
        line.insert(self.id, Some(cx.waker().clone()));
        Poll::Pending
    }

    fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.connection.is_open() {
            return Poll::Ready(());
        }
        self.connection.0.line.borrow_mut().insert(self.id, Some(cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Place<'_> {
    /// Calls the next one whatever happened to this: it may have been given up, or send nothing after all.
    fn drop(&mut self) {
        self.connection.0.line.borrow_mut().remove(&self.id);
        self.connection.call_next();
    }
}

struct CloseOnDrop<'a>(&'a Connection);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close(Error::new(ErrorKind::Connection, "the connection is no longer needed"));
    }
}

async fn race<T>(a: impl Future<Output = T>, b: impl Future<Output = T>) -> T {
    select(pin!(a), pin!(b)).await.factor_first().0
}

/// A first frame that is refused for its size: not for `receive.message.max.bytes`, unless that is the smaller one.
fn too_much_too_soon(error: Error, limit: usize) -> Error {
    let source = std::error::Error::source(&error);
    match source.and_then(|source| source.downcast_ref::<FrameTooLarge>()) {
        Some(frame) if frame.limit < limit => {
            let text = format!(
                "a frame of {} bytes before the connection is in use: the peer is not a Kafka broker",
                frame.length
            );
            Error::new(ErrorKind::Protocol, text)
        }
        _ => error,
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::Closed, "the client was closed before the answer came")
}

/// What a frame's length takes in front of it.
const LENGTH_BYTES: usize = 4;

/// A connection unused for so long is lost without a word above DEBUG.
const IDLE: Duration = Duration::from_secs(1);

/// The answers to ApiVersions and to logins are small; whoever announces more before the connection is in use is no
/// broker.
const FIRST_FRAME_LIMIT: usize = 1024 * 1024;

/// Brokers throttle for seconds. One that asks for more is asked again after this long: what it holds back is
/// its own to decide, but it cannot silence the client for weeks.
const LONGEST_THROTTLE: Duration = Duration::from_secs(60);

/// How long the buffers of large answers are kept while nothing arrives.
const KEEP_BUFFERS: Duration = Duration::from_secs(5);

//! One connection to one broker: who asked what, and which answer is whose.
//!
//! Requests are written in the order of their correlation ids, and a broker answers in that order, so the
//! oldest in flight owns the next frame. A request that times out ends the connection: nothing can tell a slow
//! answer from a lost one (the others fail as retriable).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use byteorder::{BigEndian, ByteOrder};
use bytes::Bytes;
use futures_channel::oneshot;
use futures_util::future::select;

use super::event_loop::Net;
use super::manager::NodeId;
use super::transport::{BoxStream, FrameReader, Transport};
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
    /// Tasks that wait for a place in the pipeline, oldest first.
    waiting: RefCell<VecDeque<oneshot::Sender<()>>>,
    throttled_until: Cell<Option<Instant>>,
    last_used: Cell<Instant>,
    /// When the watchdog looks next; requests with an earlier deadline wake it.
    watching: Cell<Option<Instant>>,
    watchdog: Wakeup,
    closed: RefCell<Option<Error>>,
    closing: Wakeup,
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
}

struct InFlight {
    correlation: i32,
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
            waiting: RefCell::default(),
            throttled_until: Cell::new(None),
            last_used: Cell::new(net.now()),
            watching: Cell::new(None),
            watchdog: Wakeup::new(),
            closed: RefCell::new(None),
            closing: Wakeup::new(),
        }));
        let first_limit = limit.min(FIRST_FRAME_LIMIT);
        net.spawn(connection.clone().serve(FrameReader::new(first_limit), limit));
        match net.within(deadline, || "ApiVersions".to_owned(), connection.negotiate()).await {
            Ok(()) => Ok(connection),
            Err(error) => {
                connection.close(error.clone());
                Err(error)
            }
        }
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
        self.0.in_flight.borrow().len()
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

    /// Waits until a request may be sent: there is a place in the pipeline, and no throttling.
    ///
    /// # Errors
    /// Why the connection was closed, when it was.
    pub async fn ready(&self) -> Result<()> {
        loop {
            if let Some(error) = self.error() {
                return Err(error);
            }
            if let Some(until) = self.throttled_until() {
                self.0.net.sleep_until(until).await;
            } else if self.in_flight() >= self.0.options.max_in_flight {
                let (sender, receiver) = oneshot::channel();
                self.0.waiting.borrow_mut().push_back(sender);
                // Canceled means closed, which the next round reports.
                let _ = receiver.await;
            } else {
                return Ok(());
            }
        }
    }

    /// Writes a request now, whatever the pipeline holds, and returns the answer's future. Two calls in a row
    /// reach the broker in that order.
    ///
    /// # Errors
    /// [`ErrorKind::Connection`] when the connection is closed, or that the request cannot be encoded.
    pub fn start<R: Request>(&self, request: &R, version: i16, timeout: Duration) -> Result<Answer<R>> {
        let (sender, receiver) = oneshot::channel();
        let sent = self.0.net.now();
        let correlation = self.write(request, version)?;
        let deadline = sent.checked_add(timeout).unwrap_or(sent + super::clock::FAR);
        self.0.in_flight.borrow_mut().push_back(InFlight {
            correlation,
            api: R::API_KEY,
            sent,
            deadline,
            reply: sender,
        });
        if self.0.watching.get().is_none_or(|at| deadline < at) {
            self.0.watchdog.notify();
        }
        Ok(Answer { connection: self.clone(), version, receiver, request: PhantomData })
    }

    /// Writes a request that the broker does not answer: a produce request with `acks=0`. Waits until the
    /// system has taken it.
    ///
    /// # Errors
    /// As [`start`](Self::start), and [`ErrorKind::Connection`] when the connection is lost meanwhile.
    pub async fn send_unanswered<R: Request>(&self, request: &R, version: i16) -> Result<()> {
        self.write(request, version)?;
        self.0.transport.flushed().await;
        self.error().map_or(Ok(()), Err)
    }

    fn write<R: Request>(&self, request: &R, version: i16) -> Result<i32> {
        if let Some(error) = self.error() {
            return Err(error);
        }
        let correlation = self.0.next_correlation.get();
        let frame = encode_request(correlation, Some(&self.0.options.client_id), request, version)?;
        self.0.next_correlation.set(correlation.wrapping_add(1));
        log::trace!("{}: {} v{version} #{correlation}", self.0.node, R::API_KEY.name());
        self.0.last_used.set(self.0.net.now());
        self.0.transport.write(frame);
        Ok(correlation)
    }

    /// Ends the connection; everything in flight fails with `error`.
    pub fn close(&self, error: Error) {
        if self.0.closed.borrow().is_some() {
            return;
        }
        *self.0.closed.borrow_mut() = Some(error.clone());
        self.0.transport.close();
        let in_flight = std::mem::take(&mut *self.0.in_flight.borrow_mut());
        for request in in_flight {
            let error =
                self.at_node(error.clone()).context(format_args!("{} had no answer", request.api.name()));
            // The asker may have gone.
            let _ = request.reply.send(Err(error));
        }
        self.0.waiting.borrow_mut().clear();
        self.0.closing.notify();
    }

    async fn negotiate(&self) -> Result<()> {
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
                     api.version), and one that speaks TLS or SASL on this port",
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
        let writing = async {
            let error = self.0.transport.drive_writes().await;
            Some(
                Error::new(ErrorKind::Connection, "the connection was lost while writing").with_source(error),
            )
        };
        let reading = async { Some(self.read_answers(reader, limit).await) };
        let watching = async { Some(self.watch().await) };
        let closing = async {
            self.0.closing.notified().await;
            None
        };
        let Some(error) = race(race(reading, writing), race(watching, closing)).await else { return };
        if !self.is_open() {
            return;
        }
        let level = if error.kind() == ErrorKind::Connection { log::Level::Info } else { log::Level::Warn };
        log::log!(level, "{} ({}): {error}", self.0.node, self.0.transport.describe());
        self.close(error);
    }

    async fn read_answers(&self, mut reader: FrameReader, limit: usize) -> Error {
        loop {
            let body = match reader.next(&self.0.transport).await {
                Ok(body) => body,
                Err(error) => return error,
            };
            reader.set_limit(limit);
            let correlation = body.get(..4).map(BigEndian::read_i32);
            let Some(request) = self.0.in_flight.borrow_mut().pop_front() else {
                return Error::new(ErrorKind::Protocol, "the peer sent an answer that nobody asked for");
            };
            if correlation != Some(request.correlation) {
                let text = format!(
                    "the peer answered request {} with correlation id {correlation:?}",
                    request.correlation
                );
                let error = Error::new(ErrorKind::Protocol, text);
                let _ = request.reply.send(Err(self.at_node(error.clone())));
                return error;
            }
            let now = self.0.net.now();
            self.0.last_used.set(now);
            log::trace!(
                "{}: answer to {} #{} after {:?}, {} bytes",
                self.0.node,
                request.api.name(),
                request.correlation,
                now - request.sent,
                body.len()
            );
            // An asker that gave up has no use for it.
            let _ = request.reply.send(Ok(body));
            while let Some(waiter) = self.0.waiting.borrow_mut().pop_front() {
                if waiter.send(()).is_ok() {
                    break;
                }
            }
        }
    }

    /// Ends with an error when a request's deadline has passed.
    async fn watch(&self) -> Error {
        loop {
            let earliest = self.0.in_flight.borrow().iter().map(|request| request.deadline).min();
            self.0.watching.set(earliest);
            let Some(deadline) = earliest else {
                self.0.watchdog.notified().await;
                continue;
            };
            let now = self.0.net.now();
            if now >= deadline {
                let in_flight = self.0.in_flight.borrow();
                let late = in_flight.iter().find(|request| request.deadline <= now);
                let what = late.map_or_else(String::new, |request| {
                    format!("{} to node {} after {:?}", request.api.name(), self.0.node, now - request.sent)
                });
                return Error::new(ErrorKind::Timeout, format!("timed out: no answer to {what}"));
            }
            // Woken early by a request with a shorter deadline, or by nothing of interest.
            self.0.net.until(deadline, self.0.watchdog.notified()).await;
        }
    }

    fn throttle(&self, response: &impl Response) {
        let millis = response.throttle_time_ms();
        if millis > 0 {
            let until = self.0.net.now() + Duration::from_millis(u64::from(millis.unsigned_abs()));
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

async fn race<T>(a: impl Future<Output = T>, b: impl Future<Output = T>) -> T {
    select(pin!(a), pin!(b)).await.factor_first().0
}

fn gone() -> Error {
    Error::new(ErrorKind::Closed, "the client was closed before the answer came")
}

/// The answer to ApiVersions is small; whoever announces more on a fresh connection is no broker.
const FIRST_FRAME_LIMIT: usize = 1024 * 1024;

//! Listeners and connections: frames in, handlers, frames out, one request of a connection at a time as Kafka does.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::future::select;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::error::{Error, ErrorKind, Result};
use crate::net::event_loop::{Direction, Net, Registered};
use crate::net::transport::{FrameReader, Stream, TcpStream, Transport};
use crate::net::wakeup::Wakeup;
use crate::protocol::{ApiKey, Reader, RequestHeader};

use super::faults::Outcome;
use super::handlers::{self, Answer, Served};
use super::requests::MockRequest;
use super::sasl::{Login, Said};
use super::state::Cluster;

/// Stops a broker from reading, for all its connections at once.
#[derive(Default)]
pub(crate) struct Gate {
    closed: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl Gate {
    pub(crate) fn close(&self) {
        self.closed.set(true);
    }

    pub(crate) fn open(&self) {
        self.closed.set(false);
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// A socket behind a [`Gate`].
struct GatedStream {
    socket: TcpStream,
    gate: Rc<Gate>,
}

impl Stream for GatedStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.gate.closed.get() {
            self.gate.waiting.borrow_mut().push(cx.waker().clone());
            return Poll::Pending;
        }
        self.socket.poll_read(cx, buf)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.socket.poll_write(cx, bufs)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_flush(cx)
    }

    fn describe(&self) -> String {
        self.socket.describe()
    }
}

/// A port that stays the broker's own while it is down: bound, not listening, so connects are refused.
/// Only Linux lets another socket listen there meanwhile; elsewhere the port is merely likely to be free.
pub(crate) fn reserve() -> Result<(u16, Option<Socket>)> {
    let failed =
        |error| Error::new(ErrorKind::Connection, "no loopback port for a mock broker").with_source(error);
    let socket = bound(0).map_err(failed)?;
    let address = socket.local_addr().map_err(failed)?.as_socket();
    let port = address.map_or(0, |address| address.port());
    Ok((port, cfg!(target_os = "linux").then_some(socket)))
}

fn bound(port: u16) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    Ok(socket)
}

/// Has a broker listen on its port.
pub(crate) fn listen(cluster: &Rc<Cluster>, broker: i32) -> Result<()> {
    let Some(port) = cluster.state().brokers.get(&broker).map(|broker| broker.port) else {
        return Err(Error::new(ErrorKind::InvalidArgument, format!("there is no broker {broker}")));
    };
    let open = || -> io::Result<_> {
        let socket = bound(port)?;
        socket.listen(1024)?;
        socket.set_nonblocking(true)?;
        cluster.net.register(mio::net::TcpListener::from_std(socket.into()))
    };
    let listener = open().map_err(|error| {
        Error::new(ErrorKind::Connection, format!("broker {broker} cannot listen on port {port}"))
            .with_source(error)
    })?;
    let closing = Rc::new(Wakeup::new());
    if let Some(broker) = cluster.state().brokers.get_mut(&broker) {
        broker.alive = true;
        broker.listening = Some(Rc::clone(&closing));
    }
    let accepting = Rc::clone(cluster);
    cluster.net.spawn(async move {
        let work = pin!(accept(accepting, broker, listener));
        select(work, pin!(closing.notified())).await;
    });
    Ok(())
}

async fn accept(cluster: Rc<Cluster>, broker: i32, listener: Registered<mio::net::TcpListener>) {
    loop {
        let accepted =
            poll_fn(|cx| listener.poll_io(cx, Direction::Read, |listener| listener.accept())).await;
        match accepted {
            Ok((socket, peer)) => {
                if let Err(error) = welcome(&cluster, broker, socket, peer) {
                    log::warn!("MockCluster: broker {broker} lost a connection from {peer}: {error}");
                }
            }
            Err(error) => {
                log::warn!("MockCluster: broker {broker} cannot accept: {error}");
                // Such as too many open files: some have to be closed first.
                cluster.net.sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

fn welcome(
    cluster: &Rc<Cluster>,
    broker: i32,
    socket: mio::net::TcpStream,
    peer: SocketAddr,
) -> io::Result<()> {
    SockRef::from(&socket).set_tcp_nodelay(true)?;
    let socket = TcpStream::new(cluster.net.register(socket)?);
    let closing = Rc::new(Wakeup::new());
    let gate = {
        let mut state = cluster.state();
        let Some(broker) = state.brokers.get_mut(&broker).filter(|broker| broker.alive) else {
            return Ok(());
        };
        // Those of ended connections are held by nobody else.
        broker.connections.retain(|closing| Rc::strong_count(closing) > 1);
        broker.connections.push(Rc::clone(&closing));
        Rc::clone(&broker.gate)
    };
    let transport = Transport::new(Box::new(GatedStream { socket, gate }));
    let connection = Connection {
        cluster: Rc::clone(cluster),
        broker,
        host: format!("/{}", peer.ip()),
        number: cluster.state().next_connection(),
        transport,
        login: Rc::default(),
    };
    cluster.net.spawn(async move {
        let serve = async {
            if let Err(error) = connection.serve().await {
                log::debug!("MockCluster: {}: {error}", connection.transport.describe());
            }
        };
        let writes = async {
            connection.transport.drive_writes().await;
        };
        select(select(pin!(serve), pin!(writes)), pin!(closing.notified())).await;
        connection.transport.close();
    });
    Ok(())
}

struct Connection {
    cluster: Rc<Cluster>,
    broker: i32,
    host: String,
    number: u64,
    transport: Transport,
    login: Rc<Login>,
}

impl Connection {
    async fn serve(&self) -> Result<()> {
        let limit = self.cluster.state().settings.max_request_bytes;
        let mut frames = FrameReader::new(limit);
        loop {
            let frame = frames.next(&self.transport).await?;
            if self.login.is_bare() {
                self.answer_bare(&frame)?;
                continue;
            }
            let header = RequestHeader::decode(&mut Reader::new(frame.clone()), 1)
                .map_err(|error| Error::new(ErrorKind::Protocol, error.to_string()))?;
            self.cluster.observed.push(MockRequest::new(
                header.api_key,
                header.api_version,
                self.broker,
                self.cluster.net.now(),
                header.client_id.clone(),
                self.number,
                frame.clone(),
            ));
            self.cluster.observed.changed();
            let key = header.api_key;
            let served = self.answer(header, frame).await?;
            self.cluster.observed.changed();
            self.deliver(key, served, &mut frames).await?;
        }
    }

    async fn answer(&self, header: RequestHeader, frame: Bytes) -> Result<Served> {
        let supported = {
            let state = self.cluster.state();
            let versions =
                state.brokers.get(&self.broker).map(|broker| broker.versions.range(header.api_key));
            versions.flatten()
        };
        let (key, version) = (header.api_key, header.api_version);
        if !supported.is_some_and(|range| range.contains(version)) {
            if key == ApiKey::API_VERSIONS {
                return handlers::unsupported_api_versions(header.correlation_id, supported);
            }
            return Err(Error::new(
                ErrorKind::UnsupportedVersion,
                format!("broker {} does not serve {key} version {version}", self.broker),
            ));
        }
        let is_login =
            matches!(key, ApiKey::API_VERSIONS | ApiKey::SASL_HANDSHAKE | ApiKey::SASL_AUTHENTICATE);
        let needs_login = self.cluster.state().settings.sasl.is_some();
        if needs_login && !is_login && !self.login.is_let_in(self.cluster.net.now()) {
            return Err(Error::new(
                ErrorKind::Authentication,
                format!("{key} before a login, or after its end"),
            ));
        }
        handlers::serve(&self.cluster, self.broker, &self.host, &self.login, header, frame).await
    }

    /// A login's message as clients of brokers before Kafka 1.0 send it.
    fn answer_bare(&self, message: &Bytes) -> Result<()> {
        let sasl = self.cluster.state().settings.sasl.clone();
        let said = sasl.and_then(|sasl| self.login.take(&sasl, &self.cluster.net, message));
        let bytes = match said {
            Some(Said::Challenge(bytes) | Said::Welcome(bytes, _)) => bytes,
            // Those brokers have no way to say why.
            Some(Said::Refused(why)) => return Err(Error::new(ErrorKind::Authentication, why)),
            None => return Err(Error::new(ErrorKind::Authentication, "no login is under way")),
        };
        let length = u32::try_from(bytes.len()).unwrap_or_default();
        self.transport.write([Bytes::copy_from_slice(&length.to_be_bytes()), Bytes::from(bytes)]);
        Ok(())
    }

    async fn deliver(&self, key: ApiKey, served: Served, frames: &mut FrameReader) -> Result<()> {
        let closed = |why: &str| Err(Error::new(ErrorKind::Connection, format!("{why} ({key})")));
        let chunks = match served.answer {
            Answer::Send(chunks) => chunks,
            Answer::Silent if served.outcome == Outcome::Drop => return closed("dropped as a test wants"),
            Answer::Silent => return Ok(()),
            Answer::Close => return closed("closed as Kafka would"),
        };
        match served.outcome {
            Outcome::Answer => self.transport.write(chunks),
            Outcome::Drop => return closed("dropped as a test wants"),
            Outcome::CutAfter(bytes) => {
                let whole = chunks.concat();
                self.transport.write([Bytes::copy_from_slice(whole.get(..bytes).unwrap_or(&whole))]);
                self.transport.flushed().await;
                return closed("cut off as a test wants");
            }
            Outcome::Garbage => self.transport.write([garbage(&self.cluster.net, &chunks)]),
            Outcome::NeverAnswer => loop {
                // Reading on notices when the client has given up.
                frames.next(&self.transport).await?;
            },
        }
        // The next request is read once this answer has left.
        self.transport.flushed().await;
        Ok(())
    }
}

/// A frame of the right length and correlation id, with noise for a body.
fn garbage(net: &Net, chunks: &[Bytes]) -> Bytes {
    let mut frame = chunks.concat();
    for noise in frame.iter_mut().skip(8) {
        *noise = net.random_below(256) as u8;
    }
    Bytes::from(frame)
}

/// Closes a broker's listener and connections.
pub(crate) fn close(cluster: &Cluster, broker: i32) {
    disconnect(cluster, broker);
    if let Some(broker) = cluster.state().brokers.get_mut(&broker) {
        broker.alive = false;
        broker.sessions.clear();
        if let Some(listening) = broker.listening.take() {
            listening.notify();
        }
    }
}

/// Closes a broker's connections.
pub(crate) fn disconnect(cluster: &Cluster, broker: i32) {
    if let Some(broker) = cluster.state().brokers.get_mut(&broker) {
        for closing in broker.connections.drain(..) {
            closing.notify();
        }
    }
}

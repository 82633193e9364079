//! Names to addresses, addresses to sockets.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::LocalBoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use super::event_loop::Net;
use super::helper::DNS;
use super::transport::{BoxStream, TcpStream};
use crate::error::{Error, ErrorKind, Result};

pub use crate::config::Address;

/// Turns names into addresses. Called on a helper thread, so it may block.
pub trait Resolver: Send + Sync {
    /// All addresses of a host, in order of preference.
    ///
    /// # Errors
    /// Whatever the look-up failed with.
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;

    /// The name of an address, for `client.dns.lookup=resolve_canonical_bootstrap_servers_only`. Unless a resolver does
    /// better it is the address itself.
    ///
    /// # Errors
    /// Whatever the look-up failed with; the address stands for its name then.
    fn canonical_name(&self, address: IpAddr) -> io::Result<String> {
        Ok(address.to_string())
    }
}

/// The system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs()?.collect())
    }

    fn canonical_name(&self, address: IpAddr) -> io::Result<String> {
        dns_lookup::lookup_addr(&address).map_err(io::Error::from)
    }
}

/// Makes the stream to a broker: TCP, or another one with something on top, such as a proxy or TLS.
pub trait Connector: Send + Sync {
    /// Connects to `address` before `deadline`.
    fn connect<'a>(
        &'a self,
        net: &'a Net,
        address: &'a Address,
        deadline: Instant,
    ) -> LocalBoxFuture<'a, Result<BoxStream>>;
}

/// Connects directly, trying all addresses of a name: the next one starts when one has failed, or after
/// 250 ms, so that a family that leads nowhere costs little (RFC 8305).
#[derive(Clone)]
pub struct TcpConnector {
    /// The resolver.
    pub resolver: Arc<dyn Resolver>,
    /// Options of the sockets.
    pub options: SocketOptions,
}

/// Options of TCP sockets. `TCP_NODELAY` and keep-alive are always on.
#[derive(Clone, Copy, Debug, Default)]
pub struct SocketOptions {
    /// `SO_SNDBUF` in bytes; the system's default when `None`.
    pub send_buffer_bytes: Option<usize>,
    /// `SO_RCVBUF` in bytes; the system's default when `None`.
    pub receive_buffer_bytes: Option<usize>,
}

impl Connector for TcpConnector {
    fn connect<'a>(
        &'a self,
        net: &'a Net,
        address: &'a Address,
        deadline: Instant,
    ) -> LocalBoxFuture<'a, Result<BoxStream>> {
        Box::pin(async move {
            let resolving = resolve(&self.resolver, address);
            let addresses = net.within(deadline, || format!("resolving {address}"), resolving).await?;
            let socket = self.race(net, address, &addresses, deadline).await?;
            Ok(Box::new(socket) as BoxStream)
        })
    }
}

impl TcpConnector {
    async fn race(
        &self,
        net: &Net,
        address: &Address,
        addresses: &[SocketAddr],
        deadline: Instant,
    ) -> Result<TcpStream> {
        let mut waiting = addresses.iter();
        let mut attempts = FuturesUnordered::new();
        let mut failures = Vec::new();
        let mut last: Option<io::Error> = None;
        loop {
            if let Some(next) = waiting.next() {
                attempts.push(async move { (*next, open(net, *next, &self.options).await) });
            }
            if attempts.is_empty() {
                break;
            }
            let next_start =
                if waiting.len() == 0 { deadline } else { deadline.min(net.now() + NEXT_ADDRESS_AFTER) };
            match net.until(next_start, attempts.next()).await {
                Some(Some((_, Ok(socket)))) => return Ok(socket),
                Some(Some((address, Err(error)))) => {
                    failures.push(format!("{address}: {error}"));
                    last = Some(error);
                }
                Some(None) => {}
                None if net.now() >= deadline => {
                    failures.push("no answer in time".to_owned());
                    let text = format!("timed out: connecting to {address}: {}", failures.join("; "));
                    return Err(Error::new(ErrorKind::Timeout, text));
                }
                None => {}
            }
        }
        let error =
            Error::new(ErrorKind::Connection, format!("connecting to {address}: {}", failures.join("; ")));
        Err(match last {
            // The text has it already; the source is for programs that ask for the system's error.
            Some(cause) if failures.len() == 1 => {
                Error::new(ErrorKind::Connection, format!("connecting to {address}")).with_source(cause)
            }
            _ => error,
        })
    }
}

const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// The addresses of a host. IP literals need no look-up; names are looked up on a short-lived thread, because
/// the system's resolver blocks.
///
/// # Errors
/// [`ErrorKind::Dns`] with the resolver's words.
pub async fn resolve(resolver: &Arc<dyn Resolver>, address: &Address) -> Result<Vec<SocketAddr>> {
    if let Ok(ip) = address.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, address.port)]);
    }
    let (resolver, Address { host, port }) = (Arc::clone(resolver), address.clone());
    let failed = |why: String| Error::new(ErrorKind::Dns, format!("resolving {}: {why}", address.host));
    match DNS.run(move || resolver.resolve(&host, port)).await {
        Ok(Ok(addresses)) if addresses.is_empty() => Err(failed("the name has no address".to_owned())),
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// The name of an address by a reverse look-up, or the address itself where there is none.
pub async fn canonical_name(resolver: &Arc<dyn Resolver>, address: IpAddr) -> String {
    let resolver = Arc::clone(resolver);
    match DNS.run(move || resolver.canonical_name(address)).await {
        Ok(Ok(name)) if !name.is_empty() => name,
        _ => address.to_string(),
    }
}

async fn open(net: &Net, address: SocketAddr, options: &SocketOptions) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // Before the connect: the receive buffer decides on the window scale that is offered.
    if let Some(bytes) = options.send_buffer_bytes {
        socket.set_send_buffer_size(bytes)?;
    }
    if let Some(bytes) = options.receive_buffer_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error) if is_in_progress(&error) => {}
        Err(error) => return Err(error),
    }
    let stream = mio::net::TcpStream::from_std(socket.into());
    let options = SockRef::from(&stream);
    options.set_tcp_nodelay(true)?;
    options.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEP_ALIVE))?;
    let stream = TcpStream::new(net.register(stream)?);
    stream.connected().await?;
    Ok(stream)
}

const KEEP_ALIVE: Duration = Duration::from_secs(60);

fn is_in_progress(error: &io::Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(libc::EINPROGRESS) {
        return true;
    }
    error.kind() == io::ErrorKind::WouldBlock
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::bridge::IoThread;
    use crate::net::clock::Clock;

    /// What the kernel says of a socket: no delay, keep-alive, its time, send and receive buffer.
    fn options_of(options: SocketOptions) -> (bool, bool, Duration, usize, usize) {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(1).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let io = IoThread::start("inet-test", Clock::system(), |net| Ok(net.clone())).unwrap();
        let deadline = Clock::system().deadline(Duration::from_secs(10));
        io.run(deadline, "connect", move |net| async move {
            let stream = open(&net, address, &options).await.unwrap();
            Ok(stream.with_socket(|socket| {
                (
                    socket.tcp_nodelay().unwrap(),
                    socket.keepalive().unwrap(),
                    socket.tcp_keepalive_time().unwrap(),
                    socket.send_buffer_size().unwrap(),
                    socket.recv_buffer_size().unwrap(),
                )
            }))
        })
        .unwrap()
    }

    #[test]
    fn options_of_sockets_are_really_applied() {
        let (no_delay, keep_alive, time, send, receive) =
            options_of(SocketOptions { send_buffer_bytes: Some(20_000), receive_buffer_bytes: Some(30_000) });
        assert!(no_delay && keep_alive);
        assert_eq!(time, KEEP_ALIVE);
        // Linux doubles what is asked for, and tells the double.
        assert!([20_000, 40_000].contains(&send) && [30_000, 60_000].contains(&receive), "{send}, {receive}");
        let (no_delay, keep_alive, _, send, receive) = options_of(SocketOptions::default());
        assert!(no_delay && keep_alive);
        assert!(
            ![20_000, 40_000].contains(&send) && ![30_000, 60_000].contains(&receive),
            "{send}, {receive}"
        );
    }
}

//! SOCKS version 5 (RFC 1928), with user and password (RFC 1929).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::LocalBoxFuture;

use super::event_loop::Net;
use super::inet::{Address, Connector, Resolver, resolve};
use super::proxy::{ProxyUrl, read_some, write_all};
use super::transport::{BoxStream, what_speaks};
use crate::error::{Error, ErrorKind, Result};

/// Connects through a SOCKS proxy.
pub struct Socks5 {
    proxy: ProxyUrl,
    below: Arc<dyn Connector>,
    /// Looks names up here; without it the proxy does.
    resolver: Option<Arc<dyn Resolver>>,
}

const VERSION: u8 = 5;
const LOGIN_VERSION: u8 = 1;
const NO_LOGIN: u8 = 0;
const PASSWORD: u8 = 2;
const NOTHING_ACCEPTABLE: u8 = 0xff;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

impl Socks5 {
    /// Goes through `proxy`, which `below` connects to. With a resolver, names are looked up before the proxy is
    /// asked (`socks5`), without one the proxy is given the names (`socks5h`).
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] for a user or a password that the protocol cannot carry.
    pub fn new(
        proxy: &ProxyUrl,
        below: Arc<dyn Connector>,
        resolver: Option<Arc<dyn Resolver>>,
    ) -> Result<Self> {
        if let Some(credentials) = proxy.credentials() {
            let fits = |bytes: &[u8]| (1..=255).contains(&bytes.len());
            if !fits(credentials.user.reveal()) || !fits(credentials.password.reveal()) {
                let text =
                    "proxy_url has a user or a password that SOCKS cannot carry: each is 1 to 255 bytes long";
                return Err(Error::new(ErrorKind::Configuration, text));
            }
        }
        Ok(Self { proxy: proxy.clone(), below, resolver })
    }

    /// The ways to write the target that the proxy is asked for, in order of preference.
    async fn targets(&self, address: &Address) -> Result<Vec<Vec<u8>>> {
        match &self.resolver {
            Some(resolver) => Ok(resolve(resolver, address).await?.iter().map(by_address).collect()),
            None => Ok(vec![by_name(address)?]),
        }
    }

    async fn open(&self, net: &Net, target: &[u8], deadline: Instant) -> Result<BoxStream> {
        let mut stream = self.below.connect(net, self.proxy.address(), deadline).await?;
        self.greet(&mut stream).await?;
        let request = [&[VERSION, CONNECT, 0], target].concat();
        write_all(&mut stream, &request).await.map_err(lost)?;
        read_reply(&mut stream, reply_length).await.and_then(|reply| check_reply(&reply))?;
        Ok(stream)
    }

    async fn greet(&self, stream: &mut BoxStream) -> Result<()> {
        let credentials = self.proxy.credentials();
        let greeting: &[u8] = match credentials {
            None => &[VERSION, 1, NO_LOGIN],
            Some(_) => &[VERSION, 2, NO_LOGIN, PASSWORD],
        };
        write_all(stream, greeting).await.map_err(lost)?;
        let choice = read_reply(stream, |_| Ok(2)).await?;
        let method = check_choice(&choice)?;
        let credentials = match (method, credentials) {
            (NO_LOGIN, _) => return Ok(()),
            (PASSWORD, Some(credentials)) => credentials,
            (NOTHING_ACCEPTABLE, None) => {
                return Err(refused("wants a login: put user:password@ before its host in proxy_url"));
            }
            (NOTHING_ACCEPTABLE, Some(_)) => {
                return Err(refused("accepts no login by user and password; other ways are not supported"));
            }
            (other, _) => {
                let text = format!("chose the way to log in number {other}, which was not offered");
                return Err(Error::new(ErrorKind::Protocol, text));
            }
        };
        let mut login = vec![LOGIN_VERSION];
        for part in [credentials.user.reveal(), credentials.password.reveal()] {
            // `new` has checked that the length fits.
            login.push(u8::try_from(part.len()).unwrap_or(u8::MAX));
            login.extend_from_slice(part);
        }
        write_all(stream, &login).await.map_err(lost)?;
        match read_reply(stream, |_| Ok(2)).await?.as_slice() {
            [_, 0] => Ok(()),
            _ => Err(refused("refused the user or the password of proxy_url")),
        }
    }
}

impl Connector for Socks5 {
    fn connect<'a>(
        &'a self,
        net: &'a Net,
        address: &'a Address,
        deadline: Instant,
    ) -> LocalBoxFuture<'a, Result<BoxStream>> {
        Box::pin(async move {
            let resolving = || format!("resolving {address}");
            let targets = net.within(deadline, resolving, self.targets(address)).await?;
            let mut failure = Error::new(ErrorKind::Dns, "the name has no address");
            for target in targets {
                let asking = || "no answer in time".to_owned();
                match net.within(deadline, asking, self.open(net, &target, deadline)).await {
                    Ok(stream) => return Ok(stream),
                    Err(error) => failure = error,
                }
                if net.now() >= deadline {
                    break;
                }
            }
            Err(failure.context(format_args!("proxy {}", self.proxy)))
        })
    }
}

fn by_address(address: &SocketAddr) -> Vec<u8> {
    let mut target = match address.ip() {
        IpAddr::V4(ip) => [&[IPV4], &ip.octets()[..]].concat(),
        IpAddr::V6(ip) => [&[IPV6], &ip.octets()[..]].concat(),
    };
    target.extend(address.port().to_be_bytes());
    target
}

fn by_name(address: &Address) -> Result<Vec<u8>> {
    if let Ok(ip) = address.host.parse::<IpAddr>() {
        return Ok(by_address(&SocketAddr::new(ip, address.port)));
    }
    address.check()?;
    let length = u8::try_from(address.host.len()).map_err(|_| {
        Error::new(ErrorKind::InvalidArgument, format!("{address} is too long a name for SOCKS"))
    })?;
    let mut target = [&[NAME, length], address.host.as_bytes()].concat();
    target.extend(address.port.to_be_bytes());
    Ok(target)
}

/// Reads as many bytes as `length` says it takes, given what is there.
async fn read_reply(stream: &mut BoxStream, length: impl Fn(&[u8]) -> Result<usize>) -> Result<Vec<u8>> {
    let mut reply = Vec::new();
    loop {
        let wanted = length(&reply)?;
        let missing = wanted.saturating_sub(reply.len());
        if missing == 0 {
            return Ok(reply);
        }
        let mut buf = vec![0; missing];
        match read_some(stream, &mut buf).await.map_err(lost)? {
            0 => {
                return Err(Error::new(
                    ErrorKind::Connection,
                    "closed the connection in the middle of its answer",
                ));
            }
            count => reply.extend_from_slice(buf.get(..count).unwrap_or_default()),
        }
    }
}

/// The way to log in that the proxy chose.
fn check_choice(choice: &[u8]) -> Result<u8> {
    match *choice {
        [VERSION, method] => Ok(method),
        _ => Err(no_socks(choice)),
    }
}

/// How long the answer to a CONNECT is, as far as `reply` tells: as long as the address in it needs.
///
/// # Errors
/// [`ErrorKind::Protocol`] when it is no such answer.
pub fn reply_length(reply: &[u8]) -> Result<usize> {
    match *reply {
        [] | [VERSION] | [VERSION, _] | [VERSION, _, _] => Ok(4),
        // What follows a refusal is of no interest, and some proxies leave it out.
        [VERSION, code, ..] if code != 0 => Ok(4),
        [VERSION, _, _, IPV4, ..] => Ok(4 + 4 + 2),
        [VERSION, _, _, IPV6, ..] => Ok(4 + 16 + 2),
        [VERSION, _, _, NAME] => Ok(5),
        [VERSION, _, _, NAME, length, ..] => Ok(5 + usize::from(length) + 2),
        [VERSION, _, _, other, ..] => {
            let text = format!("answered with an address of the unknown type {other}");
            Err(Error::new(ErrorKind::Protocol, text))
        }
        _ => Err(no_socks(reply)),
    }
}

/// Whether the answer to a CONNECT says that there is a connection now.
///
/// # Errors
/// [`ErrorKind::Connection`] with the reason, [`ErrorKind::Protocol`] when it is no such answer.
pub fn check_reply(reply: &[u8]) -> Result<()> {
    let code = match *reply {
        [VERSION, 0, ..] => return Ok(()),
        [VERSION, code, ..] => code,
        _ => return Err(no_socks(reply)),
    };
    let text = match code {
        1 => "failed, without saying why",
        2 => "does not allow this connection by its rules",
        3 => "cannot reach the network",
        4 => "cannot reach the host, or cannot resolve its name",
        5 => "was refused the connection by the host",
        6 => "ran out of time on the way to the host (TTL expired)",
        7 => "does not make connections (command not supported)",
        8 => "does not support this type of address (try socks5 instead of socks5h, or the reverse)",
        _ => "failed for a reason that the protocol does not name",
    };
    Err(Error::new(ErrorKind::Connection, format!("{text} (SOCKS reply {code})")))
}

fn refused(text: &str) -> Error {
    Error::new(ErrorKind::Authentication, text)
}

fn no_socks(first: &[u8]) -> Error {
    let is = match (first, what_speaks(first)) {
        (_, Some(peer)) => format!("it is {peer}"),
        ([0, ..] | [4, ..], None) => "it may be one of version 4".to_owned(),
        (_, None) => "its answer is of another kind".to_owned(),
    };
    Error::new(ErrorKind::Protocol, format!("is no SOCKS 5 proxy: {is}"))
}

fn lost(error: io::Error) -> Error {
    Error::new(ErrorKind::Connection, "the connection was lost").with_source(error)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a reply that arrives byte by byte, as `read_reply` does; `None` when it ends too early.
    fn read(reply: &[u8]) -> Option<Result<usize>> {
        let mut there = 0;
        loop {
            match reply_length(reply.get(..there)?) {
                Ok(wanted) if wanted <= there => {
                    return Some(check_reply(reply.get(..there)?).map(|()| there));
                }
                Ok(wanted) => there = wanted,
                Err(error) => return Some(Err(error)),
            }
        }
    }

    #[test]
    fn replies_are_as_long_as_their_address() {
        for (reply, length) in [
            (&[5, 0, 0, IPV4, 1, 2, 3, 4, 0, 80, 9][..], 10),
            (&[5, 0, 0, NAME, 2, b'h', b'i', 0, 80, 9], 9),
            (&[5, 0, 0, NAME, 0, 0, 80], 7),
            (&[5, 0, 0, IPV6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 80], 22),
        ] {
            assert_eq!(read(reply).unwrap().unwrap(), length);
        }
        assert!(read(&[5, 4, 0, 1]).unwrap().unwrap_err().to_string().contains("cannot reach the host"));
        assert!(read(&[5, 0, 0, IPV4, 1, 2]).is_none());
    }

    #[test]
    fn hosts_that_cannot_be_ones_are_not_asked_for() {
        let target = |host: &str| by_name(&Address { host: host.to_owned(), port: 9092 });
        assert_eq!(target("b").unwrap(), [NAME, 1, b'b', 0x23, 0x84]);
        for host in ["a\0b", "a\r\nb", "", &"x".repeat(256)] {
            assert_eq!(target(host).unwrap_err().kind(), ErrorKind::Dns, "{host:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
            let _ = check_reply(&bytes);
            let _ = check_choice(&bytes);
        }
    }
}

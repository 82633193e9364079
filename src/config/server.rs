//! Bootstrap servers: `host:port`, `host`, `[ipv6]:port`.

use std::fmt;
use std::str::FromStr;

use super::Faults;
use crate::error::{Error, ErrorKind, printable};

/// The port of a bootstrap server that names none.
const DEFAULT_PORT: u16 = 9092;

/// Names have up to 253 characters, and a dot may follow.
const LONGEST_HOST: usize = 255;

/// Where to ask for the cluster first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// A host name, or an address without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).map_err(|fault| {
            Error::new(ErrorKind::Configuration, format!("bootstrap.servers (\"{text}\") {fault}"))
        })
    }
}

impl Address {
    /// Refuses a host that cannot be one. Brokers advertise what they like, and it goes into look-ups, the requests to
    /// proxies, and logins.
    pub(crate) fn check(&self) -> Result<(), Error> {
        host_fault(&self.host).map_or(Ok(()), |fault| {
            Err(Error::new(ErrorKind::Dns, format!("\"{self}\" cannot be connected to: it {fault}")))
        })
    }
}

/// Hosts may come from a peer: what could not be one is made fit for a line of text.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = printable(&self.host);
        if self.host.contains(':') {
            write!(f, "[{host}]:{}", self.port)
        } else {
            write!(f, "{host}:{}", self.port)
        }
    }
}

/// Reports an empty list, and each entry that cannot be used.
pub(super) fn check_servers(servers: &[String], faults: &mut Faults) {
    if servers.is_empty() {
        faults.push("bootstrap.servers is empty; name at least one server, such as localhost:9092");
    }
    for server in servers {
        faults.collect(server.parse::<Address>());
    }
}

/// What is wrong with a host name, or an address without brackets.
fn host_fault(host: &str) -> Option<String> {
    if host.is_empty() {
        return Some("has no host name".to_owned());
    }
    if host.len() > LONGEST_HOST {
        return Some(format!("has a host name of {} bytes, more than the {LONGEST_HOST} of any", host.len()));
    }
    let bad = host.chars().find(|c| !(c.is_alphanumeric() || "-._:%".contains(*c)))?;
    Some(format!("has {bad:?} in its host name"))
}

fn parse(text: &str) -> Result<Address, String> {
    let text = text.trim();
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or("has a '[' without a ']'")?;
        match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if rest.is_empty() => (host, None),
            None => return Err("has something other than ':port' behind the ']'".to_owned()),
        }
    } else {
        match text.split_once(':') {
            // More than one colon and no brackets: an IPv6 address, all of it.
            Some((_, rest)) if rest.contains(':') && !text.contains('/') => (text, None),
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    if text.contains("://") {
        return Err("is a URL; write host:port, and choose the protocol with security.protocol".to_owned());
    }
    if let Some(fault) = host_fault(host) {
        return Err(fault);
    }
    if host.contains(':') && host.split('%').next().is_none_or(|ip| ip.parse::<std::net::Ipv6Addr>().is_err())
    {
        return Err("has more than one ':' and is not an IPv6 address".to_owned());
    }
    let port = match port {
        None => DEFAULT_PORT,
        Some(port) => match port.parse() {
            Ok(port) if port > 0 => port,
            _ => return Err(format!("has the port \"{port}\", which is not a number from 1 to 65535")),
        },
    };
    Ok(Address { host: host.to_owned(), port })
}

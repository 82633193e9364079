//! Proxies: from a URL to the connector that goes through it.
//!
//! The scheme of `proxy_url` decides. `socks5`, `socks5h` and `http` are built in ([`socks5`](super::socks5),
//! [`http_connect`](super::http_connect)); a program adds schemes of its own with `register_proxy` of the clients'
//! builders. Every connection goes through the proxy: to the bootstrap servers and to the brokers.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::str::FromStr;
use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::http_connect::HttpConnect;
use super::inet::{Address, Connector, Resolver};
use super::socks5::Socks5;
use super::transport::BoxStream;
use crate::config::{Secret, SecretBytes};
use crate::error::{Error, ErrorKind, Result};

/// A `proxy_url`, taken apart. Neither `Display` nor `Debug` shows the user and the password.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl {
    scheme: String,
    address: Address,
    credentials: Option<Credentials>,
}

/// The user and the password of a proxy, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user's name.
    pub user: SecretBytes,
    /// The password; empty where the URL has none.
    pub password: SecretBytes,
}

impl ProxyUrl {
    /// The part before `://`, in lower case.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Where the proxy is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The user and the password, if the URL has them.
    pub fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }
}

impl FromStr for ProxyUrl {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self> {
        // The URL itself may hold a password, so no error shows it.
        let wrong = |why: &str| Error::new(ErrorKind::Configuration, format!("proxy_url {why}"));
        let (scheme, rest) = url
            .trim()
            .split_once("://")
            .ok_or_else(|| wrong("has no scheme; write it like socks5://user:password@host:1080"))?;
        let scheme = scheme.to_ascii_lowercase();
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err(wrong(
                "has something behind the port; in a user or password write / as %2F, ? as %3F, # as %23",
            ));
        }
        let (credentials, host) = match rest.rsplit_once('@') {
            Some((credentials, host)) => (Some(credentials), host),
            None => (None, rest),
        };
        let credentials = credentials.map(|text| {
            let (user, password) = text.split_once(':').unwrap_or((text, ""));
            let decode = |text| SecretBytes::new(percent_decode_str(text).collect::<Vec<u8>>());
            Credentials { user: decode(user), password: decode(password) }
        });
        let has_port = match host.rsplit_once(']') {
            Some((_, behind)) => behind.contains(':'),
            None => host.contains(':'),
        };
        let port = if scheme.starts_with("socks") { SOCKS_PORT } else { HTTP_PORT };
        let host = if has_port { host.to_owned() } else { format!("{host}:{port}") };
        let address = host.parse().map_err(|_| wrong("has no usable host and port behind its scheme"))?;
        Ok(Self { scheme, address, credentials })
    }
}

const SOCKS_PORT: u16 = 1080;
const HTTP_PORT: u16 = 80;

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.address)
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyUrl")
            .field("scheme", &self.scheme)
            .field("address", &self.address)
            .field("credentials", &self.credentials)
            .finish()
    }
}

/// What a proxy's connector is built on.
#[derive(Clone)]
pub struct Below {
    /// Connects to the proxy itself.
    pub connector: Arc<dyn Connector>,
    /// Looks names up, for proxies that want addresses.
    pub resolver: Arc<dyn Resolver>,
}

/// Makes the connector that goes through a proxy.
pub type MakeProxy = dyn Fn(&ProxyUrl, &Below) -> Result<Arc<dyn Connector>> + Send + Sync;

/// Which scheme leads to which proxy.
#[derive(Clone)]
pub struct Proxies(BTreeMap<String, Arc<MakeProxy>>);

impl Default for Proxies {
    /// The built-in schemes.
    fn default() -> Self {
        let mut proxies = Self(BTreeMap::new());
        proxies.register("socks5", |url, below| {
            Ok(Arc::new(Socks5::new(url, Arc::clone(&below.connector), Some(Arc::clone(&below.resolver)))?))
        });
        proxies.register("socks5h", |url, below| {
            Ok(Arc::new(Socks5::new(url, Arc::clone(&below.connector), None)?))
        });
        proxies
            .register("http", |url, below| Ok(Arc::new(HttpConnect::new(url, Arc::clone(&below.connector)))));
        proxies
    }
}

impl Proxies {
    /// Adds a scheme, or replaces one.
    pub fn register(
        &mut self,
        scheme: &str,
        make: impl Fn(&ProxyUrl, &Below) -> Result<Arc<dyn Connector>> + Send + Sync + 'static,
    ) {
        self.0.insert(scheme.to_ascii_lowercase(), Arc::new(make));
    }

    /// The connector through the proxy of a URL.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] for a URL that is none and for an unknown scheme, and what its maker returns.
    pub fn connector(&self, url: &Secret, below: &Below) -> Result<Arc<dyn Connector>> {
        let url: ProxyUrl = url.reveal().parse()?;
        let make = self.0.get(url.scheme()).ok_or_else(|| {
            let known: Vec<&str> = self.0.keys().map(String::as_str).collect();
            let text = format!(
                "proxy_url has the scheme {}, which is none of {}; register_proxy adds others",
                url.scheme(),
                known.join(", ")
            );
            Error::new(ErrorKind::Configuration, text)
        })?;
        make(&url, below)
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

pub(super) async fn write_all(stream: &mut BoxStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = poll_fn(|cx| stream.poll_write(cx, &[IoSlice::new(bytes)])).await?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = bytes.get(count..).unwrap_or_default();
    }
    poll_fn(|cx| stream.poll_flush(cx)).await
}

pub(super) async fn read_some(stream: &mut BoxStream, buf: &mut [u8]) -> io::Result<usize> {
    poll_fn(|cx| stream.poll_read(cx, buf)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart_and_never_show_their_credentials() {
        let url = |text: &str| text.parse::<ProxyUrl>().unwrap();
        let full = url("SOCKS5h://us%40er:p%3Aa:ss@proxy.example:1081/");
        assert_eq!((full.scheme(), full.address().to_string()), ("socks5h", "proxy.example:1081".to_owned()));
        let credentials = full.credentials().unwrap();
        assert_eq!(credentials.user.reveal(), b"us@er");
        assert_eq!(credentials.password.reveal(), b"p:a:ss");
        for shown in [format!("{full}"), format!("{full:?}")] {
            assert!(
                !shown.contains("us@er") && !shown.contains("us%40er") && !shown.contains("a:ss"),
                "{shown}"
            );
        }
        assert_eq!(url("socks5://proxy").address().port, 1080);
        assert_eq!(url("http://proxy").address().port, 80);
        assert_eq!(url("http://[::1]").address().to_string(), "[::1]:80");
        assert_eq!(url("http://[::1]:3128").address().to_string(), "[::1]:3128");
        assert_eq!(url("http://user@proxy:1").credentials().unwrap().password.reveal(), b"");
        for wrong in [
            "",
            "proxy:1080",
            "socks5://",
            "socks5://hunter2@:1",
            "http://hunter2@a/b",
            "http://hunter2@a:99999",
        ] {
            let error = wrong.parse::<ProxyUrl>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert!(
                error.to_string().starts_with("proxy_url ") && !error.to_string().contains("hunter2"),
                "{error}"
            );
        }
    }
}

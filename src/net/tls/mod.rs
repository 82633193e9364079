//! TLS: the link of the chain that encrypts.
//!
//! A [`TlsContext`] makes a [`TlsSession`] for each connection; the two backends, rustls and the system's library,
//! are such contexts behind the features `rustls` and `native-tls`, and a program can bring one of its own.
//! Sessions speak over a [`Wire`], which says `WouldBlock` where the socket would, and [`TlsStream`] makes a
//! [`Stream`](super::transport::Stream) of the two.

mod connector;
#[cfg(feature = "tls")]
mod files;
#[cfg(feature = "tls")]
mod keys;
#[cfg(feature = "native-tls")]
mod native;
#[cfg(feature = "rustls")]
mod rustls;
#[cfg(feature = "tls")]
mod settings;
mod stream;
#[cfg(all(test, feature = "rustls"))]
mod tests;
#[cfg(feature = "tls")]
mod words;

use std::fmt;
use std::io::{self, IoSlice};
use std::sync::Arc;

use crate::config::{CommonConfig, Faults, HostnameCheck};
use crate::error::Result;

pub use connector::TlsConnector;
pub use stream::{TlsStream, Wire};

/// Makes sessions: a TLS library with its settings, such as trusted CAs and a client certificate.
///
/// With the features of these names, `Arc<rustls::ClientConfig>` and `native_tls::TlsConnector` become one by
/// [`SslContext`]'s `From`.
pub trait TlsContext: Send + Sync {
    /// Begins a session over a wire on which nothing has been said yet. `server` is a host name, or an IP address
    /// without brackets: the name of the certificate, and of the handshake (SNI) unless it is an address.
    ///
    /// # Errors
    /// When the library refuses the name or its own settings.
    fn begin(&self, server: &str, wire: Wire) -> Result<Box<dyn TlsSession>>;
}

/// One TLS session. Calls return [`io::ErrorKind::WouldBlock`] when the wire does, and are repeated then.
///
/// An [`io::Error`] that holds an [`Error`](crate::Error) reaches the program as that error.
pub trait TlsSession {
    /// Goes on with the handshake; `Ok` when it has been done.
    fn handshake(&mut self) -> io::Result<()>;

    /// Reads plaintext; 0 is the end of the stream.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize>;

    /// Takes plaintext from the buffers, in order; returns how many bytes. They may wait in the session or the wire
    /// until [`flush`](Self::flush).
    fn write(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Pushes out what waits.
    fn flush(&mut self) -> io::Result<()>;

    /// Says goodbye, as far as the wire takes it.
    fn close(&mut self);

    /// The version and the cipher in use, as far as they are known, for messages.
    fn describe(&self) -> String;
}

/// A ready [`TlsContext`] for a client's builder, as kafka-python's `ssl_context` is; the other `ssl_*` options are
/// ignored, save `ssl_server_name`.
#[derive(Clone)]
pub struct SslContext(pub(crate) Arc<dyn TlsContext>);

impl SslContext {
    /// Takes a context of the program's own.
    pub fn new(context: impl TlsContext + 'static) -> Self {
        Self(Arc::new(context))
    }
}

impl fmt::Debug for SslContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SslContext")
    }
}

/// The connector's source of contexts, for the options of a client; `None` when they have faults.
pub(super) fn source(config: &CommonConfig, faults: &mut Faults) -> Option<connector::Source> {
    if let Some(SslContext(context)) = config.hooks.get::<SslContext>() {
        return Some(connector::Source::Fixed(Arc::clone(context)));
    }
    #[cfg(feature = "tls")]
    let source = settings::Settings::new(config, faults).map(connector::Source::Settings);
    #[cfg(not(feature = "tls"))]
    let source = {
        faults.push(not_built_in(config));
        None
    };
    if source.is_some() {
        tell_what_is_not_checked(config);
    }
    source
}

fn not_built_in(config: &CommonConfig) -> String {
    format!(
        "security.protocol={} needs kavka's feature `rustls` or `native-tls`, and this build has neither",
        config.security_protocol
    )
}

fn tell_what_is_not_checked(config: &CommonConfig) {
    if !config.ssl_verify {
        log::warn!(
            "ssl.verify=false: brokers' certificates are not checked, so anybody on the way can read and change \
             everything that is sent, credentials included"
        );
    } else if config.ssl_check_hostname == HostnameCheck::None {
        log::info!(
            "ssl.endpoint.identification.algorithm is none: any certificate of a trusted CA passes for any broker"
        );
    }
}

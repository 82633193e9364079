//! The connector that puts TLS over another one.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::LocalBoxFuture;

use super::stream::{TlsStream, Wire};
use super::{SslContext, TlsContext};
use crate::error::{Error, ErrorKind, Result};
use crate::net::event_loop::Net;
use crate::net::inet::{Address, Connector};
use crate::net::transport::{BoxStream, what_speaks};

/// Connects by the connector below, then makes the TLS handshake.
pub struct TlsConnector {
    below: Arc<dyn Connector>,
    source: Source,
    server_name: Option<String>,
}

/// Where the contexts come from.
pub(in crate::net) enum Source {
    Fixed(Arc<dyn TlsContext>),
    #[cfg(feature = "tls")]
    Settings(Arc<super::settings::Settings>),
}

impl Source {
    async fn context(&self) -> Result<Arc<dyn TlsContext>> {
        match self {
            Self::Fixed(context) => Ok(Arc::clone(context)),
            #[cfg(feature = "tls")]
            Self::Settings(settings) => {
                let settings = Arc::clone(settings);
                if !settings.reads_files() {
                    return Ok(settings.context());
                }
                crate::net::helper::TLS.run(move || settings.context()).await
            }
        }
    }
}

impl TlsConnector {
    /// TLS over what `below` connects to. `server_name` stands in for the host of each address, in the handshake and
    /// in the check of the certificate.
    pub fn new(below: Arc<dyn Connector>, context: SslContext, server_name: Option<String>) -> Self {
        Self::with_source(below, Source::Fixed(context.0), server_name)
    }

    pub(in crate::net) fn with_source(
        below: Arc<dyn Connector>,
        source: Source,
        server_name: Option<String>,
    ) -> Self {
        Self { below, source, server_name }
    }
}

impl Connector for TlsConnector {
    fn connect<'a>(
        &'a self,
        net: &'a Net,
        address: &'a Address,
        deadline: Instant,
    ) -> LocalBoxFuture<'a, Result<BoxStream>> {
        Box::pin(async move {
            let reading = || "reading the certificates".to_owned();
            let context = net.within(deadline, reading, self.source.context()).await?;
            let stream = self.below.connect(net, address, deadline).await?;
            let name = self.server_name.as_deref().unwrap_or(&address.host);
            let name = plain_name(name);
            let wire = Wire::new(stream);
            let mut stream = TlsStream::new(context.begin(name, wire.clone())?, wire.clone());
            match net.until(deadline, stream.handshake()).await {
                Some(Ok(())) => {
                    log::debug!("{address}: {}", stream.session());
                    Ok(Box::new(stream) as BoxStream)
                }
                Some(Err(error)) => {
                    Err(explain(error, &wire).context(format_args!("TLS handshake as {name}")))
                }
                None => {
                    let text = format!(
                        "timed out: TLS handshake as {name}; a port that does not speak TLS may hang like this"
                    );
                    Err(Error::new(ErrorKind::Timeout, text))
                }
            }
        })
    }
}

/// A certificate has neither the dot behind a complete name nor the zone of an IPv6 address.
fn plain_name(host: &str) -> &str {
    let name = host.strip_suffix('.').unwrap_or(host);
    match name.split_once('%') {
        Some((address, _)) if address.contains(':') => address,
        _ => name,
    }
}

fn explain(error: io::Error, wire: &Wire) -> Error {
    let first = wire.first_bytes();
    let speaks_tls = matches!(first.as_slice(), [0x14..=0x17, 3, ..] | [0x14..=0x17] | []);
    if !speaks_tls {
        let text = match what_speaks(&first) {
            Some(peer) => format!("the peer does not speak TLS: it is {peer}"),
            None => "the peer does not speak TLS: if it is a broker, set security.protocol=PLAINTEXT or \
                     SASL_PLAINTEXT"
                .to_owned(),
        };
        return Error::new(ErrorKind::Protocol, text);
    }
    if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        return error.clone();
    }
    let hint = if first.is_empty() {
        "the peer closed the connection instead of answering; a broker's plaintext port does so (set \
         security.protocol=PLAINTEXT or SASL_PLAINTEXT)"
    } else {
        "the connection was lost during the handshake"
    };
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::new(ErrorKind::Connection, hint),
        _ => Error::new(ErrorKind::Connection, hint).with_source(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_certificates() {
        for (host, name) in [
            ("broker.example.com", "broker.example.com"),
            ("broker.example.com.", "broker.example.com"),
            ("fe80::1%eth0", "fe80::1"),
            ("10.0.0.1", "10.0.0.1"),
        ] {
            assert_eq!(plain_name(host), name);
        }
    }
}

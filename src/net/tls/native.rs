//! The system's TLS library, through native-tls.

use std::io::{self, IoSlice, Read, Write};

use native_tls::{Certificate, HandshakeError, MidHandshakeTlsStream, Protocol};
use pem::Pem;

use super::settings::{Material, Verification};
use super::stream::Wire;
use super::{SslContext, TlsContext, TlsSession};
use crate::config::TlsVersion;
use crate::error::{Error, ErrorKind, Result, printable};

/// native-tls with its settings.
pub(super) struct Context(native_tls::TlsConnector);

impl Context {
    pub(super) fn new(material: &Material) -> Result<Self, String> {
        let protocol = |version| match version {
            TlsVersion::Tls12 => Protocol::Tlsv12,
            TlsVersion::Tls13 => Protocol::Tlsv13,
        };
        let mut builder = native_tls::TlsConnector::builder();
        builder
            .min_protocol_version(Some(protocol(material.oldest)))
            .max_protocol_version(Some(protocol(material.newest)))
            .danger_accept_invalid_hostnames(material.verification != Verification::Full)
            .danger_accept_invalid_certs(material.verification == Verification::Off);
        if let Some(roots) = &material.roots {
            builder.disable_built_in_roots(true);
            for root in roots {
                let root = Certificate::from_der(root)
                    .map_err(|error| format!("a certificate of ssl.truststore cannot be used: {error}"))?;
                builder.add_root_certificate(root);
            }
        }
        if let Some(identity) = &material.identity {
            let chain: String = identity
                .chain
                .iter()
                .map(|der| pem::encode(&Pem::new("CERTIFICATE", der.as_slice())))
                .collect();
            let key = identity.key.to_pem("PRIVATE KEY", Default::default());
            let key = key.map_err(|error| format!("the private key cannot be used: {error}"))?;
            let identity = native_tls::Identity::from_pkcs8(chain.as_bytes(), key.as_bytes());
            builder.identity(
                identity.map_err(|error| format!("the client certificate cannot be used: {error}"))?,
            );
        }
        let connector = builder.build().map_err(|error| match &material.identity {
            Some(_) => format!("the client certificate and its private key cannot be used together: {error}"),
            None => format!("the ssl options cannot be used: {error}"),
        })?;
        Ok(Self(connector))
    }
}

impl From<native_tls::TlsConnector> for SslContext {
    fn from(connector: native_tls::TlsConnector) -> Self {
        Self::new(Context(connector))
    }
}

impl TlsContext for Context {
    fn begin(&self, server: &str, wire: Wire) -> Result<Box<dyn TlsSession>> {
        let state = State::New { connector: self.0.clone(), server: server.to_owned(), wire };
        Ok(Box::new(Session(Some(state))))
    }
}

/// `None` once it has failed.
struct Session(Option<State>);

enum State {
    New { connector: native_tls::TlsConnector, server: String, wire: Wire },
    Handshake(MidHandshakeTlsStream<Wire>),
    Ready(native_tls::TlsStream<Wire>),
}

impl Session {
    fn ready(&mut self) -> io::Result<&mut native_tls::TlsStream<Wire>> {
        match &mut self.0 {
            Some(State::Ready(stream)) => Ok(stream),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl TlsSession for Session {
    fn handshake(&mut self) -> io::Result<()> {
        let outcome = match self.0.take() {
            Some(State::New { connector, server, wire }) => connector.connect(&server, wire),
            Some(State::Handshake(stream)) => stream.handshake(),
            ready @ Some(State::Ready(_)) => {
                self.0 = ready;
                return Ok(());
            }
            None => return Err(io::ErrorKind::NotConnected.into()),
        };
        match outcome {
            Ok(stream) => {
                self.0 = Some(State::Ready(stream));
                Ok(())
            }
            Err(HandshakeError::WouldBlock(stream)) => {
                self.0 = Some(State::Handshake(stream));
                Err(io::ErrorKind::WouldBlock.into())
            }
            Err(HandshakeError::Failure(error)) => Err(explain(&error.to_string())),
        }
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.ready()?.read(buf) {
            Err(error) if is_plain(&error) => Err(error),
            Err(error) => match explain(&error.to_string()) {
                // The frames have lengths of their own: a peer that forgets to say goodbye cuts nothing off unseen.
                error if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                error => Err(error),
            },
            ok => ok,
        }
    }

    fn write(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let stream = self.ready()?;
        let mut taken = 0;
        for buf in bufs.iter().filter(|buf| !buf.is_empty()) {
            match stream.write(buf) {
                Ok(count) => {
                    taken += count;
                    if count < buf.len() || taken >= WRITE_PER_CALL {
                        break;
                    }
                }
                // What comes next sees the same error.
                Err(_) if taken > 0 => break,
                Err(error) if is_plain(&error) => return Err(error),
                Err(error) => return Err(explain(&error.to_string())),
            }
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Some(State::Ready(stream)) => stream.get_mut().flush(),
            _ => Ok(()),
        }
    }

    fn close(&mut self) {
        if let Some(State::Ready(stream)) = &mut self.0 {
            // The socket is closed in any case.
            let _ = stream.shutdown();
            let _ = stream.get_mut().flush();
        }
    }

    fn describe(&self) -> String {
        "TLS by native-tls".to_owned()
    }
}

/// Other tasks get their turn after this much.
const WRITE_PER_CALL: usize = 256 * 1024;

/// Errors of the socket, not of TLS.
fn is_plain(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error().is_some()
}

/// native-tls has no kinds of errors: the text of the system's library has to tell what happened.
fn explain(text: &str) -> io::Error {
    let lower = text.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if has(&["unexpected eof"]) {
        return io::ErrorKind::UnexpectedEof.into();
    }
    let authentication = |words: String| io::Error::other(Error::new(ErrorKind::Authentication, words));
    let connection = |words: String| io::Error::other(Error::new(ErrorKind::Connection, words));
    // OpenSSL writes some alerts without the word.
    if has(&["alert", "tlsv1 unrecognized name", "tlsv1 unsupported extension"]) {
        let certificate = ["certificate", "unknown ca", "access denied"];
        let handshake = [
            "handshake failure",
            "insufficient security",
            "unrecognized name",
            "missing extension",
            "unsupported extension",
            "unknown psk identity",
            "no application protocol",
        ];
        return match () {
            () if has(&certificate) => authentication(super::words::client_certificate_refused(text)),
            () if has(&["protocol version"]) => authentication(super::words::no_common_version(text)),
            () if has(&handshake) => authentication(super::words::handshake_refused(text)),
            // Trouble of the peer or of the network: the next connection may do better.
            () => connection(super::words::ended(text)),
        };
    }
    if has(&["bad record mac"]) {
        return connection(super::words::broke(text));
    }
    if has(&["mismatch", "not match", "wrong name", "cn name"]) && !has(&["key values"]) {
        return authentication(super::words::wrong_name(text));
    }
    if has(&["expired"]) {
        return authentication(super::words::expired(text));
    }
    if has(&["verify failed", "self-signed", "self signed", "not trusted", "untrusted", "issuer"]) {
        return authentication(super::words::not_trusted(text));
    }
    if has(&["unsupported protocol", "protocol version"]) {
        return authentication(super::words::no_common_version(text));
    }
    io::Error::other(Error::new(ErrorKind::Protocol, format!("TLS failed: {}", printable(text))))
}

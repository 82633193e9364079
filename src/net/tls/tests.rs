//! Sessions of both backends with a server in memory, so that each step can be looked at.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::rustls::crypto::ring;
use ::rustls::pki_types::PrivateKeyDer;
use ::rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection};

use super::{SslContext, TlsSession, Wire};
use crate::error::{Error, ErrorKind};
use crate::net::transport::Stream;

type Bytes = Rc<RefCell<VecDeque<u8>>>;

/// The client's end of the network.
struct Memory {
    to_server: Bytes,
    to_client: Bytes,
    takes: Rc<Cell<bool>>,
}

impl Stream for Memory {
    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut bytes = self.to_client.borrow_mut();
        if bytes.is_empty() { Poll::Pending } else { Poll::Ready(bytes.read(buf)) }
    }

    fn poll_write(&mut self, _: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if !self.takes.get() {
            return Poll::Pending;
        }
        Poll::Ready(self.to_server.borrow_mut().write_vectored(bufs))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn describe(&self) -> String {
        "memory".to_owned()
    }
}

/// A client and a server behind the handshake.
struct Pair {
    client: Box<dyn TlsSession>,
    server: ServerConnection,
    to_server: Bytes,
    to_client: Bytes,
    takes: Rc<Cell<bool>>,
    /// What the client has said.
    heard: Vec<u8>,
}

impl Pair {
    fn new(context: &SslContext, server: ServerConfig) -> Self {
        let (to_server, to_client) = (Bytes::default(), Bytes::default());
        let takes = Rc::new(Cell::new(true));
        let memory = Memory {
            to_server: Rc::clone(&to_server),
            to_client: Rc::clone(&to_client),
            takes: Rc::clone(&takes),
        };
        let client = context.0.begin("broker", Wire::new(Box::new(memory))).unwrap();
        let server = ServerConnection::new(Arc::new(server)).unwrap();
        let mut pair = Self { client, server, to_server, to_client, takes, heard: Vec::new() };
        loop {
            match pair.client.handshake() {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => pair.serve().unwrap(),
                Err(error) => panic!("{error}"),
            }
        }
        pair.client.flush().unwrap();
        pair.serve().unwrap();
        pair
    }

    /// The server reads all that there is, and says what it has to say.
    fn serve(&mut self) -> Result<(), ::rustls::Error> {
        let mut result = Ok(());
        while result.is_ok() && !self.to_server.borrow().is_empty() {
            self.server.read_tls(&mut *self.to_server.borrow_mut()).unwrap();
            result = self.server.process_new_packets().map(drop);
            // It ends with `WouldBlock`.
            let _ = self.server.reader().read_to_end(&mut self.heard);
        }
        while self.server.wants_write() {
            self.server.write_tls(&mut *self.to_client.borrow_mut()).unwrap();
        }
        result
    }

    fn say(&mut self, words: &[u8]) {
        assert_eq!(self.client.write(&[IoSlice::new(words)]).unwrap(), words.len());
        self.client.flush().unwrap();
    }

    fn read_error(&mut self) -> Error {
        let error = self.client.read(&mut [0; 100]).unwrap_err();
        error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<Error>())
            .cloned()
            .unwrap_or_else(|| panic!("{error}"))
    }
}

/// A client context of each backend, and a server that they trust.
fn backends() -> (Vec<(&'static str, SslContext)>, ServerConfig) {
    let own = rcgen::generate_simple_self_signed(["broker".to_owned()]).unwrap();
    let provider = Arc::new(ring::default_provider());
    let certificate = own.cert.der().clone();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let contexts = vec![
        ("rustls", SslContext::from(Arc::new(client))),
        #[cfg(feature = "native-tls")]
        ("native-tls", {
            let root = native_tls::Certificate::from_pem(own.cert.pem().as_bytes()).unwrap();
            let client = native_tls::TlsConnector::builder().add_root_certificate(root).build().unwrap();
            SslContext::from(client)
        }),
    ];
    (contexts, server)
}

/// Bytes that were altered on their way, in either direction: trouble of the connection, and no refused login.
#[test]
fn an_altered_record_is_a_lost_connection() {
    let (contexts, server) = backends();
    for (backend, context) in contexts {
        let mut pair = Pair::new(&context, server.clone());
        pair.say(b"a question");
        *pair.to_server.borrow_mut().back_mut().unwrap() ^= 1;
        pair.serve().unwrap_err();
        let error = pair.read_error();
        assert_eq!(error.kind(), ErrorKind::Connection, "{backend}: {error}");
        assert!(error.to_string().contains("the peer ended the TLS session"), "{backend}: {error}");

        let mut pair = Pair::new(&context, server.clone());
        pair.server.writer().write_all(b"an answer").unwrap();
        pair.serve().unwrap();
        *pair.to_client.borrow_mut().back_mut().unwrap() ^= 1;
        let error = pair.read_error();
        assert_eq!(error.kind(), ErrorKind::Connection, "{backend}: {error}");
        assert!(error.to_string().contains("the TLS session broke"), "{backend}: {error}");
    }
}

/// The peer changes its key and asks for the same, while it takes nothing: what it said is read all the same.
#[test]
fn what_was_read_does_not_wait_for_what_is_to_be_written() {
    let (contexts, server) = backends();
    for (backend, context) in contexts {
        let mut pair = Pair::new(&context, server.clone());
        pair.takes.set(false);
        while pair.client.write(&[IoSlice::new(&[7; 1000])]).is_ok_and(|count| count > 0) {}
        pair.server.refresh_traffic_keys().unwrap();
        pair.server.writer().write_all(b"an answer").unwrap();
        pair.serve().unwrap();
        let mut buf = [0; 100];
        let count = pair.client.read(&mut buf).unwrap_or_else(|error| panic!("{backend}: {error}"));
        assert_eq!(&buf[..count], b"an answer", "{backend}");
        // The answer to the new key is not forgotten.
        pair.takes.set(true);
        assert_eq!(pair.client.read(&mut buf).unwrap_err().kind(), io::ErrorKind::WouldBlock, "{backend}");
        pair.client.flush().unwrap();
        pair.serve().unwrap();
        // OpenSSL wants a write that it did not take once more, as it was.
        pair.say(&[7; 1000]);
        pair.say(b"still here");
        pair.serve().unwrap();
        assert!(pair.heard.len() > 10_000 && pair.heard.ends_with(b"still here"), "{backend}");
    }
}

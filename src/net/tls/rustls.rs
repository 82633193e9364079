//! rustls, with the cryptography of ring.

use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;

use pkcs8::SecretDocument;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime,
};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore,
    SignatureScheme, SupportedCipherSuite, SupportedProtocolVersion, version,
};

use super::settings::{Material, Verification};
use super::stream::Wire;
use super::{SslContext, TlsContext, TlsSession, words};
use crate::config::TlsVersion;
use crate::error::{Error, ErrorKind, Result, printable};

/// rustls with its settings.
pub(super) struct Context(Arc<ClientConfig>);

impl Context {
    pub(super) fn new(material: Material) -> Result<Self, String> {
        let mut provider = ring::default_provider();
        if !material.ciphers.is_empty() {
            provider.cipher_suites = choose_suites(&provider.cipher_suites, &material.ciphers)?;
        }
        let provider = Arc::new(provider);
        let algorithms = provider.signature_verification_algorithms;
        let versions: &[&SupportedProtocolVersion] = match (material.oldest, material.newest) {
            (TlsVersion::Tls13, _) => &[&version::TLS13],
            (_, TlsVersion::Tls12) => &[&version::TLS12],
            _ => &[&version::TLS12, &version::TLS13],
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map_err(|error| {
                format!("ssl.cipher.suites and ssl.enabled.protocols do not go together: {error}")
            })?;
        let verifier: Arc<dyn ServerCertVerifier> = match material.verification {
            Verification::Off => Arc::new(AcceptAnything { algorithms }),
            _ => {
                let roots = Arc::new(roots(material.roots)?);
                let mut verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider));
                if !material.crls.is_empty() {
                    verifier = verifier
                        .with_crls(material.crls.into_iter().map(CertificateRevocationListDer::from))
                        .only_check_end_entity_revocation()
                        .enforce_revocation_expiration();
                }
                let verifier = verifier
                    .build()
                    .map_err(|error| format!("ssl.truststore or ssl.crl.location: {error}"))?;
                match material.verification {
                    Verification::CaOnly => Arc::new(AcceptAnyName(verifier)),
                    _ => verifier,
                }
            }
        };
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let config = match material.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = identity.chain.into_iter().map(CertificateDer::from).collect();
                builder.with_client_auth_cert(chain, key(&identity.key)).map_err(|error| {
                    format!(
                        "the client certificate and its private key cannot be used together: {error} (rustls takes \
                         RSA, the curves P-256 and P-384, and Ed25519; ssl.backend=native-tls takes others)"
                    )
                })?
            }
        };
        Ok(Self(Arc::new(config)))
    }
}

fn key(key: &SecretDocument) -> PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into()
}

fn roots(given: Option<Vec<Vec<u8>>>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match given {
        Some(given) => {
            for certificate in given {
                roots
                    .add(CertificateDer::from(certificate))
                    .map_err(|error| format!("a certificate of ssl.truststore cannot be used: {error}"))?;
            }
        }
        None => {
            let system = rustls_native_certs::load_native_certs();
            // Stores of systems hold certificates that nobody can read any more; the others count.
            let (added, _) = roots.add_parsable_certificates(system.certs);
            if added == 0 {
                let why: Vec<String> = system.errors.iter().map(ToString::to_string).collect();
                let colon = if why.is_empty() { "" } else { ": " };
                return Err(format!(
                    "the system has no CA certificates (Debian's package ca-certificates has them), and \
                     ssl.truststore.location (ssl_cafile) names none{colon}{}",
                    why.join("; ")
                ));
            }
        }
    }
    Ok(roots)
}

/// The suites of these names, in the order in which they are named.
fn choose_suites(
    known: &[SupportedCipherSuite],
    names: &[String],
) -> Result<Vec<SupportedCipherSuite>, String> {
    let standard = |suite: &SupportedCipherSuite| {
        let name = suite.suite().as_str().unwrap_or_default();
        name.strip_prefix("TLS13_").map_or_else(|| name.to_owned(), |rest| format!("TLS_{rest}"))
    };
    names
        .iter()
        .map(|name| {
            let is_it = |suite: &&SupportedCipherSuite| {
                let standard = standard(suite);
                name.eq_ignore_ascii_case(&standard) || name.eq_ignore_ascii_case(&openssl_name(&standard))
            };
            known.iter().find(is_it).copied().ok_or_else(|| {
                let all: Vec<String> = known.iter().map(standard).collect();
                format!(
                    "ssl.cipher.suites names {name}, which rustls does not have; it has {}",
                    all.join(", ")
                )
            })
        })
        .collect()
}

/// `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256` is `ECDHE-RSA-AES128-GCM-SHA256` to OpenSSL; TLS 1.3 has the standard's
/// names there, too.
fn openssl_name(standard: &str) -> String {
    let Some((exchange, cipher)) = standard.strip_prefix("TLS_").and_then(|rest| rest.split_once("_WITH_"))
    else {
        return standard.to_owned();
    };
    let cipher = cipher.replace("AES_", "AES").replace("CHACHA20_POLY1305_SHA256", "CHACHA20_POLY1305");
    format!("{exchange}_{cipher}").replace('_', "-")
}

impl From<Arc<ClientConfig>> for SslContext {
    fn from(config: Arc<ClientConfig>) -> Self {
        Self::new(Context(config))
    }
}

impl TlsContext for Context {
    fn begin(&self, server: &str, wire: Wire) -> Result<Box<dyn TlsSession>> {
        let name = ServerName::try_from(server.to_owned()).map_err(|error| {
            Error::new(
                ErrorKind::Configuration,
                format!("TLS needs a host name or an address, not \"{server}\": {error}"),
            )
        })?;
        let connection = ClientConnection::new(Arc::clone(&self.0), name)
            .map_err(|error| Error::new(ErrorKind::Configuration, format!("TLS cannot begin: {error}")))?;
        Ok(Box::new(Session { connection, wire }))
    }
}

struct Session {
    connection: ClientConnection,
    wire: Wire,
}

impl Session {
    /// Hands what rustls wants to send to the wire.
    fn push(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            self.connection.write_tls(&mut self.wire)?;
        }
        Ok(())
    }

    /// Takes what the wire has; 0 at its end.
    fn pull(&mut self) -> io::Result<usize> {
        let count = self.connection.read_tls(&mut self.wire)?;
        if let Err(error) = self.connection.process_new_packets() {
            // rustls tells the peer why. Whether that arrives changes nothing here.
            let _ = self.push().and_then(|()| self.wire.flush());
            return Err(explain(error));
        }
        Ok(count)
    }
}

impl TlsSession for Session {
    fn handshake(&mut self) -> io::Result<()> {
        while self.connection.is_handshaking() {
            self.push()?;
            if self.connection.is_handshaking() && self.pull()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.push()
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(buf) {
                // The frames have lengths of their own: a peer that forgets to say goodbye cuts nothing off unseen.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
            let pulled = self.pull();
            let blocked = |error: &io::Error| error.kind() == io::ErrorKind::WouldBlock;
            if pulled.as_ref().err().is_none_or(blocked) {
                // The answer to a key update. What has come in does not wait until the wire takes it.
                self.push().or_else(|error| if blocked(&error) { Ok(()) } else { Err(error) })?;
            }
            pulled?;
        }
    }

    fn write(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        loop {
            let count = self.connection.writer().write_vectored(bufs)?;
            match self.push() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && count > 0 => return Ok(count),
                Err(error) => return Err(error),
                Ok(()) if count > 0 => return Ok(count),
                // The buffer was full and is empty now.
                Ok(()) => {}
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.push()?;
        self.wire.flush()
    }

    fn close(&mut self) {
        self.connection.send_close_notify();
        // The socket is closed in any case.
        let _ = self.flush();
    }

    fn describe(&self) -> String {
        let version = match self.connection.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLS",
        };
        let suite = self.connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
        format!("{version} {}", suite.unwrap_or_default()).trim_end().to_owned()
    }
}

fn explain(error: rustls::Error) -> io::Error {
    let text = match &error {
        rustls::Error::InvalidCertificate(reason) => certificate(reason),
        rustls::Error::AlertReceived(alert) => {
            let name = format!("alert {alert:?}");
            match alert {
                AlertDescription::BadCertificate
                | AlertDescription::NoCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::CertificateRequired
                | AlertDescription::AccessDenied
                | AlertDescription::UnknownCA => words::client_certificate_refused(name),
                AlertDescription::ProtocolVersion => words::no_common_version(name),
                AlertDescription::HandshakeFailure
                | AlertDescription::InsufficientSecurity
                | AlertDescription::UnrecognisedName
                | AlertDescription::MissingExtension
                | AlertDescription::UnsupportedExtension
                | AlertDescription::UnknownPSKIdentity
                | AlertDescription::NoApplicationProtocol => words::handshake_refused(name),
                // Trouble of the peer or of the network, such as a record that was altered on its way: the next
                // connection may do better.
                _ => return io::Error::other(Error::new(ErrorKind::Connection, words::ended(name))),
            }
        }
        rustls::Error::DecryptError => {
            return io::Error::other(Error::new(ErrorKind::Connection, words::broke(&error)));
        }
        rustls::Error::PeerIncompatible(rustls::PeerIncompatible::ServerDoesNotSupportTls12Or13)
        | rustls::Error::PeerIncompatible(rustls::PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig) => {
            words::no_common_version(&error)
        }
        rustls::Error::PeerIncompatible(_) | rustls::Error::NoCertificatesPresented => {
            words::handshake_refused(&error)
        }
        _ => {
            return io::Error::other(Error::new(
                ErrorKind::Protocol,
                format!("TLS failed: {}", printable(error)),
            ));
        }
    };
    io::Error::other(Error::new(ErrorKind::Authentication, text))
}

fn certificate(reason: &CertificateError) -> String {
    match reason {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => words::not_trusted(reason),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            words::wrong_name(reason)
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => words::expired(reason),
        CertificateError::Revoked
        | CertificateError::UnknownRevocationStatus
        | CertificateError::ExpiredRevocationList
        | CertificateError::ExpiredRevocationListContext { .. } => words::revoked(reason),
        CertificateError::Other(other) => {
            // webpki's own words, such as for a CA's certificate that serves as a broker's.
            words::bad_certificate(format_args!(
                "{other:?}; rustls is strict here, and a certificate made by `openssl req -x509` is a CA's: issue one \
                 for the broker, or use ssl.backend=native-tls"
            ))
        }
        _ => words::bad_certificate(reason),
    }
}

/// Checks everything but the name.
#[derive(Debug)]
struct AcceptAnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AcceptAnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // The name is the last thing that it looks at.
        match self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Checks only that the peer has the key of the certificate that it shows.
#[derive(Debug)]
struct AcceptAnything {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for AcceptAnything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

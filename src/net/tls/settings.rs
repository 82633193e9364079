//! From the `ssl_*` options to a backend, again whenever a file has changed.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use pkcs8::SecretDocument;

use super::TlsContext;
use super::files::{Contents, Store, read_certificates, read_crls, read_identity};
use crate::config::{CommonConfig, Faults, HostnameCheck, SslBackend, StoreType, TlsVersion};

/// What a backend is made of: everything decoded.
#[cfg_attr(not(feature = "rustls"), allow(dead_code, reason = "native-tls can do less"))]
pub(super) struct Material {
    /// CA certificates in DER; the system's when `None`.
    pub(super) roots: Option<Vec<Vec<u8>>>,
    pub(super) identity: Option<Identity>,
    /// Revocation lists in DER.
    pub(super) crls: Vec<Vec<u8>>,
    pub(super) verification: Verification,
    pub(super) oldest: TlsVersion,
    pub(super) newest: TlsVersion,
    /// Names of cipher suites; the library's choice when empty.
    pub(super) ciphers: Vec<String>,
}

/// The client's certificate.
pub(super) struct Identity {
    /// In DER, the client's own first.
    pub(super) chain: Vec<Vec<u8>>,
    /// In PKCS#8.
    pub(super) key: SecretDocument,
}

/// What is checked of a broker's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verification {
    Full,
    /// Everything but the name.
    CaOnly,
    Off,
}

/// The options, and the context that they gave last.
pub(in crate::net) struct Settings {
    config: CommonConfig,
    backend: SslBackend,
    loaded: Mutex<Loaded>,
}

struct Loaded {
    /// What the files held.
    contents: Contents,
    context: Arc<dyn TlsContext>,
}

impl Settings {
    /// Checks the options, reads the files and makes the first context; `None` when there are faults.
    pub(super) fn new(config: &CommonConfig, faults: &mut Faults) -> Option<Arc<Self>> {
        let mut own = Faults::new();
        let backend = choose_backend(config, &mut own);
        check(config, backend, &mut own);
        let contents = Contents::read(files(config), &mut own);
        let context = if own.is_empty() { make_context(config, backend, &contents, &mut own) } else { None };
        own.iter().for_each(|fault| faults.push(fault));
        let config = config.clone();
        Some(Arc::new(Self { config, backend, loaded: Mutex::new(Loaded { contents, context: context? }) }))
    }

    /// Whether there are files to look at; then [`context`](Self::context) may block.
    pub(super) fn reads_files(&self) -> bool {
        files(&self.config).next().is_some()
    }

    /// The context for the next connection, made anew when a file has changed.
    pub(super) fn context(&self) -> Arc<dyn TlsContext> {
        let mut loaded = self.loaded.lock();
        let mut faults = Faults::new();
        let contents = Contents::read(files(&self.config), &mut faults);
        if faults.is_empty() && contents == loaded.contents {
            return Arc::clone(&loaded.context);
        }
        match make_context(&self.config, self.backend, &contents, &mut faults) {
            Some(context) if faults.is_empty() => {
                log::info!("certificates have changed on disk; new connections use them");
                *loaded = Loaded { contents, context };
            }
            // Files are replaced one after the other: until they fit together the old ones serve.
            _ => {
                let why: Vec<&str> = faults.iter().collect();
                let why = why.join("; ");
                log::warn!("certificates have changed on disk and cannot be used, the old ones serve: {why}");
            }
        }
        Arc::clone(&loaded.context)
    }
}

fn files(config: &CommonConfig) -> impl Iterator<Item = (&'static str, &PathBuf)> {
    let files = [
        ("ssl.truststore.location", &config.ssl_cafile),
        ("ssl.keystore.location", &config.ssl_certfile),
        ("ssl.key.location", &config.ssl_keyfile),
        ("ssl.crl.location", &config.ssl_crlfile),
    ];
    files.into_iter().filter_map(|(option, path)| Some((option, path.as_ref()?)))
}

fn choose_backend(config: &CommonConfig, faults: &mut Faults) -> SslBackend {
    let built_in = |backend| match backend {
        SslBackend::Rustls => cfg!(feature = "rustls"),
        SslBackend::NativeTls => cfg!(feature = "native-tls"),
    };
    match config.ssl_backend {
        Some(backend) => {
            if !built_in(backend) {
                faults.push(format!("ssl.backend={backend} needs kavka's feature `{backend}`"));
            }
            backend
        }
        None if built_in(SslBackend::Rustls) => SslBackend::Rustls,
        None if built_in(SslBackend::NativeTls) => SslBackend::NativeTls,
        None => {
            faults.push(super::not_built_in(config));
            SslBackend::Rustls
        }
    }
}

/// What can be said of the options without a look at the files.
fn check(config: &CommonConfig, backend: SslBackend, faults: &mut Faults) {
    if backend == SslBackend::NativeTls {
        for (option, set) in [
            ("ssl.crl.location", config.ssl_crlfile.is_some()),
            ("ssl.cipher.suites", !config.ssl_ciphers.is_empty()),
        ] {
            if set {
                faults.push(format!(
                    "{option} is beyond native-tls; ssl.backend=rustls (feature `rustls`) can do it"
                ));
            }
        }
    }
    let pairs = [
        ("ssl.truststore.location", config.ssl_cafile.is_some()),
        ("ssl.truststore.certificates", config.ssl_truststore_certificates.is_some()),
        ("ssl.keystore.location", config.ssl_certfile.is_some()),
        ("ssl.keystore.certificate.chain", config.ssl_keystore_certificate_chain.is_some()),
        ("ssl.key.location", config.ssl_keyfile.is_some()),
        ("ssl.keystore.key", config.ssl_keystore_key.is_some()),
    ];
    for pair in pairs.chunks_exact(2) {
        if let [(file, true), (value, true)] = pair {
            faults.push(format!("{file} and {value} say the same thing twice; set one of them"));
        }
    }
    let [.., (_, file), (_, chain), (_, key_file), (_, key)] = pairs;
    if (key_file || key) && !(file || chain) {
        faults.push(
            "there is a private key and no certificate for it: set ssl.keystore.location or \
                     ssl.keystore.certificate.chain",
        );
    }
    for (option, store) in
        [("ssl.truststore.type", config.ssl_truststore_type), ("ssl.keystore.type", config.ssl_keystore_type)]
    {
        if store == Some(StoreType::Jks) {
            faults.push(format!("{option}=JKS: {}", super::files::CONVERT_JKS));
        }
    }
    if versions(config).is_none() {
        faults.push(format!(
            "ssl.enabled.protocols names no version up to ssl.protocol={}; use TLSv1.2, TLSv1.3 or both",
            config.ssl_protocol
        ));
    }
}

/// The oldest and the newest version to speak.
fn versions(config: &CommonConfig) -> Option<(TlsVersion, TlsVersion)> {
    let enabled = |version: TlsVersion| {
        config.ssl_enabled_protocols.contains(&version)
            && (config.ssl_protocol == TlsVersion::Tls13 || version == TlsVersion::Tls12)
    };
    match (enabled(TlsVersion::Tls12), enabled(TlsVersion::Tls13)) {
        (true, true) => Some((TlsVersion::Tls12, TlsVersion::Tls13)),
        (true, false) => Some((TlsVersion::Tls12, TlsVersion::Tls12)),
        (false, true) => Some((TlsVersion::Tls13, TlsVersion::Tls13)),
        (false, false) => None,
    }
}

fn make_context(
    config: &CommonConfig,
    backend: SslBackend,
    contents: &Contents,
    faults: &mut Faults,
) -> Option<Arc<dyn TlsContext>> {
    let reveal =
        |secret: &Option<crate::config::Secret>| secret.as_ref().map(|secret| secret.reveal().to_owned());
    let find = |file: &'static str, option: &'static str, value: &Option<crate::config::SecretBytes>| {
        contents.get(file).or_else(|| Some((option.to_owned(), value.as_ref()?.reveal().to_vec())))
    };
    let roots =
        find("ssl.truststore.location", "ssl.truststore.certificates", &config.ssl_truststore_certificates)
            .map(|given| {
                read_certificates(&Store {
                    given,
                    store_type: config.ssl_truststore_type,
                    password: reveal(&config.ssl_truststore_password),
                    password_option: "ssl.truststore.password",
                })
            });
    let chain = find(
        "ssl.keystore.location",
        "ssl.keystore.certificate.chain",
        &config.ssl_keystore_certificate_chain,
    );
    let key = find("ssl.key.location", "ssl.keystore.key", &config.ssl_keystore_key);
    let identity = chain.map(|given| {
        let store = Store {
            given,
            store_type: config.ssl_keystore_type,
            password: reveal(&config.ssl_keystore_password),
            password_option: "ssl.keystore.password",
        };
        read_identity(&store, key, config.ssl_password.as_ref())
    });
    let crls = contents.get("ssl.crl.location").map(|given| read_crls(&given));
    let (roots, identity, crls) = (take(roots, faults), take(identity, faults), take(crls, faults));
    if !faults.is_empty() {
        return None;
    }
    let (oldest, newest) = versions(config).unwrap_or((TlsVersion::Tls12, TlsVersion::Tls13));
    let verification = match (config.ssl_verify, config.ssl_check_hostname) {
        (false, _) => Verification::Off,
        (true, HostnameCheck::None) => Verification::CaOnly,
        (true, HostnameCheck::Https) => Verification::Full,
    };
    // OpenSSL's lists have colons between the names, Kafka's have commas.
    let ciphers =
        config.ssl_ciphers.iter().flat_map(|names| names.split(':')).map(|name| name.trim().to_owned());
    let ciphers = ciphers.filter(|name| !name.is_empty()).collect();
    let crls = crls.unwrap_or_default();
    let material = Material { roots, identity, crls, verification, oldest, newest, ciphers };
    let context: Result<Arc<dyn TlsContext>, String> = match backend {
        #[cfg(feature = "rustls")]
        SslBackend::Rustls => super::rustls::Context::new(material).map(|context| Arc::new(context) as _),
        #[cfg(feature = "native-tls")]
        SslBackend::NativeTls => super::native::Context::new(&material).map(|context| Arc::new(context) as _),
        #[allow(unreachable_patterns, reason = "for builds with one backend")]
        _ => Err(format!("ssl.backend={backend} is not built in ({:?})", material.verification)),
    };
    take(Some(context), faults)
}

fn take<T>(result: Option<Result<T, String>>, faults: &mut Faults) -> Option<T> {
    match result? {
        Ok(value) => Some(value),
        Err(fault) => {
            faults.push(fault);
            None
        }
    }
}

//! TLS, by both backends, to a real Kafka with listeners of every kind.

#![allow(clippy::disallowed_methods, reason = "a test has peers and clocks of its own")]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use kavka::config::{SecurityProtocol, SslBackend, StoreType, TlsVersion};
use kavka::net::tls::SslContext;
use kavka::producer::ProducerBuilder;
use kavka::{Error, ErrorKind, KafkaConsumer, KafkaProducer, ProducerRecord};
use support::certificates::{Authority, Leaf, PASSWORD};
use support::kafka::{Cluster, unique};

const BACKENDS: [SslBackend; 2] = [SslBackend::Rustls, SslBackend::NativeTls];

/// How long something that has to work may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A broker with a listener for each question, and the authorities.
struct World {
    cluster: Cluster,
    authority: Authority,
    stranger: Authority,
    client: Leaf,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let authority = Authority::new("kavka");
        let stranger = Authority::new("stranger");
        let names = ["localhost", "127.0.0.1"];
        let root = authority.root_file();
        let stores = [
            ("SSL", authority.rsa_leaf(&names)),
            ("MTLS", authority.leaf(&names)),
            ("OLD", authority.leaf(&names)),
            ("NEW", authority.leaf(&names)),
            ("WRONG", authority.leaf(&["other.example"])),
            ("EXPIRED", authority.expired(&names)),
            ("REVOKED", authority.numbered(&names, 666)),
        ];
        let cluster = Cluster::start(1, |config| {
            for (name, leaf) in &stores {
                let key = |option: &str| format!("listener.name.{}.ssl.{option}", name.to_lowercase());
                let store = authority.file(&format!("broker-{name}.pem"), leaf.store());
                config.listener(name, "SSL");
                config.set(&key("keystore.type"), "PEM").set(&key("keystore.location"), store.display());
                config.set(&key("truststore.type"), "PEM").set(&key("truststore.location"), root.display());
            }
            config.set("listener.name.mtls.ssl.client.auth", "required");
            config.set("listener.name.old.ssl.enabled.protocols", "TLSv1.2");
            config.set("listener.name.new.ssl.enabled.protocols", "TLSv1.3");
        });
        let client = authority.leaf(&["client"]);
        World { cluster, authority, stranger, client }
    })
}

/// A producer for a listener, told to use a backend.
fn producer(listener: &str, backend: SslBackend) -> ProducerBuilder {
    KafkaProducer::builder()
        .bootstrap_servers(world().cluster.listener(listener))
        .security_protocol(SecurityProtocol::Ssl)
        .ssl_backend(backend)
}

fn trusting(listener: &str, backend: SslBackend) -> ProducerBuilder {
    producer(listener, backend).ssl_cafile(world().authority.root_file())
}

#[track_caller]
fn connects(builder: ProducerBuilder, what: &str) {
    let producer = builder.build().unwrap_or_else(|error| panic!("{what}: {error}"));
    producer.bootstrap(PATIENCE).unwrap_or_else(|error| panic!("{what}: {error}"));
}

/// The error of a client that must not come through.
#[track_caller]
fn fails(builder: ProducerBuilder) -> Error {
    failure(&builder.build().expect("the options are fine"))
}

/// Why a client does not come through. A first attempt may take longer than one call waits: only then is there a reason.
#[track_caller]
fn failure(producer: &KafkaProducer) -> Error {
    let end = Instant::now() + PATIENCE;
    loop {
        let error = producer.bootstrap(Duration::from_millis(200)).expect_err("it came through");
        if error.to_string().contains("127.0.0.1") || error.to_string().contains("localhost") {
            return error;
        }
        assert!(Instant::now() < end, "no reason: {error}");
    }
}

/// The error of options that must be refused.
#[track_caller]
fn refused(builder: ProducerBuilder) -> String {
    match builder.build() {
        Ok(_) => panic!("the options were taken"),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Configuration);
            error.to_string()
        }
    }
}

#[track_caller]
fn assert_says(text: impl ToString, words: &[&str]) {
    let text = text.to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

/// Bytes that no codec makes smaller, different for each number.
fn noise(number: u64, length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(number);
    let mut bytes = vec![0; length];
    random.fill(&mut bytes);
    bytes
}

/// Far more than one TLS record, in both directions at once, through sockets so small that every record is cut.
#[test]
fn large_records_under_load_arrive_unchanged() {
    const RECORDS: u64 = 120;
    let length =
        |number: u64| if number % 3 == 0 { 16_384 + number as usize } else { 150_000 - number as usize };
    for backend in BACKENDS {
        for buffer in [None, Some(4096)] {
            let topic = unique("large");
            world().cluster.create_topic(&topic, 3, &[]);
            let producer = trusting("SSL", backend)
                .linger(Duration::from_millis(5))
                .batch_size(400_000_usize)
                .send_buffer_bytes(buffer)
                .receive_buffer_bytes(buffer)
                .build()
                .unwrap();
            let consumer = KafkaConsumer::builder()
                .bootstrap_servers(world().cluster.listener("SSL"))
                .security_protocol(SecurityProtocol::Ssl)
                .ssl_backend(backend)
                .ssl_cafile(world().authority.root_file())
                .send_buffer_bytes(buffer)
                .receive_buffer_bytes(buffer)
                .group_id(unique("group"))
                .set("auto.offset.reset", "earliest")
                .build();
            let mut consumer = consumer.unwrap();
            consumer.subscribe([topic.as_str()]).unwrap();
            thread::scope(|scope| {
                scope.spawn(|| {
                    for number in 0..RECORDS {
                        let value = noise(number, length(number));
                        producer
                            .send(ProducerRecord::new(&topic).key(&number.to_string()).value(&value))
                            .unwrap();
                    }
                    producer.flush(PATIENCE * 2).unwrap();
                });
                let mut seen = std::collections::BTreeSet::new();
                let end = Instant::now() + PATIENCE * 3;
                while seen.len() < RECORDS as usize {
                    assert!(Instant::now() < end, "{backend}: only {} of {RECORDS}", seen.len());
                    for record in consumer.poll(Duration::from_millis(500)).unwrap() {
                        let number: u64 =
                            std::str::from_utf8(record.key().as_ref().unwrap()).unwrap().parse().unwrap();
                        assert!(
                            record.value().as_deref().unwrap() == noise(number, length(number)),
                            "{backend}: record {number}"
                        );
                        assert!(seen.insert(number), "{backend}: record {number} twice");
                    }
                }
            });
        }
    }
}

#[test]
fn the_broker_is_checked_as_far_as_was_asked_for() {
    let world = world();
    for backend in BACKENDS {
        // By address, as metadata has it, and by name, as the list may have it.
        connects(trusting("SSL", backend), "an address in the certificate");
        let port = world.cluster.listener("SSL").rsplit_once(':').unwrap().1.to_owned();
        connects(
            trusting("SSL", backend).bootstrap_servers(format!("localhost:{port}")),
            "a name in the certificate",
        );

        let unknown = || producer("SSL", backend).ssl_cafile(world.stranger.root_file());
        let wrong = || trusting("WRONG", backend);
        let expired = || trusting("EXPIRED", backend);
        let address = world.cluster.listener("SSL");
        let error = fails(unknown());
        assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
        assert_says(error, &[&address, "127.0.0.1", "no CA that is trusted", "ssl.truststore.location"]);
        // The system's CAs do not know ours.
        assert_says(fails(producer("SSL", backend)), &[&address, "no CA that is trusted"]);
        assert_says(fails(wrong()), &["127.0.0.1", "for another name", "ssl.server.name"]);
        assert_says(fails(expired()), &["127.0.0.1", "not valid at this time"]);

        connects(wrong().ssl_check_hostname(false), "CA only, wrong name");
        connects(wrong().set("ssl.endpoint.identification.algorithm", ""), "CA only, in Kafka's way");
        assert_says(fails(unknown().ssl_check_hostname(false)), &["no CA that is trusted"]);
        assert_says(fails(expired().ssl_check_hostname(false)), &["not valid at this time"]);

        connects(unknown().ssl_verify(false), "unchecked, unknown CA");
        connects(wrong().ssl_verify(false), "unchecked, wrong name");
        connects(expired().ssl_verify(false), "unchecked, expired");

        connects(wrong().ssl_server_name("other.example"), "the name that the certificate is for");
        assert_says(
            fails(trusting("SSL", backend).ssl_server_name("other.example")),
            &["other.example", "for another name"],
        );
    }
}

#[test]
fn trusted_certificates_come_in_every_form() {
    let world = world();
    let authority = &world.authority;
    let root = authority.root();
    let der = pem_to_der(root);
    let p12 = authority.keytool_truststore("trust.p12", "PKCS12");
    let one_line = root.trim().replace('\n', " ");
    for backend in BACKENDS {
        connects(producer("SSL", backend).ssl_truststore_certificates(root), "PEM as text");
        connects(producer("SSL", backend).ssl_truststore_certificates(one_line.as_str()), "PEM in one line");
        connects(producer("SSL", backend).set("ssl.truststore.certificates", root), "PEM as a property");
        connects(producer("SSL", backend).ssl_truststore_certificates(der.clone()), "DER");
        let many = format!("# comment\n{}\n{root}", world.stranger.root());
        connects(producer("SSL", backend).ssl_truststore_certificates(many), "several, with a comment");
        let store = || producer("SSL", backend).ssl_cafile(&p12);
        connects(store().ssl_truststore_password(PASSWORD), "keytool's PKCS#12");
        connects(
            store().ssl_truststore_password(PASSWORD).ssl_truststore_type(StoreType::Pkcs12),
            "and its type",
        );
        assert_says(refused(store()), &["trust.p12", "has a password", "ssl.truststore.password"]);
        assert_says(refused(store().ssl_truststore_password("wrong")), &["trust.p12", "is not its password"]);
    }
}

fn pem_to_der(text: &str) -> Vec<u8> {
    let base64: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    base64::Engine::decode(&base64::engine::general_purpose::STANDARD, base64).unwrap()
}

/// Brokers that want a certificate and trust the root alone: each success proves that the whole chain was sent.
#[test]
fn client_certificates_come_in_every_form() {
    let world = world();
    let authority = &world.authority;
    for (name, leaf) in [("ec", world.client.clone()), ("rsa", authority.rsa_leaf(&["client"]))] {
        let chain = authority.file(&format!("{name}-chain.pem"), &leaf.chain);
        let both = authority.file(&format!("{name}-both.pem"), leaf.store());
        let keys = [
            ("PKCS#8", leaf.key.clone(), None),
            ("traditional", leaf.traditional_key(), None),
            ("encrypted PKCS#8", leaf.encrypted_key(), Some(PASSWORD)),
        ];
        let modern = authority.pkcs12(&format!("{name}.p12"), &leaf, &[]);
        let legacy = authority.pkcs12(&format!("{name}-legacy.p12"), &leaf, &["-legacy"]);
        let keytool = authority.keytool_pkcs12(&format!("{name}-keytool.p12"), &modern);
        for backend in BACKENDS {
            let client = || trusting("MTLS", backend);
            for (form, key, password) in &keys {
                let what = format!("{backend}: {name}, {form}");
                let password = password.map(kavka::config::Secret::new);
                let file = authority.file(&format!("{name}-key.pem"), key);
                connects(
                    client().ssl_certfile(&chain).ssl_keyfile(&file).ssl_password(password.clone()),
                    &what,
                );
                connects(
                    client()
                        .ssl_keystore_certificate_chain(leaf.chain.as_str())
                        .ssl_keystore_key(key.as_str())
                        .ssl_password(password),
                    &format!("{what}, from memory"),
                );
            }
            connects(client().ssl_certfile(&both), &format!("{backend}: {name}, one file"));
            for store in [&modern, &legacy, &keytool] {
                let what = format!("{backend}: {}", store.display());
                connects(client().ssl_certfile(store).ssl_keystore_password(PASSWORD), &what);
                let bytes = fs::read(store).unwrap();
                let from_memory =
                    client().ssl_keystore_certificate_chain(bytes).ssl_keystore_password(PASSWORD);
                connects(from_memory, &format!("{what}, from memory"));
            }
            let kafka = client()
                .set("ssl.keystore.type", "PKCS12")
                .set("ssl.keystore.location", modern.to_str().unwrap())
                .set("ssl.keystore.password", PASSWORD)
                .set("ssl.key.password", PASSWORD);
            connects(kafka, "by Kafka's names");
        }
    }
}

#[test]
fn a_broker_that_refuses_the_client_says_why() {
    let world = world();
    let stranger = world.stranger.file("stranger.pem", world.stranger.leaf(&["client"]).store());
    // Without the intermediate nobody can tell who signed it.
    let leaf_only = world.client.chain.split_inclusive("-----END CERTIFICATE-----").next().unwrap();
    let cut = world.authority.file("cut.pem", format!("{}{leaf_only}", world.client.key));
    for backend in BACKENDS {
        for newest in [TlsVersion::Tls12, TlsVersion::Tls13] {
            let client = || trusting("MTLS", backend).ssl_protocol(newest);
            for client in [client(), client().ssl_certfile(&stranger), client().ssl_certfile(&cut)] {
                let error = fails(client);
                assert_says(
                    &error,
                    &["127.0.0.1", "refused the client's certificate", "ssl.keystore.location"],
                );
            }
        }
    }
}

#[test]
fn versions_are_those_that_were_asked_for() {
    for backend in BACKENDS {
        connects(trusting("OLD", backend), "TLS 1.2 where the broker has no other");
        connects(trusting("OLD", backend).set("ssl.enabled.protocols", "TLSv1.2"), "TLS 1.2 alone");
        connects(trusting("NEW", backend).set("ssl.enabled.protocols", "TLSv1.3"), "TLS 1.3 alone");
        assert_says(
            fails(trusting("OLD", backend).set("ssl.enabled.protocols", "TLSv1.3")),
            &["version", "ssl.protocol"],
        );
        assert_says(
            fails(trusting("NEW", backend).ssl_protocol(TlsVersion::Tls12)),
            &["version", "ssl.protocol"],
        );
        let none =
            trusting("SSL", backend).set("ssl.enabled.protocols", "TLSv1.3").set("ssl.protocol", "TLSv1.2");
        assert_says(refused(none), &["ssl.enabled.protocols", "ssl.protocol=TLSv1.2"]);
    }
    connects(
        trusting("NEW", SslBackend::Rustls).set("ssl.cipher.suites", "TLS_CHACHA20_POLY1305_SHA256"),
        "a suite",
    );
    connects(
        trusting("OLD", SslBackend::Rustls)
            .ssl_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"),
        "OpenSSL's names",
    );
    let unknown = trusting("SSL", SslBackend::Rustls).ssl_ciphers("TLS_RSA_WITH_RC4_128_MD5");
    assert_says(refused(unknown), &["TLS_RSA_WITH_RC4_128_MD5", "TLS_AES_256_GCM_SHA384"]);
}

#[test]
fn revoked_certificates_are_refused() {
    let world = world();
    let list = world.authority.file("revoked.crl", world.authority.revocations(&[666]));
    let client = |listener| trusting(listener, SslBackend::Rustls).ssl_crlfile(&list);
    assert_says(fails(client("REVOKED")), &["ssl.crl.location", "evoked"]);
    connects(client("SSL"), "one that the list does not name");
    let elsewhere = world.stranger.file("elsewhere.crl", world.stranger.revocations(&[]));
    assert_says(fails(trusting("SSL", SslBackend::Rustls).ssl_crlfile(elsewhere)), &["ssl.crl.location"]);
    assert_says(
        refused(
            trusting("SSL", SslBackend::NativeTls).ssl_crlfile(&list).ssl_ciphers("TLS_AES_128_GCM_SHA256"),
        ),
        &[
            "ssl.crl.location is beyond native-tls",
            "ssl.cipher.suites is beyond native-tls",
            "ssl.backend=rustls",
        ],
    );
}

#[test]
fn options_that_cannot_work_are_refused_all_at_once() {
    let world = world();
    let authority = &world.authority;
    let jks = authority.keytool_truststore("trust.jks", "JKS");
    let other_key = authority.file("other-key.pem", authority.leaf(&["x"]).key);
    let legacy = authority.file("legacy-key.pem", world.client.legacy_encrypted_key());
    let encrypted = authority.file("locked-key.pem", world.client.encrypted_key());
    let chain = authority.file("chain.pem", &world.client.chain);
    for backend in BACKENDS {
        let client = || trusting("MTLS", backend);
        let said = refused(
            client()
                .ssl_cafile("/nowhere/ca.pem")
                .ssl_truststore_certificates("x")
                .ssl_keyfile(&other_key)
                .ssl_keystore_type(StoreType::Jks)
                .set("linger.ms", "soon"),
        );
        assert_says(
            &said,
            &[
                "5 faults",
                "linger.ms",
                "/nowhere/ca.pem",
                "say the same thing twice",
                "no certificate for it",
                "keytool -importkeystore",
            ],
        );
        assert_says(
            refused(producer("SSL", backend).ssl_cafile(&jks)),
            &["trust.jks", "JKS", "keytool -importkeystore"],
        );
        assert_says(
            refused(client().ssl_certfile(&chain)),
            &["chain.pem", "holds no private key", "ssl.key.location"],
        );
        assert_says(
            refused(client().ssl_certfile(&chain).ssl_keyfile(&other_key)),
            &["cannot be used together"],
        );
        let with = |key: &Path| client().ssl_certfile(&chain).ssl_keyfile(key);
        assert_says(refused(with(&legacy)), &["legacy-key.pem", "openssl pkcs8 -topk8"]);
        assert_says(refused(with(&encrypted)), &["locked-key.pem", "encrypted", "ssl.key.password"]);
        let wrong = refused(with(&encrypted).ssl_password("incorrect pony"));
        assert_says(&wrong, &["locked-key.pem", "is not its password"]);
        assert!(!wrong.contains("incorrect pony"), "{wrong}");
        assert_says(refused(client().ssl_certfile(&other_key)), &["other-key.pem", "holds no certificate"]);
        assert_says(
            refused(producer("SSL", backend).ssl_truststore_certificates("nonsense")),
            &["neither PEM nor DER"],
        );
    }
}

#[test]
fn a_certificate_that_changes_on_disk_counts_for_the_next_connection() {
    let world = world();
    let mine = world.authority.leaf(&["client"]).store();
    let strange = world.stranger.leaf(&["client"]).store();
    for backend in BACKENDS {
        let file = world.authority.file(&format!("changing-{backend}.pem"), &strange);
        let producer = trusting("MTLS", backend).ssl_certfile(&file).build().unwrap();
        assert_says(failure(&producer), &["refused the client's certificate"]);
        // Half a file is no reason to lose the old one, which is no good either.
        fs::write(&file, &mine[..mine.len() / 2]).unwrap();
        assert_says(failure(&producer), &["refused the client's certificate"]);
        fs::write(&file, &mine).unwrap();
        producer.bootstrap(PATIENCE).unwrap_or_else(|error| panic!("{backend}: {error}"));
    }
}

/// What a server sees of the first message of a handshake.
#[derive(Debug)]
struct Hello {
    name: Option<String>,
}

/// Accepts TCP connections, reads the name that the client asks for, and hangs up.
fn recorder() -> (SocketAddr, crossbeam_channel::Receiver<Hello>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, hellos) = crossbeam_channel::unbounded();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut acceptor = rustls::server::Acceptor::default();
            let accepted = loop {
                match acceptor.read_tls(&mut stream) {
                    Ok(0) | Err(_) => break None,
                    Ok(_) => {}
                }
                match acceptor.accept() {
                    Ok(None) => {}
                    Ok(accepted) => break accepted,
                    Err(_) => break None,
                }
            };
            let Some(accepted) = accepted else { continue };
            let name = accepted.client_hello().server_name().map(str::to_owned);
            if sender.send(Hello { name }).is_err() {
                return;
            }
        }
    });
    (address, hellos)
}

#[test]
fn the_name_is_asked_for_whatever_is_checked_and_addresses_never() {
    for backend in BACKENDS {
        let (address, hellos) = recorder();
        let by_name = format!("localhost:{}", address.port());
        let cases: [(&str, Option<&str>, Option<&str>); 4] = [
            (&by_name, None, Some("localhost")),
            (&address.to_string(), None, None),
            (&address.to_string(), Some("broker.example"), Some("broker.example")),
            (&by_name, Some("broker.example."), Some("broker.example")),
        ];
        for (server, name, expected) in cases {
            for checked in [0, 1, 2] {
                let builder = producer("SSL", backend).bootstrap_servers(server);
                let builder = match name {
                    Some(name) => builder.ssl_server_name(name),
                    None => builder,
                };
                let producer = match checked {
                    0 => builder,
                    1 => builder.ssl_check_hostname(false),
                    _ => builder.ssl_verify(false),
                }
                .build()
                .unwrap();
                thread::scope(|scope| {
                    scope.spawn(|| producer.bootstrap(Duration::from_millis(200)));
                    let hello = hellos.recv_timeout(PATIENCE).expect("a handshake");
                    assert_eq!(
                        hello.name.as_deref(),
                        expected,
                        "{backend}: {server} as {name:?}, checked {checked}"
                    );
                });
                drop(producer);
                while hellos.try_recv().is_ok() {}
            }
        }
    }
}

#[test]
fn peers_that_speak_something_else_are_told_by_name() {
    let world = world();
    let plaintext = world.cluster.bootstrap();
    let speaks = |answer: &'static [u8]| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut request = [0; 1024];
                let _ = stream.read(&mut request);
                let _ = stream.write_all(answer);
            }
        });
        address.to_string()
    };
    let http = speaks(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let ssh = speaks(b"SSH-2.0-OpenSSH_9.2\r\n");
    let other = speaks(&[0, 0, 0, 9, 1, 2, 3, 4]);
    for backend in BACKENDS {
        let to = |server: &str| fails(trusting("SSL", backend).bootstrap_servers(server));
        assert_says(to(&plaintext), &[&plaintext, "security.protocol=PLAINTEXT"]);
        assert_says(to(&http), &[&http, "does not speak TLS", "HTTP server"]);
        assert_says(to(&ssh), &[&ssh, "does not speak TLS", "SSH server"]);
        assert_says(to(&other), &[&other, "does not speak TLS", "PLAINTEXT"]);
    }
    let encrypted = world.cluster.listener("SSL");
    let plain = fails(KafkaProducer::builder().bootstrap_servers(&encrypted));
    assert_says(plain, &[&encrypted, "TLS"]);
}

/// A peer that accepts the connection and then says nothing: the phase is in the error, and nothing waits for it.
#[test]
fn a_handshake_that_hangs_is_bounded_and_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    for backend in BACKENDS {
        let hanging = || {
            trusting("SSL", backend)
                .bootstrap_servers(&address)
                .socket_connection_setup_timeout(Duration::from_millis(300))
        };
        assert_says(fails(hanging()), &[&address, "timed out", "TLS handshake"]);
        let producer = hanging().socket_connection_setup_timeout(PATIENCE).build().unwrap();
        producer.bootstrap(Duration::from_millis(200)).unwrap_err();
        let started = Instant::now();
        drop(producer);
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }
}

#[test]
fn a_ready_context_takes_the_place_of_the_options() {
    let world = world();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(pem_to_der(world.authority.root()).into()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let root = native_tls::Certificate::from_pem(world.authority.root().as_bytes()).unwrap();
    let native = native_tls::TlsConnector::builder().add_root_certificate(root).build().unwrap();
    for context in [SslContext::from(Arc::new(config)), SslContext::from(native)] {
        connects(producer("SSL", SslBackend::Rustls).ssl_context(context.clone()), "a ready context");
        assert_says(fails(producer("WRONG", SslBackend::Rustls).ssl_context(context)), &["another name"]);
    }
}

/// Neither an error nor `Debug` output shows a password or a key.
#[test]
fn secrets_are_in_no_error_and_no_debug_output() {
    let world = world();
    let store: PathBuf = world.authority.pkcs12("secret.p12", &world.client, &[]);
    let builder = trusting("EXPIRED", SslBackend::Rustls)
        .ssl_certfile(&store)
        .ssl_keystore_password(PASSWORD)
        .ssl_password(PASSWORD)
        .client_id("secrets");
    let producer = builder.build().unwrap();
    let error = failure(&producer);
    for shown in [format!("{error}"), format!("{error:?}"), format!("{producer:?}")] {
        assert!(!shown.contains(PASSWORD) && !shown.contains("PRIVATE KEY"), "{shown}");
    }
}

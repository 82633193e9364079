//! Logins on a real Kafka: every mechanism, refusals, rotation, and sessions of ten seconds.

#![allow(clippy::disallowed_methods, reason = "a test measures with its own clock")]

mod support;

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use kavka::admin::KafkaAdminClient;
use kavka::config::{AutoOffsetReset, CommonConfig, Credentials, SaslMechanism, SecurityProtocol};
use kavka::net::bridge::IoThread;
use kavka::net::clock::Clock;
use kavka::net::manager::{Manager, NodeId};
use kavka::producer::ProducerBuilder;
use kavka::protocol::messages::CreateDelegationTokenRequest;
use kavka::{Error, ErrorCode, ErrorKind, KafkaConsumer, KafkaProducer, ProducerRecord};
use support::certificates::Authority;
use support::kafka::{Cluster, unique};
use support::kdc::Kdc;
use support::openid::{AUDIENCE, ISSUER, OpenId};
use support::process;

const PATIENCE: Duration = Duration::from_secs(60);

const CLIENT: (&str, &str) = ("kavka", "client-s3cret");

/// A broker with a listener for each way to log in, a Kerberos realm, and an OpenID provider.
struct World {
    cluster: Cluster,
    authority: Authority,
    kdc: Kdc,
    alice: PathBuf,
    openid: OpenId,
    signing_key: PathBuf,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let authority = Authority::new("kavka");
        let kdc = Kdc::start();
        let service = kdc.keytab("kafka/localhost");
        let alice = kdc.keytab("alice");
        let key = authority.rsa_leaf(&["signer"]).key;
        let signing_key = authority.file("signing.pem", &key);
        let openid = OpenId::start(&key, CLIENT);
        let store = authority.file("broker.pem", authority.leaf(&["localhost", "127.0.0.1"]).store());
        let security = "org.apache.kafka.common.security";
        let cluster = Cluster::start(1, |config| {
            config.listener("SASL", "SASL_PLAINTEXT").listener("SECURE", "SASL_SSL");
            config.listener("BEARER", "SASL_PLAINTEXT").listener("OIDC", "SASL_PLAINTEXT");
            config.listener("KERBEROS", "SASL_PLAINTEXT").listener("ETERNAL", "SASL_PLAINTEXT");
            let scram = format!("{security}.scram.ScramLoginModule required;");
            for name in ["sasl", "secure", "eternal"] {
                let key = |rest: &str| format!("listener.name.{name}.{rest}");
                config.set(&key("sasl.enabled.mechanisms"), "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512");
                let plain = format!("{security}.plain.PlainLoginModule required user_alice=\"s3cret\";");
                config.set(&key("plain.sasl.jaas.config"), plain);
                config.set(&key("scram-sha-256.sasl.jaas.config"), &scram);
                config.set(&key("scram-sha-512.sasl.jaas.config"), &scram);
            }
            config.set("listener.name.secure.ssl.keystore.type", "PEM");
            config.set("listener.name.secure.ssl.keystore.location", store.display());
            let bearer = format!("{security}.oauthbearer.OAuthBearerLoginModule required");
            config.set("listener.name.bearer.sasl.enabled.mechanisms", "OAUTHBEARER");
            config.set(
                "listener.name.bearer.oauthbearer.sasl.jaas.config",
                format!("{bearer} unsecuredLoginStringClaim_sub=\"broker\";"),
            );
            let oidc = |rest: &str| format!("listener.name.oidc.{rest}");
            config.set(&oidc("sasl.enabled.mechanisms"), "OAUTHBEARER");
            config.set(&oidc("oauthbearer.sasl.jaas.config"), format!("{bearer};"));
            config.set(
                &oidc("oauthbearer.sasl.server.callback.handler.class"),
                format!("{security}.oauthbearer.OAuthBearerValidatorCallbackHandler"),
            );
            config.set(&oidc("sasl.oauthbearer.jwks.endpoint.url"), openid.keys_url());
            config.set(&oidc("sasl.oauthbearer.expected.audience"), AUDIENCE);
            config.set(&oidc("sasl.oauthbearer.expected.issuer"), ISSUER);
            config.java_option(&format!(
                "-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={}",
                openid.keys_url()
            ));
            config.set("listener.name.kerberos.sasl.enabled.mechanisms", "GSSAPI");
            config.set("listener.name.kerberos.sasl.kerberos.service.name", "kafka");
            config.set(
                "listener.name.kerberos.gssapi.sasl.jaas.config",
                format!(
                    "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true \
                     keyTab=\"{}\" principal=\"kafka/localhost@KAVKA.TEST\";",
                    service.display()
                ),
            );
            config.java_option(&format!("-Djava.security.krb5.conf={}", kdc.config().display()));
            for mechanism in ["256", "512"] {
                config.format_argument("--add-scram");
                config.format_argument(&format!("SCRAM-SHA-{mechanism}=[name=alice,password=s3cret]"));
            }
            // Sessions of ten seconds, but for one listener.
            config.set("connections.max.reauth.ms", 10_000);
            for mechanism in ["plain", "scram-sha-256", "scram-sha-512"] {
                config.set(&format!("listener.name.eternal.{mechanism}.connections.max.reauth.ms"), 0);
            }
            config.set("delegation.token.secret.key", "a secret of the brokers");
        });
        cluster.create_topic("orders", 1, &[]);
        World { cluster, authority, kdc, alice, openid, signing_key }
    })
}

fn producer(listener: &str, mechanism: SaslMechanism) -> ProducerBuilder {
    let world = world();
    let builder = KafkaProducer::builder().bootstrap_servers(world.cluster.listener(listener));
    let builder = if listener == "SECURE" {
        builder.security_protocol(SecurityProtocol::SaslSsl).ssl_cafile(world.authority.root_file())
    } else {
        builder.security_protocol(SecurityProtocol::SaslPlaintext)
    };
    builder.sasl_mechanism(mechanism)
}

fn alice(listener: &str, mechanism: SaslMechanism) -> ProducerBuilder {
    producer(listener, mechanism).sasl_plain_username("alice").sasl_plain_password("s3cret")
}

fn send(producer: &KafkaProducer) -> kavka::Result<i64> {
    let sent = producer.send(ProducerRecord::new("orders").value("paid"))?.get(PATIENCE)?;
    Ok(sent.offset().unwrap_or(-1))
}

const WITH_PASSWORD: [SaslMechanism; 3] =
    [SaslMechanism::Plain, SaslMechanism::ScramSha256, SaslMechanism::ScramSha512];

const UNSECURED: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required \
                         unsecuredLoginStringClaim_sub=\"alice\";";

#[test]
fn passwords_let_in_with_and_without_tls() {
    for listener in ["SASL", "SECURE"] {
        for mechanism in WITH_PASSWORD {
            let producer = alice(listener, mechanism).build().unwrap();
            send(&producer).unwrap_or_else(|error| panic!("{listener} {mechanism}: {error}"));
        }
    }
    let jaas = "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"alice\" password=\"s3cret\";";
    let by_jaas = producer("SASL", SaslMechanism::ScramSha512).set("sasl.jaas.config", jaas).build().unwrap();
    send(&by_jaas).unwrap();
}

#[test]
fn wrong_passwords_and_unknown_users_are_refused_with_the_brokers_words() {
    for mechanism in WITH_PASSWORD {
        for (user, password) in [("alice", "wr0ng"), ("bob", "s3cret"), ("", "")] {
            let told = |error: Error| {
                let text = error.to_string();
                assert_eq!(error.kind(), ErrorKind::Authentication, "{text}");
                assert!(text.contains(mechanism.as_str()) && text.contains("127.0.0.1:"), "{text}");
                let words = text.contains("Authentication failed") || text.contains("invalid credentials");
                assert!(words, "the broker's own words: {text}");
                assert!(!text.contains("wr0ng") && !text.contains("s3cret"), "{text}");
            };
            let builder = producer("SASL", mechanism).sasl_plain_username(user).sasl_plain_password(password);
            told(send(&builder.build().unwrap()).unwrap_err());
        }
    }
    let world = world();
    let mut consumer = KafkaConsumer::builder()
        .bootstrap_servers(world.cluster.listener("SASL"))
        .security_protocol(SecurityProtocol::SaslPlaintext)
        .sasl_mechanism(SaslMechanism::Plain)
        .sasl_plain_username("alice")
        .sasl_plain_password("wr0ng")
        .group_id(unique("refused"))
        .build()
        .unwrap();
    consumer.subscribe(["orders"]).unwrap();
    assert_eq!(consumer.poll(PATIENCE).unwrap_err().kind(), ErrorKind::Authentication);
    let admin = KafkaAdminClient::builder()
        .bootstrap_servers(world.cluster.listener("SASL"))
        .security_protocol(SecurityProtocol::SaslPlaintext)
        .sasl_mechanism(SaslMechanism::Plain)
        .sasl_plain_username("alice")
        .sasl_plain_password("wr0ng")
        .build()
        .unwrap();
    assert_eq!(admin.describe_cluster().unwrap_err().kind(), ErrorKind::Authentication);
}

#[test]
fn mechanisms_that_a_listener_does_not_offer_are_named() {
    let error = send(&alice("BEARER", SaslMechanism::Plain).build().unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert!(error.to_string().contains("does not offer it, but: OAUTHBEARER"), "{error}");
    let error = send(&alice("PLAINTEXT", SaslMechanism::Plain).build().unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
    assert!(error.to_string().contains("has no SASL"), "{error}");
}

/// A connection to the broker for requests that clients have no method for.
fn requests(config: CommonConfig) -> (IoThread<Manager>, Instant) {
    let address = config.servers().remove(0);
    let clock = Clock::system();
    let io = IoThread::start("requests", clock, move |net| {
        let manager = Manager::new(net, &config, "requests")?;
        manager.set_node(NodeId::Bootstrap(0), address);
        Ok(manager)
    });
    (io.unwrap(), clock.deadline(PATIENCE))
}

/// Sets a user's password for SCRAM-SHA-256, as Kafka's own tools do. By a file, whose escapes do not depend on the
/// machine's locale.
fn set_password(user: &str, password: &str) {
    let escaped: String = password.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    let name = format!("{}.properties", unique("password"));
    let file = world().authority.file(&name, format!("SCRAM-SHA-256=iterations=4096,password={escaped}\n"));
    let file = file.display().to_string();
    let arguments = ["--alter", "--entity-type", "users", "--entity-name", user, "--add-config-file", &file];
    world().cluster.tool("kafka.admin.ConfigCommand", &arguments).expect_success("setting a password");
}

/// Sends until it succeeds: brokers learn of a new password a moment later.
#[track_caller]
fn send_in_the_end(producer: &KafkaProducer) {
    let until = Instant::now() + PATIENCE;
    while let Err(error) = send(producer) {
        assert!(Instant::now() < until, "never let in: {error}");
    }
}

#[test]
fn passwords_are_taken_as_kafka_takes_them_and_rotation_heals() {
    // SASLprep would change each of these: a soft hyphen, a ligature, a non-breaking space, a full-width letter.
    for password in ["so\u{ad}ft", "\u{fb01}ne", "a\u{a0}b", "\u{ff21}", "pässwörd"] {
        let user = unique("zoe");
        set_password(&user, password);
        let producer = producer("SASL", SaslMechanism::ScramSha256)
            .sasl_plain_username(&user)
            .sasl_plain_password(password)
            .reconnect_backoff_max(Duration::from_secs(1))
            .build()
            .unwrap();
        send_in_the_end(&producer);
    }

    let user = unique("rotated");
    set_password(&user, "first");
    let current = Arc::new(parking_lot::Mutex::new("first"));
    let (name, password) = (user.clone(), Arc::clone(&current));
    let producer = producer("SASL", SaslMechanism::ScramSha256)
        .sasl_credentials_provider(move || Ok(Credentials::new(name.clone(), *password.lock())))
        .reconnect_backoff_max(Duration::from_secs(1))
        .build()
        .unwrap();
    send_in_the_end(&producer);
    // The session is not renewed with the old password, and the program is told.
    set_password(&user, "second");
    let until = Instant::now() + PATIENCE;
    let error = loop {
        match send(&producer) {
            Err(error) if error.kind() == ErrorKind::Authentication => break error,
            Ok(_) => {}
            Err(error) => assert!(error.is_retriable(), "{error}"),
        }
        assert!(Instant::now() < until, "the old password is still taken");
    };
    assert_eq!(error.code(), Some(ErrorCode::SASL_AUTHENTICATION_FAILED), "{error}");
    *current.lock() = "second";
    send_in_the_end(&producer);
}

#[test]
fn delegation_tokens_log_in() {
    let mut config = CommonConfig::default();
    config.bootstrap_servers = vec![world().cluster.listener("SASL")];
    config.security_protocol = SecurityProtocol::SaslPlaintext;
    config.sasl_mechanism = Some(SaslMechanism::ScramSha512);
    config.sasl_plain_username = Some("alice".to_owned());
    config.sasl_plain_password = Some(kavka::config::Secret::new("s3cret"));
    let (io, deadline) = requests(config);
    let created = io.run(deadline, "a token", |manager| async move {
        let request = CreateDelegationTokenRequest { max_lifetime_ms: -1, ..Default::default() };
        manager.send(NodeId::Bootstrap(0), &request).await
    });
    let created = created.unwrap();
    assert_eq!(created.error_code, ErrorCode::NONE);
    let hmac = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &created.hmac);
    let until = Instant::now() + PATIENCE;
    // The brokers learn of a token a moment later.
    loop {
        let producer = producer("SASL", SaslMechanism::ScramSha256)
            .sasl_plain_username(&created.token_id)
            .sasl_plain_password(hmac.as_str())
            .sasl_scram_token_auth(true)
            .build()
            .unwrap();
        match send(&producer) {
            Ok(_) => break,
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
    }
}

#[test]
fn tokens_let_in_unsecured_from_an_openid_provider_and_by_assertion() {
    let world = world();
    let unsecured =
        producer("BEARER", SaslMechanism::OAuthBearer).set("sasl.jaas.config", UNSECURED).build().unwrap();
    send(&unsecured).unwrap();

    let oidc = || {
        producer("OIDC", SaslMechanism::OAuthBearer)
            .set("sasl.oauthbearer.token.endpoint.url", &world.openid.token_url())
            .sasl_oauthbearer_scope("produce")
    };
    let with_secret = |secret: &str| {
        oidc()
            .sasl_oauthbearer_client_credentials_client_id(CLIENT.0)
            .sasl_oauthbearer_client_credentials_client_secret(secret)
            .build()
            .unwrap()
    };
    let before = world.openid.given.load(Ordering::Relaxed);
    let client = with_secret(CLIENT.1);
    send(&client).unwrap();
    send(&client).unwrap();
    // One token for the bootstrap connection and the broker's.
    assert_eq!(world.openid.given.load(Ordering::Relaxed), before + 1);

    let error = send(&with_secret("wr0ng")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
    let text = error.to_string();
    assert!(text.contains("401") && text.contains("unknown client or wrong secret"), "{text}");
    assert!(!text.contains("wr0ng"), "{text}");

    let assertion = oidc()
        .sasl_oauthbearer_assertion_private_key_file(world.signing_key.display().to_string().as_str())
        .sasl_oauthbearer_assertion_claim_sub("alice")
        .sasl_oauthbearer_assertion_claim_jti_include(true)
        .build()
        .unwrap();
    send(&assertion).unwrap();

    // A token of another issuer is refused by the broker, in its words.
    let stranger = producer("OIDC", SaslMechanism::OAuthBearer)
        .sasl_oauth_token_provider(|| {
            Ok(kavka::config::OAuthToken::new("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."))
        })
        .build()
        .unwrap();
    let error = send(&stranger).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
    assert!(error.to_string().contains("OAUTHBEARER"), "{error}");
}

/// Kerberos takes its configuration from the environment, so a program of its own has to log in.
fn with_kerberos(keytab: &str, principal: &str) -> process::Output {
    let world = world();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kavka"));
    command.args(["producer", "-b", &world.cluster.listener("KERBEROS"), "-t", "orders"]);
    for property in [
        "security.protocol=SASL_PLAINTEXT",
        "sasl.mechanism=GSSAPI",
        "sasl.kerberos.domain.name=localhost",
        &format!("sasl.kerberos.keytab={keytab}"),
        &format!("sasl.kerberos.principal={principal}"),
        "max.block.ms=20000",
    ] {
        command.args(["-C", property]);
    }
    world.kdc.set_environment(&mut command);
    command.env("KRB5CCNAME", format!("FILE:{}.{}", world.alice.display(), unique("cache")));
    process::run(&mut command, b"paid\n", PATIENCE)
}

#[test]
fn kerberos_lets_in_who_has_a_key() {
    let keytab = world().alice.display().to_string();
    with_kerberos(&keytab, "alice").expect_success("a producer with Kerberos");
    let refused = with_kerberos(&keytab, "bob");
    assert!(!refused.success);
    assert!(refused.stderr.contains("GSSAPI") && refused.stderr.contains("kinit"), "{}", refused.stderr);
}

/// How long the traffic under renewed sessions lasts.
fn soak() -> Duration {
    let seconds = std::env::var("KAVKA_SOAK_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(25))
}

#[test]
fn sessions_of_ten_seconds_are_renewed_under_traffic_and_nothing_fails() {
    let logins = Arc::new(AtomicUsize::new(0));
    let counted = |mechanism| {
        let logins = Arc::clone(&logins);
        producer("SASL", mechanism).sasl_credentials_provider(move || {
            logins.fetch_add(1, Ordering::Relaxed);
            Ok(Credentials::new("alice", "s3cret"))
        })
    };
    let mut producers: Vec<KafkaProducer> =
        WITH_PASSWORD.into_iter().map(|mechanism| counted(mechanism).build().unwrap()).collect();
    let secure = alice("SECURE", SaslMechanism::ScramSha256);
    let bearer = producer("BEARER", SaslMechanism::OAuthBearer).set("sasl.jaas.config", UNSECURED);
    producers.extend([secure.build().unwrap(), bearer.build().unwrap()]);
    let topic = unique("renewed");
    world().cluster.create_topic(&topic, 1, &[]);
    let began = Instant::now();
    let sent = thread::scope(|scope| {
        let sending: Vec<_> = producers
            .iter()
            .map(|producer| {
                let topic = topic.as_str();
                scope.spawn(move || {
                    let mut sent = 0;
                    while began.elapsed() < soak() {
                        let record = ProducerRecord::new(topic).value("x");
                        producer.send(record).unwrap().get(PATIENCE).unwrap();
                        sent += 1;
                    }
                    sent
                })
            })
            .collect();
        let mut consumer = KafkaConsumer::builder()
            .bootstrap_servers(world().cluster.listener("SASL"))
            .security_protocol(SecurityProtocol::SaslPlaintext)
            .sasl_mechanism(SaslMechanism::ScramSha512)
            .sasl_plain_username("alice")
            .sasl_plain_password("s3cret")
            .group_id(unique("renewed"))
            .auto_offset_reset(AutoOffsetReset::Earliest)
            .build()
            .unwrap();
        consumer.subscribe([topic.as_str()]).unwrap();
        let mut read = 0;
        while began.elapsed() < soak() {
            read += consumer.poll(Duration::from_millis(100)).unwrap().len();
        }
        let sent: usize = sending.into_iter().map(|thread| thread.join().unwrap()).sum();
        while read < sent {
            assert!(began.elapsed() < soak() + PATIENCE, "{read} of {sent}");
            read += consumer.poll(Duration::from_millis(100)).unwrap().len();
        }
        assert_eq!(read, sent);
        sent
    });
    let logins = logins.load(Ordering::Relaxed);
    println!("{sent} records in {:?}, {logins} logins of three producers", began.elapsed());
    // Two connections each, and a renewal of the busy one every 8.5 to 9.5 s.
    let renewals = usize::try_from(soak().as_secs()).unwrap() / 10;
    assert!(logins >= 3 * (1 + renewals), "{logins} logins in {:?}", soak());
}

#[test]
fn a_listener_without_a_limit_renews_nothing() {
    let logins = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&logins);
    let producer = producer("ETERNAL", SaslMechanism::Plain)
        .sasl_credentials_provider(move || {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(Credentials::new("alice", "s3cret"))
        })
        .build()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(12);
    while Instant::now() < until {
        send(&producer).unwrap();
        thread::sleep(Duration::from_millis(50));
    }
    assert!(logins.load(Ordering::Relaxed) <= 2, "{logins:?} logins");
}

//! Logins on the mock cluster: every way in, refusals, rotation, and sessions that end.

#![allow(clippy::disallowed_methods, reason = "a test measures with its own clock")]

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use kavka::admin::KafkaAdminClient;
use kavka::config::{
    AutoOffsetReset, AwsCredentials, CommonConfig, Credentials, GroupProtocol, OAuthToken, SaslMechanism,
    SecurityProtocol,
};
use kavka::mock::{MockCluster, MockSasl, VersionTable};
use kavka::net::bridge::IoThread;
use kavka::net::clock::Clock;
use kavka::net::manager::{Manager, NodeId};
use kavka::net::sasl::{Exchange, Mechanism, Peer, Reply};
use kavka::producer::ProducerBuilder;
use kavka::protocol::ApiKey;
use kavka::protocol::messages::MetadataRequest;
use kavka::{Error, ErrorCode, ErrorKind, KafkaConsumer, KafkaProducer, ProducerRecord, TopicPartition};
use parking_lot::Mutex;

const PATIENCE: Duration = Duration::from_secs(20);

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn users() -> MockSasl {
    MockSasl::new().user("alice", "s3cret").token("t0ken")
}

fn cluster(sasl: MockSasl) -> MockCluster {
    MockCluster::builder().topic("orders", 1).sasl(sasl).start().unwrap()
}

fn producer(cluster: &MockCluster, mechanism: SaslMechanism) -> ProducerBuilder {
    KafkaProducer::builder()
        .bootstrap_servers(cluster.bootstrap_servers())
        .security_protocol(SecurityProtocol::SaslPlaintext)
        .sasl_mechanism(mechanism)
}

fn alice(cluster: &MockCluster, mechanism: SaslMechanism, password: &str) -> KafkaProducer {
    producer(cluster, mechanism).sasl_plain_username("alice").sasl_plain_password(password).build().unwrap()
}

fn send(producer: &KafkaProducer) -> kavka::Result<i64> {
    let sent = producer.send(ProducerRecord::new("orders").value("paid"))?.get(PATIENCE)?;
    Ok(sent.offset().unwrap_or(-1))
}

#[track_caller]
fn assert_refused(error: &Error, words: &[&str]) {
    assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
    assert!(!error.is_retriable(), "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "{word:?} is not in: {error}");
    }
}

#[test]
fn every_mechanism_lets_the_right_ones_in() {
    let cluster = cluster(users());
    for mechanism in [SaslMechanism::Plain, SaslMechanism::ScramSha256, SaslMechanism::ScramSha512] {
        let producer = alice(&cluster, mechanism, "s3cret");
        send(&producer).unwrap_or_else(|error| panic!("{mechanism}: {error}"));
    }
    let provider = || Ok(OAuthToken::new("t0ken"));
    let bearer =
        producer(&cluster, SaslMechanism::OAuthBearer).sasl_oauth_token_provider(provider).build().unwrap();
    send(&bearer).unwrap();
}

#[test]
fn brokers_before_1_0_take_bare_messages() {
    for (versions, authenticates) in [
        (VersionTable::kafka_0_10_0(), false),
        (VersionTable::kafka_0_11(), false),
        (VersionTable::kafka_1_1(), true),
        (VersionTable::kafka_2_8(), true),
    ] {
        let cluster =
            MockCluster::builder().topic("orders", 1).versions(versions).sasl(users()).start().unwrap();
        for mechanism in [SaslMechanism::Plain, SaslMechanism::ScramSha256] {
            send(&alice(&cluster, mechanism, "s3cret")).unwrap();
        }
        assert_eq!(cluster.request_count(ApiKey::SASL_AUTHENTICATE) > 0, authenticates);
    }
    let old = MockCluster::builder().versions(VersionTable::kafka_0_11()).sasl(users()).start().unwrap();
    let refused = KafkaProducer::builder()
        .bootstrap_servers(old.bootstrap_servers())
        .security_protocol(SecurityProtocol::SaslPlaintext)
        .sasl_mechanism(SaslMechanism::Plain)
        .sasl_plain_username("alice")
        .sasl_plain_password("wrong")
        .max_block(ms(500))
        .build()
        .unwrap();
    let error = refused.send(ProducerRecord::new("orders").value("x")).unwrap_err();
    assert!(
        error.to_string().contains("refuse the credentials"),
        "the closed connection is explained: {error}"
    );
}

#[test]
fn a_refusal_reaches_every_client_at_once_with_the_brokers_words() {
    let cluster = cluster(users());
    for mechanism in [SaslMechanism::Plain, SaslMechanism::ScramSha256, SaslMechanism::ScramSha512] {
        let words = [mechanism.as_str(), "invalid", &cluster.bootstrap_servers()].map(str::to_owned);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let lower = |error: Error| {
            assert_eq!(error.code(), Some(ErrorCode::SASL_AUTHENTICATION_FAILED));
            assert!(error.to_string().to_lowercase().contains(words[1]), "{error}");
            assert_refused(&error, &[words[0], words[2]]);
        };
        let producer = alice(&cluster, mechanism, "wrong");
        lower(producer.send(ProducerRecord::new("orders").value("x")).unwrap_err());
        lower(producer.bootstrap(PATIENCE).unwrap_err());
        lower(producer.partitions_for("orders").unwrap_err());
        let consumer = || {
            KafkaConsumer::builder()
                .bootstrap_servers(cluster.bootstrap_servers())
                .security_protocol(SecurityProtocol::SaslPlaintext)
                .sasl_mechanism(mechanism)
                .sasl_plain_username("alice")
                .sasl_plain_password("wrong")
                .auto_offset_reset(AutoOffsetReset::Earliest)
        };
        let mut member = consumer().group_id("g").build().unwrap();
        member.subscribe(["orders"]).unwrap();
        lower(member.poll(PATIENCE).unwrap_err());
        lower(member.poll(PATIENCE).unwrap_err());
        let mut alone = consumer().build().unwrap();
        alone.assign([TopicPartition::new("orders", 0)]).unwrap();
        lower(alone.poll(PATIENCE).unwrap_err());
        let admin = KafkaAdminClient::builder()
            .bootstrap_servers(cluster.bootstrap_servers())
            .security_protocol(SecurityProtocol::SaslPlaintext)
            .sasl_mechanism(mechanism)
            .sasl_plain_username("alice")
            .sasl_plain_password("wrong")
            .build()
            .unwrap();
        lower(admin.describe_cluster().unwrap_err());
        lower(admin.describe_cluster().unwrap_err());
    }
}

#[test]
fn refused_logins_are_not_tried_in_a_storm_and_heal() {
    let cluster = cluster(users());
    let password = Arc::new(Mutex::new("wrong"));
    let asked = Arc::new(AtomicUsize::new(0));
    let (now, count) = (Arc::clone(&password), Arc::clone(&asked));
    let provider = move || {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(Credentials::new("alice", *now.lock()))
    };
    let producer = producer(&cluster, SaslMechanism::ScramSha256)
        .sasl_credentials_provider(provider)
        .reconnect_backoff(ms(100))
        .reconnect_backoff_max(ms(400))
        .build()
        .unwrap();
    let until = Instant::now() + ms(2000);
    let mut calls = 0;
    while Instant::now() < until {
        assert_refused(&producer.send(ProducerRecord::new("orders").value("x")).unwrap_err(), &["SCRAM"]);
        calls += 1;
    }
    // 100, 200, then 400 ms apart, each a fifth shorter at the least.
    let attempts = asked.load(Ordering::Relaxed);
    assert!((2..=9).contains(&attempts), "{attempts} attempts in 2 s");
    assert!(calls >= 2, "{calls} calls: each is told soon, due or not");

    *password.lock() = "s3cret";
    let until = Instant::now() + PATIENCE;
    while let Err(error) = send(&producer) {
        assert_refused(&error, &["SCRAM"]);
        assert!(Instant::now() < until, "never healed: {error}");
    }
    let metrics = producer.metrics();
    let metric = |name| metrics.get("producer-metrics", name).unwrap();
    assert!(metric("failed-authentication-total") >= f64::from(u32::try_from(attempts).unwrap()));
    assert!(metric("successful-authentication-no-reauth-total") >= 1.0);
}

#[test]
fn a_password_that_stops_being_valid_fails_what_waits_for_the_leader() {
    let cluster = cluster(users());
    let producer = alice(&cluster, SaslMechanism::Plain, "s3cret");
    send(&producer).unwrap();
    cluster.set_sasl(MockSasl::new().user("alice", "changed"));
    cluster.kill(1).unwrap();
    cluster.restart(1).unwrap();
    let until = Instant::now() + PATIENCE;
    let error = loop {
        // The lost connection may cost some time; the refusal ends the wait of what was taken already.
        match send(&producer) {
            Ok(_) => panic!("the old password was taken"),
            Err(error) if error.kind() == ErrorKind::Authentication => break error,
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
    };
    assert_refused(&error, &["PLAIN", "Invalid username or password"]);
    cluster.set_sasl(users());
    let until = Instant::now() + PATIENCE;
    while let Err(error) = send(&producer) {
        assert!(Instant::now() < until, "never healed: {error}");
    }
}

#[test]
fn sessions_are_renewed_under_traffic_and_nothing_fails() {
    let cluster = cluster(users().session_lifetime(ms(1200)));
    let refreshed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&refreshed);
    let bearer = producer(&cluster, SaslMechanism::OAuthBearer)
        .sasl_oauth_token_provider(move || {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(OAuthToken::new("t0ken"))
        })
        .build()
        .unwrap();
    let producers = [
        alice(&cluster, SaslMechanism::Plain, "s3cret"),
        alice(&cluster, SaslMechanism::ScramSha256, "s3cret"),
        alice(&cluster, SaslMechanism::ScramSha512, "s3cret"),
        bearer,
    ];
    let mut consumer = KafkaConsumer::builder()
        .bootstrap_servers(cluster.bootstrap_servers())
        .security_protocol(SecurityProtocol::SaslPlaintext)
        .sasl_mechanism(SaslMechanism::ScramSha512)
        .sasl_plain_username("alice")
        .sasl_plain_password("s3cret")
        .group_id("g")
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .build()
        .unwrap();
    consumer.subscribe(["orders"]).unwrap();
    let until = Instant::now() + PATIENCE * 2;
    let (mut sent, mut read) = (0, 0);
    while refreshed.load(Ordering::Relaxed) < 6 {
        assert!(Instant::now() < until, "{refreshed:?} logins with tokens");
        for producer in &producers {
            send(producer).unwrap();
            sent += 1;
        }
        read += consumer.poll(ms(1)).unwrap().len();
    }
    let last = Instant::now() + PATIENCE;
    while read < sent {
        assert!(Instant::now() < last, "{read} of {sent}");
        read += consumer.poll(ms(50)).unwrap().len();
    }
    assert_eq!(read, sent);
    // Sessions were renewed, and connections not made anew for it.
    let mut handshakes = HashMap::new();
    for request in cluster.requests_of(ApiKey::SASL_HANDSHAKE) {
        *handshakes.entry(request.connection).or_insert(0) += 1;
    }
    assert!(handshakes.values().any(|count| *count >= 3), "{handshakes:?}");
    let metrics = producers[0].metrics();
    let metric = |name| metrics.get("producer-metrics", name).unwrap();
    assert!(metric("successful-authentication-total") >= 1.0);
    assert!(metric("successful-reauthentication-total") >= 1.0);
    assert!(metric("reauthentication-latency-max") >= 0.0);
    assert_eq!(metric("successful-authentication-no-reauth-total"), 0.0, "they all end");
    assert_eq!(metric("failed-reauthentication-total"), 0.0);
}

#[test]
fn a_slow_provider_does_not_hold_up_traffic() {
    let cluster = cluster(users().session_lifetime(ms(1500)));
    let logins = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&logins);
    let producer = producer(&cluster, SaslMechanism::OAuthBearer)
        .sasl_oauth_token_provider(move || {
            let number = count.fetch_add(1, Ordering::Relaxed);
            // The first renewals fail, and all of them are slow.
            thread::sleep(ms(if number < 2 { 0 } else { 40 }));
            if number == 3 {
                return Err(Error::new(ErrorKind::Connection, "the token server is away"));
            }
            Ok(OAuthToken::new("t0ken"))
        })
        .build()
        .unwrap();
    send(&producer).unwrap();
    let until = Instant::now() + PATIENCE * 2;
    while logins.load(Ordering::Relaxed) < 5 {
        assert!(Instant::now() < until, "{logins:?} logins");
        send(&producer).unwrap();
    }
}

/// A connection that needs a token waits for its provider, and the member's heartbeats do not.
#[test]
fn a_slow_provider_does_not_cost_a_member_its_seat() {
    let session = ms(1500);
    thread::scope(|scope| {
        for protocol in [GroupProtocol::Classic, GroupProtocol::Consumer] {
            scope.spawn(move || {
                let cluster = MockCluster::builder()
                    .brokers(2)
                    .topic("orders", 1)
                    .sasl(users())
                    .consumer_group_timeouts(ms(50), session)
                    .start()
                    .unwrap();
                let coordinator = cluster.coordinator("g").unwrap();
                cluster.move_leader("orders", 0, 3 - coordinator).unwrap();
                let (is_slow, slow) = (Arc::new(Mutex::new(false)), Arc::new(AtomicUsize::new(0)));
                let (asked, count) = (Arc::clone(&is_slow), Arc::clone(&slow));
                let mut builder = KafkaConsumer::builder()
                    .bootstrap_servers(cluster.bootstrap_servers())
                    .security_protocol(SecurityProtocol::SaslPlaintext)
                    .sasl_mechanism(SaslMechanism::OAuthBearer)
                    .sasl_oauth_token_provider(move || {
                        if *asked.lock() {
                            // Twice it takes longer than a session, and fails.
                            if count.fetch_add(1, Ordering::Relaxed) < 2 {
                                thread::sleep(session * 2);
                                return Err(Error::new(ErrorKind::Connection, "the token server is away"));
                            }
                        }
                        Ok(OAuthToken::new("t0ken"))
                    })
                    .group_id("g")
                    .group_protocol(protocol)
                    .auto_offset_reset(AutoOffsetReset::Earliest)
                    .reconnect_backoff(ms(10))
                    .reconnect_backoff_max(ms(50));
                if protocol == GroupProtocol::Classic {
                    builder = builder.session_timeout(session).heartbeat_interval(ms(50));
                }
                let mut consumer = builder.build().unwrap();
                consumer.subscribe(["orders"]).unwrap();
                let deadline = Instant::now() + PATIENCE;
                while consumer.assignment().is_empty() {
                    assert!(Instant::now() < deadline);
                    consumer.poll(ms(20)).unwrap();
                }
                let id = consumer.group_metadata().member_id;
                *is_slow.lock() = true;
                cluster.append("orders", 0, [("", "x")]).unwrap();
                while consumer.poll(ms(20)).unwrap().is_empty() {
                    assert!(Instant::now() < deadline);
                }
                // The coordinator's connection stays.
                cluster.disconnect(3 - coordinator).unwrap();
                cluster.append("orders", 0, [("", "y")]).unwrap();
                cluster.clear_requests();
                let deadline = Instant::now() + PATIENCE * 2;
                let mut errors = Vec::new();
                loop {
                    assert!(Instant::now() < deadline, "{protocol:?}: {errors:?}");
                    match consumer.poll(ms(20)) {
                        Ok(records) if records.is_empty() => {}
                        Ok(_) => break,
                        Err(error) => errors.push(error.to_string()),
                    }
                }
                assert!(slow.load(Ordering::Relaxed) >= 2, "{protocol:?}");
                assert!(errors.iter().all(|error| error.contains("the token server is away")), "{errors:?}");
                let beats = cluster.request_count(ApiKey::HEARTBEAT)
                    + cluster.request_count(ApiKey::CONSUMER_GROUP_HEARTBEAT);
                assert!(beats >= 5, "{protocol:?}: {beats} heartbeats");
                assert_eq!(consumer.group_metadata().member_id, id, "{protocol:?}");
                assert_eq!(cluster.group_members("g"), [id], "{protocol:?}");
            });
        }
    });
}

#[test]
fn a_providers_error_is_told() {
    let cluster = cluster(users());
    let producer = producer(&cluster, SaslMechanism::OAuthBearer)
        .sasl_oauth_token_provider(|| Err(Error::new(ErrorKind::IllegalState, "the vault is sealed")))
        .build()
        .unwrap();
    let error = producer.send(ProducerRecord::new("orders").value("x")).unwrap_err();
    assert_refused(&error, &["OAUTHBEARER", "the vault is sealed"]);
}

#[test]
fn mechanisms_and_listeners_that_do_not_fit_are_named() {
    let scram_only = cluster(users().mechanisms([SaslMechanism::ScramSha512]));
    let error = send(&alice(&scram_only, SaslMechanism::Plain, "s3cret")).unwrap_err();
    assert_refused(&error, &["PLAIN", "does not offer it, but: SCRAM-SHA-512"]);

    let without = MockCluster::builder().topic("orders", 1).start().unwrap();
    let error = send(&alice(&without, SaslMechanism::Plain, "s3cret")).unwrap_err();
    assert_refused(&error, &["has no SASL"]);
}

#[test]
fn no_secret_is_ever_shown() {
    let log = Log::start();
    let cluster = cluster(MockSasl::new().user("alice", "hush-0-password").token("hush-1-token"));
    let mut shown = Vec::new();
    let mut tried = |builder: ProducerBuilder| {
        let built = builder.max_block(ms(3000)).build();
        shown.push(format!("{built:?}"));
        if let Ok(producer) = built {
            shown.push(format!("{:?}", producer.config()));
            let outcome = send(&producer);
            shown.push(match outcome {
                Ok(_) => String::new(),
                Err(error) => format!("{error} {error:?} {:?}", std::error::Error::source(&error)),
            });
        }
    };
    for mechanism in [SaslMechanism::Plain, SaslMechanism::ScramSha256, SaslMechanism::ScramSha512] {
        for password in ["hush-0-password", "hush-2-password"] {
            tried(producer(&cluster, mechanism).sasl_plain_username("alice").sasl_plain_password(password));
        }
        tried(
            producer(&cluster, mechanism).set("sasl.jaas.config", "x.Y required password=\"hush-4-jaas\";"),
        );
    }
    for token in ["hush-1-token", "hush-3-token", "hush-3-token\u{1}"] {
        tried(
            producer(&cluster, SaslMechanism::OAuthBearer)
                .sasl_oauth_token_provider(move || Ok(OAuthToken::new(token))),
        );
    }
    let key = || Ok(AwsCredentials::new("AKIDEXAMPLE", "hush-5-key").session_token("hush-6-session"));
    tried(
        producer(&cluster, SaslMechanism::AwsMskIam)
            .sasl_aws_credentials_provider(key)
            .sasl_aws_region("x-1"),
    );
    tried(
        producer(&cluster, SaslMechanism::OAuthBearer)
            .set("sasl.oauthbearer.token.endpoint.url", "http://127.0.0.1:1/")
            .sasl_oauthbearer_client_credentials_client_id("me")
            .sasl_oauthbearer_client_credentials_client_secret("hush-7-client"),
    );
    shown.extend(log.lines());
    assert!(shown.iter().any(|line| line.contains("SaslAuthenticate")), "the log has the logins in it");
    for line in &shown {
        // As it is, and as the protocols write it.
        assert!(!line.contains("hush-") && !line.contains("aHVzaC"), "{line}");
    }
}

/// Everything that is logged, at any level.
struct Log;

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl Log {
    fn start() -> Self {
        static LOGGER: Log = Log;
        log::set_logger(&LOGGER).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
        Self
    }

    fn lines(&self) -> Vec<String> {
        LINES.lock().clone()
    }
}

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        LINES.lock().push(format!("{} {} {}", record.level(), record.target(), record.args()));
    }

    fn flush(&self) {}
}

/// PLAIN, as a program would write it.
struct Own;

impl Mechanism for Own {
    fn name(&self) -> &str {
        "PLAIN"
    }

    fn begin(&self, peer: &Peer) -> kavka::Result<Box<dyn Exchange>> {
        assert_eq!(peer.host, "127.0.0.1");
        Ok(Box::new(Own))
    }
}

impl Exchange for Own {
    fn respond(&mut self, challenge: Option<&[u8]>) -> kavka::Result<Reply> {
        Ok(challenge.map_or_else(|| Reply::Send("\0alice\0s3cret".into()), |_| Reply::Done))
    }
}

#[test]
fn a_program_logs_in_by_a_mechanism_of_its_own() {
    let cluster = cluster(users());
    let io = pool(&cluster, Some(Arc::new(Own)));
    let deadline = Clock::system().deadline(PATIENCE);
    let metadata = io.run(deadline, "metadata", |manager| async move {
        manager.send(NodeId::Bootstrap(0), &MetadataRequest::default()).await
    });
    assert_eq!(metadata.unwrap().brokers.len(), 1);
}

/// A pool of connections whose first one is to the only broker of a cluster.
fn pool(cluster: &MockCluster, login: Option<Arc<dyn Mechanism>>) -> IoThread<Manager> {
    let address = cluster.bootstrap_servers().parse().unwrap();
    IoThread::start("pool", Clock::system(), move |net| {
        let manager = Manager::new(net, &CommonConfig::default(), "pool")?;
        if let Some(login) = login {
            manager.log_in_with(login);
        }
        manager.set_node(NodeId::Bootstrap(0), address);
        Ok(manager)
    })
    .unwrap()
}

/// A connection that is not in use yet takes small answers only; the first answer after that may be of any size.
#[test]
fn the_first_answer_on_a_fresh_connection_may_be_large() {
    for with_login in [false, true] {
        let mut builder = MockCluster::builder();
        for number in 0..4500 {
            builder = builder.topic(format!("{number:0>240}"), 1);
        }
        let login: Option<Arc<dyn Mechanism>> = if with_login { Some(Arc::new(Own)) } else { None };
        let builder = if with_login { builder.sasl(users()) } else { builder };
        let cluster = builder.start().unwrap();
        let io = pool(&cluster, login);
        let answer = io.run(Instant::now() + PATIENCE, "metadata", |manager| async move {
            let everything = MetadataRequest { topics: None, ..MetadataRequest::default() };
            manager.send(NodeId::Bootstrap(0), &everything).await
        });
        assert_eq!(answer.unwrap_or_else(|error| panic!("login: {with_login}: {error}")).topics.len(), 4500);
        assert_eq!(cluster.request_count(ApiKey::METADATA), 1, "it was the first try");
    }
}

#[test]
fn a_request_that_a_renewal_holds_back_too_long_is_named() {
    let cluster = cluster(users().session_lifetime(ms(1000)));
    let io = pool(&cluster, Some(Arc::new(Own)));
    let connect =
        |manager: Rc<Manager>| async move { manager.connection(NodeId::Bootstrap(0)).await.map(drop) };
    io.run(Instant::now() + PATIENCE, "connect", connect).unwrap();
    let logins = cluster.request_count(ApiKey::SASL_HANDSHAKE);
    cluster.on(ApiKey::SASL_HANDSHAKE).never_answer();
    let until = Instant::now() + PATIENCE;
    while cluster.request_count(ApiKey::SASL_HANDSHAKE) == logins {
        assert!(Instant::now() < until, "the session is not renewed");
        thread::sleep(ms(5));
    }
    let error = io
        .run(Instant::now() + PATIENCE, "metadata", |manager| async move {
            let connection = manager.connection(NodeId::Bootstrap(0)).await?;
            connection.start(&MetadataRequest::default(), 9, ms(100))?.await
        })
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(error.to_string().contains("no answer to Metadata to node"), "{error}");
    assert!(error.to_string().contains("held back"), "{error}");
}

//! Tests of the options: defaults, bounds, types, clashes, names, and the builders' side of the tables.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "the tables make a public method for every option, used here or not"
)]

use std::collections::BTreeSet;

use super::tables::*;
use super::*;
use crate::{ErrorKind, Result};

#[derive(Default)]
struct ProducerBuilder {
    config: ProducerConfig,
    faults: Faults,
}

impl ProducerBuilder {
    common_options!(builder_methods!(CommonConfig));
    producer_options!(builder_methods!(ProducerConfig));
    string_methods!();

    fn build(self) -> Result<ProducerConfig> {
        self.config.finish(self.faults)
    }
}

#[derive(Default)]
struct ConsumerBuilder {
    config: ConsumerConfig,
    faults: Faults,
}

impl ConsumerBuilder {
    common_options!(builder_methods!(CommonConfig));
    consumer_options!(builder_methods!(ConsumerConfig));
    string_methods!();

    fn build(self) -> Result<ConsumerConfig> {
        self.config.finish(self.faults)
    }
}

#[derive(Default)]
struct AdminBuilder {
    config: AdminConfig,
    faults: Faults,
}

impl AdminBuilder {
    common_options!(builder_methods!(CommonConfig));
    admin_options!(builder_methods!(AdminConfig));
    string_methods!();

    fn build(self) -> Result<AdminConfig> {
        self.config.finish(self.faults)
    }
}

fn producer() -> ProducerBuilder {
    ProducerBuilder::default()
}

fn consumer() -> ConsumerBuilder {
    ConsumerBuilder::default()
}

/// The text of the one error of a `build()` that has to fail.
fn refusal<T>(result: Result<T>) -> String {
    match result {
        Ok(_) => panic!("the configuration was taken"),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Configuration);
            error.to_string()
        }
    }
}

fn set(client: Client, key: &str, value: &str) -> Result<()> {
    match client {
        Client::Producer => ProducerConfig::default().set(key, value),
        Client::Consumer => ConsumerConfig::default().set(key, value),
        Client::Admin => AdminConfig::default().set(key, value),
    }
}

fn set_and_check(client: Client, key: &str, value: &str) -> Result<Vec<String>> {
    let mut faults = Faults::new();
    match client {
        Client::Producer => {
            let mut config = ProducerConfig::default();
            config.set(key, value)?;
            config.check(&mut faults);
        }
        Client::Consumer => {
            let mut config = ConsumerConfig::default();
            config.set(key, value)?;
            config.check(&mut faults);
        }
        Client::Admin => {
            let mut config = AdminConfig::default();
            config.set(key, value)?;
            config.check(&mut faults);
        }
    }
    Ok(faults.iter().map(str::to_owned).collect())
}

/// Property and default of every option, written down a second time, so that none changes by accident.
const COMMON: &[(&str, &str)] = &[
    ("bootstrap.servers", "localhost:9092"),
    ("client.id", ""),
    ("request.timeout.ms", "30000"),
    ("default.api.timeout.ms", "60000"),
    ("drop.timeout.ms", "1000"),
    ("connections.max.idle.ms", "540000"),
    ("reconnect.backoff.ms", "50"),
    ("reconnect.backoff.max.ms", "30000"),
    ("retry.backoff.ms", "100"),
    ("retry.backoff.max.ms", "1000"),
    ("socket.connection.setup.timeout.ms", "10000"),
    ("socket.connection.setup.timeout.max.ms", "30000"),
    ("metadata.max.age.ms", "300000"),
    ("metadata.recovery.strategy", "rebootstrap"),
    ("metadata.recovery.rebootstrap.trigger.ms", "300000"),
    ("client.dns.lookup", "use_all_dns_ips"),
    ("proxy.url", ""),
    ("security.protocol", "PLAINTEXT"),
    ("ssl.backend", ""),
    ("ssl.truststore.location", ""),
    ("ssl.truststore.certificates", ""),
    ("ssl.truststore.type", ""),
    ("ssl.truststore.password", ""),
    ("ssl.keystore.location", ""),
    ("ssl.keystore.certificate.chain", ""),
    ("ssl.key.location", ""),
    ("ssl.keystore.key", ""),
    ("ssl.keystore.type", ""),
    ("ssl.keystore.password", ""),
    ("ssl.key.password", ""),
    ("ssl.endpoint.identification.algorithm", "https"),
    ("ssl.verify", "true"),
    ("ssl.server.name", ""),
    ("ssl.crl.location", ""),
    ("ssl.cipher.suites", ""),
    ("ssl.protocol", "TLSv1.3"),
    ("ssl.enabled.protocols", "TLSv1.2,TLSv1.3"),
    ("sasl.mechanism", ""),
    ("sasl.plain.username", ""),
    ("sasl.plain.password", ""),
    ("sasl.credentials.provider", ""),
    ("sasl.scram.token.auth", "false"),
    ("sasl.jaas.config", ""),
    ("sasl.kerberos.service.name", "kafka"),
    ("sasl.kerberos.domain.name", ""),
    ("sasl.kerberos.name", ""),
    ("sasl.kerberos.principal", ""),
    ("sasl.kerberos.keytab", ""),
    ("sasl.kerberos.kinit.cmd", "kinit"),
    ("sasl.oauth.token.provider", ""),
    ("sasl.oauthbearer.token.endpoint.url", ""),
    ("sasl.oauthbearer.client.credentials.client.id", ""),
    ("sasl.oauthbearer.client.credentials.client.secret", ""),
    ("sasl.oauthbearer.scope", ""),
    ("sasl.oauthbearer.header.urlencode", "false"),
    ("sasl.oauthbearer.assertion.file", ""),
    ("sasl.oauthbearer.assertion.private.key.file", ""),
    ("sasl.oauthbearer.assertion.private.key.passphrase", ""),
    ("sasl.oauthbearer.assertion.algorithm", "RS256"),
    ("sasl.oauthbearer.assertion.template.file", ""),
    ("sasl.oauthbearer.assertion.claim.aud", ""),
    ("sasl.oauthbearer.assertion.claim.iss", ""),
    ("sasl.oauthbearer.assertion.claim.sub", ""),
    ("sasl.oauthbearer.assertion.claim.exp.seconds", "300"),
    ("sasl.oauthbearer.assertion.claim.nbf.seconds", "60"),
    ("sasl.oauthbearer.assertion.claim.jti.include", "false"),
    ("sasl.login.connect.timeout.ms", ""),
    ("sasl.login.read.timeout.ms", ""),
    ("sasl.login.refresh.window.factor", "0.8"),
    ("sasl.aws.credentials.provider", ""),
    ("sasl.aws.profile", ""),
    ("sasl.aws.region", ""),
    ("sasl.login.callback.handler.class", ""),
    ("sasl.client.callback.handler.class", ""),
    ("sasl.oauthbearer.jwt.retriever.class", ""),
    ("max.in.flight.requests.per.connection", "5"),
    ("receive.message.max.bytes", "100000000"),
    ("receive.buffer.bytes", ""),
    ("send.buffer.bytes", ""),
    ("api.version", ""),
    ("metrics.enabled", "true"),
    ("metrics.sample.window.ms", "30000"),
    ("metrics.num.samples", "2"),
];
const PRODUCER: &[(&str, &str)] = &[
    ("acks", "all"),
    ("enable.idempotence", "true"),
    ("delivery.timeout.ms", "120000"),
    ("retries", "2147483647"),
    ("linger.ms", "0"),
    ("batch.size", "16384"),
    ("buffer.memory", "33554432"),
    ("max.block.ms", "60000"),
    ("transactional.id", ""),
    ("transaction.timeout.ms", "60000"),
    ("max.request.size", "1048576"),
    ("compression.type", "none"),
    ("compression.gzip.level", "-1"),
    ("compression.lz4.level", "9"),
    ("compression.zstd.level", "3"),
    ("allow.auto.create.topics", "true"),
    ("partitioner.class", "default"),
    ("partitioner.adaptive.partitioning.enable", "true"),
    ("partitioner.availability.timeout.ms", "0"),
    ("partitioner.ignore.keys", "false"),
];
const CONSUMER: &[(&str, &str)] = &[
    ("group.id", ""),
    ("group.instance.id", ""),
    ("group.protocol", "classic"),
    ("group.remote.assignor", ""),
    ("client.rack", ""),
    ("auto.offset.reset", "latest"),
    ("read.new.partitions.from.beginning", "false"),
    ("reset.on.topic.recreated", "false"),
    ("commit.starting.position", "false"),
    ("enable.auto.commit", "true"),
    ("auto.commit.interval.ms", "5000"),
    ("isolation.level", "read_uncommitted"),
    ("check.crcs", "true"),
    ("enable.incremental.fetch.sessions", "true"),
    ("fetch.max.wait.ms", "500"),
    ("fetch.min.bytes", "1"),
    ("fetch.max.bytes", "52428800"),
    ("buffer.memory", "52428800"),
    ("max.partition.fetch.bytes", "1048576"),
    ("max.poll.records", "500"),
    ("max.poll.interval.ms", "300000"),
    ("session.timeout.ms", "45000"),
    ("heartbeat.interval.ms", "3000"),
    ("partition.assignment.strategy", "range,roundrobin"),
    ("consumer.timeout.ms", ""),
    ("exclude.internal.topics", "true"),
    ("allow.auto.create.topics", "true"),
];

#[test]
fn defaults_are_those_of_the_reference() {
    for (client, own) in [
        (Client::Producer, PRODUCER),
        (Client::Consumer, CONSUMER),
        (Client::Admin, &[("bootstrap.controllers", "")][..]),
    ] {
        let declared: Vec<(&str, String)> =
            client.options().map(|option| (option.property, option.default_text())).collect();
        let expected: Vec<(&str, String)> =
            COMMON.iter().chain(own).map(|(property, default)| (*property, (*default).to_owned())).collect();
        assert_eq!(declared, expected, "{client}");
    }
}

#[test]
fn every_default_can_be_written_as_a_string_and_passes_the_checks() {
    for client in Client::ALL {
        for option in client.options() {
            for key in [option.property, option.python_name] {
                let faults = set_and_check(client, key, &option.default_text())
                    .unwrap_or_else(|error| panic!("{client}: {error}"));
                assert!(faults.is_empty(), "{client} {key}: {faults:?}");
            }
        }
    }
}

#[test]
fn names_are_distinct_and_follow_one_pattern() {
    for client in Client::ALL {
        let mut seen = BTreeSet::new();
        for option in client.options() {
            assert!(seen.insert(option.property), "{} twice", option.property);
            // Where Kafka and kafka-python have different names for one thing, the method has kafka-python's.
            if let Some((_, python)) = NAMED_APART.iter().find(|(property, _)| *property == option.property) {
                assert_eq!((option.python_name, option.name), (*python, *python));
                continue;
            }
            // The method `partitioner` takes what kafka-python's option does: not a name, but the thing itself.
            let python = option.property.replace("partitioner.class", "partitioner").replace('.', "_");
            assert_eq!(option.python_name, python);
            let timed = option.property.strip_suffix(".ms");
            assert_eq!(option.name, timed.unwrap_or(option.property).replace('.', "_"));
        }
    }
}

const NAMED_APART: &[(&str, &str)] = &[
    ("ssl.truststore.location", "ssl_cafile"),
    ("ssl.keystore.location", "ssl_certfile"),
    ("ssl.key.location", "ssl_keyfile"),
    ("ssl.key.password", "ssl_password"),
    ("ssl.endpoint.identification.algorithm", "ssl_check_hostname"),
    ("ssl.crl.location", "ssl_crlfile"),
    ("ssl.cipher.suites", "ssl_ciphers"),
];

#[test]
fn every_doc_ends_with_the_default() {
    for client in Client::ALL {
        for option in client.options() {
            let doc = option.doc.split_whitespace().collect::<Vec<_>>().join(" ");
            let (_, default) =
                doc.rsplit_once("Defaults to ").unwrap_or_else(|| panic!("{}: {doc}", option.name));
            assert!(doc.ends_with('.') && !default.contains(". "), "{}: {default}", option.name);
            if option.default_text().is_empty() {
                assert!(
                    ["none.", "empty."].contains(&default) || option.name == "client_id",
                    "{}: {default}",
                    option.name
                );
            }
        }
    }
}

#[test]
fn bounds_hold_on_both_ends() {
    let mut bounded = 0;
    for client in Client::ALL {
        for option in client.options() {
            let Some((low, high)) = option.bounds else { continue };
            bounded += 1;
            for inside in [low, high.min(i64::from(i32::MAX))] {
                let faults = set_and_check(client, option.property, &inside.to_string())
                    .unwrap_or_else(|error| panic!("{error}"));
                let own = format!("{} ({inside}) must be {}", option.property, option.bounds_text());
                assert!(!faults.contains(&own), "{client}: {faults:?}");
            }
            for outside in [low.checked_sub(1), high.checked_add(1)].into_iter().flatten() {
                // What the type cannot hold is refused at once, the rest by the check. Where the option may be
                // absent, -1 says so.
                let text = outside.to_string();
                match set_and_check(client, option.property, &text) {
                    Err(error) => assert!(error.to_string().contains(&text), "{error}"),
                    Ok(_) if outside == -1 && option.default_text().is_empty() => {}
                    Ok(faults) => {
                        let own = format!("{} ({outside}) must be {}", option.property, option.bounds_text());
                        assert!(faults.contains(&own), "{client}: {faults:?}");
                    }
                }
            }
        }
    }
    assert!(bounded > 60, "{bounded}");
}

/// Those that take any text.
const SASL_TEXTS: &[&str] = &[
    "sasl.plain.username",
    "sasl.plain.password",
    "sasl.jaas.config",
    "sasl.kerberos.service.name",
    "sasl.kerberos.domain.name",
    "sasl.kerberos.name",
    "sasl.kerberos.principal",
    "sasl.kerberos.keytab",
    "sasl.kerberos.kinit.cmd",
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.oauthbearer.client.credentials.client.id",
    "sasl.oauthbearer.client.credentials.client.secret",
    "sasl.oauthbearer.scope",
    "sasl.oauthbearer.assertion.file",
    "sasl.oauthbearer.assertion.private.key.file",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.algorithm",
    "sasl.oauthbearer.assertion.template.file",
    "sasl.oauthbearer.assertion.claim.aud",
    "sasl.oauthbearer.assertion.claim.iss",
    "sasl.oauthbearer.assertion.claim.sub",
    "sasl.aws.profile",
    "sasl.aws.region",
    "sasl.login.callback.handler.class",
    "sasl.client.callback.handler.class",
    "sasl.oauthbearer.jwt.retriever.class",
];

#[test]
fn values_of_the_wrong_type_are_refused_with_key_and_value() {
    for client in Client::ALL {
        for option in client.options() {
            let free_text = [
                "bootstrap.servers",
                "client.id",
                "client.rack",
                "group.id",
                "group.instance.id",
                "group.remote.assignor",
                "transactional.id",
            ];
            let is_text = option.property.starts_with("ssl.")
                && !option.property.contains("protocol")
                && !["ssl.backend", "ssl.verify"].contains(&option.property)
                && !option.property.ends_with(".type")
                && !option.property.ends_with(".algorithm");
            if is_text
                || SASL_TEXTS.contains(&option.property)
                || free_text.contains(&option.property)
                || ["proxy.url", "bootstrap.controllers"].contains(&option.property)
            {
                continue;
            }
            let error = set(client, option.property, "b@d").expect_err(option.property);
            assert_eq!(error.kind(), ErrorKind::Configuration);
            let text = error.to_string();
            // What a program gives as an object has no text at all.
            let told = if option.property.ends_with(".provider") {
                "cannot be given as a string"
            } else {
                "is not "
            };
            assert!(text.starts_with(&format!("{} (\"b@d\") {told}", option.property)), "{text}");
        }
    }
    let texts = [
        ("linger.ms", "5ms", "linger.ms (\"5ms\") is not a whole number of milliseconds, 0 or more"),
        ("linger.ms", "-1", "linger.ms (\"-1\") is not a whole number of milliseconds, 0 or more"),
        ("batch.size", "-5", "batch.size (\"-5\") must not be negative"),
        ("compression.zstd.level", "99999999999", "must be -2147483648 to 2147483647"),
        ("acks", "2", "acks (\"2\") is not one of 0, 1, all"),
        ("enable_idempotence", "yes", "enable_idempotence (\"yes\") is not one of true, false"),
        ("security.protocol", "TLS", "is not one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"),
        ("api_version", "two", "is not a release such as 0.10.2 or 2.8"),
    ];
    for (key, value, text) in texts {
        let error = set(Client::Producer, key, value).expect_err(key);
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[test]
fn builders_take_what_is_at_hand() {
    let config = producer()
        .client_id("x")
        .bootstrap_servers("a:1, b:2")
        .linger(Duration::from_millis(5))
        .acks(Acks::All)
        .compression_type(CompressionType::None)
        .batch_size(1000)
        .receive_buffer_bytes(65_536)
        .send_buffer_bytes(None)
        .api_version((0, 9))
        .build()
        .expect("a valid configuration");
    assert_eq!(config.common.client_id, "x");
    assert_eq!(config.common.bootstrap_servers, ["a:1", "b:2"]);
    assert_eq!(config.linger, Duration::from_millis(5));
    assert_eq!(config.batch_size, 1000);
    assert_eq!((config.common.receive_buffer_bytes, config.common.send_buffer_bytes), (Some(65_536), None));
    assert_eq!(config.common.api_version, Some(BrokerVersion::new(0, 9, 0)));
    assert!(config.is_explicit("linger") && !config.is_explicit("retries"));
    assert!(config.common.is_explicit("client_id") && !config.common.is_explicit("retry_backoff"));

    let owned = vec![String::from("b:2")];
    let servers = [
        producer().bootstrap_servers(["a:1", "b:2"]),
        producer().bootstrap_servers(vec!["a:1", "b:2"]),
        producer().bootstrap_servers(&["a:1", "b:2"][..]),
        producer().bootstrap_servers(String::from("a:1,b:2")),
        producer().bootstrap_servers([String::from("a:1"), String::from("b:2")]),
        producer()
            .bootstrap_servers(owned.clone())
            .bootstrap_servers(&[&["a:1".to_owned()], &owned[..]].concat()[..]),
    ];
    for builder in servers {
        assert_eq!(builder.config.common.bootstrap_servers, ["a:1", "b:2"]);
    }

    let name = String::from("g");
    for builder in [
        consumer().group_id("g"),
        consumer().group_id(&name),
        consumer().group_id(name.clone()),
        consumer().group_id(Some(name.clone())),
        consumer().set("group.id", "g"),
        consumer().set("group_id", " g "),
    ] {
        assert_eq!(builder.build().expect("a valid configuration").group_id.as_deref(), Some("g"));
    }
    assert_eq!(consumer().group_id("g").group_id(None).config.group_id, None);

    let config = consumer()
        .consumer_timeout(Duration::from_secs(1))
        .partition_assignment_strategy([Assignor::RoundRobin])
        .build()
        .expect("a valid configuration");
    assert_eq!(config.consumer_timeout, Some(Duration::from_secs(1)));
    assert_eq!(config.partition_assignment_strategy, [Assignor::RoundRobin]);
    let error = AdminBuilder::default()
        .set("bootstrap.controllers", "one:9093,t w o:1")
        .set("bootstrap.servers", "one:9092")
        .build()
        .expect_err("both, and a bad one");
    let text = error.to_string();
    assert!(
        text.contains("bootstrap.controllers (\"t w o:1\")") && text.contains("exclude each other"),
        "{text}"
    );
    let admin = AdminBuilder::default()
        .request_timeout(Duration::from_secs(5))
        .build()
        .expect("a valid configuration");
    assert_eq!(admin.common.request_timeout, Duration::from_secs(5));
}

#[test]
fn strings_are_read_leniently() {
    let config = consumer()
        .set("auto.offset.reset", "EARLIEST")
        .set("isolation_level", "Read-Committed")
        .set("enable.auto.commit", "False")
        .set("consumer_timeout_ms", "inf")
        .set("partition.assignment.strategy", "org.apache.kafka.clients.consumer.RoundRobinAssignor, range")
        .set("receive.buffer.bytes", "-1")
        .set("client_dns_lookup", "use-all-dns-ips")
        .set("security_protocol", "plaintext")
        .set("api_version", "0.8.2.1")
        .build()
        .expect("a valid configuration");
    assert_eq!(config.auto_offset_reset, AutoOffsetReset::Earliest);
    assert_eq!(config.isolation_level, IsolationLevel::ReadCommitted);
    assert!(!config.enable_auto_commit);
    assert_eq!(config.consumer_timeout, None);
    assert_eq!(config.partition_assignment_strategy, [Assignor::RoundRobin, Assignor::Range]);
    assert_eq!(config.common.receive_buffer_bytes, None);
    assert_eq!(config.common.client_dns_lookup, DnsLookup::UseAllDnsIps);
    assert_eq!(config.common.api_version.expect("set").to_string(), "0.8.2");
    for (text, acks, code) in
        [("0", Acks::None, 0), ("1", Acks::Leader, 1), ("-1", Acks::All, -1), ("ALL", Acks::All, -1)]
    {
        assert_eq!(text.parse::<Acks>().expect("one of the words"), acks);
        assert_eq!(acks.code(), code);
    }
    assert_eq!(IsolationLevel::ReadCommitted.code(), 1);
    for codec in CompressionType::ALL {
        assert_eq!(&codec.to_string().parse::<CompressionType>().expect("its own text"), codec);
    }
    assert_eq!("lzma".parse::<CompressionType>().expect_err("unknown").kind(), ErrorKind::Configuration);
}

#[test]
fn unknown_keys_name_the_nearest_one_in_the_same_style() {
    let table = [
        (Client::Producer, "linger", "did you mean linger.ms?"),
        (Client::Producer, "linger.mss", "did you mean linger.ms?"),
        (Client::Producer, "lingre_ms", "did you mean linger_ms?"),
        (Client::Producer, "batchsize", "did you mean batch.size?"),
        (Client::Producer, "ack", "did you mean acks?"),
        (Client::Producer, "Acks", "did you mean acks?"),
        (Client::Consumer, "bootstrap.server", "did you mean bootstrap.servers?"),
        (Client::Consumer, "request_timeout", "did you mean request_timeout_ms?"),
        (Client::Consumer, "auto.ofset.reset", "did you mean auto.offset.reset?"),
        (Client::Admin, "bootstap_servers", "did you mean bootstrap_servers?"),
    ];
    for (client, key, text) in table {
        let error = set(client, key, "1").expect_err(key).to_string();
        assert!(error.starts_with(key) && error.ends_with(text), "{error}");
    }
    let far = set(Client::Admin, "frobnicate", "1").expect_err("unknown").to_string();
    assert_eq!(far, "frobnicate is not an option of the admin client");
    assert_eq!(set(Client::Admin, "", "1").expect_err("unknown").kind(), ErrorKind::Configuration);
    set(Client::Admin, &"x".repeat(100_000), "1").expect_err("unknown");
}

#[test]
fn keys_that_belong_elsewhere_say_where() {
    let table = [
        (Client::Consumer, "linger.ms", "linger.ms is an option of the producer, not of the consumer"),
        (Client::Producer, "group_id", "group_id is an option of the consumer, not of the producer"),
        (
            Client::Admin,
            "allow.auto.create.topics",
            "allow.auto.create.topics is an option of the producer and the consumer, not of the admin client",
        ),
        (
            Client::Producer,
            "transaction.two.phase.commit.enable",
            "transaction.two.phase.commit.enable is not supported by this version of kavka yet",
        ),
        (Client::Producer, "sasl.server.max.receive.size", "sasl.server.max.receive.size is for brokers"),
        (
            Client::Producer,
            "key.serializer",
            "key.serializer cannot be given as a string; use the builder's method for it",
        ),
    ];
    for (client, key, text) in table {
        // The value may be a secret: no text about a key shows it.
        assert_eq!(set(client, key, "hunter2").expect_err(key).to_string(), text);
    }
}

/// The keys of Apache Kafka 4.3's clients, but for `sasl.*`.
const KAFKA_KEYS: &str = "acks allow.auto.create.topics auto.commit.interval.ms auto.offset.reset batch.size \
    bootstrap.controllers bootstrap.servers buffer.memory check.crcs client.dns.lookup client.id client.rack \
    compression.gzip.level compression.lz4.level compression.type compression.zstd.level config.providers \
    connections.max.idle.ms default.api.timeout.ms delivery.timeout.ms enable.auto.commit enable.idempotence \
    enable.metrics.push exclude.internal.topics fetch.max.bytes fetch.max.wait.ms fetch.min.bytes group.id \
    group.instance.id group.protocol group.remote.assignor heartbeat.interval.ms interceptor.classes \
    internal.throw.on.fetch.stable.offset.unsupported isolation.level key.deserializer key.serializer linger.ms \
    max.block.ms max.in.flight.requests.per.connection max.partition.fetch.bytes max.poll.interval.ms \
    max.poll.records max.request.size metadata.max.age.ms metadata.max.idle.ms \
    metadata.recovery.rebootstrap.trigger.ms metadata.recovery.strategy metric.reporters metrics.num.samples \
    metrics.recording.level metrics.sample.window.ms partition.assignment.strategy \
    partitioner.adaptive.partitioning.enable partitioner.availability.timeout.ms partitioner.class \
    partitioner.ignore.keys receive.buffer.bytes reconnect.backoff.max.ms reconnect.backoff.ms \
    request.timeout.ms retries retry.backoff.max.ms retry.backoff.ms sasl.mechanism security.protocol \
    security.providers send.buffer.bytes session.timeout.ms share.acknowledgement.mode share.acquire.mode \
    socket.connection.setup.timeout.max.ms socket.connection.setup.timeout.ms ssl.cipher.suites ssl.enabled.protocols \
    ssl.endpoint.identification.algorithm ssl.engine.factory.class ssl.key.password ssl.keymanager.algorithm \
    ssl.keystore.certificate.chain ssl.keystore.key ssl.keystore.location ssl.keystore.password \
    ssl.keystore.type ssl.protocol ssl.provider ssl.secure.random.implementation \
    ssl.trustmanager.algorithm ssl.truststore.certificates ssl.truststore.location ssl.truststore.password \
    ssl.truststore.type \
    transaction.timeout.ms transaction.two.phase.commit.enable transactional.id value.deserializer \
    value.serializer";

#[test]
fn every_key_of_kafka_is_an_option_or_is_explained() {
    for key in KAFKA_KEYS.split_whitespace() {
        for client in Client::ALL {
            if client.options().any(|option| option.property == key) {
                continue;
            }
            let text = set(client, key, "1").expect_err(key).to_string();
            assert!(!text.contains("is not an option"), "{text}");
        }
    }
}

#[test]
fn every_fault_is_in_the_one_error() {
    let text = refusal(
        producer()
            .set("linger.mss", "5")
            .set("batch.size", "many")
            .properties(
                &Properties::parse("acks=most\nretry.backoff.ms=5000\nretry.backoff.max.ms=4999")
                    .expect("valid"),
            )
            .max_block(Duration::MAX)
            .bootstrap_servers("a:0")
            .build(),
    );
    assert!(text.starts_with("6 faults in the configuration: "), "{text}");
    for part in [
        "did you mean linger.ms?",
        "batch.size (\"many\")",
        "acks (\"most\")",
        "retry.backoff.max.ms (4999) must be at least retry.backoff.ms (5000)",
        "max.block.ms (9223372036854775807) must be 0 to 2147483647",
        "bootstrap.servers (\"a:0\") has the port \"0\"",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let one = refusal(producer().linger(Duration::MAX).delivery_timeout(Duration::from_millis(0)).build());
    assert!(one.contains("linger.ms") && one.contains("delivery.timeout.ms (0) must be 1 to"), "{one}");
}

#[test]
fn times_that_contradict_each_other_are_refused() {
    let ms = Duration::from_millis;
    let cases = [
        (
            refusal(producer().delivery_timeout(ms(30_004)).linger(ms(5)).build()),
            "delivery.timeout.ms (30004) must be at least linger.ms (5) + request.timeout.ms (30000)",
        ),
        (
            refusal(consumer().session_timeout(ms(8_999)).build()),
            "heartbeat.interval.ms (3000) must be at most a third of session.timeout.ms (8999)",
        ),
        (
            refusal(consumer().fetch_max_wait(ms(30_000)).build()),
            "fetch.max.wait.ms (30000) must be below request.timeout.ms (30000)",
        ),
        (
            refusal(consumer().connections_max_idle(ms(30_000)).build()),
            "request.timeout.ms (30000) must be below connections.max.idle.ms (30000)",
        ),
        (
            refusal(producer().default_api_timeout(ms(29_999)).build()),
            "default.api.timeout.ms (29999) must be at least request.timeout.ms (30000)",
        ),
        (
            refusal(producer().reconnect_backoff(ms(50)).reconnect_backoff_max(ms(49)).build()),
            "reconnect.backoff.max.ms (49) must be at least reconnect.backoff.ms (50)",
        ),
        (
            refusal(
                producer()
                    .socket_connection_setup_timeout(ms(30_001))
                    .set("socket_connection_setup_timeout_max_ms", "30000")
                    .build(),
            ),
            "socket.connection.setup.timeout.max.ms (30000) must be at least \
             socket.connection.setup.timeout.ms (30001)",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(text, expected);
    }
    let text = refusal(producer().compression_gzip_level(0).build());
    assert_eq!(text, "compression.gzip.level (0) must be 1 to 9, or -1");
    producer().delivery_timeout(ms(30_005)).linger(ms(5)).build().expect("exactly enough");
    consumer().session_timeout(ms(9_000)).build().expect("exactly a third");
}

#[test]
fn times_left_at_their_default_give_way() {
    let ms = Duration::from_millis;
    let common = |builder: AdminBuilder| builder.build().expect("the default gives way").common;
    let config = common(AdminBuilder::default().request_timeout(ms(90_000)));
    assert_eq!(config.default_api_timeout, ms(90_000));
    let config = common(AdminBuilder::default().retry_backoff(ms(5_000)).reconnect_backoff_max(ms(10)));
    assert_eq!((config.retry_backoff, config.retry_backoff_max), (ms(5_000), ms(5_000)));
    assert_eq!((config.reconnect_backoff, config.reconnect_backoff_max), (ms(10), ms(10)));
    let config = common(AdminBuilder::default().set("socket.connection.setup.timeout.ms", "40000"));
    assert_eq!(config.socket_connection_setup_timeout_max, ms(40_000));
}

#[test]
fn idempotence_gives_way_unless_it_was_asked_for() {
    type Clash = (fn(ProducerBuilder) -> ProducerBuilder, &'static str);
    let clashes: [Clash; 4] = [
        (|builder| builder.acks(Acks::Leader), "enable.idempotence (true) needs acks = all, but acks is 1"),
        (|builder| builder.set("acks", "0"), "enable.idempotence (true) needs acks = all, but acks is 0"),
        (|builder| builder.retries(0), "enable.idempotence (true) needs retries above 0, but retries is 0"),
        (
            |builder| builder.max_in_flight_requests_per_connection(6),
            "enable.idempotence (true) needs max.in.flight.requests.per.connection of at most 5, but it is 6",
        ),
    ];
    for (clash, text) in clashes {
        let config = clash(producer()).build().expect("idempotence gives way");
        assert!(!config.enable_idempotence);
        assert_eq!(refusal(clash(producer().enable_idempotence(true)).build()), text);
        assert_eq!(refusal(clash(producer()).set("enable.idempotence", "true").build()), text);
        clash(producer().enable_idempotence(false)).build().expect("nothing to clash with");
    }
    assert!(producer().build().expect("the defaults").enable_idempotence);
    assert!(producer().enable_idempotence(true).build().expect("no clash").enable_idempotence);
}

#[test]
fn group_options_depend_on_the_group() {
    assert!(!consumer().build().expect("no group").enable_auto_commit);
    assert!(!consumer().enable_auto_commit(true).build().expect("no group").enable_auto_commit);
    assert!(consumer().group_id("g").build().expect("a group").enable_auto_commit);

    let text = refusal(consumer().group_instance_id("i").build());
    assert!(text.contains("group.instance.id (i) needs group.id"), "{text}");
    consumer().group_id("g").group_instance_id("i").build().expect("a static member");
    let text = refusal(consumer().group_id("g").group_instance_id("a b").build());
    assert!(text.contains("group.instance.id (a b) has the character ' '"), "{text}");
    let text = refusal(consumer().group_id("").build());
    assert!(text.contains("group.id is empty"), "{text}");
    assert_eq!(consumer().set("group.id", "").build().expect("no group").group_id, None);

    let text = refusal(consumer().partition_assignment_strategy([]).build());
    assert!(text.contains("partition.assignment.strategy is empty"), "{text}");
    let text = refusal(consumer().set("partition_assignment_strategy", "range,range").build());
    assert!(text.contains("names range twice"), "{text}");
}

#[test]
fn bootstrap_servers_are_hosts_and_ports() {
    let table = [
        ("a", "a:9092"),
        ("a:1", "a:1"),
        (" kafka-1.example.com:65535 ", "kafka-1.example.com:65535"),
        ("127.0.0.1:9093", "127.0.0.1:9093"),
        ("[::1]:9093", "[::1]:9093"),
        ("[::1]", "[::1]:9092"),
        ("::1", "[::1]:9092"),
        ("[fe80::1%eth0]:1", "[fe80::1%eth0]:1"),
    ];
    for (text, shown) in table {
        let server: Address = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(server.to_string(), shown);
        assert_eq!(shown.parse::<Address>().expect("its own text"), server);
    }
    let table = [
        ("", "has no host name"),
        (":9092", "has no host name"),
        ("a:", "has the port \"\""),
        ("a:0", "has the port \"0\""),
        ("a:65536", "has the port \"65536\""),
        ("a:http", "has the port \"http\""),
        ("a b:1", "has ' ' in its host name"),
        ("a:1:2", "has more than one ':'"),
        ("[::1:9092", "without a ']'"),
        ("[::1]9092", "other than ':port'"),
        ("[x:y]:1", "is not an IPv6 address"),
        ("PLAINTEXT://a:9092", "is a URL"),
    ];
    for (text, fault) in table {
        let error = text.parse::<Address>().expect_err(text).to_string();
        assert!(
            error.starts_with(&format!("bootstrap.servers (\"{text}\") ")) && error.contains(fault),
            "{error}"
        );
    }
    for builder in [
        producer().bootstrap_servers(""),
        producer().bootstrap_servers(Vec::<String>::new()),
        producer().set("bootstrap.servers", ","),
    ] {
        assert!(refusal(builder.build()).starts_with("bootstrap.servers is empty"));
    }
    let config = producer().bootstrap_servers("a,b:1,a:9092").build().expect("twice is once");
    let servers: Vec<String> = config.common.servers().iter().map(ToString::to_string).collect();
    assert_eq!(servers, ["a:9092", "b:1"]);
}

#[test]
fn clients_without_a_name_are_counted() {
    let name = |config: ProducerConfig| config.common.client_id;
    let first = name(producer().build().expect("the defaults"));
    let second = name(producer().build().expect("the defaults"));
    let number = |name: &str| -> u64 {
        name.strip_prefix("kavka-producer-")
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| panic!("{name}"))
    };
    assert!(number(&first) >= 1 && number(&second) > number(&first));
    let other = consumer().build().expect("the defaults").common.client_id;
    assert!(other.starts_with("kavka-consumer-"), "{other}");
    let other = AdminBuilder::default().build().expect("the defaults").common.client_id;
    assert!(other.starts_with("kavka-admin-"), "{other}");
}

#[test]
fn a_codec_that_is_not_built_in_is_refused() {
    for codec in CompressionType::ALL {
        let outcome = producer().compression_type(*codec).build();
        if codec.is_built_in() {
            assert_eq!(outcome.expect("the codec is there").compression_type, *codec);
        } else {
            assert!(refusal(outcome).contains(&format!("with the feature `{codec}`")));
        }
    }
}

#[test]
fn secrets_are_not_shown() {
    let secret: Secret = "hunter2".into_value();
    assert_eq!(secret.reveal(), "hunter2");
    for text in
        [format!("{secret:?}"), secret.show(), Some(secret.clone()).show(), format!("{:?}", Some(secret))]
    {
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[derive(Debug)]
    struct Strict;
    impl OptionValue for Strict {
        const SECRET: bool = true;
        fn parse(_: &str) -> Result<Self, String> {
            Err("is too short".to_owned())
        }
        fn show(&self) -> String {
            String::new()
        }
    }
    let text = value::parse_option::<Option<Strict>>("sasl.password", "hunter2").expect_err("always");
    assert_eq!(text, "sasl.password (\"[hidden]\") is too short");
}

#[test]
fn the_options_make_a_table() {
    let table = markdown_table(Client::Producer.options());
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 2 + COMMON.len() + PRODUCER.len());
    let row = lines.iter().find(|line| line.starts_with("| `linger` ")).expect("a row for linger");
    assert!(
        row.starts_with("| `linger` | `linger.ms` | `linger_ms` | `0` | 0 to 2147483647 | How long "),
        "{row}"
    );
    for line in &lines {
        assert_eq!(line.replace("\\|", "").matches('|').count(), 7, "{line}");
    }
}

#[test]
fn ssl_options_have_the_names_of_kafka_and_of_kafka_python() {
    let config = producer()
        .set("security.protocol", "ssl")
        .set("ssl.endpoint.identification.algorithm", "")
        .set("ssl_cafile", "/ca.pem")
        .set("ssl.keystore.type", "pkcs12")
        .set("ssl.enabled.protocols", "TLSv1.3")
        .set("ssl.protocol", "TLS")
        .set("ssl_password", "hunter2")
        .build()
        .expect("a valid configuration")
        .common;
    assert_eq!(config.security_protocol, SecurityProtocol::Ssl);
    assert_eq!(config.ssl_check_hostname, HostnameCheck::None);
    assert_eq!(config.ssl_cafile.as_deref(), Some(std::path::Path::new("/ca.pem")));
    assert_eq!(config.ssl_keystore_type, Some(StoreType::Pkcs12));
    assert_eq!(
        (config.ssl_enabled_protocols.as_slice(), config.ssl_protocol),
        (&[TlsVersion::Tls13][..], TlsVersion::Tls13)
    );
    assert_eq!(config.ssl_password.as_ref().map(Secret::reveal), Some("hunter2"));
    let typed = consumer()
        .security_protocol(SecurityProtocol::Ssl)
        .ssl_check_hostname(false)
        .ssl_cafile("ca.pem")
        .ssl_keystore_key(b"hunter2")
        .ssl_password("hunter2")
        .proxy_url("socks5://hunter2:hunter2@proxy:1080")
        .build()
        .expect("a valid configuration")
        .common;
    assert_eq!(typed.ssl_check_hostname, HostnameCheck::None);
    for shown in [format!("{config:?}"), format!("{typed:?}")] {
        assert!(!shown.contains("hunter2") && shown.contains("[hidden]"), "{shown}");
    }
}

/// Builds a producer with these options.
fn login(options: &[(&str, &str)]) -> Result<Option<Login>> {
    let mut builder = producer().set("security.protocol", "SASL_PLAINTEXT");
    for (key, value) in options {
        builder = builder.set(key, value);
    }
    builder.build().map(|config| config.common.login().expect("checked"))
}

#[test]
fn logins_follow_from_options_and_from_javas_login_modules() {
    let plain =
        [("sasl.mechanism", "PLAIN"), ("sasl_plain_username", "alice"), ("sasl_plain_password", "hush")];
    let jaas = "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"alice\" password=\"hush\";";
    for options in [&plain[..], &[("sasl.mechanism", "plain"), ("sasl.jaas.config", jaas)]] {
        let login = login(options).expect("complete");
        assert!(!format!("{login:?}").contains("hush"), "{login:?}");
        let Some(Login::Plain(UserPassword::Fixed(user))) = login else { panic!("{login:?}") };
        assert_eq!(user, Credentials::new("alice", "hush"));
    }
    let token = "x.ScramLoginModule required username=\"id\" password=\"hmac\" tokenauth=\"true\";";
    let scram = login(&[("sasl.mechanism", "SCRAM-SHA-512"), ("sasl.jaas.config", token)]).expect("complete");
    assert!(matches!(scram, Some(Login::Scram { sha512: true, token_auth: true, .. })), "{scram:?}");

    let unsecured = "x.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"al\\\"ice\" \
                     unsecuredLoginNumberClaim_n=\"5\" unsecuredLoginListClaim_scope=\"|a|b\" \
                     unsecuredLoginLifetimeSeconds=\"60\" unsecuredLoginExtension_traceId=\"1\";";
    let bearer =
        login(&[("sasl.mechanism", "OAUTHBEARER"), ("sasl.jaas.config", unsecured)]).expect("complete");
    let Some(Login::OAuthBearer { source: TokenSource::Unsecured(unsecured), refresh }) = bearer else {
        panic!("{bearer:?}")
    };
    let claims = [("sub", "\"al\\\"ice\""), ("n", "5"), ("scope", "[\"a\",\"b\"]")];
    assert_eq!(unsecured.claims, claims.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(unsecured.extensions, [("traceId".to_owned(), "1".to_owned())]);
    assert_eq!((unsecured.lifetime, refresh), (Duration::from_secs(60), 0.8));

    let iam = [
        ("sasl.mechanism", "AWS_MSK_IAM"),
        ("sasl.jaas.config", "software.amazon.msk.auth.iam.IAMLoginModule required awsProfileName=\"dev\";"),
        ("sasl.client.callback.handler.class", "software.amazon.msk.auth.iam.IAMClientCallbackHandler"),
    ];
    let Some(Login::AwsMskIam(aws)) = login(&iam).expect("complete") else { panic!("another login") };
    assert_eq!(aws.profile.as_deref(), Some("dev"));
    assert!(producer().set("sasl.mechanism", "PLAIN").build().is_ok(), "PLAINTEXT has no login");
}

#[test]
fn logins_that_cannot_be_are_told_in_full() {
    type Options = &'static [(&'static str, &'static str)];
    let table: &[(Options, &[&str])] = &[
        (&[], &["security.protocol=SASL_PLAINTEXT needs sasl.mechanism: one of PLAIN, SCRAM-SHA-256"]),
        (&[("sasl.mechanism", "DIGEST-MD5")], &["sasl.mechanism (\"DIGEST-MD5\") is not one of PLAIN"]),
        (&[("sasl.mechanism", "PLAIN")], &["needs sasl_plain_username", "needs sasl_plain_password"]),
        (
            &[
                ("sasl.mechanism", "PLAIN"),
                ("sasl.jaas.config", "x.ScramLoginModule required password=\"hush\";"),
            ],
            &["sasl.jaas.config is for ScramLoginModule, but sasl.mechanism=PLAIN takes PlainLoginModule"],
        ),
        (&[("sasl.mechanism", "PLAIN"), ("sasl.jaas.config", "x.Y password=\"hush\"")], &["lacks the word"]),
        (&[("sasl.mechanism", "OAUTHBEARER")], &["needs one of sasl_oauth_token_provider"]),
        (
            &[
                ("sasl.mechanism", "OAUTHBEARER"),
                ("sasl.oauthbearer.token.endpoint.url", "ftp://x"),
                ("sasl.login.refresh.window.factor", "2"),
                ("sasl.login.callback.handler.class", "com.example.Mine"),
            ],
            &["is not an http, https or file URL", "must be 0.5 to 1.0", "names a Java class", "client.id"],
        ),
        (
            &[
                ("sasl.mechanism", "AWS_MSK_IAM"),
                ("sasl.jaas.config", "x.IAMLoginModule required awsRoleArn=\"arn\";"),
            ],
            &["does not assume roles"],
        ),
        #[cfg(not(feature = "gssapi"))]
        (&[("sasl.mechanism", "GSSAPI")], &["feature \"gssapi\""]),
        #[cfg(feature = "gssapi")]
        (
            &[("sasl.mechanism", "GSSAPI"), ("sasl.kerberos.keytab", "/x")],
            &["sasl.kerberos.keytab needs sasl.kerberos.principal"],
        ),
        #[cfg(not(feature = "oidc"))]
        (
            &[("sasl.mechanism", "OAUTHBEARER"), ("sasl.oauthbearer.token.endpoint.url", "http://x")],
            &["feature \"oidc\""],
        ),
    ];
    for (options, faults) in table {
        let text = refusal(login(options));
        for fault in *faults {
            assert!(text.contains(fault), "{options:?}: {text}");
        }
        assert!(!text.contains("hush"), "{text}");
    }
}

#[test]
fn options_of_the_other_group_protocol_are_refused_by_name() {
    let modern = || consumer().group_protocol(GroupProtocol::Consumer).group_id("g");
    modern().group_remote_assignor("range").build().expect("options of the new protocol");
    for (key, value) in [
        ("session.timeout.ms", "45000"),
        ("heartbeat.interval.ms", "3000"),
        ("partition.assignment.strategy", "range"),
    ] {
        let text = refusal(modern().set(key, value).build());
        assert!(text.contains(&format!("{key} cannot be set with group.protocol=consumer")), "{text}");
    }
    let text = refusal(consumer().group_id("g").group_remote_assignor("range").build());
    assert!(text.contains("group.remote.assignor (range) needs group.protocol=consumer"), "{text}");
    let text = refusal(modern().group_remote_assignor("").build());
    assert!(text.contains("group.remote.assignor is empty"), "{text}");
}

#[test]
fn assignors_are_read_by_either_name() {
    for (text, name) in [
        ("sticky", "sticky"),
        ("org.apache.kafka.clients.consumer.CooperativeStickyAssignor", "cooperative-sticky"),
        ("COOPERATIVE_STICKY", "cooperative-sticky"),
    ] {
        let config = consumer().set("partition_assignment_strategy", text).build().expect(text);
        assert_eq!(config.partition_assignment_strategy[0].as_str(), name);
    }
}

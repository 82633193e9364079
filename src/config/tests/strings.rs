//! Options set from strings and by builders.

use super::*;

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

//! Faults of `build()`, and options that contradict each other.

use super::*;

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

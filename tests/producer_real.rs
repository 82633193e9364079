//! The producer on a real Apache Kafka, beside other clients: who puts which key where, leaders that move, topics that
//! are made anew, quotas.

#![allow(clippy::disallowed_methods, reason = "a test measures with its own clock how long calls take")]

#[path = "producer_real/rights.rs"]
mod rights;
mod support;

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use kavka::admin::{KafkaAdminClient, NewTopic};
use kavka::{ErrorKind, KafkaProducer, ProducerRecord};
use support::kafka::{Cluster, unique};
use support::peers;

const PATIENCE: Duration = Duration::from_secs(60);

/// Keys of 1 byte to 1 KiB, some of them not ASCII; none with a line break or the separator.
fn keys(count: usize) -> Vec<String> {
    let key = |index: usize| match index % 5 {
        0 => index.to_string(),
        1 => format!("order-{index}"),
        2 => format!("zażółć-{index}-ключ-键-🦀"),
        3 => format!("{index}-{}", "x".repeat(index)),
        _ => char::from_u32(0x100 + index as u32).map_or_else(String::new, String::from),
    };
    (0..count).map(key).collect()
}

/// Where each key lies.
fn places(cluster: &Cluster, topic: &str, count: usize) -> BTreeMap<String, i32> {
    let records = peers::kcat_consume(&cluster.bootstrap(), topic, count, &[]);
    let text = |key: Option<Vec<u8>>| String::from_utf8(key.expect("a key")).expect("text");
    let places: BTreeMap<String, i32> =
        records.into_iter().map(|record| (text(record.key), record.partition)).collect();
    assert_eq!(places.len(), count, "each key once");
    places
}

fn send_all(cluster: &Cluster, topic: &str, partitioner: &str, keys: &[String]) {
    let producer = KafkaProducer::builder()
        .bootstrap_servers(cluster.bootstrap())
        .set("partitioner", partitioner)
        .linger(Duration::from_millis(5))
        .build()
        .unwrap();
    let handles: Vec<_> = keys
        .iter()
        .map(|key| producer.send(ProducerRecord::new(topic).key(key).value("v")).unwrap())
        .collect();
    handles.iter().for_each(|handle| drop(handle.get(PATIENCE).unwrap()));
}

#[test]
fn a_key_has_the_same_place_as_with_java_kafka_python_and_librdkafka() {
    let cluster = Cluster::shared();
    let bootstrap = cluster.bootstrap();
    let keys = keys(1_000);
    let lines: Vec<String> = keys.iter().map(|key| format!("{key}|v")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for partitions in [7, 32] {
        let topic = |client: &str| {
            let topic = unique(client);
            cluster.create_topic(&topic, partitions, &[]);
            topic
        };
        let (ours, java, python, kcat) = (topic("ours"), topic("java"), topic("python"), topic("kcat"));
        send_all(cluster, &ours, "default", &keys);
        let arguments = ["--reader-property", "parse.key=true", "--reader-property", "key.separator=|"];
        peers::java_console_produce(&bootstrap, &java, &lines, &arguments);
        peers::kcat_produce(&bootstrap, &kcat, &lines, &["-K|", "-X", "topic.partitioner=murmur2_random"]);
        let script = "
import sys, kafka
producer = kafka.KafkaProducer(bootstrap_servers=sys.argv[1])
for key in sys.argv[3:]:
    producer.send(sys.argv[2], key=key.encode(), value=b'v')
producer.flush()
producer.close()";
        let arguments: Vec<&str> =
            [bootstrap.as_str(), &python].into_iter().chain(keys.iter().map(String::as_str)).collect();
        peers::python(script, &arguments);

        let expected = places(cluster, &java, keys.len());
        assert_eq!(places(cluster, &ours, keys.len()), expected, "{partitions} partitions");
        assert_eq!(places(cluster, &python, keys.len()), expected, "kafka-python, {partitions} partitions");
        assert_eq!(places(cluster, &kcat, keys.len()), expected, "librdkafka, {partitions} partitions");
    }
}

#[test]
fn partitioners_by_librdkafkas_names_do_what_librdkafka_does() {
    let cluster = Cluster::shared();
    let keys = keys(300);
    let lines: Vec<String> = keys.iter().map(|key| format!("{key}|v")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for partitioner in ["consistent", "consistent_random", "murmur2", "fnv1a", "fnv1a_random"] {
        let (ours, theirs) = (unique("ours"), unique("theirs"));
        [&ours, &theirs].into_iter().for_each(|topic| cluster.create_topic(topic, 7, &[]));
        send_all(cluster, &ours, partitioner, &keys);
        let property = format!("topic.partitioner={partitioner}");
        peers::kcat_produce(&cluster.bootstrap(), &theirs, &lines, &["-K|", "-X", &property]);
        assert_eq!(places(cluster, &ours, keys.len()), places(cluster, &theirs, keys.len()), "{partitioner}");
    }
}

#[test]
fn a_leader_that_moved_is_followed_without_a_pause() {
    let cluster = Cluster::shared_three();
    let topic = unique("moved");
    cluster.create_topic(&topic, 1, &[]);
    cluster.wait_in_sync(&topic);
    // Were it to wait for a pause or for metadata, that would show.
    let producer = KafkaProducer::builder()
        .bootstrap_servers(cluster.bootstrap())
        .retry_backoff(Duration::from_secs(50))
        .retry_backoff_max(Duration::from_secs(50))
        .build()
        .unwrap();
    let send = |value: &str| {
        let handle = producer.send(ProducerRecord::new(&topic).value(value)).unwrap();
        handle.get(PATIENCE).unwrap().offset()
    };
    assert_eq!(send("first"), Some(0));
    let old = cluster.leader(&topic, 0);
    // The replicas in another order, and the first of them elected.
    let order = [old % 3 + 1, (old + 1) % 3 + 1, old].map(|node| node.to_string()).join(",");
    let plan =
        format!(r#"{{"version":1,"partitions":[{{"topic":"{topic}","partition":0,"replicas":[{order}]}}]}}"#);
    let file = std::env::temp_dir().join(format!("{topic}.json"));
    std::fs::write(&file, plan).unwrap();
    let path = file.to_str().unwrap();
    let arguments = ["--reassignment-json-file", path, "--execute"];
    cluster
        .tool("org.apache.kafka.tools.reassign.ReassignPartitionsCommand", &arguments)
        .expect_success("the reassignment");
    let arguments = ["--election-type", "preferred", "--topic", &topic, "--partition", "0"];
    cluster.tool("org.apache.kafka.tools.LeaderElectionCommand", &arguments).expect_success("the election");
    std::fs::remove_file(&file).unwrap();
    support::kafka::wait_until("the leader has moved", PATIENCE, || cluster.leader(&topic, 0) != old);

    let began = Instant::now();
    assert_eq!(send("second"), Some(1));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let metrics = producer.metrics();
    assert_eq!(
        metrics.get("producer-metrics", "record-retry-total"),
        Some(1.0),
        "the old leader was asked first"
    );
}

#[test]
fn a_topic_made_anew_is_told_apart_from_the_old_one() {
    let cluster = Cluster::shared();
    let topic = unique("anew");
    let admin = KafkaAdminClient::builder().bootstrap_servers(cluster.bootstrap()).build().unwrap();
    let producer = KafkaProducer::builder()
        .bootstrap_servers(cluster.bootstrap())
        .max_block(Duration::from_secs(5))
        .build()
        .unwrap();
    let to = |partition: i32, value: &str| {
        producer.send(ProducerRecord::new(&topic).partition(partition).value(value))
    };
    cluster.create_topic(&topic, 4, &[]);
    (0..4).for_each(|partition| drop(to(partition, "old").unwrap().get(PATIENCE).unwrap()));
    for (_, deleted) in admin.delete_topics([topic.as_str()]).unwrap() {
        deleted.unwrap();
    }
    // On its way while there is no such topic.
    let waiting = to(1, "waits").unwrap();
    support::kafka::wait_until("the topic is gone", PATIENCE, || cluster.partitions(&topic).is_empty());
    for (_, created) in admin.create_topics([NewTopic::new(&topic).partitions(2)]).unwrap() {
        created.unwrap();
    }
    let gone = to(3, "gone").unwrap();
    assert_eq!(waiting.get(PATIENCE).unwrap().offset(), Some(0));
    let error = gone.get(PATIENCE).unwrap_err();
    assert_eq!((error.kind(), error.partition()), (ErrorKind::TopicRecreated, Some(3)), "{error}");
    let error = to(3, "gone").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    assert_eq!(to(1, "new").unwrap().get(PATIENCE).unwrap().offset(), Some(1));
}

#[test]
fn first_sends_to_topics_that_are_being_created_succeed() {
    let cluster = Cluster::start(1, |config| {
        config.set("auto.create.topics.enable", true).set("num.partitions", 3);
    });
    let producer = KafkaProducer::builder().bootstrap_servers(cluster.bootstrap()).build().unwrap();
    thread::scope(|scope| {
        for worker in 0..8 {
            let producer = &producer;
            scope.spawn(move || {
                // Each topic is met by several threads at once.
                for index in 0..50 {
                    let topic = format!("first-{}", (index * 7 + worker / 2) % 50);
                    let handle = producer.send(ProducerRecord::new(&topic).value("x")).unwrap();
                    handle.get(PATIENCE).unwrap();
                }
            });
        }
    });
    let total: usize = (0..50).map(|index| cluster.partitions(&format!("first-{index}")).len()).sum();
    assert_eq!(total, 150);
}

/// The long form, where the rate is the quota's: `KAVKA_SOAK_SECONDS=60`.
#[test]
fn records_that_a_broker_refuses_fail_alone_and_the_others_are_written() {
    let cluster = Cluster::shared();
    let topic = unique("compacted");
    cluster.create_topic(&topic, 1, &[("cleanup.policy", "compact")]);
    let producer = KafkaProducer::builder()
        .bootstrap_servers(cluster.bootstrap())
        .linger(Duration::from_secs(5))
        .build()
        .unwrap();
    let mut handles = Vec::new();
    for index in 0..100 {
        let value = index.to_string();
        let record = ProducerRecord::new(&topic).value(&value);
        handles.push(match index % 10 {
            3 => producer.send(record).unwrap(),
            _ => producer.send(record.key(&value)).unwrap(),
        });
    }
    producer.flush(PATIENCE).unwrap();
    let mut offset = 0;
    for (index, handle) in handles.iter().enumerate() {
        let outcome = handle.try_get().expect("flushed");
        if index % 10 == 3 {
            let error = outcome.unwrap_err();
            assert_eq!(error.code(), Some(kavka::ErrorCode::INVALID_RECORD), "{error}");
            assert!(!error.maybe_written(), "{error}");
        } else {
            assert_eq!(outcome.unwrap().offset(), Some(offset), "{index}");
            offset += 1;
        }
    }
    // The same producer goes on.
    let handle = producer.send(ProducerRecord::new(&topic).key("k").value("after")).unwrap();
    assert_eq!(handle.get(PATIENCE).unwrap().offset(), Some(90));
}

#[test]
fn a_quota_slows_a_producer_down_and_fails_nothing() {
    const RATE: u32 = 250_000;
    let soak = std::env::var("KAVKA_SOAK_SECONDS").ok().map(|seconds| seconds.parse::<usize>().unwrap());
    let count = 400 + soak.unwrap_or(0) * RATE as usize / 10_000;
    let cluster = Cluster::shared();
    let topic = unique("quota");
    cluster.create_topic(&topic, 1, &[]);
    let client = unique("limited");
    let quota = format!("producer_byte_rate={RATE}");
    let arguments = ["--alter", "--add-config", &quota, "--entity-type", "clients", "--entity-name", &client];
    cluster.tool("kafka.admin.ConfigCommand", &arguments).expect_success("setting the quota");
    let producer = KafkaProducer::builder()
        .bootstrap_servers(cluster.bootstrap())
        .client_id(client.as_str())
        .linger(Duration::from_millis(5))
        .request_timeout(Duration::from_secs(10))
        .build()
        .unwrap();
    let value = "x".repeat(10_000);
    producer.send(ProducerRecord::new(&topic).value(&value)).unwrap().get(PATIENCE).unwrap();
    let began = Instant::now();
    // Brokers average over 11 s, so what those are worth passes at once.
    let handles: Vec<_> =
        (0..count).map(|_| producer.send(ProducerRecord::new(&topic).value(&value)).unwrap()).collect();
    let acknowledged: Vec<Duration> = handles
        .iter()
        .map(|handle| {
            handle.get(PATIENCE).unwrap();
            began.elapsed()
        })
        .collect();
    let took = began.elapsed();
    let metrics = producer.metrics();
    let metric = |name| metrics.get("producer-metrics", name).unwrap();
    assert!(metric("produce-throttle-time-max") > 100.0, "it was throttled");
    assert_eq!((metric("record-retry-total"), metric("record-error-total")), (0.0, 0.0));
    let rate = count as f64 * 1e4 / took.as_secs_f64();
    assert!(rate < 5.0 * f64::from(RATE), "{rate} bytes/s");
    if soak.is_some() {
        // What comes behind the allowance.
        let last = acknowledged.iter().skip(400).copied();
        let tail = took - last.clone().next().unwrap();
        let rate = (count - 400) as f64 * 1e4 / tail.as_secs_f64();
        println!("{rate:.0} bytes/s of {RATE} over {tail:?}");
        assert!((rate / f64::from(RATE) - 1.0).abs() < 0.1, "{rate} bytes/s over {tail:?}");
    }
}

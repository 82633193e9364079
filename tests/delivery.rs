//! What the producer promises, on a real Apache Kafka: nothing acknowledged is lost, nothing is doubled, order
//! is kept, and every wait ends.

#![allow(clippy::disallowed_methods, reason = "a test measures with its own clock how long calls take")]

mod support;

#[path = "delivery/memory.rs"]
mod memory;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use kavka::config::CompressionType;
use kavka::{ErrorKind, KafkaProducer, ProducerRecord};
use support::audit::{self, Number, Seen};
use support::kafka::{Cluster, unique, wait_until};
use support::peers;

fn producer(cluster: &Cluster) -> KafkaProducer {
    KafkaProducer::builder().bootstrap_servers(cluster.bootstrap()).build().unwrap()
}

/// Reads what another client finds in a topic, which must be `count` records.
fn read_by_kcat(cluster: &Cluster, topic: &str, count: usize) -> Vec<Seen> {
    peers::kcat_consume(&cluster.bootstrap(), topic, count, &[])
        .into_iter()
        .map(|record| Seen {
            partition: record.partition,
            offset: record.offset,
            number: Number::parse(record.value.as_deref().unwrap()),
        })
        .collect()
}

#[test]
fn each_codec_is_read_by_others() {
    let cluster = Cluster::shared();
    for codec in [
        CompressionType::None,
        CompressionType::Gzip,
        CompressionType::Snappy,
        CompressionType::Lz4,
        CompressionType::Zstd,
    ] {
        let topic = unique("codec");
        cluster.create_topic(&topic, 3, &[]);
        let producer = KafkaProducer::builder()
            .bootstrap_servers(cluster.bootstrap())
            .compression_type(codec)
            .linger(Duration::from_millis(5))
            .build()
            .unwrap();
        let sent = audit::send_numbered(&producer, &topic, 4, 2_500);
        assert!(sent.iter().all(|(_, outcome)| outcome.is_ok()), "{codec}");
        audit::check(&sent, &read_by_kcat(cluster, &topic, 10_000));
        assert_eq!(producer.buffer_available_bytes(), producer.config().buffer_memory, "{codec}");
    }
}

#[test]
fn a_leader_is_killed_while_records_are_sent() {
    let cluster = Cluster::start(3, |_| {});
    cluster.create_topic("orders", 6, &[("min.insync.replicas", "2")]);
    let producer = producer(&cluster);
    let sent_count = AtomicU32::new(0);
    let done = AtomicBool::new(false);
    let sent = std::thread::scope(|scope| {
        let killer = scope.spawn(|| {
            let reached = |count| sent_count.load(Ordering::Relaxed) >= count || done.load(Ordering::Relaxed);
            for (round, threshold) in [(1, 10_000), (2, 30_000), (3, 50_000)] {
                wait_until("records are on their way", Duration::from_secs(120), || reached(threshold));
                let victim = cluster.leader("orders", round);
                cluster.kill(victim);
                cluster.start_node(victim);
                cluster.wait_in_sync("orders");
            }
        });
        // Slow enough that each death falls into the sending.
        let sent = audit::send_numbered_paced(&producer, "orders", 4, 20_000, |number| {
            sent_count.fetch_add(1, Ordering::Relaxed);
            if number.index % 50 == 0 {
                producer.flush(Duration::from_secs(60)).unwrap();
            }
        });
        done.store(true, Ordering::Relaxed);
        killer.join().unwrap();
        sent
    });
    for (number, outcome) in &sent {
        assert!(outcome.is_ok(), "{number:?}: {outcome:?}");
    }
    audit::check(&sent, &read_by_kcat(&cluster, "orders", 80_000));
    producer.close(Duration::from_secs(10)).unwrap();
}

#[test]
fn records_wait_for_brokers_that_are_down_for_a_while() {
    let cluster = Cluster::start(1, |_| {});
    cluster.create_topic("orders", 2, &[]);
    let producer = producer(&cluster);
    let first = producer.send(ProducerRecord::new("orders").value("0/0")).unwrap();
    first.get(Duration::from_secs(30)).unwrap();

    cluster.kill(1);
    let down = Instant::now();
    let waiting: Vec<_> = (1..=1_000)
        .map(|index| producer.send(ProducerRecord::new("orders").value(&format!("0/{index}"))).unwrap())
        .collect();
    let early = waiting[0].get(Duration::from_secs(20)).unwrap_err();
    assert_eq!(early.kind(), ErrorKind::Timeout, "{early}");
    assert!(down.elapsed() >= Duration::from_secs(20));

    cluster.start_node(1);
    for handle in &waiting {
        handle.get(Duration::from_secs(60)).unwrap();
    }
    assert_eq!(read_by_kcat(&cluster, "orders", 1_001).len(), 1_001);
}

/// The long form: `KAVKA_RECORDS=333000`, a million records.
#[test]
fn an_idempotent_producer_outlives_an_outage_longer_than_its_delivery_timeout() {
    let count = std::env::var("KAVKA_RECORDS").ok().and_then(|count| count.parse().ok()).unwrap_or(2_000);
    let cluster = Cluster::start(3, |_| {});
    cluster.create_topic("orders", 3, &[("min.insync.replicas", "2")]);
    let producer = KafkaProducer::builder()
        .bootstrap_servers(cluster.bootstrap())
        .request_timeout(Duration::from_secs(2))
        .delivery_timeout(Duration::from_secs(5))
        .build()
        .unwrap();
    // What waits its turn for longer than the delivery timeout is not what this is about.
    let pace = |index: u32| {
        if index % 2_000 == 1_999 {
            producer.flush(Duration::from_secs(60)).unwrap();
        }
    };
    let mut sent = audit::send_numbered_paced(&producer, "orders", 2, count, |number| pace(number.index));
    assert!(sent.iter().all(|(_, outcome)| outcome.is_ok()));
    // One broker is left: it takes nothing that two must have, or takes it and cannot say so.
    let (first, second) = (cluster.leader("orders", 0), cluster.leader("orders", 1));
    let numbered = |thread: u32, index| {
        let number = Number { thread, index };
        let value = number.value();
        (number, producer.send(ProducerRecord::new("orders").value(&value)))
    };
    let waiting: Vec<_> = (0..200).map(|index| numbered(7, index)).collect();
    cluster.kill(first);
    cluster.kill(second);
    let outage = Instant::now();
    let in_outage: Vec<_> = (200..400).map(|index| numbered(7, index)).collect();
    for (number, handle) in waiting.into_iter().chain(in_outage) {
        let outcome = handle.and_then(|handle| handle.get(Duration::from_secs(60)));
        assert!(outcome.is_ok() || outcome.as_ref().is_err_and(|error| !error.is_fatal()), "{outcome:?}");
        sent.push((number, outcome));
    }
    assert!(sent.iter().any(|(_, outcome)| outcome.is_err()), "{:?}", outage.elapsed());
    cluster.start_node(first);
    cluster.start_node(second);
    cluster.wait_in_sync("orders");
    let after: Vec<_> = (400..400 + count)
        .map(|index| {
            pace(index);
            numbered(7, index)
        })
        .collect();
    for (number, handle) in after {
        let outcome = handle.and_then(|handle| handle.get(Duration::from_secs(60)));
        assert!(outcome.is_ok(), "the same producer goes on: {outcome:?}");
        sent.push((number, outcome));
    }
    let ends: i64 = {
        let mut consumer =
            kavka::KafkaConsumer::builder().bootstrap_servers(cluster.bootstrap()).build().unwrap();
        let partitions: Vec<_> =
            (0..3).map(|partition| kavka::TopicPartition::new("orders", partition)).collect();
        consumer.end_offsets(&partitions).unwrap().values().sum()
    };
    audit::check(&sent, &read_by_kcat(&cluster, "orders", usize::try_from(ends).unwrap()));
}

#[test]
fn a_frozen_broker_does_not_hang_a_close() {
    let cluster = Cluster::start(1, |_| {});
    cluster.create_topic("orders", 1, &[]);
    let producer = producer(&cluster);
    producer.send(ProducerRecord::new("orders").value("x")).unwrap().get(Duration::from_secs(30)).unwrap();
    cluster.pause(1);
    let lost = producer.send(ProducerRecord::new("orders").value("y")).unwrap();
    let closing = Instant::now();
    let error = producer.close(Duration::from_secs(1)).unwrap_err();
    assert!(closing.elapsed() < Duration::from_secs(2), "{:?}", closing.elapsed());
    assert_eq!((error.records(), error.batches(), error.thread_ended()), (1, 1, true), "{error}");
    assert_eq!(lost.get(Duration::ZERO).unwrap_err().kind(), ErrorKind::Closed);
    cluster.resume(1);
}

#[test]
fn a_leader_that_froze_is_left_for_the_next_one() {
    let cluster = Cluster::start(3, |_| {});
    cluster.create_topic("orders", 1, &[("min.insync.replicas", "1")]);
    let producer = KafkaProducer::builder()
        .bootstrap_servers(cluster.bootstrap())
        .request_timeout(Duration::from_secs(2))
        .delivery_timeout(Duration::from_secs(60))
        .build()
        .unwrap();
    let frozen = cluster.leader("orders", 0);
    let freeze = Number { thread: 0, index: 100 };
    // The others notice after the session's three seconds, and the producer by its request's two.
    let sent = audit::send_numbered_paced(&producer, "orders", 2, 300, |number| {
        if number == freeze {
            cluster.pause(frozen);
        }
    });
    assert!(sent.iter().all(|(_, outcome)| outcome.is_ok()), "the next leader takes them");
    cluster.resume(frozen);
    cluster.wait_in_sync("orders");
    audit::check(&sent, &read_by_kcat(&cluster, "orders", 600));
}

#[test]
fn an_unknown_topic_is_named_within_max_block() {
    let cluster = Cluster::shared();
    let producer = KafkaProducer::builder()
        .bootstrap_servers(cluster.bootstrap())
        .max_block(Duration::from_secs(1))
        .build()
        .unwrap();
    let started = Instant::now();
    let error = producer.send(ProducerRecord::new("no-such-topic").value("x")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownTopic, "{error}");
    assert_eq!(error.topic(), Some("no-such-topic"));
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[test]
fn a_partition_that_the_topic_lacks_is_named() {
    let cluster = Cluster::shared();
    let topic = unique("partitions");
    cluster.create_topic(&topic, 2, &[]);
    let producer = KafkaProducer::builder()
        .bootstrap_servers(cluster.bootstrap())
        .max_block(Duration::from_secs(1))
        .build()
        .unwrap();
    assert_eq!(producer.partitions_for(&topic).unwrap(), [0, 1]);
    let error = producer.send(ProducerRecord::new(&topic).partition(2).value("x")).unwrap_err();
    assert_eq!((error.kind(), error.partition()), (ErrorKind::InvalidArgument, Some(2)), "{error}");
    assert!(error.to_string().contains("2 partitions"), "{error}");
}

/// A thousand bytes that no codec finds anything in.
fn noise(seed: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(seed as u64);
    std::iter::repeat_with(|| rng.u8(..)).take(1_000).collect()
}

#[test]
fn batches_that_are_too_large_are_split_and_records_that_are_too_large_are_named() {
    const RECORDS: usize = 900;
    let cluster = Cluster::shared();
    let codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
    let sent = codecs.map(|codec| {
        let topic = unique("split");
        cluster.create_topic(&topic, 1, &[("max.message.bytes", "10000")]);
        let producer = KafkaProducer::builder()
            .bootstrap_servers(cluster.bootstrap())
            .set("compression.type", codec)
            .batch_size(1_000_000_usize)
            .max_request_size(2_000_000_usize)
            .linger(Duration::from_millis(500))
            .build()
            .unwrap();
        let handles: Vec<_> = (0..RECORDS)
            .map(|index| producer.send(ProducerRecord::new(&topic).value(&noise(index))).unwrap())
            .collect();
        assert!(handles.last().unwrap().is_same_batch(&handles[0]), "{codec}: one batch");
        let large: Vec<u8> = (0..20).flat_map(noise).collect();
        let large = producer.send(ProducerRecord::new(&topic).value(&large)).unwrap();
        let after = producer.send(ProducerRecord::new(&topic).value("after")).unwrap();
        (codec, topic, producer, handles, large, after)
    });
    for (codec, topic, producer, handles, large, after) in sent {
        for (index, handle) in handles.iter().enumerate() {
            let metadata = handle.get(Duration::from_secs(60)).unwrap();
            assert_eq!(metadata.offset(), Some(index as i64), "{codec}");
        }
        let error = large.get(Duration::from_secs(60)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RecordTooLarge, "{codec}: {error}");
        assert_eq!((error.topic(), error.partition()), (Some(topic.as_str()), Some(0)));
        assert_eq!(after.get(Duration::from_secs(60)).unwrap().offset(), Some(RECORDS as i64));
        let seen = peers::kcat_consume(&cluster.bootstrap(), &topic, RECORDS + 1, &[]);
        for (index, record) in seen.iter().take(RECORDS).enumerate() {
            assert_eq!(record.value.as_deref(), Some(&noise(index)[..]), "{codec}");
        }
        assert!(producer.metrics().get("producer-metrics", "batch-split-total").unwrap() > 100.0);
        producer.flush(Duration::from_secs(60)).unwrap();
        wait_until("the memory comes back", Duration::from_secs(60), || {
            producer.buffer_available_bytes() == producer.config().buffer_memory
        });
    }
}

#[test]
fn acks_0_and_1_are_served() {
    let cluster = Cluster::shared();
    for acks in ["0", "1"] {
        let topic = unique("acks");
        cluster.create_topic(&topic, 2, &[]);
        let producer = KafkaProducer::builder()
            .bootstrap_servers(cluster.bootstrap())
            .set("acks", acks)
            .set("linger.ms", "5")
            .build()
            .unwrap();
        let sent = audit::send_numbered(&producer, &topic, 2, 1_000);
        assert!(sent.iter().all(|(_, outcome)| outcome.is_ok()));
        assert_eq!(sent[0].1.as_ref().unwrap().offset().is_none(), acks == "0");
        audit::check(&sent, &read_by_kcat(cluster, &topic, 2_000));
    }
}

#[test]
fn keys_headers_and_timestamps_arrive_as_sent() {
    let cluster = Cluster::shared();
    let topic = unique("record");
    cluster.create_topic(&topic, 1, &[]);
    let producer = producer(cluster);
    let record = ProducerRecord::new(&topic)
        .key("k")
        .value("v")
        .header("one", "1")
        .header("two", [0xff_u8])
        .timestamp(1_700_000_000_123);
    let metadata = producer.send(record).unwrap().get(Duration::from_secs(30)).unwrap();
    assert_eq!(metadata.timestamp(), 1_700_000_000_123);
    assert_eq!((metadata.serialized_key_size(), metadata.serialized_value_size()), (Some(1), Some(1)));
    producer
        .send(ProducerRecord::new(&topic).key("tombstone"))
        .unwrap()
        .get(Duration::from_secs(30))
        .unwrap();
    let script = "
import sys, kafka
consumer = kafka.KafkaConsumer(
    sys.argv[2], bootstrap_servers=sys.argv[1], auto_offset_reset='earliest', consumer_timeout_ms=20000)
for _ in range(2):
    r = next(consumer)
    print(r.key, r.value, r.headers, r.timestamp > 1700000000000 and r.timestamp_type)";
    let seen = peers::python(script, &[&cluster.bootstrap(), &topic]);
    let lines: Vec<&str> = seen.lines().collect();
    assert!(lines[0].starts_with(r"b'k' b'v' [('one', b'1'), ('two', b'\xff')] 0"), "{seen}");
    assert!(lines[1].starts_with("b'tombstone' None [] 0"), "{seen}");
}

#[test]
fn kafkas_own_client_and_kafka_python_read_each_codec() {
    let cluster = Cluster::shared();
    let topic = unique("readers");
    cluster.create_topic(&topic, 1, &[]);
    let codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
    for codec in codecs {
        let producer = KafkaProducer::builder()
            .bootstrap_servers(cluster.bootstrap())
            .set("compression.type", codec)
            .linger(Duration::from_millis(20))
            .build()
            .unwrap();
        // Two records, so that the batch is worth its compression.
        for part in ["a", "b"] {
            let value = format!("{codec} {part} {}", "x".repeat(100));
            producer.send(ProducerRecord::new(&topic).value(&value)).unwrap();
        }
        producer.close(Duration::from_secs(30)).unwrap();
    }
    let expected: Vec<String> = codecs
        .iter()
        .flat_map(|codec| ["a", "b"].map(|part| format!("{codec} {part} {}", "x".repeat(100))))
        .collect();
    assert_eq!(peers::java_console_consume(&cluster.bootstrap(), &topic, 10, &[]), expected);
    let script = "
import sys, kafka
consumer = kafka.KafkaConsumer(bootstrap_servers=sys.argv[1], consumer_timeout_ms=20000)
tp = kafka.TopicPartition(sys.argv[2], 0)
consumer.assign([tp])
consumer.seek(tp, 0)
for _ in range(10):
    print(next(consumer).value.decode())";
    let read = peers::python(script, &[&cluster.bootstrap(), &topic]);
    assert_eq!(read.lines().collect::<Vec<_>>(), expected);
}

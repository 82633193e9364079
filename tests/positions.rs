//! Positions on a real Apache Kafka: unclean elections, topics that are created anew, transactions, compaction, nearer
//! replicas, new partitions, records larger than every limit, quotas.

#![allow(clippy::disallowed_methods, reason = "a test measures with its own clock how long calls take")]

mod support;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use kavka::admin::{KafkaAdminClient, NewPartitions, NewTopic};
use kavka::config::{AutoOffsetReset, IsolationLevel};
use kavka::consumer::ConsumerBuilder;
use kavka::types::{OffsetAndMetadata, OffsetSpec};
use kavka::{ConsumerRecord, Error, ErrorKind, KafkaConsumer, KafkaProducer, ProducerRecord, TopicPartition};
use support::kafka::{Cluster, unique, wait_until};
use support::peers;

const PATIENCE: Duration = Duration::from_secs(90);
const SHORT: Duration = Duration::from_millis(100);

fn options(cluster: &Cluster) -> ConsumerBuilder {
    KafkaConsumer::builder()
        .bootstrap_servers(cluster.bootstrap())
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .metadata_max_age(Duration::from_secs(1))
        .allow_auto_create_topics(false)
        .request_timeout(Duration::from_secs(5))
}

fn admin(cluster: &Cluster) -> KafkaAdminClient {
    KafkaAdminClient::builder().bootstrap_servers(cluster.bootstrap()).build().unwrap()
}

/// Sends numbers to a partition and waits until all are acknowledged.
fn send(cluster: &Cluster, topic: &str, partition: i32, numbers: std::ops::Range<u32>) {
    let producer = KafkaProducer::builder()
        .bootstrap_servers(cluster.bootstrap())
        .metadata_max_age(Duration::from_secs(1))
        .linger(Duration::from_millis(5))
        .build()
        .unwrap();
    let acks: Vec<_> = numbers
        .map(|number| {
            let value = number.to_string();
            producer.send(ProducerRecord::new(topic).partition(partition).value(&value)).unwrap()
        })
        .collect();
    for ack in acks {
        ack.get(PATIENCE).unwrap();
    }
    producer.close(PATIENCE).unwrap();
}

fn number(record: &ConsumerRecord) -> u32 {
    std::str::from_utf8(record.value().as_deref().unwrap()).unwrap().parse().unwrap()
}

fn take(consumer: &mut KafkaConsumer, count: usize) -> Vec<u32> {
    let deadline = Instant::now() + PATIENCE;
    let mut numbers = Vec::new();
    while numbers.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} records", numbers.len());
        numbers.extend(consumer.poll(SHORT).unwrap().iter().map(number));
    }
    numbers
}

fn error_of(consumer: &mut KafkaConsumer) -> Error {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match consumer.poll(SHORT) {
            Ok(records) => {
                assert!(records.is_empty() && Instant::now() < deadline, "{} records", records.len())
            }
            Err(error) => return error,
        }
    }
}

fn poll_until(consumer: &mut KafkaConsumer, what: &str, mut done: impl FnMut(&mut KafkaConsumer) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done(consumer) {
        assert!(Instant::now() < deadline, "{what}");
        consumer.poll(SHORT).unwrap();
    }
}

#[test]
fn an_unclean_election_is_told_with_the_offset_where_the_log_parts() {
    let cluster = Cluster::start(3, |_| {});
    let topic = NewTopic::new("t")
        .assignments([(0, vec![1, 2])])
        .config("unclean.leader.election.enable", "true")
        .config("min.insync.replicas", "1");
    for (_, created) in admin(&cluster).create_topics([topic]).unwrap() {
        created.unwrap();
    }
    assert_eq!(cluster.leader("t", 0), 1);
    let tp = TopicPartition::new("t", 0);
    send(&cluster, "t", 0, 0..100);
    cluster.kill(2);
    wait_until("the follower is out of the set in sync", PATIENCE, || {
        cluster.partitions("t")[0].in_sync == [1]
    });
    send(&cluster, "t", 0, 100..150);
    let mut strict = options(&cluster).auto_offset_reset(AutoOffsetReset::None).build().unwrap();
    let mut lenient = options(&cluster).group_id("lenient").enable_auto_commit(false).build().unwrap();
    for consumer in [&mut strict, &mut lenient] {
        consumer.assign([tp.clone()]).unwrap();
        consumer.seek(&tp, 0).unwrap();
        assert_eq!(take(consumer, 150), (0..150).collect::<Vec<_>>());
    }
    lenient.commit().unwrap();
    let committed = lenient.committed(&tp).unwrap().unwrap();
    assert_eq!(committed.offset, 150);
    assert!(committed.leader_epoch.is_some());
    // What only the first broker has is lost.
    cluster.kill(1);
    cluster.start_node(2);
    wait_until("the other replica leads", PATIENCE, || cluster.partitions("t")[0].leader == 2);
    send(&cluster, "t", 0, 1000..1100);

    let error = error_of(&mut strict);
    assert_eq!((error.kind(), error.offset()), (ErrorKind::LogTruncation, Some(100)), "{error}");
    strict.seek(&tp, 100).unwrap();
    assert_eq!(take(&mut strict, 100), (1000..1100).collect::<Vec<_>>());
    assert_eq!(take(&mut lenient, 100), (1000..1100).collect::<Vec<_>>());
    // Whoever begins at the committed offset finds out by its leader epoch.
    let mut late =
        options(&cluster).group_id("lenient").auto_offset_reset(AutoOffsetReset::None).build().unwrap();
    late.assign([tp.clone()]).unwrap();
    let error = error_of(&mut late);
    assert_eq!((error.kind(), error.offset()), (ErrorKind::LogTruncation, Some(100)), "{error}");
}

#[test]
fn a_topic_that_is_created_anew_is_told_and_its_old_offsets_are_not_committed() {
    let cluster = Cluster::shared();
    let (topic, group) = (unique("anew"), unique("group"));
    cluster.create_topic(&topic, 1, &[]);
    send(cluster, &topic, 0, 0..100);
    let tp = TopicPartition::new(topic.as_str(), 0);
    let builder = || options(cluster).group_id(&group).metadata_max_age(Duration::from_millis(300));
    let mut strict = builder().enable_auto_commit(false).build().unwrap();
    let mut lenient = options(cluster)
        .metadata_max_age(Duration::from_millis(300))
        .reset_on_topic_recreated(true)
        .build()
        .unwrap();
    for consumer in [&mut strict, &mut lenient] {
        consumer.assign([tp.clone()]).unwrap();
        assert_eq!(take(consumer, 100).len(), 100);
    }
    for (_, deleted) in admin(cluster).delete_topics([topic.as_str()]).unwrap() {
        deleted.unwrap();
    }
    wait_until("the topic is gone", PATIENCE, || {
        admin(cluster)
            .create_topics([NewTopic::new(&topic).partitions(1)])
            .unwrap()
            .into_iter()
            .all(|(_, one)| one.is_ok())
    });
    send(cluster, &topic, 0, 0..10);
    let error = error_of(&mut strict);
    assert_eq!((error.kind(), error.topic()), (ErrorKind::TopicRecreated, Some(topic.as_str())));
    let (old, new) = error.topic_ids().unwrap();
    assert_ne!(old, new);
    let refused = strict.commit_offsets([(tp.clone(), 100)]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TopicRecreated);
    assert_eq!(strict.committed(&tp).unwrap(), None);
    strict.seek_to_beginning(&[]).unwrap();
    assert_eq!(take(&mut strict, 10), (0..10).collect::<Vec<_>>());
    strict.commit().unwrap();
    assert_eq!(strict.committed(&tp).unwrap().map(|committed| committed.offset), Some(10));
    assert_eq!(take(&mut lenient, 10), (0..10).collect::<Vec<_>>());
}

/// Two transactions that are committed, between and behind them two that are aborted.
const TRANSACTIONS: &str = r#"
import sys
from kafka import KafkaProducer
producer = KafkaProducer(bootstrap_servers=sys.argv[1], transactional_id=sys.argv[2])
producer.init_transactions()
for number in range(4):
    producer.begin_transaction()
    for place in range(5):
        producer.send(sys.argv[3], value=str(number * 5 + place).encode(), partition=0)
    if number % 2 == 0:
        producer.commit_transaction()
    else:
        producer.flush()
        producer.abort_transaction()
producer.close()
"#;

#[test]
fn transactions_and_compaction_leave_no_consumer_standing() {
    let cluster = Cluster::start(1, |config| {
        config.set("log.cleaner.backoff.ms", 100);
    });
    // A log that ends in the marker of an aborted transaction.
    cluster.create_topic("t", 1, &[]);
    let tp = TopicPartition::new("t", 0);
    peers::python(TRANSACTIONS, &[&cluster.bootstrap(), "writer", "t"]);
    let ends = |consumer: &mut KafkaConsumer, tp: &TopicPartition| {
        consumer.end_offsets(std::slice::from_ref(tp)).unwrap()[tp]
    };
    for (isolation, expected) in [
        (IsolationLevel::ReadCommitted, (0..5).chain(10..15).collect::<Vec<u32>>()),
        (IsolationLevel::ReadUncommitted, (0..20).collect()),
    ] {
        let mut consumer = options(&cluster).isolation_level(isolation).build().unwrap();
        consumer.assign([tp.clone()]).unwrap();
        let end = ends(&mut consumer, &tp);
        assert_eq!(end, 24, "twenty records and four markers");
        assert_eq!(take(&mut consumer, expected.len()), expected, "{isolation}");
        poll_until(&mut consumer, "the end is reached", |consumer| consumer.position(&tp).unwrap() == end);
        assert_eq!(consumer.current_lag(&tp).unwrap(), Some(0));
    }
    // A compacted topic: what is left has gaps.
    cluster.create_topic(
        "c",
        1,
        &[
            ("cleanup.policy", "compact"),
            ("segment.ms", "100"),
            ("min.cleanable.dirty.ratio", "0.0"),
            ("max.compaction.lag.ms", "100"),
        ],
    );
    let tp = TopicPartition::new("c", 0);
    let producer = KafkaProducer::builder().bootstrap_servers(cluster.bootstrap()).build().unwrap();
    let write = |number: u32| {
        let (key, value) = ((number % 7).to_string(), number.to_string());
        let record = ProducerRecord::new("c").partition(0).key(&key).value(&value);
        producer.send(record).unwrap().get(PATIENCE).unwrap();
    };
    (0..100).for_each(write);
    let mut number = 100;
    let mut left = Vec::new();
    wait_until("the cleaner has been there", PATIENCE, || {
        // A segment is cleaned when another one has begun.
        write(number);
        number += 1;
        let mut consumer = options(&cluster).build().unwrap();
        consumer.assign([tp.clone()]).unwrap();
        let end = ends(&mut consumer, &tp);
        left.clear();
        poll_until_end(&mut consumer, &tp, end, &mut left);
        assert_eq!(consumer.current_lag(&tp).unwrap(), Some(0));
        left.len() < 60
    });
    assert_eq!(left.last(), Some(&(number - 1)));
    assert!(left.windows(2).all(|pair| pair[0] < pair[1]), "{left:?}");
}

fn poll_until_end(consumer: &mut KafkaConsumer, tp: &TopicPartition, end: i64, seen: &mut Vec<u32>) {
    let deadline = Instant::now() + PATIENCE;
    while consumer.position(tp).unwrap() < end {
        assert!(Instant::now() < deadline, "{} of {end}", consumer.position(tp).unwrap());
        seen.extend(consumer.poll(SHORT).unwrap().iter().map(number));
    }
}

#[test]
fn records_come_from_the_nearest_replica_and_from_the_leader_when_it_dies() {
    let cluster = Cluster::start(3, |config| {
        config.set("broker.rack", "rack-{node}");
        config.set("replica.selector.class", "org.apache.kafka.common.replica.RackAwareReplicaSelector");
    });
    cluster.create_topic("t", 1, &[("min.insync.replicas", "1")]);
    cluster.wait_in_sync("t");
    let tp = TopicPartition::new("t", 0);
    let leader = cluster.leader("t", 0);
    let near = leader % 3 + 1;
    send(&cluster, "t", 0, 0..1000);
    let mut consumer = options(&cluster)
        .client_rack(format!("rack-{near}"))
        .auto_offset_reset(AutoOffsetReset::None)
        .metadata_max_age(Duration::from_secs(300))
        .build()
        .unwrap();
    consumer.assign([tp.clone()]).unwrap();
    consumer.seek(&tp, 0).unwrap();
    assert_eq!(take(&mut consumer, 1000), (0..1000).collect::<Vec<_>>());
    let replica = |consumer: &KafkaConsumer| {
        let metrics = consumer.metrics();
        let mut found = metrics.iter().filter(|metric| metric.name() == "preferred-read-replica");
        found.next().map(|metric| metric.value() as i32)
    };
    poll_until(&mut consumer, "the replica is told", |consumer| replica(consumer) == Some(near));
    // New records come that way, too, as soon as the replica has them.
    send(&cluster, "t", 0, 1000..1100);
    assert_eq!(take(&mut consumer, 100), (1000..1100).collect::<Vec<_>>());
    assert_eq!(replica(&consumer), Some(near));
    cluster.kill(near);
    send(&cluster, "t", 0, 1100..1200);
    assert_eq!(take(&mut consumer, 100), (1100..1200).collect::<Vec<_>>());
    poll_until(&mut consumer, "the leader is told", |consumer| replica(consumer) == Some(-1));
}

#[test]
fn a_duration_says_where_to_begin() {
    let cluster = Cluster::shared();
    let topic = unique("dated");
    cluster.create_topic(&topic, 2, &[]);
    let producer = KafkaProducer::builder().bootstrap_servers(cluster.bootstrap()).build().unwrap();
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let now = since_1970.as_millis() as i64;
    for (number, hours) in [(0, 5), (1, 3), (2, 1), (3, 0)] {
        let value = number.to_string();
        for partition in (0..2).filter(|partition| *partition == 0 || hours > 2) {
            let record = ProducerRecord::new(&topic).partition(partition).value(&value);
            producer.send(record.timestamp(now - hours * 3_600_000)).unwrap().get(PATIENCE).unwrap();
        }
    }
    let (first, second) = (TopicPartition::new(&*topic, 0), TopicPartition::new(&*topic, 1));
    let options = || options(cluster).group_id(unique("group")).set("auto.offset.reset", "by_duration:PT2H");
    let mut consumer = options().build().unwrap();
    consumer.subscribe([topic.as_str()]).unwrap();
    assert_eq!(take(&mut consumer, 2), [2, 3], "the last two hours");
    assert_eq!(consumer.position(&second).unwrap(), 2, "all of it is older: behind the newest");

    // A position that the log does not have goes there, too.
    let mut consumer = options().build().unwrap();
    consumer.assign([first.clone()]).unwrap();
    consumer.seek(&first, 1000).unwrap();
    assert_eq!(take(&mut consumer, 2), [2, 3]);
}

#[test]
fn partitions_added_under_load_are_read_from_their_first_record() {
    let cluster = Cluster::shared();
    let (topic, group) = (unique("grows"), unique("group"));
    cluster.create_topic(&topic, 2, &[]);
    let (stop, started) = (AtomicBool::new(false), AtomicBool::new(false));
    let (sent, first_needed) = (AtomicU32::new(0), AtomicU32::new(u32::MAX));
    let seen = Mutex::new(BTreeSet::new());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut consumer = options(cluster)
                    .group_id(&group)
                    .auto_offset_reset(AutoOffsetReset::Latest)
                    .metadata_max_age(Duration::from_millis(300))
                    .heartbeat_interval(Duration::from_millis(200))
                    .read_new_partitions_from_beginning(true)
                    .build()
                    .unwrap();
                consumer.subscribe([topic.as_str()]).unwrap();
                while !stop.load(Ordering::Relaxed) {
                    let records = consumer.poll(SHORT).unwrap();
                    seen.lock().unwrap().extend(records.iter().map(number));
                }
                consumer.close(PATIENCE).unwrap();
            });
        }
        let sender = scope.spawn(|| {
            let producer = KafkaProducer::builder()
                .bootstrap_servers(cluster.bootstrap())
                .metadata_max_age(Duration::from_millis(100))
                .build()
                .unwrap();
            let view = producer.cluster();
            while !stop.load(Ordering::Relaxed) {
                let number = sent.load(Ordering::Relaxed);
                let partitions = view.snapshot().topic(&topic).map_or(2, |topic| topic.partitions.len());
                let (value, partition) = (number.to_string(), number as usize % partitions);
                let record = ProducerRecord::new(&topic).partition(partition as i32).value(&value);
                producer.send(record).unwrap().get(PATIENCE).unwrap();
                sent.store(number + 1, Ordering::Relaxed);
                if seen.lock().unwrap().len() > 20 && !started.swap(true, Ordering::Relaxed) {
                    first_needed.store(number + 1, Ordering::Relaxed);
                }
                thread::sleep(Duration::from_millis(2));
            }
        });
        wait_until("both partitions are read", PATIENCE, || started.load(Ordering::Relaxed));
        for total in [4, 8] {
            let before = sent.load(Ordering::Relaxed);
            for (_, grown) in admin(cluster).create_partitions([NewPartitions::new(&topic, total)]).unwrap() {
                grown.unwrap();
            }
            wait_until("more is sent", PATIENCE, || sent.load(Ordering::Relaxed) > before + 300);
        }
        let end = sent.load(Ordering::Relaxed);
        wait_until("everything has come", PATIENCE, || {
            let seen = seen.lock().unwrap();
            (first_needed.load(Ordering::Relaxed)..end).all(|number| seen.contains(&number))
        });
        stop.store(true, Ordering::Relaxed);
        sender.join().unwrap();
    });
}

#[test]
fn records_larger_than_every_limit_are_read_or_told() {
    let cluster = Cluster::shared();
    let topic = unique("huge");
    cluster.create_topic(&topic, 2, &[("max.message.bytes", "31457280")]);
    let producer = KafkaProducer::builder()
        .bootstrap_servers(cluster.bootstrap())
        .max_request_size(31_457_280)
        .buffer_memory(67_108_864)
        .build()
        .unwrap();
    let huge = vec![b'7'; 20 << 20];
    for (partition, value) in [(0, &b"0"[..]), (1, b"10"), (1, &huge), (1, b"12"), (0, b"1")] {
        let record = ProducerRecord::new(&topic).partition(partition).value(value);
        producer.send(record).unwrap().get(PATIENCE).unwrap();
    }
    producer.close(PATIENCE).unwrap();
    let all = [0, 1].map(|partition| TopicPartition::new(topic.as_str(), partition));
    let small = || {
        options(cluster)
            .fetch_max_bytes(1 << 20)
            .max_partition_fetch_bytes(1 << 20)
            .buffer_memory(1 << 20)
            .request_timeout(Duration::from_secs(30))
    };
    let mut consumer = small().build().unwrap();
    consumer.assign(all.clone()).unwrap();
    let (mut sizes, deadline) = (Vec::new(), Instant::now() + PATIENCE);
    while sizes.len() < 5 {
        assert!(Instant::now() < deadline, "{sizes:?}");
        sizes.extend(
            consumer.poll(SHORT).unwrap().iter().map(|record| record.serialized_value_size().unwrap()),
        );
    }
    assert_eq!(sizes.iter().max(), Some(&huge.len()));

    let mut consumer = small().set("receive.message.max.bytes", "10485760").build().unwrap();
    consumer.assign(all.clone()).unwrap();
    let (mut numbers, mut errors) = (Vec::new(), Vec::new());
    let deadline = Instant::now() + PATIENCE;
    while numbers.len() < 3 || errors.is_empty() {
        assert!(Instant::now() < deadline, "{numbers:?} {errors:?}");
        match consumer.poll(SHORT) {
            Ok(records) => numbers.extend(records.iter().map(number)),
            Err(error) => errors.push(error),
        }
    }
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!((errors[0].kind(), errors[0].partition()), (ErrorKind::RecordTooLarge, Some(1)));
    assert_eq!((errors[0].offset(), consumer.position(&all[1]).unwrap()), (Some(1), 1));
    consumer.seek(&all[1], OffsetAndMetadata::new(2)).unwrap();
    assert_eq!(take(&mut consumer, 1), [12]);
}

#[test]
fn a_quota_slows_fetches_down_and_breaks_nothing() {
    let cluster = Cluster::shared();
    let (topic, client) = (unique("slow"), unique("client"));
    cluster.create_topic(&topic, 1, &[]);
    let producer = KafkaProducer::builder().bootstrap_servers(cluster.bootstrap()).build().unwrap();
    let value = vec![7_u8; 100_000];
    for _ in 0..250 {
        producer.send(ProducerRecord::new(&topic).partition(0).value(&value)).unwrap();
    }
    producer.close(PATIENCE).unwrap();
    let quota = ["--alter", "--add-config", "consumer_byte_rate=2000000", "--entity-type", "clients"];
    let words = [&quota[..], &["--entity-name", &client]].concat();
    cluster.tool("kafka.admin.ConfigCommand", &words).expect_success("ConfigCommand");
    let mut consumer = options(cluster)
        .client_id(&client)
        .request_timeout(Duration::from_secs(2))
        .fetch_max_bytes(1_000_000)
        .build()
        .unwrap();
    consumer.assign([TopicPartition::new(topic.as_str(), 0)]).unwrap();
    let (mut count, begin) = (0, Instant::now());
    while count < 250 {
        assert!(begin.elapsed() < PATIENCE, "{count} records");
        // A throttled node is waited for: that is no error, though it takes longer than a request may.
        count += consumer.poll(SHORT).unwrap().len();
    }
    // Brokers look at the last eleven seconds: 20 MB pass at once, and 5 MB at 2 MB a second.
    assert!(begin.elapsed() > Duration::from_secs(1), "{:?}", begin.elapsed());
    let metrics = consumer.metrics();
    let throttled = metrics.get("consumer-fetch-manager-metrics", "fetch-throttle-time-max").unwrap();
    assert!(throttled > 0.0, "{throttled}");
    let end = consumer.list_offsets([(TopicPartition::new(topic.as_str(), 0), OffsetSpec::Latest)]).unwrap();
    assert_eq!(end.values().flatten().next().map(|end| end.offset), Some(250));
}

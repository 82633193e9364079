//! The consumer against the mock cluster: positions, fetching, iteration, wake-ups.
#![allow(clippy::disallowed_methods, reason = "a test is not part of the client")]

#[path = "consumer/waiting.rs"]
mod waiting;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use kavka::config::{AutoOffsetReset, CompressionType};
use kavka::consumer::{ConsumerBuilder, DeserializationFailure, RecordPart};
use kavka::mock::{MockCluster, VersionTable};
use kavka::protocol::ApiKey;
use kavka::protocol::messages::FetchRequest;
use kavka::serializer::{Utf8, from_fn};
use kavka::types::{OffsetAndMetadata, OffsetSpec};
use kavka::{
    ConsumerRecord, ConsumerWaker, ErrorCode, ErrorKind, KafkaConsumer, KafkaProducer, ProducerRecord,
    TopicPartition,
};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(50);

fn cluster(partitions: i32) -> MockCluster {
    MockCluster::builder().brokers(3).topic("t", partitions).start().unwrap()
}

fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

fn options(cluster: &MockCluster) -> ConsumerBuilder {
    KafkaConsumer::builder()
        .bootstrap_servers(cluster.bootstrap_servers())
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .retry_backoff(Duration::from_millis(10))
        .reconnect_backoff(Duration::from_millis(10))
        .reconnect_backoff_max(Duration::from_millis(100))
}

fn assigned(cluster: &MockCluster, partitions: i32) -> KafkaConsumer {
    let mut consumer = options(cluster).build().unwrap();
    consumer.assign((0..partitions).map(tp)).unwrap();
    consumer
}

/// Sends the numbers of a range to a partition, each as a batch of its own when `single`.
fn fill(cluster: &MockCluster, partition: i32, numbers: std::ops::Range<u32>, single: bool) {
    let producer = KafkaProducer::builder().bootstrap_servers(cluster.bootstrap_servers()).build().unwrap();
    for number in numbers {
        let value = number.to_string();
        let ack = producer.send(ProducerRecord::new("t").partition(partition).value(&value)).unwrap();
        if single {
            ack.get(LONG).unwrap();
        }
    }
    producer.close(LONG).unwrap();
}

fn number(record: &ConsumerRecord) -> u32 {
    std::str::from_utf8(record.value().as_deref().unwrap()).unwrap().parse().unwrap()
}

/// Polls until `count` records have come.
fn take(consumer: &mut KafkaConsumer, count: usize) -> Vec<u32> {
    let deadline = Instant::now() + LONG;
    let mut numbers = Vec::new();
    while numbers.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} records", numbers.len());
        numbers.extend(consumer.poll(SHORT).unwrap().iter().map(number));
    }
    numbers
}

#[test]
fn records_are_send_and_shared() {
    fn check<T: Send + Sync + Clone + 'static>() {}
    fn moves<T: Send>() {}
    check::<ConsumerRecord>();
    check::<ConsumerWaker>();
    moves::<KafkaConsumer>();
}

#[test]
fn all_records_of_all_partitions_come_in_order() {
    let cluster = cluster(4);
    for partition in 0..4 {
        fill(&cluster, partition, 0..1000, false);
    }
    let mut consumer = assigned(&cluster, 4);
    let mut next: HashMap<i32, u32> = HashMap::new();
    let deadline = Instant::now() + LONG;
    while next.values().sum::<u32>() < 4000 {
        assert!(Instant::now() < deadline, "{next:?}");
        let records = consumer.poll(SHORT).unwrap();
        assert!(records.len() <= 500);
        assert_eq!(records.partitions().map(|(_, records)| records.len()).sum::<usize>(), records.len());
        for (tp, records) in records.partitions() {
            for record in records {
                let expected = next.entry(tp.partition()).or_default();
                assert_eq!((number(record), record.offset()), (*expected, i64::from(*expected)));
                *expected += 1;
            }
        }
        for (tp, offset) in records.next_offsets() {
            assert_eq!(offset.offset, i64::from(next[&tp.partition()]));
            assert_eq!(consumer.position(&tp).unwrap(), offset.offset);
        }
    }
    for partition in 0..4 {
        assert_eq!(consumer.highwater(&tp(partition)).unwrap(), Some(1000));
    }
    assert!(consumer.poll(SHORT).unwrap().is_empty());
    consumer.close(LONG).unwrap();
}

#[test]
fn iteration_yields_everything_and_ends_by_consumer_timeout() {
    let cluster = cluster(2);
    fill(&cluster, 0, 0..3000, false);
    fill(&cluster, 1, 0..3000, false);
    let mut consumer = options(&cluster).consumer_timeout(Duration::from_millis(300)).build().unwrap();
    consumer.subscribe(["t"]).unwrap();
    let mut counts = [0u32; 2];
    for record in &mut consumer {
        let record = record.unwrap();
        let count = &mut counts[record.partition() as usize];
        assert_eq!(number(&record), *count);
        *count += 1;
    }
    assert_eq!(counts, [3000, 3000]);
    fill(&cluster, 1, 3000..3001, false);
    assert_eq!(consumer.iter().next().map(|record| number(&record.unwrap())), Some(3000), "it goes on");
}

#[test]
fn keys_headers_and_timestamps_arrive() {
    let cluster = cluster(1);
    let producer = KafkaProducer::builder().bootstrap_servers(cluster.bootstrap_servers()).build().unwrap();
    let record = ProducerRecord::new("t").partition(0).key("k").value("v").timestamp(1234).header("h", "1");
    producer.send(record.header("h", "2")).unwrap().get(LONG).unwrap();
    let mut consumer = options(&cluster)
        .key_deserializer(Utf8)
        .value_deserializer(from_fn(|bytes: Option<bytes::Bytes>| Ok(bytes.map_or(0, |bytes| bytes.len()))))
        .build()
        .unwrap();
    consumer.assign([tp(0)]).unwrap();
    let record = consumer.iter().next().unwrap().unwrap();
    assert_eq!((record.key().as_deref(), *record.value()), (Some("k"), 1));
    assert_eq!((record.topic(), record.partition(), record.offset()), ("t", 0, 0));
    assert_eq!((record.timestamp(), record.leader_epoch()), (1234, Some(0)));
    assert_eq!((record.serialized_key_size(), record.serialized_value_size()), (Some(1), Some(1)));
    assert_eq!(record.headers().len(), 2);
    assert_eq!(record.headers().get("h").unwrap().value.as_deref(), Some(&b"2"[..]));
}

#[test]
fn a_record_that_cannot_be_deserialized_is_an_error_until_it_is_passed() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..5, false);
    let strict = from_fn(|bytes: Option<bytes::Bytes>| match bytes.as_deref() {
        Some(b"2") => Err(kavka::Error::new(ErrorKind::Deserialization, "two")),
        _ => Ok(bytes),
    });
    let mut consumer = options(&cluster).value_deserializer(strict).build().unwrap();
    consumer.assign([tp(0)]).unwrap();
    let outcomes: Vec<Result<i64, Option<i64>>> = consumer
        .iter()
        .take(5)
        .map(|record| record.map(|record| record.offset()).map_err(|error| error.offset()))
        .collect();
    assert_eq!(outcomes, [Ok(0), Ok(1), Err(Some(2)), Err(Some(2)), Err(Some(2))], "it stays at the record");
    assert_eq!(consumer.position(&tp(0)).unwrap(), 2);
    consumer.seek(&tp(0), 0).unwrap();
    let before = consumer.poll(LONG).unwrap();
    assert_eq!(before.len(), 2, "what comes before the bad one is not lost");
    for _ in 0..2 {
        let error = consumer.poll(LONG).unwrap_err();
        let place = (error.kind(), error.topic(), error.partition(), error.offset());
        assert_eq!(place, (ErrorKind::Deserialization, Some("t"), Some(0), Some(2)));
        assert!(error.to_string().contains("value") && error.to_string().contains("two"), "{error}");
        let failure = DeserializationFailure::of(&error).unwrap();
        assert_eq!(failure.part(), RecordPart::Value);
        assert_eq!((failure.record().offset(), failure.record().value().as_deref()), (2, Some(&b"2"[..])));
    }
    consumer.seek(&tp(0), 3).unwrap();
    assert_eq!(consumer.poll(LONG).unwrap().len(), 2);
}

#[test]
fn seeks_go_where_they_are_told() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..100, true);
    let mut consumer = assigned(&cluster, 1);
    assert_eq!(take(&mut consumer, 100), (0..100).collect::<Vec<_>>());
    consumer.seek(&tp(0), 40).unwrap();
    assert_eq!(consumer.position(&tp(0)).unwrap(), 40);
    assert_eq!(take(&mut consumer, 60), (40..100).collect::<Vec<_>>());
    consumer.seek_to_beginning(&[]).unwrap();
    assert_eq!(consumer.position(&tp(0)).unwrap(), 0);
    consumer.seek_to_end(&[tp(0)]).unwrap();
    assert_eq!(consumer.position(&tp(0)).unwrap(), 100);
    assert!(consumer.poll(SHORT).unwrap().is_empty());
    assert_eq!(consumer.seek(&tp(7), 0).unwrap_err().kind(), ErrorKind::IllegalState);
    assert_eq!(consumer.seek(&tp(0), -1).unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn a_seek_drops_what_was_fetched_before() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..2000, false);
    // A seek waits for the fetch that is under way.
    let mut consumer = options(&cluster).fetch_max_wait(Duration::from_millis(5)).build().unwrap();
    consumer.assign([tp(0)]).unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..200 {
        let to = random.i64(0..2000);
        consumer.seek(&tp(0), to).unwrap();
        if random.bool() {
            consumer.pause(&[tp(0)]).unwrap();
            assert!(consumer.poll(Duration::ZERO).unwrap().is_empty());
            consumer.resume(&[tp(0)]).unwrap();
        }
        let first = consumer.poll(LONG).unwrap();
        assert_eq!(first.iter().next().unwrap().offset(), to);
        let mut next = first.iter().last().unwrap().offset() + 1;
        if random.bool() && next < 2000 {
            for record in consumer.poll(LONG).unwrap() {
                assert_eq!(record.offset(), next);
                next += 1;
            }
        }
    }
}

#[test]
fn paused_partitions_keep_their_records() {
    let cluster = cluster(2);
    fill(&cluster, 0, 0..10, false);
    fill(&cluster, 1, 0..10, false);
    let mut consumer = assigned(&cluster, 2);
    consumer.pause(&[tp(0)]).unwrap();
    assert_eq!(consumer.paused(), [tp(0)]);
    let deadline = Instant::now() + Duration::from_millis(300);
    let mut seen = 0;
    while Instant::now() < deadline {
        for record in consumer.poll(SHORT).unwrap() {
            assert_eq!(record.partition(), 1);
            seen += 1;
        }
    }
    assert_eq!(seen, 10);
    let fetched = cluster.request_count(ApiKey::FETCH);
    consumer.resume(&[tp(0)]).unwrap();
    assert_eq!(take(&mut consumer, 10), (0..10).collect::<Vec<_>>());
    assert!(fetched > 0);
}

#[test]
fn offsets_can_be_looked_up() {
    let cluster = cluster(2);
    let producer = KafkaProducer::builder().bootstrap_servers(cluster.bootstrap_servers()).build().unwrap();
    for time in [100, 200, 300] {
        let record = ProducerRecord::new("t").partition(0).value("v").timestamp(time);
        producer.send(record).unwrap().get(LONG).unwrap();
    }
    cluster.delete_records_before("t", 0, 1).unwrap();
    let mut consumer = options(&cluster).build().unwrap();
    let all = [tp(0), tp(1)];
    assert_eq!(consumer.beginning_offsets(&all).unwrap(), HashMap::from([(tp(0), 1), (tp(1), 0)]));
    assert_eq!(consumer.end_offsets(&all).unwrap(), HashMap::from([(tp(0), 3), (tp(1), 0)]));
    let found = consumer.offsets_for_times([(tp(0), 201), (tp(1), 5)]).unwrap();
    assert_eq!(found[&tp(0)].map(|found| (found.offset, found.timestamp)), Some((2, 300)));
    assert_eq!(found[&tp(1)], None);
    let error = consumer.offsets_for_times([(tp(0), -1)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert_eq!(consumer.topics().unwrap(), ["t"]);
    assert_eq!(consumer.partitions_for_topic("t").unwrap(), [0, 1]);
    assert!(consumer.partitions_for_topic("other").unwrap().is_empty());
    assert_eq!(cluster.topics(), ["t"], "asking creates nothing");
}

#[test]
fn without_a_policy_a_missing_offset_is_an_error_once() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..3, false);
    let mut consumer = options(&cluster).auto_offset_reset(AutoOffsetReset::None).build().unwrap();
    consumer.assign([tp(0)]).unwrap();
    let error = consumer.poll(SHORT).unwrap_err();
    assert_eq!((error.kind(), error.partition()), (ErrorKind::NoOffsetForPartition, Some(0)));
    assert!(consumer.poll(SHORT).unwrap().is_empty());
    assert_eq!(consumer.position(&tp(0)).unwrap_err().kind(), ErrorKind::NoOffsetForPartition);
    consumer.seek(&tp(0), 99).unwrap();
    let deadline = Instant::now() + LONG;
    let error = loop {
        match consumer.poll(SHORT) {
            Ok(records) => assert!(records.is_empty() && Instant::now() < deadline),
            Err(error) => break error,
        }
    };
    assert_eq!((error.kind(), error.offset()), (ErrorKind::OffsetOutOfRange, Some(99)));
    consumer.seek(&tp(0), 1).unwrap();
    assert_eq!(take(&mut consumer, 2), [1, 2]);
}

#[test]
fn an_offset_out_of_range_is_reset_by_the_policy() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..10, true);
    let mut consumer = assigned(&cluster, 1);
    consumer.seek(&tp(0), 5000).unwrap();
    assert_eq!(take(&mut consumer, 10), (0..10).collect::<Vec<_>>());
}

#[test]
fn leaders_move_and_die_without_loss_or_doubles() {
    let cluster = cluster(3);
    let mut consumer = assigned(&cluster, 3);
    let mut seen: HashMap<i32, Vec<u32>> = HashMap::new();
    for round in 0..6u32 {
        for partition in 0..3 {
            fill(&cluster, partition, round * 50..(round + 1) * 50, false);
        }
        match round {
            1 => (0..3)
                .for_each(|partition| cluster.move_leader("t", partition, 1 + (partition + 1) % 3).unwrap()),
            2 => cluster.kill(1).unwrap(),
            3 => cluster.restart(1).unwrap(),
            4 => drop(cluster.on(None).times(20).drop_before()),
            _ => {}
        }
        let deadline = Instant::now() + LONG;
        let wanted = (round as usize + 1) * 150;
        while seen.values().map(Vec::len).sum::<usize>() < wanted {
            assert!(Instant::now() < deadline, "round {round}");
            for record in consumer.poll(SHORT).unwrap() {
                seen.entry(record.partition()).or_default().push(number(&record));
            }
        }
    }
    for numbers in seen.values() {
        assert_eq!(*numbers, (0..300).collect::<Vec<_>>());
    }
}

#[test]
fn lost_connections_and_errors_move_no_position() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..100, true);
    let mut consumer = options(&cluster).max_partition_fetch_bytes(500).build().unwrap();
    consumer.assign([tp(0)]).unwrap();
    cluster.on(ApiKey::FETCH).nth(2..=3).drop_before();
    cluster.on(ApiKey::FETCH).nth(5..=5).drop_after();
    cluster.on(ApiKey::FETCH).nth(6..=6).garbage();
    cluster.on(ApiKey::FETCH).partition("t", 0).nth(8..=9).error(ErrorCode::NOT_LEADER_OR_FOLLOWER);
    cluster.on(ApiKey::FETCH).partition("t", 0).nth(10..=10).error(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    cluster.on(ApiKey::FETCH).partition("t", 0).nth(11..=11).error(ErrorCode::KAFKA_STORAGE_ERROR);
    cluster.on(ApiKey::LIST_OFFSETS).nth(1..=2).drop_before();
    assert_eq!(take(&mut consumer, 100), (0..100).collect::<Vec<_>>());
}

#[test]
fn a_forgotten_session_is_begun_anew() {
    let cluster = MockCluster::builder().topic("t", 1).start().unwrap();
    fill(&cluster, 0, 0..10, true);
    let mut consumer = assigned(&cluster, 1);
    take(&mut consumer, 10);
    assert_eq!(cluster.fetch_sessions(1), 1);
    cluster.forget_fetch_sessions(1).unwrap();
    fill(&cluster, 0, 10..20, true);
    assert_eq!(take(&mut consumer, 10), (10..20).collect::<Vec<_>>());
    let last: FetchRequest = cluster.requests_of(ApiKey::FETCH).last().unwrap().decode().unwrap();
    assert!(last.session_epoch > 0 && last.session_id != 0, "{last:?}");
}

#[test]
fn an_idle_consumer_does_next_to_nothing() {
    let cluster = MockCluster::builder().topic("t", 4).start().unwrap();
    let mut consumer = assigned(&cluster, 4);
    consumer.poll(Duration::from_millis(200)).unwrap();
    cluster.clear_requests();
    assert!(consumer.poll(Duration::from_secs(2)).unwrap().is_empty());
    let requests = cluster.requests();
    assert!(requests.len() <= 6, "{} requests in 2 s", requests.len());
    let last: FetchRequest = cluster.requests_of(ApiKey::FETCH).last().unwrap().decode().unwrap();
    assert!(last.topics.is_empty(), "nothing has changed");
}

#[test]
fn prefetching_stops_at_its_bounds() {
    let cluster = MockCluster::builder().topic("t", 1).start().unwrap();
    let producer = KafkaProducer::builder().bootstrap_servers(cluster.bootstrap_servers()).build().unwrap();
    for _ in 0..100 {
        producer.send(ProducerRecord::new("t").partition(0).value(&vec![7u8; 10_000])).unwrap();
    }
    producer.close(LONG).unwrap();
    let mut consumer =
        options(&cluster).max_partition_fetch_bytes(20_000).max_poll_records(1).build().unwrap();
    consumer.assign([tp(0)]).unwrap();
    assert_eq!(consumer.poll(LONG).unwrap().len(), 1);
    // Three chunks ahead, and nothing more while the program does nothing.
    let before = cluster.request_count(ApiKey::FETCH);
    assert!(
        !cluster.wait_for(Duration::from_millis(500), |cluster| cluster.request_count(ApiKey::FETCH)
            > before + 4)
    );
    let mut count = 1;
    while count < 100 {
        count += consumer.poll(LONG).unwrap().len();
    }
}

#[test]
fn old_brokers_are_read() {
    let releases = [
        ("0.10.0", VersionTable::kafka_0_10_0()),
        ("0.11", VersionTable::kafka_0_11()),
        ("1.1", VersionTable::kafka_1_1()),
        ("2.1", VersionTable::kafka_2_1()),
        ("2.8", VersionTable::kafka_2_8()),
        ("3.9", VersionTable::kafka_3_9()),
        ("MSK", VersionTable::msk_serverless()),
        ("Event Hubs", VersionTable::event_hubs()),
        ("Redpanda", VersionTable::redpanda()),
    ];
    for (release, versions) in releases {
        let cluster = MockCluster::builder().topic("t", 1).versions(versions).start().unwrap();
        fill(&cluster, 0, 0..20, true);
        let mut consumer = options(&cluster).group_id("g").build().unwrap();
        consumer.subscribe(["t"]).unwrap();
        assert_eq!(take(&mut consumer, 20), (0..20).collect::<Vec<_>>(), "{release}");
        consumer.close(LONG).unwrap();
        assert_eq!(cluster.committed("g", "t", 0), Some(20), "{release}");
    }
}

#[test]
fn each_wake_is_seen_once() {
    let cluster = cluster(1);
    let mut consumer = assigned(&cluster, 1);
    let waker = consumer.waker();
    waker.wake();
    waker.wake();
    assert_eq!(consumer.poll(LONG).unwrap_err().kind(), ErrorKind::Woken);
    assert!(consumer.poll(SHORT).unwrap().is_empty());

    let stop = Arc::new(AtomicBool::new(false));
    let (sender, wakes) = std::sync::mpsc::channel::<()>();
    let other = thread::spawn({
        let (waker, stop) = (waker.clone(), Arc::clone(&stop));
        move || {
            while !stop.load(Ordering::Relaxed) && wakes.recv().is_ok() {
                waker.wake();
            }
        }
    });
    for _ in 0..1000 {
        sender.send(()).unwrap();
        let begin = Instant::now();
        assert_eq!(consumer.poll(LONG).unwrap_err().kind(), ErrorKind::Woken);
        assert!(begin.elapsed() < Duration::from_secs(5));
    }
    stop.store(true, Ordering::Relaxed);
    drop(sender);
    other.join().unwrap();
    waker.wake();
    assert!(consumer.iter().next().is_none(), "an iteration ends");
    drop(consumer);
    waker.wake();
}

#[test]
fn unreachable_brokers_make_polls_empty_and_calls_time_out() {
    let mut consumer = KafkaConsumer::builder().bootstrap_servers("127.0.0.1:1").build().unwrap();
    consumer.assign([tp(0)]).unwrap();
    assert!(consumer.poll(Duration::from_millis(300)).unwrap().is_empty());
    let error = consumer.position_timeout(&tp(0), Duration::from_millis(200)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
}

#[test]
fn misuse_is_refused() {
    let cluster = cluster(1);
    let mut consumer = options(&cluster).build().unwrap();
    assert_eq!(consumer.poll(SHORT).unwrap_err().kind(), ErrorKind::IllegalState);
    assert_eq!(consumer.subscribe(["no such name"]).unwrap_err().kind(), ErrorKind::InvalidArgument);
    consumer.subscribe(["t"]).unwrap();
    assert_eq!(consumer.subscription(), ["t"]);
    assert_eq!(consumer.assign([tp(0)]).unwrap_err().kind(), ErrorKind::IllegalState);
    assert_eq!(consumer.commit().unwrap_err().kind(), ErrorKind::IllegalState);
    assert_eq!(consumer.committed(&tp(0)).unwrap_err().kind(), ErrorKind::IllegalState);
    consumer.unsubscribe().unwrap();
    consumer.assign([tp(0)]).unwrap();
    assert_eq!(consumer.subscribe(["t"]).unwrap_err().kind(), ErrorKind::IllegalState);
    consumer.close(LONG).unwrap();
    consumer.close(LONG).unwrap();
    assert_eq!(consumer.poll(SHORT).unwrap_err().kind(), ErrorKind::Closed);
    assert!(consumer.iter().next().is_none());
}

#[test]
fn compressed_batches_are_read_from_the_middle() {
    let cluster = cluster(1);
    for codec in [CompressionType::Gzip, CompressionType::Snappy, CompressionType::Lz4, CompressionType::Zstd]
    {
        let producer = KafkaProducer::builder()
            .bootstrap_servers(cluster.bootstrap_servers())
            .compression_type(codec)
            .linger(Duration::from_millis(50))
            .build()
            .unwrap();
        let start = cluster.end_offset("t", 0);
        for number in 0..50 {
            producer.send(ProducerRecord::new("t").partition(0).value(&number.to_string())).unwrap();
        }
        producer.close(LONG).unwrap();
        let mut consumer = assigned(&cluster, 1);
        consumer.seek(&tp(0), start + 25).unwrap();
        assert_eq!(take(&mut consumer, 25), (25..50).collect::<Vec<_>>());
    }
}

#[test]
fn a_batch_that_unpacks_to_too_much_is_told_with_the_way_past_it() {
    let cluster = cluster(2);
    for codec in [CompressionType::Gzip, CompressionType::Snappy, CompressionType::Lz4, CompressionType::Zstd]
    {
        let start = cluster.end_offset("t", 0);
        fill(&cluster, 0, 0..2, true);
        let producer = KafkaProducer::builder()
            .bootstrap_servers(cluster.bootstrap_servers())
            .compression_type(codec)
            .max_request_size(20 << 20)
            .build()
            .unwrap();
        let zeros = vec![0; 8 << 20];
        let sent = producer.send(ProducerRecord::new("t").partition(0).value(&zeros)).unwrap();
        let bomb = sent.get(LONG).unwrap().offset().unwrap();
        fill(&cluster, 0, 2..4, true);
        let mut consumer = options(&cluster)
            .max_decompressed_batch_bytes(1 << 20)
            .fetch_max_wait(Duration::from_millis(50))
            .build()
            .unwrap();
        consumer.assign([tp(0), tp(1)]).unwrap();
        consumer.seek(&tp(0), start).unwrap();
        consumer.seek_to_end(&[tp(1)]).unwrap();
        consumer.position(&tp(1)).unwrap();
        assert_eq!(take(&mut consumer, 2), [0, 1]);
        let deadline = Instant::now() + LONG;
        let mut errors = 0;
        let mut others = Vec::new();
        while errors < 2 || others.len() < 2 {
            assert!(Instant::now() < deadline, "{codec:?}: {errors} errors, {others:?}");
            match consumer.poll(SHORT) {
                Ok(records) => others.extend(records.iter().map(number)),
                Err(error) => {
                    assert_eq!(
                        (error.kind(), error.topic(), error.partition(), error.offset()),
                        (ErrorKind::RecordTooLarge, Some("t"), Some(0), Some(bomb + 1))
                    );
                    assert!(error.to_string().contains("max.decompressed.batch.bytes"), "{error}");
                    errors += 1;
                    if errors == 1 {
                        fill(&cluster, 1, 7..9, true);
                    }
                }
            }
        }
        assert_eq!(others, [7, 8], "the other partition flows on");
        assert_eq!(consumer.position(&tp(0)).unwrap(), bomb, "nothing is passed silently");
        consumer.seek(&tp(0), bomb + 1).unwrap();
        let mut rest = Vec::new();
        while rest.len() < 2 {
            assert!(Instant::now() < deadline, "{rest:?}");
            // One more error of before the seek may have been on its way.
            rest.extend(
                consumer
                    .poll(SHORT)
                    .map_or_else(|_| Vec::new(), |records| records.iter().map(number).collect()),
            );
        }
        assert_eq!(rest, [2, 3]);
        let mut consumer = options(&cluster).build().unwrap();
        consumer.assign([tp(0)]).unwrap();
        consumer.seek(&tp(0), bomb).unwrap();
        let records = consumer.poll(LONG).unwrap();
        assert_eq!(records.iter().next().unwrap().value().as_ref().map(|value| value.len()), Some(8 << 20));
    }
}

#[test]
fn calls_that_look_something_up_keep_to_their_own_timeout() {
    let cluster = cluster(1);
    let mut consumer = options(&cluster).group_id("g").build().unwrap();
    assert!(!consumer.bootstrap_connected());
    consumer.bootstrap(LONG).unwrap();
    assert!(consumer.bootstrap_connected() && consumer.cluster().snapshot().brokers().count() == 3);
    assert_eq!(consumer.config().group_id.as_deref(), Some("g"));
    assert_eq!(consumer.topics_timeout(LONG).unwrap(), ["t"]);
    assert_eq!(consumer.partitions_for_topic_timeout("t", LONG).unwrap(), [0]);
    assert_eq!(consumer.end_offsets_timeout(&[tp(0)], LONG).unwrap()[&tp(0)], 0);
    for api in [
        ApiKey::METADATA,
        ApiKey::LIST_OFFSETS,
        ApiKey::OFFSET_FETCH,
        ApiKey::OFFSET_COMMIT,
        ApiKey::FIND_COORDINATOR,
    ] {
        cluster.on(api).always().delay(LONG);
    }
    let short = Duration::from_millis(50);
    let begin = Instant::now();
    let outcomes = [
        consumer.topics_timeout(short).map(drop),
        consumer.partitions_for_topic_timeout("other", short).map(drop),
        consumer.offsets_for_times_timeout([(tp(0), 0)], short).map(drop),
        consumer.beginning_offsets_timeout(&[tp(0)], short).map(drop),
        consumer.end_offsets_timeout(&[tp(0)], short).map(drop),
        consumer.list_offsets_timeout([(tp(0), OffsetSpec::MaxTimestamp)], short).map(drop),
        consumer.committed_offsets_timeout(&[tp(0)], short).map(drop),
        consumer.commit_offsets_timeout([(tp(0), 0)], short),
    ];
    for outcome in outcomes {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Timeout);
    }
    assert!(begin.elapsed() < LONG, "{:?}", begin.elapsed());
}

#[test]
fn a_poll_returns_as_many_records_as_it_is_asked_for() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..10, false);
    let mut consumer = options(&cluster).max_poll_records(5).build().unwrap();
    consumer.assign([tp(0)]).unwrap();
    assert_eq!(consumer.poll_max(LONG, 0).unwrap_err().kind(), ErrorKind::InvalidArgument);
    for (most, expected) in [(1, 1), (7, 7)] {
        assert_eq!(consumer.poll_max(LONG, most).unwrap().len(), expected);
    }
    assert_eq!(consumer.poll(LONG).unwrap().len(), 2);
    assert_eq!(consumer.position(&tp(0)).unwrap(), 10);
}

/// The names that kafka-python's consumer and Java's have, save those that `kavka::metrics` tells why it has not.
const METRICS: &[(&str, &str)] = &[
    (
        "consumer-metrics",
        "last-poll-seconds-ago time-between-poll-avg time-between-poll-max poll-idle-ratio-avg commit-sync-time-ns-total \
         committed-time-ns-total connection-count connection-creation-rate connection-creation-total \
         connection-close-rate connection-close-total network-io-rate network-io-total outgoing-byte-rate \
         outgoing-byte-total incoming-byte-rate incoming-byte-total request-rate request-total request-size-avg \
         request-size-max response-rate response-total request-latency-avg request-latency-max throttle-time-avg \
         throttle-time-max",
    ),
    (
        "consumer-node-metrics",
        "outgoing-byte-rate outgoing-byte-total incoming-byte-rate incoming-byte-total request-rate request-total \
         request-size-avg request-size-max response-rate response-total request-latency-avg request-latency-max \
         throttle-time-avg throttle-time-max",
    ),
    (
        "consumer-coordinator-metrics",
        "heartbeat-response-time-max heartbeat-rate heartbeat-total last-heartbeat-seconds-ago join-time-avg \
         join-time-max join-rate join-total sync-time-avg sync-time-max sync-rate sync-total commit-latency-avg \
         commit-latency-max commit-rate commit-total assigned-partitions rebalance-latency-avg rebalance-latency-max \
         rebalance-latency-total rebalance-total rebalance-rate-per-hour failed-rebalance-total \
         failed-rebalance-rate-per-hour last-rebalance-seconds-ago partition-revoked-latency-avg \
         partition-revoked-latency-max partition-assigned-latency-avg partition-assigned-latency-max \
         partition-lost-latency-avg partition-lost-latency-max",
    ),
    (
        "consumer-fetch-manager-metrics",
        "fetch-size-avg fetch-size-max bytes-consumed-rate bytes-consumed-total records-per-request-avg \
         records-consumed-rate records-consumed-total fetch-latency-avg fetch-latency-max fetch-rate fetch-total \
         fetch-throttle-time-avg fetch-throttle-time-max records-lag-max records-lead-min records-lag records-lag-avg \
         records-lead records-lead-avg preferred-read-replica",
    ),
    ("kafka-metrics-count", "count"),
];

#[test]
fn the_metrics_of_other_clients_are_all_there() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..3, false);
    let mut consumer = options(&cluster).group_id("g").build().unwrap();
    consumer.subscribe(["t"]).unwrap();
    take(&mut consumer, 3);
    consumer.commit().unwrap();
    consumer.committed(&tp(0)).unwrap();
    let metrics = consumer.metrics();
    for (group, names) in METRICS {
        for name in names.split_whitespace() {
            let found = metrics.iter().any(|metric| metric.group() == *group && metric.name() == name);
            assert!(found, "{group} {name}");
        }
    }
    for name in ["commit-sync-time-ns-total", "committed-time-ns-total"] {
        assert!(metrics.get("consumer-metrics", name).unwrap() > 1000.0, "{name} counts nanoseconds");
    }
}

#[test]
fn manual_commits_without_group_membership() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..10, false);
    let mut consumer = options(&cluster).group_id("g").enable_auto_commit(false).build().unwrap();
    assert_eq!(consumer.committed(&tp(0)).unwrap(), None);
    consumer.assign([tp(0)]).unwrap();
    take(&mut consumer, 10);
    consumer.commit().unwrap();
    assert_eq!(cluster.committed("g", "t", 0), Some(10));
    consumer.commit_offsets([(tp(0), OffsetAndMetadata::new(4).with_metadata("note"))]).unwrap();
    let committed = consumer.committed(&tp(0)).unwrap().unwrap();
    assert_eq!((committed.offset, committed.metadata.as_str()), (4, "note"));
    consumer.close(LONG).unwrap();
    assert_eq!(cluster.committed("g", "t", 0), Some(4), "nothing is committed without being asked");

    let mut next = options(&cluster).group_id("g").build().unwrap();
    next.assign([tp(0)]).unwrap();
    assert_eq!(next.position(&tp(0)).unwrap(), 4);
}

#[test]
fn a_corrupt_batch_is_told_with_the_way_past_it() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..3, true);
    let mut bad = cluster.batches("t", 0)[0].to_vec();
    *bad.last_mut().unwrap() ^= 1;
    cluster.append_batch("t", 0, bad.into()).unwrap();
    fill(&cluster, 0, 4..6, true);
    let mut consumer = assigned(&cluster, 1);
    assert_eq!(take(&mut consumer, 3), [0, 1, 2], "what is good comes first");
    for _ in 0..2 {
        let deadline = Instant::now() + LONG;
        let error = loop {
            match consumer.poll(SHORT) {
                Ok(records) => assert!(records.is_empty() && Instant::now() < deadline),
                Err(error) => break error,
            }
        };
        assert_eq!((error.kind(), error.offset()), (ErrorKind::CorruptBatch, Some(4)));
        assert_eq!(consumer.position(&tp(0)).unwrap(), 3, "the position stays");
    }
    consumer.seek(&tp(0), 4).unwrap();
    assert_eq!(take(&mut consumer, 2), [4, 5]);
}

#[test]
fn a_truncated_log_is_gone_back_to_or_told() {
    for policy in [AutoOffsetReset::Earliest, AutoOffsetReset::None] {
        let cluster = cluster(1);
        fill(&cluster, 0, 0..10, true);
        let mut consumer = options(&cluster).auto_offset_reset(policy).build().unwrap();
        consumer.assign([tp(0)]).unwrap();
        consumer.seek(&tp(0), 0).unwrap();
        assert_eq!(take(&mut consumer, 10).len(), 10);
        cluster.truncate("t", 0, 6).unwrap();
        fill(&cluster, 0, 60..70, true);
        if policy == AutoOffsetReset::None {
            let deadline = Instant::now() + LONG;
            let error = loop {
                match consumer.poll(SHORT) {
                    Ok(records) => assert!(records.is_empty() && Instant::now() < deadline),
                    Err(error) => break error,
                }
            };
            assert_eq!((error.kind(), error.offset()), (ErrorKind::LogTruncation, Some(6)));
            consumer.seek(&tp(0), 6).unwrap();
        }
        assert_eq!(take(&mut consumer, 10), (60..70).collect::<Vec<_>>());
    }
}

#[test]
fn what_was_fetched_before_the_log_lost_the_rest_is_read() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..10, true);
    let mut consumer = options(&cluster).max_poll_records(1).max_partition_fetch_bytes(1).build().unwrap();
    consumer.assign([tp(0)]).unwrap();
    assert_eq!(take(&mut consumer, 1), [0]);
    // A few batches are fetched ahead, each by a request of its own, and then no more.
    assert!(cluster.wait_for(LONG, |cluster| cluster.request_count(ApiKey::FETCH) >= 3));
    let _ = cluster.wait_for(SHORT, |_| false);
    cluster.delete_records_before("t", 0, 10).unwrap();
    fill(&cluster, 0, 10..11, true);
    let fetches = cluster.request_count(ApiKey::FETCH);
    let mut numbers = take(&mut consumer, 1);
    assert!(cluster.wait_for(LONG, |cluster| cluster.request_count(ApiKey::FETCH) > fetches));
    let _ = cluster.wait_for(SHORT, |_| false);
    while numbers.last() != Some(&10) {
        numbers.extend(take(&mut consumer, 1));
    }
    assert!(numbers.len() >= 3, "{numbers:?}");
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1] || pair[1] == 10), "{numbers:?}");
}

#[test]
fn without_fetch_sessions_records_come_as_well() {
    let cluster = cluster(2);
    fill(&cluster, 0, 0..5, true);
    let mut consumer = options(&cluster).enable_incremental_fetch_sessions(false).build().unwrap();
    consumer.assign((0..2).map(tp)).unwrap();
    assert_eq!(take(&mut consumer, 5), [0, 1, 2, 3, 4]);
    fill(&cluster, 1, 5..7, true);
    assert_eq!(take(&mut consumer, 2), [5, 6]);
    assert_eq!((1..=3).map(|broker| cluster.fetch_sessions(broker)).sum::<usize>(), 0);
}

//! Where a consumer reads, against the mock cluster: positions that are lost, validated, reset and committed, and
//! the brokers that records are fetched from.
#![allow(clippy::disallowed_methods, reason = "a test is not part of the client")]

#[path = "consumer_positions/flow.rs"]
mod flow;
mod support;

use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kavka::config::{AutoOffsetReset, CompressionType, IsolationLevel};
use kavka::consumer::{ConsumerBuilder, ConsumerInterceptor, PositionReset, ResetCause};
use kavka::mock::{MockCluster, VersionTable};
use kavka::protocol::ApiKey;
use kavka::protocol::messages::{FetchRequest, OffsetForLeaderEpochRequest};
use kavka::record::{BatchBuilder, Compression, ControlType, ProducerState, control_batch};
use kavka::types::{OffsetAndMetadata, OffsetSpec};
use kavka::{
    ConsumerRecord, Error, ErrorCode, ErrorKind, KafkaConsumer, KafkaProducer, ProducerRecord, TopicPartition,
};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(20);

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
        .metadata_max_age(Duration::from_millis(200))
        // A topic that was deleted stays so until the test creates it.
        .allow_auto_create_topics(false)
        .fetch_max_wait(Duration::from_millis(50))
        .retry_backoff(Duration::from_millis(10))
        .retry_backoff_max(Duration::from_millis(100))
        .reconnect_backoff(Duration::from_millis(10))
        .reconnect_backoff_max(Duration::from_millis(100))
}

/// Puts numbers into a partition, each in a batch of its own.
fn fill(cluster: &MockCluster, partition: i32, numbers: std::ops::Range<u32>) {
    for number in numbers {
        cluster.append("t", partition, [("", number.to_string())]).unwrap();
    }
}

fn number(record: &ConsumerRecord) -> u32 {
    std::str::from_utf8(record.value().as_deref().unwrap()).unwrap().parse().unwrap()
}

fn take(consumer: &mut KafkaConsumer, count: usize) -> Vec<u32> {
    let deadline = Instant::now() + LONG;
    let mut numbers = Vec::new();
    while numbers.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} records", numbers.len());
        numbers.extend(consumer.poll(SHORT).unwrap().iter().map(number));
    }
    numbers
}

/// Polls until an error comes; there are no records before it.
fn error_of(consumer: &mut KafkaConsumer) -> Error {
    let deadline = Instant::now() + LONG;
    loop {
        match consumer.poll(SHORT) {
            Ok(records) => assert!(records.is_empty() && Instant::now() < deadline, "{records:?}"),
            Err(error) => return error,
        }
    }
}

fn poll_until(consumer: &mut KafkaConsumer, what: &str, mut done: impl FnMut(&mut KafkaConsumer) -> bool) {
    let deadline = Instant::now() + LONG;
    while !done(consumer) {
        assert!(Instant::now() < deadline, "{what}");
        assert!(consumer.poll(SHORT).unwrap().is_empty());
    }
}

fn recreate(cluster: &MockCluster, partitions: i32) {
    cluster.delete_topic("t").unwrap();
    cluster.create_topic("t", partitions).unwrap();
}

fn with_resets(builder: ConsumerBuilder) -> (KafkaConsumer, mpsc::Receiver<PositionReset>) {
    let (sender, resets) = mpsc::channel();
    let tell = move |reset: &PositionReset| sender.send(reset.clone()).unwrap();
    (builder.on_position_reset(tell).build().unwrap(), resets)
}

fn told(resets: &mpsc::Receiver<PositionReset>) -> Vec<(i32, ResetCause, Option<i64>, i64)> {
    resets.try_iter().map(|one| (one.partition.partition(), one.cause, one.from, one.to)).collect()
}

#[test]
fn a_recreated_topic_is_an_error_once_and_its_old_offsets_are_not_committed() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..100);
    let mut consumer = options(&cluster).group_id("g").enable_auto_commit(false).build().unwrap();
    consumer.assign([tp(0)]).unwrap();
    take(&mut consumer, 100);
    let old = cluster.topic_id("t").unwrap();
    recreate(&cluster, 1);
    fill(&cluster, 0, 0..10);
    let error = error_of(&mut consumer);
    assert_eq!(
        (error.kind(), error.topic(), error.partition()),
        (ErrorKind::TopicRecreated, Some("t"), Some(0))
    );
    assert_eq!(error.topic_ids(), Some((old, cluster.topic_id("t").unwrap())));
    let refused = consumer.commit_offsets([(tp(0), 100)]).unwrap_err();
    assert_eq!((refused.kind(), refused.topic_ids()), (ErrorKind::TopicRecreated, error.topic_ids()));
    assert!(consumer.commit_async_with(Some(HashMap::from([(tp(0), 100.into())])), |_, _| ()).is_err());
    assert!(consumer.poll(Duration::from_millis(300)).unwrap().is_empty(), "told once, and not read on");
    assert_eq!(consumer.position(&tp(0)).unwrap_err().kind(), ErrorKind::NoOffsetForPartition);
    consumer.commit().unwrap();
    assert_eq!(cluster.committed("g", "t", 0), None);
    consumer.seek_to_beginning(&[tp(0)]).unwrap();
    assert_eq!(take(&mut consumer, 10), (0..10).collect::<Vec<_>>());
    consumer.commit().unwrap();
    assert_eq!(cluster.committed("g", "t", 0), Some(10));
}

#[test]
fn a_recreated_topic_is_gone_on_with_where_the_program_wants_it() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..100);
    let (mut consumer, resets) = with_resets(options(&cluster).group_id("g").reset_on_topic_recreated(true));
    consumer.assign([tp(0)]).unwrap();
    take(&mut consumer, 100);
    told(&resets);
    recreate(&cluster, 1);
    fill(&cluster, 0, 0..10);
    assert_eq!(take(&mut consumer, 10), (0..10).collect::<Vec<_>>());
    assert_eq!(told(&resets), [(0, ResetCause::TopicRecreated, Some(100), 0)]);
    consumer.close(LONG).unwrap();
    assert_eq!(cluster.committed("g", "t", 0), Some(10));
}

#[test]
fn a_partition_of_a_doubtful_topic_id_does_not_hold_up_the_others() {
    let cluster = MockCluster::builder().topic("t", 2).start().unwrap();
    let mut consumer = options(&cluster).retry_backoff(Duration::from_millis(100)).build().unwrap();
    consumer.assign([tp(0), tp(1)]).unwrap();
    fill(&cluster, 0, 0..1);
    take(&mut consumer, 1);
    let fault = cluster.on(ApiKey::FETCH).partition("t", 1).always().error(ErrorCode::INCONSISTENT_TOPIC_ID);
    poll_until(&mut consumer, "the fault is met", |_| fault.hits() > 0);
    fill(&cluster, 1, 100..101);
    let mut seen = Vec::new();
    cluster.clear_requests();
    let begin = Instant::now();
    for round in 1..20 {
        fill(&cluster, 0, round..round + 1);
        seen.extend(take(&mut consumer, 1));
    }
    assert_eq!(seen, (1..20).collect::<Vec<_>>());
    while begin.elapsed() < Duration::from_secs(1) {
        assert!(consumer.poll(SHORT).unwrap().is_empty(), "the topic is the same: no error");
    }
    let seconds = begin.elapsed().as_secs_f64();
    let metadata = cluster.request_count(ApiKey::METADATA);
    assert!((metadata as f64) < 20.0 * seconds, "{metadata} metadata requests in {seconds} s");
    fault.remove();
    assert_eq!(take(&mut consumer, 1), [100]);
}

/// Brokers that do not look for a truncated log themselves.
fn before_fetch_12() -> VersionTable {
    VersionTable::newest().with(ApiKey::FETCH, 4, 11)
}

#[test]
fn only_the_leaders_word_moves_a_position_that_is_validated() {
    let cluster =
        MockCluster::builder().brokers(2).topic("t", 1).versions(before_fetch_12()).start().unwrap();
    fill(&cluster, 0, 0..10);
    let (mut consumer, resets) = with_resets(options(&cluster));
    consumer.assign([tp(0)]).unwrap();
    consumer.seek(&tp(0), 0).unwrap();
    take(&mut consumer, 10);
    assert_eq!(cluster.request_count(ApiKey::OFFSET_FOR_LEADER_EPOCH), 0, "the leader is the same");
    let cut = cluster.on(ApiKey::OFFSET_FOR_LEADER_EPOCH).times(20).drop_before();
    let leader = cluster.leader("t", 0).unwrap();
    cluster.move_leader("t", 0, 3 - leader).unwrap();
    let epoch = cluster.leader_epoch("t", 0).unwrap();
    poll_until(&mut consumer, "20 connections were cut", |_| cut.hits() == 20);
    assert_eq!(consumer.position(&tp(0)).unwrap(), 10);
    fill(&cluster, 0, 10..12);
    assert_eq!(take(&mut consumer, 2), [10, 11]);
    assert_eq!(told(&resets), []);
    let requests = cluster.requests_of(ApiKey::OFFSET_FOR_LEADER_EPOCH);
    let last: OffsetForLeaderEpochRequest = requests.last().unwrap().decode().unwrap();
    let asked = &last.topics[0].partitions[0];
    assert_eq!((asked.leader_epoch, asked.current_leader_epoch), (0, epoch));
    assert_eq!(requests.len(), 21, "once a leader");
}

#[test]
fn old_brokers_are_asked_whether_the_log_was_truncated() {
    for policy in [AutoOffsetReset::Earliest, AutoOffsetReset::None] {
        let cluster =
            MockCluster::builder().brokers(2).topic("t", 1).versions(before_fetch_12()).start().unwrap();
        fill(&cluster, 0, 0..10);
        let (mut consumer, resets) = with_resets(options(&cluster).auto_offset_reset(policy));
        consumer.assign([tp(0)]).unwrap();
        consumer.seek(&tp(0), 0).unwrap();
        take(&mut consumer, 10);
        // The new log is longer than the old one: no offset is out of range.
        cluster.truncate("t", 0, 6).unwrap();
        fill(&cluster, 0, 60..70);
        if policy == AutoOffsetReset::None {
            let error = error_of(&mut consumer);
            assert_eq!((error.kind(), error.offset()), (ErrorKind::LogTruncation, Some(6)));
            consumer.seek(&tp(0), OffsetAndMetadata::new(6).with_leader_epoch(0)).unwrap();
        }
        assert_eq!(take(&mut consumer, 10), (60..70).collect::<Vec<_>>());
        let expected = match policy {
            AutoOffsetReset::None => vec![],
            _ => vec![(0, ResetCause::LogTruncation, Some(10), 6)],
        };
        assert_eq!(told(&resets), expected);
    }
}

#[test]
fn a_committed_offset_is_validated_by_its_leader_epoch() {
    for versions in [before_fetch_12(), VersionTable::newest()] {
        let cluster = MockCluster::builder().topic("t", 1).versions(versions).start().unwrap();
        fill(&cluster, 0, 0..10);
        let mut consumer = options(&cluster).group_id("g").build().unwrap();
        consumer.assign([tp(0)]).unwrap();
        take(&mut consumer, 10);
        consumer.close(LONG).unwrap();
        cluster.truncate("t", 0, 4).unwrap();
        fill(&cluster, 0, 40..50);
        let mut next =
            options(&cluster).group_id("g").auto_offset_reset(AutoOffsetReset::None).build().unwrap();
        next.assign([tp(0)]).unwrap();
        let error = error_of(&mut next);
        assert_eq!((error.kind(), error.offset()), (ErrorKind::LogTruncation, Some(4)));
    }
}

#[test]
fn a_nearer_replica_that_fails_gives_way_to_the_leader() {
    let cluster = MockCluster::builder().brokers(2).racks(["here", "there"]).topic("t", 1).start().unwrap();
    let leader = cluster.leader("t", 0).unwrap();
    let (other, rack) = if leader == 1 { (2, "there") } else { (1, "here") };
    for code in [ErrorCode::OFFSET_OUT_OF_RANGE, ErrorCode::UNKNOWN_LEADER_EPOCH] {
        cluster.clear_requests();
        let fault = cluster.on(ApiKey::FETCH).broker(other).partition("t", 0).always().error(code);
        let end = cluster.end_offset("t", 0) as u32;
        fill(&cluster, 0, end..end + 5);
        let (mut consumer, resets) =
            with_resets(options(&cluster).client_rack(rack).auto_offset_reset(AutoOffsetReset::None));
        consumer.assign([tp(0)]).unwrap();
        consumer.seek(&tp(0), i64::from(end)).unwrap();
        assert_eq!(take(&mut consumer, 5), (end..end + 5).collect::<Vec<_>>(), "{code}");
        assert!(fault.hits() > 0, "the replica was asked first");
        assert_eq!(told(&resets), []);
        fault.remove();
    }
    // One that hangs costs a request's time.
    let fault = cluster.on(ApiKey::FETCH).broker(other).always().never_answer();
    let end = cluster.end_offset("t", 0) as u32;
    fill(&cluster, 0, end..end + 5);
    let mut consumer =
        options(&cluster).client_rack(rack).request_timeout(Duration::from_millis(500)).build().unwrap();
    consumer.assign([tp(0)]).unwrap();
    consumer.seek(&tp(0), i64::from(end)).unwrap();
    assert_eq!(take(&mut consumer, 5), (end..end + 5).collect::<Vec<_>>());
    assert!(fault.hits() > 0);
}

#[test]
fn a_nearer_replica_is_read_until_its_lease_is_over_or_it_is_offline() {
    let cluster = MockCluster::builder().brokers(2).racks(["here", "there"]).topic("t", 1).start().unwrap();
    let leader = cluster.leader("t", 0).unwrap();
    let (other, rack) = if leader == 1 { (2, "there") } else { (1, "here") };
    let fetched_from = |cluster: &MockCluster, node: i32| {
        cluster.requests_of(ApiKey::FETCH).iter().filter(|request| request.broker == node).count()
    };
    fill(&cluster, 0, 0..5);
    let mut consumer =
        options(&cluster).client_rack(rack).metadata_max_age(Duration::from_secs(1)).build().unwrap();
    consumer.assign([tp(0)]).unwrap();
    take(&mut consumer, 5);
    assert!(fetched_from(&cluster, other) > 0);
    let at_leader = fetched_from(&cluster, leader);
    poll_until(&mut consumer, "the lease is over", |_| fetched_from(&cluster, leader) > at_leader);
    cluster.kill(other).unwrap();
    fill(&cluster, 0, 5..8);
    assert_eq!(take(&mut consumer, 3), [5, 6, 7]);
}

#[test]
fn a_nearer_replica_that_old_metadata_does_not_know_is_waited_for_at_the_leader() {
    let cluster = MockCluster::builder().brokers(2).racks(["here", "there"]).topic("t", 1).start().unwrap();
    let leader = cluster.leader("t", 0).unwrap();
    let (other, rack) = if leader == 1 { (2, "there") } else { (1, "here") };
    cluster.kill(other).unwrap();
    fill(&cluster, 0, 0..5);
    let mut consumer =
        options(&cluster).client_rack(rack).metadata_max_age(Duration::from_secs(300)).build().unwrap();
    consumer.assign([tp(0)]).unwrap();
    assert_eq!(take(&mut consumer, 5), [0, 1, 2, 3, 4]);
    cluster.restart(other).unwrap();
    cluster.clear_requests();
    fill(&cluster, 0, 5..10);
    assert_eq!(take(&mut consumer, 5), [5, 6, 7, 8, 9]);
    let asked = cluster.request_count(ApiKey::FETCH);
    assert!(asked < 50, "{asked} requests");
    poll_until(&mut consumer, "newer metadata", |_| {
        cluster.requests_of(ApiKey::FETCH).iter().any(|request| request.broker == other)
    });
}

#[test]
fn zstd_is_one_error_where_the_broker_may_not_send_it() {
    let versions = VersionTable::newest().with(ApiKey::FETCH, 4, 9);
    let cluster = MockCluster::builder().topic("t", 2).versions(versions).start().unwrap();
    let producer = KafkaProducer::builder()
        .bootstrap_servers(cluster.bootstrap_servers())
        .compression_type(CompressionType::Zstd)
        .build()
        .unwrap();
    let value = "x".repeat(1000);
    let record = ProducerRecord::new("t").partition(0).value(&value);
    producer.send(record).unwrap().get(LONG).unwrap();
    let mut consumer = options(&cluster).build().unwrap();
    consumer.assign([tp(0), tp(1)]).unwrap();
    let error = error_of(&mut consumer);
    assert_eq!((error.kind(), error.partition()), (ErrorKind::UnsupportedCodec, Some(0)));
    cluster.clear_requests();
    fill(&cluster, 1, 0..3);
    assert_eq!(take(&mut consumer, 3), [0, 1, 2], "the other partition goes on");
    assert!(consumer.poll(Duration::from_millis(500)).unwrap().is_empty());
    assert!(cluster.request_count(ApiKey::FETCH) < 30);
}

#[test]
fn each_cause_of_a_reset_is_told_once() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..20);
    let group = |name: &str| options(&cluster).group_id(name).reset_on_topic_recreated(true);
    // The group has committed nothing.
    let (mut consumer, resets) = with_resets(group("g"));
    consumer.assign([tp(0)]).unwrap();
    take(&mut consumer, 20);
    assert_eq!(told(&resets), [(0, ResetCause::NoCommittedOffset, None, 0)]);
    // The log has lost the position.
    consumer.seek(&tp(0), 5).unwrap();
    cluster.delete_records_before("t", 0, 10).unwrap();
    assert_eq!(take(&mut consumer, 10), (10..20).collect::<Vec<_>>());
    assert_eq!(told(&resets), [(0, ResetCause::OutOfRange, Some(5), 10)]);
    consumer.seek(&tp(0), 5000).unwrap();
    take(&mut consumer, 10);
    assert_eq!(told(&resets), [(0, ResetCause::OutOfRange, Some(5000), 10)]);
    // The log was truncated.
    cluster.truncate("t", 0, 15).unwrap();
    fill(&cluster, 0, 50..52);
    assert_eq!(take(&mut consumer, 2), [50, 51]);
    assert_eq!(told(&resets), [(0, ResetCause::LogTruncation, Some(20), 15)]);
    // The topic was created anew.
    recreate(&cluster, 1);
    fill(&cluster, 0, 70..71);
    assert_eq!(take(&mut consumer, 1), [70]);
    assert_eq!(told(&resets), [(0, ResetCause::TopicRecreated, Some(17), 0)]);
    // What the program does itself is no reset.
    consumer.seek_to_beginning(&[]).unwrap();
    take(&mut consumer, 1);
    assert_eq!(told(&resets), []);
    consumer.close(LONG).unwrap();
    let (mut next, resets) = with_resets(group("g"));
    next.assign([tp(0)]).unwrap();
    assert_eq!(next.position(&tp(0)).unwrap(), 1);
    assert_eq!(told(&resets), []);
}

#[test]
fn a_panic_of_the_one_who_is_told_is_an_error() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..3);
    let mut consumer = options(&cluster).on_position_reset(|_| panic!("ouch")).build().unwrap();
    consumer.assign([tp(0)]).unwrap();
    consumer.seek(&tp(0), 99).unwrap();
    let error = error_of(&mut consumer);
    assert_eq!(error.kind(), ErrorKind::Panic);
    assert!(error.to_string().contains("ouch"), "{error}");
    assert_eq!(take(&mut consumer, 3), [0, 1, 2]);
}

#[test]
fn partitions_that_appear_later_are_read_from_their_beginning_where_the_program_wants_it() {
    for (group, from_beginning) in [(None, true), (Some("g"), true), (Some("g"), false)] {
        let cluster = cluster(1);
        fill(&cluster, 0, 0..5);
        let mut builder = options(&cluster)
            .auto_offset_reset(AutoOffsetReset::Latest)
            .heartbeat_interval(Duration::from_millis(20))
            .read_new_partitions_from_beginning(from_beginning);
        if let Some(group) = group {
            builder = builder.group_id(group);
        }
        let (mut consumer, resets) = with_resets(builder);
        consumer.subscribe(["t"]).unwrap();
        poll_until(&mut consumer, "the partition is read", |consumer| consumer.assignment().len() == 1);
        assert_eq!(consumer.position(&tp(0)).unwrap(), 5, "an old partition begins at its end");
        told(&resets);
        cluster.add_partitions("t", 2).unwrap();
        cluster.append("t", 1, [("", "10"), ("", "11")]).unwrap();
        poll_until_assigned(&mut consumer, &cluster, from_beginning);
        let new = told(&resets).into_iter().find(|(partition, ..)| *partition == 1);
        let expected = match from_beginning {
            true => (1, ResetCause::NewPartition, None, 0),
            false => (1, ResetCause::NoCommittedOffset, None, 2),
        };
        assert_eq!(new, Some(expected), "{group:?}");
    }
}

fn poll_until_assigned(consumer: &mut KafkaConsumer, cluster: &MockCluster, from_beginning: bool) {
    if from_beginning {
        assert_eq!(take(consumer, 2), [10, 11]);
        return;
    }
    poll_until(consumer, "the new partition is read", |consumer| consumer.assignment().len() == 2);
    assert_eq!(consumer.position(&tp(1)).unwrap(), cluster.end_offset("t", 1));
}

#[test]
fn the_starting_position_is_committed_where_the_program_wants_it() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..5);
    let mut consumer = options(&cluster)
        .group_id("g")
        .enable_auto_commit(false)
        .auto_offset_reset(AutoOffsetReset::Latest)
        .commit_starting_position(true)
        .build()
        .unwrap();
    consumer.assign([tp(0)]).unwrap();
    poll_until(&mut consumer, "the start is committed", |_| cluster.committed("g", "t", 0) == Some(5));
    fill(&cluster, 0, 5..7);
    drop(consumer);
    let mut next =
        options(&cluster).group_id("g").auto_offset_reset(AutoOffsetReset::Latest).build().unwrap();
    next.assign([tp(0)]).unwrap();
    assert_eq!(take(&mut next, 2), [5, 6], "what came before the first record was read is not skipped");
}

#[test]
fn a_duration_says_where_to_begin() {
    let cluster = cluster(2);
    let producer = KafkaProducer::builder().bootstrap_servers(cluster.bootstrap_servers()).build().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    for (number, hours) in [(0, 5), (1, 3), (2, 1)] {
        let time = now - hours * 3_600_000;
        let value = number.to_string();
        for partition in [0, 1].into_iter().filter(|partition| *partition == 0 || hours > 1) {
            let record = ProducerRecord::new("t").partition(partition).value(&value).timestamp(time);
            producer.send(record).unwrap().get(LONG).unwrap();
        }
    }
    let mut consumer = options(&cluster).set("auto.offset.reset", "by_duration:PT2H").build().unwrap();
    consumer.assign([tp(0), tp(1)]).unwrap();
    assert_eq!(consumer.position(&tp(0)).unwrap(), 2);
    assert_eq!(consumer.position(&tp(1)).unwrap(), 2, "all are older: behind the newest");
    assert_eq!(take(&mut consumer, 1), [2]);
}

#[test]
fn a_bad_wire_is_not_a_corrupt_batch() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..5);
    let fault = cluster.on(ApiKey::FETCH).partition("t", 0).nth(1..=1).damage_records();
    let mut consumer = options(&cluster).build().unwrap();
    consumer.assign([tp(0)]).unwrap();
    assert_eq!(take(&mut consumer, 5), [0, 1, 2, 3, 4]);
    assert_eq!(fault.hits(), 1);
}

#[test]
fn lag_and_offsets_can_be_asked_for() {
    let cluster = cluster(2);
    fill(&cluster, 0, 0..10);
    cluster.commit("g", "t", 0, 4).unwrap();
    let mut consumer = options(&cluster).group_id("g").max_poll_records(1).build().unwrap();
    let committed = consumer.committed_offsets(&[tp(0), tp(1)]).unwrap();
    assert_eq!(committed[&tp(0)].as_ref().map(|offset| offset.offset), Some(4));
    assert_eq!(committed[&tp(1)], None);
    assert_eq!(consumer.current_lag(&tp(0)).unwrap_err().kind(), ErrorKind::IllegalState);
    consumer.assign([tp(0)]).unwrap();
    assert_eq!(consumer.current_lag(&tp(0)).unwrap(), None, "nothing was fetched yet");
    assert_eq!(take(&mut consumer, 1), [4]);
    assert_eq!(consumer.current_lag(&tp(0)).unwrap(), Some(5));
    take(&mut consumer, 5);
    assert_eq!(consumer.current_lag(&tp(0)).unwrap(), Some(0));
    cluster.delete_records_before("t", 0, 2).unwrap();
    let places = [
        OffsetSpec::Earliest,
        OffsetSpec::Latest,
        OffsetSpec::EarliestLocal,
        OffsetSpec::LatestTiered,
        OffsetSpec::MaxTimestamp,
    ];
    let found = places.map(|place| {
        let found = consumer.list_offsets([(tp(0), place)]).unwrap();
        found[&tp(0)].map(|found| found.offset)
    });
    assert_eq!(found[..4], [Some(2), Some(10), Some(2), None]);
    assert!(found[4].is_some());
    let old = VersionTable::newest().with(ApiKey::LIST_OFFSETS, 1, 6);
    (1..=3).for_each(|broker| cluster.set_versions(broker, old.clone()).unwrap());
    let mut consumer = options(&cluster).build().unwrap();
    let error = consumer.list_offsets([(tp(0), OffsetSpec::MaxTimestamp)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnsupportedVersion, "{error}");
}

#[test]
fn a_consumer_that_closes_ends_its_fetch_sessions() {
    let cluster = cluster(3);
    (0..3).for_each(|partition| fill(&cluster, partition, 0..2));
    let mut consumer = options(&cluster).build().unwrap();
    consumer.assign((0..3).map(tp)).unwrap();
    take(&mut consumer, 6);
    let sessions =
        |cluster: &MockCluster| (1..=3).map(|broker| cluster.fetch_sessions(broker)).sum::<usize>();
    poll_until(&mut consumer, "all have a session", |_| sessions(&cluster) == 3);
    consumer.close(LONG).unwrap();
    assert_eq!(sessions(&cluster), 0);
}

#[test]
fn a_session_that_is_refused_again_and_again_costs_no_record() {
    let cluster = MockCluster::builder().topic("t", 2).max_fetch_sessions(0).start().unwrap();
    fill(&cluster, 0, 0..20);
    let mut consumer = options(&cluster).max_partition_fetch_bytes(200).build().unwrap();
    consumer.assign([tp(0), tp(1)]).unwrap();
    for code in [
        ErrorCode::FETCH_SESSION_ID_NOT_FOUND,
        ErrorCode::INVALID_FETCH_SESSION_EPOCH,
        ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR,
    ] {
        let nth = cluster.request_count(ApiKey::FETCH) as u64 % 2 + 1;
        drop(cluster.on(ApiKey::FETCH).nth(nth..=nth + 1).error(code));
    }
    assert_eq!(take(&mut consumer, 20), (0..20).collect::<Vec<_>>());
    assert_eq!(cluster.fetch_sessions(1), 0, "the broker keeps none");
}

#[test]
fn a_throttled_node_is_left_in_peace_and_heartbeats_go_on() {
    let cluster = MockCluster::builder().topic("t", 1).start().unwrap();
    fill(&cluster, 0, 0..1);
    let pause = Duration::from_millis(1500);
    let mut consumer =
        options(&cluster).group_id("g").heartbeat_interval(Duration::from_millis(100)).build().unwrap();
    consumer.subscribe(["t"]).unwrap();
    take(&mut consumer, 1);
    let fault = cluster.on(ApiKey::FETCH).nth(1..=1).throttle(pause);
    poll_until(&mut consumer, "the throttled request", |_| fault.hits() == 1);
    let throttled = cluster.requests_of(ApiKey::FETCH).last().unwrap().time;
    let count = cluster.request_count(ApiKey::FETCH);
    poll_until(&mut consumer, "the next fetch", |_| cluster.request_count(ApiKey::FETCH) > count);
    let next = cluster.requests_of(ApiKey::FETCH)[count].time;
    // The answer itself may have taken up to the 50 ms of a long poll more.
    assert!(next.duration_since(throttled) >= pause, "{:?}", next.duration_since(throttled));
    let heartbeats = cluster.requests_of(ApiKey::HEARTBEAT);
    let meanwhile = heartbeats.iter().filter(|beat| beat.time > throttled && beat.time < next).count();
    assert!(meanwhile >= 3, "{meanwhile} heartbeats");
}

#[test]
fn a_batch_that_no_answer_may_carry_is_told_and_the_others_flow_on() {
    let cluster = MockCluster::builder().topic("t", 3).message_max_bytes(4_000_000).start().unwrap();
    fill(&cluster, 0, 0..3);
    fill(&cluster, 2, 20..23);
    cluster.append("t", 1, [("", "1")]).unwrap();
    cluster.append("t", 1, [("", vec![7_u8; 2_000_000])]).unwrap();
    cluster.append("t", 1, [("", "3")]).unwrap();
    let mut consumer = options(&cluster).set("receive.message.max.bytes", "1000000").build().unwrap();
    consumer.assign((0..3).map(tp)).unwrap();
    let deadline = Instant::now() + LONG;
    let (mut numbers, mut errors) = (Vec::new(), Vec::new());
    while numbers.len() < 7 || errors.is_empty() {
        assert!(Instant::now() < deadline, "{numbers:?} {errors:?}");
        match consumer.poll(SHORT) {
            Ok(records) => numbers.extend(records.iter().map(number)),
            Err(error) => errors.push(error),
        }
    }
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 1, 2, 20, 21, 22]);
    let [error] = &errors[..] else { panic!("{errors:?}") };
    assert_eq!(
        (error.kind(), error.partition(), error.offset()),
        (ErrorKind::RecordTooLarge, Some(1), Some(1))
    );
    assert!(error.to_string().contains("1000000"), "{error}");
    assert_eq!(consumer.position(&tp(1)).unwrap(), 1, "the position stays");
    fill(&cluster, 0, 5..6);
    assert_eq!(take(&mut consumer, 1), [5]);
    consumer.seek(&tp(1), 2).unwrap();
    assert_eq!(take(&mut consumer, 1), [3], "there is a way past it");
}

#[test]
fn the_memory_of_all_partitions_is_bounded() {
    let cluster = cluster(6);
    for partition in 0..6 {
        for number in 0..40 {
            cluster.append("t", partition, [("", format!("{number:0>5000}"))]).unwrap();
        }
    }
    let budget = 60_000;
    let mut consumer = options(&cluster)
        .buffer_memory(budget)
        .max_partition_fetch_bytes(20_000)
        .max_poll_records(1)
        .build()
        .unwrap();
    consumer.assign((0..6).map(tp)).unwrap();
    let mut next = [0_u32; 6];
    let deadline = Instant::now() + LONG;
    while next != [40; 6] {
        assert!(Instant::now() < deadline, "{next:?}");
        for record in consumer.poll(SHORT).unwrap() {
            let expected = &mut next[record.partition() as usize];
            assert_eq!(number(&record), *expected);
            *expected += 1;
        }
        // What the fetches have asked for is ahead of the program by no more than the budget, plus one batch for
        // each of three leaders, and what is asked for meanwhile.
        let asked: i64 = furthest_asked(&cluster).values().sum();
        let ahead = (asked - i64::from(next.iter().sum::<u32>())) * 5_100;
        assert!(ahead <= budget as i64 + 3 * 5_100 + 3 * 20_400, "{ahead} bytes ahead");
    }
}

/// The largest offset that was asked for in each partition; what is below it was fetched.
fn furthest_asked(cluster: &MockCluster) -> BTreeMap<i32, i64> {
    let mut furthest = BTreeMap::new();
    for request in cluster.requests_of(ApiKey::FETCH) {
        let request: FetchRequest = request.decode().unwrap();
        for partition in request.topics.iter().flat_map(|topic| &topic.partitions) {
            let known = furthest.entry(partition.partition).or_insert(0);
            *known = partition.fetch_offset.max(*known);
        }
    }
    furthest
}

#[test]
fn no_partition_starves_behind_the_others() {
    for sessions in [true, false] {
        let cluster = MockCluster::builder().topic("t", 4).start().unwrap();
        for partition in 0..4 {
            for number in 0..30_u32 {
                cluster.append("t", partition, [("", format!("{number:0>2000}"))]).unwrap();
            }
        }
        // An answer has room for one partition.
        let mut consumer = options(&cluster)
            .fetch_max_bytes(4_000)
            .max_partition_fetch_bytes(4_000)
            .enable_incremental_fetch_sessions(sessions)
            .build()
            .unwrap();
        consumer.assign((0..4).map(tp)).unwrap();
        let mut counts = [0_usize; 4];
        let deadline = Instant::now() + LONG;
        while counts.iter().sum::<usize>() < 60 {
            assert!(Instant::now() < deadline, "{counts:?}");
            for record in consumer.poll(SHORT).unwrap() {
                counts[record.partition() as usize] += 1;
            }
        }
        assert!(counts.iter().all(|count| *count >= 5), "sessions {sessions}: {counts:?}");
    }
}

const PRODUCER: i64 = 77;

fn transactional(values: &[u32]) -> Bytes {
    let mut builder = BatchBuilder::new(Vec::new(), 1 << 20);
    for value in values {
        builder.try_append(0, None, Some(value.to_string().as_bytes()), &[]).unwrap();
    }
    let producer = ProducerState { id: PRODUCER, epoch: 0, base_sequence: 0, transactional: true };
    builder.seal(&Compression::NONE, 2).unwrap().stamp(producer)
}

fn end(cluster: &MockCluster, control: ControlType) {
    cluster.append_batch("t", 0, control_batch(control, PRODUCER, 0, 0, 0).unwrap()).unwrap();
}

#[test]
fn only_what_is_decided_is_read() {
    let cluster = cluster(1);
    cluster.append_batch("t", 0, transactional(&[0, 1])).unwrap();
    end(&cluster, ControlType::Commit);
    cluster.append_batch("t", 0, transactional(&[10, 11])).unwrap();
    end(&cluster, ControlType::Abort);
    cluster.append_batch("t", 0, transactional(&[2])).unwrap();
    fill(&cluster, 0, 3..5);
    let committed = || options(&cluster).isolation_level(IsolationLevel::ReadCommitted).build().unwrap();
    let mut consumer = committed();
    consumer.assign([tp(0)]).unwrap();
    assert_eq!(take(&mut consumer, 2), [0, 1]);
    // The open transaction holds back what is behind it; the aborted one is passed.
    poll_until(&mut consumer, "the stable offset is reached", |consumer| {
        consumer.position(&tp(0)).unwrap() == 6
    });
    assert_eq!(
        (consumer.highwater(&tp(0)).unwrap(), consumer.current_lag(&tp(0)).unwrap()),
        (Some(6), Some(0))
    );
    assert_eq!(consumer.end_offsets(&[tp(0)]).unwrap()[&tp(0)], 6);
    end(&cluster, ControlType::Commit);
    assert_eq!(take(&mut consumer, 3), [2, 3, 4]);
    poll_until(&mut consumer, "the marker is passed", |consumer| consumer.position(&tp(0)).unwrap() == 10);
    assert_eq!(consumer.current_lag(&tp(0)).unwrap(), Some(0));

    let mut all = options(&cluster).build().unwrap();
    all.assign([tp(0)]).unwrap();
    assert_eq!(take(&mut all, 7), [0, 1, 10, 11, 2, 3, 4]);
    poll_until(&mut all, "markers are passed", |consumer| consumer.position(&tp(0)).unwrap() == 10);

    // A log that ends in an abort marker: the position reaches its end, and is asked for once.
    cluster.append_batch("t", 0, transactional(&[12])).unwrap();
    end(&cluster, ControlType::Abort);
    let mut late = committed();
    late.assign([tp(0)]).unwrap();
    late.seek(&tp(0), 10).unwrap();
    poll_until(&mut late, "the end is reached", |consumer| consumer.position(&tp(0)).unwrap() == 12);
    assert_eq!(late.current_lag(&tp(0)).unwrap(), Some(0));
}

#[test]
fn a_new_leader_is_learned_from_the_answer_to_a_fetch() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..3);
    let mut consumer = options(&cluster).metadata_max_age(Duration::from_secs(300)).build().unwrap();
    consumer.assign([tp(0)]).unwrap();
    take(&mut consumer, 3);
    let asked = cluster.request_count(ApiKey::METADATA);
    for round in 0..3 {
        let next = cluster.leader("t", 0).unwrap() % 3 + 1;
        cluster.move_leader("t", 0, next).unwrap();
        let value = 3 + round;
        fill(&cluster, 0, value..value + 1);
        assert_eq!(take(&mut consumer, 1), [value]);
    }
    assert_eq!(cluster.request_count(ApiKey::METADATA), asked, "nobody had to be asked");
}

#[test]
fn a_topic_that_is_unknown_for_a_while_is_waited_for() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..3);
    let mut consumer = options(&cluster).build().unwrap();
    consumer.assign([tp(0)]).unwrap();
    take(&mut consumer, 3);
    let faults = [
        cluster.on(ApiKey::METADATA).always().error(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        cluster.on(ApiKey::FETCH).always().error(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        cluster.on(ApiKey::LIST_OFFSETS).always().error(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
    ];
    let until = Instant::now() + Duration::from_secs(2);
    cluster.clear_requests();
    while Instant::now() < until {
        assert!(consumer.poll(SHORT).unwrap().is_empty());
    }
    assert!(cluster.request_count(ApiKey::METADATA) <= 40, "{}", cluster.request_count(ApiKey::METADATA));
    faults.into_iter().for_each(kavka::mock::Fault::remove);
    fill(&cluster, 0, 3..5);
    assert_eq!(take(&mut consumer, 2), [3, 4]);
}

#[test]
fn a_topic_that_stays_unknown_is_an_error_until_it_is_back() {
    let cluster = cluster(2);
    fill(&cluster, 0, 0..3);
    let grace = Duration::from_millis(400);
    let mut consumer = options(&cluster).unknown_topic_grace(grace).build().unwrap();
    consumer.assign([tp(0), tp(1)]).unwrap();
    take(&mut consumer, 3);
    let began = Instant::now();
    let unknown =
        cluster.on(ApiKey::FETCH).partition("t", 0).always().error(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    cluster.clear_requests();
    for _ in 0..3 {
        let error = error_of(&mut consumer);
        assert_eq!(
            (error.kind(), error.topic(), error.partition()),
            (ErrorKind::UnknownTopic, Some("t"), Some(0))
        );
        assert!(began.elapsed() >= grace, "too early: {:?}", began.elapsed());
    }
    // What is known flows on between the errors.
    fill(&cluster, 1, 10..13);
    let mut seen = Vec::new();
    let deadline = Instant::now() + LONG;
    while seen.len() < 3 {
        assert!(Instant::now() < deadline, "{seen:?}");
        match consumer.poll(SHORT) {
            Ok(records) => seen.extend(records.iter().map(number)),
            Err(error) => assert_eq!(error.kind(), ErrorKind::UnknownTopic),
        }
    }
    assert_eq!(seen, [10, 11, 12]);
    unknown.remove();
    fill(&cluster, 0, 3..5);
    let mut seen = Vec::new();
    while seen.len() < 2 {
        assert!(Instant::now() < deadline + LONG, "{seen:?}");
        // One error may be on its way still.
        seen.extend(
            consumer.poll(SHORT).map_or_else(|_| Vec::new(), |records| records.iter().map(number).collect()),
        );
    }
    assert_eq!(seen, [3, 4], "from where it was, without a seek");
    assert!(consumer.poll(Duration::from_millis(300)).unwrap().is_empty(), "no error any more");
}

#[test]
fn a_topic_that_flips_between_known_and_unknown_costs_nothing() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..1);
    let mut consumer = options(&cluster).unknown_topic_grace(Duration::from_secs(10)).build().unwrap();
    consumer.assign([tp(0)]).unwrap();
    let mut seen = take(&mut consumer, 1);
    let mut next = 1;
    for code in [ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, ErrorCode::UNKNOWN_TOPIC_ID].repeat(6) {
        let faults = [ApiKey::METADATA, ApiKey::FETCH].map(|api| cluster.on(api).always().error(code));
        fill(&cluster, 0, next..next + 1);
        next += 1;
        let until = Instant::now() + Duration::from_millis(150);
        while Instant::now() < until {
            seen.extend(consumer.poll(SHORT).unwrap().iter().map(number));
        }
        faults.into_iter().for_each(kavka::mock::Fault::remove);
        let known = seen.len() + 1;
        let deadline = Instant::now() + LONG;
        while seen.len() < known.min(next as usize) {
            assert!(Instant::now() < deadline, "{seen:?}");
            seen.extend(consumer.poll(SHORT).unwrap().iter().map(number));
        }
    }
    seen.extend(take(&mut consumer, next as usize - seen.len()));
    assert_eq!(seen, (0..next).collect::<Vec<_>>());
}

#[test]
fn a_frozen_leader_is_left_for_the_next_one_in_time() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..3);
    let mut consumer = options(&cluster).request_timeout(Duration::from_secs(1)).build().unwrap();
    consumer.assign([tp(0)]).unwrap();
    take(&mut consumer, 3);
    let leader = cluster.leader("t", 0).unwrap();
    cluster.stop_reading(leader).unwrap();
    let frozen = cluster.request_count(ApiKey::FETCH);
    poll_until(&mut consumer, "a fetch is stuck", |_| {
        !cluster
            .wait_for(Duration::from_millis(400), |cluster| cluster.request_count(ApiKey::FETCH) > frozen + 1)
    });
    cluster.move_leader("t", 0, leader % 3 + 1).unwrap();
    fill(&cluster, 0, 3..5);
    let begin = Instant::now();
    assert_eq!(take(&mut consumer, 2), [3, 4]);
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    cluster.resume_reading(leader).unwrap();
}

#[test]
fn only_records_that_were_asked_past_are_committed_after_an_iteration() {
    fn third(consumer: &mut KafkaConsumer) -> Result<(), String> {
        for (count, record) in consumer.iter().enumerate() {
            record.map_err(|error| error.to_string())?;
            if count == 2 {
                return Err("of the third".into());
            }
        }
        Ok(())
    }
    let endings: [fn(&mut KafkaConsumer); 4] = [
        |consumer| {
            for record in consumer.iter().take(3) {
                record.unwrap();
            }
        },
        |consumer| assert!(third(consumer).is_err()),
        |consumer| {
            let work = std::panic::AssertUnwindSafe(|| {
                for (count, record) in consumer.iter().enumerate() {
                    record.unwrap();
                    assert!(count < 2, "the program has a fault");
                }
            });
            assert!(std::panic::catch_unwind(work).is_err());
        },
        |consumer| assert_eq!(consumer.iter().take(4).count(), 4),
    ];
    for (place, ending) in endings.into_iter().enumerate() {
        let cluster = cluster(1);
        fill(&cluster, 0, 0..10);
        let mut consumer = options(&cluster).group_id("g").build().unwrap();
        consumer.assign([tp(0)]).unwrap();
        ending(&mut consumer);
        consumer.close(LONG).unwrap();
        let expected = if place == 3 { 3 } else { 2 };
        assert_eq!(cluster.committed("g", "t", 0), Some(expected), "ending {place}");
    }
}

struct Marked {
    commits: mpsc::Sender<i64>,
}

impl ConsumerInterceptor for Marked {
    fn on_consume(&mut self, record: &mut ConsumerRecord) -> kavka::Result<bool> {
        match record.offset() {
            1 => return Ok(false),
            2 => panic!("on the third"),
            3 => {
                *record.value_mut() = None;
                return Err(Error::new(ErrorKind::IllegalState, "on the fourth"));
            }
            _ => {}
        }
        let changed = [record.value().as_deref().unwrap(), b"0"].concat();
        *record.value_mut() = Some(changed.into());
        record.headers_mut().push("seen", "1");
        Ok(true)
    }

    fn on_commit(&mut self, offsets: &HashMap<TopicPartition, OffsetAndMetadata>) {
        self.commits.send(offsets[&tp(0)].offset).unwrap();
        panic!("in a commit");
    }
}

#[test]
fn interceptors_see_records_and_commits_and_their_faults_change_nothing() {
    for iterates in [false, true] {
        let cluster = cluster(1);
        fill(&cluster, 0, 0..6);
        let (sender, commits) = mpsc::channel();
        let mut consumer = options(&cluster)
            .group_id("g")
            .interceptor(Marked { commits: sender.clone() })
            .interceptor(Marked { commits: sender })
            .build()
            .unwrap();
        consumer.assign([tp(0)]).unwrap();
        let expected = [0, 2, 3, 400, 500];
        if iterates {
            let numbers: Vec<u32> = consumer.iter().take(5).map(|record| number(&record.unwrap())).collect();
            assert_eq!(numbers, expected);
        } else {
            let mut records = Vec::new();
            while records.len() < 5 {
                records.extend(consumer.poll(LONG).unwrap());
            }
            assert_eq!(records.iter().map(number).collect::<Vec<_>>(), expected);
            assert_eq!(records[0].headers().len(), 2, "both have seen it");
            assert_eq!(records[0].serialized_value_size(), Some(3));
            assert!(records[1].headers().is_empty());
        }
        assert_eq!(consumer.position(&tp(0)).unwrap(), 6);
        consumer.commit().unwrap();
        consumer.close(LONG).unwrap();
        assert_eq!(commits.try_iter().collect::<Vec<_>>()[..2], [6, 6]);
        assert_eq!(cluster.committed("g", "t", 0), Some(6));
    }
}

#[test]
fn metrics_tell_what_was_fetched_and_read() {
    const GROUP: &str = "consumer-fetch-manager-metrics";
    let cluster = MockCluster::builder().topic("t", 2).start().unwrap();
    fill(&cluster, 0, 0..30);
    fill(&cluster, 1, 0..10);
    cluster.delete_records_before("t", 0, 10).unwrap();
    let mut consumer = options(&cluster).client_id("c").build().unwrap();
    consumer.assign([tp(0), tp(1)]).unwrap();
    take(&mut consumer, 30);
    poll_until(&mut consumer, "both are read to the end", |consumer| {
        let metrics = consumer.metrics();
        metrics.get(GROUP, "records-consumed-total") == Some(30.0)
    });
    consumer.poll(SHORT).unwrap();
    let metrics = consumer.metrics();
    let value = |name: &str, tags: &[(&str, &str)]| {
        metrics.find(GROUP, name, tags).unwrap_or_else(|| panic!("{name} {tags:?}")).value()
    };
    let client = [("client-id", "c")];
    assert!(value("fetch-total", &client) >= 1.0);
    assert!(value("fetch-latency-max", &client) > 0.0);
    assert!(value("fetch-size-max", &client) > 0.0);
    assert!(value("records-per-request-avg", &client) > 0.0);
    assert!(value("bytes-consumed-total", &client) >= 30.0 * 60.0);
    let topic = [("client-id", "c"), ("topic", "t")];
    assert_eq!(value("records-consumed-total", &topic), 30.0);
    let partition = |number| [("client-id", "c"), ("topic", "t"), ("partition", number)];
    assert_eq!((value("records-lag", &partition("0")), value("records-lag", &partition("1"))), (0.0, 0.0));
    assert_eq!(
        (value("records-lead", &partition("0")), value("records-lead", &partition("1"))),
        (20.0, 10.0)
    );
    assert_eq!(value("preferred-read-replica", &partition("0")), -1.0);
    assert!(metrics.get("consumer-metrics", "last-poll-seconds-ago").unwrap() >= 0.0);
    assert!(metrics.get("consumer-metrics", "time-between-poll-max").unwrap() > 0.0);
    // A record that is read twice counts twice; a partition that is not read any more has no metrics.
    consumer.seek(&tp(0), 25).unwrap();
    take(&mut consumer, 5);
    consumer.assign([tp(1)]).unwrap();
    let metrics = consumer.metrics();
    assert_eq!(metrics.get(GROUP, "records-consumed-total"), Some(35.0));
    assert!(metrics.find(GROUP, "records-lag", &partition("0")).is_none());
    assert!(metrics.find(GROUP, "records-lag", &partition("1")).is_some());
}

//! Consumers in groups, against the mock cluster: rebalances, heartbeats, commits.
#![allow(clippy::disallowed_methods, reason = "a test is not part of the client")]

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kavka::config::{Assignor, AutoOffsetReset};
use kavka::consumer::{
    CloseOptions, ConsumerBuilder, ConsumerRebalanceListener, GroupMembership, RebalanceContext,
};
use kavka::mock::{GroupState, MockCluster};
use kavka::protocol::ApiKey;
use kavka::types::OffsetAndMetadata;
use kavka::{
    Error, ErrorCode, ErrorKind, KafkaConsumer, KafkaProducer, ProducerRecord, Result, TopicPartition,
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
        .group_id("g")
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .heartbeat_interval(Duration::from_millis(50))
        .session_timeout(Duration::from_secs(5))
        .retry_backoff(Duration::from_millis(10))
        .reconnect_backoff(Duration::from_millis(10))
        .reconnect_backoff_max(Duration::from_millis(100))
}

fn member(cluster: &MockCluster) -> KafkaConsumer {
    let mut consumer = options(cluster).build().unwrap();
    consumer.subscribe(["t"]).unwrap();
    consumer
}

fn fill(cluster: &MockCluster, partition: i32, numbers: std::ops::Range<u32>) {
    let producer = KafkaProducer::builder().bootstrap_servers(cluster.bootstrap_servers()).build().unwrap();
    for number in numbers {
        let value = number.to_string();
        producer.send(ProducerRecord::new("t").partition(partition).value(&value)).unwrap();
    }
    producer.close(LONG).unwrap();
}

/// Polls all of them in turn until `done`.
fn poll_until(consumers: &mut [&mut KafkaConsumer], mut done: impl FnMut(&[&mut KafkaConsumer]) -> bool) {
    let deadline = Instant::now() + LONG;
    while !done(consumers) {
        assert!(Instant::now() < deadline, "{consumers:?}");
        for consumer in consumers.iter_mut() {
            consumer.poll(SHORT).unwrap();
        }
    }
}

fn counts(consumers: &[&mut KafkaConsumer]) -> Vec<usize> {
    consumers.iter().map(|consumer| consumer.assignment().len()).collect()
}

/// Polls until an error comes.
fn error_of(consumer: &mut KafkaConsumer) -> Error {
    let deadline = Instant::now() + LONG;
    loop {
        match consumer.poll(SHORT) {
            Ok(_) => assert!(Instant::now() < deadline),
            Err(error) => return error,
        }
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn add(&self, what: &str, partitions: &[TopicPartition]) {
        self.0.lock().unwrap().push(format!("{what} {partitions:?}"));
    }
}

impl ConsumerRebalanceListener for Log {
    fn on_partitions_revoked(&mut self, _: &mut RebalanceContext<'_>, gone: &[TopicPartition]) -> Result<()> {
        self.add("revoked", gone);
        Ok(())
    }

    fn on_partitions_assigned(&mut self, _: &mut RebalanceContext<'_>, new: &[TopicPartition]) -> Result<()> {
        self.add("assigned", new);
        Ok(())
    }

    fn on_partitions_lost(&mut self, _: &mut RebalanceContext<'_>, lost: &[TopicPartition]) -> Result<()> {
        self.add("lost", lost);
        Ok(())
    }
}

#[test]
fn members_share_the_partitions_as_they_come_and_go() {
    let cluster = cluster(6);
    let mut first = member(&cluster);
    poll_until(&mut [&mut first], |all| counts(all) == [6]);
    let mut second = member(&cluster);
    poll_until(&mut [&mut first, &mut second], |all| counts(all) == [3, 3]);
    let mut third = member(&cluster);
    poll_until(&mut [&mut first, &mut second, &mut third], |all| counts(all) == [2, 2, 2]);
    let all: BTreeSet<TopicPartition> =
        [&first, &second, &third].iter().flat_map(|consumer| consumer.assignment()).collect();
    assert_eq!(all.len(), 6, "no partition twice");
    second.close(LONG).unwrap();
    poll_until(&mut [&mut first, &mut third], |all| counts(all) == [3, 3]);
    drop(third);
    poll_until(&mut [&mut first], |all| counts(all) == [6]);
    first.close(LONG).unwrap();
    assert!(cluster.group_members("g").is_empty());
}

#[test]
fn a_listener_is_told_in_order() {
    let cluster = cluster(2);
    let log = Log::default();
    let mut first = options(&cluster).build().unwrap();
    first.subscribe_with_listener(["t"], log.clone()).unwrap();
    poll_until(&mut [&mut first], |all| counts(all) == [2]);
    assert_eq!(log.take(), ["assigned [t-0, t-1]"]);
    let mut second = member(&cluster);
    poll_until(&mut [&mut first, &mut second], |all| counts(all) == [1, 1]);
    let mine = format!("assigned {:?}", first.assignment());
    assert_eq!(log.take(), ["revoked [t-0, t-1]".to_owned(), mine]);
    let id = first.group_metadata().member_id;
    assert!(cluster.evict_member("g", &id));
    let lost = format!("lost {:?}", first.assignment());
    poll_until(&mut [&mut first, &mut second], |all| {
        counts(all) == [1, 1] && log.0.lock().unwrap().iter().any(|entry| entry.starts_with("assigned"))
    });
    assert_eq!(log.take()[0], lost);
    let mine = format!("revoked {:?}", first.assignment());
    first.close(LONG).unwrap();
    assert_eq!(log.take(), [mine]);
}

#[test]
fn round_robin_shares_out_across_topics() {
    let cluster = MockCluster::builder().topic("a", 3).topic("b", 3).start().unwrap();
    let start = || {
        let mut consumer =
            options(&cluster).partition_assignment_strategy([Assignor::RoundRobin]).build().unwrap();
        consumer.subscribe(["a", "b"]).unwrap();
        consumer
    };
    let (mut first, mut second) = (start(), start());
    poll_until(&mut [&mut first, &mut second], |all| counts(all) == [3, 3]);
    let mut sets = [first.assignment(), second.assignment()].map(|set| format!("{set:?}"));
    sets.sort();
    assert_eq!(sets, ["[a-0, a-2, b-1]", "[a-1, b-0, b-2]"]);
}

#[test]
fn a_group_goes_on_where_it_stopped() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..10);
    let mut consumer = member(&cluster);
    let mut count = 0;
    while count < 10 {
        count += consumer.poll(LONG).unwrap().len();
    }
    consumer.close(LONG).unwrap();
    assert_eq!(cluster.committed("g", "t", 0), Some(10));
    fill(&cluster, 0, 10..13);
    let mut next = member(&cluster);
    let records = next.poll(LONG).unwrap();
    assert_eq!(records.iter().next().unwrap().offset(), 10);
}

#[test]
fn automatic_commits_cover_only_what_was_asked_past() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..10);
    for (take, committed) in [(3, 2), (4, 3)] {
        let group = format!("g{take}");
        let mut consumer = options(&cluster).group_id(&group).build().unwrap();
        consumer.subscribe(["t"]).unwrap();
        for record in consumer.iter().take(take) {
            record.unwrap();
        }
        consumer.close(LONG).unwrap();
        assert_eq!(cluster.committed(&group, "t", 0), Some(committed), "{take} were taken");
    }
    let mut consumer = options(&cluster).group_id("none").build().unwrap();
    consumer.subscribe(["t"]).unwrap();
    assert!(consumer.poll(LONG).unwrap().len() <= 10);
    consumer.close_with(CloseOptions::new(LONG).commit(false)).unwrap();
    assert_eq!(cluster.committed("none", "t", 0), None);

    let mut consumer = options(&cluster).group_id("dropped").build().unwrap();
    consumer.subscribe(["t"]).unwrap();
    assert_eq!(consumer.iter().take(5).filter(|record| record.is_ok()).count(), 5);
    drop(consumer);
    assert_eq!(cluster.committed("dropped", "t", 0), None);
    assert!(cluster.group_members("dropped").is_empty(), "it has left");
}

#[test]
fn automatic_commits_come_by_their_interval() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..10);
    let mut consumer = options(&cluster)
        .auto_commit_interval(Duration::from_millis(100))
        .max_poll_records(1)
        .build()
        .unwrap();
    consumer.subscribe(["t"]).unwrap();
    for _ in 0..5 {
        assert_eq!(consumer.poll(LONG).unwrap().len(), 1);
    }
    let deadline = Instant::now() + LONG;
    while cluster.committed("g", "t", 0).is_none_or(|offset| offset < 5) {
        assert!(Instant::now() < deadline);
        consumer.poll(SHORT).unwrap();
    }

    // While iterating in one chunk as well.
    let mut consumer =
        options(&cluster).group_id("i").auto_commit_interval(Duration::from_millis(100)).build().unwrap();
    consumer.subscribe(["t"]).unwrap();
    consumer.iter().next().unwrap().unwrap();
    let mut seen = 1;
    while cluster.committed("i", "t", 0).is_none() {
        assert!(seen < 10, "no commit");
        let _ =
            cluster.wait_for(Duration::from_millis(60), |cluster| cluster.committed("i", "t", 0).is_some());
        consumer.iter().next().unwrap().unwrap();
        seen += 1;
    }
    assert!(cluster.committed("i", "t", 0).unwrap() < seen);
}

#[test]
fn commits_keep_their_order_and_tell_their_outcome() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..10);
    let mut consumer = options(&cluster).enable_auto_commit(false).build().unwrap();
    consumer.subscribe(["t"]).unwrap();
    poll_until(&mut [&mut consumer], |all| counts(all) == [1]);
    cluster.on(ApiKey::OFFSET_COMMIT).nth(1..=1).delay(Duration::from_millis(200));
    cluster.on(ApiKey::OFFSET_COMMIT).nth(2..=2).error(ErrorCode::OFFSET_METADATA_TOO_LARGE);
    let outcomes = Arc::new(Mutex::new(Vec::new()));
    for offset in 1..=4i64 {
        let outcomes = Arc::clone(&outcomes);
        let offsets = HashMap::from([(tp(0), OffsetAndMetadata::new(offset))]);
        consumer
            .commit_async_with(Some(offsets), move |offsets, outcome| {
                outcomes.lock().unwrap().push((offsets[&tp(0)].offset, outcome.is_ok()));
            })
            .unwrap();
    }
    let deadline = Instant::now() + LONG;
    while outcomes.lock().unwrap().len() < 4 {
        assert!(Instant::now() < deadline);
        consumer.poll(SHORT).unwrap();
    }
    assert_eq!(*outcomes.lock().unwrap(), [(1, true), (2, false), (3, true), (4, true)]);
    assert_eq!(cluster.committed("g", "t", 0), Some(4));

    cluster.on(ApiKey::OFFSET_COMMIT).nth(1..=1).error(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
    cluster.on(ApiKey::OFFSET_COMMIT).nth(2..=2).error(ErrorCode::NOT_COORDINATOR);
    cluster.on(ApiKey::OFFSET_COMMIT).nth(3..=3).drop_before();
    consumer.commit_offsets([(tp(0), 7)]).unwrap();
    assert_eq!(cluster.committed("g", "t", 0), Some(7));
    cluster.on(ApiKey::OFFSET_COMMIT).error(ErrorCode::GROUP_AUTHORIZATION_FAILED);
    assert_eq!(consumer.commit_offsets([(tp(0), 8)]).unwrap_err().kind(), ErrorKind::Authorization);
    cluster.on(ApiKey::OFFSET_COMMIT).error(ErrorCode::REBALANCE_IN_PROGRESS);
    let error = consumer.commit_offsets([(tp(0), 8)]).unwrap_err();
    assert_eq!((error.kind(), error.is_retriable()), (ErrorKind::CommitFailed, true));
    let id = consumer.group_metadata().member_id;
    cluster.on(ApiKey::OFFSET_COMMIT).error(ErrorCode::UNKNOWN_MEMBER_ID);
    let error = consumer.commit_offsets([(tp(0), 8)]).unwrap_err();
    assert_eq!((error.kind(), error.is_retriable()), (ErrorKind::CommitFailed, false));
    poll_until(&mut [&mut consumer], |all| counts(all) == [1] && all[0].group_metadata().member_id != id);
    consumer.commit_offsets([(tp(0), 9)]).unwrap();
    assert_eq!(cluster.committed("g", "t", 0), Some(9));
}

#[test]
fn the_outcome_of_commits_that_nobody_waits_for_is_told() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..10);
    let outcomes = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&outcomes);
    let mut consumer = options(&cluster)
        .auto_commit_interval(Duration::from_millis(20))
        .max_poll_records(5)
        .default_offset_commit_callback(move |offsets, outcome| {
            let offset = offsets[&tp(0)].offset;
            told.lock().unwrap().push((offset, outcome.map_err(|error| error.code())));
            assert!(offset != 10, "the last one");
        })
        .build()
        .unwrap();
    consumer.subscribe(["t"]).unwrap();
    let refused = cluster.on(ApiKey::OFFSET_COMMIT).always().error(ErrorCode::GROUP_AUTHORIZATION_FAILED);
    assert_eq!(consumer.poll(LONG).unwrap().len(), 5);
    let until = |consumer: &mut KafkaConsumer, expected: (i64, Result<(), Option<ErrorCode>>)| {
        let deadline = Instant::now() + LONG;
        while !outcomes.lock().unwrap().contains(&expected) {
            assert!(Instant::now() < deadline, "{expected:?}: {:?}", outcomes.lock().unwrap());
            consumer.pause(&[tp(0)]).unwrap();
            consumer.poll(SHORT).unwrap();
        }
    };
    until(&mut consumer, (5, Err(Some(ErrorCode::GROUP_AUTHORIZATION_FAILED))));
    refused.remove();
    until(&mut consumer, (5, Ok(())));
    // One that has a callback of its own goes there alone.
    outcomes.lock().unwrap().clear();
    let (sender, own) = std::sync::mpsc::channel();
    let offsets = HashMap::from([(tp(0), OffsetAndMetadata::new(1))]);
    consumer.commit_async_with(Some(offsets), move |_, outcome| sender.send(outcome).unwrap()).unwrap();
    consumer.commit_async().unwrap();
    until(&mut consumer, (5, Ok(())));
    own.recv_timeout(LONG).unwrap().unwrap();
    assert!(!outcomes.lock().unwrap().iter().any(|(offset, _)| *offset == 1));
    // The last one, which the close waits for, is told, too; and a panic is an error and no more.
    consumer.resume(&[tp(0)]).unwrap();
    assert_eq!(consumer.poll(LONG).unwrap().len(), 5);
    consumer.close(LONG).unwrap();
    assert_eq!(outcomes.lock().unwrap().last(), Some(&(10, Ok(()))));
    assert_eq!(cluster.committed("g", "t", 0), Some(10));
}

/// Commits a mark when partitions go, and seeks when they come.
struct Marker;

impl ConsumerRebalanceListener for Marker {
    fn on_partitions_revoked(
        &mut self,
        consumer: &mut RebalanceContext<'_>,
        _: &[TopicPartition],
    ) -> Result<()> {
        consumer.commit()
    }

    fn on_partitions_assigned(
        &mut self,
        consumer: &mut RebalanceContext<'_>,
        new: &[TopicPartition],
    ) -> Result<()> {
        new.iter().try_for_each(|tp| consumer.seek(tp, 3))
    }
}

#[test]
fn listeners_can_commit_and_seek() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..10);
    let mut consumer = options(&cluster).enable_auto_commit(false).max_poll_records(2).build().unwrap();
    consumer.subscribe_with_listener(["t"], Marker).unwrap();
    let records = consumer.poll(LONG).unwrap();
    assert_eq!(records.iter().map(|record| record.offset()).collect::<Vec<_>>(), [3, 4]);
    cluster.rebalance("g");
    let deadline = Instant::now() + LONG;
    while cluster.committed("g", "t", 0).is_none() {
        assert!(Instant::now() < deadline);
        consumer.poll(SHORT).unwrap();
    }
    assert!(cluster.committed("g", "t", 0).unwrap() >= 5);
}

struct Panics;

impl ConsumerRebalanceListener for Panics {
    fn on_partitions_revoked(&mut self, _: &mut RebalanceContext<'_>, _: &[TopicPartition]) -> Result<()> {
        Err(Error::new(ErrorKind::IllegalState, "not now"))
    }

    fn on_partitions_assigned(&mut self, _: &mut RebalanceContext<'_>, _: &[TopicPartition]) -> Result<()> {
        panic!("listener");
    }
}

#[test]
fn a_listener_that_fails_is_an_error_and_no_more() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..3);
    let mut consumer = options(&cluster).build().unwrap();
    consumer.subscribe_with_listener(["t"], Panics).unwrap();
    let error = error_of(&mut consumer);
    assert_eq!(error.kind(), ErrorKind::Panic);
    assert!(error.to_string().contains("on_partitions_assigned panicked: listener"), "{error}");
    assert_eq!(consumer.poll(LONG).unwrap().len(), 3, "it goes on");
    let error = consumer.close(LONG).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::IllegalState);
    assert_eq!(cluster.committed("g", "t", 0), Some(3));
    assert!(cluster.group_members("g").is_empty());
}

#[test]
fn a_slow_program_loses_its_seat_and_comes_back() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..3);
    let log = Log::default();
    let mut consumer = options(&cluster).max_poll_interval(Duration::from_millis(300)).build().unwrap();
    consumer.subscribe_with_listener(["t"], log.clone()).unwrap();
    assert_eq!(consumer.poll(LONG).unwrap().len(), 3);
    assert!(consumer.poll(Duration::from_secs(1)).unwrap().is_empty(), "waiting inside does not count");
    assert_eq!(cluster.request_count(ApiKey::LEAVE_GROUP), 0);
    assert!(cluster.wait_for(LONG, |cluster| cluster.request_count(ApiKey::LEAVE_GROUP) == 1));
    // The interval was over when the member left; from then on the program is late.
    let left_at = Instant::now();
    std::thread::sleep(Duration::from_millis(200));
    let error = consumer.poll(LONG).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MaxPollExceeded);
    assert!(error.late_by().unwrap() >= left_at.elapsed() - Duration::from_millis(1), "{error}");
    assert!(error.to_string().contains("late by"), "{error}");
    poll_until(&mut [&mut consumer], |_| log.0.lock().unwrap().len() >= 3);
    assert_eq!(log.take(), ["assigned [t-0]", "lost [t-0]", "assigned [t-0]"]);
    assert_eq!(cluster.request_count(ApiKey::LEAVE_GROUP), 1);
}

#[test]
fn a_member_that_stops_is_replaced_after_its_session() {
    let cluster = cluster(2);
    let mut first = options(&cluster).session_timeout(Duration::from_millis(600)).build().unwrap();
    first.subscribe(["t"]).unwrap();
    let mut second = member(&cluster);
    poll_until(&mut [&mut first, &mut second], |all| counts(all) == [1, 1]);
    let id = first.group_metadata().member_id;
    cluster.on(ApiKey::HEARTBEAT).always().error(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
    assert!(cluster.wait_for(LONG, |cluster| !cluster.group_members("g").contains(&id)));
    cluster.clear_faults();
    poll_until(&mut [&mut first, &mut second], |all| {
        counts(all) == [1, 1] && all[0].group_metadata().member_id != id
    });
}

#[test]
fn the_coordinator_moves_dies_and_comes_back() {
    let cluster = cluster(2);
    let (mut first, mut second) = (member(&cluster), member(&cluster));
    poll_until(&mut [&mut first, &mut second], |all| counts(all) == [1, 1]);
    for round in 0..3 {
        let old = cluster.coordinator("g").unwrap();
        match round {
            0 => cluster.move_coordinator("g", 1 + old % 3).unwrap(),
            1 => cluster.kill(old).unwrap(),
            _ => drop(cluster.on(None).times(10).error(ErrorCode::NOT_COORDINATOR)),
        }
        fill(&cluster, 0, 0..1);
        poll_until(&mut [&mut first, &mut second], |all| {
            counts(all) == [1, 1] && cluster.group_state("g") == Some(GroupState::Stable)
        });
        first.commit().unwrap();
        second.commit().unwrap();
    }
}

#[test]
fn a_static_member_keeps_its_seat() {
    let cluster = cluster(2);
    let fixed = || {
        let mut consumer = options(&cluster).group_instance_id("seat").build().unwrap();
        consumer.subscribe(["t"]).unwrap();
        consumer
    };
    let mut first = fixed();
    poll_until(&mut [&mut first], |all| counts(all) == [2]);
    let generation = cluster.group_generation("g");
    first.close(LONG).unwrap();
    assert_eq!(cluster.request_count(ApiKey::LEAVE_GROUP), 0);
    let mut again = fixed();
    poll_until(&mut [&mut again], |all| counts(all) == [2]);
    assert_eq!(cluster.group_generation("g"), generation, "no rebalance");
    let mut other = fixed();
    poll_until(&mut [&mut other], |all| counts(all) == [2]);
    assert_eq!(error_of(&mut again).kind(), ErrorKind::FencedInstance);
    other.close_with(CloseOptions::new(LONG).group_membership(GroupMembership::Leave)).unwrap();
    assert!(cluster.group_members("g").is_empty());
}

#[test]
fn errors_that_only_the_program_can_mend_are_returned() {
    let cluster = cluster(1);
    let mut consumer = member(&cluster);
    cluster.on(ApiKey::JOIN_GROUP).error(ErrorCode::GROUP_AUTHORIZATION_FAILED);
    assert_eq!(error_of(&mut consumer).kind(), ErrorKind::Authorization);
    poll_until(&mut [&mut consumer], |all| counts(all) == [1]);

    let mut other = options(&cluster).group_id("h").build().unwrap();
    cluster.on(ApiKey::FIND_COORDINATOR).error(ErrorCode::GROUP_AUTHORIZATION_FAILED);
    other.subscribe(["t"]).unwrap();
    assert_eq!(error_of(&mut other).kind(), ErrorKind::Authorization);
    poll_until(&mut [&mut other], |all| counts(all) == [1]);
}

#[test]
fn joining_outlasts_errors() {
    let cluster = cluster(1);
    let mut consumer = member(&cluster);
    cluster.on(ApiKey::FIND_COORDINATOR).times(2).error(ErrorCode::COORDINATOR_NOT_AVAILABLE);
    cluster.on(ApiKey::JOIN_GROUP).nth(2..=2).error(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
    cluster.on(ApiKey::JOIN_GROUP).nth(3..=3).drop_before();
    cluster.on(ApiKey::JOIN_GROUP).nth(4..=4).error(ErrorCode::UNKNOWN_MEMBER_ID);
    cluster.on(ApiKey::SYNC_GROUP).nth(1..=1).error(ErrorCode::REBALANCE_IN_PROGRESS);
    cluster.on(ApiKey::SYNC_GROUP).nth(2..=2).error(ErrorCode::NOT_COORDINATOR);
    cluster.on(ApiKey::OFFSET_FETCH).nth(1..=2).error(ErrorCode::UNSTABLE_OFFSET_COMMIT);
    fill(&cluster, 0, 0..3);
    assert_eq!(consumer.poll(LONG).unwrap().len(), 3);
}

#[test]
fn records_of_before_a_rebalance_are_not_handed_out_after_it() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..500);
    let mut consumer = options(&cluster).max_poll_records(10).build().unwrap();
    consumer.subscribe(["t"]).unwrap();
    assert_eq!(consumer.poll(LONG).unwrap().len(), 10);
    let id = consumer.group_metadata().member_id;
    assert!(cluster.evict_member("g", &id));
    assert!(cluster.wait_for(LONG, |cluster| cluster.group_members("g").is_empty()));
    cluster.clear_requests();
    assert!(cluster.wait_for(LONG, |cluster| cluster.request_count(ApiKey::HEARTBEAT) >= 1));
    let deadline = Instant::now() + LONG;
    let first = loop {
        assert!(Instant::now() < deadline);
        if let Some(record) = consumer.poll(SHORT).unwrap().into_iter().next() {
            // Before the consumer has learned of it, it goes on; afterwards it begins at what was committed.
            if consumer.group_metadata().member_id != id {
                break record.offset();
            }
        }
    };
    assert_eq!(first, cluster.committed("g", "t", 0).unwrap_or(0));
}

#[test]
fn new_partitions_are_shared_out_too() {
    let cluster = MockCluster::builder().topic("t", 1).auto_create_topics(false).start().unwrap();
    let mut consumer = options(&cluster).metadata_max_age(Duration::from_millis(100)).build().unwrap();
    consumer.subscribe(["t", "later"]).unwrap();
    let mut alone = KafkaConsumer::builder()
        .bootstrap_servers(cluster.bootstrap_servers())
        .metadata_max_age(Duration::from_millis(100))
        .build()
        .unwrap();
    alone.subscribe(["t", "later"]).unwrap();
    poll_until(&mut [&mut consumer, &mut alone], |all| counts(all) == [1, 1]);
    cluster.create_topic("later", 3).unwrap();
    poll_until(&mut [&mut consumer, &mut alone], |all| counts(all) == [4, 4]);
}

#[test]
fn unsubscribing_leaves_the_group() {
    let cluster = cluster(1);
    fill(&cluster, 0, 0..3);
    let mut consumer = member(&cluster);
    assert_eq!(consumer.poll(LONG).unwrap().len(), 3);
    consumer.unsubscribe().unwrap();
    assert!(cluster.group_members("g").is_empty());
    assert_eq!(cluster.committed("g", "t", 0), Some(3));
    assert!(consumer.assignment().is_empty() && consumer.group_metadata().member_id.is_empty());
    consumer.subscribe(["t"]).unwrap();
    poll_until(&mut [&mut consumer], |all| counts(all) == [1]);
}

#[test]
fn closing_is_bounded_when_nobody_answers() {
    let cluster = cluster(1);
    let mut consumer = member(&cluster);
    poll_until(&mut [&mut consumer], |all| counts(all) == [1]);
    let mut joining = member(&cluster);
    joining.poll(SHORT).unwrap();
    (1..4).for_each(|broker| cluster.kill(broker).unwrap());
    for mut consumer in [consumer, joining] {
        let begin = Instant::now();
        let outcome = consumer.close(Duration::from_millis(300));
        assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
        if let Err(error) = outcome {
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        }
    }
}

//! What a consumer says of itself when nothing is coming, against the mock cluster: each cause is named.
#![allow(clippy::disallowed_methods, reason = "a test is not part of the client")]
use std::time::{Duration, Instant};

use kavka::config::{AutoOffsetReset, GroupProtocol, IsolationLevel};
use kavka::consumer::{Blocked, ConsumerBuilder, ConsumerStatus, MemberState};
use kavka::mock::{MockCluster, VersionTable};
use kavka::protocol::ApiKey;
use kavka::{ErrorCode, ErrorKind, KafkaConsumer, KafkaProducer, ProducerRecord, TopicPartition};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(20);

fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

fn cluster() -> MockCluster {
    let builder = MockCluster::builder().brokers(2).default_replication_factor(1);
    builder.topic("t", 2).auto_create_topics(false).start().unwrap()
}

fn options(cluster: &MockCluster) -> ConsumerBuilder {
    KafkaConsumer::builder()
        .bootstrap_servers(cluster.bootstrap_servers())
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .metadata_max_age(Duration::from_millis(200))
        .fetch_max_wait(Duration::from_millis(50))
        .retry_backoff(Duration::from_millis(10))
        .retry_backoff_max(Duration::from_millis(100))
        .reconnect_backoff(Duration::from_millis(10))
        .reconnect_backoff_max(Duration::from_millis(100))
        .drop_timeout(Duration::from_millis(200))
}

fn fill(cluster: &MockCluster, partition: i32, count: usize) {
    for number in 0..count {
        cluster.append("t", partition, [("", number.to_string())]).unwrap();
    }
}

/// Polls until the status is as expected. Errors of `poll()` are part of some causes.
fn status_until(
    consumer: &mut KafkaConsumer,
    what: &str,
    expected: impl Fn(&ConsumerStatus) -> bool,
) -> ConsumerStatus {
    let deadline = Instant::now() + LONG;
    loop {
        let _ = consumer.poll(SHORT);
        let status = consumer.status().unwrap();
        if expected(&status) {
            return status;
        }
        assert!(Instant::now() < deadline, "{what}: {status}");
    }
}

/// Polls until the first partition is blocked as expected, and returns the words for it.
fn blocked_until(consumer: &mut KafkaConsumer, what: &str, expected: impl Fn(&Blocked) -> bool) -> String {
    let status = status_until(consumer, what, |status| {
        status.partitions.first().and_then(|one| one.blocked.as_ref()).is_some_and(&expected)
    });
    status.to_string()
}

#[test]
fn a_consumer_without_partitions_says_why() {
    let cluster = cluster();
    let mut consumer = options(&cluster).build().unwrap();
    let status = consumer.status().unwrap();
    assert!(matches!(status.blocked, Some(Blocked::NothingSelected)), "{status}");
    assert!(status.group.is_none() && status.metadata_age.is_none());

    consumer.subscribe(["absent"]).unwrap();
    let unknown = |status: &ConsumerStatus| matches!(status.blocked, Some(Blocked::UnknownTopic { .. }));
    let status = status_until(&mut consumer, "unknown topic", unknown);
    assert!(status.cluster_id.is_some() && status.metadata_age.is_some(), "{status:?}");

    let refused = cluster.on(ApiKey::METADATA).always().error(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    consumer.subscribe(["t"]).unwrap();
    let unauthorized = |status: &ConsumerStatus| matches!(status.blocked, Some(Blocked::Unauthorized { .. }));
    let status = status_until(&mut consumer, "unauthorized topic", unauthorized);
    assert!(status.to_string().contains("topic t"), "{status}");
    refused.remove();
    status_until(&mut consumer, "the partitions", |status| status.blocked.is_none());

    consumer.close(LONG).unwrap();
    assert_eq!(consumer.status().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn a_cluster_that_cannot_be_reached_is_named_with_the_reason() {
    let cluster = cluster();
    for broker in [1, 2] {
        cluster.kill(broker).unwrap();
    }
    let mut consumer = options(&cluster).build().unwrap();
    consumer.assign([tp(0)]).unwrap();
    let told = |blocked: &Blocked| matches!(blocked, Blocked::NoCluster { error: Some(_) });
    let words = blocked_until(&mut consumer, "no cluster", told);
    assert!(words.contains("127.0.0.1"), "{words}");
    consumer.unsubscribe().unwrap();
    consumer.subscribe(["t"]).unwrap();
    status_until(&mut consumer, "no cluster", |status| {
        matches!(status.blocked, Some(Blocked::NoCluster { error: Some(_) }))
    });
    cluster.restart(1).unwrap();
    status_until(&mut consumer, "the cluster", |status| status.blocked.is_none());
}

#[test]
fn a_member_of_a_group_says_where_it_stands() {
    for protocol in [GroupProtocol::Classic, GroupProtocol::Consumer] {
        let cluster = cluster();
        let join = match protocol {
            GroupProtocol::Classic => ApiKey::JOIN_GROUP,
            _ => ApiKey::CONSUMER_GROUP_HEARTBEAT,
        };
        let with_group = || {
            let builder = options(&cluster).group_id("g").group_protocol(protocol);
            let builder = if protocol == GroupProtocol::Classic {
                builder.heartbeat_interval(Duration::from_millis(50))
            } else {
                builder
            };
            let mut member = builder.build().unwrap();
            member.subscribe(["t"]).unwrap();
            member
        };
        let held = cluster.on(join).always().error(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
        let mut first = with_group();
        let status = first.status().unwrap();
        assert_eq!(status.group.as_ref().unwrap().state, MemberState::Unjoined);
        let status = status_until(&mut first, "joining", |status| {
            status.group.as_ref().is_some_and(|group| {
                group.state == MemberState::Joining
                    && group.coordinator.is_some()
                    && group.rebalancing_for.is_some()
            })
        });
        assert!(matches!(status.blocked, Some(Blocked::NotAssigned)), "{status}");
        held.remove();
        let status = status_until(&mut first, "stable", |status| {
            let group = status.group.as_ref().unwrap();
            group.state == MemberState::Stable
                && group.last_heartbeat.is_some()
                && status.partitions.len() == 2
        });
        let group = status.group.unwrap();
        assert_eq!(Some(group.coordinator.unwrap()), cluster.coordinator("g"));
        assert_eq!(vec![group.member_id.clone()], cluster.group_members("g"));
        assert!(group.generation > 0 && group.coordinator_error.is_none(), "{group:?}");

        // A third member gets nothing of two partitions.
        let (mut second, mut third) = (with_group(), with_group());
        let deadline = Instant::now() + LONG;
        loop {
            let mut idle = 0;
            for member in [&mut first, &mut second, &mut third] {
                member.poll(SHORT).unwrap();
                let status = member.status().unwrap();
                idle += usize::from(matches!(status.blocked, Some(Blocked::NoPartitions)));
            }
            if idle == 1 {
                break;
            }
            assert!(Instant::now() < deadline, "{protocol}: nobody says that there are too many members");
        }

        // The coordinator goes, and nobody takes its place.
        for broker in [1, 2] {
            cluster.kill_without_failover(broker).unwrap();
        }
        let told = |status: &ConsumerStatus| status.group.as_ref().unwrap().coordinator_error.is_some();
        status_until(&mut first, "the coordinator", told);
    }
}

#[test]
fn what_the_program_does_itself_is_named_and_is_no_trouble() {
    let cluster = cluster();
    let mut consumer = options(&cluster).max_poll_records(1).build().unwrap();
    fill(&cluster, 0, 2);
    consumer.assign([tp(0)]).unwrap();
    blocked_until(&mut consumer, "records wait", |blocked| matches!(blocked, Blocked::WaitingForProgram));
    let status = consumer.status().unwrap();
    assert_eq!((status.partitions[0].position, status.partitions[0].buffered), (Some(1), 1), "{status}");
    consumer.pause(&[tp(0)]).unwrap();
    blocked_until(&mut consumer, "paused", |blocked| matches!(blocked, Blocked::Paused));
    consumer.resume(&[tp(0)]).unwrap();
    let words = blocked_until(&mut consumer, "at the end", |blocked| matches!(blocked, Blocked::AtEnd));
    assert!(words.contains("t-0: position 2, lag 0, high watermark 2, leader "), "{words}");
    let status = consumer.status().unwrap();
    let partition = &status.partitions[0];
    assert_eq!(partition.leader, cluster.leader("t", 0));
    assert_eq!((partition.log_start_offset, partition.last_stable_offset), (Some(0), Some(2)));
    assert!(partition.last_fetch.is_some() && status.trouble().is_none(), "{status}");
}

#[test]
fn positions_that_are_not_known_are_named() {
    let cluster = cluster();
    let held = cluster.on(ApiKey::LIST_OFFSETS).always().error(ErrorCode::UNKNOWN_SERVER_ERROR);
    let mut consumer = options(&cluster).build().unwrap();
    consumer.assign([tp(0)]).unwrap();
    // The connection to the leader is made for the lookup.
    let words =
        blocked_until(&mut consumer, "looked up", |blocked| matches!(blocked, Blocked::AwaitingPosition));
    assert!(words.contains("no position"), "{words}");
    held.remove();
    blocked_until(&mut consumer, "found", |blocked| matches!(blocked, Blocked::AtEnd));

    let mut consumer = options(&cluster).auto_offset_reset(AutoOffsetReset::None).build().unwrap();
    consumer.assign([tp(0)]).unwrap();
    blocked_until(&mut consumer, "no policy", |blocked| matches!(blocked, Blocked::NoPosition));
}

#[test]
fn a_position_that_is_validated_is_named() {
    let cluster = MockCluster::builder()
        .brokers(2)
        .topic("t", 1)
        .versions(VersionTable::newest().with(ApiKey::FETCH, 4, 11))
        .start()
        .unwrap();
    fill(&cluster, 0, 3);
    let mut consumer = options(&cluster).build().unwrap();
    consumer.assign([tp(0)]).unwrap();
    blocked_until(&mut consumer, "read", |blocked| matches!(blocked, Blocked::AtEnd));
    let slow = cluster.on(ApiKey::OFFSET_FOR_LEADER_EPOCH).always().delay(Duration::from_millis(400));
    let follower = 3 - cluster.leader("t", 0).unwrap();
    cluster.move_leader("t", 0, follower).unwrap();
    blocked_until(&mut consumer, "validated", |blocked| matches!(blocked, Blocked::Validating));
    slow.remove();
    blocked_until(&mut consumer, "read on", |blocked| matches!(blocked, Blocked::AtEnd));
}

#[test]
fn what_is_wrong_with_a_leader_is_named() {
    let cluster = cluster();
    let mut consumer = options(&cluster).build().unwrap();
    consumer.assign([tp(0)]).unwrap();
    blocked_until(&mut consumer, "read", |blocked| matches!(blocked, Blocked::AtEnd));
    let leader = cluster.leader("t", 0).unwrap();

    let throttle = cluster.on(ApiKey::FETCH).broker(leader).always().throttle(Duration::from_millis(300));
    let named = |blocked: &Blocked| matches!(blocked, Blocked::Throttled { node, .. } if *node == leader);
    blocked_until(&mut consumer, "throttled", named);
    throttle.remove();
    blocked_until(&mut consumer, "no longer throttled", |blocked| matches!(blocked, Blocked::AtEnd));

    cluster.stop_reading(leader).unwrap();
    let named = |blocked: &Blocked| matches!(blocked, Blocked::NoAnswer { node, .. } if *node == leader);
    blocked_until(&mut consumer, "no answer", named);
    cluster.resume_reading(leader).unwrap();
    blocked_until(&mut consumer, "an answer", |blocked| matches!(blocked, Blocked::AtEnd));

    let refusing = cluster.on(ApiKey::FETCH).partition("t", 0).always();
    let refusing = refusing.error(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    let named = |blocked: &Blocked| matches!(blocked, Blocked::Unauthorized { .. });
    let words = blocked_until(&mut consumer, "unauthorized", named);
    assert!(words.contains("TOPIC_AUTHORIZATION_FAILED") && words.contains("topic t"), "{words}");
    let before = cluster.request_count(ApiKey::FETCH);
    let until = Instant::now() + Duration::from_millis(500);
    let mut errors = 0;
    while Instant::now() < until {
        match consumer.poll(SHORT) {
            Ok(records) => assert!(records.is_empty()),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Authorization);
                errors += 1;
            }
        }
    }
    let fetches = cluster.request_count(ApiKey::FETCH) - before;
    assert!(
        errors > 0 && fetches < 100,
        "told again, without a tight loop: {errors} errors, {fetches} fetches"
    );
    refusing.remove();
    blocked_until(&mut consumer, "authorized", |blocked| matches!(blocked, Blocked::AtEnd));

    let refusing = cluster.on(ApiKey::FETCH).partition("t", 0).always().error(ErrorCode::KAFKA_STORAGE_ERROR);
    blocked_until(&mut consumer, "refused", |blocked| matches!(blocked, Blocked::Refused { .. }));
    refusing.remove();
    blocked_until(&mut consumer, "served", |blocked| matches!(blocked, Blocked::AtEnd));

    cluster.kill_without_failover(leader).unwrap();
    let named = |blocked: &Blocked| matches!(blocked, Blocked::Unreachable { node, error: Some(_) } if *node == leader);
    blocked_until(&mut consumer, "unreachable", named);
    cluster.kill(leader).unwrap();
    blocked_until(&mut consumer, "no leader", |blocked| matches!(blocked, Blocked::NoLeader));
    cluster.restart(leader).unwrap();
    blocked_until(&mut consumer, "back", |blocked| matches!(blocked, Blocked::AtEnd));

    cluster.delete_topic("t").unwrap();
    let named = |blocked: &Blocked| matches!(blocked, Blocked::UnknownTopic { lasting: Some(_) });
    blocked_until(&mut consumer, "deleted", named);
}

#[test]
fn a_full_buffer_is_named() {
    let cluster = MockCluster::builder().topic("t", 2).start().unwrap();
    let mut consumer = options(&cluster).buffer_memory(1000).max_poll_records(1).build().unwrap();
    consumer.assign([tp(0), tp(1)]).unwrap();
    status_until(&mut consumer, "read", |status| {
        status.partitions.iter().all(|one| matches!(one.blocked, Some(Blocked::AtEnd)))
    });
    cluster.append("t", 1, [("", "x".repeat(2000)), ("", "y".repeat(2000))]).unwrap();
    let named = |blocked: &Blocked| matches!(blocked, Blocked::BufferFull { limit: 1000, .. });
    // Nothing is read on meanwhile.
    let deadline = Instant::now() + LONG;
    while !consumer.status().unwrap().partitions[0].blocked.as_ref().is_some_and(named) {
        assert!(Instant::now() < deadline, "{}", consumer.status().unwrap());
        std::thread::yield_now();
    }
    status_until(&mut consumer, "read on", |status| {
        status.partitions.iter().all(|one| matches!(one.blocked, Some(Blocked::AtEnd)))
    });
}

#[test]
fn an_open_transaction_is_named_with_its_place_and_for_how_long() {
    let cluster = cluster();
    let servers = cluster.bootstrap_servers();
    fill(&cluster, 0, 1);
    let producer =
        KafkaProducer::builder().bootstrap_servers(&servers).transactional_id("x").build().unwrap();
    producer.init_transactions().unwrap();
    let transaction = producer.transaction().unwrap();
    for value in ["a", "b"] {
        producer.send(ProducerRecord::new("t").partition(0).value(value)).unwrap().get(LONG).unwrap();
    }
    let mut consumer = options(&cluster).isolation_level(IsolationLevel::ReadCommitted).build().unwrap();
    consumer.assign([tp(0)]).unwrap();
    let named = |blocked: &Blocked| {
        matches!(blocked, Blocked::Held { last_stable_offset: 1, high_watermark: 3, lasting }
                          if *lasting > Duration::from_millis(200))
    };
    let words = blocked_until(&mut consumer, "held", named);
    assert!(words.contains("held at the last stable offset 1 below the high watermark 3 for"), "{words}");
    let status = consumer.status().unwrap();
    assert!(matches!(status.trouble(), Some((Some(_), Blocked::Held { .. }))), "{status}");
    transaction.commit().unwrap();
    blocked_until(&mut consumer, "committed", |blocked| matches!(blocked, Blocked::AtEnd));
    assert_eq!(consumer.position(&tp(0)).unwrap(), 4, "behind the marker");
}

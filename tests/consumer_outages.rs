//! A consumer while brokers are away, frozen or keep it waiting, against MockCluster.

#![allow(clippy::disallowed_methods, reason = "a test measures with its own clock how long calls take")]

mod support;

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use kavka::config::{AutoOffsetReset, GroupProtocol};
use kavka::consumer::{
    CloseOptions, ConsumerBuilder, ConsumerRebalanceListener, GroupMembership, RebalanceContext,
};
use kavka::mock::MockCluster;
use kavka::protocol::ApiKey;
use kavka::{ErrorKind, KafkaConsumer, Result, TopicPartition};
use support::outages::{PATIENCE, wait_for_no_threads, within};

const SHORT: Duration = Duration::from_millis(20);
const PROTOCOLS: [GroupProtocol; 2] = [GroupProtocol::Classic, GroupProtocol::Consumer];

fn cluster() -> MockCluster {
    // Only the first of the tests to come here sets it up.
    let _ = env_logger::builder().is_test(true).try_init();
    MockCluster::builder()
        .brokers(3)
        .topic("orders", 2)
        .auto_create_topics(false)
        .consumer_group_timeouts(Duration::from_millis(50), Duration::from_secs(20))
        .start()
        .unwrap()
}

fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new("orders", partition)
}

fn builder(cluster: &MockCluster, protocol: GroupProtocol) -> ConsumerBuilder {
    let builder = KafkaConsumer::builder()
        .bootstrap_servers(cluster.bootstrap_servers())
        .group_id("g")
        .group_protocol(protocol)
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .retry_backoff(Duration::from_millis(10))
        .reconnect_backoff(Duration::from_millis(10))
        .reconnect_backoff_max(Duration::from_millis(100));
    match protocol {
        GroupProtocol::Classic => {
            builder.heartbeat_interval(Duration::from_millis(50)).session_timeout(Duration::from_secs(20))
        }
        _ => builder,
    }
}

fn fill(cluster: &MockCluster, count: u32) {
    for partition in 0..2 {
        cluster
            .append("orders", partition, (0..count).map(|number| (String::new(), number.to_string())))
            .unwrap();
    }
}

#[track_caller]
fn poll_until(consumer: &mut KafkaConsumer, mut done: impl FnMut(&KafkaConsumer) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done(consumer) {
        assert!(Instant::now() < deadline, "{consumer:?}");
        consumer.poll(SHORT).unwrap();
    }
}

/// What is the matter when a consumer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    /// The brokers take requests, and answer none of them.
    NeverAnswer,
    StopReading,
    AreGone,
    TopicDeleted,
    /// A commit is under way, and is not answered.
    CommitHangs,
    /// The coordinator keeps the member waiting for others, or for its first partitions.
    JoinHangs,
    /// The same, of one that was a member before.
    MidRebalance,
    /// What was fetched fills the memory, and nobody takes it.
    BufferFull,
    NothingListens,
    TakesConnectionsOnly,
}

const TROUBLES: [Trouble; 11] = [
    Trouble::None,
    Trouble::NeverAnswer,
    Trouble::StopReading,
    Trouble::AreGone,
    Trouble::TopicDeleted,
    Trouble::CommitHangs,
    Trouble::JoinHangs,
    Trouble::MidRebalance,
    Trouble::BufferFull,
    Trouble::NothingListens,
    Trouble::TakesConnectionsOnly,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Close,
    Leave,
    Remain,
    Drop,
}

const ENDINGS: [Ending; 4] = [Ending::Close, Ending::Leave, Ending::Remain, Ending::Drop];

impl Trouble {
    /// Whether the brokers are as well as ever.
    fn is_harmless(self) -> bool {
        matches!(self, Self::None | Self::BufferFull)
    }

    fn before_the_first_poll(self, cluster: &MockCluster) {
        if self == Self::JoinHangs {
            for api in [ApiKey::JOIN_GROUP, ApiKey::CONSUMER_GROUP_HEARTBEAT] {
                cluster.on(api).always().never_answer();
            }
        }
    }

    fn begin(self, cluster: &MockCluster, consumer: &mut KafkaConsumer) {
        match self {
            Self::NeverAnswer => drop(cluster.on(None).always().never_answer()),
            Self::StopReading => (1..=3).for_each(|broker| cluster.stop_reading(broker).unwrap()),
            Self::AreGone => (1..=3).for_each(|broker| cluster.kill(broker).unwrap()),
            Self::TopicDeleted => cluster.delete_topic("orders").unwrap(),
            Self::CommitHangs => {
                let fault = cluster.on(ApiKey::OFFSET_COMMIT).always().never_answer();
                consumer.commit_async().unwrap();
                assert!(cluster.wait_for(PATIENCE, |_| fault.hits() > 0));
            }
            Self::MidRebalance => {
                let joins = cluster.on(ApiKey::JOIN_GROUP).always().never_answer();
                let beats = cluster.on(ApiKey::CONSUMER_GROUP_HEARTBEAT).always().never_answer();
                cluster.rebalance("g");
                let deadline = Instant::now() + PATIENCE;
                while joins.hits() + beats.hits() == 0 {
                    assert!(Instant::now() < deadline);
                    consumer.poll(SHORT).unwrap();
                }
            }
            Self::None
            | Self::JoinHangs
            | Self::BufferFull
            | Self::NothingListens
            | Self::TakesConnectionsOnly => {}
        }
    }
}

/// One life of a consumer that ends in trouble.
fn end_in_trouble(trouble: Trouble, protocol: GroupProtocol, ending: Ending) {
    let what = format!("{ending:?} of a {protocol:?} member whose trouble is {trouble:?}");
    let bound = if trouble.is_harmless() { PATIENCE } else { Duration::from_millis(100) };
    let cluster = cluster();
    fill(&cluster, 100);
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = mute.local_addr().unwrap().to_string();
    let name = if protocol == GroupProtocol::Classic { "endc" } else { "endm" };
    let mut builder =
        builder(&cluster, protocol).client_id(name).drop_timeout(bound).max_poll_records(10_usize);
    let unreachable = match trouble {
        Trouble::NothingListens => {
            drop(mute);
            true
        }
        Trouble::TakesConnectionsOnly => true,
        _ => false,
    };
    if unreachable {
        builder = builder.bootstrap_servers(address.as_str());
    }
    if trouble == Trouble::BufferFull {
        builder = builder.buffer_memory(100_usize).max_partition_fetch_bytes(100);
    }
    let mut consumer = builder.build().unwrap();
    trouble.before_the_first_poll(&cluster);
    consumer.subscribe(["orders"]).unwrap();
    if unreachable || trouble == Trouble::JoinHangs {
        let joining = || {
            cluster.request_count(ApiKey::JOIN_GROUP)
                + cluster.request_count(ApiKey::CONSUMER_GROUP_HEARTBEAT)
        };
        while {
            assert!(consumer.poll(SHORT).unwrap().is_empty());
            !unreachable && joining() == 0
        } {}
    } else {
        let deadline = Instant::now() + PATIENCE;
        while consumer.poll(SHORT).unwrap().is_empty() {
            assert!(Instant::now() < deadline, "{what}: no records");
        }
    }
    trouble.begin(&cluster, &mut consumer);
    let ended = within(bound, &what, || match ending {
        Ending::Close => Some(consumer.close(bound)),
        Ending::Leave => {
            let options = CloseOptions::new(bound).group_membership(GroupMembership::Leave);
            Some(consumer.close_with(options))
        }
        Ending::Remain => {
            let options = CloseOptions::new(bound).group_membership(GroupMembership::Remain);
            Some(consumer.close_with(options))
        }
        Ending::Drop => None,
    });
    if let Some(outcome) = ended {
        if trouble.is_harmless() {
            outcome.unwrap();
        } else if let Err(error) = outcome {
            let expected =
                [ErrorKind::Timeout, ErrorKind::Connection, ErrorKind::CommitFailed, ErrorKind::UnknownTopic];
            assert!(expected.contains(&error.kind()), "{what}: {:?}: {error}", error.kind());
        }
        within(Duration::ZERO, "what comes after", || {
            assert_eq!(consumer.poll(PATIENCE).unwrap_err().kind(), ErrorKind::Closed, "{what}");
            assert_eq!(consumer.commit().unwrap_err().kind(), ErrorKind::Closed, "{what}");
            assert_eq!(consumer.position(&tp(0)).unwrap_err().kind(), ErrorKind::Closed, "{what}");
            consumer.close(PATIENCE).unwrap();
        });
    }
    within(bound, &what, || drop(consumer));
    if trouble.is_harmless() {
        let stays = usize::from(ending == Ending::Remain);
        assert_eq!(cluster.group_members("g").len(), stays, "{what}");
        let committed = (0..2).any(|partition| cluster.committed("g", "orders", partition).is_some());
        assert_eq!(committed, ending != Ending::Drop, "{what}");
    }
}

fn ends_in_time(protocol: GroupProtocol, thread: &str) {
    // The long form: KAVKA_SOAK_ROUNDS=12, a thousand ends with both protocols.
    let rounds = std::env::var("KAVKA_SOAK_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1);
    for _ in 0..rounds {
        for trouble in TROUBLES {
            for ending in ENDINGS {
                end_in_trouble(trouble, protocol, ending);
            }
        }
    }
    wait_for_no_threads(thread);
}

#[test]
fn no_trouble_keeps_a_classic_member_from_ending_in_time() {
    ends_in_time(GroupProtocol::Classic, "kavka-io-endc");
}

#[test]
fn no_trouble_keeps_a_member_of_the_new_protocol_from_ending_in_time() {
    ends_in_time(GroupProtocol::Consumer, "kavka-io-endm");
}

#[cfg(feature = "rustls")]
#[test]
fn a_tls_handshake_that_hangs_keeps_no_consumer_from_ending() {
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    for closes in [true, false] {
        let bound = Duration::from_millis(100);
        let mut consumer = KafkaConsumer::builder()
            .bootstrap_servers(mute.local_addr().unwrap().to_string())
            .security_protocol(kavka::config::SecurityProtocol::Ssl)
            .group_id("g")
            .client_id("endt")
            .drop_timeout(bound)
            .build()
            .unwrap();
        consumer.subscribe(["orders"]).unwrap();
        consumer.poll(SHORT).unwrap();
        if closes {
            within(bound, "the close", || consumer.close(bound)).unwrap();
        }
        within(bound, "the drop", || drop(consumer));
    }
    wait_for_no_threads("kavka-io-endt");
}

/// Says what it was told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<&'static str>>>);

impl Told {
    fn add(&self, what: &'static str) -> Result<()> {
        self.0.lock().unwrap().push(what);
        Ok(())
    }

    fn is(&self, expected: &[&str]) -> bool {
        *self.0.lock().unwrap() == expected
    }
}

impl ConsumerRebalanceListener for Told {
    fn on_partitions_revoked(&mut self, _: &mut RebalanceContext<'_>, _: &[TopicPartition]) -> Result<()> {
        self.add("revoked")
    }

    fn on_partitions_assigned(&mut self, _: &mut RebalanceContext<'_>, _: &[TopicPartition]) -> Result<()> {
        self.add("assigned")
    }

    fn on_partitions_lost(&mut self, _: &mut RebalanceContext<'_>, _: &[TopicPartition]) -> Result<()> {
        self.add("lost")
    }
}

/// When a request of a member has no answer for so long, its connection is closed.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(1);
/// And from then on the next node is to be used within this time.
const RECOVERY: Duration = Duration::from_secs(3);

/// The coordinator freezes, its connections open, and another broker takes its place.
fn freeze_coordinator(cluster: &MockCluster) {
    let old = cluster.coordinator("g").unwrap();
    cluster.stop_reading(old).unwrap();
    cluster.move_coordinator("g", 1 + old % 3).unwrap();
}

#[test]
fn a_coordinator_that_freezes_holds_no_member_that_joins() {
    let held = [
        (GroupProtocol::Classic, ApiKey::JOIN_GROUP),
        (GroupProtocol::Classic, ApiKey::SYNC_GROUP),
        (GroupProtocol::Consumer, ApiKey::CONSUMER_GROUP_HEARTBEAT),
    ];
    for (protocol, api) in held {
        let cluster = cluster();
        // The answer of the one that freezes never comes.
        let fault = cluster.on(api).broker(cluster.coordinator("g").unwrap()).always().never_answer();
        let mut consumer = builder(&cluster, protocol).request_timeout(REQUEST_TIMEOUT).build().unwrap();
        consumer.subscribe(["orders"]).unwrap();
        poll_until(&mut consumer, |_| fault.hits() > 0);
        freeze_coordinator(&cluster);
        within(RECOVERY, &format!("joining by {api:?}"), || {
            poll_until(&mut consumer, |consumer| !consumer.assignment().is_empty());
        });
        consumer.close(PATIENCE).unwrap();
    }
}

#[test]
fn a_coordinator_that_moved_unseen_holds_no_member_that_joins() {
    let cluster = cluster();
    let old = cluster.coordinator("g").unwrap();
    let fault = cluster.on(ApiKey::JOIN_GROUP).broker(old).always().never_answer();
    // It answers everything else, and requests may take their time.
    let mut consumer = builder(&cluster, GroupProtocol::Classic).build().unwrap();
    consumer.subscribe(["orders"]).unwrap();
    poll_until(&mut consumer, |_| fault.hits() > 0);
    cluster.move_coordinator("g", 1 + old % 3).unwrap();
    within(Duration::from_secs(2), "joining elsewhere", || {
        poll_until(&mut consumer, |consumer| !consumer.assignment().is_empty());
    });
}

#[test]
fn a_coordinator_that_lives_may_keep_a_member_waiting() {
    let cluster = cluster();
    let mut consumer =
        builder(&cluster, GroupProtocol::Classic).request_timeout(REQUEST_TIMEOUT).build().unwrap();
    cluster.on(ApiKey::JOIN_GROUP).nth(2..=2).delay(REQUEST_TIMEOUT * 2);
    consumer.subscribe(["orders"]).unwrap();
    poll_until(&mut consumer, |consumer| !consumer.assignment().is_empty());
    // One that was told its id, and one that waited.
    assert_eq!(cluster.request_count(ApiKey::JOIN_GROUP), 2);
    assert!(cluster.request_count(ApiKey::FIND_COORDINATOR) > 2, "it was asked for meanwhile");
}

#[test]
fn a_coordinator_that_freezes_costs_a_member_nothing_but_time() {
    for protocol in PROTOCOLS {
        let cluster = cluster();
        fill(&cluster, 5);
        let mut consumer = builder(&cluster, protocol)
            .request_timeout(REQUEST_TIMEOUT)
            .enable_auto_commit(false)
            .build()
            .unwrap();
        let told = Told::default();
        consumer.subscribe_with_listener(["orders"], told.clone()).unwrap();
        let mut read = 0;
        let deadline = Instant::now() + PATIENCE;
        while read < 10 {
            assert!(Instant::now() < deadline);
            read += consumer.poll(SHORT).unwrap().len();
        }
        let id = consumer.group_metadata().member_id;

        // In the heartbeat.
        freeze_coordinator(&cluster);
        cluster.clear_requests();
        let next = cluster.coordinator("g").unwrap();
        let api = match protocol {
            GroupProtocol::Classic => ApiKey::HEARTBEAT,
            _ => ApiKey::CONSUMER_GROUP_HEARTBEAT,
        };
        let beats = |cluster: &MockCluster| {
            cluster.requests_of(api).iter().filter(|request| request.broker == next).count()
        };
        within(RECOVERY, "the next heartbeat", || {
            poll_until(&mut consumer, |_| beats(&cluster) > 0);
        });
        cluster.clear_faults();

        // In a commit, and in a look at what is committed.
        freeze_coordinator(&cluster);
        within(RECOVERY, "a commit", || consumer.commit()).unwrap();
        assert_eq!(cluster.committed("g", "orders", 1), Some(5));
        cluster.clear_faults();
        freeze_coordinator(&cluster);
        let committed = within(RECOVERY, "a look", || consumer.committed(&tp(0))).unwrap();
        assert_eq!(committed.map(|committed| committed.offset), Some(5));
        cluster.clear_faults();
        assert_eq!(consumer.group_metadata().member_id, id);
        assert!(told.is(&["assigned"]), "{told:?}", told = told.0);
    }
}

#[test]
fn a_leader_that_freezes_gives_way_to_the_next_within_a_request() {
    let cluster = cluster();
    let mut consumer = KafkaConsumer::builder()
        .bootstrap_servers(cluster.bootstrap_servers())
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .request_timeout(REQUEST_TIMEOUT)
        .build()
        .unwrap();
    consumer.assign([tp(0)]).unwrap();
    fill(&cluster, 1);
    assert_eq!(consumer.poll(PATIENCE).unwrap().len(), 1);
    let old = cluster.leader("orders", 0).unwrap();
    cluster.stop_reading(old).unwrap();
    cluster.move_leader("orders", 0, 1 + old % 3).unwrap();
    fill(&cluster, 1);
    let records = within(RECOVERY, "the next record", || consumer.poll(PATIENCE)).unwrap();
    assert_eq!(records.iter().next().unwrap().offset(), 1);
}

#[test]
fn callers_of_all_kinds_do_not_lock_the_consumer_out() {
    // The long form: KAVKA_SOAK_ROUNDS=1000.
    let rounds = std::env::var("KAVKA_SOAK_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(5);
    for round in 0..rounds {
        for protocol in PROTOCOLS {
            let cluster = cluster();
            fill(&cluster, 20);
            let mut consumer = builder(&cluster, protocol)
                .request_timeout(Duration::from_millis(300))
                .fetch_max_wait(Duration::from_millis(100))
                .default_api_timeout(Duration::from_millis(600))
                .build()
                .unwrap();
            consumer.subscribe(["orders"]).unwrap();
            poll_until(&mut consumer, |consumer| !consumer.assignment().is_empty());
            let waker = consumer.waker();
            within(PATIENCE, "the round", || {
                thread::scope(|scope| {
                    scope.spawn(|| {
                        (0..round * 200).for_each(|_| thread::yield_now());
                        freeze_coordinator(&cluster);
                        cluster.rebalance("g");
                    });
                    scope.spawn(|| {
                        for _ in 0..20 {
                            waker.wake();
                            thread::yield_now();
                        }
                    });
                    for _ in 0..3 {
                        // Each may fail in its own way, and has to come back.
                        let _ = consumer.commit_async();
                        let _ = consumer.poll(SHORT);
                        let _ = consumer.commit();
                        let _ = consumer.committed(&tp(0));
                    }
                    let _ = within(Duration::from_millis(300), "the close", || {
                        consumer.close(Duration::from_millis(300))
                    });
                });
            });
        }
    }
}

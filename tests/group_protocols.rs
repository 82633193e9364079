//! Both group protocols against the mock cluster: cooperative rebalances, KIP-848, patterns, listeners.
#![allow(clippy::disallowed_methods, reason = "a test is not part of the client")]

#[path = "group_protocols/choices.rs"]
mod choices;
#[path = "group_protocols/crossings.rs"]
mod crossings;
#[path = "group_protocols/crowds.rs"]
mod crowds;
#[path = "group_protocols/handover.rs"]
mod handover;
#[path = "group_protocols/patience.rs"]
mod patience;
#[path = "group_protocols/states.rs"]
mod states;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kavka::config::{
    Assignor, AutoOffsetReset, GroupAssignment, GroupMember, GroupProtocol, GroupTopics, PartitionAssignor,
};
use kavka::consumer::{
    AsyncConsumerRebalanceListener, AsyncRebalanceContext, CloseOptions, ConsumerBuilder,
    ConsumerRebalanceListener, GroupMembership, RebalanceContext, Subscription,
};
use kavka::mock::{GroupState, MockCluster, VersionTable};
use kavka::protocol::ApiKey;
use kavka::protocol::messages::{ConsumerGroupHeartbeatRequest, JoinGroupRequest, LeaveGroupRequest};
use kavka::{Error, ErrorCode, ErrorKind, KafkaAdminClient, KafkaConsumer, Result, TopicPartition};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(20);

fn cluster(partitions: i32) -> MockCluster {
    MockCluster::builder()
        .brokers(3)
        .topic("t", partitions)
        .auto_create_topics(false)
        .consumer_group_timeouts(Duration::from_millis(40), Duration::from_secs(5))
        .start()
        .unwrap()
}

fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

fn options(cluster: &MockCluster) -> ConsumerBuilder {
    KafkaConsumer::builder()
        .bootstrap_servers(cluster.bootstrap_servers())
        .group_id("g")
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .retry_backoff(Duration::from_millis(10))
        .reconnect_backoff(Duration::from_millis(10))
        .reconnect_backoff_max(Duration::from_millis(100))
        .metadata_max_age(Duration::from_millis(200))
}

/// A member of the new protocol.
fn modern(cluster: &MockCluster) -> ConsumerBuilder {
    options(cluster).group_protocol(GroupProtocol::Consumer)
}

/// A member of the classic one.
fn classic(cluster: &MockCluster, assignor: Assignor) -> ConsumerBuilder {
    options(cluster)
        .heartbeat_interval(Duration::from_millis(50))
        .session_timeout(Duration::from_secs(5))
        .partition_assignment_strategy([assignor])
}

/// A member of a group of each kind: eager, cooperative, and of the new protocol.
const KINDS: [fn(&MockCluster) -> ConsumerBuilder; 3] = [
    |cluster| classic(cluster, Assignor::Range).group_id("eager"),
    |cluster| classic(cluster, Assignor::CooperativeSticky).group_id("cooperative"),
    |cluster| modern(cluster).group_id("modern"),
];

fn subscribed(builder: ConsumerBuilder) -> KafkaConsumer {
    let mut consumer = builder.build().unwrap();
    consumer.subscribe(["t"]).unwrap();
    consumer
}

fn with_log(builder: ConsumerBuilder) -> (KafkaConsumer, Log) {
    let (mut consumer, log) = (builder.build().unwrap(), Log::default());
    consumer.subscribe_with_listener(["t"], log.clone()).unwrap();
    (consumer, log)
}

fn fill(cluster: &MockCluster, topic: &str, partition: i32, count: u32) {
    cluster.append(topic, partition, (0..count).map(|number| (String::new(), number.to_string()))).unwrap();
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

fn has(consumer: &mut KafkaConsumer, count: usize) {
    poll_until(&mut [consumer], |all| counts(all) == [count]);
}

/// Polls until an error comes.
fn error_of(consumer: &mut KafkaConsumer) -> Error {
    let deadline = Instant::now() + LONG;
    loop {
        match consumer.poll(SHORT) {
            Ok(_) => assert!(Instant::now() < deadline, "no error: {consumer:?}"),
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

    /// Without the rebalances that brought nothing.
    fn news(&self) -> Vec<String> {
        self.take().into_iter().filter(|entry| !entry.ends_with("[]")).collect()
    }

    fn has(&self, what: &str) -> bool {
        self.0.lock().unwrap().iter().any(|entry| entry.starts_with(what))
    }

    fn add(&self, what: &str, partitions: &[TopicPartition]) -> Result<()> {
        self.0.lock().unwrap().push(format!("{what} {partitions:?}"));
        Ok(())
    }
}

impl ConsumerRebalanceListener for Log {
    fn on_partitions_revoked(&mut self, _: &mut RebalanceContext<'_>, gone: &[TopicPartition]) -> Result<()> {
        self.add("revoked", gone)
    }

    fn on_partitions_assigned(&mut self, _: &mut RebalanceContext<'_>, new: &[TopicPartition]) -> Result<()> {
        self.add("assigned", new)
    }

    fn on_partitions_lost(&mut self, _: &mut RebalanceContext<'_>, lost: &[TopicPartition]) -> Result<()> {
        self.add("lost", lost)
    }
}

fn shown(what: &str, partitions: impl IntoIterator<Item = TopicPartition>) -> String {
    format!("{what} {:?}", partitions.into_iter().collect::<Vec<_>>())
}

/// What one side gave up, the other one got, and nobody was told of the rest.
fn only_the_difference_moves(start: impl Fn() -> ConsumerBuilder) {
    let (mut first, log) = with_log(start());
    has(&mut first, 4);
    assert_eq!(log.news(), [shown("assigned", (0..4).map(tp))]);
    let (mut second, other) = with_log(start());
    poll_until(&mut [&mut first, &mut second], |all| counts(all) == [2, 2]);
    let kept = first.assignment();
    let moved: Vec<TopicPartition> = (0..4).map(tp).filter(|tp| !kept.contains(tp)).collect();
    assert_eq!(log.news(), [shown("revoked", moved.clone())]);
    assert_eq!(other.news(), [shown("assigned", moved.clone())]);
    assert_eq!(second.assignment(), moved);
    second.close(LONG).unwrap();
    assert_eq!(other.news(), [shown("revoked", moved.clone())]);
    has(&mut first, 4);
    assert_eq!(log.news(), [shown("assigned", moved)]);
    first.close(LONG).unwrap();
}

#[test]
fn cooperative_members_keep_what_stays() {
    let cluster = cluster(4);
    only_the_difference_moves(|| classic(&cluster, Assignor::CooperativeSticky));
}

#[test]
fn members_of_the_new_protocol_keep_what_stays() {
    let cluster = cluster(4);
    only_the_difference_moves(|| modern(&cluster));
    assert!(cluster.group_members("g").is_empty());
    assert_eq!(cluster.request_count(ApiKey::JOIN_GROUP), 0);
}

#[test]
fn sticky_members_get_back_what_they_had() {
    let cluster = cluster(6);
    let start = || subscribed(classic(&cluster, Assignor::Sticky));
    let (mut first, mut second) = (start(), start());
    poll_until(&mut [&mut first, &mut second], |all| counts(all) == [3, 3]);
    let before: BTreeSet<_> = first.assignment().into_iter().collect();
    let mut third = start();
    poll_until(&mut [&mut first, &mut second, &mut third], |all| counts(all) == [2, 2, 2]);
    assert!(first.assignment().iter().all(|tp| before.contains(tp)));
}

#[test]
fn a_cooperative_member_that_was_thrown_out_has_lost_everything() {
    let cluster = cluster(2);
    let (mut consumer, log) = with_log(classic(&cluster, Assignor::CooperativeSticky));
    has(&mut consumer, 2);
    let id = consumer.group_metadata().member_id;
    assert!(cluster.evict_member("g", &id));
    poll_until(&mut [&mut consumer], |all| log.has("lost") && counts(all) == [2]);
    let all = [tp(0), tp(1)];
    assert_eq!(
        log.news(),
        [shown("assigned", all.clone()), shown("lost", all.clone()), shown("assigned", all)]
    );

    // While it joins again, too: the coordinator knows nothing of what it says that it has.
    cluster.on(ApiKey::JOIN_GROUP).error(ErrorCode::UNKNOWN_MEMBER_ID);
    consumer.enforce_rebalance("a test").unwrap();
    poll_until(&mut [&mut consumer], |all| log.has("lost") && counts(all) == [2]);
}

#[test]
fn groups_go_from_eager_to_cooperative_by_two_restarts() {
    let cluster = cluster(4);
    let upgraded = || {
        options(&cluster)
            .heartbeat_interval(Duration::from_millis(50))
            .partition_assignment_strategy([Assignor::CooperativeSticky, Assignor::Range])
    };
    let mut old = subscribed(classic(&cluster, Assignor::Range));
    let (mut between, log) = with_log(upgraded());
    poll_until(&mut [&mut old, &mut between], |all| counts(all) == [2, 2]);
    old.close(LONG).unwrap();
    has(&mut between, 4);
    assert!(log.has("revoked"), "eager as long as one may be");
    let mut new = subscribed(classic(&cluster, Assignor::CooperativeSticky));
    poll_until(&mut [&mut between, &mut new], |all| counts(all) == [2, 2]);
    between.close(LONG).unwrap();
    has(&mut new, 4);
}

struct Reasonable;

impl PartitionAssignor for Reasonable {
    fn name(&self) -> &str {
        "reasonable"
    }

    fn user_data(
        &self,
        topics: &[String],
        _: Option<&kavka::config::LastAssignment>,
    ) -> Option<bytes::Bytes> {
        Some(topics.concat().into())
    }

    fn assign(&self, members: &[GroupMember], topics: &GroupTopics) -> GroupAssignment {
        assert!(members.len() == 1, "two are one too many");
        assert_eq!(members[0].user_data.as_deref(), Some(&b"t"[..]));
        let all = (0..topics["t"].partitions.len() as i32).map(tp);
        GroupAssignment::from([(members[0].id.clone(), all.collect())])
    }
}

#[test]
fn the_programs_own_assignor_runs_and_its_panic_is_an_error() {
    let cluster = cluster(3);
    let start = || subscribed(classic(&cluster, Assignor::custom(Reasonable)));
    let mut first = start();
    has(&mut first, 3);
    let mut second = start();
    let deadline = Instant::now() + LONG;
    let error = loop {
        assert!(Instant::now() < deadline);
        let outcomes = [first.poll(SHORT), second.poll(SHORT)];
        if let Some(error) = outcomes.into_iter().find_map(|outcome| outcome.err()) {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::Panic);
    assert!(error.to_string().contains("the assignor reasonable panicked: two are one too many"), "{error}");
}

#[test]
fn the_program_can_ask_for_a_rebalance_and_say_why() {
    let cluster = cluster(2);
    let mut consumer = subscribed(classic(&cluster, Assignor::Range));
    assert_eq!(consumer.poll(SHORT).map(|records| records.len()).unwrap_or(0), 0);
    has(&mut consumer, 2);
    let generation = cluster.group_generation("g");
    consumer.enforce_rebalance("the assignor knows more now").unwrap();
    poll_until(&mut [&mut consumer], |all| cluster.group_generation("g") > generation && counts(all) == [2]);
    let joins = cluster.requests_of(ApiKey::JOIN_GROUP).into_iter();
    let reasons: Vec<String> =
        joins.filter_map(|join| join.decode::<JoinGroupRequest>().and_then(|join| join.reason)).collect();
    assert!(reasons.iter().any(|reason| reason == "the assignor knows more now"), "{reasons:?}");
    consumer.close(LONG).unwrap();
    let leave = cluster.requests_of(ApiKey::LEAVE_GROUP)[0].decode::<LeaveGroupRequest>().unwrap();
    assert_eq!(leave.members[0].reason.as_deref(), Some("the consumer was closed"));

    let mut modern = subscribed(modern(&cluster).group_id("h"));
    assert_eq!(modern.enforce_rebalance("").unwrap_err().kind(), ErrorKind::IllegalState);
    modern.unsubscribe().unwrap();
}

#[test]
fn heartbeats_say_only_what_is_new_and_everything_after_trouble() {
    let cluster = cluster(2);
    let mut consumer = subscribed(modern(&cluster).group_remote_assignor("range").client_rack("r1"));
    has(&mut consumer, 2);
    let id = consumer.group_metadata().member_id;
    assert_eq!(cluster.group_members("g"), std::slice::from_ref(&id));
    assert_eq!(cluster.group_state("g"), Some(GroupState::Stable));
    assert_eq!(consumer.group_metadata().generation_id, cluster.group_generation("g"));
    let beats = || -> Vec<ConsumerGroupHeartbeatRequest> {
        let requests = cluster.requests_of(ApiKey::CONSUMER_GROUP_HEARTBEAT);
        requests.iter().map(|request| request.decode().unwrap()).collect()
    };
    let is_full = |beat: &ConsumerGroupHeartbeatRequest| {
        beat.rebalance_timeout_ms > 0
            && beat.subscribed_topic_names.is_some()
            && beat.server_assignor.as_deref() == Some("range")
            && beat.rack_id.as_deref() == Some("r1")
            && beat.topic_partitions.is_some()
    };
    let is_empty = |beat: &ConsumerGroupHeartbeatRequest| {
        beat.rebalance_timeout_ms < 0
            && beat.subscribed_topic_names.is_none()
            && beat.server_assignor.is_none()
            && beat.rack_id.is_none()
            && beat.topic_partitions.is_none()
    };
    assert!(is_full(&beats()[0]) && beats()[0].member_epoch == 0 && beats()[0].member_id == id);
    assert!(cluster.wait_for(LONG, |_| beats().last().is_some_and(is_empty)));
    cluster.clear_requests();
    cluster.on(ApiKey::CONSUMER_GROUP_HEARTBEAT).drop_before();
    assert!(cluster.wait_for(LONG, |_| beats().iter().any(|beat| is_full(beat) && beat.member_epoch > 0)));
    has(&mut consumer, 2);
    assert_eq!(consumer.group_metadata().member_id, id, "still the same member");
}

#[test]
fn each_error_of_a_heartbeat_has_its_consequence() {
    let cluster = cluster(2);
    let api = ApiKey::CONSUMER_GROUP_HEARTBEAT;
    let (mut consumer, log) = with_log(modern(&cluster));
    has(&mut consumer, 2);
    let all = [tp(0), tp(1)];
    assert_eq!(log.news(), [shown("assigned", all.clone())]);

    // What passes by is nobody's business.
    for code in [
        ErrorCode::NOT_COORDINATOR,
        ErrorCode::COORDINATOR_NOT_AVAILABLE,
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
    ] {
        let fault = cluster.on(api).error(code);
        poll_until(&mut [&mut consumer], |_| fault.hits() == 1);
        cluster.clear_requests();
        poll_until(&mut [&mut consumer], |_| cluster.request_count(api) >= 2);
        assert_eq!((counts(&[&mut consumer])[0], log.news().len()), (2, 0), "{code}");
    }

    // The coordinator has no member of this epoch: all is lost, and it joins anew.
    for code in [ErrorCode::FENCED_MEMBER_EPOCH, ErrorCode::UNKNOWN_MEMBER_ID, ErrorCode::GROUP_ID_NOT_FOUND]
    {
        cluster.on(api).error(code);
        poll_until(&mut [&mut consumer], |all| log.has("assigned [t") && counts(all) == [2]);
        assert_eq!(log.news(), [shown("lost", all.clone()), shown("assigned", all.clone())], "{code}");
    }

    // What the program has to know, once each; it goes on if the program does.
    for code in [
        ErrorCode::GROUP_AUTHORIZATION_FAILED,
        ErrorCode::TOPIC_AUTHORIZATION_FAILED,
        ErrorCode::UNSUPPORTED_ASSIGNOR,
        ErrorCode::INVALID_REGULAR_EXPRESSION,
        ErrorCode::GROUP_MAX_SIZE_REACHED,
        ErrorCode::INVALID_REQUEST,
        ErrorCode::UNSUPPORTED_VERSION,
    ] {
        cluster.on(api).error(code);
        let error = error_of(&mut consumer);
        assert_eq!(error.code(), Some(code), "{error}");
        consumer.poll(SHORT).unwrap();
        has(&mut consumer, 2);
    }
    consumer.close(LONG).unwrap();
}

#[test]
fn errors_of_joining_come_from_poll() {
    let cluster = cluster(2);
    let refused = |builder: ConsumerBuilder| error_of(&mut subscribed(builder)).code();
    let unsupported = modern(&cluster).group_remote_assignor("best");
    assert_eq!(refused(unsupported), Some(ErrorCode::UNSUPPORTED_ASSIGNOR));
    let mut pattern = modern(&cluster).build().unwrap();
    pattern.subscribe_to(Subscription::remote_pattern("t(")).unwrap();
    assert_eq!(error_of(&mut pattern).code(), Some(ErrorCode::INVALID_REGULAR_EXPRESSION));

    for broker in 1..4 {
        cluster.set_versions(broker, VersionTable::kafka_3_9()).unwrap();
        cluster.disconnect(broker).unwrap();
    }
    let error = error_of(&mut subscribed(modern(&cluster)));
    assert_eq!(error.kind(), ErrorKind::UnsupportedVersion);
    assert!(error.to_string().contains("group.protocol=classic works"), "{error}");

    let small = MockCluster::builder().topic("t", 2).consumer_group_max_size(1).start().unwrap();
    let mut first = subscribed(modern(&small));
    has(&mut first, 2);
    assert_eq!(refused(modern(&small)), Some(ErrorCode::GROUP_MAX_SIZE_REACHED));
}

#[test]
fn commits_of_a_member_follow_its_epoch() {
    let cluster = cluster(2);
    let mut consumer = subscribed(modern(&cluster).enable_auto_commit(false));
    has(&mut consumer, 2);
    // By another epoch than the one the member was told last.
    cluster.on(ApiKey::OFFSET_COMMIT).nth(1..=2).error(ErrorCode::STALE_MEMBER_EPOCH);
    consumer.commit_offsets([(tp(0), 7)]).unwrap();
    assert_eq!(cluster.committed("g", "t", 0), Some(7));
    cluster.on(ApiKey::OFFSET_FETCH).nth(1..=1).error(ErrorCode::STALE_MEMBER_EPOCH);
    assert_eq!(consumer.committed(&tp(0)).unwrap().map(|committed| committed.offset), Some(7));
    // The epoch goes up while the member stays where it is.
    let epoch = consumer.group_metadata().generation_id;
    cluster.rebalance("g");
    assert!(cluster.wait_for(LONG, |_| consumer.group_metadata().generation_id > epoch));
    consumer.commit_offsets([(tp(0), 8)]).unwrap();
    assert_eq!(cluster.committed("g", "t", 0), Some(8));
    cluster.on(ApiKey::OFFSET_COMMIT).error(ErrorCode::UNKNOWN_MEMBER_ID);
    let error = consumer.commit_offsets([(tp(0), 9)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CommitFailed);
    consumer.poll(SHORT).unwrap();
    has(&mut consumer, 2);
    consumer.commit_offsets([(tp(0), 9)]).unwrap();
    assert_eq!(cluster.committed("g", "t", 0), Some(9));
}

#[test]
fn a_partition_is_handed_on_only_after_the_listener_has_seen_it_off() {
    struct Slow(Arc<Mutex<Option<KafkaConsumer>>>);

    impl ConsumerRebalanceListener for Slow {
        fn on_partitions_revoked(
            &mut self,
            consumer: &mut RebalanceContext<'_>,
            gone: &[TopicPartition],
        ) -> Result<()> {
            let mut other = self.0.lock().unwrap();
            if let Some(other) = other.as_mut() {
                for _ in 0..10 {
                    other.poll(SHORT)?;
                    assert!(other.assignment().is_empty(), "{gone:?} are not given up yet");
                }
            }
            consumer.commit_offsets(gone.iter().map(|tp| (tp.clone(), 5)))
        }

        fn on_partitions_assigned(
            &mut self,
            _: &mut RebalanceContext<'_>,
            _: &[TopicPartition],
        ) -> Result<()> {
            Ok(())
        }
    }

    let cluster = cluster(2);
    for partition in 0..2 {
        fill(&cluster, "t", partition, 10);
    }
    let other = Arc::new(Mutex::new(None));
    let mut first = modern(&cluster).enable_auto_commit(false).build().unwrap();
    first.subscribe_with_listener(["t"], Slow(Arc::clone(&other))).unwrap();
    has(&mut first, 2);
    let mut second = subscribed(modern(&cluster));
    while cluster.group_members("g").len() < 2 {
        second.poll(SHORT).unwrap();
    }
    *other.lock().unwrap() = Some(second);
    has(&mut first, 1);
    let mut second = other.lock().unwrap().take().unwrap();
    let record = loop {
        if let Some(record) = second.poll(LONG).unwrap().into_iter().next() {
            break record;
        }
    };
    assert_eq!(record.offset(), 5, "it goes on where the first one has committed");
}

#[test]
fn a_static_member_of_the_new_protocol_keeps_its_seat() {
    let cluster = cluster(2);
    let fixed = || subscribed(modern(&cluster).group_instance_id("seat"));
    let mut first = fixed();
    has(&mut first, 2);
    let epoch = cluster.group_generation("g");
    first.close(LONG).unwrap();
    assert_eq!(cluster.group_members("g").len(), 1, "it will be back");
    let mut again = fixed();
    has(&mut again, 2);
    assert_eq!(cluster.group_generation("g"), epoch, "no rebalance");

    // Another one waits until the seat is free.
    let mut other = fixed();
    cluster.clear_requests();
    poll_until(&mut [&mut again, &mut other], |_| {
        cluster.request_count(ApiKey::CONSUMER_GROUP_HEARTBEAT) > 10
    });
    assert_eq!(counts(&[&mut again, &mut other]), [2, 0]);
    again.close(LONG).unwrap();
    has(&mut other, 2);
    other.close_with(CloseOptions::new(LONG).group_membership(GroupMembership::Leave)).unwrap();
    assert!(cluster.group_members("g").is_empty());
}

/// Its owner may yet leave, or its session end.
#[test]
fn a_seat_that_stays_taken_is_told_in_time() {
    let cluster = cluster(1);
    let fixed = || modern(&cluster).group_instance_id("seat");
    let mut first = subscribed(fixed());
    has(&mut first, 1);
    let patience = Duration::from_secs(1);
    let mut other = subscribed(fixed().request_timeout(patience).default_api_timeout(patience));
    for _ in 0..2 {
        let begin = Instant::now();
        let error = error_of(&mut other);
        assert!(begin.elapsed() >= patience, "{:?}", begin.elapsed());
        assert_eq!(error.code(), Some(ErrorCode::UNRELEASED_INSTANCE_ID));
        assert!(error.to_string().contains("group.instance.id"), "{error}");
    }
    first.poll(SHORT).unwrap();
    assert_eq!(first.assignment(), [tp(0)], "undisturbed");
    first.close(LONG).unwrap();
    has(&mut other, 1);
}

#[test]
fn a_fenced_static_member_says_so_with_every_call_and_leaves_the_seat_alone() {
    for modern_protocol in [false, true] {
        let cluster = cluster(1);
        let api = if modern_protocol { ApiKey::CONSUMER_GROUP_HEARTBEAT } else { ApiKey::HEARTBEAT };
        let builder = if modern_protocol { modern(&cluster) } else { classic(&cluster, Assignor::Range) };
        let (mut consumer, log) = with_log(builder.group_instance_id("seat"));
        has(&mut consumer, 1);
        cluster.on(api).error(ErrorCode::FENCED_INSTANCE_ID);
        let error = error_of(&mut consumer);
        assert_eq!((error.kind(), error.is_fatal()), (ErrorKind::FencedInstance, true));
        cluster.clear_requests();
        for _ in 0..3 {
            assert_eq!(consumer.poll(SHORT).unwrap_err().kind(), ErrorKind::FencedInstance);
        }
        assert_eq!(log.news(), [shown("assigned", [tp(0)]), shown("lost", [tp(0)])]);
        assert_eq!(cluster.request_count(ApiKey::JOIN_GROUP), 0);
        consumer.subscribe(["t"]).unwrap();
        has(&mut consumer, 1);
    }
}

#[test]
fn members_can_stay_when_their_consumer_is_closed() {
    let cluster = cluster(1);
    let remain = || CloseOptions::new(LONG).group_membership(GroupMembership::Remain);
    for (builder, group) in [(classic(&cluster, Assignor::Range), "c"), (modern(&cluster), "m")] {
        let mut consumer = subscribed(builder.group_id(group));
        has(&mut consumer, 1);
        consumer.close_with(remain()).unwrap();
        assert_eq!(cluster.group_members(group).len(), 1, "{group}");
    }
}

#[test]
fn a_slow_program_loses_its_seat_in_the_new_protocol_too() {
    let cluster = cluster(1);
    fill(&cluster, "t", 0, 3);
    let (mut consumer, log) = with_log(modern(&cluster).max_poll_interval(Duration::from_millis(300)));
    poll_until(&mut [&mut consumer], |all| counts(all) == [1]);
    consumer.poll(Duration::from_secs(1)).unwrap();
    assert_eq!(cluster.group_members("g").len(), 1, "waiting inside does not count");
    assert!(cluster.wait_for(LONG, |cluster| cluster.group_members("g").is_empty()));
    assert_eq!(error_of(&mut consumer).kind(), ErrorKind::MaxPollExceeded);
    poll_until(&mut [&mut consumer], |all| log.has("lost") && counts(all) == [1]);
    assert_eq!(log.news(), [shown("assigned", [tp(0)]), shown("lost", [tp(0)]), shown("assigned", [tp(0)])]);
}

#[test]
fn a_member_whose_heartbeats_fail_is_replaced_and_comes_back() {
    let cluster = MockCluster::builder()
        .topic("t", 2)
        .consumer_group_timeouts(Duration::from_millis(40), Duration::from_millis(500))
        .start()
        .unwrap();
    let mut first = subscribed(modern(&cluster));
    has(&mut first, 2);
    let id = first.group_metadata().member_id;
    cluster.on(ApiKey::CONSUMER_GROUP_HEARTBEAT).always().drop_before();
    assert!(cluster.wait_for(LONG, |cluster| cluster.group_members("g").is_empty()));
    cluster.clear_faults();
    let epoch = cluster.group_generation("g");
    poll_until(&mut [&mut first], |all| counts(all) == [2] && cluster.group_generation("g") > epoch);
    assert_eq!(cluster.group_members("g"), [id]);
}

#[test]
fn the_coordinator_moves_dies_and_comes_back_for_the_new_protocol() {
    let cluster = cluster(2);
    let (mut first, mut second) = (subscribed(modern(&cluster)), subscribed(modern(&cluster)));
    poll_until(&mut [&mut first, &mut second], |all| counts(all) == [1, 1]);
    for round in 0..3 {
        let old = cluster.coordinator("g").unwrap();
        match round {
            0 => cluster.move_coordinator("g", 1 + old % 3).unwrap(),
            1 => cluster.kill(old).unwrap(),
            _ => drop(cluster.on(None).times(10).error(ErrorCode::NOT_COORDINATOR)),
        }
        cluster.clear_requests();
        poll_until(&mut [&mut first, &mut second], |all| {
            counts(all) == [1, 1] && cluster.request_count(ApiKey::CONSUMER_GROUP_HEARTBEAT) > 4
        });
        first.commit().unwrap();
        second.commit().unwrap();
    }
}

#[test]
fn a_group_migrates_to_the_new_protocol_and_back_while_it_reads() {
    for assignor in [Assignor::Range, Assignor::CooperativeSticky] {
        let cluster = cluster(4);
        let mut old = subscribed(classic(&cluster, assignor.clone()));
        let mut other = subscribed(classic(&cluster, assignor));
        poll_until(&mut [&mut old, &mut other], |all| counts(all) == [2, 2]);
        let mut new = subscribed(modern(&cluster));
        poll_until(&mut [&mut old, &mut other, &mut new], |all| {
            let counts = counts(all);
            counts.iter().sum::<usize>() == 4 && counts.iter().all(|count| *count > 0)
        });
        let all: BTreeSet<TopicPartition> =
            [&old, &other, &new].iter().flat_map(|consumer| consumer.assignment()).collect();
        assert_eq!(all.len(), 4, "no partition twice");
        old.commit().unwrap();
        new.commit().unwrap();
        new.close(LONG).unwrap();
        poll_until(&mut [&mut old, &mut other], |all| counts(all) == [2, 2]);
        old.close(LONG).unwrap();
        has(&mut other, 4);
    }
}

#[test]
fn a_pattern_finds_topics_as_they_come_and_go() {
    for builder in [options as fn(&MockCluster) -> ConsumerBuilder, modern] {
        let cluster = MockCluster::builder()
            .topic("orders-eu", 2)
            .topic("other", 1)
            .topic("__internal", 1)
            .consumer_group_timeouts(Duration::from_millis(40), Duration::from_secs(5))
            .start()
            .unwrap();
        let mut consumer = builder(&cluster).build().unwrap();
        consumer.subscribe_pattern("orders-.+|__.*").unwrap();
        poll_until(&mut [&mut consumer], |all| all[0].assignment().len() >= 2);
        assert_eq!(
            consumer.subscription()[0],
            if consumer.subscription().len() == 2 { "__internal" } else { "orders-eu" }
        );
        let before = consumer.assignment().len();
        cluster.create_topic("orders-us", 1).unwrap();
        fill(&cluster, "orders-us", 0, 1);
        let deadline = Instant::now() + LONG;
        while !consumer.poll(SHORT).unwrap().into_iter().any(|record| record.topic() == "orders-us") {
            assert!(Instant::now() < deadline);
        }
        has(&mut consumer, before + 1);
        cluster.delete_topic("orders-us").unwrap();
        has(&mut consumer, before);
        assert_eq!(
            consumer.topics().unwrap().len(),
            cluster.topics().len(),
            "a look at all is no change of heart"
        );
        cluster.create_topic("orders-asia", 1).unwrap();
        has(&mut consumer, before + 1);
    }
}

#[test]
fn a_pattern_without_a_group_reads_everything_that_matches() {
    let cluster = MockCluster::builder().topic("a1", 1).topic("b1", 1).start().unwrap();
    let mut consumer = KafkaConsumer::builder()
        .bootstrap_servers(cluster.bootstrap_servers())
        .metadata_max_age(Duration::from_millis(100))
        .build()
        .unwrap();
    consumer.subscribe_pattern("a.").unwrap();
    has(&mut consumer, 1);
    cluster.create_topic("a2", 2).unwrap();
    has(&mut consumer, 3);
    assert_eq!(consumer.subscribe_pattern("a(").unwrap_err().kind(), ErrorKind::InvalidArgument);
    let error = consumer.subscribe_to(Subscription::remote_pattern("a.")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::IllegalState);
}

#[test]
fn the_coordinator_can_look_at_a_pattern() {
    let cluster = MockCluster::builder()
        .topic("orders-eu", 2)
        .topic("other", 1)
        .consumer_group_timeouts(Duration::from_millis(40), Duration::from_secs(5))
        .start()
        .unwrap();
    let mut consumer = modern(&cluster).build().unwrap();
    consumer.subscribe_to(Subscription::remote_pattern("orders-.*")).unwrap();
    has(&mut consumer, 2);
    assert!(consumer.subscription().is_empty());
    cluster.create_topic("orders-us", 1).unwrap();
    fill(&cluster, "orders-us", 0, 1);
    let deadline = Instant::now() + LONG;
    while consumer.poll(SHORT).unwrap().is_empty() {
        assert!(Instant::now() < deadline);
    }
    has(&mut consumer, 3);
    // Names instead, and a pattern again: the same member all the time.
    let id = consumer.group_metadata().member_id;
    consumer.subscribe(["other"]).unwrap();
    poll_until(&mut [&mut consumer], |all| all[0].assignment() == [TopicPartition::new("other", 0)]);
    consumer.subscribe_to(Subscription::remote_pattern("orders-us")).unwrap();
    poll_until(&mut [&mut consumer], |all| all[0].assignment() == [TopicPartition::new("orders-us", 0)]);
    assert_eq!(consumer.group_metadata().member_id, id);
}

#[test]
fn a_topic_that_was_created_anew_is_another_one() {
    let cluster = cluster(1);
    fill(&cluster, "t", 0, 5);
    let (mut consumer, log) = with_log(modern(&cluster));
    has(&mut consumer, 1);
    assert_eq!(log.news(), [shown("assigned", [tp(0)])]);
    cluster.delete_topic("t").unwrap();
    cluster.create_topic("t", 1).unwrap();
    let deadline = Instant::now() + LONG;
    while !log.has("assigned [t") {
        assert!(Instant::now() < deadline);
        // The fetcher may notice first, and says so.
        if let Err(error) = consumer.poll(SHORT) {
            assert_eq!(error.kind(), ErrorKind::TopicRecreated, "{error}");
        }
    }
    assert_eq!(log.news(), [shown("revoked", [tp(0)]), shown("assigned", [tp(0)])]);
}

/// Commits what it gives up and seeks what it gets, without a thread of its own.
struct Careful(Log);

impl AsyncConsumerRebalanceListener for Careful {
    async fn on_partitions_revoked(
        &mut self,
        consumer: &AsyncRebalanceContext,
        gone: &[TopicPartition],
    ) -> Result<()> {
        self.0.add("revoked", gone)?;
        consumer.commit().await?;
        let committed = consumer.committed(gone).await?;
        assert_eq!(committed.len(), gone.len());
        assert_eq!(consumer.assignment(), gone);
        Ok(())
    }

    async fn on_partitions_assigned(
        &mut self,
        consumer: &AsyncRebalanceContext,
        new: &[TopicPartition],
    ) -> Result<()> {
        self.0.add("assigned", new)?;
        new.iter().for_each(|tp| consumer.seek(tp, 3));
        Ok(())
    }

    async fn on_partitions_lost(&mut self, _: &AsyncRebalanceContext, lost: &[TopicPartition]) -> Result<()> {
        self.0.add("lost", lost)?;
        panic!("all is lost");
    }
}

#[test]
fn async_listeners_run_beside_the_heartbeats() {
    for builder in [options as fn(&MockCluster) -> ConsumerBuilder, modern] {
        let cluster = cluster(1);
        fill(&cluster, "t", 0, 10);
        let log = Log::default();
        let mut consumer = builder(&cluster).enable_auto_commit(false).build().unwrap();
        consumer.subscribe_to(Subscription::topics(["t"]).async_listener(Careful(log.clone()))).unwrap();
        let records = consumer.poll(LONG).unwrap();
        assert_eq!(records.iter().next().unwrap().offset(), 3);
        let id = consumer.group_metadata().member_id;
        assert!(cluster.evict_member("g", &id));
        let error = error_of(&mut consumer);
        assert_eq!(error.kind(), ErrorKind::Panic);
        assert!(error.to_string().contains("on_partitions_lost panicked: all is lost"), "{error}");
        has(&mut consumer, 1);
        consumer.poll(LONG).unwrap();
        consumer.close(LONG).unwrap();
        assert_eq!(cluster.committed("g", "t", 0), Some(10));
        let [all] = [[tp(0)]];
        let expected = ["assigned", "lost", "assigned", "revoked"].map(|what| shown(what, all.clone()));
        assert_eq!(log.news(), expected);
    }
}

#[test]
fn members_get_the_partitions_that_are_near_them() {
    let cluster = MockCluster::builder()
        .brokers(2)
        .racks(["a", "b"])
        .default_replication_factor(1)
        .topic("t", 4)
        .start()
        .unwrap();
    for assignor in [Assignor::Range, Assignor::Sticky, Assignor::CooperativeSticky] {
        let near = |rack: &str| {
            subscribed(classic(&cluster, assignor.clone()).client_rack(rack).group_id(assignor.as_str()))
        };
        let (mut a, mut b) = (near("a"), near("b"));
        poll_until(&mut [&mut a, &mut b], |all| {
            let is_near = |consumer: &KafkaConsumer, broker: i32| {
                consumer.assignment().iter().all(|tp| cluster.leader("t", tp.partition()) == Some(broker))
            };
            counts(all) == [2, 2] && is_near(all[0], 1) && is_near(all[1], 2)
        });
    }
}

/// Replicas move to the other rack, and the leader has the group follow (KIP-881).
#[test]
fn partitions_that_move_to_another_rack_are_shared_out_anew() {
    for assignor in [Assignor::Range, Assignor::CooperativeSticky] {
        let cluster = MockCluster::builder()
            .brokers(2)
            .racks(["a", "b"])
            .default_replication_factor(1)
            .topic("t", 4)
            .start()
            .unwrap();
        let near = |rack: &str| subscribed(classic(&cluster, assignor.clone()).client_rack(rack));
        let (mut a, mut b) = (near("a"), near("b"));
        let mut settle = || {
            poll_until(&mut [&mut a, &mut b], |all| {
                let is_near = |consumer: &KafkaConsumer, broker: i32| {
                    consumer.assignment().iter().all(|tp| cluster.leader("t", tp.partition()) == Some(broker))
                };
                counts(all) == [2, 2] && is_near(all[0], 1) && is_near(all[1], 2)
            });
        };
        settle();
        let generation = cluster.group_generation("g");
        let home = |partition: i32| cluster.leader("t", partition).unwrap();
        let moves: Vec<_> =
            (0..4).map(|partition| (tp(partition), Some(vec![3 - home(partition)]))).collect();
        let admin =
            KafkaAdminClient::builder().bootstrap_servers(cluster.bootstrap_servers()).build().unwrap();
        for (_, outcome) in admin.alter_partition_reassignments(moves).unwrap() {
            outcome.unwrap();
        }
        settle();
        assert!(cluster.group_generation("g") > generation);
    }
}

#[test]
fn a_members_metrics_have_javas_names() {
    for is_modern in [true, false] {
        let cluster = cluster(2);
        let builder = if is_modern { modern(&cluster) } else { classic(&cluster, Assignor::Range) };
        let (mut consumer, _) = with_log(builder);
        has(&mut consumer, 2);
        consumer.commit_offsets([(tp(0), 1)]).unwrap();
        let value = |consumer: &KafkaConsumer, name: &str| {
            consumer
                .metrics()
                .get("consumer-coordinator-metrics", name)
                .unwrap_or_else(|| panic!("no {name}"))
        };
        poll_until(&mut [&mut consumer], |all| value(all[0], "heartbeat-total") >= 2.0);
        assert_eq!(value(&consumer, "assigned-partitions"), 2.0);
        assert_eq!(value(&consumer, "commit-total"), 1.0);
        assert_eq!(value(&consumer, "failed-rebalance-total"), 0.0);
        assert_eq!(value(&consumer, "last-heartbeat-seconds-ago"), 0.0);
        assert!(value(&consumer, "rebalance-total") >= 1.0);
        assert!(value(&consumer, "partition-assigned-latency-max") >= 0.0);
        assert_eq!(value(&consumer, "join-total") > 0.0, !is_modern);
        let id = consumer.group_metadata().member_id;
        assert!(cluster.evict_member("g", &id));
        poll_until(&mut [&mut consumer], |all| {
            value(all[0], "failed-rebalance-total") == 1.0 && counts(all) == [2]
        });
    }
    let alone = KafkaConsumer::builder().bootstrap_servers("localhost:1").build().unwrap();
    assert_eq!(alone.metrics().get("consumer-coordinator-metrics", "commit-total"), None);
}

/// The coordinator wants a member to give something up, and it takes its time.
#[test]
fn a_rebalance_that_the_coordinator_begins_is_measured_until_the_member_is_done() {
    let cluster = cluster(2);
    let (mut first, mut second) = (subscribed(modern(&cluster)), modern(&cluster).build().unwrap());
    has(&mut first, 2);
    let total = |consumer: &KafkaConsumer| {
        consumer.metrics().get("consumer-coordinator-metrics", "rebalance-latency-total").unwrap()
    };
    let (before, id) = (total(&first), first.group_metadata().member_id);
    let beats = || {
        let all = cluster.requests_of(ApiKey::CONSUMER_GROUP_HEARTBEAT);
        let all = all.iter().filter_map(|request| request.decode::<ConsumerGroupHeartbeatRequest>());
        all.filter(|request| request.member_id == id).count()
    };
    second.subscribe(["t"]).unwrap();
    poll_until(&mut [&mut second], |all| all[0].group_metadata().generation_id > 0);
    let told = beats() + 2;
    assert!(cluster.wait_for(LONG, |_| beats() >= told));
    second.poll(Duration::from_millis(200)).unwrap();
    poll_until(&mut [&mut first, &mut second], |all| counts(all) == [1, 1]);
    assert!(total(&first) - before >= 200.0, "{} ms", total(&first) - before);
}

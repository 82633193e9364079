//! What crosses something else on its way: commits, joins, revocations and changes of mind.

use std::collections::HashMap;
use std::sync::mpsc;

use kavka::consumer::ConsumerInterceptor;
use kavka::types::OffsetAndMetadata;

use super::*;

/// Commits in the background; the outcome comes by the channel, during a later call of the consumer.
fn commit_later(consumer: &mut KafkaConsumer, partition: i32, offset: i64) -> mpsc::Receiver<Result<()>> {
    let (sender, outcome) = mpsc::channel();
    let offsets = HashMap::from([(tp(partition), OffsetAndMetadata::new(offset))]);
    consumer.commit_async_with(Some(offsets), move |_, outcome| sender.send(outcome).unwrap()).unwrap();
    outcome
}

/// The commit's answer comes while the member joins already.
#[test]
fn a_commit_that_fails_leaves_a_join_under_way_alone() {
    let cluster = cluster(2);
    let mut consumer = subscribed(classic(&cluster, Assignor::CooperativeSticky).enable_auto_commit(false));
    has(&mut consumer, 2);
    let generation = cluster.group_generation("g");
    cluster.on(ApiKey::OFFSET_COMMIT).delay(Duration::from_millis(200));
    cluster.on(ApiKey::OFFSET_COMMIT).error(ErrorCode::UNKNOWN_MEMBER_ID);
    cluster.on(ApiKey::JOIN_GROUP).delay(Duration::from_millis(200));
    let outcome = commit_later(&mut consumer, 0, 1);
    consumer.enforce_rebalance("").unwrap();
    poll_until(&mut [&mut consumer], |all| all[0].group_metadata().generation_id > generation);
    assert_eq!(outcome.try_recv().unwrap().unwrap_err().kind(), ErrorKind::CommitFailed);
    fill(&cluster, "t", 0, 1);
    assert_eq!(consumer.poll(LONG).unwrap().len(), 1);
    consumer.commit().unwrap();
    assert_eq!(cluster.committed("g", "t", 0), Some(1));
}

/// The topic is deleted and created anew while a commit is tried again and again.
#[test]
fn offsets_are_committed_for_the_topic_that_they_were_read_of() {
    for (versions, by_id) in [(VersionTable::newest(), true), (VersionTable::kafka_3_9(), false)] {
        let cluster = MockCluster::builder()
            .topic("t", 1)
            .auto_create_topics(false)
            .versions(versions)
            .start()
            .unwrap();
        fill(&cluster, "t", 0, 10);
        let mut consumer = options(&cluster).enable_auto_commit(false).build().unwrap();
        consumer.assign([tp(0)]).unwrap();
        assert_eq!(consumer.poll(LONG).unwrap().len(), 10);
        let busy = cluster.on(ApiKey::OFFSET_COMMIT).always().error(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
        let old = cluster.topic_id("t").unwrap();
        let error = std::thread::scope(|scope| {
            let commit = scope.spawn(|| consumer.commit());
            assert!(cluster.wait_for(LONG, |_| busy.hits() > 0));
            cluster.delete_topic("t").unwrap();
            cluster.create_topic("t", 1).unwrap();
            let renewed = cluster.topic_id("t").unwrap();
            // With ids the coordinator refuses it; by name it would be taken, so that metadata has to tell first.
            if by_id {
                busy.remove();
            }
            let error = commit.join().unwrap().unwrap_err();
            assert_eq!((error.kind(), error.topic_ids()), (ErrorKind::TopicRecreated, Some((old, renewed))));
            error
        });
        assert!(!error.is_retriable());
        assert_eq!(cluster.committed("g", "t", 0), None);
    }
}

/// Commits the fifth offset of whatever it gives up.
struct Late;

impl AsyncConsumerRebalanceListener for Late {
    async fn on_partitions_revoked(
        &mut self,
        consumer: &AsyncRebalanceContext,
        gone: &[TopicPartition],
    ) -> Result<()> {
        assert_eq!(
            consumer.commit_offsets([(gone[0].clone(), -1)]).await.unwrap_err().kind(),
            ErrorKind::InvalidArgument
        );
        consumer.commit_offsets(gone.iter().map(|tp| (tp.clone(), 5))).await
    }

    async fn on_partitions_assigned(
        &mut self,
        _: &AsyncRebalanceContext,
        _: &[TopicPartition],
    ) -> Result<()> {
        Ok(())
    }
}

#[test]
fn async_listeners_cannot_commit_offsets_of_a_topic_that_is_no_more() {
    let cluster = cluster(1);
    let mut consumer = options(&cluster).enable_auto_commit(false).build().unwrap();
    consumer.subscribe_to(Subscription::topics(["t"]).async_listener(Late)).unwrap();
    has(&mut consumer, 1);
    fill(&cluster, "t", 0, 1);
    assert_eq!(consumer.poll(LONG).unwrap().len(), 1);
    cluster.delete_topic("t").unwrap();
    cluster.create_topic("t", 1).unwrap();
    assert_eq!(error_of(&mut consumer).kind(), ErrorKind::TopicRecreated);
    assert_eq!(consumer.unsubscribe().unwrap_err().kind(), ErrorKind::TopicRecreated);
    assert_eq!(cluster.committed("g", "t", 0), None);
}

/// Is thrown out of the group while it gives up its partitions, and hears of it then and there.
struct ThrownOut(Arc<MockCluster>);

impl ConsumerRebalanceListener for ThrownOut {
    fn on_partitions_revoked(
        &mut self,
        consumer: &mut RebalanceContext<'_>,
        gone: &[TopicPartition],
    ) -> Result<()> {
        for member in self.0.group_members("g") {
            assert!(self.0.evict_member("g", &member));
        }
        let refused = consumer.commit_offsets([(gone[0].clone(), 1)]).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::CommitFailed);
        consumer.position(&gone[0]).map(drop)
    }

    fn on_partitions_assigned(&mut self, _: &mut RebalanceContext<'_>, _: &[TopicPartition]) -> Result<()> {
        Ok(())
    }
}

#[test]
fn a_member_that_is_lost_while_it_gives_up_commits_again_in_its_next_generation() {
    let cluster = Arc::new(cluster(1));
    let mut consumer = classic(&cluster, Assignor::Range).enable_auto_commit(false).build().unwrap();
    consumer.subscribe_with_listener(["t"], ThrownOut(Arc::clone(&cluster))).unwrap();
    has(&mut consumer, 1);
    let id = consumer.group_metadata().member_id;
    consumer.enforce_rebalance("").unwrap();
    poll_until(&mut [&mut consumer], |all| counts(all) == [1] && all[0].group_metadata().member_id != id);
    consumer.commit_offsets([(tp(0), 2)]).unwrap();
    assert_eq!(cluster.committed("g", "t", 0), Some(2));
}

/// The leader has shared out what there was, and hears of more before it has its own share.
#[test]
fn partitions_that_are_added_during_a_rebalance_are_shared_out_too() {
    for assignor in [Assignor::Range, Assignor::CooperativeSticky] {
        let cluster = cluster(1);
        let sync = cluster.on(ApiKey::SYNC_GROUP).delay(Duration::from_secs(1));
        let mut consumer = subscribed(classic(&cluster, assignor));
        poll_until(&mut [&mut consumer], |_| sync.hits() == 1);
        cluster.add_partitions("t", 3).unwrap();
        has(&mut consumer, 3);
    }
}

/// A leader that comes back to its seat shares nothing out, and answers for the topics of the others all the same.
#[test]
fn a_static_leader_that_comes_back_sees_to_the_topics_of_the_others() {
    let cluster = MockCluster::builder().topic("t", 1).topic("u", 1).start().unwrap();
    let leader = || subscribed(classic(&cluster, Assignor::Range).group_instance_id("i"));
    let mut first = leader();
    has(&mut first, 1);
    let mut other = classic(&cluster, Assignor::Range).build().unwrap();
    other.subscribe(["u"]).unwrap();
    poll_until(&mut [&mut first, &mut other], |all| counts(all) == [1, 1]);
    let generation = cluster.group_generation("g");
    first.close(LONG).unwrap();
    let mut back = leader();
    poll_until(&mut [&mut back, &mut other], |all| counts(all) == [1, 1]);
    assert_eq!(cluster.group_generation("g"), generation, "no rebalance");
    cluster.add_partitions("u", 3).unwrap();
    poll_until(&mut [&mut back, &mut other], |all| counts(all) == [1, 3]);
}

/// What there was when the leader shared out is not what there is when it comes back to its seat, and nobody has said so.
#[test]
fn a_static_leader_that_comes_back_shares_out_what_was_left_out() {
    let cluster = MockCluster::builder().auto_create_topics(false).start().unwrap();
    let leader = || subscribed(classic(&cluster, Assignor::Range).group_instance_id("i"));
    let mut first = leader();
    // It has nothing, and knows it.
    poll_until(&mut [&mut first], |all| all[0].group_metadata().generation_id > 0);
    first.close(LONG).unwrap();
    cluster.create_topic("t", 2).unwrap();
    let mut back = leader();
    has(&mut back, 2);
}

/// The program goes back, and ends before it has read on.
#[test]
fn what_was_read_before_a_seek_is_not_committed_after_it() {
    let cluster = cluster(1);
    fill(&cluster, "t", 0, 10);
    let mut consumer = subscribed(options(&cluster).auto_commit_interval(LONG));
    assert_eq!(consumer.iter().take(6).map(|record| record.unwrap().offset()).last(), Some(5));
    consumer.seek(&tp(0), 2).unwrap();
    consumer.close(LONG).unwrap();
    assert_eq!(cluster.committed("g", "t", 0), Some(2));
}

/// The program changes its mind when the join has been asked for and has not begun.
#[test]
fn a_change_of_the_subscription_right_after_the_first_poll_counts() {
    let cluster = cluster(1);
    cluster.create_topic("u", 2).unwrap();
    for _ in 0..20 {
        let mut consumer = subscribed(modern(&cluster));
        consumer.poll(Duration::ZERO).unwrap();
        consumer.subscribe(["u"]).unwrap();
        poll_until(&mut [&mut consumer], |all| {
            all[0].assignment() == [0, 1].map(|p| TopicPartition::new("u", p))
        });
        consumer.close(LONG).unwrap();
    }
}

/// The heartbeat with the names gets lost, so that everything is said again.
#[test]
fn names_take_the_place_of_a_pattern_even_if_a_heartbeat_is_lost() {
    let cluster = cluster(1);
    cluster.create_topic("u", 1).unwrap();
    let mut consumer = modern(&cluster).build().unwrap();
    consumer.subscribe_to(Subscription::remote_pattern("t|u")).unwrap();
    has(&mut consumer, 2);
    let lost = cluster.on(ApiKey::CONSUMER_GROUP_HEARTBEAT).always().drop_before();
    consumer.subscribe(["u"]).unwrap();
    let before = lost.hits();
    assert!(cluster.wait_for(LONG, |_| lost.hits() >= before + 2));
    lost.remove();
    poll_until(&mut [&mut consumer], |all| all[0].assignment() == [TopicPartition::new("u", 0)]);
    // Nor has it to be said again with every trouble.
    let from = cluster.requests_of(ApiKey::CONSUMER_GROUP_HEARTBEAT).len();
    let once = cluster.on(ApiKey::CONSUMER_GROUP_HEARTBEAT).drop_before();
    assert!(cluster.wait_for(LONG, |_| once.hits() == 1));
    let full = |request: &ConsumerGroupHeartbeatRequest| request.rebalance_timeout_ms >= 0;
    let later = || {
        let all = cluster.requests_of(ApiKey::CONSUMER_GROUP_HEARTBEAT);
        let sent: Vec<ConsumerGroupHeartbeatRequest> =
            all[from..].iter().filter_map(|request| request.decode()).filter(full).collect();
        sent
    };
    poll_until(&mut [&mut consumer], |_| !later().is_empty());
    assert_eq!(later()[0].subscribed_topic_regex, None);
}

/// The member that was too slow comes back while it is still to leave.
#[test]
fn a_leave_that_comes_late_leaves_the_next_membership_alone() {
    let cluster = cluster(2);
    let slow = Duration::from_secs(1);
    let builder = modern(&cluster).max_poll_interval(slow).retry_backoff(Duration::from_secs(1));
    let (mut consumer, log) = with_log(builder.retry_backoff_max(Duration::from_secs(1)));
    has(&mut consumer, 2);
    let leaves = || {
        let all = cluster.requests_of(ApiKey::CONSUMER_GROUP_HEARTBEAT);
        let all = all.iter().filter_map(|request| request.decode::<ConsumerGroupHeartbeatRequest>());
        all.filter(|request| request.member_epoch == -1).count()
    };
    let busy =
        cluster.on(ApiKey::CONSUMER_GROUP_HEARTBEAT).always().error(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
    assert!(cluster.wait_for(LONG, |_| leaves() == 1));
    busy.remove();
    assert_eq!(error_of(&mut consumer).kind(), ErrorKind::MaxPollExceeded);
    poll_until(&mut [&mut consumer], |all| leaves() > 1 && counts(all) == [2]);
    let member = consumer.group_metadata().member_id;
    let beats = cluster.request_count(ApiKey::CONSUMER_GROUP_HEARTBEAT);
    poll_until(&mut [&mut consumer], |_| cluster.request_count(ApiKey::CONSUMER_GROUP_HEARTBEAT) > beats + 2);
    assert_eq!(cluster.group_members("g"), [member]);
    let lost = log.news().into_iter().filter(|entry| entry.starts_with("lost")).count();
    assert_eq!(lost, 1, "once, for being slow");
}

/// Commits wait for their turn, and the partition has another owner by then.
#[test]
fn a_commit_that_waits_does_not_take_back_what_the_next_owner_has_done() {
    let cluster = cluster(2);
    let mut first = subscribed(modern(&cluster).enable_auto_commit(false));
    has(&mut first, 2);
    let id = first.group_metadata().member_id;
    let mut second = subscribed(modern(&cluster).enable_auto_commit(false));
    let beats = || {
        let all = cluster.requests_of(ApiKey::CONSUMER_GROUP_HEARTBEAT);
        let all = all.iter().filter_map(|request| request.decode::<ConsumerGroupHeartbeatRequest>());
        all.filter(|request| request.member_id == id).count()
    };
    poll_until(&mut [&mut second], |all| all[0].group_metadata().generation_id > 0);
    let before = beats();
    assert!(cluster.wait_for(LONG, |_| beats() > before + 2), "the first one has been told");
    cluster.on(ApiKey::OFFSET_COMMIT).delay(Duration::from_millis(300));
    let outcomes: Vec<_> = (0..2)
        .map(|partition| {
            // The first of each waits for its answer, the others for it.
            let first_try = commit_later(&mut first, partition, 1);
            (partition, first_try, commit_later(&mut first, partition, 2))
        })
        .collect();
    poll_until(&mut [&mut first, &mut second], |all| counts(all) == [1, 1]);
    let moved = second.assignment()[0].clone();
    second.commit_offsets([(moved.clone(), 50)]).unwrap();
    let mut last = HashMap::new();
    poll_until(&mut [&mut first], |_| {
        for (partition, _, outcome) in &outcomes {
            if let Ok(outcome) = outcome.try_recv() {
                last.insert(*partition, outcome);
            }
        }
        last.len() == 2
    });
    let refused = last.remove(&moved.partition()).unwrap().unwrap_err();
    assert_eq!((refused.kind(), refused.partition()), (ErrorKind::CommitFailed, Some(moved.partition())));
    last.remove(&(1 - moved.partition())).unwrap().unwrap();
    assert_eq!(cluster.committed("g", "t", moved.partition()), Some(50));
    assert_eq!(cluster.committed("g", "t", 1 - moved.partition()), Some(2));
}

#[test]
fn a_pattern_that_matches_nothing_waits_for_topics() {
    let cluster = cluster(1);
    let mut members = KINDS.map(|builder| {
        let mut member = builder(&cluster).build().unwrap();
        member.subscribe_to(Subscription::pattern("x.*")).unwrap();
        member.poll(SHORT).unwrap();
        member
    });
    cluster.create_topic("x1", 2).unwrap();
    for member in &mut members {
        has(member, 2);
    }
}

/// A member whose pattern matches nothing keeps no partitions from the others, and comes back for the first topic.
#[test]
fn a_member_that_comes_to_want_nothing_says_so() {
    let cluster = cluster(2);
    for (number, builder) in KINDS.into_iter().enumerate() {
        let (mut first, mut second) = (subscribed(builder(&cluster)), subscribed(builder(&cluster)));
        poll_until(&mut [&mut first, &mut second], |all| counts(all) == [1, 1]);
        let topic = format!("x{number}");
        first.subscribe_to(Subscription::pattern(&topic)).unwrap();
        poll_until(&mut [&mut first, &mut second], |all| counts(all) == [0, 2]);
        cluster.create_topic(&topic, 3).unwrap();
        poll_until(&mut [&mut first, &mut second], |all| counts(all) == [3, 2]);
    }
}

/// Sees what is committed.
struct Witness(mpsc::Sender<i64>);

impl ConsumerInterceptor for Witness {
    fn on_commit(&mut self, offsets: &HashMap<TopicPartition, OffsetAndMetadata>) {
        offsets.values().for_each(|offset| self.0.send(offset.offset).unwrap());
    }
}

/// Commits twice when it gives up.
struct Twice;

impl AsyncConsumerRebalanceListener for Twice {
    async fn on_partitions_revoked(
        &mut self,
        consumer: &AsyncRebalanceContext,
        gone: &[TopicPartition],
    ) -> Result<()> {
        consumer.commit_offsets([(gone[0].clone(), 3)]).await?;
        consumer.commit_offsets([(gone[0].clone(), 4)]).await
    }

    async fn on_partitions_assigned(
        &mut self,
        _: &AsyncRebalanceContext,
        _: &[TopicPartition],
    ) -> Result<()> {
        Ok(())
    }
}

#[test]
fn interceptors_see_the_commits_of_async_listeners() {
    let cluster = cluster(1);
    let (sender, seen) = mpsc::channel();
    let builder = options(&cluster).enable_auto_commit(false).interceptor(Witness(sender));
    let mut consumer = builder.build().unwrap();
    consumer.subscribe_to(Subscription::topics(["t"]).async_listener(Twice)).unwrap();
    has(&mut consumer, 1);
    consumer.unsubscribe().unwrap();
    assert_eq!(seen.try_iter().collect::<Vec<_>>(), [3, 4]);
}

/// Knows what its member has.
#[derive(Clone, Default)]
struct Holds(Arc<Mutex<BTreeSet<TopicPartition>>>);

impl ConsumerRebalanceListener for Holds {
    fn on_partitions_revoked(&mut self, _: &mut RebalanceContext<'_>, gone: &[TopicPartition]) -> Result<()> {
        let mut holds = self.0.lock().unwrap();
        gone.iter().for_each(|tp| assert!(holds.remove(tp)));
        Ok(())
    }

    fn on_partitions_assigned(&mut self, _: &mut RebalanceContext<'_>, new: &[TopicPartition]) -> Result<()> {
        self.0.lock().unwrap().extend(new.iter().cloned());
        Ok(())
    }
}

/// A member that reads in small portions while much is buffered.
struct Slow {
    consumer: KafkaConsumer,
    holds: Holds,
    one_by_one: bool,
    read: Vec<(i32, i64)>,
}

impl Slow {
    fn start(builder: ConsumerBuilder, one_by_one: bool) -> Self {
        let holds = Holds::default();
        let mut consumer = builder.max_poll_records(10).consumer_timeout(SHORT).build().unwrap();
        consumer.subscribe_with_listener(["t"], holds.clone()).unwrap();
        Self { consumer, holds, one_by_one, read: Vec::new() }
    }

    fn read_on(&mut self) {
        if self.one_by_one {
            for _ in 0..10 {
                let Some(record) = self.consumer.iter().next() else { return };
                let record = record.unwrap();
                self.take(record.topic_partition(), record.offset());
            }
        } else {
            for record in &self.consumer.poll(SHORT).unwrap() {
                self.take(record.topic_partition(), record.offset());
            }
        }
    }

    fn take(&mut self, tp: &TopicPartition, offset: i64) {
        assert!(self.holds.0.lock().unwrap().contains(tp), "{tp}@{offset} of a partition that was given up");
        self.read.push((tp.partition(), offset));
    }
}

#[test]
fn what_is_buffered_of_a_partition_is_not_given_out_once_it_was_given_up() {
    for (kind, one_by_one) in KINDS.into_iter().flat_map(|kind| [(kind, false), (kind, true)]) {
        let cluster = cluster(2);
        [0, 1].iter().for_each(|partition| fill(&cluster, "t", *partition, 500));
        let mut first = Slow::start(kind(&cluster), one_by_one);
        let deadline = Instant::now() + 3 * LONG;
        while first.read.is_empty() {
            assert!(Instant::now() < deadline);
            first.read_on();
        }
        let mut second = Slow::start(kind(&cluster), one_by_one);
        let distinct = |first: &Slow, second: &Slow| {
            first.read.iter().chain(&second.read).collect::<BTreeSet<_>>().len()
        };
        while distinct(&first, &second) < 1000 {
            assert!(Instant::now() < deadline, "{} and {}", first.read.len(), second.read.len());
            first.read_on();
            second.read_on();
        }
        // The record that a member is at when its partition goes is read again: it may not be worked on yet.
        let twice = first.read.len() + second.read.len() - 1000;
        assert!(twice <= usize::from(one_by_one), "{twice} were read twice");
    }
}

/// The coordinator has done what it was asked for, and nobody hears of it.
#[test]
fn a_lost_answer_to_a_join_costs_a_second_try() {
    // A member without a seat asks twice: it is given its id first.
    for (api, nth, seat) in [
        (ApiKey::JOIN_GROUP, 1, None),
        (ApiKey::JOIN_GROUP, 2, None),
        (ApiKey::JOIN_GROUP, 1, Some("seat")),
        (ApiKey::SYNC_GROUP, 1, None),
        (ApiKey::SYNC_GROUP, 1, Some("seat")),
        (ApiKey::HEARTBEAT, 1, None),
        (ApiKey::OFFSET_FETCH, 1, None),
    ] {
        let cluster = cluster(2);
        fill(&cluster, "t", 0, 1);
        let lost = cluster.on(api).nth(nth..=nth).drop_after();
        let builder = classic(&cluster, Assignor::CooperativeSticky);
        let mut consumer = subscribed(match seat {
            Some(seat) => builder.group_instance_id(seat),
            None => builder,
        });
        poll_until(&mut [&mut consumer], |all| lost.hits() == 1 && counts(all) == [2]);
        consumer.commit_offsets([(tp(0), 1)]).unwrap();
        assert_eq!(cluster.group_members("g").len(), 1, "{api:?} {nth} {seat:?}: no ghosts");
        assert_eq!(cluster.committed("g", "t", 0), Some(1));
    }
}

//! What crosses something else on its way: commits, joins, revocations and changes of mind.

use std::collections::HashMap;
use std::sync::mpsc;

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
        let cluster = MockCluster::builder().topic("t", 1).versions(versions).start().unwrap();
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

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

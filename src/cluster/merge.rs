//! How what a broker says of a topic changes what is known of it.

use std::sync::Arc;

use crate::protocol::Uuid;
use crate::protocol::messages::metadata::{MetadataResponsePartition, MetadataResponseTopic};

use super::{PartitionMetadata, TopicMetadata};

/// Puts what a broker says of a topic together with what is known. The flag tells that it lags behind.
pub(super) fn merge_topic(
    name: &Arc<str>,
    topic: MetadataResponseTopic,
    known: Option<&Arc<TopicMetadata>>,
    epochs_count: bool,
    believe: bool,
) -> (TopicMetadata, bool) {
    // A broker that does not tell the id does not deny it either.
    let is_same = |known: &TopicMetadata| {
        known.id == topic.topic_id || known.id == Uuid::ZERO || topic.topic_id == Uuid::ZERO
    };
    let known = known.filter(|known| is_same(known));
    let id = match known {
        Some(known) if topic.topic_id == Uuid::ZERO => known.id,
        _ => topic.topic_id,
    };
    if let (Some(known), true) = (known, topic.partitions.is_empty()) {
        // Unknown for a moment, as during a restart: the partitions are the same when it comes back.
        return (TopicMetadata { error: topic.error_code, ..TopicMetadata::clone(known) }, false);
    }
    let mut stale = false;
    let last = topic.partitions.iter().map(|partition| partition.partition_index).max().unwrap_or(-1);
    // A broker lists partitions 0 to n-1; a larger number than there are entries is no list of partitions.
    let count = usize::try_from(last).map_or(0, |last| last.saturating_add(1)).min(topic.partitions.len());
    let mut partitions = vec![PartitionMetadata::default(); count];
    for partition in topic.partitions {
        let Ok(index) = usize::try_from(partition.partition_index) else { continue };
        let Some(slot) = partitions.get_mut(index) else { continue };
        let mut fresh = partition_of(partition, epochs_count);
        let known = known.and_then(|known| known.partitions.get(index));
        *slot = match known {
            Some(known)
                if !believe && known.leader_epoch > fresh.leader_epoch && fresh.leader_epoch.is_some() =>
            {
                stale = true;
                known.clone()
            }
            Some(known) if fresh.leader.is_none() && fresh.leader_epoch.is_none() => {
                // No leader, no epoch: the next one's is newer than the last one's all the same.
                fresh.leader_epoch = known.leader_epoch;
                fresh
            }
            _ => fresh,
        };
    }
    let topic = TopicMetadata {
        name: Arc::clone(name),
        id,
        is_internal: topic.is_internal,
        error: topic.error_code,
        partitions,
    };
    (topic, stale)
}

fn partition_of(partition: MetadataResponsePartition, epochs_count: bool) -> PartitionMetadata {
    PartitionMetadata {
        leader: (partition.leader_id >= 0).then_some(partition.leader_id),
        leader_epoch: (epochs_count && partition.leader_epoch >= 0).then_some(partition.leader_epoch),
        replicas: partition.replica_nodes,
        isr: partition.isr_nodes,
        offline_replicas: partition.offline_replicas,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error_code::ErrorCode;

    const ID: Uuid = Uuid([7; 16]);
    const OTHER: Uuid = Uuid([8; 16]);

    /// An answer of (index, leader, epoch).
    fn answer(id: Uuid, partitions: &[(i32, i32, i32)]) -> MetadataResponseTopic {
        let partition = |&(partition_index, leader_id, leader_epoch): &(i32, i32, i32)| {
            MetadataResponsePartition { partition_index, leader_id, leader_epoch, ..Default::default() }
        };
        MetadataResponseTopic {
            topic_id: id,
            partitions: partitions.iter().map(partition).collect(),
            ..Default::default()
        }
    }

    fn merge(known: Option<&TopicMetadata>, answer: MetadataResponseTopic) -> (TopicMetadata, bool) {
        let known = known.map(|known| Arc::new(known.clone()));
        merge_topic(&Arc::from("orders"), answer, known.as_ref(), true, false)
    }

    fn leaders(topic: &TopicMetadata) -> Vec<(Option<i32>, Option<i32>)> {
        topic.partitions.iter().map(|partition| (partition.leader, partition.leader_epoch)).collect()
    }

    #[test]
    fn partition_numbers_that_cannot_be_cost_nothing() {
        for strange in [i32::MAX, i32::MIN, -1] {
            let (topic, _) = merge(None, answer(ID, &[(strange, 1, 1)]));
            assert!(topic.partitions.len() <= 1, "{strange}");
            let (topic, _) = merge(None, answer(ID, &[(0, 1, 1), (strange, 2, 2), (1, 3, 3)]));
            let known = [(Some(1), Some(1)), (Some(3), Some(3))];
            assert_eq!(leaders(&topic)[..2], known, "{strange}");
            assert!(topic.partitions.len() <= 3);
        }
        let (topic, _) = merge(None, answer(ID, &[(0, 1, 1), (0, 2, 2)]));
        assert_eq!(leaders(&topic), [(Some(2), Some(2))]);
        let (topic, _) = merge(None, answer(ID, &[]));
        assert!(topic.partitions.is_empty());
    }

    #[test]
    fn an_older_epoch_of_the_same_topic_is_refused_until_it_is_believed() {
        let (known, _) = merge(None, answer(ID, &[(0, 1, 5)]));
        let (same, stale) = merge(Some(&known), answer(ID, &[(0, 2, 4)]));
        assert!(stale);
        assert_eq!(leaders(&same), [(Some(1), Some(5))]);
        let (newer, stale) = merge(Some(&known), answer(ID, &[(0, 2, 6)]));
        assert!(!stale);
        assert_eq!(leaders(&newer), [(Some(2), Some(6))]);
        let known = Arc::new(known);
        let (believed, stale) =
            merge_topic(&Arc::from("orders"), answer(ID, &[(0, 2, 4)]), Some(&known), true, true);
        assert!(!stale);
        assert_eq!(leaders(&believed), [(Some(2), Some(4))]);
    }

    #[test]
    fn an_election_without_an_epoch_does_not_open_the_door_to_older_ones() {
        let (known, _) = merge(None, answer(ID, &[(0, 1, 5)]));
        let (electing, _) = merge(Some(&known), answer(ID, &[(0, -1, -1)]));
        assert_eq!(leaders(&electing), [(None, Some(5))]);
        let (after, stale) = merge(Some(&electing), answer(ID, &[(0, 2, 3)]));
        assert!(stale);
        assert_eq!(leaders(&after), [(None, Some(5))]);
        let (after, _) = merge(Some(&electing), answer(ID, &[(0, 2, 6)]));
        assert_eq!(leaders(&after), [(Some(2), Some(6))]);
    }

    #[test]
    fn a_topic_of_another_id_begins_anew_and_a_missing_id_is_no_other() {
        let (known, _) = merge(None, answer(ID, &[(0, 1, 5), (1, 1, 5)]));
        let (recreated, stale) = merge(Some(&known), answer(OTHER, &[(0, 2, 0)]));
        assert!(!stale);
        assert_eq!((recreated.id, leaders(&recreated)), (OTHER, vec![(Some(2), Some(0))]));
        let (untold, stale) = merge(Some(&known), answer(Uuid::ZERO, &[(0, 2, 4), (1, 2, 6)]));
        assert!(stale);
        assert_eq!((untold.id, leaders(&untold)), (ID, vec![(Some(1), Some(5)), (Some(2), Some(6))]));
    }

    #[test]
    fn a_topic_that_is_unknown_for_a_moment_keeps_its_partitions() {
        let (known, _) = merge(None, answer(ID, &[(0, 1, 5)]));
        let unknown = MetadataResponseTopic {
            error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            ..MetadataResponseTopic::default()
        };
        let (kept, _) = merge(Some(&known), unknown);
        assert_eq!(leaders(&kept), leaders(&known));
        assert_eq!((kept.error, kept.id), (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, ID));
    }
}

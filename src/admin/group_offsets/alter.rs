//! Setting a group's offsets.

use super::{TOPIC_NAMES_UNTIL, of_group};
use crate::admin::partitions::{by_topic, of_partition};
use crate::admin::{Admin, At, Call, KafkaAdminClient, Results, unanswered, verdict};
use crate::error::{Error, Result};
use crate::error_code::ErrorCode;
use crate::protocol::messages::offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use crate::protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};
use crate::types::{OffsetAndMetadata, TopicPartition};

/// A partition, and what is to be committed for it.
pub(super) type Commit = (TopicPartition, OffsetAndMetadata);

impl KafkaAdminClient {
    /// Sets offsets of a group without members; a group that does not exist is created. Needs Kafka 0.9. Java's
    /// `alterConsumerGroupOffsets` and `alterStreamsGroupOffsets`.
    ///
    /// ```
    /// use kavka::{KafkaAdminClient, types::OffsetAndMetadata};
    /// # let cluster = kavka::mock::MockCluster::builder().topic("orders", 2).start()?;
    /// # let servers = cluster.bootstrap_servers();
    ///
    /// let admin = KafkaAdminClient::builder().bootstrap_servers(servers).build()?;
    /// let offset = OffsetAndMetadata::new(42).with_metadata("set by hand");
    /// for (partition, result) in admin.alter_group_offsets("billing", [(("orders", 0), offset)])? {
    ///     result?;
    ///     println!("{partition} is set");
    /// }
    /// # assert_eq!(cluster.committed("billing", "orders", 0), Some(42));
    /// # Ok::<(), kavka::Error>(())
    /// ```
    ///
    /// # Errors
    /// For a partition [`UNKNOWN_MEMBER_ID`](ErrorCode::UNKNOWN_MEMBER_ID) while the group has members,
    /// [`ErrorKind::UnknownTopic`](crate::ErrorKind::UnknownTopic),
    /// [`ErrorKind::Authorization`](crate::ErrorKind::Authorization).
    pub fn alter_group_offsets(
        &self,
        group: impl Into<String>,
        offsets: impl IntoIterator<Item = (impl Into<TopicPartition>, impl Into<OffsetAndMetadata>)>,
    ) -> Result<Results<TopicPartition, ()>> {
        let group = group.into();
        let offsets: Vec<Commit> =
            offsets.into_iter().map(|(partition, offset)| (partition.into(), offset.into())).collect();
        if offsets.is_empty() {
            return Ok(Vec::new());
        }
        self.call(ALTER, move |admin, call| async move {
            let results = admin.alter_group_offsets(call, &group, offsets).await;
            Ok(results.into_iter().map(|((partition, _), result)| (partition, result)).collect())
        })
    }
}

impl Admin {
    pub(super) async fn alter_group_offsets(
        &self,
        call: Call,
        group: &str,
        offsets: Vec<Commit>,
    ) -> Results<Commit, ()> {
        let request = |_: &At, commits: &[&Commit]| {
            let partition =
                |(partition_index, committed): (i32, &OffsetAndMetadata)| OffsetCommitRequestPartition {
                    partition_index,
                    committed_offset: committed.offset,
                    committed_leader_epoch: committed.leader_epoch.unwrap_or(-1),
                    committed_metadata: Some(committed.metadata.clone()),
                    ..Default::default()
                };
            let topics = by_topic(commits.iter().map(|(partition, committed)| (partition, committed)));
            Ok(OffsetCommitRequest {
                group_id: group.to_owned(),
                topics: topics
                    .into_iter()
                    .map(|(name, partitions)| OffsetCommitRequestTopic {
                        name: name.to_owned(),
                        partitions: partitions.into_iter().map(partition).collect(),
                        ..Default::default()
                    })
                    .collect(),
                ..Default::default()
            })
        };
        let read = |_: &At, response: OffsetCommitResponse, commits: &[&Commit]| {
            commits.iter().map(|(partition, _)| altered(&response, group, partition)).collect()
        };
        let call = call.at_most(TOPIC_NAMES_UNTIL);
        self.ask(call, of_group(group, offsets), request, read).await
    }
}

fn altered(response: &OffsetCommitResponse, group: &str, partition: &TopicPartition) -> Result<()> {
    let what = format!("{ALTER} {group}");
    let topic = response.topics.iter().find(|topic| topic.name == partition.topic());
    let line = topic
        .and_then(|topic| topic.partitions.iter().find(|line| line.partition_index == partition.partition()));
    let result = match line {
        None => Err(unanswered(&what)),
        Some(line) if MEMBERS.contains(&line.error_code) => {
            Err(Error::from_code(line.error_code, &what).context("the group has members: stop them first"))
        }
        Some(line) => verdict(line.error_code, None, &what),
    };
    result.map_err(|error| of_partition(error, partition))
}

const ALTER: &str = "set offsets of group";
/// What brokers say to one that commits for a group of others.
const MEMBERS: &[ErrorCode] =
    &[ErrorCode::UNKNOWN_MEMBER_ID, ErrorCode::ILLEGAL_GENERATION, ErrorCode::STALE_MEMBER_EPOCH];

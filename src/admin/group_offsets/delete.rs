//! Forgetting a group's offsets.

use super::of_group;
use crate::admin::partitions::{by_topic, of_partition};
use crate::admin::{At, KafkaAdminClient, Results, unanswered, verdict};
use crate::error::Result;
use crate::protocol::messages::offset_delete::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use crate::protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};
use crate::types::TopicPartition;

impl KafkaAdminClient {
    /// Deletes what a group has committed for partitions (KIP-496); nobody in the group may be subscribed to their
    /// topics. Needs Kafka 2.4. Java's `deleteConsumerGroupOffsets` and `deleteStreamsGroupOffsets`.
    ///
    /// ```
    /// use kavka::KafkaAdminClient;
    /// # let cluster = kavka::mock::MockCluster::builder().topic("orders", 2).start()?;
    /// # let servers = cluster.bootstrap_servers();
    ///
    /// let admin = KafkaAdminClient::builder().bootstrap_servers(servers).build()?;
    /// admin.alter_group_offsets("billing", [(("orders", 0), 42)])?;
    /// for (partition, result) in admin.delete_group_offsets("billing", [("orders", 0)])? {
    ///     result?;
    ///     println!("{partition} is forgotten");
    /// }
    /// # assert_eq!(cluster.committed("billing", "orders", 0), None);
    /// # Ok::<(), kavka::Error>(())
    /// ```
    ///
    /// # Errors
    /// For a partition [`GROUP_SUBSCRIBED_TO_TOPIC`](crate::ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC),
    /// [`GROUP_ID_NOT_FOUND`](crate::ErrorCode::GROUP_ID_NOT_FOUND),
    /// [`ErrorKind::UnknownTopic`](crate::ErrorKind::UnknownTopic),
    /// [`ErrorKind::Authorization`](crate::ErrorKind::Authorization). After
    /// [`ErrorKind::Connection`](crate::ErrorKind::Connection) they may be gone all the same.
    pub fn delete_group_offsets(
        &self,
        group: impl Into<String>,
        partitions: impl IntoIterator<Item = impl Into<TopicPartition>>,
    ) -> Result<Results<TopicPartition, ()>> {
        let group = group.into();
        let partitions: Vec<TopicPartition> = partitions.into_iter().map(Into::into).collect();
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        self.call(DELETE, move |admin, call| async move {
            let request = |_: &At, partitions: &[&TopicPartition]| {
                let topics = by_topic(partitions.iter().map(|one| (*one, ()))).into_iter();
                let partition = |(partition_index, ())| OffsetDeleteRequestPartition { partition_index };
                let topic = |(name, partitions): (&str, Vec<_>)| OffsetDeleteRequestTopic {
                    name: name.to_owned(),
                    partitions: partitions.into_iter().map(partition).collect(),
                };
                Ok(OffsetDeleteRequest { group_id: group.clone(), topics: topics.map(topic).collect() })
            };
            let read = |_: &At, response: OffsetDeleteResponse, partitions: &[&TopicPartition]| {
                partitions.iter().map(|partition| deleted(&response, &group, partition)).collect()
            };
            // Before Kafka 4.0 a group without members goes with its last offset, and is not found the second time.
            Ok(admin.ask(call.never_twice(), of_group(&group, partitions), request, read).await)
        })
    }
}

fn deleted(response: &OffsetDeleteResponse, group: &str, partition: &TopicPartition) -> Result<()> {
    let what = format!("{DELETE} {group}");
    verdict(response.error_code, None, &what)?;
    let topic = response.topics.iter().find(|topic| topic.name == partition.topic());
    let line = topic
        .and_then(|topic| topic.partitions.iter().find(|line| line.partition_index == partition.partition()));
    line.ok_or_else(|| unanswered(&what))
        .and_then(|line| verdict(line.error_code, None, &what))
        .map_err(|error| of_partition(error, partition))
}

const DELETE: &str = "delete offsets of group";

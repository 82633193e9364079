//! Moving partitions to other brokers.

use std::collections::BTreeMap;

use super::{by_topic, name};
use crate::admin::{At, Item, KafkaAdminClient, Results, Route, unanswered, verdict};
use crate::error::Result;
use crate::protocol::messages::alter_partition_reassignments::{ReassignablePartition, ReassignableTopic};
use crate::protocol::messages::list_partition_reassignments::ListPartitionReassignmentsTopics;
use crate::protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};
use crate::types::TopicPartition;

/// A partition that is being moved.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionReassignment {
    /// All brokers that have the partition now or will have it.
    pub replicas: Vec<i32>,
    /// Those of them that are yet to get it.
    pub adding_replicas: Vec<i32>,
    /// Those of them that will lose it.
    pub removing_replicas: Vec<i32>,
}

impl KafkaAdminClient {
    /// Moves partitions to other brokers (KIP-455): each to these, the preferred leader first; `None` cancels
    /// what is under way. Needs Kafka 2.4.
    ///
    /// The call returns when the moves have begun; [`list_partition_reassignments`
    /// ](Self::list_partition_reassignments) tells which are still under way.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout), [`ErrorKind::Authorization`](crate::ErrorKind); for a
    /// partition [`INVALID_REPLICA_ASSIGNMENT`](crate::ErrorCode::INVALID_REPLICA_ASSIGNMENT),
    /// [`NO_REASSIGNMENT_IN_PROGRESS`](crate::ErrorCode::NO_REASSIGNMENT_IN_PROGRESS),
    /// [`ErrorKind::UnknownTopic`](crate::ErrorKind::UnknownTopic). With a cancellation among them, moves may have
    /// begun or ended after [`ErrorKind::Connection`](crate::ErrorKind::Connection) all the same.
    pub fn alter_partition_reassignments(
        &self,
        moves: impl IntoIterator<Item = (impl Into<TopicPartition>, Option<Vec<i32>>)>,
    ) -> Result<Results<TopicPartition, ()>> {
        self.reassign(moves.into_iter().map(|(partition, to)| (partition.into(), to)).collect(), true)
    }

    /// As [`alter_partition_reassignments`](Self::alter_partition_reassignments), and refuses moves that would
    /// change the number of replicas (KIP-860). Needs Kafka 4.1.
    ///
    /// # Errors
    /// As [`alter_partition_reassignments`](Self::alter_partition_reassignments), and
    /// [`INVALID_REPLICATION_FACTOR`](crate::ErrorCode::INVALID_REPLICATION_FACTOR).
    pub fn alter_partition_reassignments_of_same_size(
        &self,
        moves: impl IntoIterator<Item = (impl Into<TopicPartition>, Option<Vec<i32>>)>,
    ) -> Result<Results<TopicPartition, ()>> {
        self.reassign(moves.into_iter().map(|(partition, to)| (partition.into(), to)).collect(), false)
    }

    fn reassign(&self, moves: Vec<Move>, may_change_size: bool) -> Result<Results<TopicPartition, ()>> {
        if moves.is_empty() {
            return Ok(Vec::new());
        }
        let cancels = moves.iter().any(|(_, to)| to.is_none());
        self.call(ALTER, move |admin, call| async move {
            let items = moves.into_iter().map(|one| Item::new(Route::Controller, one)).collect();
            let request = |at: &At, moves: &[&Move]| {
                if !may_change_size {
                    at.need(1, "keeping the replication factor (KIP-860)")?;
                }
                let topics = by_topic(moves.iter().map(|(partition, to)| (partition, to.clone())));
                let partition =
                    |(partition_index, replicas)| ReassignablePartition { partition_index, replicas };
                let topics = topics.into_iter().map(|(name, partitions)| ReassignableTopic {
                    name: name.to_owned(),
                    partitions: partitions.into_iter().map(partition).collect(),
                });
                Ok(AlterPartitionReassignmentsRequest {
                    timeout_ms: at.timeout_ms(),
                    allow_replication_factor_change: may_change_size,
                    topics: topics.collect(),
                })
            };
            let read = |_: &At, response: AlterPartitionReassignmentsResponse, moves: &[&Move]| {
                moves.iter().map(|(partition, _)| begun(&response, partition)).collect()
            };
            // A cancellation that was carried out fails the second time.
            let call = if cancels { call.never_twice() } else { call };
            let results = admin.ask(call, items, request, read).await;
            Ok(results.into_iter().map(|((partition, _), result)| name((partition, result))).collect())
        })
    }

    /// The partitions that are being moved (KIP-455), of these or of all. Needs Kafka 2.4.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout), [`ErrorKind::Authorization`](crate::ErrorKind).
    pub fn list_partition_reassignments(
        &self,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<BTreeMap<TopicPartition, PartitionReassignment>> {
        let partitions = partitions.map(<[TopicPartition]>::to_vec);
        self.call(LIST, move |admin, call| async move {
            let topic = |(name, partitions): (&str, Vec<(i32, ())>)| ListPartitionReassignmentsTopics {
                name: name.to_owned(),
                partition_indexes: partitions.into_iter().map(|(partition, ())| partition).collect(),
            };
            let request = |at: &At| {
                let topics = partitions.as_ref().map(|partitions| {
                    let topics = by_topic(partitions.iter().map(|partition| (partition, ())));
                    topics.into_iter().map(topic).collect()
                });
                Ok(ListPartitionReassignmentsRequest { timeout_ms: at.timeout_ms(), topics })
            };
            let judge = |response: &ListPartitionReassignmentsResponse| {
                verdict(response.error_code, response.error_message.as_deref(), LIST)
            };
            let response = admin.ask_one(call, Route::Controller, request, judge).await?;
            let mut moves = BTreeMap::new();
            for topic in response.topics {
                for partition in topic.partitions {
                    let reassignment = PartitionReassignment {
                        replicas: partition.replicas,
                        adding_replicas: partition.adding_replicas,
                        removing_replicas: partition.removing_replicas,
                    };
                    let key = TopicPartition::new(topic.name.as_str(), partition.partition_index);
                    moves.insert(key, reassignment);
                }
            }
            Ok(moves)
        })
    }
}

/// A partition, and the brokers that are to have it.
type Move = (TopicPartition, Option<Vec<i32>>);

fn begun(response: &AlterPartitionReassignmentsResponse, partition: &TopicPartition) -> Result<()> {
    verdict(response.error_code, response.error_message.as_deref(), ALTER)?;
    let topics = response.responses.iter().filter(|topic| topic.name == partition.topic());
    let answer = topics
        .flat_map(|topic| &topic.partitions)
        .find(|answer| answer.partition_index == partition.partition())
        .ok_or_else(|| unanswered(ALTER))?;
    verdict(answer.error_code, answer.error_message.as_deref(), ALTER)
}

const ALTER: &str = "alter partition reassignments";
const LIST: &str = "list partition reassignments";

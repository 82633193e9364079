//! Moving replicas from one directory of a broker to another.

use std::collections::BTreeMap;

use super::TopicPartitionReplica;
use crate::admin::partitions::{by_topic, of_partition};
use crate::admin::{At, Item, KafkaAdminClient, Results, Route, unanswered, verdict};
use crate::error::Result;
use crate::protocol::messages::alter_replica_log_dirs::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use crate::protocol::messages::{AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse};

impl KafkaAdminClient {
    /// Moves replicas to other directories of their brokers (KIP-113): each to the directory of this path. Needs
    /// Kafka 1.1.
    ///
    /// The call returns when the moves have begun; [`describe_replica_log_dirs`
    /// ](Self::describe_replica_log_dirs) tells how far they are. Where there is no such replica yet, the broker
    /// puts it there when it gets one.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) when the cluster could not be reached; for a replica
    /// [`LOG_DIR_NOT_FOUND`](crate::ErrorCode::LOG_DIR_NOT_FOUND),
    /// [`REPLICA_NOT_AVAILABLE`](crate::ErrorCode::REPLICA_NOT_AVAILABLE),
    /// [`ErrorKind::Connection`](crate::ErrorKind::Connection) when its broker is not part of the cluster.
    pub fn alter_replica_log_dirs(
        &self,
        moves: impl IntoIterator<Item = (TopicPartitionReplica, impl Into<String>)>,
    ) -> Result<Results<TopicPartitionReplica, ()>> {
        let moves: Vec<Move> = moves.into_iter().map(|(replica, path)| (replica, path.into())).collect();
        if moves.is_empty() {
            return Ok(Vec::new());
        }
        self.call(ALTER, move |admin, call| async move {
            let items = moves.into_iter().map(|one| Item::new(Route::Broker(one.0.broker_id), one)).collect();
            let request = |_: &At, moves: &[&Move]| {
                let mut dirs: BTreeMap<&str, Vec<&TopicPartitionReplica>> = BTreeMap::new();
                for (replica, path) in moves {
                    dirs.entry(path).or_default().push(replica);
                }
                let topic = |(name, partitions): (&str, Vec<(i32, ())>)| AlterReplicaLogDirTopic {
                    name: name.to_owned(),
                    partitions: partitions.into_iter().map(|(partition, ())| partition).collect(),
                };
                let dir = |(path, replicas): (&str, Vec<&TopicPartitionReplica>)| AlterReplicaLogDir {
                    path: path.to_owned(),
                    topics: by_topic(replicas.into_iter().map(|replica| (&replica.partition, ())))
                        .into_iter()
                        .map(topic)
                        .collect(),
                };
                Ok(AlterReplicaLogDirsRequest { dirs: dirs.into_iter().map(dir).collect() })
            };
            let read = |_: &At, response: AlterReplicaLogDirsResponse, moves: &[&Move]| {
                moves.iter().map(|(replica, _)| begun(&response, replica)).collect()
            };
            let results = admin.ask(call, items, request, read).await;
            let named = |((replica, _), result): (Move, Result<()>)| {
                let of_replica = |error| of_partition(error, &replica.partition).with_node(replica.broker_id);
                let result = result.map_err(of_replica);
                (replica, result)
            };
            Ok(results.into_iter().map(named).collect())
        })
    }
}

/// A replica, and the path of its new directory.
type Move = (TopicPartitionReplica, String);

fn begun(response: &AlterReplicaLogDirsResponse, replica: &TopicPartitionReplica) -> Result<()> {
    let topics = response.results.iter().filter(|topic| topic.topic_name == replica.partition.topic());
    let answer = topics
        .flat_map(|topic| &topic.partitions)
        .find(|answer| answer.partition_index == replica.partition.partition())
        .ok_or_else(|| unanswered(ALTER))?;
    verdict(answer.error_code, None, ALTER)
}

const ALTER: &str = "alter replica log dirs";

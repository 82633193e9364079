//! Where single replicas are.

use std::collections::BTreeMap;

use super::{LogDir, TopicPartitionReplica};
use crate::admin::{KafkaAdminClient, Results, unanswered};
use crate::error::Result;
use crate::types::TopicPartition;

/// The directories of a replica: at most two, while it moves. Java's `ReplicaLogDirInfo`.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicaLogDirs {
    /// Where it is; `None` when the broker has no such replica.
    pub current: Option<ReplicaPlace>,
    /// Where it moves to.
    pub future: Option<ReplicaPlace>,
}

/// A replica in a directory.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaPlace {
    /// The path of the directory.
    pub path: String,
    /// How many offsets it is behind.
    pub offset_lag: i64,
}

impl KafkaAdminClient {
    /// The directories that replicas are in, and those that they move to (KIP-113). Needs Kafka 1.0. Java's:
    /// kafka-python does not have it.
    ///
    /// # Errors
    /// As [`describe_log_dirs`](Self::describe_log_dirs), for each replica.
    pub fn describe_replica_log_dirs(
        &self,
        replicas: impl IntoIterator<Item = TopicPartitionReplica>,
    ) -> Result<Results<TopicPartitionReplica, ReplicaLogDirs>> {
        let replicas: Vec<TopicPartitionReplica> = replicas.into_iter().collect();
        if replicas.is_empty() {
            return Ok(Vec::new());
        }
        self.call("describe replica log dirs", move |admin, call| async move {
            let mut wanted: BTreeMap<i32, Vec<TopicPartition>> = BTreeMap::new();
            for replica in &replicas {
                wanted.entry(replica.broker_id).or_default().push(replica.partition.clone());
            }
            let wanted = wanted.into_iter().map(|(id, partitions)| (id, Some(partitions))).collect();
            let brokers: BTreeMap<i32, Result<Vec<LogDir>>> =
                admin.log_dirs(call, wanted).await.into_iter().collect();
            let place = |replica: TopicPartitionReplica| {
                let dirs = brokers.get(&replica.broker_id).map(Result::as_ref);
                let places = match dirs {
                    Some(Ok(dirs)) => Ok(places(dirs, &replica.partition)),
                    Some(Err(error)) => Err(error.clone()),
                    None => Err(unanswered(call.what)),
                };
                (replica, places)
            };
            Ok(replicas.into_iter().map(place).collect())
        })
    }
}

fn places(dirs: &[LogDir], partition: &TopicPartition) -> ReplicaLogDirs {
    let mut places = ReplicaLogDirs::default();
    for dir in dirs {
        for replica in dir.replicas.iter().filter(|replica| replica.partition == *partition) {
            let place = ReplicaPlace { path: dir.path.clone(), offset_lag: replica.offset_lag };
            if replica.is_future {
                places.future = Some(place);
            } else {
                places.current = Some(place);
            }
        }
    }
    places
}

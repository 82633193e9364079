//! What is in the directories.

use crate::admin::partitions::by_topic;
use crate::admin::{Admin, At, Call, Item, KafkaAdminClient, Results, Route, verdict};
use crate::error::{Error, Result};
use crate::error_code::ErrorCode;
use crate::protocol::messages::describe_log_dirs::{DescribableLogDirTopic, DescribeLogDirsResult};
use crate::protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use crate::types::TopicPartition;

/// A log directory of a broker.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct LogDir {
    /// The path.
    pub path: String,
    /// Why it cannot be used, such as [`KAFKA_STORAGE_ERROR`](ErrorCode::KAFKA_STORAGE_ERROR) for a disk that
    /// failed.
    pub error: Option<Error>,
    /// The size of its volume in bytes (KIP-827); `None` from brokers before 3.3.
    pub total_bytes: Option<u64>,
    /// The free space of its volume in bytes (KIP-827); `None` from brokers before 3.3.
    pub usable_bytes: Option<u64>,
    /// Whether new replicas are kept out of it (KIP-1066, Kafka 4.3).
    pub is_cordoned: bool,
    /// What is in it.
    pub replicas: Vec<LogDirReplica>,
}

/// A replica in a directory.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDirReplica {
    /// The partition.
    pub partition: TopicPartition,
    /// The size of its log in bytes.
    pub size_bytes: i64,
    /// How many offsets it is behind: behind the high watermark, or, when it is a future one, behind the replica
    /// whose place it will take.
    pub offset_lag: i64,
    /// Whether it is on its way here from another directory of the broker.
    pub is_future: bool,
}

impl KafkaAdminClient {
    /// The log directories of brokers, of all with `None`, and the replicas in them, of all partitions or of
    /// these. Needs Kafka 1.0.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) when the cluster could not be reached; for a broker
    /// [`ErrorKind::Connection`](crate::ErrorKind::Connection) when it is not part of the cluster,
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) when it does not answer,
    /// [`ErrorKind::Authorization`](crate::ErrorKind::Authorization).
    pub fn describe_log_dirs(
        &self,
        brokers: Option<&[i32]>,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<Results<i32, Vec<LogDir>>> {
        let brokers = brokers.map(<[i32]>::to_vec);
        let partitions = partitions.map(<[TopicPartition]>::to_vec);
        self.call(DESCRIBE, move |admin, call| async move {
            let brokers = match brokers {
                Some(brokers) => brokers,
                None => admin.brokers(call).await?.into_iter().map(|node| node.id).collect(),
            };
            let wanted = brokers.into_iter().map(|id| (id, partitions.clone())).collect();
            Ok(admin.log_dirs(call, wanted).await)
        })
    }
}

impl Admin {
    /// The directories of brokers, each with its own list of partitions, or all of them.
    pub(super) async fn log_dirs(
        &self,
        call: Call,
        wanted: Vec<(i32, Option<Vec<TopicPartition>>)>,
    ) -> Results<i32, Vec<LogDir>> {
        type Wanted = (i32, Option<Vec<TopicPartition>>);
        let items = wanted.into_iter().map(|wanted| Item::new(Route::Broker(wanted.0), wanted)).collect();
        let request = |_: &At, wanted: &[&Wanted]| {
            let partitions = wanted.first().and_then(|(_, partitions)| partitions.as_ref());
            let topic = |(topic, partitions): (&str, Vec<(i32, ())>)| DescribableLogDirTopic {
                topic: topic.to_owned(),
                partitions: partitions.into_iter().map(|(partition, ())| partition).collect(),
            };
            let topics = partitions.map(|partitions| {
                let topics = by_topic(partitions.iter().map(|partition| (partition, ())));
                topics.into_iter().map(topic).collect()
            });
            Ok(DescribeLogDirsRequest { topics })
        };
        let read = |_: &At, response: DescribeLogDirsResponse, _: &[&Wanted]| vec![described(response)];
        // A broker that is named twice is asked twice.
        let results = self.ask(call.one_by_one_before(i16::MAX), items, request, read).await;
        let named =
            |((id, _), result): (Wanted, Result<Vec<LogDir>>)| (id, result.map_err(|e| e.with_node(id)));
        results.into_iter().map(named).collect()
    }
}

fn described(response: DescribeLogDirsResponse) -> Result<Vec<LogDir>> {
    let code = response.error_code;
    // Before version 3 a client without permission got an empty list.
    if code.is_ok() && response.results.is_empty() {
        return Err(Error::from_code(ErrorCode::CLUSTER_AUTHORIZATION_FAILED, DESCRIBE));
    }
    verdict(code, None, DESCRIBE)?;
    Ok(response.results.into_iter().map(log_dir).collect())
}

fn log_dir(answer: DescribeLogDirsResult) -> LogDir {
    let mut replicas: Vec<LogDirReplica> = Vec::new();
    for topic in answer.topics {
        replicas.extend(topic.partitions.into_iter().map(|partition| LogDirReplica {
            partition: TopicPartition::new(topic.name.as_str(), partition.partition_index),
            size_bytes: partition.partition_size,
            offset_lag: partition.offset_lag,
            is_future: partition.is_future_key,
        }));
    }
    replicas.sort_unstable_by(|a, b| a.partition.cmp(&b.partition));
    LogDir {
        error: verdict(answer.error_code, None, DESCRIBE)
            .map_err(|error| error.context(&answer.log_dir))
            .err(),
        path: answer.log_dir,
        total_bytes: u64::try_from(answer.total_bytes).ok(),
        usable_bytes: u64::try_from(answer.usable_bytes).ok(),
        is_cordoned: answer.is_cordoned,
        replicas,
    }
}

const DESCRIBE: &str = "describe log dirs";

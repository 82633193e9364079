//! What partitions know of the producers that write to them.

use crate::admin::partitions::{by_topic, of_partition};
use crate::admin::{Admin, At, Call, Item, KafkaAdminClient, Results, Route, unanswered, verdict};
use crate::error::Result;
use crate::protocol::messages::describe_producers::{ProducerState as Described, TopicRequest};
use crate::protocol::messages::{DescribeProducersRequest, DescribeProducersResponse};
use crate::types::TopicPartition;

/// A producer with idempotence or transactions, as a partition knows it.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerState {
    /// The producer id.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i32,
    /// The number of its last record.
    pub last_sequence: i32,
    /// When it wrote last, in milliseconds since 1970, if it has written records.
    pub last_timestamp: Option<i64>,
    /// The epoch of the coordinator that ended its last transaction; -1 for none.
    pub coordinator_epoch: i32,
    /// The offset of the first record of its open transaction, if there is one.
    pub current_transaction_start_offset: Option<i64>,
}

impl KafkaAdminClient {
    /// The producers that are active on partitions, as the leaders know them. Needs Kafka 2.8.
    ///
    /// # Errors
    /// For a partition [`ErrorKind::UnknownTopic`](crate::ErrorKind::UnknownTopic),
    /// [`ErrorKind::Authorization`](crate::ErrorKind::Authorization),
    /// [`ErrorKind::UnsupportedVersion`](crate::ErrorKind::UnsupportedVersion).
    pub fn describe_producers(
        &self,
        partitions: impl IntoIterator<Item = impl Into<TopicPartition>>,
    ) -> Result<Results<TopicPartition, Vec<ProducerState>>> {
        self.producers(partitions.into_iter().map(Into::into).collect(), None)
    }

    /// As [`describe_producers`](Self::describe_producers), as the replicas on one broker know them.
    ///
    /// # Errors
    /// For a partition also [`NOT_LEADER_OR_FOLLOWER`](crate::ErrorCode::NOT_LEADER_OR_FOLLOWER) when the broker has
    /// no replica of it.
    pub fn describe_producers_on(
        &self,
        broker: i32,
        partitions: impl IntoIterator<Item = impl Into<TopicPartition>>,
    ) -> Result<Results<TopicPartition, Vec<ProducerState>>> {
        self.producers(partitions.into_iter().map(Into::into).collect(), Some(broker))
    }

    fn producers(
        &self,
        partitions: Vec<TopicPartition>,
        broker: Option<i32>,
    ) -> Result<Results<TopicPartition, Vec<ProducerState>>> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        self.call(DESCRIBE, move |admin, call| async move {
            Ok(admin.describe_producers(call, partitions, broker).await)
        })
    }
}

impl Admin {
    pub(super) async fn describe_producers(
        &self,
        call: Call,
        partitions: Vec<TopicPartition>,
        broker: Option<i32>,
    ) -> Results<TopicPartition, Vec<ProducerState>> {
        let route = |partition: &TopicPartition| match broker {
            Some(id) => Route::Broker(id),
            None => Route::Leader(partition.clone()),
        };
        let items = partitions.into_iter().map(|partition| Item::new(route(&partition), partition)).collect();
        let request = |_: &At, partitions: &[&TopicPartition]| {
            let topics = by_topic(partitions.iter().map(|partition| (*partition, ()))).into_iter();
            let topic = |(name, partitions): (&str, Vec<(i32, ())>)| TopicRequest {
                name: name.to_owned(),
                partition_indexes: partitions.into_iter().map(|(index, ())| index).collect(),
            };
            Ok(DescribeProducersRequest { topics: topics.map(topic).collect() })
        };
        let read = |_: &At, response: DescribeProducersResponse, partitions: &[&TopicPartition]| {
            partitions.iter().map(|partition| described(&response, partition)).collect()
        };
        self.ask(call, items, request, read).await
    }
}

fn described(response: &DescribeProducersResponse, partition: &TopicPartition) -> Result<Vec<ProducerState>> {
    let topics = response.topics.iter().filter(|topic| topic.name == partition.topic());
    let answer = topics
        .flat_map(|topic| &topic.partitions)
        .find(|answer| answer.partition_index == partition.partition());
    let producers = answer.ok_or_else(|| unanswered(DESCRIBE)).and_then(|answer| {
        verdict(answer.error_code, answer.error_message.as_deref(), DESCRIBE)?;
        let mut producers: Vec<ProducerState> = answer.active_producers.iter().map(state).collect();
        producers.sort_by_key(|producer| producer.producer_id);
        Ok(producers)
    });
    producers.map_err(|error| of_partition(error, partition))
}

fn state(producer: &Described) -> ProducerState {
    ProducerState {
        producer_id: producer.producer_id,
        producer_epoch: producer.producer_epoch,
        last_sequence: producer.last_sequence,
        last_timestamp: Some(producer.last_timestamp).filter(|&time| time >= 0),
        coordinator_epoch: producer.coordinator_epoch,
        current_transaction_start_offset: Some(producer.current_txn_start_offset)
            .filter(|&offset| offset >= 0),
    }
}

const DESCRIBE: &str = "describe producers";

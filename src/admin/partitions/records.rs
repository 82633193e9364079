//! Deleting the oldest records of partitions.

use super::{by_topic, name};
use crate::admin::{At, Item, KafkaAdminClient, Results, Route, unanswered, verdict};
use crate::error::Result;
use crate::protocol::messages::delete_records::{DeleteRecordsPartition, DeleteRecordsTopic};
use crate::protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};
use crate::types::TopicPartition;

/// Which records of a partition go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordsToDelete {
    /// Those before this offset.
    BeforeOffset(i64),
    /// All that are replicated, up to the high watermark.
    All,
}

impl From<i64> for RecordsToDelete {
    /// Those before this offset; -1, as in kafka-python and Java, for all.
    fn from(offset: i64) -> Self {
        if offset == -1 { Self::All } else { Self::BeforeOffset(offset) }
    }
}

impl KafkaAdminClient {
    /// Deletes the oldest records of partitions (KIP-107), at their leaders. Answers with the offset that each
    /// partition begins with from then on. Needs Kafka 0.11.
    ///
    /// # Errors
    /// As [`list_partition_offsets`](Self::list_partition_offsets); for a partition
    /// [`ErrorKind::OffsetOutOfRange`](crate::ErrorKind::OffsetOutOfRange) for an offset behind the high
    /// watermark, and [`POLICY_VIOLATION`](crate::ErrorCode::POLICY_VIOLATION) for a compacted topic. With
    /// [`RecordsToDelete::All`] the records may be gone after [`ErrorKind::Connection`](crate::ErrorKind::Connection)
    /// all the same.
    pub fn delete_records(
        &self,
        partitions: impl IntoIterator<Item = (impl Into<TopicPartition>, impl Into<RecordsToDelete>)>,
    ) -> Result<Results<TopicPartition, i64>> {
        let wanted = partitions.into_iter().map(|(partition, records)| (partition.into(), records.into()));
        let wanted: Vec<(TopicPartition, RecordsToDelete)> = wanted.collect();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let all = wanted.iter().any(|(_, records)| *records == RecordsToDelete::All);
        self.call(DELETE, move |admin, call| async move {
            let item = |wanted: (TopicPartition, _)| Item::new(Route::Leader(wanted.0.clone()), wanted);
            let items = wanted.into_iter().map(item).collect();
            let request = |at: &At, wanted: &[&(TopicPartition, RecordsToDelete)]| {
                let topics = by_topic(wanted.iter().map(|(partition, records)| (partition, *records)));
                let partition = |(partition_index, records)| DeleteRecordsPartition {
                    partition_index,
                    offset: match records {
                        RecordsToDelete::BeforeOffset(offset) => offset,
                        RecordsToDelete::All => -1,
                    },
                };
                let topics = topics.into_iter().map(|(name, partitions)| DeleteRecordsTopic {
                    name: name.to_owned(),
                    partitions: partitions.into_iter().map(partition).collect(),
                });
                Ok(DeleteRecordsRequest { topics: topics.collect(), timeout_ms: at.timeout_ms() })
            };
            let read = |_: &At, response: DeleteRecordsResponse, wanted: &[&(TopicPartition, _)]| {
                wanted.iter().map(|(partition, _)| low_watermark(&response, partition)).collect()
            };
            // The second time, all are those that were written meanwhile, too.
            let call = if all { call.never_twice() } else { call };
            let results = admin.ask(call, items, request, read).await;
            Ok(results.into_iter().map(|((partition, _), result)| name((partition, result))).collect())
        })
    }
}

fn low_watermark(response: &DeleteRecordsResponse, partition: &TopicPartition) -> Result<i64> {
    let topics = response.topics.iter().filter(|topic| topic.name == partition.topic());
    let answer = topics
        .flat_map(|topic| &topic.partitions)
        .find(|answer| answer.partition_index == partition.partition())
        .ok_or_else(|| unanswered(DELETE))?;
    verdict(answer.error_code, None, DELETE)?;
    Ok(answer.low_watermark)
}

const DELETE: &str = "delete records";

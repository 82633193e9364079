//! The offsets of partitions.

use std::collections::HashMap;

use futures_util::future::join_all;

use super::{by_topic, name};
use crate::admin::{Admin, At, Call, Item, KafkaAdminClient, Results, Route, unanswered, verdict};
use crate::config::IsolationLevel;
use crate::error::Result;
use crate::protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use crate::protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};
use crate::types::{OffsetSpec, TopicPartition};

/// An offset that was looked up. kafka-python's `OffsetAndTimestamp`, Java's `ListOffsetsResultInfo`.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionOffset {
    /// The offset; `None` when no record is as the specification wants it, such as one of a later time than
    /// that of the last record.
    pub offset: Option<i64>,
    /// The record's timestamp in milliseconds since 1970, for the specifications that look for a record.
    pub timestamp: Option<i64>,
    /// The leader epoch that the record was written in, if the broker tells.
    pub leader_epoch: Option<i32>,
}

impl KafkaAdminClient {
    /// Looks up offsets of partitions, at their leaders. With
    /// [`ReadCommitted`](IsolationLevel::ReadCommitted) (Kafka 0.11) the latest offset is that of the first
    /// record of an open transaction.
    ///
    /// The older the specification the older the broker may be: see [`OffsetSpec`].
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) when the cluster could not be reached, and for a
    /// partition without a leader; for a topic that stays unknown for a second
    /// [`ErrorKind::UnknownTopic`](crate::ErrorKind::UnknownTopic);
    /// [`ErrorKind::UnsupportedVersion`](crate::ErrorKind::UnsupportedVersion) for a specification that the
    /// leader does not know; [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a negative
    /// timestamp.
    pub fn list_partition_offsets(
        &self,
        partitions: impl IntoIterator<Item = (impl Into<TopicPartition>, OffsetSpec)>,
        isolation_level: IsolationLevel,
    ) -> Result<Results<TopicPartition, PartitionOffset>> {
        let wanted = partitions.into_iter().map(|(partition, spec)| {
            spec.code()?;
            Ok((partition.into(), spec))
        });
        let wanted: Vec<(TopicPartition, OffsetSpec)> = wanted.collect::<Result<_>>()?;
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        self.call(LIST, move |admin, call| async move {
            Ok(admin.partition_offsets(call, wanted, isolation_level).await)
        })
    }
}

impl Admin {
    /// Looks up offsets of partitions.
    pub(in crate::admin) async fn partition_offsets(
        &self,
        call: Call,
        wanted: Vec<(TopicPartition, OffsetSpec)>,
        isolation_level: IsolationLevel,
    ) -> Results<TopicPartition, PartitionOffset> {
        let isolation = match isolation_level {
            IsolationLevel::ReadUncommitted => 0,
            IsolationLevel::ReadCommitted => 1,
        };
        let item = |wanted: Wanted| {
            let (feature, version) = (feature(wanted.1), wanted.1.min_version());
            let item = Item::new(Route::Leader(wanted.0.clone()), wanted);
            match isolation {
                1 if version < 2 => item.needs(2, "reading what is committed"),
                _ => item.needs(version, feature),
            }
        };
        let request = |at: &At, wanted: &[&Wanted]| {
            let codes = wanted.iter().map(|(partition, spec)| Ok((partition, spec.code()?)));
            let topics = by_topic(codes.collect::<Result<Vec<_>>>()?);
            let partition = |(partition_index, timestamp)| ListOffsetsPartition {
                partition_index,
                timestamp,
                ..ListOffsetsPartition::default()
            };
            let topics = topics.into_iter().map(|(name, partitions)| ListOffsetsTopic {
                name: name.to_owned(),
                partitions: partitions.into_iter().map(partition).collect(),
            });
            Ok(ListOffsetsRequest {
                replica_id: -1,
                isolation_level: isolation,
                topics: topics.collect(),
                timeout_ms: at.timeout_ms(),
            })
        };
        let read = |at: &At, response: ListOffsetsResponse, wanted: &[&Wanted]| {
            wanted.iter().map(|(partition, _)| found(at, &response, partition)).collect()
        };
        let (batches, places) = apart(wanted);
        let asked = batches
            .into_iter()
            .map(|batch| self.ask(call, batch.into_iter().map(item).collect(), request, read));
        let mut answers: Vec<_> = join_all(asked).await.into_iter().map(Vec::into_iter).collect();
        let in_order = places.into_iter().filter_map(|batch| answers.get_mut(batch)?.next());
        in_order.map(|((partition, _), result)| name((partition, result))).collect()
    }
}

/// A partition, and what is looked up.
type Wanted = (TopicPartition, OffsetSpec);

/// Brokers refuse a request that names a partition twice: what is asked of one comes in batches, each partition
/// once in each. Tells the batch of each item, too.
fn apart(wanted: Vec<Wanted>) -> (Vec<Vec<Wanted>>, Vec<usize>) {
    let mut seen: HashMap<TopicPartition, usize> = HashMap::new();
    let (mut batches, mut places): (Vec<Vec<Wanted>>, Vec<usize>) = (Vec::new(), Vec::new());
    for one in wanted {
        let count = seen.entry(one.0.clone()).or_default();
        places.push(*count);
        match batches.get_mut(*count) {
            Some(batch) => batch.push(one),
            None => batches.push(vec![one]),
        }
        *count += 1;
    }
    (batches, places)
}

fn found(at: &At, response: &ListOffsetsResponse, partition: &TopicPartition) -> Result<PartitionOffset> {
    let topics = response.topics.iter().filter(|topic| topic.name == partition.topic());
    let answer = topics
        .flat_map(|topic| &topic.partitions)
        .find(|answer| answer.partition_index == partition.partition())
        .ok_or_else(|| unanswered(LIST))?;
    verdict(answer.error_code, None, LIST)?;
    let offset =
        if at.version == 0 { answer.old_style_offsets.first().copied() } else { Some(answer.offset) };
    Ok(PartitionOffset {
        offset: offset.filter(|&offset| offset >= 0),
        timestamp: Some(answer.timestamp).filter(|&timestamp| timestamp >= 0),
        leader_epoch: Some(answer.leader_epoch).filter(|&epoch| epoch >= 0),
    })
}

fn feature(spec: OffsetSpec) -> &'static str {
    match spec {
        OffsetSpec::Timestamp(_) => "looking for a record by its time",
        OffsetSpec::MaxTimestamp => "looking for the greatest timestamp (KIP-734)",
        OffsetSpec::EarliestLocal => "looking for the earliest local offset (KIP-405)",
        OffsetSpec::LatestTiered => "looking for the latest tiered offset (KIP-1005)",
        OffsetSpec::EarliestPendingUpload => "looking for the earliest offset to be tiered (KIP-1023)",
        _ => "looking for this offset",
    }
}

const LIST: &str = "list offsets";

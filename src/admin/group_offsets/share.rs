//! Where share groups begin to read (KIP-932).

use std::collections::HashMap;

use super::{in_order, of_group};
use crate::admin::partitions::{by_topic, of_partition};
use crate::admin::{At, Item, KafkaAdminClient, Results, Route, unanswered, verdict};
use crate::error::Result;
use crate::protocol::messages::alter_share_group_offsets::{
    AlterShareGroupOffsetsRequestPartition, AlterShareGroupOffsetsRequestTopic,
};
use crate::protocol::messages::delete_share_group_offsets::DeleteShareGroupOffsetsRequestTopic;
use crate::protocol::messages::describe_share_group_offsets::{
    DescribeShareGroupOffsetsRequestGroup, DescribeShareGroupOffsetsRequestTopic,
};
use crate::protocol::messages::{
    AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse, DeleteShareGroupOffsetsRequest,
    DeleteShareGroupOffsetsResponse, DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsResponse,
};
use crate::types::TopicPartition;

/// Where a share group stands in a partition. Java's `SharePartitionOffsetInfo`.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareGroupOffset {
    /// All records before this one have been dealt with.
    pub start_offset: i64,
    /// The leader epoch of the offset, if it is known.
    pub leader_epoch: Option<i32>,
    /// How many records are yet to be dealt with (KIP-1226); `None` where the broker does not tell.
    pub lag: Option<i64>,
}

/// Whose offsets to list: a share group, and its partitions, or all that it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareGroupOffsetsSpec {
    group: String,
    partitions: Option<Vec<TopicPartition>>,
}

impl ShareGroupOffsetsSpec {
    /// All partitions that the group reads.
    pub fn new(group: impl Into<String>) -> Self {
        Self { group: group.into(), partitions: None }
    }

    /// These partitions alone.
    #[must_use]
    pub fn partitions(mut self, partitions: impl IntoIterator<Item = impl Into<TopicPartition>>) -> Self {
        self.partitions = Some(partitions.into_iter().map(Into::into).collect());
        self
    }

    fn message(&self) -> DescribeShareGroupOffsetsRequestGroup {
        let topic = |(name, partitions): (&str, Vec<(i32, ())>)| DescribeShareGroupOffsetsRequestTopic {
            topic_name: name.to_owned(),
            partitions: partitions.into_iter().map(|(index, ())| index).collect(),
        };
        let partitions = self.partitions.as_ref();
        DescribeShareGroupOffsetsRequestGroup {
            group_id: self.group.clone(),
            topics: partitions
                .map(|all| by_topic(all.iter().map(|one| (one, ()))).into_iter().map(topic).collect()),
        }
    }
}

impl From<&str> for ShareGroupOffsetsSpec {
    fn from(group: &str) -> Self {
        Self::new(group)
    }
}

impl From<String> for ShareGroupOffsetsSpec {
    fn from(group: String) -> Self {
        Self::new(group)
    }
}

/// An error or an offset for each partition, and none where the group has not begun to read.
type Offsets = Results<TopicPartition, Option<ShareGroupOffset>>;

impl KafkaAdminClient {
    /// Lists where share groups stand (KIP-932). Needs Kafka 4.1. Java's `listShareGroupOffsets`.
    ///
    /// A group that does not exist has no offsets.
    ///
    /// # Errors
    /// For a group [`ErrorKind::Authorization`](crate::ErrorKind::Authorization),
    /// [`ErrorKind::UnsupportedVersion`](crate::ErrorKind::UnsupportedVersion); for a partition
    /// [`ErrorKind::UnknownTopic`](crate::ErrorKind::UnknownTopic).
    pub fn list_share_group_offsets(
        &self,
        groups: impl IntoIterator<Item = impl Into<ShareGroupOffsetsSpec>>,
    ) -> Result<Results<String, Offsets>> {
        let groups: Vec<ShareGroupOffsetsSpec> = groups.into_iter().map(Into::into).collect();
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        self.call(LIST, move |admin, call| async move {
            let items = groups.into_iter().map(|spec| Item::new(Route::Group(spec.group.clone()), spec));
            let request = |_: &At, groups: &[&ShareGroupOffsetsSpec]| {
                let groups = groups.iter().map(|group| group.message()).collect();
                Ok(DescribeShareGroupOffsetsRequest { groups })
            };
            let read =
                |_: &At, response: DescribeShareGroupOffsetsResponse, groups: &[&ShareGroupOffsetsSpec]| {
                    groups.iter().map(|spec| listed(&response, spec)).collect()
                };
            let results = admin.ask(call, items.collect(), request, read).await;
            Ok(results.into_iter().map(|(spec, result)| (spec.group, result)).collect())
        })
    }

    /// Sets where a share group without members begins to read; a group that does not exist is created. Needs
    /// Kafka 4.1. Java's `alterShareGroupOffsets`.
    ///
    /// # Errors
    /// For a partition [`NON_EMPTY_GROUP`](crate::ErrorCode::NON_EMPTY_GROUP),
    /// [`ErrorKind::UnknownTopic`](crate::ErrorKind::UnknownTopic),
    /// [`ErrorKind::Authorization`](crate::ErrorKind::Authorization),
    /// [`ErrorKind::UnsupportedVersion`](crate::ErrorKind::UnsupportedVersion).
    pub fn alter_share_group_offsets(
        &self,
        group: impl Into<String>,
        offsets: impl IntoIterator<Item = (impl Into<TopicPartition>, i64)>,
    ) -> Result<Results<TopicPartition, ()>> {
        let group = group.into();
        let offsets: Vec<(TopicPartition, i64)> =
            offsets.into_iter().map(|(partition, offset)| (partition.into(), offset)).collect();
        if offsets.is_empty() {
            return Ok(Vec::new());
        }
        self.call(ALTER, move |admin, call| async move {
            let request = |_: &At, offsets: &[&(TopicPartition, i64)]| {
                let topics = by_topic(offsets.iter().map(|(partition, offset)| (partition, *offset)));
                let partition = |(partition_index, start_offset)| AlterShareGroupOffsetsRequestPartition {
                    partition_index,
                    start_offset,
                };
                let topic = |(name, partitions): (&str, Vec<_>)| AlterShareGroupOffsetsRequestTopic {
                    topic_name: name.to_owned(),
                    partitions: partitions.into_iter().map(partition).collect(),
                };
                Ok(AlterShareGroupOffsetsRequest {
                    group_id: group.clone(),
                    topics: topics.into_iter().map(topic).collect(),
                })
            };
            let read =
                |_: &At, response: AlterShareGroupOffsetsResponse, offsets: &[&(TopicPartition, i64)]| {
                    offsets.iter().map(|(partition, _)| altered(&response, &group, partition)).collect()
                };
            let results = admin.ask(call, of_group(&group, offsets), request, read).await;
            Ok(results.into_iter().map(|((partition, _), result)| (partition, result)).collect())
        })
    }

    /// Deletes where a share group without members stands in topics, so that it begins anew. Needs Kafka 4.1.
    /// Java's `deleteShareGroupOffsets`.
    ///
    /// # Errors
    /// For a topic [`NON_EMPTY_GROUP`](crate::ErrorCode::NON_EMPTY_GROUP),
    /// [`GROUP_ID_NOT_FOUND`](crate::ErrorCode::GROUP_ID_NOT_FOUND),
    /// [`ErrorKind::UnknownTopic`](crate::ErrorKind::UnknownTopic),
    /// [`ErrorKind::Authorization`](crate::ErrorKind::Authorization),
    /// [`ErrorKind::UnsupportedVersion`](crate::ErrorKind::UnsupportedVersion).
    pub fn delete_share_group_offsets(
        &self,
        group: impl Into<String>,
        topics: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Results<String, ()>> {
        let group = group.into();
        let topics: Vec<String> = topics.into_iter().map(Into::into).collect();
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        self.call(DELETE, move |admin, call| async move {
            let request = |_: &At, topics: &[&String]| {
                let topic =
                    |name: &&String| DeleteShareGroupOffsetsRequestTopic { topic_name: (*name).clone() };
                Ok(DeleteShareGroupOffsetsRequest {
                    group_id: group.clone(),
                    topics: topics.iter().map(topic).collect(),
                })
            };
            let what = format!("{DELETE} {group}");
            let read = |_: &At, response: DeleteShareGroupOffsetsResponse, topics: &[&String]| {
                let deleted = |name: &&String| {
                    verdict(response.error_code, response.error_message.as_deref(), &what)?;
                    let line = response.responses.iter().find(|line| line.topic_name == **name);
                    let line = line.ok_or_else(|| unanswered(&what))?;
                    verdict(line.error_code, line.error_message.as_deref(), &what)
                        .map_err(|error| error.with_topic(name.as_str()))
                };
                topics.iter().map(deleted).collect()
            };
            Ok(admin.ask(call.never_twice(), of_group(&group, topics), request, read).await)
        })
    }
}

fn listed(response: &DescribeShareGroupOffsetsResponse, spec: &ShareGroupOffsetsSpec) -> Result<Offsets> {
    let what = format!("{LIST} {}", spec.group);
    let answer = response.groups.iter().find(|answer| answer.group_id == spec.group);
    let answer = answer.ok_or_else(|| unanswered(&what))?;
    verdict(answer.error_code, answer.error_message.as_deref(), &what)?;
    let mut found: HashMap<TopicPartition, _> = HashMap::new();
    for topic in &answer.topics {
        for line in &topic.partitions {
            let offset = || ShareGroupOffset {
                start_offset: line.start_offset,
                leader_epoch: Some(line.leader_epoch).filter(|&epoch| epoch >= 0),
                lag: Some(line.lag).filter(|&lag| lag >= 0),
            };
            let result = verdict(line.error_code, line.error_message.as_deref(), &what)
                .map(|()| (line.start_offset >= 0).then(offset))
                .map_err(|error| error.with_topic(&topic.topic_name).with_partition(line.partition_index));
            found.insert(TopicPartition::new(topic.topic_name.as_str(), line.partition_index), result);
        }
    }
    Ok(in_order(found, spec.partitions.as_deref(), &what))
}

fn altered(response: &AlterShareGroupOffsetsResponse, group: &str, partition: &TopicPartition) -> Result<()> {
    let what = format!("{ALTER} {group}");
    verdict(response.error_code, response.error_message.as_deref(), &what)?;
    let topic = response.responses.iter().find(|topic| topic.topic_name == partition.topic());
    let line = topic
        .and_then(|topic| topic.partitions.iter().find(|line| line.partition_index == partition.partition()));
    line.ok_or_else(|| unanswered(&what))
        .and_then(|line| verdict(line.error_code, line.error_message.as_deref(), &what))
        .map_err(|error| of_partition(error, partition))
}

const LIST: &str = "list offsets of share group";
const ALTER: &str = "set offsets of share group";
const DELETE: &str = "delete offsets of share group";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::messages::describe_share_group_offsets::{
        DescribeShareGroupOffsetsResponseGroup, DescribeShareGroupOffsetsResponsePartition,
        DescribeShareGroupOffsetsResponseTopic,
    };

    #[test]
    fn a_partition_that_is_left_out_is_an_error_in_its_place() {
        let line = |partition_index, start_offset| DescribeShareGroupOffsetsResponsePartition {
            partition_index,
            start_offset,
            ..Default::default()
        };
        let response = DescribeShareGroupOffsetsResponse {
            groups: vec![DescribeShareGroupOffsetsResponseGroup {
                group_id: "g".to_owned(),
                topics: vec![DescribeShareGroupOffsetsResponseTopic {
                    topic_name: "t".to_owned(),
                    partitions: vec![line(2, 7), line(0, -1)],
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        };
        let all = listed(&response, &ShareGroupOffsetsSpec::new("g")).expect("offsets");
        assert!(matches!(&all[..], [(_, Ok(None)), (_, Ok(Some(offset)))] if offset.start_offset == 7));
        let spec = ShareGroupOffsetsSpec::new("g").partitions([("t", 2), ("t", 5), ("t", 0)]);
        let some = listed(&response, &spec).expect("offsets");
        let [(_, Ok(Some(_))), (partition, Err(error)), (_, Ok(None))] = &some[..] else {
            panic!("{some:?}")
        };
        assert_eq!((partition.partition(), error.partition()), (5, Some(5)));
    }
}

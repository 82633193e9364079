//! What groups have committed.

use std::collections::HashMap;

use super::{TOPIC_NAMES_UNTIL, in_order};
use crate::admin::partitions::by_topic;
use crate::admin::{Admin, At, Call, Item, KafkaAdminClient, Results, Route, unanswered, verdict};
use crate::error::{Error, Result};
use crate::error_code::ErrorCode;
use crate::protocol::messages::offset_fetch::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use crate::protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};
use crate::types::{OffsetAndMetadata, TopicPartition};

/// Whose offsets to list: a group, and its partitions, or all that it has offsets for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupOffsetsSpec {
    group: String,
    partitions: Option<Vec<TopicPartition>>,
    require_stable: bool,
}

impl GroupOffsetsSpec {
    /// All partitions that the group has offsets for.
    pub fn new(group: impl Into<String>) -> Self {
        Self { group: group.into(), partitions: None, require_stable: false }
    }

    /// These partitions alone, also those without an offset.
    #[must_use]
    pub fn partitions(mut self, partitions: impl IntoIterator<Item = impl Into<TopicPartition>>) -> Self {
        self.partitions = Some(partitions.into_iter().map(Into::into).collect());
        self
    }

    /// Waits for transactions that may still change the offsets (KIP-447). Needs Kafka 2.5.
    #[must_use]
    pub fn require_stable(mut self) -> Self {
        self.require_stable = true;
        self
    }

    fn message(&self) -> OffsetFetchRequestGroup {
        let topic = |(name, partitions): (&str, Vec<(i32, ())>)| OffsetFetchRequestTopics {
            name: name.to_owned(),
            partition_indexes: partitions.into_iter().map(|(index, ())| index).collect(),
            ..Default::default()
        };
        let partitions = self.partitions.as_ref();
        OffsetFetchRequestGroup {
            group_id: self.group.clone(),
            topics: partitions
                .map(|all| by_topic(all.iter().map(|one| (one, ()))).into_iter().map(topic).collect()),
            ..Default::default()
        }
    }
}

impl From<&str> for GroupOffsetsSpec {
    fn from(group: &str) -> Self {
        Self::new(group)
    }
}

impl From<String> for GroupOffsetsSpec {
    fn from(group: String) -> Self {
        Self::new(group)
    }
}

impl From<&String> for GroupOffsetsSpec {
    fn from(group: &String) -> Self {
        Self::new(group)
    }
}

/// The offsets of a group: an error or an offset for each partition, and none where nothing is committed.
type Offsets = Results<TopicPartition, Option<OffsetAndMetadata>>;

impl KafkaAdminClient {
    /// Lists what groups have committed, of many groups with one request to each coordinator (KIP-709). Needs
    /// Kafka 0.9. Java's `listConsumerGroupOffsets` and `listStreamsGroupOffsets`.
    ///
    /// A group that does not exist has no offsets.
    ///
    /// ```
    /// use kavka::admin::GroupOffsetsSpec;
    /// use kavka::{KafkaAdminClient, TopicPartition};
    /// # let cluster = kavka::mock::MockCluster::builder().topic("orders", 2).start()?;
    /// # let servers = cluster.bootstrap_servers();
    ///
    /// let admin = KafkaAdminClient::builder().bootstrap_servers(servers).build()?;
    /// admin.alter_group_offsets("billing", [(("orders", 0), 42)])?;
    /// for (group, offsets) in admin.list_group_offsets(["billing"])? {
    ///     for (partition, offset) in offsets? {
    ///         let offset = offset?.map(|committed| committed.offset);
    ///         assert_eq!((group.as_str(), partition.partition(), offset), ("billing", 0, Some(42)));
    ///     }
    /// }
    /// let some = GroupOffsetsSpec::new("billing").partitions([("orders", 1)]);
    /// let results = admin.list_group_offsets([some])?;
    /// # let partitions = results.into_iter().next().expect("one group").1?;
    /// # assert_eq!(partitions.len(), 1);
    /// # assert!(matches!(&partitions[0], (p, Ok(None)) if *p == TopicPartition::new("orders", 1)));
    /// # Ok::<(), kavka::Error>(())
    /// ```
    ///
    /// # Errors
    /// For a group [`ErrorKind::Authorization`](crate::ErrorKind::Authorization),
    /// [`INVALID_GROUP_ID`](ErrorCode::INVALID_GROUP_ID); for a partition
    /// [`ErrorKind::UnknownTopic`](crate::ErrorKind::UnknownTopic) and
    /// [`ErrorKind::Authorization`](crate::ErrorKind::Authorization).
    pub fn list_group_offsets(
        &self,
        groups: impl IntoIterator<Item = impl Into<GroupOffsetsSpec>>,
    ) -> Result<Results<String, Offsets>> {
        let groups: Vec<GroupOffsetsSpec> = groups.into_iter().map(Into::into).collect();
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        self.call(LIST, move |admin, call| async move {
            let mut results: Vec<Option<(String, Result<Offsets>)>> = groups.iter().map(|_| None).collect();
            // What is required of a transaction is said once a request.
            for stable in [false, true] {
                let (indexes, wanted): (Vec<usize>, Vec<GroupOffsetsSpec>) = groups
                    .iter()
                    .cloned()
                    .enumerate()
                    .filter(|(_, spec)| spec.require_stable == stable)
                    .unzip();
                for (index, answer) in indexes.into_iter().zip(admin.group_offsets(call, wanted).await) {
                    if let Some(place) = results.get_mut(index) {
                        *place = Some(answer);
                    }
                }
            }
            Ok(results.into_iter().flatten().collect())
        })
    }
}

impl Admin {
    /// The offsets of groups that all require the same of transactions.
    pub(super) async fn group_offsets(
        &self,
        call: Call,
        groups: Vec<GroupOffsetsSpec>,
    ) -> Results<String, Offsets> {
        if groups.is_empty() {
            return Vec::new();
        }
        let item = |spec: GroupOffsetsSpec| {
            let item = Item::new(Route::Group(spec.group.clone()), spec);
            let (stable, all) = (item.key().require_stable, item.key().partitions.is_none());
            match () {
                () if stable => item.needs(STABLE_SINCE, "waiting for open transactions"),
                () if all => item.needs(ALL_SINCE, "listing all offsets of a group"),
                () => item,
            }
        };
        let request = |at: &At, groups: &[&GroupOffsetsSpec]| {
            let mut request = OffsetFetchRequest {
                require_stable: groups.iter().any(|group| group.require_stable),
                ..Default::default()
            };
            let messages = groups.iter().map(|group| group.message());
            if at.version >= GROUPS_SINCE {
                request.groups = messages.collect();
                return Ok(request);
            }
            for group in messages {
                request.group_id = group.group_id;
                let old = |topic: OffsetFetchRequestTopics| OffsetFetchRequestTopic {
                    name: topic.name,
                    partition_indexes: topic.partition_indexes,
                };
                request.topics = group.topics.map(|topics| topics.into_iter().map(old).collect());
            }
            Ok(request)
        };
        let read = |at: &At, response: OffsetFetchResponse, groups: &[&GroupOffsetsSpec]| {
            groups.iter().map(|spec| offsets_of(at.version, &response, spec)).collect()
        };
        let call = call.at_most(TOPIC_NAMES_UNTIL).one_by_one_before(GROUPS_SINCE);
        let results = self.ask(call, groups.into_iter().map(item).collect(), request, read).await;
        results.into_iter().map(|(spec, result)| (spec.group, result)).collect()
    }
}

/// What an answer says of one group.
fn offsets_of(version: i16, response: &OffsetFetchResponse, spec: &GroupOffsetsSpec) -> Result<Offsets> {
    let what = format!("{LIST} {}", spec.group);
    let mut found = HashMap::new();
    let mut add =
        |topic: &str, index: i32, offset: i64, epoch: i32, note: Option<&String>, code: ErrorCode| {
            if code == ErrorCode::UNSTABLE_OFFSET_COMMIT {
                // A transaction is about to decide: the whole group is asked again.
                return Err(Error::from_code(code, &what));
            }
            let committed = || OffsetAndMetadata {
                offset,
                metadata: note.cloned().unwrap_or_default(),
                leader_epoch: Some(epoch).filter(|&epoch| epoch >= 0),
            };
            let result = verdict(code, None, &what)
                .map(|()| (offset >= 0).then(committed))
                .map_err(|error| error.with_topic(topic).with_partition(index));
            found.insert(TopicPartition::new(topic, index), result);
            Ok(())
        };
    if version >= GROUPS_SINCE {
        let group = response.groups.iter().find(|group| group.group_id == spec.group);
        let group = group.ok_or_else(|| unanswered(&what))?;
        verdict(group.error_code, None, &what)?;
        for topic in &group.topics {
            for one in &topic.partitions {
                let (offset, epoch) = (one.committed_offset, one.committed_leader_epoch);
                add(&topic.name, one.partition_index, offset, epoch, one.metadata.as_ref(), one.error_code)?;
            }
        }
    } else {
        verdict(response.error_code, None, &what)?;
        for topic in &response.topics {
            for one in &topic.partitions {
                if version < ALL_SINCE && OF_GROUP.contains(&one.error_code) {
                    return Err(Error::from_code(one.error_code, &what));
                }
                let (offset, epoch) = (one.committed_offset, one.committed_leader_epoch);
                // So did brokers say that nothing is committed.
                let code = match one.error_code {
                    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION if version < ALL_SINCE => ErrorCode::NONE,
                    code => code,
                };
                add(&topic.name, one.partition_index, offset, epoch, one.metadata.as_ref(), code)?;
            }
        }
    }
    Ok(in_order(found, spec.partitions.as_deref(), &what))
}

const LIST: &str = "list offsets of group";
/// The version of OffsetFetch that can be asked for all partitions, and has an error of the group.
const ALL_SINCE: i16 = 2;
/// The version of OffsetFetch that can wait for transactions (KIP-447).
const STABLE_SINCE: i16 = 7;
/// The version of OffsetFetch that takes several groups (KIP-709).
const GROUPS_SINCE: i16 = 8;
/// What older brokers say of the group at each partition.
const OF_GROUP: &[ErrorCode] = &[
    ErrorCode::NOT_COORDINATOR,
    ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode::COORDINATOR_NOT_AVAILABLE,
    ErrorCode::GROUP_AUTHORIZATION_FAILED,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::messages::offset_fetch::{
        OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
        OffsetFetchResponseTopic, OffsetFetchResponseTopics,
    };

    fn new_answer(code: ErrorCode) -> OffsetFetchResponse {
        let line = |partition_index, committed_offset, error_code| OffsetFetchResponsePartitions {
            partition_index,
            committed_offset,
            error_code,
            ..Default::default()
        };
        OffsetFetchResponse {
            groups: vec![OffsetFetchResponseGroup {
                group_id: "g".to_owned(),
                topics: vec![OffsetFetchResponseTopics {
                    name: "t".to_owned(),
                    partitions: vec![
                        line(1, 7, ErrorCode::NONE),
                        line(0, -1, ErrorCode::NONE),
                        line(2, -1, code),
                    ],
                    ..Default::default()
                }],
                error_code: ErrorCode::NONE,
            }],
            ..Default::default()
        }
    }

    #[test]
    fn each_partition_has_its_own_outcome() {
        let answer = new_answer(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
        let offsets = offsets_of(8, &answer, &GroupOffsetsSpec::new("g")).expect("offsets");
        let [none, seven, refused] = &offsets[..] else { panic!("{offsets:?}") };
        assert!(matches!(none, (_, Ok(None))));
        assert!(
            matches!(seven, (_, Ok(Some(committed))) if committed.offset == 7 && committed.leader_epoch.is_none())
        );
        assert!(matches!(refused, (_, Err(error)) if error.partition() == Some(2)));

        let spec = GroupOffsetsSpec::new("g").partitions([("t", 1), ("t", 5)]);
        let offsets = offsets_of(8, &answer, &spec).expect("offsets");
        assert!(offsets[0].1.is_ok() && offsets[1].1.is_err(), "one is left out of the answer");
    }

    #[test]
    fn an_open_transaction_is_waited_for() {
        let answer = new_answer(ErrorCode::UNSTABLE_OFFSET_COMMIT);
        let error = offsets_of(8, &answer, &GroupOffsetsSpec::new("g")).expect_err("not yet");
        assert_eq!(error.code(), Some(ErrorCode::UNSTABLE_OFFSET_COMMIT));
    }

    #[test]
    fn brokers_of_old_tell_of_the_group_at_each_partition() {
        let answer = |error_code| OffsetFetchResponse {
            topics: vec![OffsetFetchResponseTopic {
                name: "t".to_owned(),
                partitions: vec![OffsetFetchResponsePartition {
                    committed_offset: -1,
                    error_code,
                    ..Default::default()
                }],
            }],
            ..Default::default()
        };
        let spec = GroupOffsetsSpec::new("g").partitions([("t", 0)]);
        let error = offsets_of(1, &answer(ErrorCode::NOT_COORDINATOR), &spec).expect_err("moved");
        assert_eq!(error.code(), Some(ErrorCode::NOT_COORDINATOR));
        let offsets = offsets_of(1, &answer(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION), &spec).expect("offsets");
        assert!(matches!(offsets[0], (_, Ok(None))));
    }
}

//! Committed offsets: written one request at a time in the order of the calls, and read.

use std::collections::HashMap;

use super::coordinator::Coordinator;
use super::to_commit::ToCommit;
use crate::config::GroupProtocol;
use crate::error::{Error, ErrorKind, Result};
use crate::error_code::ErrorCode;
use crate::protocol::Uuid;
use crate::protocol::messages::offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use crate::protocol::messages::offset_fetch::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use crate::protocol::messages::{OffsetCommitRequest, OffsetFetchRequest};
use crate::types::{OffsetAndMetadata, TopicPartition};

/// Who commits: a member of a generation, or a consumer that has assigned its partitions itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::consumer) struct Committer {
    /// The life of the member in the new protocol, in which its epoch goes up.
    pub(in crate::consumer) life: u64,
    /// -1 outside of the group protocol.
    pub(in crate::consumer) generation: i32,
    pub(in crate::consumer) member_id: String,
}

pub(in crate::consumer) type Offsets = HashMap<TopicPartition, OffsetAndMetadata>;

impl Coordinator {
    /// Commits, for the topics that there were when it was asked for. With `retries`, again and again until it is
    /// done or has failed for good; the caller bounds the wait. The place among all commits is that of this call.
    ///
    /// # Errors
    /// [`ErrorKind::CommitFailed`] when the group has moved on (retriable when a rebalance is under way), and
    /// what else the coordinator says; [`ErrorKind::TopicRecreated`].
    pub(in crate::consumer) fn commit(
        &self,
        offsets: Vec<ToCommit>,
        committer: Committer,
        retries: bool,
    ) -> impl Future<Output = Result<()>> + use<> {
        let turn = self.0.commits.take();
        let this = self.clone();
        async move {
            let _turn = turn.await;
            let mut failures = 0;
            loop {
                match this.try_commit(&offsets, &committer).await {
                    Err(error) if this.is_worth_another_try(&error, retries) => {
                        log::debug!("{error}");
                        failures += 1;
                        this.0.cluster.net().sleep(this.backoff(failures)).await;
                    }
                    outcome => return outcome,
                }
            }
        }
    }

    fn is_worth_another_try(&self, error: &Error, retries: bool) -> bool {
        match error.code() {
            // The epoch goes on while the member stays: the next heartbeat tells it.
            Some(ErrorCode::STALE_MEMBER_EPOCH) => error.is_retriable(),
            // The rebalance goes on without the program, and what is kept can be committed after it.
            Some(ErrorCode::REBALANCE_IN_PROGRESS) => retries && self.is_cooperative(),
            _ => retries && error.is_retriable() && error.kind() != ErrorKind::CommitFailed,
        }
    }

    fn is_cooperative(&self) -> bool {
        super::is_cooperative(&self.0.config.partition_assignment_strategy)
    }

    /// The generation or epoch to commit in; `None` when the member has begun anew since.
    fn generation_of(&self, committer: &Committer) -> Option<i32> {
        let member = self.0.member.borrow();
        match self.0.config.group_protocol {
            _ if committer.generation < 0 => Some(committer.generation),
            // What a cooperative member keeps, it keeps over generations.
            GroupProtocol::Classic if self.is_cooperative() => {
                Some(member.generation).filter(|now| *now >= 0 && member.id == committer.member_id)
            }
            GroupProtocol::Classic => Some(member.generation).filter(|now| *now == committer.generation),
            GroupProtocol::Consumer => {
                Some(member.generation).filter(|now| *now >= 0 && member.life == committer.life)
            }
        }
    }

    /// The ids of all topics, if all have one and the coordinator is new enough to want them.
    async fn topic_ids(&self, topics: &[&str]) -> Result<Option<HashMap<String, Uuid>>> {
        let view = self.0.cluster.snapshot();
        let id = |name: &&str| {
            let topic = view.topic(name).filter(|topic| topic.error.is_ok() && !topic.id.is_zero())?;
            Some(((*name).to_owned(), topic.id))
        };
        let ids: Option<HashMap<String, Uuid>> = topics.iter().map(id).collect();
        let version = self.connection().await?.pick_version::<OffsetFetchRequest>(i16::MAX)?;
        Ok(ids.filter(|_| version >= FETCH_BY_ID))
    }

    async fn try_commit(&self, offsets: &[ToCommit], committer: &Committer) -> Result<()> {
        let current = || {
            let generation = self.generation_of(committer);
            generation.ok_or_else(|| self.moved_on(ErrorCode::ILLEGAL_GENERATION, false))
        };
        current()?;
        let version = self.connection().await?.pick_version::<OffsetCommitRequest>(i16::MAX)?;
        // Finding the coordinator may have taken long.
        let generation = current()?;
        let view = self.0.cluster.snapshot();
        for one in offsets {
            one.check_topic(view.topic(one.tp.topic()).map(|topic| topic.id))?;
        }
        // Since it was asked for, partitions may have gone to others, whose progress it would take back.
        let (gone, offsets): (Vec<&ToCommit>, Vec<&ToCommit>) =
            offsets.iter().partition(|one| one.is_given_up_by(generation));
        let refused = gone.first().map_or(Ok(()), |one| {
            let error = self.moved_on(ErrorCode::ILLEGAL_GENERATION, false);
            Err(error.with_topic(one.tp.topic()).with_partition(one.tp.partition()))
        });
        if offsets.is_empty() {
            return refused;
        }
        let by_id = version >= COMMIT_BY_ID && offsets.iter().all(|one| !one.topic_id.is_zero());
        let mut topics: Vec<OffsetCommitRequestTopic> = Vec::new();
        for ToCommit { tp, offset, topic_id, .. } in &offsets {
            let topic_id = if by_id { *topic_id } else { Uuid::ZERO };
            let partition = OffsetCommitRequestPartition {
                partition_index: tp.partition(),
                committed_offset: offset.offset,
                committed_leader_epoch: offset.leader_epoch.unwrap_or(-1),
                committed_metadata: Some(offset.metadata.clone()),
                ..OffsetCommitRequestPartition::default()
            };
            let known =
                topics.iter_mut().find(|topic| topic.name == tp.topic() && topic.topic_id == topic_id);
            match known {
                Some(topic) => topic.partitions.push(partition),
                None => topics.push(OffsetCommitRequestTopic {
                    name: tp.topic().to_owned(),
                    topic_id,
                    partitions: vec![partition],
                }),
            }
        }
        let config = &self.0.config;
        let request = |_| OffsetCommitRequest {
            group_id: self.0.group_id.clone(),
            generation_id_or_member_epoch: generation,
            member_id: committer.member_id.clone(),
            group_instance_id: config.group_instance_id.clone().filter(|_| generation >= 0),
            topics,
            ..OffsetCommitRequest::default()
        };
        let cap = if by_id { i16::MAX } else { COMMIT_BY_ID - 1 };
        let begin = self.0.cluster.net().now();
        let response = self.request(cap, config.common.request_timeout, request).await?;
        let now = self.0.cluster.net().now();
        self.meter().sensors.commits.record_millis(now.saturating_duration_since(begin), now);
        for topic in response.topics {
            let name = offsets.iter().find(|one| one.topic_id == topic.topic_id && topic.name.is_empty());
            let name = name.map_or(topic.name.as_str(), |one| one.tp.topic());
            for partition in topic.partitions {
                self.check(partition.error_code, generation, committer)
                    .map_err(|error| error.with_topic(name).with_partition(partition.partition_index))?;
            }
        }
        refused
    }

    fn check(&self, code: ErrorCode, generation: i32, committer: &Committer) -> Result<()> {
        let is_member = || generation >= 0 && self.generation_of(committer) == Some(generation);
        match code {
            ErrorCode::NONE => Ok(()),
            ErrorCode::REBALANCE_IN_PROGRESS => Err(self.moved_on(code, true)),
            // The group has got to the next generation, and the answer that says so is on its way.
            ErrorCode::ILLEGAL_GENERATION
                if generation >= 0
                    && self.is_cooperative()
                    && self.0.member.borrow().joining
                    && self.generation_of(committer).is_some() =>
            {
                Err(self.moved_on(ErrorCode::REBALANCE_IN_PROGRESS, true))
            }
            // The epoch has gone on while the commit was under way; the next heartbeat tells the new one.
            ErrorCode::STALE_MEMBER_EPOCH if generation >= 0 && self.generation_of(committer).is_some() => {
                Err(self.error(code, "commit").with_retriable(true))
            }
            ErrorCode::ILLEGAL_GENERATION | ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::STALE_MEMBER_EPOCH => {
                if is_member() {
                    self.lost(code == ErrorCode::ILLEGAL_GENERATION || self.is_modern(), None);
                }
                Err(self.moved_on(code, false))
            }
            // Deleted and created anew, most likely; metadata tells by the next attempt.
            ErrorCode::UNKNOWN_TOPIC_ID => {
                self.0.cluster.request_update();
                Err(self.error(code, "commit").with_retriable(true))
            }
            code => {
                let moved = self.has_moved(code);
                let error = self.error(code, "commit");
                Err(if moved { error.with_retriable(true) } else { error })
            }
        }
    }

    fn is_modern(&self) -> bool {
        self.0.config.group_protocol == GroupProtocol::Consumer
    }

    fn moved_on(&self, code: ErrorCode, retriable: bool) -> Error {
        let text = format!(
            "the offsets were not committed: group {} has moved on ({code}), and the partitions may be \
             another member's by now",
            self.0.group_id
        );
        Error::new(ErrorKind::CommitFailed, text).with_code(code).with_retriable(retriable)
    }

    /// What the group has committed for these partitions, in their order.
    ///
    /// # Errors
    /// What another try will not mend; the caller bounds the wait.
    pub(in crate::consumer) async fn committed(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Option<OffsetAndMetadata>>> {
        let mut failures = 0;
        loop {
            match self.try_committed(partitions).await {
                Err(error) if error.is_retriable() => {
                    log::debug!("{error}");
                    failures += 1;
                    self.0.cluster.net().sleep(self.backoff(failures)).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn try_committed(&self, partitions: &[TopicPartition]) -> Result<Vec<Option<OffsetAndMetadata>>> {
        let mut by_topic: HashMap<&str, Vec<i32>> = HashMap::new();
        for tp in partitions {
            by_topic.entry(tp.topic()).or_default().push(tp.partition());
        }
        let group_id = &self.0.group_id;
        let names: Vec<&str> = by_topic.keys().copied().collect();
        let ids = self.topic_ids(&names).await?;
        let (member_id, member_epoch) = {
            let member = self.0.member.borrow();
            let inside = self.is_modern() && member.generation >= 0;
            (inside.then(|| member.id.clone()), if inside { member.generation } else { -1 })
        };
        let request = |version| {
            let mut request = OffsetFetchRequest { require_stable: version >= 7, ..Default::default() };
            if version >= 8 {
                let topics = by_topic.iter().map(|(name, partitions)| OffsetFetchRequestTopics {
                    name: (*name).to_owned(),
                    topic_id: ids.as_ref().and_then(|ids| ids.get(*name)).copied().unwrap_or_default(),
                    partition_indexes: partitions.clone(),
                });
                let (group_id, topics) = (group_id.clone(), Some(topics.collect()));
                request.groups = vec![OffsetFetchRequestGroup { group_id, member_id, member_epoch, topics }];
            } else {
                let topics = by_topic.iter().map(|(name, partitions)| OffsetFetchRequestTopic {
                    name: (*name).to_owned(),
                    partition_indexes: partitions.clone(),
                });
                (request.group_id, request.topics) = (group_id.clone(), Some(topics.collect()));
            }
            request
        };
        let cap = if ids.is_some() { i16::MAX } else { FETCH_BY_ID - 1 };
        let response = self.request(cap, self.0.config.common.request_timeout, request).await?;
        let mut found: HashMap<(String, i32), (ErrorCode, OffsetAndMetadata)> = HashMap::new();
        let mut add = |topic: &str, partition, code, offset, epoch: i32, metadata: Option<String>| {
            let offset = OffsetAndMetadata {
                offset,
                metadata: metadata.unwrap_or_default(),
                leader_epoch: Some(epoch).filter(|epoch| *epoch >= 0),
            };
            found.insert((topic.to_owned(), partition), (code, offset));
        };
        let mut codes = vec![response.error_code];
        for topic in response.topics {
            for p in topic.partitions {
                let (offset, epoch) = (p.committed_offset, p.committed_leader_epoch);
                add(&topic.name, p.partition_index, p.error_code, offset, epoch, p.metadata);
            }
        }
        for group in response.groups {
            codes.push(group.error_code);
            for topic in group.topics {
                let name =
                    ids.iter().flatten().find(|(_, id)| **id == topic.topic_id && topic.name.is_empty());
                let name = name.map_or(&topic.name, |(name, _)| name);
                for p in topic.partitions {
                    let (offset, epoch) = (p.committed_offset, p.committed_leader_epoch);
                    add(name, p.partition_index, p.error_code, offset, epoch, p.metadata);
                }
            }
        }
        for code in codes {
            self.check_fetch(code)?;
        }
        let mut committed = Vec::new();
        for tp in partitions {
            committed.push(match found.remove(&(tp.topic().to_owned(), tp.partition())) {
                None => None,
                Some((code, offset)) => {
                    self.check_fetch(code)
                        .map_err(|error| error.with_topic(tp.topic()).with_partition(tp.partition()))?;
                    Some(offset).filter(|offset| offset.offset >= 0)
                }
            });
        }
        Ok(committed)
    }

    fn check_fetch(&self, code: ErrorCode) -> Result<()> {
        if code.is_ok() {
            return Ok(());
        }
        // A member of the new protocol may have another epoch, or be none any more, when it asks again.
        let transient = matches!(code, ErrorCode::STALE_MEMBER_EPOCH | ErrorCode::UNKNOWN_MEMBER_ID);
        let again = self.has_moved(code) || (transient && self.is_modern());
        if code == ErrorCode::UNKNOWN_TOPIC_ID {
            self.0.cluster.request_update();
        }
        let error = self.error(code, "committed offsets");
        Err(if again { error.with_retriable(true) } else { error })
    }
}

/// The first versions that name topics by their ids, which topics of old brokers lack.
const COMMIT_BY_ID: i16 = 10;
const FETCH_BY_ID: i16 = 10;

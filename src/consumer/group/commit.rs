//! Committed offsets: written one request at a time in the order of the calls, and read.

use std::collections::HashMap;

use super::coordinator::Coordinator;
use crate::error::{Error, ErrorKind, Result};
use crate::error_code::ErrorCode;
use crate::protocol::messages::offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use crate::protocol::messages::offset_fetch::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use crate::protocol::messages::{OffsetCommitRequest, OffsetFetchRequest};
use crate::types::{OffsetAndMetadata, TopicPartition};

/// Who commits: a member of a generation, or a consumer that has assigned its partitions itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::consumer) struct Committer {
    /// -1 outside of the group protocol.
    pub(in crate::consumer) generation: i32,
    pub(in crate::consumer) member_id: String,
}

pub(in crate::consumer) type Offsets = HashMap<TopicPartition, OffsetAndMetadata>;

impl Coordinator {
    /// Commits. With `retries`, again and again until it is done or has failed for good; the caller bounds the
    /// wait. The place among all commits is that of this call.
    ///
    /// # Errors
    /// [`ErrorKind::CommitFailed`] when the group has moved on (retriable when a rebalance is under way), and
    /// what else the coordinator says.
    pub(in crate::consumer) fn commit(
        &self,
        offsets: Offsets,
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
                    Err(error)
                        if retries && error.is_retriable() && error.kind() != ErrorKind::CommitFailed =>
                    {
                        log::debug!("{error}");
                        failures += 1;
                        this.0.cluster.net().sleep(this.backoff(failures)).await;
                    }
                    outcome => return outcome,
                }
            }
        }
    }

    async fn try_commit(&self, offsets: &Offsets, committer: &Committer) -> Result<()> {
        if committer.generation >= 0 && self.0.member.borrow().generation != committer.generation {
            return Err(self.moved_on(ErrorCode::ILLEGAL_GENERATION, false));
        }
        let mut topics: Vec<OffsetCommitRequestTopic> = Vec::new();
        for (tp, offset) in offsets {
            let partition = OffsetCommitRequestPartition {
                partition_index: tp.partition(),
                committed_offset: offset.offset,
                committed_leader_epoch: offset.leader_epoch.unwrap_or(-1),
                committed_metadata: Some(offset.metadata.clone()),
                ..OffsetCommitRequestPartition::default()
            };
            match topics.iter_mut().find(|topic| topic.name == tp.topic()) {
                Some(topic) => topic.partitions.push(partition),
                None => topics.push(OffsetCommitRequestTopic {
                    name: tp.topic().to_owned(),
                    partitions: vec![partition],
                    ..OffsetCommitRequestTopic::default()
                }),
            }
        }
        let config = &self.0.config;
        let request = |_| OffsetCommitRequest {
            group_id: self.0.group_id.clone(),
            generation_id_or_member_epoch: committer.generation,
            member_id: committer.member_id.clone(),
            group_instance_id: config.group_instance_id.clone().filter(|_| committer.generation >= 0),
            topics,
            ..OffsetCommitRequest::default()
        };
        let response = self.request(COMMIT_BY_NAME, config.common.request_timeout, request).await?;
        for topic in response.topics {
            for partition in topic.partitions {
                self.check(partition.error_code, committer).map_err(|error| {
                    error.with_topic(&topic.name).with_partition(partition.partition_index)
                })?;
            }
        }
        Ok(())
    }

    fn check(&self, code: ErrorCode, committer: &Committer) -> Result<()> {
        match code {
            ErrorCode::NONE => Ok(()),
            ErrorCode::REBALANCE_IN_PROGRESS => Err(self.moved_on(code, true)),
            ErrorCode::ILLEGAL_GENERATION | ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::STALE_MEMBER_EPOCH => {
                if committer.generation >= 0 && self.0.member.borrow().generation == committer.generation {
                    self.lost(code == ErrorCode::ILLEGAL_GENERATION, None);
                }
                Err(self.moved_on(code, false))
            }
            code => {
                let moved = self.has_moved(code);
                let error = self.error(code, "commit");
                Err(if moved { error.with_retriable(true) } else { error })
            }
        }
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
        let request = |version| {
            let mut request = OffsetFetchRequest { require_stable: version >= 7, ..Default::default() };
            if version >= 8 {
                let topics = by_topic.iter().map(|(name, partitions)| OffsetFetchRequestTopics {
                    name: (*name).to_owned(),
                    partition_indexes: partitions.clone(),
                    ..Default::default()
                });
                let (group_id, topics) = (group_id.clone(), Some(topics.collect()));
                request.groups = vec![OffsetFetchRequestGroup { group_id, topics, ..Default::default() }];
            } else {
                let topics = by_topic.iter().map(|(name, partitions)| OffsetFetchRequestTopic {
                    name: (*name).to_owned(),
                    partition_indexes: partitions.clone(),
                });
                (request.group_id, request.topics) = (group_id.clone(), Some(topics.collect()));
            }
            request
        };
        let response = self.request(FETCH_BY_NAME, self.0.config.common.request_timeout, request).await?;
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
                for p in topic.partitions {
                    let (offset, epoch) = (p.committed_offset, p.committed_leader_epoch);
                    add(&topic.name, p.partition_index, p.error_code, offset, epoch, p.metadata);
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
        let moved = self.has_moved(code);
        let error = self.error(code, "committed offsets");
        Err(if moved { error.with_retriable(true) } else { error })
    }
}

/// The last versions that name topics by their names; the next ones need ids, which old topics may lack.
const COMMIT_BY_NAME: i16 = 9;
const FETCH_BY_NAME: i16 = 9;

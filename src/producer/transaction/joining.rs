//! What joins a transaction: partitions before transaction version 2, and the offsets of groups.

use std::collections::BTreeMap;

use super::driver::{Begun, Transactor};
use super::verdict::{Class, class_of};
use crate::cluster::CoordinatorType;
use crate::error::{Error, ErrorKind, Result};
use crate::error_code::ErrorCode;
use crate::protocol::messages::add_partitions_to_txn::AddPartitionsToTxnTopic;
use crate::protocol::messages::txn_offset_commit::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use crate::protocol::messages::{AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, TxnOffsetCommitRequest};
use crate::types::{ConsumerGroupMetadata, OffsetAndMetadata, TopicPartition};

/// Offsets on their way into a transaction.
pub(in crate::producer) type Offsets = BTreeMap<TopicPartition, OffsetAndMetadata>;

impl Transactor {
    /// Adds the wanted partitions until there are none left.
    pub(super) async fn add_partitions(self) {
        loop {
            let wanted = {
                let mut current = self.0.current.borrow_mut();
                current.joining = std::mem::take(&mut current.wanted);
                current.joining.clone()
            };
            if wanted.is_empty() || self.is_over() {
                break;
            }
            if let Err(error) = self.add(&wanted).await {
                self.fail(error, false);
                break;
            }
            self.wake_sender();
        }
        {
            let mut current = self.0.current.borrow_mut();
            current.wanted.clear();
            current.joining.clear();
            current.adding = false;
        }
        self.0.news.notify();
        self.wake_sender();
    }

    async fn add(&self, partitions: &[TopicPartition]) -> Result<()> {
        let Some(producer) = self.producer() else { return Ok(()) };
        let mut topics: Vec<AddPartitionsToTxnTopic> = Vec::new();
        for tp in partitions {
            match topics.iter_mut().find(|topic| topic.name == tp.topic()) {
                Some(topic) => topic.partitions.push(tp.partition()),
                None => topics.push(AddPartitionsToTxnTopic {
                    name: tp.topic().to_owned(),
                    partitions: vec![tp.partition()],
                }),
            }
        }
        let mut failures = 0;
        loop {
            let request = |_| AddPartitionsToTxnRequest {
                v3_and_below_transactional_id: self.0.id.clone(),
                v3_and_below_producer_id: producer.id,
                v3_and_below_producer_epoch: producer.epoch,
                v3_and_below_topics: topics.clone(),
                ..Default::default()
            };
            let asked = self.ask(CoordinatorType::Transaction, &self.0.id, LAST_FOR_CLIENTS, request).await;
            let response = match asked {
                Ok(response) => response,
                Err(error) => {
                    // It may have arrived, so an abort has to wait until that is known.
                    self.begun(Begun::Maybe);
                    self.pause_after(error, &mut failures).await?;
                    continue;
                }
            };
            let lines = response
                .results_by_topic_v3_and_below
                .iter()
                .flat_map(|topic| topic.results_by_partition.iter().map(move |line| (&topic.name, line)));
            let mut bad: Vec<(ErrorCode, &str, i32)> = lines
                .filter(|(_, line)| !line.partition_error_code.is_ok())
                .map(|(topic, line)| (line.partition_error_code, topic.as_str(), line.partition_index))
                .collect();
            // Said of the good ones when there is a bad one among them.
            bad.sort_by_key(|(code, _, _)| *code == ErrorCode::OPERATION_NOT_ATTEMPTED);
            let Some((code, topic, partition)) = bad.first().copied() else {
                self.begun(Begun::Yes);
                self.0.current.borrow_mut().added.extend(partitions.iter().cloned());
                return Ok(());
            };
            match class_of(code) {
                Class::Retry if self.is_over() => return Ok(()),
                Class::Retry => {}
                Class::Elsewhere => self.forget(CoordinatorType::Transaction, &self.0.id),
                class => {
                    let error = self.error(code, "adding a partition");
                    if class == Class::Forgotten {
                        self.begun(Begun::Maybe);
                    }
                    return Err(error.with_topic(topic).with_partition(partition));
                }
            }
            self.pause(code, &mut failures).await;
        }
    }

    /// Commits offsets of a group as a part of the transaction. Goes on when the caller has run out of time; the end
    /// of the transaction waits for it.
    pub(in crate::producer) fn send_offsets(
        &self,
        offsets: Offsets,
        group: ConsumerGroupMetadata,
    ) -> impl Future<Output = Result<()>> + use<> {
        let (sender, receiver) = futures_channel::oneshot::channel();
        self.0.current.borrow_mut().sending_offsets += 1;
        let this = self.clone();
        self.spawn(async move {
            let result = match this.try_send_offsets(offsets, &group).await {
                Ok(()) => Ok(()),
                Err(error) => Err(this.fail(error, false)),
            };
            this.0.current.borrow_mut().sending_offsets -= 1;
            this.0.news.notify();
            // Who ran out of time learns it from the commit.
            let _ = sender.send(result);
        });
        let gone = || Error::new(ErrorKind::Closed, "the producer is closed");
        async move { receiver.await.unwrap_or_else(|_| Err(gone())) }
    }

    async fn try_send_offsets(&self, offsets: Offsets, group: &ConsumerGroupMetadata) -> Result<()> {
        let has_joined = self.0.current.borrow().groups.contains(&group.group_id);
        if !self.is_version_2() && !has_joined {
            self.add_group(group).await?;
        }
        let Some(producer) = self.producer() else { return Ok(()) };
        let cap = if self.is_version_2() { LAST_BY_NAME } else { LAST_OF_VERSION_1 };
        let mut left = offsets;
        let mut failures = 0;
        while !left.is_empty() {
            let request = |version: i16| {
                // Before 2.5 (KIP-447) groups do not check who commits: only the transactional id protects.
                let member = Some(group).filter(|_| version >= KNOWS_MEMBERS);
                TxnOffsetCommitRequest {
                    transactional_id: self.0.id.clone(),
                    group_id: group.group_id.clone(),
                    producer_id: producer.id,
                    producer_epoch: producer.epoch,
                    generation_id_or_member_epoch: member.map_or(-1, |member| member.generation_id),
                    member_id: member.map(|member| member.member_id.clone()).unwrap_or_default(),
                    group_instance_id: member.and_then(|member| member.group_instance_id.clone()),
                    topics: topics_of(&left),
                }
            };
            if self.is_version_2() {
                self.begun(Begun::Yes);
            }
            let asked = self.ask(CoordinatorType::Group, &group.group_id, cap, request).await;
            let response = match asked {
                Ok(response) => response,
                Err(error) => {
                    self.lost().map_or(Ok(()), Err)?;
                    self.pause_after(error, &mut failures).await?;
                    continue;
                }
            };
            let mut again = None;
            for topic in response.topics {
                for line in topic.partitions {
                    let tp = TopicPartition::new(topic.name.as_str(), line.partition_index);
                    if line.error_code.is_ok() {
                        left.remove(&tp);
                        continue;
                    }
                    match class_of(line.error_code) {
                        Class::Retry => {}
                        Class::Elsewhere => self.forget(CoordinatorType::Group, &group.group_id),
                        _ => {
                            let what = format!("send_offsets_to_transaction for group {}", group.group_id);
                            let error = self.error(line.error_code, &what);
                            return Err(error.with_topic(tp.topic()).with_partition(tp.partition()));
                        }
                    }
                    again = Some(line.error_code);
                }
            }
            if left.is_empty() {
                return Ok(());
            }
            self.lost().map_or(Ok(()), Err)?;
            self.pause(again.unwrap_or(ErrorCode::UNKNOWN_SERVER_ERROR), &mut failures).await;
        }
        Ok(())
    }

    async fn add_group(&self, group: &ConsumerGroupMetadata) -> Result<()> {
        let Some(producer) = self.producer() else { return Ok(()) };
        let mut failures = 0;
        loop {
            let request = |_| AddOffsetsToTxnRequest {
                transactional_id: self.0.id.clone(),
                producer_id: producer.id,
                producer_epoch: producer.epoch,
                group_id: group.group_id.clone(),
            };
            let asked = self.ask(CoordinatorType::Transaction, &self.0.id, i16::MAX, request).await;
            let code = match asked {
                Ok(response) => response.error_code,
                Err(error) => {
                    self.begun(Begun::Maybe);
                    self.pause_after(error, &mut failures).await?;
                    continue;
                }
            };
            if code.is_ok() {
                self.begun(Begun::Yes);
                self.0.current.borrow_mut().groups.insert(group.group_id.clone());
                return Ok(());
            }
            match class_of(code) {
                Class::Retry => self.lost().map_or(Ok(()), Err)?,
                Class::Elsewhere => self.forget(CoordinatorType::Transaction, &self.0.id),
                class => {
                    if class == Class::Forgotten {
                        self.begun(Begun::Maybe);
                    }
                    return Err(self.error(code, &format!("adding the offsets of group {}", group.group_id)));
                }
            }
            self.pause(code, &mut failures).await;
        }
    }
}

fn topics_of(offsets: &Offsets) -> Vec<TxnOffsetCommitRequestTopic> {
    let mut topics: Vec<TxnOffsetCommitRequestTopic> = Vec::new();
    for (tp, offset) in offsets {
        let partition = TxnOffsetCommitRequestPartition {
            partition_index: tp.partition(),
            committed_offset: offset.offset,
            committed_leader_epoch: offset.leader_epoch.unwrap_or(-1),
            committed_metadata: Some(offset.metadata.clone()),
        };
        match topics.iter_mut().find(|topic| topic.name == tp.topic()) {
            Some(topic) => topic.partitions.push(partition),
            None => topics.push(TxnOffsetCommitRequestTopic {
                name: tp.topic().to_owned(),
                partitions: vec![partition],
                ..Default::default()
            }),
        }
    }
    topics
}

/// Newer versions of AddPartitionsToTxn are for brokers.
const LAST_FOR_CLIENTS: i16 = 3;

/// The first version of TxnOffsetCommit that tells of the group's member (KIP-447).
const KNOWS_MEMBERS: i16 = 3;

/// Newer versions of TxnOffsetCommit add the group to the transaction by themselves.
const LAST_OF_VERSION_1: i16 = 4;

/// Newer versions of TxnOffsetCommit name topics by id.
const LAST_BY_NAME: i16 = 5;

//! TxnOffsetCommit.

use super::{Cx, Handled, Handler};
use crate::error_code::ErrorCode;
use crate::mock::group::{Committed, Group};
use crate::mock::state::State;
use crate::mock::transactions::{Part, Producer};
use crate::protocol::messages::txn_offset_commit::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use crate::protocol::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};

/// The first version that knows the code of transactions that have to be aborted.
const ABORTABLE: i16 = 4;
/// The first version that adds the group to the transaction by itself (KIP-890).
const ADDS_GROUP: i16 = 5;
/// The first version that names topics by id.
const TOPIC_IDS: i16 = 6;

impl Handler for TxnOffsetCommitRequest {
    fn partitions(&self, state: &State, _: i32) -> Vec<(String, i32)> {
        let mut all = Vec::new();
        for topic in &self.topics {
            let by_id = state.topic_name(topic.topic_id).map(str::to_owned);
            let name = by_id.unwrap_or_else(|| topic.name.clone());
            all.extend(topic.partitions.iter().map(|one| (name.clone(), one.partition_index)));
        }
        all
    }

    async fn handle(self, cx: &Cx) -> Handled<TxnOffsetCommitResponse> {
        let mut response = TxnOffsetCommitResponse::default();
        let allowed = check(&self, cx);
        let mut state = cx.state();
        let state = &mut *state;
        for topic in self.topics {
            let by_id = cx.version >= TOPIC_IDS;
            let name = if by_id {
                state.topic_name(topic.topic_id).map(str::to_owned)
            } else {
                Some(topic.name.clone())
            };
            let mut answer = TxnOffsetCommitResponseTopic {
                name: topic.name,
                topic_id: topic.topic_id,
                partitions: Vec::with_capacity(topic.partitions.len()),
            };
            for partition in topic.partitions {
                let index = partition.partition_index;
                let result = allowed.and_then(|()| {
                    let name = name.as_deref().ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?;
                    cx.check_partition(name, index)?;
                    if state.partition(name, index).is_none() {
                        return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
                    }
                    let group = state.groups.get_mut(&self.group_id).ok_or(ErrorCode::GROUP_ID_NOT_FOUND)?;
                    let committed = Committed {
                        offset: partition.committed_offset,
                        leader_epoch: partition.committed_leader_epoch,
                        metadata: partition.committed_metadata.unwrap_or_default(),
                    };
                    group.commit_in_transaction(self.producer_id, name, index, committed);
                    Ok(())
                });
                answer.partitions.push(TxnOffsetCommitResponsePartition {
                    partition_index: index,
                    error_code: result.err().unwrap_or_default(),
                });
            }
            response.topics.push(answer);
        }
        cx.cluster.transaction_timers.notify();
        Handled::Answer(response)
    }
}

fn check(request: &TxnOffsetCommitRequest, cx: &Cx) -> Result<(), ErrorCode> {
    if request.group_id.is_empty() {
        return Err(ErrorCode::INVALID_GROUP_ID);
    }
    cx.check_group(&request.group_id)?;
    let moment = cx.moment();
    let mut state = cx.state();
    let state = &mut *state;
    let generation = request.generation_id_or_member_epoch;
    match state.groups.get_mut(&request.group_id) {
        Some(group) => {
            let instance = request.group_instance_id.as_deref();
            group.check_transactional_commit(&request.member_id, instance, generation, moment.now)?;
        }
        None if generation < 0 => {
            state.groups.insert(request.group_id.clone(), Group::default());
        }
        None => return Err(ErrorCode::ILLEGAL_GENERATION),
    }
    let producer = Producer { id: request.producer_id, epoch: request.producer_epoch };
    let part = Part::Group(request.group_id.clone());
    let id = &request.transactional_id;
    let admitted = if cx.version >= ADDS_GROUP {
        state.transactions.add(id, producer, [part], true, moment)
    } else {
        state.transactions.verify(id, producer, &part)
    };
    admitted.map_err(|code| match code {
        ErrorCode::PRODUCER_FENCED => ErrorCode::INVALID_PRODUCER_EPOCH,
        ErrorCode::TRANSACTION_ABORTABLE if cx.version < ABORTABLE => ErrorCode::INVALID_TXN_STATE,
        code => code,
    })
}

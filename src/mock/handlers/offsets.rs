//! OffsetCommit and OffsetFetch.

use super::{Cx, Handled, Handler};
use crate::error_code::ErrorCode;
use crate::mock::group::{Committed, Group};
use crate::mock::state::State;
use crate::protocol::messages::offset_commit::{
    OffsetCommitRequestPartition, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use crate::protocol::messages::offset_fetch::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponseGroup,
    OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use crate::protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse,
};

/// The first version of both APIs that names topics by id.
const TOPIC_IDS: i16 = 10;

/// `offset.metadata.max.bytes`, as it is by default.
const MAX_METADATA: usize = 4096;

impl Handler for OffsetCommitRequest {
    fn partitions(&self, state: &State, _: i32) -> Vec<(String, i32)> {
        let mut all = Vec::new();
        for topic in &self.topics {
            let by_id = state.topic_name(topic.topic_id).map(str::to_owned);
            let name = by_id.unwrap_or_else(|| topic.name.clone());
            all.extend(topic.partitions.iter().map(|one| (name.clone(), one.partition_index)));
        }
        all
    }

    async fn handle(self, cx: &Cx) -> Handled<OffsetCommitResponse> {
        let mut response = OffsetCommitResponse::default();
        let allowed = check(&self, cx);
        let mut state = cx.state();
        for topic in self.topics {
            let name = if cx.version >= TOPIC_IDS {
                state.topic_name(topic.topic_id).map(str::to_owned)
            } else {
                Some(topic.name.clone())
            };
            let mut answer = OffsetCommitResponseTopic {
                name: topic.name,
                topic_id: topic.topic_id,
                partitions: Vec::with_capacity(topic.partitions.len()),
            };
            for partition in topic.partitions {
                let partition_index = partition.partition_index;
                let result = allowed.and_then(|()| match &name {
                    None => Err(ErrorCode::UNKNOWN_TOPIC_ID),
                    Some(name) => commit(&mut state, cx, &self.group_id, name, partition),
                });
                let error_code = result.err().unwrap_or_default();
                answer.partitions.push(OffsetCommitResponsePartition { partition_index, error_code });
            }
            response.topics.push(answer);
        }
        Handled::Answer(response)
    }
}

fn check(request: &OffsetCommitRequest, cx: &Cx) -> Result<(), ErrorCode> {
    if request.group_id.is_empty() {
        return Err(ErrorCode::INVALID_GROUP_ID);
    }
    cx.check_group(&request.group_id)?;
    let mut state = cx.state();
    let generation = request.generation_id_or_member_epoch;
    match state.groups.get_mut(&request.group_id) {
        Some(group) => {
            let instance = request.group_instance_id.as_deref();
            group.check_commit(&request.member_id, instance, generation, cx.cluster.net.now())
        }
        // One that assigns its partitions itself commits without ever joining.
        None if generation < 0 => {
            state.groups.insert(request.group_id.clone(), Group::default());
            Ok(())
        }
        None => Err(ErrorCode::ILLEGAL_GENERATION),
    }
}

fn commit(
    state: &mut State,
    cx: &Cx,
    group: &str,
    topic: &str,
    partition: OffsetCommitRequestPartition,
) -> Result<(), ErrorCode> {
    let index = partition.partition_index;
    cx.check_partition(topic, index)?;
    if state.partition(topic, index).is_none() {
        return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    let metadata = partition.committed_metadata.unwrap_or_default();
    if metadata.len() > MAX_METADATA {
        return Err(ErrorCode::OFFSET_METADATA_TOO_LARGE);
    }
    let group = state.groups.get_mut(group).ok_or(ErrorCode::GROUP_ID_NOT_FOUND)?;
    let committed = Committed {
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata,
    };
    group.offsets.insert((topic.to_owned(), index), committed);
    Ok(())
}

impl Handler for OffsetFetchRequest {
    fn partitions(&self, state: &State, _: i32) -> Vec<(String, i32)> {
        let mut all = Vec::new();
        for topic in self.topics.iter().flatten() {
            all.extend(topic.partition_indexes.iter().map(|index| (topic.name.clone(), *index)));
        }
        for topic in self.groups.iter().flat_map(|group| group.topics.iter().flatten()) {
            let name = state.topic_name(topic.topic_id).unwrap_or(&topic.name);
            all.extend(topic.partition_indexes.iter().map(|index| (name.to_owned(), *index)));
        }
        all
    }

    async fn handle(self, cx: &Cx) -> Handled<OffsetFetchResponse> {
        let mut response = OffsetFetchResponse::default();
        let stable = self.require_stable;
        if cx.version >= 8 {
            response.groups = self.groups.into_iter().map(|group| of_group(cx, group, stable)).collect();
            return Handled::Answer(response);
        }
        // The old form is one group of the new one.
        let topics = self.topics.map(|topics| {
            let renamed = topics.into_iter().map(|topic| OffsetFetchRequestTopics {
                name: topic.name,
                partition_indexes: topic.partition_indexes,
                ..Default::default()
            });
            renamed.collect()
        });
        let answer = of_group(
            cx,
            OffsetFetchRequestGroup { group_id: self.group_id, topics, ..Default::default() },
            stable,
        );
        response.error_code = answer.error_code;
        response.topics = answer
            .topics
            .into_iter()
            .map(|topic| OffsetFetchResponseTopic {
                name: topic.name,
                partitions: topic
                    .partitions
                    .into_iter()
                    .map(|line| OffsetFetchResponsePartition {
                        partition_index: line.partition_index,
                        committed_offset: line.committed_offset,
                        committed_leader_epoch: line.committed_leader_epoch,
                        metadata: line.metadata,
                        // Below version 2 there is no other place for it.
                        error_code: if cx.version < 2 { answer.error_code } else { line.error_code },
                    })
                    .collect(),
            })
            .collect();
        Handled::Answer(response)
    }
}

fn of_group(cx: &Cx, request: OffsetFetchRequestGroup, stable: bool) -> OffsetFetchResponseGroup {
    let mut answer = OffsetFetchResponseGroup { group_id: request.group_id, ..Default::default() };
    let checked = cx.check_group(&answer.group_id);
    answer.error_code = checked.err().unwrap_or_default();
    let state = cx.state();
    let group = state.groups.get(&answer.group_id).filter(|_| checked.is_ok());
    if let (Some(modern), Some(member)) = (group.and_then(|group| group.modern.as_ref()), &request.member_id)
    {
        if let Err(code) = modern.check_commit(member, request.member_epoch) {
            answer.error_code = code;
            return answer;
        }
    }
    let committed = |topic: &str, index: i32| {
        let is_unstable = stable && group.is_some_and(|group| group.is_unstable(topic, index));
        let found = group.and_then(|group| group.offsets.get(&(topic.to_owned(), index)));
        let found = found.filter(|_| !is_unstable);
        OffsetFetchResponsePartitions {
            partition_index: index,
            committed_offset: found.map_or(-1, |found| found.offset),
            committed_leader_epoch: found.map_or(-1, |found| found.leader_epoch),
            metadata: Some(found.map(|found| found.metadata.clone()).unwrap_or_default()),
            error_code: if is_unstable { ErrorCode::UNSTABLE_OFFSET_COMMIT } else { ErrorCode::NONE },
        }
    };
    match request.topics {
        Some(topics) => {
            for topic in topics {
                let by_id = cx.version >= TOPIC_IDS;
                let name = if by_id { state.topic_name(topic.topic_id) } else { Some(topic.name.as_str()) };
                let lines = topic.partition_indexes.iter().map(|index| {
                    let mut line = committed(name.unwrap_or_default(), *index);
                    line.error_code = match name {
                        None => ErrorCode::UNKNOWN_TOPIC_ID,
                        Some(name) => cx.plan.error_of(name, *index).unwrap_or(line.error_code),
                    };
                    line
                });
                answer.topics.push(OffsetFetchResponseTopics {
                    partitions: lines.collect(),
                    topic_id: topic.topic_id,
                    name: topic.name.clone(),
                });
            }
        }
        None => {
            for (name, index) in group.into_iter().flat_map(|group| group.offsets.keys()) {
                let line = committed(name, *index);
                match answer.topics.last_mut() {
                    Some(last) if last.name == *name => last.partitions.push(line),
                    _ => answer.topics.push(OffsetFetchResponseTopics {
                        name: name.clone(),
                        topic_id: state.topics.get(name).map(|topic| topic.id).unwrap_or_default(),
                        partitions: vec![line],
                    }),
                }
            }
        }
    }
    answer
}

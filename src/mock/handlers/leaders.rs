//! ElectLeaders, AlterPartitionReassignments and ListPartitionReassignments. Moves are done at once, so none is
//! ever under way.

use super::{Cx, Handled, Handler};
use crate::error_code::ErrorCode;
use crate::mock::state::State;
use crate::protocol::messages::alter_partition_reassignments::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use crate::protocol::messages::elect_leaders::{PartitionResult, ReplicaElectionResult, TopicPartitions};
use crate::protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ElectLeadersRequest,
    ElectLeadersResponse, ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};

const UNCLEAN: i8 = 1;

impl Handler for ElectLeadersRequest {
    fn partitions(&self, state: &State, _: i32) -> Vec<(String, i32)> {
        named(self, state)
    }

    async fn handle(self, cx: &Cx) -> Handled<ElectLeadersResponse> {
        let mut response = ElectLeadersResponse::default();
        if let Err(code) = cx.check() {
            response.error_code = code;
            return Handled::Answer(response);
        }
        let mut state = cx.state();
        let all = self.topic_partitions.is_none();
        for (topic, partition_id) in named(&self, &state) {
            let elected = cx
                .check_partition(&topic, partition_id)
                .and_then(|()| elect(&mut state, &topic, partition_id, self.election_type));
            let error_code = elected.err().unwrap_or_default();
            // Of all partitions only those are told that needed an election.
            if all && error_code == ErrorCode::ELECTION_NOT_NEEDED {
                continue;
            }
            let result = PartitionResult { partition_id, error_code, error_message: None };
            match response.replica_election_results.iter_mut().find(|known| known.topic == topic) {
                Some(known) => known.partition_result.push(result),
                None => response
                    .replica_election_results
                    .push(ReplicaElectionResult { topic, partition_result: vec![result] }),
            }
        }
        drop(state);
        cx.cluster.changed();
        Handled::Answer(response)
    }
}

fn named(request: &ElectLeadersRequest, state: &State) -> Vec<(String, i32)> {
    let all = || {
        let topics = state.topics.iter();
        topics.map(|(name, topic)| TopicPartitions {
            topic: name.clone(),
            partitions: (0..).zip(&topic.partitions).map(|(index, _)| index).collect(),
        })
    };
    let topics = request.topic_partitions.clone().unwrap_or_else(|| all().collect());
    let pairs = topics.into_iter().flat_map(|topic| {
        topic.partitions.into_iter().map(move |partition| (topic.topic.clone(), partition))
    });
    pairs.collect()
}

fn elect(state: &mut State, topic: &str, index: i32, kind: i8) -> Result<(), ErrorCode> {
    let partition = state.partition(topic, index).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    let leads = state.is_alive(partition.leader);
    let chosen = match kind {
        UNCLEAN if leads => return Err(ErrorCode::ELECTION_NOT_NEEDED),
        UNCLEAN => partition.replicas.iter().find(|id| state.is_alive(**id)),
        _ => partition.replicas.first(),
    };
    match chosen.copied() {
        Some(broker) if broker == partition.leader => Err(ErrorCode::ELECTION_NOT_NEEDED),
        Some(broker) if state.is_alive(broker) => {
            let partition = state.partition_mut(topic, index).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
            partition.lead(broker);
            Ok(())
        }
        _ if kind == UNCLEAN => Err(ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE),
        _ => Err(ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE),
    }
}

impl Handler for AlterPartitionReassignmentsRequest {
    async fn handle(self, cx: &Cx) -> Handled<AlterPartitionReassignmentsResponse> {
        let mut response = AlterPartitionReassignmentsResponse::default();
        if let Err(code) = cx.check() {
            response.error_code = code;
            return Handled::Answer(response);
        }
        let mut state = cx.state();
        for topic in self.topics {
            let mut answer = ReassignableTopicResponse { name: topic.name.clone(), partitions: Vec::new() };
            for partition in topic.partitions {
                let index = partition.partition_index;
                let may_change_size = cx.version == 0 || self.allow_replication_factor_change;
                let moved = cx.check_partition(&topic.name, index).and_then(|()| {
                    reassign(&mut state, &topic.name, index, partition.replicas, may_change_size)
                });
                answer.partitions.push(ReassignablePartitionResponse {
                    partition_index: index,
                    error_code: moved.err().unwrap_or_default(),
                    error_message: None,
                });
            }
            response.responses.push(answer);
        }
        drop(state);
        cx.cluster.changed();
        Handled::Answer(response)
    }
}

fn reassign(
    state: &mut State,
    topic: &str,
    index: i32,
    replicas: Option<Vec<i32>>,
    may_change_size: bool,
) -> Result<(), ErrorCode> {
    let alive: Vec<i32> = state.alive().map(|broker| broker.id).collect();
    let known = replicas.as_ref().is_none_or(|replicas| {
        !replicas.is_empty() && replicas.iter().all(|id| state.brokers.contains_key(id))
    });
    let partition = state.partition_mut(topic, index).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    let replicas = replicas.ok_or(ErrorCode::NO_REASSIGNMENT_IN_PROGRESS)?;
    if !known {
        return Err(ErrorCode::INVALID_REPLICA_ASSIGNMENT);
    }
    if !may_change_size && replicas.len() != partition.replicas.len() {
        return Err(ErrorCode::INVALID_REPLICATION_FACTOR);
    }
    if !replicas.contains(&partition.leader) {
        let next = replicas.iter().copied().find(|id| alive.contains(id));
        partition.lead(next.unwrap_or(-1));
    }
    partition.replicas = replicas;
    Ok(())
}

impl Handler for ListPartitionReassignmentsRequest {
    async fn handle(self, cx: &Cx) -> Handled<ListPartitionReassignmentsResponse> {
        let error_code = cx.check().err().unwrap_or_default();
        Handled::Answer(ListPartitionReassignmentsResponse { error_code, ..Default::default() })
    }
}

//! Metadata, DescribeTopicPartitions and DescribeCluster.

use std::collections::BTreeMap;

use super::{Cx, Handled, Handler};
use crate::error_code::ErrorCode;
use crate::mock::state::{Partition, State};
use crate::protocol::Uuid;
use crate::protocol::messages::describe_cluster::DescribeClusterBroker;
use crate::protocol::messages::describe_topic_partitions::{
    DescribeTopicPartitionsResponseCursor, DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
};
use crate::protocol::messages::metadata::{
    MetadataRequestTopic, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use crate::protocol::messages::{
    DescribeClusterRequest, DescribeClusterResponse, DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse, MetadataRequest, MetadataResponse,
};

impl Handler for MetadataRequest {
    fn partitions(&self, state: &State, _: i32) -> Vec<(String, i32)> {
        let wanted = |name: &String, id: Uuid| match &self.topics {
            Some(topics) if !topics.is_empty() => {
                topics.iter().any(|topic| topic.name.as_ref() == Some(name) || topic.topic_id == id)
            }
            _ => true,
        };
        let named = state.topics.iter().filter(|(name, topic)| wanted(name, topic.id));
        let all = named.map(|(name, topic)| (0..topic.partitions.len() as i32).map(|at| (name.clone(), at)));
        all.flatten().collect()
    }

    async fn handle(self, cx: &Cx) -> Handled<MetadataResponse> {
        let mut response = MetadataResponse::default();
        let id = Uuid::random(cx.cluster.net.random_bytes());
        let mut state = cx.state();
        let state = &mut *state;
        response.brokers = state
            .alive()
            .map(|broker| {
                let (host, port) = broker.endpoint();
                let rack = broker.rack.clone();
                MetadataResponseBroker { node_id: broker.id, host, port: port.into(), rack }
            })
            .collect();
        response.cluster_id = Some(state.settings.cluster_id.clone());
        response.controller_id = state.controller();
        let wanted = match self.topics {
            // Before version 1 no names stood for all of them.
            Some(names) if cx.version > 0 || !names.is_empty() => names,
            _ => {
                let all = state.topics.keys().cloned();
                all.map(|name| MetadataRequestTopic { topic_id: Uuid::ZERO, name: Some(name) }).collect()
            }
        };
        let create = self.allow_auto_topic_creation && state.settings.auto_create_topics;
        response.topics = wanted.into_iter().map(|topic| describe(state, cx, topic, create, id)).collect();
        // The one error that is about the whole answer (KIP-1102); all others are about topics.
        if cx.plan.error() == Some(ErrorCode::REBOOTSTRAP_REQUIRED) {
            response.error_code = ErrorCode::REBOOTSTRAP_REQUIRED;
        }
        Handled::Answer(response)
    }
}

fn describe(
    state: &mut State,
    cx: &Cx,
    wanted: MetadataRequestTopic,
    create: bool,
    id: Uuid,
) -> MetadataResponseTopic {
    let mut answer = MetadataResponseTopic { topic_id: wanted.topic_id, ..Default::default() };
    let name = match wanted.name {
        Some(name) => name,
        None => match state.topic_name(wanted.topic_id) {
            Some(name) => name.to_owned(),
            None => {
                answer.name = if cx.version >= 12 { None } else { Some(String::new()) };
                answer.error_code = ErrorCode::UNKNOWN_TOPIC_ID;
                return answer;
            }
        },
    };
    answer.error_code = match cx.plan.error() {
        Some(code) => code,
        None if state.topics.contains_key(&name) => ErrorCode::NONE,
        None if create => match state.create_topic(&name, -1, -1, BTreeMap::new(), fresh(state, id)) {
            Ok(()) => ErrorCode::NONE,
            Err((code, _)) => code,
        },
        None if crate::types::check_topic_name(&name).is_err() => ErrorCode::INVALID_TOPIC_EXCEPTION,
        None => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    };
    if answer.error_code.is_ok() {
        if let Some(topic) = state.topics.get(&name) {
            answer.topic_id = topic.id;
            let partitions = topic.partitions.iter().enumerate();
            answer.partitions = partitions
                .map(|(index, partition)| describe_partition(state, cx, &name, index, partition))
                .collect();
        }
    }
    answer.name = Some(name);
    answer
}

/// `id`, changed for every topic that one request creates.
fn fresh(state: &State, id: Uuid) -> Uuid {
    let mut id = id;
    while state.topic_name(id).is_some() {
        id.0[15] = id.0[15].wrapping_add(1);
    }
    id
}

fn describe_partition(
    state: &State,
    cx: &Cx,
    topic: &str,
    index: usize,
    partition: &Partition,
) -> MetadataResponsePartition {
    let index = index as i32;
    let (up, down): (Vec<i32>, Vec<i32>) =
        partition.replicas.iter().partition(|replica| state.is_alive(**replica));
    let misinformed = state.brokers.get(&cx.broker).map(|broker| &broker.misinformed);
    let told = misinformed.and_then(|told| told.get(&(topic.to_owned(), index)).copied());
    let (leader_id, leader_epoch) = told.unwrap_or((partition.leader, partition.leader_epoch));
    let error_code = match cx.plan.error_of(topic, index) {
        Some(code) => code,
        None if leader_id < 0 => ErrorCode::LEADER_NOT_AVAILABLE,
        None => ErrorCode::NONE,
    };
    MetadataResponsePartition {
        error_code,
        partition_index: index,
        leader_id,
        leader_epoch,
        replica_nodes: partition.replicas.clone(),
        isr_nodes: up,
        offline_replicas: down,
    }
}

impl Handler for DescribeTopicPartitionsRequest {
    async fn handle(self, cx: &Cx) -> Handled<DescribeTopicPartitionsResponse> {
        let state = cx.state();
        let mut names: Vec<String> = self.topics.into_iter().map(|topic| topic.name).collect();
        if names.is_empty() {
            names = state.topics.keys().cloned().collect();
        }
        names.sort_unstable();
        names.dedup();
        let mut response = DescribeTopicPartitionsResponse::default();
        let mut left = usize::try_from(self.response_partition_limit).unwrap_or(0).clamp(1, 2000);
        for name in names {
            let mut first = 0;
            if let Some(cursor) = &self.cursor {
                if name < cursor.topic_name {
                    continue;
                }
                if name == cursor.topic_name {
                    first = usize::try_from(cursor.partition_index).unwrap_or(0);
                }
            }
            if left == 0 {
                response.next_cursor =
                    Some(DescribeTopicPartitionsResponseCursor { topic_name: name, partition_index: 0 });
                break;
            }
            let mut answer =
                DescribeTopicPartitionsResponseTopic { name: Some(name.clone()), ..Default::default() };
            let Some(topic) = state.topics.get(&name) else {
                answer.error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
                response.topics.push(answer);
                continue;
            };
            answer.topic_id = topic.id;
            answer.error_code = cx.plan.error().unwrap_or_default();
            for (index, partition) in topic.partitions.iter().enumerate().skip(first).take(left) {
                let known = describe_partition(&state, cx, &name, index, partition);
                answer.partitions.push(DescribeTopicPartitionsResponsePartition {
                    error_code: known.error_code,
                    partition_index: known.partition_index,
                    leader_id: known.leader_id,
                    leader_epoch: known.leader_epoch,
                    replica_nodes: known.replica_nodes,
                    isr_nodes: known.isr_nodes,
                    eligible_leader_replicas: Some(Vec::new()),
                    last_known_elr: Some(Vec::new()),
                    offline_replicas: known.offline_replicas,
                });
            }
            left -= answer.partitions.len();
            let next = first + answer.partitions.len();
            let cut = next < topic.partitions.len();
            response.topics.push(answer);
            if cut {
                response.next_cursor = Some(DescribeTopicPartitionsResponseCursor {
                    topic_name: name,
                    partition_index: next as i32,
                });
                break;
            }
        }
        Handled::Answer(response)
    }
}

impl Handler for DescribeClusterRequest {
    async fn handle(self, cx: &Cx) -> Handled<DescribeClusterResponse> {
        let state = cx.state();
        let brokers = state.brokers.values().filter(|broker| broker.alive || self.include_fenced_brokers);
        let mut response = DescribeClusterResponse {
            error_code: cx.plan.error().unwrap_or_default(),
            cluster_id: state.settings.cluster_id.clone(),
            controller_id: state.controller(),
            ..Default::default()
        };
        response.brokers = brokers
            .map(|broker| {
                let (host, port) = broker.endpoint();
                DescribeClusterBroker {
                    broker_id: broker.id,
                    host,
                    port: port.into(),
                    rack: broker.rack.clone(),
                    is_fenced: cx.version >= 2 && !broker.alive,
                }
            })
            .collect();
        Handled::Answer(response)
    }
}

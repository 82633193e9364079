//! CreateTopics, DeleteTopics, CreatePartitions and DeleteRecords.

use std::collections::BTreeMap;

use super::{Cx, Handled, Handler};
use crate::error_code::ErrorCode;
use crate::mock::state::State;
use crate::protocol::Uuid;
use crate::protocol::messages::create_partitions::CreatePartitionsTopicResult;
use crate::protocol::messages::create_topics::{CreatableTopic, CreatableTopicConfigs, CreatableTopicResult};
use crate::protocol::messages::delete_records::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use crate::protocol::messages::delete_topics::{DeletableTopicResult, DeleteTopicState};
use crate::protocol::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse,
    DeleteRecordsRequest, DeleteRecordsResponse, DeleteTopicsRequest, DeleteTopicsResponse,
};

type Outcome = Result<(), (ErrorCode, String)>;

impl Handler for CreateTopicsRequest {
    async fn handle(self, cx: &Cx) -> Handled<CreateTopicsResponse> {
        let mut response = CreateTopicsResponse::default();
        for topic in self.topics {
            let id = Uuid::random(cx.cluster.net.random_bytes());
            let mut state = cx.state();
            let state = &mut *state;
            let result = match cx.check() {
                Err(code) => Err((code, code.message().to_owned())),
                Ok(()) => create(state, &topic, id, self.validate_only),
            };
            let mut answer = CreatableTopicResult { name: topic.name.clone(), ..Default::default() };
            answer.error_message = None;
            match result {
                Err((code, message)) => {
                    answer.error_code = code;
                    answer.error_message = Some(message);
                    answer.configs = if cx.version >= 5 { Some(Vec::new()) } else { None };
                }
                Ok(()) => {
                    answer.configs = Some(Vec::new());
                    if let Some(created) = state.topics.get(&topic.name) {
                        answer.topic_id = created.id;
                        answer.num_partitions = created.partitions.len() as i32;
                        let factor = created.partitions.first().map_or(1, |first| first.replicas.len());
                        answer.replication_factor = factor as i16;
                        let configs = created.configs.iter().map(|(name, value)| CreatableTopicConfigs {
                            name: name.clone(),
                            value: Some(value.clone()),
                            config_source: TOPIC_CONFIG,
                            ..Default::default()
                        });
                        answer.configs = Some(configs.collect());
                    }
                    if self.validate_only {
                        state.topics.remove(&topic.name);
                    }
                }
            }
            response.topics.push(answer);
        }
        Handled::Answer(response)
    }
}

/// Where a value comes from: the topic's own configuration.
const TOPIC_CONFIG: i8 = 1;

/// Creates the topic even when it is only to be validated; the caller takes it away again.
fn create(state: &mut State, topic: &CreatableTopic, id: Uuid, _validate_only: bool) -> Outcome {
    let configs: BTreeMap<String, String> = topic
        .configs
        .iter()
        .filter_map(|config| Some((config.name.clone(), config.value.clone()?)))
        .collect();
    if topic.assignments.is_empty() {
        return state.create_topic(&topic.name, topic.num_partitions, topic.replication_factor, configs, id);
    }
    if topic.num_partitions != -1 || topic.replication_factor != -1 {
        let text = "replicas were assigned by hand, so partitions and replication factor have to be -1";
        return Err((ErrorCode::INVALID_REQUEST, text.to_owned()));
    }
    let mut assigned: Vec<(i32, Vec<i32>)> = topic
        .assignments
        .iter()
        .map(|assignment| (assignment.partition_index, assignment.broker_ids.clone()))
        .collect();
    assigned.sort_unstable();
    let in_order = assigned.iter().enumerate().all(|(at, (index, _))| *index == at as i32);
    let known = |replicas: &Vec<i32>| {
        !replicas.is_empty() && replicas.iter().all(|broker| state.brokers.contains_key(broker))
    };
    if !in_order || !assigned.iter().all(|(_, replicas)| known(replicas)) {
        let text = "partitions have to be numbered from 0, and replicas to be brokers of the cluster";
        return Err((ErrorCode::INVALID_REPLICA_ASSIGNMENT, text.to_owned()));
    }
    // Checks the name, and that it is free.
    state.create_topic(&topic.name, 1, 1, configs.clone(), id)?;
    state.insert_topic(
        &topic.name,
        assigned.into_iter().map(|(_, replicas)| replicas).collect(),
        configs,
        id,
    );
    Ok(())
}

impl Handler for DeleteTopicsRequest {
    async fn handle(self, cx: &Cx) -> Handled<DeleteTopicsResponse> {
        let mut state = cx.state();
        let named = |name| DeleteTopicState { name: Some(name), topic_id: Uuid::ZERO };
        let topics =
            if cx.version >= 6 { self.topics } else { self.topic_names.into_iter().map(named).collect() };
        let mut response = DeleteTopicsResponse::default();
        for topic in topics {
            let by_id = topic.name.is_none();
            let name = topic.name.or_else(|| state.topic_name(topic.topic_id).map(str::to_owned));
            let id = name.as_ref().and_then(|name| state.topics.get(name)).map(|known| known.id);
            let deleted = name.as_ref().map(|name| match cx.check() {
                Err(code) => Err(code),
                Ok(()) if state.delete_topic(name) => Ok(()),
                Ok(()) => Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            });
            let unknown =
                if by_id { ErrorCode::UNKNOWN_TOPIC_ID } else { ErrorCode::UNKNOWN_TOPIC_OR_PARTITION };
            let code = deleted.unwrap_or(Err(unknown)).err().unwrap_or_default();
            response.responses.push(DeletableTopicResult {
                name,
                topic_id: id.unwrap_or(topic.topic_id),
                error_code: code,
                error_message: None,
            });
        }
        drop(state);
        cx.cluster.changed();
        Handled::Answer(response)
    }
}

impl Handler for CreatePartitionsRequest {
    async fn handle(self, cx: &Cx) -> Handled<CreatePartitionsResponse> {
        let mut response = CreatePartitionsResponse::default();
        for topic in self.topics {
            let mut state = cx.state();
            let result = match cx.check() {
                Err(code) => Err((code, code.message().to_owned())),
                Ok(()) if self.validate_only && state.topics.contains_key(&topic.name) => Ok(()),
                Ok(()) => state.add_partitions(&topic.name, topic.count),
            };
            let (error_code, error_message) = match result {
                Ok(()) => (ErrorCode::NONE, None),
                Err((code, message)) => (code, Some(message)),
            };
            response.results.push(CreatePartitionsTopicResult {
                name: topic.name,
                error_code,
                error_message,
            });
        }
        Handled::Answer(response)
    }
}

impl Handler for DeleteRecordsRequest {
    fn partitions(&self, _: &State, _: i32) -> Vec<(String, i32)> {
        let of = |topic: &crate::protocol::messages::delete_records::DeleteRecordsTopic| {
            let name = topic.name.clone();
            topic.partitions.iter().map(move |partition| (name.clone(), partition.partition_index)).collect()
        };
        self.topics.iter().flat_map(|topic| -> Vec<_> { of(topic) }).collect()
    }

    async fn handle(self, cx: &Cx) -> Handled<DeleteRecordsResponse> {
        let mut state = cx.state();
        let mut response = DeleteRecordsResponse::default();
        for topic in self.topics {
            let mut answer = DeleteRecordsTopicResult { name: topic.name.clone(), ..Default::default() };
            for partition in topic.partitions {
                let index = partition.partition_index;
                let deleted = cx.check_partition(&topic.name, index).and_then(|()| {
                    state.led(cx.broker, &topic.name, index, -1)?.log.delete_before(partition.offset)
                });
                answer.partitions.push(DeleteRecordsPartitionResult {
                    partition_index: index,
                    low_watermark: deleted.unwrap_or(-1),
                    error_code: deleted.err().unwrap_or_default(),
                });
            }
            response.topics.push(answer);
        }
        drop(state);
        cx.cluster.changed();
        Handled::Answer(response)
    }
}

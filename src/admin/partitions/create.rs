//! Adding partitions to topics.

use crate::admin::{At, Item, KafkaAdminClient, Results, Route, unanswered, verdict};
use crate::error::Result;
use crate::protocol::messages::create_partitions::{CreatePartitionsAssignment, CreatePartitionsTopic};
use crate::protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};

/// How many partitions a topic is to have.
#[derive(Clone, Debug)]
pub struct NewPartitions {
    topic: String,
    total: i32,
    assignments: Option<Vec<Vec<i32>>>,
}

impl NewPartitions {
    /// A topic, and the number of partitions that it is to have in all.
    pub fn new(topic: impl Into<String>, total: i32) -> Self {
        Self { topic: topic.into(), total, assignments: None }
    }

    /// The brokers of each new partition, the preferred leader first. The cluster chooses them by default.
    #[must_use]
    pub fn assignments(mut self, assignments: impl IntoIterator<Item = Vec<i32>>) -> Self {
        self.assignments = Some(assignments.into_iter().collect());
        self
    }

    fn message(&self) -> CreatePartitionsTopic {
        let assigned = |brokers: &Vec<i32>| CreatePartitionsAssignment { broker_ids: brokers.clone() };
        CreatePartitionsTopic {
            name: self.topic.clone(),
            count: self.total,
            assignments: self.assignments.as_ref().map(|all| all.iter().map(assigned).collect()),
        }
    }
}

impl KafkaAdminClient {
    /// Adds partitions to topics. Records with keys go to other partitions from then on.
    ///
    /// # Errors
    /// As [`create_topics`](Self::create_topics); [`INVALID_PARTITIONS`](crate::ErrorCode::INVALID_PARTITIONS) for a
    /// topic that has as many or more.
    pub fn create_partitions(
        &self,
        topics: impl IntoIterator<Item = NewPartitions>,
    ) -> Result<Results<String, ()>> {
        self.add_partitions(topics, false)
    }

    /// Has the cluster check whether partitions could be added, without adding them.
    ///
    /// # Errors
    /// As [`create_partitions`](Self::create_partitions).
    pub fn validate_partitions(
        &self,
        topics: impl IntoIterator<Item = NewPartitions>,
    ) -> Result<Results<String, ()>> {
        self.add_partitions(topics, true)
    }

    fn add_partitions(
        &self,
        topics: impl IntoIterator<Item = NewPartitions>,
        validate_only: bool,
    ) -> Result<Results<String, ()>> {
        let topics: Vec<NewPartitions> = topics.into_iter().collect();
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        self.call(CREATE, move |admin, call| async move {
            let items = topics.into_iter().map(|topic| Item::new(Route::Controller, topic)).collect();
            let request = |at: &At, topics: &[&NewPartitions]| {
                Ok(CreatePartitionsRequest {
                    topics: topics.iter().map(|topic| topic.message()).collect(),
                    timeout_ms: at.timeout_ms(),
                    validate_only,
                })
            };
            let read = |_: &At, response: CreatePartitionsResponse, topics: &[&NewPartitions]| {
                topics.iter().map(|topic| added(&response, &topic.topic)).collect()
            };
            let results = admin.ask(call.never_twice(), items, request, read).await;
            Ok(results.into_iter().map(|(topic, result)| (topic.topic, result)).collect())
        })
    }
}

fn added(response: &CreatePartitionsResponse, topic: &str) -> Result<()> {
    let answer = response.results.iter().find(|answer| answer.name == topic);
    answer
        .ok_or_else(|| unanswered(CREATE))
        .and_then(|answer| verdict(answer.error_code, answer.error_message.as_deref(), CREATE))
        .map_err(|error| error.with_topic(topic))
}

const CREATE: &str = "create partitions";

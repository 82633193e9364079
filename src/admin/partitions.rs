//! Partitions: add more of them.

use std::time::{Duration, Instant};

use super::{Admin, KafkaAdminClient, millis, unanswered, verdict};
use crate::error::Result;
use crate::error_code::ErrorCode;
use crate::protocol::messages::CreatePartitionsRequest;
use crate::protocol::messages::create_partitions::{CreatePartitionsAssignment, CreatePartitionsTopic};

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
    /// As [`create_topics`](Self::create_topics); [`INVALID_PARTITIONS`](ErrorCode::INVALID_PARTITIONS) for a
    /// topic that has as many or more.
    pub fn create_partitions(
        &self,
        topics: impl IntoIterator<Item = NewPartitions>,
    ) -> Result<Vec<(String, Result<()>)>> {
        self.add_partitions(topics, self.default_timeout(), false)
    }

    /// As [`create_partitions`](Self::create_partitions), within `timeout`.
    ///
    /// # Errors
    /// As [`create_partitions`](Self::create_partitions).
    pub fn create_partitions_timeout(
        &self,
        topics: impl IntoIterator<Item = NewPartitions>,
        timeout: Duration,
    ) -> Result<Vec<(String, Result<()>)>> {
        self.add_partitions(topics, timeout, false)
    }

    /// Has the cluster check whether partitions could be added, without adding them.
    ///
    /// # Errors
    /// As [`create_partitions`](Self::create_partitions).
    pub fn validate_partitions(
        &self,
        topics: impl IntoIterator<Item = NewPartitions>,
    ) -> Result<Vec<(String, Result<()>)>> {
        self.add_partitions(topics, self.default_timeout(), true)
    }

    fn add_partitions(
        &self,
        topics: impl IntoIterator<Item = NewPartitions>,
        timeout: Duration,
        validate_only: bool,
    ) -> Result<Vec<(String, Result<()>)>> {
        let topics: Vec<NewPartitions> = topics.into_iter().collect();
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        self.run(timeout, "create partitions", move |admin, deadline| async move {
            admin.create_partitions(topics, deadline, validate_only).await
        })
    }
}

impl Admin {
    async fn create_partitions(
        &self,
        topics: Vec<NewPartitions>,
        deadline: Instant,
        validate_only: bool,
    ) -> Result<Vec<(String, Result<()>)>> {
        let request = |_, left| {
            Ok(CreatePartitionsRequest {
                topics: topics.iter().map(NewPartitions::message).collect(),
                timeout_ms: millis(left),
                validate_only,
            })
        };
        let response = self
            .to_controller(deadline, request, |response| {
                response.results.iter().any(|topic| topic.error_code == ErrorCode::NOT_CONTROLLER)
            })
            .await?;
        let outcome = |topic: NewPartitions| {
            let answer = response.results.iter().find(|answer| answer.name == topic.topic);
            let result = answer
                .ok_or_else(|| unanswered(CREATE))
                .and_then(|answer| verdict(answer.error_code, answer.error_message.as_deref(), CREATE))
                .map_err(|error| error.with_topic(&topic.topic));
            (topic.topic, result)
        };
        Ok(topics.into_iter().map(outcome).collect())
    }
}

const CREATE: &str = "create partitions";

//! Topics: create, delete, list, describe.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use super::{Admin, KafkaAdminClient, millis, unanswered, verdict};
use crate::error::{Error, ErrorKind, Result};
use crate::error_code::ErrorCode;
use crate::protocol::Uuid;
use crate::protocol::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreatableTopicResult,
};
use crate::protocol::messages::delete_topics::DeleteTopicState;
use crate::protocol::messages::metadata::{MetadataRequestTopic, MetadataResponseTopic};
use crate::protocol::messages::{
    CreateTopicsRequest, DeleteTopicsRequest, MetadataRequest, MetadataResponse,
};

/// A topic to be created.
///
/// Partitions and replicas that are not given are the brokers' defaults (KIP-464; needs Kafka 2.4).
///
/// ```
/// use kavka::admin::NewTopic;
///
/// let topic = NewTopic::new("orders").partitions(6).config("cleanup.policy", "compact");
/// assert_eq!(topic.name(), "orders");
/// ```
#[derive(Clone, Debug)]
pub struct NewTopic {
    name: String,
    partitions: Option<i32>,
    replication_factor: Option<i16>,
    assignments: BTreeMap<i32, Vec<i32>>,
    configs: Vec<(String, String)>,
}

impl NewTopic {
    /// A topic with the brokers' defaults.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            partitions: None,
            replication_factor: None,
            assignments: BTreeMap::new(),
            configs: Vec::new(),
        }
    }

    /// How many partitions it has.
    #[must_use]
    pub fn partitions(mut self, partitions: i32) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// How many replicas each partition has.
    #[must_use]
    pub fn replication_factor(mut self, replication_factor: i16) -> Self {
        self.replication_factor = Some(replication_factor);
        self
    }

    /// The brokers of each partition, the preferred leader first. Takes the place of the two numbers.
    #[must_use]
    pub fn assignments(mut self, assignments: impl IntoIterator<Item = (i32, Vec<i32>)>) -> Self {
        self.assignments = assignments.into_iter().collect();
        self
    }

    /// Sets one of the topic's own options, such as `retention.ms`.
    #[must_use]
    pub fn config(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.configs.push((key.into(), value.into()));
        self
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn needs_defaults(&self) -> bool {
        self.assignments.is_empty() && (self.partitions.is_none() || self.replication_factor.is_none())
    }

    fn message(&self) -> CreatableTopic {
        let assigned = |(&partition_index, broker_ids): (&i32, &Vec<i32>)| CreatableReplicaAssignment {
            partition_index,
            broker_ids: broker_ids.clone(),
        };
        let config = |(name, value): &(String, String)| CreatableTopicConfig {
            name: name.clone(),
            value: Some(value.clone()),
        };
        CreatableTopic {
            name: self.name.clone(),
            num_partitions: self.partitions.unwrap_or(-1),
            replication_factor: self.replication_factor.unwrap_or(-1),
            assignments: self.assignments.iter().map(assigned).collect(),
            configs: self.configs.iter().map(config).collect(),
        }
    }
}

/// What a broker says of a topic that it has created, or would create.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedTopic {
    /// The id (KIP-516); `None` from brokers before 2.8, and for topics that were only checked.
    pub id: Option<Uuid>,
    /// The number of partitions; `None` where the broker does not tell.
    pub partitions: Option<i32>,
    /// The number of replicas; `None` where the broker does not tell.
    pub replication_factor: Option<i16>,
    /// The topic's options, with the values in effect; `None` for those that may not be shown.
    pub configs: BTreeMap<String, Option<String>>,
}

/// A topic by its name or by its id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TopicRef {
    /// By name.
    Name(String),
    /// By id (KIP-516).
    Id(Uuid),
}

/// A topic, as a broker knows it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// The name.
    pub name: String,
    /// The id (KIP-516); `None` from brokers before 2.8.
    pub id: Option<Uuid>,
    /// Whether it is one of Kafka's own.
    pub is_internal: bool,
    /// The partitions, in order.
    pub partitions: Vec<PartitionDescription>,
}

/// A partition, as a broker knows it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionDescription {
    /// The number of the partition.
    pub partition: i32,
    /// The leader's node id, unless there is none now.
    pub leader: Option<i32>,
    /// Grows with every change of the leader; `None` where the broker does not tell (KIP-320).
    pub leader_epoch: Option<i32>,
    /// All replicas, the preferred leader first.
    pub replicas: Vec<i32>,
    /// The replicas in sync.
    pub isr: Vec<i32>,
    /// The replicas that cannot be reached.
    pub offline_replicas: Vec<i32>,
}

impl KafkaAdminClient {
    /// Creates topics.
    ///
    /// A topic that was created is there, but not every broker may know of it yet: see
    /// [`wait_for_topics`](Self::wait_for_topics).
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`], and what stands in the way of the request as a whole. After
    /// [`ErrorKind::Connection`] the topics may have been created. For a topic
    /// [`TOPIC_ALREADY_EXISTS`](ErrorCode::TOPIC_ALREADY_EXISTS) and other codes, by name.
    pub fn create_topics(
        &self,
        topics: impl IntoIterator<Item = NewTopic>,
    ) -> Result<Vec<(String, Result<CreatedTopic>)>> {
        self.create(topics, self.default_timeout(), false)
    }

    /// As [`create_topics`](Self::create_topics), within `timeout`.
    ///
    /// # Errors
    /// As [`create_topics`](Self::create_topics).
    pub fn create_topics_timeout(
        &self,
        topics: impl IntoIterator<Item = NewTopic>,
        timeout: Duration,
    ) -> Result<Vec<(String, Result<CreatedTopic>)>> {
        self.create(topics, timeout, false)
    }

    /// Has the cluster check whether topics could be created, without creating them.
    ///
    /// # Errors
    /// As [`create_topics`](Self::create_topics).
    pub fn validate_topics(
        &self,
        topics: impl IntoIterator<Item = NewTopic>,
    ) -> Result<Vec<(String, Result<CreatedTopic>)>> {
        self.create(topics, self.default_timeout(), true)
    }

    fn create(
        &self,
        topics: impl IntoIterator<Item = NewTopic>,
        timeout: Duration,
        validate_only: bool,
    ) -> Result<Vec<(String, Result<CreatedTopic>)>> {
        let topics: Vec<NewTopic> = topics.into_iter().collect();
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        self.run(timeout, "create topics", move |admin, deadline| async move {
            admin.create_topics(topics, deadline, validate_only).await
        })
    }

    /// Deletes topics, by names or by ids (which needs Kafka 2.8).
    ///
    /// # Errors
    /// As [`create_topics`](Self::create_topics); for a topic that does not exist [`ErrorKind::UnknownTopic`].
    pub fn delete_topics(
        &self,
        topics: impl IntoIterator<Item = impl Into<TopicRef>>,
    ) -> Result<Vec<(TopicRef, Result<()>)>> {
        self.delete_topics_timeout(topics, self.default_timeout())
    }

    /// As [`delete_topics`](Self::delete_topics), within `timeout`.
    ///
    /// # Errors
    /// As [`delete_topics`](Self::delete_topics).
    pub fn delete_topics_timeout(
        &self,
        topics: impl IntoIterator<Item = impl Into<TopicRef>>,
        timeout: Duration,
    ) -> Result<Vec<(TopicRef, Result<()>)>> {
        let topics: Vec<TopicRef> = topics.into_iter().map(Into::into).collect();
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        self.run(timeout, "delete topics", move |admin, deadline| async move {
            admin.delete_topics(topics, deadline).await
        })
    }

    /// The names of all topics that the client may see, sorted; Kafka's own, such as `__consumer_offsets`,
    /// among them.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`], with the failure of each address.
    pub fn list_topics(&self) -> Result<Vec<String>> {
        self.run(self.default_timeout(), "list topics", |admin, _| async move {
            let response = admin.metadata(None).await?;
            let mut names: Vec<String> = response.topics.into_iter().filter_map(|topic| topic.name).collect();
            names.sort_unstable();
            Ok(names)
        })
    }

    /// Describes topics, by names or by ids (which needs Kafka 3.1).
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`], with the failure of each address; for a topic that does not exist
    /// [`ErrorKind::UnknownTopic`].
    pub fn describe_topics(
        &self,
        topics: impl IntoIterator<Item = impl Into<TopicRef>>,
    ) -> Result<Vec<(TopicRef, Result<TopicDescription>)>> {
        let topics: Vec<TopicRef> = topics.into_iter().map(Into::into).collect();
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        self.run(self.default_timeout(), "describe topics", move |admin, _| async move {
            admin.describe_topics(topics).await
        })
    }

    /// Waits until topics exist and every partition has a leader, at most `timeout`.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`], with the topics that are not ready; [`ErrorKind::Authorization`].
    pub fn wait_for_topics(
        &self,
        topics: impl IntoIterator<Item = impl Into<TopicRef>>,
        timeout: Duration,
    ) -> Result<()> {
        let mut missing: Vec<TopicRef> = topics.into_iter().map(Into::into).collect();
        if missing.is_empty() {
            return Ok(());
        }
        self.run(timeout, "wait for topics", move |admin, deadline| async move {
            let net = admin.cluster.net().clone();
            let mut why = String::new();
            // The deadline is looked at here as well, so that the error can name what is missing.
            while let Some(described) =
                net.until(deadline - LAST_WORDS.min(timeout), admin.describe_topics(missing.clone())).await
            {
                missing.clear();
                why.clear();
                for (topic, result) in described? {
                    let state = match &result {
                        Ok(known) if known.partitions.iter().all(|p| p.leader.is_some()) => continue,
                        Ok(_) => "a partition has no leader".to_owned(),
                        Err(error) if is_yet_to_come(error) => error.to_string(),
                        Err(error) => return Err(error.clone()),
                    };
                    why = state;
                    missing.push(topic);
                }
                if missing.is_empty() {
                    return Ok(());
                }
                if net.now() + POLL >= deadline {
                    break;
                }
                net.sleep(POLL).await;
            }
            if why.is_empty() {
                return Err(admin.cluster.timeout("wait for topics"));
            }
            let names: Vec<String> = missing.iter().map(TopicRef::to_string).collect();
            let text = format!("timed out: not ready after {timeout:?}: {}: {why}", names.join(", "));
            Err(Error::new(ErrorKind::Timeout, text))
        })
    }
}

impl Admin {
    async fn create_topics(
        &self,
        topics: Vec<NewTopic>,
        deadline: Instant,
        validate_only: bool,
    ) -> Result<Vec<(String, Result<CreatedTopic>)>> {
        let request = |version: i16, left: Duration| {
            if let Some(topic) =
                topics.iter().find(|topic| version < DEFAULTS_SINCE && topic.needs_defaults())
            {
                let text = "the brokers are too old to choose the number of partitions and replicas \
                            (KIP-464): give both";
                return Err(Error::new(ErrorKind::UnsupportedVersion, text).with_topic(topic.name()));
            }
            Ok(CreateTopicsRequest {
                topics: topics.iter().map(NewTopic::message).collect(),
                timeout_ms: millis(left),
                validate_only,
            })
        };
        let response = self
            .to_controller(deadline, request, |response| {
                response.topics.iter().any(|topic| topic.error_code == ErrorCode::NOT_CONTROLLER)
            })
            .await?;
        let outcome = |topic: NewTopic| {
            let answer = response.topics.iter().find(|answer| answer.name == topic.name);
            let result = answer.ok_or_else(|| unanswered(CREATE)).and_then(created);
            (topic.name.clone(), result.map_err(|error| error.with_topic(topic.name)))
        };
        Ok(topics.into_iter().map(outcome).collect())
    }

    async fn delete_topics(
        &self,
        topics: Vec<TopicRef>,
        deadline: Instant,
    ) -> Result<Vec<(TopicRef, Result<()>)>> {
        let request = |version: i16, left: Duration| {
            let mut request = DeleteTopicsRequest { timeout_ms: millis(left), ..Default::default() };
            for topic in &topics {
                match topic {
                    TopicRef::Name(name) if version < DELETE_BY_ID_SINCE => {
                        request.topic_names.push(name.clone())
                    }
                    TopicRef::Id(id) if version < DELETE_BY_ID_SINCE => return Err(no_ids(DELETE, *id)),
                    TopicRef::Name(name) => request
                        .topics
                        .push(DeleteTopicState { name: Some(name.clone()), topic_id: Uuid::ZERO }),
                    TopicRef::Id(id) => {
                        request.topics.push(DeleteTopicState { name: None, topic_id: *id });
                    }
                }
            }
            Ok(request)
        };
        let response = self
            .to_controller(deadline, request, |response| {
                response.responses.iter().any(|topic| topic.error_code == ErrorCode::NOT_CONTROLLER)
            })
            .await?;
        let outcome = |topic: TopicRef| {
            let answer = response.responses.iter().find(|answer| match &topic {
                TopicRef::Name(name) => answer.name.as_ref() == Some(name),
                TopicRef::Id(id) => answer.topic_id == *id,
            });
            let result = answer
                .ok_or_else(|| unanswered(DELETE))
                .and_then(|answer| verdict(answer.error_code, answer.error_message.as_deref(), DELETE))
                .map_err(|error| error.with_topic(topic.to_string()));
            (topic, result)
        };
        Ok(topics.into_iter().map(outcome).collect())
    }

    async fn describe_topics(
        &self,
        topics: Vec<TopicRef>,
    ) -> Result<Vec<(TopicRef, Result<TopicDescription>)>> {
        let response = self.metadata(Some(&topics)).await?;
        let outcome = |topic: TopicRef| {
            let answer = response.topics.iter().find(|answer| match &topic {
                TopicRef::Name(name) => answer.name.as_ref() == Some(name),
                TopicRef::Id(id) => answer.topic_id == *id,
            });
            // Old brokers were asked for all topics: there, one that is left out does not exist.
            let unknown = || Error::from_code(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, DESCRIBE);
            let result = answer
                .ok_or_else(unknown)
                .and_then(described)
                .map_err(|error| error.with_topic(topic.to_string()));
            (topic, result)
        };
        Ok(topics.into_iter().map(outcome).collect())
    }

    /// The metadata of these topics, or of all.
    async fn metadata(&self, topics: Option<&[TopicRef]>) -> Result<MetadataResponse> {
        self.to_any(|version| {
            let wanted = |topic: &TopicRef| match topic {
                TopicRef::Name(name) => {
                    Ok(MetadataRequestTopic { name: Some(name.clone()), topic_id: Uuid::ZERO })
                }
                TopicRef::Id(id) if version < DESCRIBE_BY_ID_SINCE => Err(no_ids(DESCRIBE, *id)),
                TopicRef::Id(id) => Ok(MetadataRequestTopic { name: None, topic_id: *id }),
            };
            let topics = match topics {
                Some(topics) if version >= NO_AUTO_CREATE_SINCE => {
                    Some(topics.iter().map(wanted).collect::<Result<_>>()?)
                }
                Some(topics) => {
                    topics.iter().try_for_each(|topic| wanted(topic).map(drop))?;
                    all_topics(version)
                }
                None => all_topics(version),
            };
            Ok(MetadataRequest {
                topics,
                allow_auto_topic_creation: version < NO_AUTO_CREATE_SINCE,
                ..MetadataRequest::default()
            })
        })
        .await
    }
}

/// Version 0 has no null list; there the empty one means all.
fn all_topics(version: i16) -> Option<Vec<MetadataRequestTopic>> {
    (version == 0).then(Vec::new)
}

fn created(answer: &CreatableTopicResult) -> Result<CreatedTopic> {
    verdict(answer.error_code, answer.error_message.as_deref(), CREATE)?;
    let configs = answer.configs.iter().flatten();
    Ok(CreatedTopic {
        id: some_id(answer.topic_id),
        partitions: Some(answer.num_partitions).filter(|&count| count >= 0),
        replication_factor: Some(answer.replication_factor).filter(|&count| count >= 0),
        configs: configs.map(|config| (config.name.clone(), config.value.clone())).collect(),
    })
}

fn described(answer: &MetadataResponseTopic) -> Result<TopicDescription> {
    verdict(answer.error_code, None, DESCRIBE)?;
    let mut partitions: Vec<PartitionDescription> = answer
        .partitions
        .iter()
        .map(|partition| PartitionDescription {
            partition: partition.partition_index,
            leader: Some(partition.leader_id).filter(|&id| id >= 0),
            leader_epoch: Some(partition.leader_epoch).filter(|&epoch| epoch >= 0),
            replicas: partition.replica_nodes.clone(),
            isr: partition.isr_nodes.clone(),
            offline_replicas: partition.offline_replicas.clone(),
        })
        .collect();
    partitions.sort_unstable_by_key(|partition| partition.partition);
    Ok(TopicDescription {
        name: answer.name.clone().unwrap_or_default(),
        id: some_id(answer.topic_id),
        is_internal: answer.is_internal,
        partitions,
    })
}

fn is_yet_to_come(error: &Error) -> bool {
    error.kind() == ErrorKind::UnknownTopic || error.is_retriable()
}

fn some_id(id: Uuid) -> Option<Uuid> {
    (id != Uuid::ZERO).then_some(id)
}

fn no_ids(what: &str, id: Uuid) -> Error {
    let text = format!("{what} {id}: the brokers are too old to know topics by id: name it");
    Error::new(ErrorKind::UnsupportedVersion, text)
}

impl From<&str> for TopicRef {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<String> for TopicRef {
    fn from(name: String) -> Self {
        Self::Name(name)
    }
}

impl From<&String> for TopicRef {
    fn from(name: &String) -> Self {
        Self::Name(name.clone())
    }
}

impl From<Uuid> for TopicRef {
    fn from(id: Uuid) -> Self {
        Self::Id(id)
    }
}

impl fmt::Display for TopicRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Id(id) => id.fmt(f),
        }
    }
}

const CREATE: &str = "create topic";
const DELETE: &str = "delete topic";
const DESCRIBE: &str = "describe topic";
/// The version of CreateTopics that takes -1 for the brokers' defaults.
const DEFAULTS_SINCE: i16 = 4;
/// The version of DeleteTopics that takes ids.
const DELETE_BY_ID_SINCE: i16 = 6;
/// The version of Metadata that takes ids alone; 10 and 11 have the field but refuse it.
const DESCRIBE_BY_ID_SINCE: i16 = 12;
/// The version of Metadata that can forbid to create what it asks for.
const NO_AUTO_CREATE_SINCE: i16 = 4;
/// kafka-python's pace.
const POLL: Duration = Duration::from_millis(100);
/// The time before the deadline at which a wait ends with its own, better error.
const LAST_WORDS: Duration = Duration::from_millis(20);

//! Topics: create, delete, list, describe.
//!
//! ```
//! use std::time::Duration;
//! use kavka::admin::{KafkaAdminClient, NewTopic};
//! # let cluster = kavka::mock::MockCluster::start()?;
//! # let servers = cluster.bootstrap_servers();
//!
//! let admin = KafkaAdminClient::builder().bootstrap_servers(servers).build()?;
//! let orders = NewTopic::new("orders").partitions(6).config("cleanup.policy", "compact");
//! for (_, created) in admin.create_topics([orders])? {
//!     created?;
//! }
//! admin.wait_for_topics(["orders"], Duration::from_secs(10))?;
//! for (name, topic) in admin.describe_topics(["orders"])? {
//!     println!("{name} has {} partitions", topic?.partitions.len());
//! }
//! for (_, deleted) in admin.delete_topics(["orders"])? {
//!     deleted?;
//! }
//! # Ok::<(), kavka::Error>(())
//! ```

mod describe;

pub use describe::{PartitionDescription, TopicDescription, TopicPartitionCursor, TopicPartitionsPage};

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::{At, Item, KafkaAdminClient, Results, Route, metadata_request, unanswered, verdict};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::Uuid;
use crate::protocol::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use crate::protocol::messages::delete_topics::DeleteTopicState;
use crate::protocol::messages::metadata::{MetadataRequestTopic, MetadataResponseTopic};
use crate::protocol::messages::{
    CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest, DeleteTopicsResponse, MetadataResponse,
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

/// A topic in the list of all.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicListing {
    /// The name.
    pub name: String,
    /// The id (KIP-516); `None` from brokers before 2.8.
    pub id: Option<Uuid>,
    /// Whether it is one of Kafka's own.
    pub is_internal: bool,
}

impl KafkaAdminClient {
    /// Creates topics.
    ///
    /// A topic that was created is there, but not every broker may know of it yet: see
    /// [`wait_for_topics`](Self::wait_for_topics).
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] when the cluster could not be reached. For a topic
    /// [`TOPIC_ALREADY_EXISTS`](crate::ErrorCode::TOPIC_ALREADY_EXISTS) and other codes, by name;
    /// [`ErrorKind::Connection`] when the answer was lost, after which it may have been created.
    pub fn create_topics(
        &self,
        topics: impl IntoIterator<Item = NewTopic>,
    ) -> Result<Results<String, CreatedTopic>> {
        self.create(topics, false)
    }

    /// Has the cluster check whether topics could be created, without creating them. Needs Kafka 0.10.2.
    ///
    /// # Errors
    /// As [`create_topics`](Self::create_topics).
    pub fn validate_topics(
        &self,
        topics: impl IntoIterator<Item = NewTopic>,
    ) -> Result<Results<String, CreatedTopic>> {
        self.create(topics, true)
    }

    fn create(
        &self,
        topics: impl IntoIterator<Item = NewTopic>,
        validate_only: bool,
    ) -> Result<Results<String, CreatedTopic>> {
        let topics: Vec<NewTopic> = topics.into_iter().collect();
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        self.call(CREATE, move |admin, call| async move {
            let items = topics.into_iter().map(|topic| {
                let defaults = topic.needs_defaults();
                let item = Item::new(Route::Controller, topic);
                if defaults {
                    item.needs(4, "leaving partitions or replicas to the brokers (KIP-464)")
                } else {
                    item
                }
            });
            let request = |at: &At, topics: &[&NewTopic]| {
                if validate_only {
                    at.need(1, "checking without creating")?;
                }
                Ok(CreateTopicsRequest {
                    topics: topics.iter().map(|topic| topic.message()).collect(),
                    timeout_ms: at.timeout_ms(),
                    validate_only,
                })
            };
            let read = |_: &At, response: CreateTopicsResponse, topics: &[&NewTopic]| {
                topics.iter().map(|topic| created(&response, topic)).collect()
            };
            let results = admin.ask(call.never_twice(), items.collect(), request, read).await;
            let named = |(topic, result): (NewTopic, Result<CreatedTopic>)| {
                let result = result.map_err(|error| error.with_topic(&topic.name));
                (topic.name, result)
            };
            Ok(results.into_iter().map(named).collect())
        })
    }

    /// Deletes topics, by names or by ids (which needs Kafka 2.8).
    ///
    /// # Errors
    /// As [`create_topics`](Self::create_topics); for a topic that does not exist [`ErrorKind::UnknownTopic`].
    pub fn delete_topics(
        &self,
        topics: impl IntoIterator<Item = impl Into<TopicRef>>,
    ) -> Result<Results<TopicRef, ()>> {
        let topics: Vec<TopicRef> = topics.into_iter().map(Into::into).collect();
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        self.call(DELETE, move |admin, call| async move {
            let items = topics.into_iter().map(|topic| topic.item(Route::Controller, 6)).collect();
            let request = |at: &At, topics: &[&TopicRef]| {
                let mut request =
                    DeleteTopicsRequest { timeout_ms: at.timeout_ms(), ..DeleteTopicsRequest::default() };
                if at.version < DELETE_BY_ID_SINCE {
                    request.topic_names = topics.iter().map(|topic| topic.to_string()).collect();
                } else {
                    request.topics = topics.iter().map(|topic| topic.to_delete()).collect();
                }
                Ok(request)
            };
            let read = |_: &At, response: DeleteTopicsResponse, topics: &[&TopicRef]| {
                topics.iter().map(|topic| deleted(&response, topic)).collect()
            };
            let results = admin.ask(call.never_twice(), items, request, read).await;
            Ok(results.into_iter().map(with_name).collect())
        })
    }

    /// The names of all topics that the client may see, sorted; Kafka's own, such as `__consumer_offsets`,
    /// among them. [`topic_listings`](Self::topic_listings) says which those are.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`], with the failure of each address.
    pub fn list_topics(&self) -> Result<Vec<String>> {
        Ok(self.topic_listings()?.into_iter().map(|topic| topic.name).collect())
    }

    /// All topics that the client may see, sorted by name, with their ids. Java's `listTopics`.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`], with the failure of each address.
    pub fn topic_listings(&self) -> Result<Vec<TopicListing>> {
        self.call("list topics", |admin, call| async move {
            let request = |at: &At| Ok(metadata_request(at.version, None));
            let response: MetadataResponse = admin.ask_one(call, Route::Any, request, |_| Ok(())).await?;
            let listing = |topic: MetadataResponseTopic| {
                Some(TopicListing {
                    name: topic.name?,
                    id: some_id(topic.topic_id),
                    is_internal: topic.is_internal,
                })
            };
            let mut topics: Vec<TopicListing> = response.topics.into_iter().filter_map(listing).collect();
            topics.sort_unstable_by(|a, b| a.name.cmp(&b.name));
            Ok(topics)
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
        self.with_timeout(timeout).call("wait for topics", move |admin, call| async move {
            let net = admin.cluster.net().clone();
            loop {
                let mut why = String::new();
                let described = admin.describe_topics(call, std::mem::take(&mut missing)).await;
                for (topic, result) in described {
                    why = match result {
                        Ok(known) if known.partitions.iter().all(|p| p.leader.is_some()) => continue,
                        Ok(_) => "a partition has no leader".to_owned(),
                        Err(error) if is_yet_to_come(&error) => error.to_string(),
                        Err(error) => return Err(error),
                    };
                    missing.push(topic);
                }
                if missing.is_empty() {
                    return Ok(());
                }
                if net.now() + POLL >= call.deadline {
                    let names: Vec<String> = missing.iter().map(TopicRef::to_string).collect();
                    let text = format!("timed out: not ready after {timeout:?}: {}: {why}", names.join(", "));
                    return Err(Error::new(ErrorKind::Timeout, text));
                }
                net.sleep(POLL).await;
            }
        })
    }
}

fn with_name<T>((topic, result): (TopicRef, Result<T>)) -> (TopicRef, Result<T>) {
    let result = result.map_err(|error| error.with_topic(topic.to_string()));
    (topic, result)
}

fn created(response: &CreateTopicsResponse, topic: &NewTopic) -> Result<CreatedTopic> {
    let answer = response.topics.iter().find(|answer| answer.name == topic.name);
    let answer = answer.ok_or_else(|| unanswered(CREATE))?;
    verdict(answer.error_code, answer.error_message.as_deref(), CREATE)?;
    let configs = answer.configs.iter().flatten();
    Ok(CreatedTopic {
        id: some_id(answer.topic_id),
        partitions: Some(answer.num_partitions).filter(|&count| count >= 0),
        replication_factor: Some(answer.replication_factor).filter(|&count| count >= 0),
        configs: configs.map(|config| (config.name.clone(), config.value.clone())).collect(),
    })
}

fn deleted(response: &DeleteTopicsResponse, topic: &TopicRef) -> Result<()> {
    let answer = response.responses.iter().find(|answer| topic.is(answer.name.as_deref(), answer.topic_id));
    let answer = answer.ok_or_else(|| unanswered(DELETE))?;
    verdict(answer.error_code, answer.error_message.as_deref(), DELETE)
}

fn is_yet_to_come(error: &Error) -> bool {
    error.kind() == ErrorKind::UnknownTopic || error.is_retriable()
}

fn some_id(id: Uuid) -> Option<Uuid> {
    (id != Uuid::ZERO).then_some(id)
}

impl TopicRef {
    /// An item of a call that needs a version of its API for ids.
    fn item(self, route: Route, ids_since: i16) -> Item<Self> {
        match self {
            Self::Name(_) => Item::new(route, self),
            Self::Id(_) => Item::new(route, self).needs(ids_since, "knowing topics by id"),
        }
    }

    fn is(&self, name: Option<&str>, id: Uuid) -> bool {
        match self {
            Self::Name(wanted) => name == Some(wanted),
            Self::Id(wanted) => id == *wanted,
        }
    }

    fn to_delete(&self) -> DeleteTopicState {
        match self {
            Self::Name(name) => DeleteTopicState { name: Some(name.clone()), topic_id: Uuid::ZERO },
            Self::Id(id) => DeleteTopicState { name: None, topic_id: *id },
        }
    }

    fn to_describe(&self) -> MetadataRequestTopic {
        match self {
            Self::Name(name) => MetadataRequestTopic { name: Some(name.clone()), topic_id: Uuid::ZERO },
            Self::Id(id) => MetadataRequestTopic { name: None, topic_id: *id },
        }
    }
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

const CREATE: &str = "create topics";
const DELETE: &str = "delete topics";
/// The version of DeleteTopics that takes ids.
const DELETE_BY_ID_SINCE: i16 = 6;
/// kafka-python's pace.
const POLL: Duration = Duration::from_millis(100);

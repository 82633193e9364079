//! `kavka admin topics`.

use std::str::FromStr;

use clap::{Args, Subcommand};
use kavka::ErrorCode;
use kavka::admin::{NewTopic, TopicDescription, TopicRef};
use kavka::protocol::Uuid;
use serde_json::{Map, Value};

use super::arguments::{Pair, enumerate};
use super::report::{Item, Report};
use super::session::Session;
use crate::common::{Failure, Outcome};

/// List, describe, create and delete topics.
#[derive(Subcommand)]
pub(crate) enum Topics {
    /// The names of all topics.
    List(List),
    /// Partitions, leaders and replicas of topics.
    Describe(Chosen),
    /// Create a topic.
    Create(Create),
    /// Delete topics and all their records.
    Delete(Chosen),
}

#[derive(Args)]
pub(crate) struct List {
    /// Leave Kafka's own topics out.
    #[arg(long)]
    exclude_internal: bool,

    /// Also their ids, and which are Kafka's own.
    #[arg(long)]
    details: bool,
}

/// Topics by name or by id.
#[derive(Args)]
pub(crate) struct Chosen {
    /// A topic; several with commas, or by repeating the option.
    #[arg(
        short,
        long = "topic",
        value_name = "TOPIC",
        value_delimiter = ',',
        required_unless_present = "ids"
    )]
    topics: Vec<String>,

    /// A topic by its id; can be repeated.
    #[arg(long = "id", value_name = "UUID", allow_hyphen_values = true)]
    ids: Vec<Uuid>,
}

#[derive(Args)]
pub(crate) struct Create {
    /// The name.
    #[arg(short, long)]
    topic: String,

    /// How many partitions; the brokers' default if it is left out.
    #[arg(long, alias = "partitions", value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    num_partitions: Option<i32>,

    /// How many replicas each partition has; the brokers' default if it is left out.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i16).range(1..))]
    replication_factor: Option<i16>,

    /// An option of the topic, such as retention.ms=3600000; can be repeated.
    #[arg(short, long = "config", value_name = "KEY=VALUE")]
    configs: Vec<Pair>,

    /// A partition and its brokers, the preferred leader first, in the place of the two numbers; can be repeated.
    #[arg(
        short,
        long = "assignment",
        value_name = "PART:BROKER,…",
        conflicts_with_all = ["num_partitions", "replication_factor"]
    )]
    assignments: Vec<Assignment>,

    /// Only check whether it could be created.
    #[arg(long, conflicts_with = "wait")]
    validate_only: bool,

    /// Wait until it can be used.
    #[arg(long)]
    wait: bool,

    /// A topic that exists already is fine.
    #[arg(long)]
    if_not_exists: bool,
}

/// `PART:BROKER,BROKER`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Assignment {
    partition: i32,
    brokers: Vec<i32>,
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once(':').and_then(|(partition, brokers)| {
            let brokers =
                brokers.split(',').map(|id| id.trim().parse().ok()).collect::<Option<Vec<i32>>>()?;
            Some(Self { partition: partition.parse().ok()?, brokers })
        });
        parts.ok_or_else(|| "it has to be PART:BROKER,BROKER, such as 0:1,2".to_owned())
    }
}

impl Topics {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        match self {
            Self::List(list) => list.run(session),
            Self::Describe(chosen) => chosen.describe(session),
            Self::Create(create) => create.run(session),
            Self::Delete(chosen) => chosen.delete(session),
        }
    }
}

impl List {
    fn run(self, session: &Session) -> Outcome<Report> {
        let topics = session.wait("listing topics", |admin| admin.topic_listings())?;
        let wanted = topics.into_iter().filter(|topic| !(self.exclude_internal && topic.is_internal));
        Ok(Report::list(wanted.map(|topic| {
            let item = Item::new().with("topic", topic.name);
            match self.details {
                true => {
                    item.with("id", topic.id.map(|id| id.to_string())).with("is_internal", topic.is_internal)
                }
                false => item,
            }
        })))
    }
}

impl Chosen {
    fn refs(&self) -> Vec<TopicRef> {
        let names = self.topics.iter().map(TopicRef::from);
        names.chain(self.ids.iter().copied().map(TopicRef::Id)).collect()
    }

    fn describe(self, session: &Session) -> Outcome<Report> {
        let described = session.wait("describing topics", |admin| admin.describe_topics(self.refs()))?;
        Ok(Report::results(described.into_iter().map(|(topic, result)| {
            let result = result.map(sheet);
            match result {
                // The topic names itself.
                Ok(item) => (Item::new(), Ok(item)),
                failed => (Item::new().with("topic", topic.to_string()), failed),
            }
        })))
    }

    fn delete(self, session: &Session) -> Outcome<Report> {
        let topics = self.refs();
        session.confirm(&format!("delete {} with all records", enumerate(&topics)))?;
        let deleted = session.wait("deleting topics", |admin| admin.delete_topics(topics))?;
        Ok(Report::results(deleted.into_iter().map(|(topic, result)| {
            let key = Item::new().with("topic", topic.to_string());
            (key, result.map(|()| Item::new().with("status", "deleted")))
        })))
    }
}

impl Create {
    fn run(self, session: &Session) -> Outcome<Report> {
        let mut topic = NewTopic::new(&self.topic);
        if let Some(count) = self.num_partitions {
            topic = topic.partitions(count);
        }
        if let Some(factor) = self.replication_factor {
            topic = topic.replication_factor(factor);
        }
        if !self.assignments.is_empty() {
            topic = topic.assignments(self.assignments.into_iter().map(|one| (one.partition, one.brokers)));
        }
        for Pair { key, value } in self.configs {
            topic = topic.config(key, value);
        }
        let results = session.wait("creating the topic", |admin| match self.validate_only {
            true => admin.validate_topics([topic]),
            false => admin.create_topics([topic]),
        })?;
        let status = if self.validate_only { "valid" } else { "created" };
        let (name, result) = results.into_iter().next().ok_or_else(|| Failure::because("no answer"))?;
        let exists = self.if_not_exists
            && result.as_ref().is_err_and(|error| error.code() == Some(ErrorCode::TOPIC_ALREADY_EXISTS));
        if self.wait && (result.is_ok() || exists) {
            session.wait("waiting for the topic", |admin| {
                admin.wait_for_topics([&name], admin.config().common.default_api_timeout)
            })?;
        }
        let result = match result {
            Ok(created) => {
                let configs: Map<String, Value> =
                    created.configs.into_iter().map(|(key, value)| (key, value.into())).collect();
                let item = Item::new()
                    .with("status", status)
                    .with("id", created.id.map(|id| id.to_string()))
                    .with("partitions", created.partitions)
                    .with("replication_factor", created.replication_factor);
                // For people it would be a line of two thousand characters.
                Ok(if session.is_json() { item.with("configs", configs) } else { item })
            }
            Err(_) if exists => Ok(Item::new().with("status", "exists")),
            Err(error) => Err(error),
        };
        Ok(Report::results([(Item::new().with("topic", name), result)]))
    }
}

/// A topic and its partitions.
pub(super) fn sheet(topic: TopicDescription) -> Item {
    let partitions = topic.partitions.into_iter().map(|partition| {
        let item = Item::new()
            .with("partition", partition.partition)
            .with("leader", partition.leader)
            .with("leader_epoch", partition.leader_epoch)
            .with("replicas", partition.replicas)
            .with("isr", partition.isr)
            .with("offline_replicas", partition.offline_replicas);
        match partition.eligible_leader_replicas {
            Some(eligible) => item
                .with("eligible_leader_replicas", eligible)
                .with("last_known_elr", partition.last_known_elr),
            None => item,
        }
    });
    let operations = topic.authorized_operations;
    Item::new()
        .with("name", topic.name)
        .with("id", topic.id.map(|id| id.to_string()))
        .with("is_internal", topic.is_internal)
        .with(
            "authorized_operations",
            operations.map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>()),
        )
        .list("partitions", partitions)
}

//! `kavka admin log-dirs`, and what kafka-python has under `cluster`.

use std::str::FromStr;

use clap::{Args, Subcommand};
use kavka::admin::{ReplicaPlace, TopicPartitionReplica};

use super::arguments::TopicNumber;
use super::report::{Item, Report};
use super::session::Session;
use crate::common::Outcome;

/// Where brokers keep partitions, and how much room there is.
#[derive(Subcommand)]
pub(crate) enum LogDirs {
    /// The directories of brokers and the replicas in them.
    Describe(Describe),
    /// Move replicas to other directories of their brokers.
    Alter(Alter),
    /// The directories of single replicas.
    DescribeReplicas(DescribeReplicas),
}

#[derive(Args)]
pub(crate) struct Describe {
    /// A broker; several with commas, or by repeating the option. All, if it is left out.
    #[arg(long = "broker", value_name = "ID", value_delimiter = ',')]
    brokers: Vec<i32>,

    /// Only the replicas of this topic; several with commas, or by repeating the option.
    #[arg(short, long = "topic", value_name = "TOPIC", value_delimiter = ',')]
    topics: Vec<String>,
}

#[derive(Args)]
pub(crate) struct Alter {
    /// A replica and the path of its new directory; can be repeated.
    #[arg(short, long = "assignment", value_name = "TOPIC:PART:BROKER=PATH", required = true)]
    assignments: Vec<Assignment>,
}

#[derive(Args)]
pub(crate) struct DescribeReplicas {
    /// A replica; can be repeated.
    #[arg(short, long = "replica", value_name = "TOPIC:PART:BROKER", required = true)]
    replicas: Vec<Replica>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Replica(TopicPartitionReplica);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Assignment {
    replica: TopicPartitionReplica,
    path: String,
}

impl FromStr for Replica {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.rsplit_once(':').and_then(|(partition, broker)| {
            let TopicNumber { topic, number } = partition.parse().ok()?;
            Some(TopicPartitionReplica::new(topic, number, broker.parse().ok()?))
        });
        parts.map(Self).ok_or_else(|| "it has to be TOPIC:PART:BROKER, such as orders:0:1".to_owned())
    }
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (replica, path) = text
            .split_once('=')
            .filter(|(_, path)| !path.is_empty())
            .ok_or_else(|| "it has to be TOPIC:PART:BROKER=PATH, such as orders:0:1=/data/2".to_owned())?;
        let Replica(replica) = replica.parse()?;
        Ok(Self { replica, path: path.to_owned() })
    }
}

impl LogDirs {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        match self {
            Self::Describe(describe) => describe.run(session),
            Self::Alter(alter) => alter.run(session),
            Self::DescribeReplicas(describe) => describe.run(session),
        }
    }
}

impl Describe {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        let brokers = (!self.brokers.is_empty()).then_some(self.brokers.as_slice());
        let described =
            session.wait("describing log directories", |admin| admin.describe_log_dirs(brokers, None))?;
        let mut report = Report::list([]);
        for (broker, result) in described {
            let dirs = match result {
                Ok(dirs) => dirs,
                Err(error) => {
                    report.add(Item::new().with("broker", broker), Err(error));
                    continue;
                }
            };
            for dir in dirs {
                let key = Item::new().with("broker", broker).with("path", dir.path);
                if let Some(error) = dir.error {
                    report.add(key, Err(error));
                    continue;
                }
                let wanted = dir
                    .replicas
                    .into_iter()
                    .filter(|replica| {
                        self.topics.is_empty()
                            || self.topics.iter().any(|name| name == replica.partition.topic())
                    })
                    .map(|replica| {
                        Item::new()
                            .with("topic", replica.partition.topic())
                            .with("partition", replica.partition.partition())
                            .with("size_bytes", replica.size_bytes)
                            .with("offset_lag", replica.offset_lag)
                            .with("is_future", replica.is_future)
                    });
                let item = Item::new()
                    .with("total_bytes", dir.total_bytes)
                    .with("usable_bytes", dir.usable_bytes)
                    .with("is_cordoned", dir.is_cordoned)
                    .list("replicas", wanted);
                report.add(key, Ok(item));
            }
        }
        Ok(report)
    }
}

impl Alter {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        let moves = self.assignments.into_iter().map(|one| (one.replica, one.path));
        let results = session.wait("moving replicas", |admin| admin.alter_replica_log_dirs(moves))?;
        Ok(Report::results(results.into_iter().map(|(replica, result)| {
            (key_of(&replica), result.map(|()| Item::new().with("status", "begun")))
        })))
    }
}

impl DescribeReplicas {
    fn run(self, session: &Session) -> Outcome<Report> {
        let replicas = self.replicas.into_iter().map(|Replica(replica)| replica);
        let results =
            session.wait("describing replicas", |admin| admin.describe_replica_log_dirs(replicas))?;
        Ok(Report::results(results.into_iter().map(|(replica, result)| {
            let item = result.map(|dirs| {
                let lag = |place: &Option<ReplicaPlace>| place.as_ref().map(|place| place.offset_lag);
                Item::new()
                    .with("current_lag", lag(&dirs.current))
                    .with("current_path", dirs.current.map(|place| place.path))
                    .with("future_lag", lag(&dirs.future))
                    .with("future_path", dirs.future.map(|place| place.path))
            });
            (key_of(&replica), item)
        })))
    }
}

fn key_of(replica: &TopicPartitionReplica) -> Item {
    Item::new()
        .with("topic", replica.partition.topic())
        .with("partition", replica.partition.partition())
        .with("broker", replica.broker_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_and_paths_are_told_apart() {
        let parsed: Assignment = "a:b:0:1=/data=2".parse().expect("an assignment");
        assert_eq!(parsed.replica, TopicPartitionReplica::new("a:b", 0, 1));
        assert_eq!(parsed.path, "/data=2");
        for text in ["orders:0:1", "orders:0=/x", "orders:0:1=", ":0:1=/x", "orders:x:1=/x"] {
            assert!(text.parse::<Assignment>().is_err(), "{text}");
        }
    }
}

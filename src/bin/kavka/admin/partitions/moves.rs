//! `kavka admin partitions`: reassignments and elections.

use std::str::FromStr;

use clap::{Args, ValueEnum};
use kavka::TopicPartition;
use kavka::admin::{Election, ElectionType};

use super::key_of;
use crate::admin::arguments::{PartitionRange, Resolved, TopicNumber, enumerate, resolve};
use crate::admin::report::{Item, Report};
use crate::admin::session::Session;
use crate::common::Outcome;

#[derive(Args)]
pub(crate) struct ListReassignments {
    /// Only this partition; can be repeated.
    #[arg(short = 'p', long = "topic-partition", value_name = "TOPIC:PART")]
    partitions: Vec<TopicNumber>,
}

#[derive(Args)]
pub(crate) struct AlterReassignments {
    /// A partition and its new brokers, the preferred leader first, or "cancel"; can be repeated.
    #[arg(short = 'r', long = "reassign", value_name = "TOPIC:PART=BROKER,…", required = true)]
    moves: Vec<Move>,

    /// Refuse what would change the number of replicas.
    #[arg(long)]
    keep_replication_factor: bool,
}

#[derive(Args)]
pub(crate) struct ElectLeaders {
    /// Who is to lead: the preferred replica, or any if none is in sync, which may lose records.
    #[arg(long, value_enum, default_value_t = Kind::Preferred)]
    election_type: Kind,

    /// A partition; can be repeated. All that need it, if no partition and no topic is named.
    #[arg(short = 'p', long = "topic-partition", value_name = "TOPIC:PART")]
    partitions: Vec<TopicNumber>,

    /// All partitions of a topic; several with commas, or by repeating the option.
    #[arg(short, long = "topic", value_name = "TOPIC", value_delimiter = ',')]
    topics: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Preferred,
    Unclean,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Move {
    partition: TopicNumber,
    brokers: Option<Vec<i32>>,
}

impl FromStr for Move {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.rsplit_once('=').and_then(|(partition, brokers)| {
            let brokers = match brokers {
                "cancel" => None,
                _ => Some(brokers.split(',').map(|id| id.trim().parse().ok()).collect::<Option<Vec<i32>>>()?),
            };
            Some(Self { partition: partition.parse().ok()?, brokers })
        });
        parts.ok_or_else(|| "it has to be TOPIC:PART=BROKER,BROKER or TOPIC:PART=cancel".to_owned())
    }
}

fn partition(number: TopicNumber) -> TopicPartition {
    TopicPartition::new(number.topic, number.number)
}

impl ListReassignments {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        let partitions: Vec<TopicPartition> = self.partitions.into_iter().map(partition).collect();
        let some = (!partitions.is_empty()).then_some(partitions.as_slice());
        let moves =
            session.wait("listing reassignments", |admin| admin.list_partition_reassignments(some))?;
        Ok(Report::list(moves.into_iter().map(|(partition, one)| {
            key_of(&partition)
                .with("replicas", one.replicas)
                .with("adding_replicas", one.adding_replicas)
                .with("removing_replicas", one.removing_replicas)
        })))
    }
}

impl AlterReassignments {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        let moves = self.moves.into_iter().map(|one| (partition(one.partition), one.brokers));
        let results = session.wait("moving partitions", |admin| match self.keep_replication_factor {
            true => admin.alter_partition_reassignments_of_same_size(moves),
            false => admin.alter_partition_reassignments(moves),
        })?;
        Ok(Report::results(results.into_iter().map(|(partition, result)| {
            (key_of(&partition), result.map(|()| Item::new().with("status", "begun")))
        })))
    }
}

impl ElectLeaders {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        let kind = match self.election_type {
            Kind::Preferred => ElectionType::Preferred,
            Kind::Unclean => ElectionType::Unclean,
        };
        if kind == ElectionType::Unclean {
            let named: Vec<String> = self
                .partitions
                .iter()
                .map(|one| format!("{}-{}", one.topic, one.number))
                .chain(self.topics.iter().cloned())
                .collect();
            let what = if named.is_empty() { "any partition".to_owned() } else { enumerate(named) };
            session.confirm(&format!("elect leaders that may lack records of {what}"))?;
        }
        let all = self.partitions.is_empty() && self.topics.is_empty();
        let topics: Vec<_> = self.topics.into_iter().map(|topic| (PartitionRange::all(topic), ())).collect();
        let Resolved { partitions, failures } = resolve(session, &topics)?;
        let named = self.partitions.into_iter().map(partition);
        let wanted: Vec<TopicPartition> = named.chain(partitions.into_iter().map(|(one, ())| one)).collect();
        let results = match all || !wanted.is_empty() {
            true => session.wait("electing leaders", |admin| {
                admin.elect_leaders(kind, (!all).then_some(wanted.as_slice()))
            })?,
            false => Vec::new(),
        };
        let mut report = Report::results(results.into_iter().map(|(partition, result)| {
            let status = result.map(|election| match election {
                Election::Held => "elected",
                Election::NotNeeded => "not needed",
            });
            (key_of(&partition), status.map(|status| Item::new().with("status", status)))
        }));
        report.extend(failures);
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_name_brokers_or_are_called_off() {
        let parsed: Move = "orders:1=3,2".parse().expect("a move");
        assert_eq!((parsed.partition.number, parsed.brokers), (1, Some(vec![3, 2])));
        assert_eq!("orders:1=cancel".parse::<Move>().expect("a move").brokers, None);
        for text in ["orders:1", "orders=1", "orders:1=", "orders:1=a"] {
            assert!(text.parse::<Move>().is_err(), "{text}");
        }
    }
}

//! `kavka admin partitions`.

mod moves;
mod offsets;
mod records;

use clap::{Args, Subcommand};
use kavka::admin::{NewPartitions, TopicPartitionCursor};

use super::arguments::TopicNumber;
use super::report::{Item, Report};
use super::session::Session;
use super::topics::sheet;
use crate::common::Outcome;

/// Add partitions, move them, elect their leaders; their offsets and records.
#[derive(Subcommand)]
pub(crate) enum Partitions {
    /// Give topics more partitions.
    Create(Create),
    /// A page of topics with their partitions, leaders and replicas.
    Describe(Describe),
    /// The first and last offsets, or those of a time.
    ListOffsets(offsets::ListOffsets),
    /// The partitions that are being moved.
    ListReassignments(moves::ListReassignments),
    /// Move partitions to other brokers.
    AlterReassignments(moves::AlterReassignments),
    /// Delete the oldest records.
    DeleteRecords(records::DeleteRecords),
    /// Elect leaders.
    ElectLeaders(moves::ElectLeaders),
}

#[derive(Args)]
pub(crate) struct Create {
    /// A topic, and how many partitions it is to have in all; can be repeated.
    #[arg(short = 'p', long = "topic-partitions", value_name = "TOPIC:TOTAL", required = true)]
    topics: Vec<TopicNumber>,

    /// Only check whether it could be done.
    #[arg(long)]
    validate_only: bool,
}

#[derive(Args)]
pub(crate) struct Describe {
    /// A topic; several with commas, or by repeating the option.
    #[arg(short, long = "topic", value_name = "TOPIC", value_delimiter = ',', required = true)]
    topics: Vec<String>,

    /// The most partitions of a page.
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(i32).range(1..))]
    response_partition_limit: i32,

    /// The topic that the page begins with.
    #[arg(long, value_name = "TOPIC", requires = "cursor_partition")]
    cursor_topic: Option<String>,

    /// The partition that the page begins with.
    #[arg(long, value_name = "PART", requires = "cursor_topic")]
    cursor_partition: Option<i32>,
}

impl Partitions {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        match self {
            Self::Create(create) => create.run(session),
            Self::Describe(describe) => describe.run(session),
            Self::ListOffsets(list) => list.run(session),
            Self::ListReassignments(list) => list.run(session),
            Self::AlterReassignments(alter) => alter.run(session),
            Self::DeleteRecords(delete) => delete.run(session),
            Self::ElectLeaders(elect) => elect.run(session),
        }
    }
}

impl Create {
    fn run(self, session: &Session) -> Outcome<Report> {
        let totals = self.topics.iter().map(|total| NewPartitions::new(&total.topic, total.number));
        let results = session.wait("adding partitions", |admin| match self.validate_only {
            true => admin.validate_partitions(totals),
            false => admin.create_partitions(totals),
        })?;
        let status = if self.validate_only { "valid" } else { "created" };
        Ok(Report::results(results.into_iter().map(|(topic, result)| {
            (Item::new().with("topic", topic), result.map(|()| Item::new().with("status", status)))
        })))
    }
}

impl Describe {
    fn run(self, session: &Session) -> Outcome<Report> {
        let cursor = self.cursor_topic.zip(self.cursor_partition);
        let cursor = cursor.map(|(topic, partition)| TopicPartitionCursor { topic, partition });
        let limit = self.response_partition_limit;
        let page = session.wait("describing partitions", |admin| {
            admin.describe_topic_partitions(self.topics, limit, cursor)
        })?;
        let mut report = Report::results(page.topics.into_iter().map(|(name, result)| match result {
            Ok(topic) => (Item::new(), Ok(sheet(topic))),
            Err(error) => (Item::new().with("topic", name), Err(error)),
        }));
        if let Some(next) = page.next_cursor {
            let item = Item::new().with("cursor_topic", next.topic).with("cursor_partition", next.partition);
            report.add(Item::new(), Ok(item));
        }
        Ok(report)
    }
}

/// Partitions as an option has them, such as a topic's number alone.
fn key_of(partition: &kavka::TopicPartition) -> Item {
    Item::new().with("topic", partition.topic()).with("partition", partition.partition())
}

//! `kavka admin partitions`.

use clap::{Args, Subcommand};
use kavka::admin::NewPartitions;

use super::arguments::TopicNumber;
use super::report::{Item, Report};
use super::session::Session;
use crate::common::Outcome;

/// Add partitions to topics.
#[derive(Subcommand)]
pub(crate) enum Partitions {
    /// Give topics more partitions.
    Create(Create),
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

impl Partitions {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        match self {
            Self::Create(create) => create.run(session),
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

//! `kavka mock`: a cluster for tests, in this process.

use std::io::{Write, stdout};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::mpsc;

use clap::Args;
use kavka::mock::MockCluster;

use crate::common::{Logging, Outcome};
use crate::interrupt::Interrupt;

/// Runs brokers for tests until it is interrupted; any Kafka client can use them. Nothing is kept on disk.
///
/// The first line on stdout is the address for --bootstrap-servers.
#[derive(Args)]
pub(crate) struct Mock {
    /// How many brokers.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=100))]
    brokers: i32,

    /// A topic that is there from the start; can be repeated.
    #[arg(short, long = "topic", value_name = "TOPIC[:PARTITIONS]")]
    topics: Vec<TopicArg>,

    #[command(flatten)]
    logging: Logging,
}

#[derive(Clone)]
struct TopicArg {
    name: String,
    partitions: i32,
}

impl FromStr for TopicArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, partitions) = text.split_once(':').unwrap_or((text, "1"));
        let partitions = partitions.parse().ok().filter(|count| (1..=MAX_PARTITIONS).contains(count));
        let partitions = partitions.ok_or_else(|| {
            format!("it has to be TOPIC or TOPIC:PARTITIONS, with 1 to {MAX_PARTITIONS} partitions")
        })?;
        Ok(Self { name: name.to_owned(), partitions })
    }
}

impl Mock {
    pub(crate) fn run(self) -> Outcome {
        self.logging.start();
        let (ended, end) = mpsc::channel::<()>();
        let _interrupt = Interrupt::watch(move || drop(ended))?;
        let mut builder = MockCluster::builder().brokers(self.brokers);
        for topic in &self.topics {
            builder = builder.topic(&topic.name, topic.partitions);
        }
        let cluster = builder.start()?;
        let mut out = stdout().lock();
        writeln!(out, "{}", cluster.bootstrap_servers())?;
        out.flush()?;
        // Nothing is ever sent: the wait ends when the sender is dropped.
        let _ = end.recv();
        Ok(ExitCode::SUCCESS)
    }
}

const MAX_PARTITIONS: i32 = 10_000;

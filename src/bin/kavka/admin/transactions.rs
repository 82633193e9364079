//! `kavka admin transactions`.

use std::time::Duration;

use clap::{Args, Subcommand};
use kavka::TopicPartition;
use kavka::admin::{AbortTransactionSpec, HangingTransactionFilter, TransactionFilter, TransactionState};

use super::arguments::enumerate;
use super::report::{Item, Report};
use super::session::Session;
use crate::common::{Failure, Outcome};

/// Look at transactions, find those that hang, end them.
#[derive(Subcommand)]
pub(crate) enum Transactions {
    /// Transactional ids, and how their transactions fare.
    List(List),
    /// Transactions of transactional ids.
    Describe(Chosen),
    /// The producers that write to partitions.
    DescribeProducers(Producers),
    /// Transactions that are open in a partition, while no coordinator will ever end them.
    FindHanging(FindHanging),
    /// End a transaction in a partition, past its coordinator: for one that hangs.
    Abort(Abort),
    /// Fence the producers of transactional ids, and abort their transactions.
    Fence(Chosen),
    /// Abort the transaction of a transactional id, even a prepared one.
    Terminate(Terminate),
}

#[derive(Args)]
pub(crate) struct List {
    /// Transactions that this broker coordinates alone; several with commas, or by repeating the option.
    #[arg(long = "broker-id", value_name = "ID", value_delimiter = ',')]
    brokers: Vec<i32>,

    /// Transactions of this producer id alone; several as with --broker-id.
    #[arg(long = "producer-id", value_name = "ID", value_delimiter = ',')]
    producer_ids: Vec<i64>,

    /// Transactions in this state alone, such as Ongoing; several as with --broker-id.
    #[arg(long = "state", value_name = "STATE", value_delimiter = ',')]
    states: Vec<TransactionState>,

    /// Transactions that are open for longer than so many milliseconds alone.
    #[arg(long, value_name = "MS")]
    duration_filter_ms: Option<u64>,

    /// Transactional ids that match this regular expression alone.
    #[arg(long, value_name = "PATTERN")]
    id_pattern: Option<String>,
}

/// Transactional ids.
#[derive(Args)]
pub(crate) struct Chosen {
    /// A transactional id; several with commas, or by repeating the option.
    #[arg(short = 'i', long = "transactional-id", value_name = "ID", value_delimiter = ',', required = true)]
    ids: Vec<String>,
}

#[derive(Args)]
pub(crate) struct Producers {
    /// The topic.
    #[arg(short, long)]
    topic: String,

    /// A partition; several with commas, or by repeating the option.
    #[arg(short, long = "partition", value_name = "N", value_delimiter = ',', required = true, value_parser = clap::value_parser!(i32).range(0..))]
    partitions: Vec<i32>,

    /// Ask this replica, in the place of the leader.
    #[arg(long, value_name = "ID")]
    broker_id: Option<i32>,
}

#[derive(Args)]
pub(crate) struct FindHanging {
    /// In partitions that this broker leads alone; several with commas, or by repeating the option.
    #[arg(long = "broker-id", value_name = "ID", value_delimiter = ',')]
    brokers: Vec<i32>,

    /// In this topic alone; several as with --broker-id.
    #[arg(short, long = "topic", value_name = "TOPIC", value_delimiter = ',')]
    topics: Vec<String>,

    /// The brokers' transaction.max.timeout.ms: a younger transaction does not hang.
    #[arg(long, value_name = "MS", default_value_t = 900_000)]
    max_transaction_timeout_ms: u64,
}

#[derive(Args)]
pub(crate) struct Abort {
    /// The topic.
    #[arg(short, long)]
    topic: String,

    /// The partition.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    partition: i32,

    /// The offset of the transaction's first record; the rest is found out.
    #[arg(long, value_name = "OFFSET", conflicts_with_all = ["producer_id", "producer_epoch"])]
    start_offset: Option<i64>,

    /// The producer id.
    #[arg(long, value_name = "ID", required_unless_present = "start_offset")]
    producer_id: Option<i64>,

    /// The producer's epoch.
    #[arg(long, value_name = "N", required_unless_present = "start_offset")]
    producer_epoch: Option<i16>,

    /// The coordinator's epoch.
    #[arg(long, value_name = "N", default_value_t = -1, allow_negative_numbers = true)]
    coordinator_epoch: i32,
}

#[derive(Args)]
pub(crate) struct Terminate {
    /// The transactional id.
    #[arg(short = 'i', long = "transactional-id", value_name = "ID")]
    id: String,
}

impl Transactions {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        match self {
            Self::List(list) => list.run(session),
            Self::Describe(chosen) => chosen.describe(session),
            Self::DescribeProducers(producers) => producers.run(session),
            Self::FindHanging(find) => find.run(session),
            Self::Abort(abort) => abort.run(session),
            Self::Fence(chosen) => chosen.fence(session),
            Self::Terminate(terminate) => terminate.run(session),
        }
    }
}

impl List {
    fn run(self, session: &Session) -> Outcome<Report> {
        let mut filter = TransactionFilter::new();
        filter = self.states.into_iter().fold(filter, TransactionFilter::state);
        filter = self.producer_ids.into_iter().fold(filter, TransactionFilter::producer_id);
        filter = self.brokers.into_iter().fold(filter, TransactionFilter::broker);
        if let Some(millis) = self.duration_filter_ms {
            filter = filter.running_longer_than(Duration::from_millis(millis));
        }
        if let Some(pattern) = self.id_pattern {
            filter = filter.transactional_id_pattern(pattern);
        }
        let listed = session.wait("listing transactions", |admin| admin.list_transactions(&filter))?;
        let mut report = Report::list([]);
        for (broker, result) in listed {
            match result {
                Err(error) => report.add(Item::new().with("coordinator", broker), Err(error)),
                Ok(transactions) => {
                    for one in transactions {
                        let item = Item::new()
                            .with("coordinator", broker)
                            .with("producer_id", one.producer_id)
                            .with("state", one.state.to_string());
                        report.add(Item::new().with("transactional_id", one.transactional_id), Ok(item));
                    }
                }
            }
        }
        Ok(report)
    }
}

impl Chosen {
    fn describe(self, session: &Session) -> Outcome<Report> {
        let described =
            session.wait("describing transactions", |admin| admin.describe_transactions(self.ids))?;
        Ok(Report::results(described.into_iter().map(|(id, result)| {
            let item = result.map(|one| {
                Item::new()
                    .with("coordinator", one.coordinator_id)
                    .with("state", one.state.to_string())
                    .with("producer_id", one.producer_id)
                    .with("producer_epoch", one.producer_epoch)
                    .with("timeout_ms", u64::try_from(one.transaction_timeout.as_millis()).ok())
                    .with("start_time_ms", one.transaction_start_time)
                    .with("partitions", one.topic_partitions.iter().map(name).collect::<Vec<_>>())
            });
            (Item::new().with("transactional_id", id), item)
        })))
    }

    fn fence(self, session: &Session) -> Outcome<Report> {
        session.confirm(&format!("fence the producers of {}", enumerate(&self.ids)))?;
        let fenced = session.wait("fencing producers", |admin| admin.fence_producers(self.ids))?;
        Ok(Report::results(fenced.into_iter().map(|(id, result)| {
            let item = result.map(|now| {
                Item::new()
                    .with("status", "fenced")
                    .with("producer_id", now.producer_id)
                    .with("producer_epoch", now.producer_epoch)
            });
            (Item::new().with("transactional_id", id), item)
        })))
    }
}

impl Producers {
    fn run(self, session: &Session) -> Outcome<Report> {
        let partitions = self.partitions.iter().map(|index| TopicPartition::new(self.topic.as_str(), *index));
        let described = session.wait("describing producers", |admin| match self.broker_id {
            Some(broker) => admin.describe_producers_on(broker, partitions),
            None => admin.describe_producers(partitions),
        })?;
        let mut report = Report::list([]);
        for (partition, result) in described {
            match result {
                Err(error) => report.add(Item::new().with("partition", name(&partition)), Err(error)),
                Ok(producers) => {
                    for one in producers {
                        let item = Item::new()
                            .with("producer_id", one.producer_id)
                            .with("producer_epoch", one.producer_epoch)
                            .with("last_sequence", one.last_sequence)
                            .with("last_timestamp_ms", one.last_timestamp)
                            .with("coordinator_epoch", one.coordinator_epoch)
                            .with("transaction_start_offset", one.current_transaction_start_offset);
                        report.add(Item::new().with("partition", name(&partition)), Ok(item));
                    }
                }
            }
        }
        Ok(report)
    }
}

impl FindHanging {
    fn run(self, session: &Session) -> Outcome<Report> {
        let mut filter = HangingTransactionFilter::new()
            .max_transaction_timeout(Duration::from_millis(self.max_transaction_timeout_ms));
        filter = self.topics.into_iter().fold(filter, HangingTransactionFilter::topic);
        filter = self.brokers.into_iter().fold(filter, HangingTransactionFilter::broker);
        let found = session
            .wait("looking through all partitions", |admin| admin.find_hanging_transactions(&filter))?;
        Ok(Report::list(found.into_iter().map(|one| {
            Item::new()
                .with("topic", one.topic_partition.topic())
                .with("partition", one.topic_partition.partition())
                .with("producer_id", one.producer_id)
                .with("producer_epoch", one.producer_epoch)
                .with("coordinator_epoch", one.coordinator_epoch)
                .with("start_offset", one.start_offset)
                .with("last_timestamp_ms", one.last_timestamp)
                .with("age_ms", u64::try_from(one.age.as_millis()).ok())
                .with("transactional_id", one.transactional_id)
        })))
    }
}

impl Abort {
    fn run(self, session: &Session) -> Outcome<Report> {
        let partition = TopicPartition::new(self.topic.as_str(), self.partition);
        let spec = match (self.producer_id, self.producer_epoch) {
            (Some(id), Some(epoch)) => AbortTransactionSpec::new(partition.clone(), id, epoch)
                .coordinator_epoch(self.coordinator_epoch),
            _ => self.find(session, &partition)?,
        };
        session
            .confirm(&format!("abort the transaction of producer id {} in {partition}", spec.producer_id))?;
        session.wait("aborting", |admin| admin.abort_transaction(&spec))?;
        let item = Item::new()
            .with("topic", self.topic)
            .with("partition", self.partition)
            .with("producer_id", spec.producer_id)
            .with("status", "aborted");
        Ok(Report::list([item]))
    }

    /// The transaction that begins at the offset.
    fn find(&self, session: &Session, partition: &TopicPartition) -> Outcome<AbortTransactionSpec> {
        let described = session
            .wait("looking for the producer", |admin| admin.describe_producers([partition.clone()]))?;
        for (_, producers) in described {
            let producer =
                producers?.into_iter().find(|one| one.current_transaction_start_offset == self.start_offset);
            if let Some(one) = producer {
                let epoch = i16::try_from(one.producer_epoch).unwrap_or(i16::MAX);
                return Ok(AbortTransactionSpec::new(partition.clone(), one.producer_id, epoch)
                    .coordinator_epoch(one.coordinator_epoch));
            }
        }
        let offset = self.start_offset.unwrap_or_default();
        Err(Failure::because(format!("no open transaction begins at offset {offset} of {partition}")))
    }
}

impl Terminate {
    fn run(self, session: &Session) -> Outcome<Report> {
        session.confirm(&format!("abort the transaction of {}", self.id))?;
        session.wait("aborting", |admin| admin.force_terminate_transaction(&self.id))?;
        Ok(Report::list([Item::new().with("transactional_id", self.id).with("status", "terminated")]))
    }
}

fn name(partition: &TopicPartition) -> String {
    format!("{}:{}", partition.topic(), partition.partition())
}

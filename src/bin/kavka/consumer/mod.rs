//! `kavka consumer`: records to stdout.

mod format;

use std::collections::HashMap;
use std::io::{BufWriter, Write, stdout};
use std::mem::{Discriminant, discriminant};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use kavka::config::AutoOffsetReset;
use kavka::consumer::{Blocked, ConsumerRecord};
use kavka::net::clock::Clock;
use kavka::{ErrorKind, KafkaConsumer, TopicPartition};

use crate::common::{Common, Outcome};
use crate::interrupt::Interrupt;

/// Prints the records of topics, until Ctrl-C, a number of records, or a time without any. When nothing comes for 10 s and
/// something stands in the way, stderr says what; with the log level info, in any case.
#[derive(Args)]
pub(crate) struct Consumer {
    #[command(flatten)]
    common: Common,

    /// The topics; several with commas, or by repeating the option.
    #[arg(short, long = "topic", value_name = "TOPIC", value_delimiter = ',', num_args = 1.., required = true)]
    topics: Vec<String>,

    /// The group to read in. It shares the partitions with other members and goes on where the group stopped.
    #[arg(short, long)]
    group: Option<String>,

    /// The id of a static member of the group (KIP-345).
    #[arg(short = 'i', long = "group-instance-id", value_name = "INSTANCE", requires = "group")]
    instance: Option<String>,

    /// Begins with the oldest records, where the group has no offset yet. Without it, only new ones are read.
    #[arg(long, conflicts_with = "offset")]
    from_beginning: bool,

    /// The partitions, without a group. Defaults to all.
    #[arg(short, long = "partition", value_name = "PARTITION", value_delimiter = ',', conflicts_with = "group",
          value_parser = clap::value_parser!(i32).range(0..))]
    partitions: Vec<i32>,

    /// The offset to begin at in each of the partitions named.
    #[arg(short, long, requires = "partitions", value_parser = clap::value_parser!(i64).range(0..))]
    offset: Option<i64>,

    /// Ends after this many records.
    #[arg(short = 'n', long, value_name = "N")]
    max_messages: Option<u64>,

    /// Ends when no record came for this long, in ms.
    #[arg(long, value_name = "MS")]
    timeout_ms: Option<u64>,

    /// How a record is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    /// The value as text, one a line; "null" for none.
    Text,
    /// The value's bytes as they are, and a newline.
    Raw,
    /// One object a line: topic, partition, offset, timestamp, key, value, headers. Bytes that are no UTF-8 become
    /// {"base64": "…"}.
    Json,
}

impl Consumer {
    pub(crate) fn run(self) -> Outcome {
        self.common.logging.start();
        if self.max_messages == Some(0) {
            return Ok(ExitCode::SUCCESS);
        }
        let mut consumer = self.consumer()?;
        let waker = consumer.waker();
        let interrupt = Interrupt::watch(move || waker.wake())?;
        match self.begin(&mut consumer).and_then(|()| self.print_all(&mut consumer, &interrupt)) {
            // What the signal interrupted says so; what was printed is committed by the close.
            Err(error) if error.is_interruption() && interrupt.is_set() => {}
            outcome => outcome?,
        }
        consumer.close(CLOSE_TIMEOUT)?;
        Ok(ExitCode::SUCCESS)
    }

    fn consumer(&self) -> Outcome<KafkaConsumer> {
        let begin = if self.from_beginning { AutoOffsetReset::Earliest } else { AutoOffsetReset::Latest };
        let mut builder = KafkaConsumer::builder()
            .bootstrap_servers(self.common.bootstrap.clone())
            .auto_offset_reset(begin);
        if let Some(group) = &self.group {
            builder = builder.group_id(group);
        }
        if let Some(instance) = &self.instance {
            builder = builder.group_instance_id(instance);
        }
        for property in &self.common.properties {
            builder = builder.set(&property.key, &property.value);
        }
        Ok(builder.build()?)
    }

    fn begin(&self, consumer: &mut KafkaConsumer) -> Outcome<()> {
        if self.partitions.is_empty() {
            return Ok(consumer.subscribe(self.topics.iter().map(String::as_str))?);
        }
        let partitions: Vec<TopicPartition> = self
            .topics
            .iter()
            .flat_map(|topic| {
                self.partitions.iter().map(move |&number| TopicPartition::new(topic.as_str(), number))
            })
            .collect();
        consumer.assign(partitions.clone())?;
        if let Some(offset) = self.offset {
            for partition in &partitions {
                consumer.seek(partition, offset)?;
            }
        }
        Ok(())
    }

    fn print_all(&self, consumer: &mut KafkaConsumer, interrupt: &Interrupt) -> Outcome<()> {
        let clock = Clock::system();
        let mut out = BufWriter::new(stdout().lock());
        let mut left = self.max_messages.unwrap_or(u64::MAX);
        let mut quiet_since = clock.now();
        let mut quiet = Quiet::default();
        while left > 0 && !interrupt.is_set() {
            let Some(wait) = self.wait(quiet_since, clock.now()) else { break };
            let records = consumer.poll(wait)?;
            if records.is_empty() {
                quiet.tell(consumer, clock.now().saturating_duration_since(quiet_since))?;
                continue;
            }
            quiet = Quiet::default();
            let mut records = records.into_iter();
            for record in records.by_ref().take(usize::try_from(left).unwrap_or(usize::MAX)) {
                format::write(&mut out, self.format, &record)?;
                left -= 1;
            }
            out.flush()?;
            give_back(consumer, records)?;
            quiet_since = clock.now();
        }
        Ok(())
    }

    /// How long the next poll may take; `None` when the time without a record is over.
    fn wait(&self, quiet_since: Instant, now: Instant) -> Option<Duration> {
        let Some(limit) = self.timeout_ms.map(Duration::from_millis) else { return Some(POLL) };
        let left = limit.saturating_sub(now.saturating_duration_since(quiet_since));
        (!left.is_zero()).then(|| left.min(POLL))
    }
}

/// Says on stderr why nothing comes: after a while, and again when it is for another reason.
#[derive(Default)]
struct Quiet {
    looked: u64,
    told: Option<Discriminant<Blocked>>,
}

impl Quiet {
    fn tell(&mut self, consumer: &mut KafkaConsumer, lasting: Duration) -> Outcome<()> {
        let looks = lasting.as_secs() / LOOK.as_secs();
        if looks <= self.looked {
            return Ok(());
        }
        self.looked = looks;
        let status = consumer.status()?;
        let trouble = status.trouble().map(|(_, blocked)| discriminant(blocked));
        if trouble.is_some() && trouble != self.told {
            eprintln!("kavka: no record for {} s\n{status}", lasting.as_secs());
        } else {
            log::info!("no record for {} s\n{status}", lasting.as_secs());
        }
        self.told = trouble;
        Ok(())
    }
}

/// Moves back before what was read and not printed, so that the group's offsets do not pass it.
fn give_back(consumer: &mut KafkaConsumer, records: impl Iterator<Item = ConsumerRecord>) -> Outcome<()> {
    let mut first: HashMap<TopicPartition, i64> = HashMap::new();
    for record in records {
        first.entry(record.topic_partition().clone()).or_insert_with(|| record.offset());
    }
    for (partition, offset) in first {
        consumer.seek(&partition, offset)?;
    }
    Ok(())
}

impl crate::common::Failure {
    /// Whether a call ended because the waker was used.
    fn is_interruption(&self) -> bool {
        matches!(self, Self::Kafka(error) if error.kind() == ErrorKind::Woken)
    }
}

/// A poll that finds nothing ends after this long; the waker ends it at once.
const POLL: Duration = Duration::from_secs(1);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
/// After this long without a record, and again and again, why nothing comes is looked at.
const LOOK: Duration = Duration::from_secs(10);

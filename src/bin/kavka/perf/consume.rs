//! `kavka perf consume` and `consume-group`.

use std::time::{Duration, Instant};

use kavka::config::AutoOffsetReset;
use kavka::consumer::ConsumerBuilder;
use kavka::net::clock::Clock;
use kavka::{KafkaConsumer, TopicPartition};

use super::Load;
use super::measure::{Progress, Report, Stopwatch};
use crate::common::Outcome;

/// Reads all partitions, assigned by hand.
pub(super) fn run(load: &Load) -> Outcome {
    let partitions = partitions(load)?;
    let consumer = || Ok(builder(load).build()?);
    read(load, consumer, move |consumer| consumer.assign(partitions))
}

/// Reads as the only member of a group.
pub(super) fn run_group(load: &Load) -> Outcome {
    load.prepare_topic()?;
    // A group that nobody else is in: what it reads does not count for the next run.
    let group = format!("kavka-perf-{:016x}", fastrand::u64(..));
    let consumer = || Ok(builder(load).group_id(group).enable_auto_commit(false).build()?);
    read(load, consumer, |consumer| consumer.subscribe([load.topic.as_str()]))
}

fn read(
    load: &Load,
    connect: impl FnOnce() -> Outcome<KafkaConsumer>,
    begin: impl FnOnce(&mut KafkaConsumer) -> kavka::Result<()>,
) -> Outcome {
    let progress = Progress::new(load.records);
    let warmup = load.warmup.unwrap_or(0);
    let mut watch = Stopwatch::start();
    let mut consumer = connect()?;
    begin(&mut consumer)?;

    let mut count = Count::default();
    if warmup > 0 {
        count.read(&mut consumer, warmup, &Progress::new(warmup))?;
        watch = Stopwatch::start();
        // What the last poll gave beyond the warm-up was read before the clock started.
        count = Count::default();
    }
    count.read(&mut consumer, load.records, &progress)?;
    let report = Report::new(&watch, count.records, count.bytes, load.records.saturating_sub(count.records));

    progress.finish();
    if count.records < load.records {
        eprintln!(
            "kavka: no record came for {PATIENCE:?}: the topic {} has too few, send more first",
            load.topic
        );
    }
    consumer.close(CLOSE_TIMEOUT)?;
    report.print()
}

/// What was read so far.
#[derive(Default)]
struct Count {
    records: u64,
    bytes: u64,
}

impl Count {
    /// Polls until there are as many records as wanted, or until none came for a long time.
    fn read(&mut self, consumer: &mut KafkaConsumer, wanted: u64, progress: &Progress) -> Outcome<()> {
        let clock = Clock::system();
        let mut quiet_since: Instant = clock.now();
        let mut shown = 0;
        while self.records < wanted {
            let records = consumer.poll(POLL)?;
            if records.is_empty() {
                if clock.now().saturating_duration_since(quiet_since) > PATIENCE {
                    break;
                }
                continue;
            }
            for record in records.iter().take(usize::try_from(wanted - self.records).unwrap_or(usize::MAX)) {
                self.bytes += record.value().as_ref().map_or(0, |value| value.len() as u64);
                self.records += 1;
            }
            quiet_since = clock.now();
            if self.records - shown >= Progress::EVERY {
                shown = self.records;
                progress.show(shown);
            }
        }
        Ok(())
    }
}

/// A consumer that begins with the oldest record, with our best settings for throughput.
fn builder(load: &Load) -> ConsumerBuilder {
    let builder = KafkaConsumer::builder()
        .bootstrap_servers(load.common.bootstrap.clone())
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .max_poll_records(BEST_POLL_RECORDS);
    let properties = load.common.properties.iter();
    properties.fold(builder, |builder, property| builder.set(&property.key, &property.value))
}

/// The topic's partitions, asked for before the clock starts.
fn partitions(load: &Load) -> Outcome<Vec<TopicPartition>> {
    load.prepare_topic()?;
    let admin = load.admin()?;
    let mut partitions = Vec::new();
    for (_, topic) in admin.describe_topics([&load.topic])? {
        let topic = topic?;
        let numbers = topic.partitions.iter().map(|partition| partition.partition);
        partitions.extend(numbers.map(|number| TopicPartition::new(topic.name.as_str(), number)));
    }
    Ok(partitions)
}

const BEST_POLL_RECORDS: usize = 10_000;
const POLL: Duration = Duration::from_millis(500);
/// A group on a real cluster takes seconds to form.
const PATIENCE: Duration = Duration::from_secs(30);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

//! `kavka perf transactions`.

use std::time::Duration;

use kavka::{Error, KafkaProducer, ProducerRecord};

use super::Load;
use super::measure::{Progress, Report, Stopwatch};
use crate::common::Outcome;

pub(super) fn run(load: &Load) -> Outcome {
    let values = load.values();
    // The name is new each time: nobody is fenced, and nothing is waited for.
    let id = format!("kavka-perf-{}", std::process::id());
    let producer = load
        .producer(|builder| builder.transactional_id(id).linger(BEST_LINGER).batch_size(BEST_BATCH_BYTES))?;
    load.prepare_topic()?;
    producer.partitions_for(&load.topic)?;
    producer.init_transactions()?;
    if let Some(warmup @ 1..) = load.warmup {
        let (_, error) = send_all(&producer, load, &values, warmup, &Progress::new(warmup));
        if let Some(error) = error {
            return Err(error.context("the warm-up failed").into());
        }
    }

    let progress = Progress::new(load.records);
    let watch = Stopwatch::start();
    let (committed, error) = send_all(&producer, load, &values, load.records, &progress);
    let report = Report::new(&watch, committed, committed * load.size as u64, load.records - committed);

    progress.finish();
    if let Some(error) = error {
        eprintln!("kavka: {error}");
    }
    producer.close(CLOSE_TIMEOUT)?;
    report.print()
}

/// Sends in transactions, one after the other. Returns how many records were committed, and why not all.
fn send_all(
    producer: &KafkaProducer,
    load: &Load,
    values: &[Vec<u8>],
    records: u64,
    progress: &Progress,
) -> (u64, Option<Error>) {
    let mut values = values.iter().cycle();
    let mut committed = 0;
    while committed < records {
        let count = load.per_transaction.min(records - committed);
        if let Err(error) = transact(producer, &load.topic, values.by_ref().take(count as usize)) {
            return (committed, Some(error));
        }
        committed += count;
        progress.show(committed);
    }
    (committed, None)
}

fn transact<'a>(
    producer: &KafkaProducer,
    topic: &str,
    values: impl Iterator<Item = &'a Vec<u8>>,
) -> kavka::Result<()> {
    let transaction = producer.transaction()?;
    for value in values {
        transaction.send(ProducerRecord::new(topic).value(value.as_slice()))?;
    }
    transaction.commit()
}

/// The commit sends what is left without lingering; until then batches may fill.
const BEST_LINGER: Duration = Duration::from_millis(5);
const BEST_BATCH_BYTES: usize = 128 << 10;
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

//! `kavka perf latency`.

use std::time::Duration;

use kavka::{KafkaProducer, ProducerRecord};

use super::Load;
use super::measure::{Latency, Progress, Report, Stopwatch};
use crate::common::{Outcome, patience};

pub(super) fn run(load: &Load) -> Outcome {
    let values = load.values();
    let producer = load.producer(|builder| builder.linger(Duration::ZERO))?;
    load.prepare_topic()?;
    producer.partitions_for(&load.topic)?;
    for value in values.iter().cycle().take(load.warmup.map_or(WARMUP, |warmup| warmup as usize)) {
        send_and_wait(&producer, &load.topic, value).map_err(|error| error.context("the warm-up failed"))?;
    }

    let progress = Progress::new(load.records);
    let mut nanos = Vec::with_capacity(load.records.min(MAX_RESERVED) as usize);
    let watch = Stopwatch::start();
    for (done, value) in (0..load.records).zip(values.iter().cycle()) {
        let before = watch.elapsed();
        if let Err(error) = send_and_wait(&producer, &load.topic, value) {
            eprintln!("kavka: {error}");
            break;
        }
        nanos.push((watch.elapsed() - before).as_nanos() as u64);
        progress.at(done);
    }
    let records = nanos.len() as u64;
    let mut report = Report::new(&watch, records, records * load.size as u64, load.records - records);

    progress.finish();
    report.latency = Latency::of(nanos);
    producer.close(CLOSE_TIMEOUT)?;
    report.print()
}

fn send_and_wait(producer: &KafkaProducer, topic: &str, value: &[u8]) -> kavka::Result<()> {
    producer.send(ProducerRecord::new(topic).value(value))?.get(patience(producer)).map(drop)
}

const WARMUP: usize = 200;
/// Bounds the memory that is taken on the word of an argument.
const MAX_RESERVED: u64 = 1 << 20;
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

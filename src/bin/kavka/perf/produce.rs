//! `kavka perf produce`.

use std::collections::VecDeque;
use std::time::Duration;

use kavka::{Error, FutureRecordMetadata, KafkaProducer, ProducerRecord};

use super::Load;
use super::measure::{Progress, Report, Stopwatch};
use crate::common::{Outcome, patience};

pub(super) fn run(load: &Load) -> Outcome {
    let values = load.values();
    let producer = load.producer(|builder| builder.linger(BEST_LINGER).batch_size(BEST_BATCH_BYTES))?;
    load.prepare_topic()?;
    producer.partitions_for(&load.topic)?;
    if let Some(warmup @ 1..) = load.warmup {
        let acks = send_all(&producer, load, &values, warmup, &Progress::new(warmup));
        if let Some(error) = acks.first_error {
            return Err(error.context("the warm-up failed").into());
        }
    }

    let progress = Progress::new(load.records);
    let watch = Stopwatch::start();
    let acks = send_all(&producer, load, &values, load.records, &progress);
    let bytes = acks.acknowledged * load.size as u64;
    let report = Report::new(&watch, acks.acknowledged, bytes, load.records - acks.acknowledged);

    progress.finish();
    if let Some(error) = acks.first_error {
        eprintln!("kavka: {error}");
    }
    producer.close(CLOSE_TIMEOUT)?;
    report.print()
}

/// Sends, and waits for every acknowledgement. Ends at the first record that cannot be sent.
fn send_all(
    producer: &KafkaProducer,
    load: &Load,
    values: &[Vec<u8>],
    records: u64,
    progress: &Progress,
) -> Acks {
    let mut acks = Acks::new(patience(producer));
    for (done, value) in (0..records).zip(values.iter().cycle()) {
        match producer.send(ProducerRecord::new(&load.topic).value(value.as_slice())) {
            Ok(ack) => acks.track(ack),
            Err(error) => {
                acks.first_error.get_or_insert(error);
                break;
            }
        }
        progress.at(done);
    }
    // What it could not flush in time shows in the handles.
    if let Err(error) = producer.flush(acks.patience) {
        log::warn!("{error}");
    }
    acks.settle_all();
    acks
}

/// The outcomes of batches: one handle for each, because the records of a batch have one outcome.
struct Acks {
    patience: Duration,
    open: VecDeque<(FutureRecordMetadata, u64)>,
    acknowledged: u64,
    first_error: Option<Error>,
}

impl Acks {
    fn new(patience: Duration) -> Self {
        Self { patience, open: VecDeque::new(), acknowledged: 0, first_error: None }
    }

    #[inline]
    fn track(&mut self, ack: FutureRecordMetadata) {
        match self.open.back_mut() {
            Some((last, records)) if last.is_same_batch(&ack) => *records += 1,
            _ => self.open_batch(ack),
        }
    }

    #[cold]
    fn open_batch(&mut self, ack: FutureRecordMetadata) {
        while self.open.front().is_some_and(|(oldest, _)| oldest.is_done()) || self.open.len() >= MAX_OPEN {
            self.settle_oldest();
        }
        self.open.push_back((ack, 1));
    }

    fn settle_oldest(&mut self) {
        let Some((oldest, records)) = self.open.pop_front() else { return };
        match oldest.get(self.patience) {
            Ok(_) => self.acknowledged += records,
            Err(error) => {
                self.first_error.get_or_insert(error);
            }
        }
    }

    fn settle_all(&mut self) {
        while !self.open.is_empty() {
            self.settle_oldest();
        }
    }
}

/// What gave the most records a second for the least processor time, with small records and one broker near by.
const BEST_LINGER: Duration = Duration::from_millis(5);
const BEST_BATCH_BYTES: usize = 512 << 10;
/// Handles are small, but a run may be long.
const MAX_OPEN: usize = 1024;
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

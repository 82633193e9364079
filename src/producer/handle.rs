//! What `send()` returns: a handle on one record of a batch.
//!
//! A handle is the batch's shared outcome plus the record's place in it, so sending a record allocates
//! nothing; a batch completes once, and with it all of its handles.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::memory::Permit;
use crate::error::{Error, ErrorKind, Result};
use crate::net::bridge::{on_io_thread, panic_text};
use crate::net::clock::Clock;
use crate::net::process::Process;
use crate::types::TopicPartition;

/// A record that is on its way: resolves to its [`RecordMetadata`] once it was acknowledged, or to an error.
///
/// Dropping it changes nothing for the record. The name and the methods are kafka-python's.
///
/// ```
/// # use std::time::Duration;
/// # use kavka::{KafkaProducer, ProducerRecord, mock::MockCluster};
/// # let cluster = MockCluster::builder().topic("orders", 1).start()?;
/// # let producer = KafkaProducer::builder().bootstrap_servers(cluster.bootstrap_servers()).build()?;
/// let ack = producer.send(ProducerRecord::new("orders").value("paid"))?;
/// let metadata = ack.get(Duration::from_secs(10))?;
/// assert_eq!((metadata.topic(), metadata.offset()), ("orders", Some(0)));
/// # Ok::<(), kavka::Error>(())
/// ```
#[derive(Clone)]
pub struct FutureRecordMetadata {
    batch: Arc<BatchHandle>,
    index: u32,
    timestamp: i64,
    key_size: i32,
    value_size: i32,
}

/// Where a record was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordMetadata {
    topic_partition: TopicPartition,
    offset: Option<i64>,
    timestamp: i64,
    serialized_key_size: Option<usize>,
    serialized_value_size: Option<usize>,
}

impl RecordMetadata {
    /// The topic.
    pub fn topic(&self) -> &str {
        self.topic_partition.topic()
    }

    /// The partition.
    pub fn partition(&self) -> i32 {
        self.topic_partition.partition()
    }

    /// Topic and partition.
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.topic_partition
    }

    /// The record's offset; `None` with `acks=0`, and when the broker recognised a retry as already written
    /// and no longer knew where.
    pub fn offset(&self) -> Option<i64> {
        self.offset
    }

    /// The record's timestamp in milliseconds since 1970: the broker's for topics with log append time, else
    /// the one it was sent with.
    pub fn timestamp(&self) -> i64 {
        self.timestamp
    }

    /// The key's size in bytes; `None` for a null key.
    pub fn serialized_key_size(&self) -> Option<usize> {
        self.serialized_key_size
    }

    /// The value's size in bytes; `None` for a null value.
    pub fn serialized_value_size(&self) -> Option<usize> {
        self.serialized_value_size
    }
}

impl FutureRecordMetadata {
    pub(super) fn new(
        batch: Arc<BatchHandle>,
        index: u32,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Self {
        let size = |bytes: Option<&[u8]>| bytes.map_or(-1, |bytes| bytes.len() as i32);
        Self { batch, index, timestamp, key_size: size(key), value_size: size(value) }
    }

    /// Waits for the outcome, at most `timeout`. Can be called again, from any thread.
    ///
    /// # Errors
    /// The delivery's error; [`ErrorKind::Timeout`] when the record is still on its way, which it goes on to
    /// be; [`ErrorKind::IllegalState`] on an IO thread, such as in a callback.
    pub fn get(&self, timeout: Duration) -> Result<RecordMetadata> {
        let clock = Clock::system();
        let deadline = clock.deadline(timeout);
        let mut at = (Arc::clone(&self.batch), self.index);
        loop {
            let outcome = at.0.wait(deadline)?;
            match outcome {
                Outcome::Split(parts) => at = part_of(parts, at.1)?,
                outcome => return self.resolve(&at.0, at.1, outcome),
            }
        }
    }

    /// The outcome, if there is one yet.
    pub fn try_get(&self) -> Option<Result<RecordMetadata>> {
        let mut at = (Arc::clone(&self.batch), self.index);
        loop {
            let next = match at.0.outcome.get()? {
                Outcome::Split(parts) => match part_of(parts, at.1) {
                    Ok(next) => next,
                    Err(error) => return Some(Err(error)),
                },
                outcome => return Some(self.resolve(&at.0, at.1, outcome)),
            };
            at = next;
        }
    }

    /// Whether the outcome is known, good or bad.
    pub fn is_done(&self) -> bool {
        self.try_get().is_some()
    }

    /// Whether the record was acknowledged.
    pub fn succeeded(&self) -> bool {
        matches!(self.try_get(), Some(Ok(_)))
    }

    /// Whether the delivery failed.
    pub fn failed(&self) -> bool {
        matches!(self.try_get(), Some(Err(_)))
    }

    /// Whether the delivery failed in a way that sending the record again may mend.
    pub fn retriable(&self) -> bool {
        matches!(self.try_get(), Some(Err(error)) if error.is_retriable())
    }

    /// Calls `f` with the metadata once the record was acknowledged; at once when it was already.
    ///
    /// Runs on the producer's IO thread (or here, when done already): keep it short, and do not block in it. A
    /// panic in it is caught and logged.
    pub fn add_callback(&self, f: impl FnOnce(RecordMetadata) + Send + 'static) -> &Self {
        self.add_both(move |result| {
            if let Ok(metadata) = result {
                f(metadata);
            }
        })
    }

    /// Calls `f` with the error once the delivery has failed. Runs as [`add_callback`](Self::add_callback)'s.
    pub fn add_errback(&self, f: impl FnOnce(Error) + Send + 'static) -> &Self {
        self.add_both(move |result| {
            if let Err(error) = result {
                f(error);
            }
        })
    }

    /// Calls `f` with either outcome. Runs as [`add_callback`](Self::add_callback)'s.
    pub fn add_both(&self, f: impl FnOnce(Result<RecordMetadata>) + Send + 'static) -> &Self {
        let handle = self.clone();
        self.batch.on_done(Box::new(move || handle.call_back(f)));
        self
    }

    /// Whether two records are in one batch, and so have one outcome. A program that keeps many handles can
    /// keep one a batch.
    pub fn is_same_batch(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.batch, &other.batch)
    }

    /// Where the record goes.
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.batch.topic_partition
    }

    fn call_back(self, f: impl FnOnce(Result<RecordMetadata>) + Send + 'static) {
        // A split batch is done when its part is.
        if let Some(Outcome::Split(parts)) = self.batch.outcome.get() {
            if let Ok((batch, index)) = part_of(parts, self.index) {
                Self { batch, index, ..self }.add_both(f);
                return;
            }
        }
        if let Some(result) = self.try_get() {
            f(result);
        }
    }

    fn resolve(&self, batch: &BatchHandle, index: u32, outcome: &Outcome) -> Result<RecordMetadata> {
        let size = |size: i32| usize::try_from(size).ok();
        match outcome {
            Outcome::Written { base_offset, log_append_time } => Ok(RecordMetadata {
                topic_partition: batch.topic_partition.clone(),
                offset: base_offset.map(|base| base + i64::from(index)),
                timestamp: log_append_time.unwrap_or(self.timestamp),
                serialized_key_size: size(self.key_size),
                serialized_value_size: size(self.value_size),
            }),
            Outcome::Failed(error) => Err(error.clone()),
            Outcome::Split(_) => Err(Error::new(ErrorKind::IllegalState, "a batch was split twice at once")),
        }
    }
}

impl fmt::Debug for FutureRecordMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FutureRecordMetadata")
            .field("topic_partition", self.topic_partition())
            .field("outcome", &self.try_get())
            .finish()
    }
}

/// What became of a batch.
pub(super) enum Outcome {
    Written {
        base_offset: Option<i64>,
        log_append_time: Option<i64>,
    },
    Failed(Error),
    /// The batch was too large and went on in parts; each with the index of its first record.
    Split(Vec<(u32, Arc<BatchHandle>)>),
}

/// The shared outcome of a batch.
pub(super) struct BatchHandle {
    topic_partition: TopicPartition,
    /// That of the thread that gives it its outcome.
    process: Process,
    /// How many records it has; 0 until it is closed.
    records: AtomicU32,
    outcome: OnceLock<Outcome>,
    waiting: Mutex<Waiting>,
    done: Condvar,
}

struct Waiting {
    threads: usize,
    /// It is on its way, or came back in a way that leaves it open whether it was written.
    sent: bool,
    /// The callbacks have run, too.
    settled: bool,
    callbacks: Vec<Box<dyn FnOnce() + Send>>,
    /// Bytes of callbacks that are not charged yet.
    uncharged: usize,
    /// The memory of the callbacks.
    charged: Permit,
}

/// So that the producer's memory is not asked for each callback.
const CHARGED_AT_ONCE: usize = 1024;
/// What a callback takes besides what it captures: its place in the list, which grows by doubling, and the allocator's.
const CALLBACK_OVERHEAD: usize = 64;

impl BatchHandle {
    /// `tab` is for what waits for the outcome.
    pub(super) fn new(topic_partition: TopicPartition, records: u32, tab: Permit) -> Self {
        let waiting = Waiting {
            threads: 0,
            sent: false,
            settled: false,
            callbacks: Vec::new(),
            uncharged: 0,
            charged: tab,
        };
        Self {
            topic_partition,
            process: Process::this(),
            records: AtomicU32::new(records),
            outcome: OnceLock::new(),
            waiting: Mutex::new(waiting),
            done: Condvar::new(),
        }
    }

    pub(super) fn set_records(&self, records: u32) {
        self.records.store(records, Ordering::Relaxed);
    }

    pub(super) fn records(&self) -> u32 {
        self.records.load(Ordering::Relaxed)
    }

    pub(super) fn topic_partition(&self) -> &TopicPartition {
        &self.topic_partition
    }

    pub(super) fn is_done(&self) -> bool {
        self.outcome.get().is_some()
    }

    /// The handle of a part of this batch, with so many records.
    pub(super) fn of_part(&self, records: u32) -> Self {
        let tab = self.waiting.lock().charged.tab();
        Self::new(self.topic_partition.clone(), records, tab)
    }

    /// Notes that the batch is about to be sent. False when it was given up before: then it must not be, for
    /// its records have been said not to be written.
    #[must_use]
    pub(super) fn begin_sending(&self) -> bool {
        let mut waiting = self.waiting.lock();
        if self.outcome.get().is_some() {
            return false;
        }
        waiting.sent = true;
        true
    }

    /// Notes that the batch has come back, and whether it may be written all the same.
    pub(super) fn came_back(&self, maybe_written: bool) {
        self.waiting.lock().sent = maybe_written;
    }

    /// Completes the batch; the first outcome stands. Runs the callbacks on this thread.
    pub(super) fn complete(&self, outcome: Outcome) {
        self.complete_by(|_| outcome);
    }

    /// Gives the batch up. Returns whether its records may be written; `None` when it had an outcome already.
    pub(super) fn abandon(&self, error: &Error) -> Option<bool> {
        let mut was_sent = None;
        self.complete_by(|sent| {
            was_sent = Some(sent);
            Outcome::Failed(error.clone().with_maybe_written(sent))
        });
        was_sent
    }

    fn complete_by(&self, outcome: impl FnOnce(bool) -> Outcome) {
        let (callbacks, charged) = {
            let mut waiting = self.waiting.lock();
            if self.outcome.get().is_some() || self.outcome.set(outcome(waiting.sent)).is_err() {
                return;
            }
            if waiting.threads > 0 {
                self.done.notify_all();
            }
            let nothing = waiting.charged.tab();
            (std::mem::take(&mut waiting.callbacks), std::mem::replace(&mut waiting.charged, nothing))
        };
        callbacks.into_iter().for_each(guarded);
        drop(charged);
        let mut waiting = self.waiting.lock();
        waiting.settled = true;
        if waiting.threads > 0 {
            self.done.notify_all();
        }
    }

    /// Waits until the outcome is known and the callbacks have run.
    pub(super) fn wait_settled(&self, deadline: std::time::Instant) -> Result<&Outcome> {
        let outcome = self.wait(deadline)?;
        let mut waiting = self.waiting.lock();
        waiting.threads += 1;
        while !waiting.settled {
            if self.done.wait_until(&mut waiting, deadline).timed_out() {
                break;
            }
        }
        waiting.threads -= 1;
        if waiting.settled { Ok(outcome) } else { Err(self.still_open()) }
    }

    /// Waits for the outcome.
    pub(super) fn wait(&self, deadline: std::time::Instant) -> Result<&Outcome> {
        if let Some(outcome) = self.outcome.get() {
            return Ok(outcome);
        }
        self.process.check()?;
        if on_io_thread() {
            return Err(Error::new(
                ErrorKind::IllegalState,
                "waiting for a record on an IO thread would block it: use add_callback, or another thread",
            ));
        }
        let mut waiting = self.waiting.lock();
        waiting.threads += 1;
        while self.outcome.get().is_none() {
            if self.done.wait_until(&mut waiting, deadline).timed_out() {
                break;
            }
        }
        waiting.threads -= 1;
        drop(waiting);
        self.outcome.get().ok_or_else(|| self.still_open())
    }

    fn still_open(&self) -> Error {
        let tp = &self.topic_partition;
        Error::new(ErrorKind::Timeout, "timed out: the record is not acknowledged yet")
            .with_topic(tp.topic())
            .with_partition(tp.partition())
    }

    fn on_done(&self, callback: Box<dyn FnOnce() + Send>) {
        {
            let mut waiting = self.waiting.lock();
            if self.outcome.get().is_none() {
                waiting.uncharged += size_of_val(&*callback) + CALLBACK_OVERHEAD;
                if waiting.uncharged >= CHARGED_AT_ONCE {
                    let bytes = std::mem::take(&mut waiting.uncharged);
                    waiting.charged.charge(bytes);
                }
                waiting.callbacks.push(callback);
                return;
            }
        }
        guarded(callback);
    }
}

fn guarded(callback: Box<dyn FnOnce() + Send>) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(callback)) {
        log::error!("a delivery callback panicked: {}", panic_text(&*panic));
    }
}

fn part_of(parts: &[(u32, Arc<BatchHandle>)], index: u32) -> Result<(Arc<BatchHandle>, u32)> {
    parts
        .iter()
        .rev()
        .find(|(first, _)| *first <= index)
        .map(|(first, batch)| (Arc::clone(batch), index - first))
        .ok_or_else(|| Error::new(ErrorKind::IllegalState, "a split batch lost a record's place"))
}

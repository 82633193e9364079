//! The caller's side of a producer without its types: from serialized bytes to a place in a batch, and waiting.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use super::accumulator::{Accumulator, PartitionQueue, RawRecord, TopicQueues};
use super::close::CloseError;
use super::contained;
use super::handle::{self, FutureRecordMetadata};
use super::partitioner::{KnownLeaders, PartitionInput, PartitionView, Partitioner, partition_for_key};
use super::sender::Sender;
use super::sensors::nanos;
use super::transaction::TransactionGate;
use crate::cluster::{ClusterMetadata, GRACE, PartitionMetadata, TopicMetadata};
use crate::config::ProducerConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::net::bridge::{IoThread, on_io_thread};
use crate::net::clock::Clock;
use crate::types::check_topic_name;

/// What the callers' threads share.
pub(super) struct Shared {
    pub(super) config: ProducerConfig,
    pub(super) clock: Clock,
    pub(super) view: ClusterMetadata,
    pub(super) accumulator: Arc<Accumulator>,
    /// With a transactional id.
    pub(super) transaction: Option<Arc<TransactionGate>>,
    pub(super) io: IoThread<Rc<Sender>>,
    /// Keys choose no partition.
    pub(super) ignore_keys: bool,
    pub(super) closed: AtomicBool,
    /// When it was last seen that the process is still the same one.
    pub(super) process_seen: AtomicI64,
}

impl Shared {
    #[inline]
    pub(super) fn send(
        &self,
        topic: &str,
        partition: Option<i32>,
        record: &RawRecord<'_>,
        partitioner: Option<&dyn Partitioner>,
        deadline: Option<Instant>,
    ) -> Result<FutureRecordMetadata> {
        self.check_not_closed()?;
        self.check_process(record.timestamp)?;
        match &self.transaction {
            None => self.append(topic, partition, record, partitioner, deadline),
            Some(gate) => {
                let _inside = gate.enter()?;
                let sent = self.append(topic, partition, record, partitioner, deadline);
                sent.map_err(|error| self.lose(gate, error, deadline.is_some()))
            }
        }
    }

    #[inline]
    pub(super) fn check_not_closed(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) { Err(closed()) } else { Ok(()) }
    }

    /// Looks from time to time whether this is a fork of the producer's process. The time is the record's, which is at
    /// hand and moves on.
    #[inline]
    fn check_process(&self, timestamp: i64) -> Result<()> {
        let moment = timestamp >> MOMENT_BITS;
        if self.process_seen.load(Ordering::Relaxed) != moment {
            self.io.remote().check_process()?;
            self.process_seen.store(moment, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Puts a record into the batch of its partition.
    #[inline]
    pub(super) fn append(
        &self,
        topic: &str,
        partition: Option<i32>,
        record: &RawRecord<'_>,
        partitioner: Option<&dyn Partitioner>,
        deadline: Option<Instant>,
    ) -> Result<FutureRecordMetadata> {
        let size = record.size();
        if size > self.config.max_request_size {
            return Err(self.too_large(topic, size, "max.request.size", self.config.max_request_size));
        }
        let mut record = *record;
        let mut asked = None;
        // The usual case: the topic is known, and its open batch has room.
        let appended = self.accumulator.with_topic(topic, |queues| {
            let chosen = self.choose(queues, partition, &record, partitioner);
            if partitioner.is_some() {
                asked = chosen.as_ref().ok().copied();
            }
            let index = match chosen {
                Ok(Some(index)) => index,
                Ok(None) => {
                    record.is_sticky = true;
                    self.accumulator.sticky(queues)
                }
                Err(error) => return Some(Err(error)),
            };
            let queue = queues.partitions().get(index)?;
            self.accumulator.append(queue, &record).map(Ok)
        });
        let (batch, index) = match appended {
            Some(Some(appended)) => appended?,
            _ => self.send_slow(topic, partition, &mut record, partitioner, asked, deadline)?,
        };
        Ok(FutureRecordMetadata::new(batch, index, record.timestamp, record.key, record.value))
    }

    #[cold]
    pub(super) fn send_slow(
        &self,
        topic: &str,
        partition: Option<i32>,
        record: &mut RawRecord<'_>,
        partitioner: Option<&dyn Partitioner>,
        mut asked: Option<Option<usize>>,
        deadline: Option<Instant>,
    ) -> Result<(Arc<handle::BatchHandle>, u32)> {
        let size = record.size();
        if size > self.accumulator.memory().total() {
            return Err(self.too_large(topic, size, "buffer.memory", self.accumulator.memory().total()));
        }
        self.io.remote().check_process()?;
        // A callback that sends must not block the thread that would free what it waits for.
        let deadline = match deadline {
            Some(deadline) => deadline,
            None if on_io_thread() => self.clock.now(),
            None => self.clock.deadline(self.config.max_block),
        };
        loop {
            let found = self.accumulator.with_topic(topic, |queues| {
                // A partitioner is asked once for a record: one that takes turns would leave out every other.
                let chosen = match asked {
                    Some(chosen) => chosen,
                    None => self.choose(queues, partition, record, partitioner)?,
                };
                asked = partitioner.and(Some(chosen));
                self.choose_for_new_batch(queues, chosen, partition, record, partitioner)
            });
            let index = match found.transpose()? {
                Some(Ok(queue)) => {
                    return self
                        .accumulator
                        .append_slow(&queue, record, deadline)
                        .map_err(|error| with_topic(error, topic));
                }
                Some(Err(index)) => Some(index),
                None => None,
            };
            match index {
                // Known, but the partition asked for is not among the topic's.
                Some(index) => self.wait_for_partition(topic, index, deadline)?,
                None => {
                    let metadata = self.wait_for_topic(topic, deadline)?;
                    self.accumulator.set_partitions(&metadata);
                }
            }
        }
    }

    /// The partition of a record; `None` when it may go wherever the producer likes.
    #[inline]
    pub(super) fn choose(
        &self,
        queues: &TopicQueues,
        partition: Option<i32>,
        record: &RawRecord<'_>,
        partitioner: Option<&dyn Partitioner>,
    ) -> Result<Option<usize>> {
        let chosen = match (partition, partitioner, record.key) {
            (Some(partition), ..) => Some(partition),
            (None, None, Some(key)) if !self.ignore_keys => {
                Some(partition_for_key(key, queues.partitions().len() as i32))
            }
            (None, None, _) => None,
            (None, Some(partitioner), _) => {
                self.ask(queues, record, |input, view| partitioner.partition(input, view))?
            }
        };
        Ok(chosen.map(index_of))
    }

    /// The queue of a record for which a batch has to be opened, or the number of the partition that there is not.
    pub(super) fn choose_for_new_batch(
        &self,
        queues: &TopicQueues,
        chosen: Option<usize>,
        partition: Option<i32>,
        record: &mut RawRecord<'_>,
        partitioner: Option<&dyn Partitioner>,
    ) -> Result<Result<Arc<PartitionQueue>, i32>> {
        let index = match (chosen, partition, partitioner) {
            (Some(index), None, Some(partitioner)) => {
                let chosen = i32::try_from(index).unwrap_or(-1);
                index_of(
                    self.ask(queues, record, |input, view| partitioner.on_new_batch(input, view, chosen))?,
                )
            }
            (Some(index), ..) => index,
            (None, ..) => {
                record.is_sticky = true;
                let from = self.accumulator.sticky(queues);
                self.with_partitions(queues, |known| self.accumulator.move_sticky(queues, from, known))
            }
        };
        let missing = || i32::try_from(index).unwrap_or(-1);
        Ok(queues.partitions().get(index).cloned().ok_or_else(missing))
    }

    /// Asks code of the program for a partition.
    pub(super) fn ask<T>(
        &self,
        queues: &TopicQueues,
        record: &RawRecord<'_>,
        ask: impl FnOnce(&PartitionInput<'_>, &PartitionView<'_>) -> T,
    ) -> Result<T> {
        let input = PartitionInput { topic: &queues.name, key: record.key, value: record.value };
        let known = KnownLeaders::new(&self.view, &queues.name);
        let view = PartitionView::of(queues.partitions().len() as i32, &known);
        contained("the partitioner", || ask(&input, &view)).map_err(|error| with_topic(error, &queues.name))
    }

    /// What is known of the partitions of a topic.
    pub(super) fn with_partitions<T>(
        &self,
        queues: &TopicQueues,
        look: impl FnOnce(&[PartitionMetadata]) -> T,
    ) -> T {
        self.view.with(|view| look(view.topic(&queues.name).map_or(&[], |topic| &topic.partitions)))
    }

    pub(super) fn wait_for_topic(&self, topic: &str, deadline: Instant) -> Result<Arc<TopicMetadata>> {
        check_topic_name(topic)?;
        let usable = self.view.with(|view| {
            view.topic(topic).filter(|topic| topic.error.is_ok() && !topic.partitions.is_empty()).cloned()
        });
        if let Some(known) = usable {
            return Ok(known);
        }
        let name = topic.to_owned();
        let waited = deadline.saturating_duration_since(self.clock.now());
        if waited.is_zero() {
            self.io.post(move |sender| {
                sender.cluster().add_topic(&name);
                sender.cluster().request_update();
            });
            let text = "the topic's metadata is not known yet, and this call does not wait for it";
            return Err(Error::new(ErrorKind::Timeout, text).with_topic(topic));
        }
        let began = self.clock.now();
        let known = self.io.run(deadline + GRACE, "metadata", move |sender| async move {
            let cluster = sender.cluster();
            let known = cluster.net().until(deadline, cluster.topic(&name)).await;
            sender.learn_format();
            known.unwrap_or_else(|| Err(cluster.topic_timeout(&name, waited)))
        });
        let now = self.clock.now();
        let took = now.saturating_duration_since(began);
        self.accumulator.sensors().producer.metadata_wait.record(nanos(took), now);
        known.map_err(|error| if error.topic().is_none() { with_topic(error, topic) } else { error })
    }

    /// Waits until a topic has a partition that it did not have when last looked at.
    pub(super) fn wait_for_partition(&self, topic: &str, partition: i32, deadline: Instant) -> Result<()> {
        let index = usize::try_from(partition).map_err(|_| {
            let text = "a partition is numbered from 0";
            Error::new(ErrorKind::InvalidArgument, text).with_topic(topic).with_partition(partition)
        })?;
        let name = topic.to_owned();
        if self.clock.now() < deadline {
            self.io.run(deadline + GRACE, "metadata", move |sender| async move {
                let cluster = sender.cluster();
                let count = || cluster.snapshot().topic(&name).map_or(0, |topic| topic.partitions.len());
                let grown = async {
                    while count() <= index {
                        // The reason for a failure shows in the number that is found.
                        let _ = cluster.update().await;
                    }
                };
                cluster.net().until(deadline, grown).await;
                Ok(())
            })?;
        }
        let known = self.view.with(|view| view.topic(topic).cloned());
        let found = known.as_ref().map_or(0, |topic| topic.partitions.len());
        if let Some(known) = &known {
            self.accumulator.set_partitions(known);
        }
        if found <= index {
            let text = format!("the topic has {found} partitions, numbered from 0");
            return Err(Error::new(ErrorKind::InvalidArgument, text)
                .with_topic(topic)
                .with_partition(partition));
        }
        Ok(())
    }

    pub(super) fn flush(&self, deadline: Instant) -> Result<()> {
        if on_io_thread() {
            return Err(Error::new(
                ErrorKind::IllegalState,
                "flush would block the IO thread: do not call it in a callback",
            ));
        }
        self.io.remote().check_process()?;
        let _flushing = self.accumulator.flush();
        let mut left = self.accumulator.incomplete();
        while let Some(batch) = left.last() {
            let Ok(outcome) = batch.wait_settled(deadline) else {
                let (records, batches) = self.accumulator.count_open(&left);
                let text = format!(
                    "timed out: flush: {records} records in {batches} batches are still on their way"
                );
                return Err(Error::new(ErrorKind::Timeout, text));
            };
            let parts = match outcome {
                handle::Outcome::Split(parts) => parts.iter().map(|(_, part)| Arc::clone(part)).collect(),
                _ => Vec::new(),
            };
            left.pop();
            left.extend(parts);
        }
        Ok(())
    }

    pub(super) fn close(&self, timeout: Duration) -> Result<(), CloseError> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        if self.io.remote().check_process().is_err() {
            // All of it is the parent's.
            return Ok(());
        }
        let deadline = self.clock.deadline(timeout);
        let transaction = match self.leave_transaction(deadline) {
            Ok(()) => None,
            Err(error) => Some(error.to_string()),
        };
        if !on_io_thread() {
            // What it does not get done in time is counted below.
            let _ = self.flush(deadline);
        }
        let given_up = self.accumulator.abandon(&closed());
        let left = deadline.saturating_duration_since(self.clock.now()).max(LAST_LOOK);
        // On the IO thread itself, in a callback, the end is only asked for.
        let thread_ended = self.io.shutdown(left) || on_io_thread();
        if given_up.batches == 0 && thread_ended && transaction.is_none() {
            return Ok(());
        }
        Err(CloseError { timeout, given_up, thread_ended, transaction })
    }

    pub(super) fn too_large(&self, topic: &str, size: usize, option: &str, limit: usize) -> Error {
        let text = format!("a record of up to {size} bytes is above {option}={limit}");
        Error::new(ErrorKind::RecordTooLarge, text).with_topic(topic)
    }
}

/// A partition as an index; one that cannot be is beyond all others.
fn index_of(partition: i32) -> usize {
    usize::try_from(partition).unwrap_or(usize::MAX)
}

/// A moment is 64 ms long.
const MOMENT_BITS: u32 = 6;

/// However short its timeout is, a close lets the IO thread see that it is to end.
const LAST_LOOK: Duration = Duration::from_millis(100);

pub(super) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the producer is closed")
}

pub(super) fn with_topic(error: Error, topic: &str) -> Error {
    error.with_topic(topic)
}

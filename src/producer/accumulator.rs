//! Records between `send()` and the sender: one queue a partition, filled by the callers' threads.
//!
//! A record is encoded once, into its partition's open batch, under that partition's own lock. The IO thread is
//! told when a batch was opened (its linger time runs) or is full, never of a single record. A full batch is
//! compressed and summed on the thread that filled it, outside of the lock: a placeholder keeps its place in
//! the queue meanwhile.

mod sticky;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicI8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, Sender};
use foldhash::fast::RandomState;
use parking_lot::Mutex;

use super::batch::Batch;
use super::close::GivenUp;
use super::handle::{BatchHandle, Outcome};
use super::memory::{Memory, Permit, Refusal};
use super::sensors::{Sensors, nanos};
use crate::cluster::{Snapshot, TopicMetadata};
use crate::error::{Error, ErrorKind, Result};
use crate::net::clock::Clock;
use crate::net::wakeup::Wakeup;
use crate::protocol::Uuid;
use crate::record::{self, BATCH_OVERHEAD, BatchBuilder, Compression, SealedBatch, record_size_upper_bound};
use crate::types::{Header, TopicPartition};

pub(super) use sticky::Choice;

/// All queues of one producer.
pub(super) struct Accumulator {
    clock: Clock,
    batch_size: usize,
    compression: Compression,
    /// The version of the record format: 2, or less for brokers before 0.11.
    magic: AtomicI8,
    memory: Memory,
    topics: ArcSwap<HashMap<Arc<str>, Arc<TopicQueues>, RandomState>>,
    /// Queues that got something to send, each at most once; read by the sender.
    active: Sender<Arc<PartitionQueue>>,
    activated: Receiver<Arc<PartitionQueue>>,
    sender: Wakeup,
    incomplete: Mutex<Incomplete>,
    next_batch: AtomicU64,
    /// While somebody flushes, no batch lingers.
    flushing: AtomicUsize,
    choice: Choice,
    /// Nodes that take nothing although there is something for them, and since when.
    stuck: Mutex<HashMap<i32, Instant, RandomState>>,
    sensors: Sensors,
}

/// Batches whose outcome is open.
#[derive(Default)]
struct Incomplete {
    batches: HashMap<u64, Arc<BatchHandle>, RandomState>,
    /// The producer was closed: a batch that is opened now would have nobody to complete it.
    abandoned: bool,
}

/// The queues of one topic.
pub(super) struct TopicQueues {
    pub(super) name: Arc<str>,
    id: Uuid,
    /// Of all partitions that the name has ever had.
    all: Box<[Arc<PartitionQueue>]>,
    /// How many of these the topic has now: one that was made anew may have fewer.
    count: usize,
    /// Where records without a key go until their batch is full or gone (KIP-480).
    sticky: AtomicU32,
}

impl TopicQueues {
    /// The queues of the partitions that the topic has.
    #[inline]
    pub(super) fn partitions(&self) -> &[Arc<PartitionQueue>] {
        self.all.get(..self.count).unwrap_or(&self.all)
    }
}

/// The queue of one partition.
pub(super) struct PartitionQueue {
    pub(super) topic_partition: TopicPartition,
    /// The topic that it was made for.
    pub(super) topic_id: Uuid,
    /// Batches that are open, wait, or are out.
    load: AtomicU32,
    state: Mutex<QueueState>,
}

#[derive(Default)]
struct QueueState {
    open: Option<OpenBatch>,
    closed: VecDeque<Slot>,
    /// Whether the sender knows of the queue and will look at it again.
    is_active: bool,
    /// Bytes of records that came here for want of a key, since they began to.
    sticky_bytes: usize,
}

/// Memory for a batch, and its place among the batches of its queue.
pub(super) struct Reservation {
    permit: Permit,
    queue: Arc<PartitionQueue>,
}

impl Reservation {
    fn new(permit: Permit, queue: &Arc<PartitionQueue>) -> Self {
        queue.load.fetch_add(1, Ordering::Relaxed);
        Self { permit, queue: Arc::clone(queue) }
    }

    /// Gives the batch's buffer back together with the memory.
    pub(super) fn keep(&mut self, buffer: Vec<u8>) {
        self.permit.keep(buffer);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.queue.load.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a batch takes besides its records, from here to the answer; counts where batches are small.
const BOOKKEEPING: usize =
    size_of::<BatchHandle>() + size_of::<OpenBatch>() + size_of::<ReadyBatch>() + size_of::<Batch>();

enum Slot {
    /// Being compressed and summed by the thread that filled it.
    Sealing(u64),
    Ready(Box<ReadyBatch>),
}

struct OpenBatch {
    number: u64,
    builder: BatchBuilder,
    opened: Instant,
    handle: Arc<BatchHandle>,
    permit: Reservation,
}

/// A batch that can be sent.
pub(super) struct ReadyBatch {
    pub(super) number: u64,
    pub(super) sealed: SealedBatch,
    pub(super) opened: Instant,
    pub(super) handle: Arc<BatchHandle>,
    pub(super) permit: Reservation,
}

/// One record, serialized.
#[derive(Clone, Copy)]
pub(super) struct RawRecord<'a> {
    pub(super) timestamp: i64,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) headers: &'a [Header],
    /// Whether it goes wherever the producer likes.
    pub(super) is_sticky: bool,
}

impl<'a> RawRecord<'a> {
    /// The headers as they are encoded.
    #[inline]
    pub(super) fn record_headers(
        &self,
    ) -> impl ExactSizeIterator<Item = record::Header<'a>> + Clone + use<'a> {
        self.headers.iter().map(|header| record::Header { key: &header.key, value: header.value.as_deref() })
    }

    /// An upper bound of the encoded size.
    #[inline]
    pub(super) fn size(&self) -> usize {
        let bare = record_size_upper_bound(self.key.map(<[u8]>::len), self.value.map(<[u8]>::len), &[]);
        self.record_headers().fold(bare, |size, header| {
            // Each of the two lengths takes five bytes at most.
            size + 10 + header.key.len() + header.value.map_or(0, <[u8]>::len)
        })
    }

    #[inline]
    fn append_to(&self, builder: &mut BatchBuilder) -> Option<u32> {
        builder.try_append_iter(self.timestamp, self.key, self.value, self.record_headers())
    }
}

/// What the sender finds when it looks at a queue.
pub(super) enum Look {
    /// Nothing is queued; the queue is inactive until the next record.
    Empty,
    /// The open batch lingers until then.
    Lingers(Instant),
    /// A batch is being sealed; the sealing thread wakes the sender.
    Sealing,
    /// The open batch was taken. The next one wakes the sender when it is opened.
    Taken,
}

impl Accumulator {
    pub(super) fn new(
        clock: Clock,
        batch_size: usize,
        compression: Compression,
        memory: Memory,
        sender: Wakeup,
        choice: Choice,
        sensors: Sensors,
    ) -> Self {
        let (active, activated) = crossbeam_channel::unbounded();
        Self {
            clock,
            batch_size,
            compression,
            magic: AtomicI8::new(2),
            memory,
            topics: ArcSwap::default(),
            active,
            activated,
            sender,
            incomplete: Mutex::default(),
            next_batch: AtomicU64::new(0),
            flushing: AtomicUsize::new(0),
            choice,
            stuck: Mutex::default(),
            sensors,
        }
    }

    pub(super) fn sensors(&self) -> &Sensors {
        &self.sensors
    }

    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }

    pub(super) fn sender(&self) -> &Wakeup {
        &self.sender
    }

    /// The queues of a topic, if they exist. Takes no lock and allocates nothing.
    #[inline]
    pub(super) fn with_topic<T>(&self, name: &str, use_it: impl FnOnce(&TopicQueues) -> T) -> Option<T> {
        self.topics.load().get(name).map(|topic| use_it(topic))
    }

    /// Makes the queues of a topic, or more of them when it has got more partitions; fewer count when it was deleted
    /// and made anew.
    pub(super) fn set_partitions(&self, topic: &TopicMetadata) {
        let TopicMetadata { name, id, partitions, .. } = topic;
        self.topics.rcu(|topics| {
            let known = topics.get(name);
            let is_new =
                known.is_some_and(|known| known.id != *id && *id != Uuid::ZERO && !partitions.is_empty());
            // Partitions do not go, so a topic that is said to have fewer is one that a broker lags behind with.
            let count = match known {
                Some(known) if !is_new => known.count.max(partitions.len()),
                _ => partitions.len(),
            };
            if known.is_some_and(|known| !is_new && known.count == count) {
                return Arc::clone(topics);
            }
            // Those that are gone keep their queue: something may be in it, and they may come back.
            let kept = known.map_or(0, |known| known.all.len());
            let all = (0..count.max(kept)).map(|partition| {
                match known.and_then(|known| known.all.get(partition)) {
                    Some(queue) => Arc::clone(queue),
                    None => Arc::new(PartitionQueue {
                        topic_partition: TopicPartition::new(Arc::clone(name), partition as i32),
                        topic_id: *id,
                        load: AtomicU32::new(0),
                        state: Mutex::default(),
                    }),
                }
            });
            let queues = TopicQueues {
                name: Arc::clone(name),
                id: *id,
                all: all.collect(),
                count,
                sticky: AtomicU32::new(fastrand::u32(0..count.max(1) as u32)),
            };
            let mut topics = HashMap::clone(topics);
            topics.insert(Arc::clone(name), Arc::new(queues));
            Arc::new(topics)
        });
    }

    /// Makes queues for the partitions that topics have got since.
    pub(super) fn follow(&self, view: &Snapshot) {
        for topic in self.topics.load().values() {
            if let Some(known) = view.topic(&topic.name) {
                self.set_partitions(known);
            }
        }
    }

    /// Appends a record to the open batch of its partition. `None` when there is none, or no room in it.
    #[inline]
    pub(super) fn append(
        &self,
        queue: &PartitionQueue,
        record: &RawRecord<'_>,
    ) -> Option<(Arc<BatchHandle>, u32)> {
        queue.state.lock().append(record)
    }

    /// Appends a record whatever it takes: closes a full batch, waits for memory, opens a new batch.
    pub(super) fn append_slow(
        &self,
        queue: &Arc<PartitionQueue>,
        record: &RawRecord<'_>,
        deadline: Instant,
    ) -> Result<(Arc<BatchHandle>, u32)> {
        let capacity = self.batch_size.max(record.size() + BATCH_OVERHEAD).min(self.memory.total());
        let bytes = (capacity + BOOKKEEPING).min(self.memory.total());
        let mut permit = None;
        loop {
            let mut state = queue.state.lock();
            if let Some(appended) = state.append(record) {
                return Ok(appended);
            }
            if state.open.is_some() {
                let (number, full) = self.take_open(&mut state)?;
                drop(state);
                self.seal(queue, number, full);
                continue;
            }
            let Some(granted) = permit.take().or_else(|| self.memory.try_reserve(bytes)) else {
                drop(state);
                permit = Some(self.wait_for_memory(bytes, deadline)?);
                continue;
            };
            return self.open(queue, state, granted, capacity, record);
        }
    }

    fn open(
        &self,
        queue: &Arc<PartitionQueue>,
        mut state: parking_lot::MutexGuard<'_, QueueState>,
        mut permit: Permit,
        capacity: usize,
        record: &RawRecord<'_>,
    ) -> Result<(Arc<BatchHandle>, u32)> {
        let number = self.next_batch.fetch_add(1, Ordering::Relaxed);
        let mut builder = BatchBuilder::new(permit.buffer(capacity), capacity);
        let index = record.append_to(&mut builder).ok_or_else(|| {
            Error::new(ErrorKind::RecordTooLarge, "the record is larger than Kafka's format allows")
        })?;
        let handle = Arc::new(BatchHandle::new(queue.topic_partition.clone(), 0, self.memory.tab()));
        {
            let mut incomplete = self.incomplete.lock();
            if incomplete.abandoned {
                return Err(Error::new(ErrorKind::Closed, "the producer is closed"));
            }
            incomplete.batches.insert(number, Arc::clone(&handle));
        }
        let opened = self.clock.now();
        if record.is_sticky {
            state.sticky_bytes += builder.len();
        }
        let permit = Reservation::new(permit, queue);
        state.open = Some(OpenBatch { number, builder, opened, handle: Arc::clone(&handle), permit });
        let activate = !state.is_active;
        state.is_active = true;
        drop(state);
        if activate {
            // The receiver is in this very struct.
            let _ = self.active.send(Arc::clone(queue));
        }
        self.sender.notify();
        Ok((handle, index))
    }

    fn wait_for_memory(&self, bytes: usize, deadline: Instant) -> Result<Permit> {
        self.sender.notify();
        let began = self.clock.now();
        let granted = self.memory.reserve(bytes, deadline);
        let now = self.clock.now();
        let sensors = &self.sensors.producer;
        sensors.buffer_wait.record(nanos(now.saturating_duration_since(began)), now);
        granted.map_err(|refusal| match refusal {
            Refusal::Closed => Error::new(ErrorKind::Closed, "the producer is closed"),
            Refusal::TimedOut => {
                sensors.buffer_exhausted.record(1.0, now);
                Error::new(
                    ErrorKind::BufferExhausted,
                    format!(
                        "no memory came free within max.block.ms for a batch of {bytes} bytes: the brokers take \
                         records more slowly than they are sent (buffer.memory={})",
                        self.memory.total()
                    ),
                )
            }
        })
    }

    /// Takes the open batch out and leaves a placeholder.
    fn take_open(&self, state: &mut QueueState) -> Result<(u64, OpenBatch)> {
        let open = state
            .open
            .take()
            .ok_or_else(|| Error::new(ErrorKind::IllegalState, "there is no open batch to close"))?;
        open.handle.set_records(open.builder.record_count());
        state.closed.push_back(Slot::Sealing(open.number));
        Ok((open.number, open))
    }

    /// Compresses and sums a batch and puts it into its place.
    fn seal(&self, queue: &PartitionQueue, number: u64, open: OpenBatch) {
        let OpenBatch { builder, opened, handle, permit, .. } = open;
        let sealed = builder.seal(&self.compression, self.magic.load(Ordering::Relaxed));
        let mut state = queue.state.lock();
        let place =
            state.closed.iter().position(|slot| matches!(slot, Slot::Sealing(other) if *other == number));
        match (place, sealed) {
            (Some(place), Ok(sealed)) => {
                let ready = ReadyBatch { number, sealed, opened, handle, permit };
                if let Some(slot) = state.closed.get_mut(place) {
                    *slot = Slot::Ready(Box::new(ready));
                }
            }
            (place, sealed) => {
                // Either the queue was cleared by a close, or the codec failed.
                if let Some(place) = place {
                    state.closed.remove(place);
                }
                drop(state);
                let error =
                    sealed.err().unwrap_or_else(|| Error::new(ErrorKind::Closed, "the producer was closed"));
                self.complete(number, &handle, Outcome::Failed(error));
            }
        }
        self.sender.notify();
    }

    /// When the oldest batch of a queue that the sender has not taken was opened.
    pub(super) fn oldest(&self, queue: &PartitionQueue) -> Option<Instant> {
        let state = queue.state.lock();
        let closed = state.closed.iter().find_map(|slot| match slot {
            Slot::Ready(batch) => Some(batch.opened),
            Slot::Sealing(_) => None,
        });
        closed.or_else(|| state.open.as_ref().map(|open| open.opened))
    }

    /// Sets the version of the record format, once the brokers are known.
    pub(super) fn set_magic(&self, magic: i8) {
        self.magic.store(magic, Ordering::Relaxed);
    }

    /// How batches are compressed.
    pub(super) fn compression(&self) -> &Compression {
        &self.compression
    }

    /// Queues that became active since the last call.
    pub(super) fn take_activated(&self) -> impl Iterator<Item = Arc<PartitionQueue>> + '_ {
        self.activated.try_iter()
    }

    /// Moves what can be sent from a queue to `ready`, closing the open batch when it has lingered long enough.
    pub(super) fn drain(
        &self,
        queue: &PartitionQueue,
        linger: Duration,
        now: Instant,
        ready: &mut VecDeque<Box<ReadyBatch>>,
    ) -> Look {
        let mut state = queue.state.lock();
        take_sealed(&mut state, ready);
        if !state.closed.is_empty() {
            return Look::Sealing;
        }
        let Some(open) = &state.open else {
            state.is_active = false;
            return Look::Empty;
        };
        let due = open.opened + linger;
        // With full batches at hand the open one may fill on: a moment later there is more in it.
        if !ready.is_empty() || (due > now && self.flushing.load(Ordering::Acquire) == 0) {
            return Look::Lingers(due);
        }
        if let Ok((number, open)) = self.take_open(&mut state) {
            drop(state);
            self.seal(queue, number, open);
            take_sealed(&mut queue.state.lock(), ready);
        }
        Look::Taken
    }

    /// Records the outcome of a batch and wakes whoever waits for it.
    pub(super) fn complete(&self, number: u64, handle: &BatchHandle, outcome: Outcome) {
        if matches!(outcome, Outcome::Failed(_)) && !handle.is_done() {
            let topic = handle.topic_partition().shared_topic();
            self.sensors.failed(&topic, handle.records(), self.clock.now());
        }
        handle.complete(outcome);
        // After the callbacks, so that a flush waits for them, too.
        self.incomplete.lock().batches.remove(&number);
    }

    /// A number for a part of a batch that is split.
    pub(super) fn register_part(&self, handle: &Arc<BatchHandle>) -> u64 {
        let number = self.next_batch.fetch_add(1, Ordering::Relaxed);
        self.incomplete.lock().batches.insert(number, Arc::clone(handle));
        number
    }

    /// Whether every batch has an outcome, and its callbacks have run.
    pub(super) fn is_quiet(&self) -> bool {
        self.incomplete.lock().batches.is_empty()
    }

    /// All batches whose outcome is open.
    pub(super) fn incomplete(&self) -> Vec<Arc<BatchHandle>> {
        self.incomplete.lock().batches.values().cloned().collect()
    }

    /// How many records and batches of these have no outcome yet.
    pub(super) fn count_open(&self, batches: &[Arc<BatchHandle>]) -> (u64, usize) {
        // Batches that are still being filled do not know it.
        for queue in self.topics.load().values().flat_map(|topic| topic.all.iter()) {
            if let Some(open) = &queue.state.lock().open {
                open.handle.set_records(open.builder.record_count());
            }
        }
        let open = batches.iter().filter(|batch| !batch.is_done());
        open.fold((0, 0), |(records, count), batch| (records + u64::from(batch.records()), count + 1))
    }

    /// Sends open batches without lingering until the returned guard is dropped.
    pub(super) fn flush(&self) -> Flushing<'_> {
        self.flushing.fetch_add(1, Ordering::AcqRel);
        self.sender.notify();
        Flushing(self)
    }

    /// Fails everything that is not complete, and every later wait for memory or a batch.
    pub(super) fn abandon(&self, error: &Error) -> GivenUp {
        self.memory.close();
        let incomplete: Vec<_> = {
            let mut incomplete = self.incomplete.lock();
            incomplete.abandoned = true;
            incomplete.batches.drain().collect()
        };
        // Out of the queues first: nothing is added to them any more, so the counts are final.
        for queue in self.topics.load().values().flat_map(|topic| topic.all.iter()) {
            let mut state = queue.state.lock();
            if let Some(open) = state.open.take() {
                open.handle.set_records(open.builder.record_count());
            }
            state.closed.clear();
        }
        let mut given_up = GivenUp::default();
        for (_, handle) in incomplete {
            let Some(was_sent) = handle.abandon(error) else { continue };
            let records = handle.records();
            given_up.batches += 1;
            given_up.records += u64::from(records);
            given_up.maybe_written += if was_sent { u64::from(records) } else { 0 };
            self.sensors.failed(&handle.topic_partition().shared_topic(), records, self.clock.now());
        }
        given_up
    }
}

impl QueueState {
    #[inline]
    fn append(&mut self, record: &RawRecord<'_>) -> Option<(Arc<BatchHandle>, u32)> {
        let open = self.open.as_mut()?;
        let before = open.builder.len();
        let index = record.append_to(&mut open.builder)?;
        if record.is_sticky {
            self.sticky_bytes += open.builder.len() - before;
        }
        Some((Arc::clone(&open.handle), index))
    }
}

/// Moves the sealed batches at the head of a queue to `ready`.
fn take_sealed(state: &mut QueueState, ready: &mut VecDeque<Box<ReadyBatch>>) {
    while let Some(Slot::Ready(_)) = state.closed.front() {
        if let Some(Slot::Ready(batch)) = state.closed.pop_front() {
            ready.push_back(batch);
        }
    }
}

/// While this lives, batches do not linger.
pub(super) struct Flushing<'a>(&'a Accumulator);

impl Drop for Flushing<'_> {
    fn drop(&mut self) {
        self.0.flushing.fetch_sub(1, Ordering::AcqRel);
    }
}

//! The producer: records in, acknowledgements out.
//!
//! `send()` encodes a record straight into its partition's open batch ([`accumulator`](self)); a task on the IO
//! thread sends full batches to the partitions' leaders and sends them again until the brokers have them or
//! `delivery_timeout` is over. ARCHITECTURE.md follows a record on its way.

mod accumulator;
mod batch;
mod builder;
mod close;
mod handle;
mod identity;
mod interceptor;
mod memory;
pub mod partitioner;
mod record;
mod sender;
mod sensors;
mod transaction;

use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub use builder::ProducerBuilder;
pub use close::CloseError;
pub use handle::{FutureRecordMetadata, RecordMetadata};
pub use interceptor::{Acknowledgement, OutgoingRecord, ProducerInterceptor};
pub use record::ProducerRecord;
pub use transaction::Transaction;

use crate::cluster::{ClusterMetadata, GRACE, PartitionMetadata, TopicMetadata};
use crate::config::ProducerConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::metrics::MetricsSnapshot;
use crate::net::bridge::{IoThread, on_io_thread, panic_text};
use crate::net::clock::Clock;
use crate::record::record_size_upper_bound;
use crate::serializer::{DefaultSerializer, Serializer};
use crate::types::{Headers, check_topic_name};
use accumulator::{Accumulator, PartitionQueue, RawRecord, TopicQueues};
use interceptor::Interceptors;
use partitioner::{PartitionInput, PartitionView, Partitioner, partition_for_key};
use sender::Sender;
use sensors::nanos;
use transaction::TransactionGate;

/// Sends records to a Kafka cluster. Thread-safe: share it by reference or in an `Arc`.
///
/// Owns one IO thread. Records are batched by partition and sent in the background; each
/// [`send`](Self::send) returns a handle to wait on, or to drop.
///
/// By default the producer is idempotent: retries double nothing and keep the order of each partition, with up
/// to five requests in flight.
///
/// ```
/// use std::time::Duration;
/// use kavka::{KafkaProducer, ProducerRecord};
/// # let cluster = kavka::mock::MockCluster::builder().topic("orders", 3).start()?;
/// # let servers = cluster.bootstrap_servers();
///
/// let producer = KafkaProducer::builder().bootstrap_servers(servers).build()?;
/// let ack = producer.send(ProducerRecord::new("orders").key("42").value("paid"))?;
/// let metadata = ack.get(Duration::from_secs(10))?;
/// println!("written to {} at {:?}", metadata.topic_partition(), metadata.offset());
/// producer.close(Duration::from_secs(5))?;
/// # Ok::<(), kavka::Error>(())
/// ```
pub struct KafkaProducer<K = DefaultSerializer, V = DefaultSerializer> {
    shared: Shared,
    key_serializer: K,
    value_serializer: V,
    partitioner: Option<Box<dyn Partitioner>>,
    interceptors: Option<Interceptors>,
}

struct Shared {
    config: ProducerConfig,
    clock: Clock,
    view: ClusterMetadata,
    accumulator: Arc<Accumulator>,
    /// With a transactional id.
    transaction: Option<Arc<TransactionGate>>,
    io: IoThread<Rc<Sender>>,
    /// Keys choose no partition.
    ignore_keys: bool,
    closed: AtomicBool,
}

impl KafkaProducer {
    /// A builder with kafka-python's options and defaults.
    pub fn builder() -> ProducerBuilder {
        ProducerBuilder::default()
    }
}

impl<K, V> KafkaProducer<K, V> {
    /// Hands a record over for sending, and returns at once with a handle on its outcome.
    ///
    /// Blocks only for the metadata of a new topic and for memory when the brokers do not keep up, at most
    /// `max_block` in all.
    ///
    /// # Errors
    /// What is wrong with the record ([`ErrorKind::InvalidArgument`], [`ErrorKind::Serialization`],
    /// [`ErrorKind::RecordTooLarge`]), or what it waited for in vain: [`ErrorKind::UnknownTopic`],
    /// [`ErrorKind::Authorization`], [`ErrorKind::Timeout`] with the failure of each address,
    /// [`ErrorKind::BufferExhausted`]; [`ErrorKind::Closed`] after a close.
    #[inline]
    pub fn send<KT, VT>(&self, record: ProducerRecord<'_, KT, VT>) -> Result<FutureRecordMetadata>
    where
        KT: ?Sized,
        VT: ?Sized,
        K: Serializer<KT>,
        V: Serializer<VT>,
    {
        self.send_by(record, None)
    }

    /// As [`send`](Self::send), but fails instead of blocking.
    ///
    /// # Errors
    /// As [`send`](Self::send): [`ErrorKind::Timeout`] when the topic's metadata is not there yet (it is asked
    /// for), [`ErrorKind::BufferExhausted`] when memory is.
    pub fn try_send<KT, VT>(&self, record: ProducerRecord<'_, KT, VT>) -> Result<FutureRecordMetadata>
    where
        KT: ?Sized,
        VT: ?Sized,
        K: Serializer<KT>,
        V: Serializer<VT>,
    {
        self.send_by(record, Some(self.shared.clock.now()))
    }

    fn send_by<KT, VT>(
        &self,
        record: ProducerRecord<'_, KT, VT>,
        deadline: Option<Instant>,
    ) -> Result<FutureRecordMetadata>
    where
        KT: ?Sized,
        VT: ?Sized,
        K: Serializer<KT>,
        V: Serializer<VT>,
    {
        let ProducerRecord { topic, key, value, partition, timestamp, headers } = record;
        let (key, value) = match self.serialize(topic, key, value, &headers) {
            Ok(serialized) => serialized,
            Err(error) => {
                if let Some(interceptors) = &self.interceptors {
                    interceptors.refused(topic, partition, &headers, &error);
                }
                return Err(error);
            }
        };
        if let Some(interceptors) = &self.interceptors {
            let timestamp = timestamp.unwrap_or_else(|| self.shared.clock.unix_millis());
            let record =
                OutgoingRecord { topic: Cow::Borrowed(topic), partition, timestamp, key, value, headers };
            return self.send_intercepted(interceptors, record, deadline);
        }
        let key: Option<&[u8]> = key.as_ref().map(Cow::as_ref);
        let value: Option<&[u8]> = value.as_ref().map(Cow::as_ref);
        let raw = RawRecord {
            timestamp: timestamp.unwrap_or_else(|| self.shared.clock.unix_millis()),
            key,
            value,
            headers: headers.as_slice(),
            is_sticky: false,
        };
        self.shared.send(topic, partition, &raw, self.partitioner.as_deref(), deadline)
    }

    #[inline]
    fn serialize<'a, KT, VT>(
        &self,
        topic: &str,
        key: &'a KT,
        value: &'a VT,
        headers: &Headers,
    ) -> Result<(Serialized<'a>, Serialized<'a>)>
    where
        KT: ?Sized,
        VT: ?Sized,
        K: Serializer<KT>,
        V: Serializer<VT>,
    {
        let in_topic = |what| move |error: Error| with_topic(error.context(what), topic);
        let key = contained("the serializer", || self.key_serializer.serialize(topic, headers, key))
            .and_then(|key| key)
            .map_err(in_topic("key"))?;
        let value = contained("the serializer", || self.value_serializer.serialize(topic, headers, value))
            .and_then(|value| value)
            .map_err(in_topic("value"))?;
        Ok((key, value))
    }

    #[cold]
    fn send_intercepted(
        &self,
        interceptors: &Interceptors,
        mut record: OutgoingRecord<'_>,
        deadline: Option<Instant>,
    ) -> Result<FutureRecordMetadata> {
        interceptors.on_send(&mut record);
        let raw = RawRecord {
            timestamp: record.timestamp,
            key: record.key(),
            value: record.value(),
            headers: record.headers.as_slice(),
            is_sticky: false,
        };
        let (topic, partition) = (record.topic(), record.partition);
        match self.shared.send(topic, partition, &raw, self.partitioner.as_deref(), deadline) {
            Ok(handle) => {
                interceptors.watch(&handle, record.headers);
                Ok(handle)
            }
            Err(error) => {
                interceptors.refused(topic, partition, &record.headers, &error);
                Err(error)
            }
        }
    }

    /// Sends what is queued without lingering and waits until everything sent before has an outcome and its
    /// callbacks have run, at most `timeout`.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`], telling how many batches are still on their way. Deliveries that fail are no
    /// error of the flush: their handles tell.
    pub fn flush(&self, timeout: Duration) -> Result<()> {
        let began = self.shared.clock.now();
        let flushed = self.shared.flush(self.shared.clock.deadline(timeout));
        let now = self.shared.clock.now();
        let took = now.saturating_duration_since(began);
        self.shared.accumulator.sensors().producer.flush.record(nanos(took), now);
        flushed
    }

    /// Flushes, stops the IO thread, and ends every handle that is still open. A second call does nothing.
    ///
    /// # Errors
    /// [`CloseError`] when `timeout` did not suffice. It tells how many records were given up, and how many of these
    /// may have been written; their handles fail with [`ErrorKind::Closed`].
    pub fn close(&self, timeout: Duration) -> Result<(), CloseError> {
        self.shared.close(timeout)
    }

    /// The partitions of a topic, waiting for its metadata for at most `max_block`.
    ///
    /// # Errors
    /// As [`send`](Self::send) for the topic.
    pub fn partitions_for(&self, topic: &str) -> Result<Vec<i32>> {
        let deadline = self.shared.clock.deadline(self.shared.config.max_block);
        let metadata = self.shared.wait_for_topic(topic, deadline)?;
        Ok((0..).take(metadata.partitions.len()).collect())
    }

    /// Waits until the cluster's brokers are known, for programs that want to know at the start whether they
    /// can be reached.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`], with the failure of each address.
    pub fn bootstrap(&self, timeout: Duration) -> Result<()> {
        let deadline = self.shared.clock.deadline(timeout);
        self.shared.io.run(deadline + GRACE, "bootstrap", move |sender| async move {
            let cluster = sender.cluster();
            let known = async {
                cluster.bootstrap().await?;
                Ok(())
            };
            cluster.within(deadline, "bootstrap", known).await
        })
    }

    /// Whether the cluster's brokers are known.
    pub fn bootstrap_connected(&self) -> bool {
        self.shared.view.snapshot().version() > 0
    }

    /// What the producer knows of the cluster.
    pub fn cluster(&self) -> &ClusterMetadata {
        &self.shared.view
    }

    /// How many bytes of `buffer_memory` are free. Equal to all of it when nothing is queued.
    pub fn buffer_available_bytes(&self) -> usize {
        self.shared.accumulator.memory().available()
    }

    /// What the producer counts and measures, as it is now: see [`metrics`](crate::metrics). Can be called from any
    /// thread, and after a close.
    pub fn metrics(&self) -> MetricsSnapshot {
        self.shared.accumulator.sensors().registry.snapshot()
    }

    /// The options in effect.
    pub fn config(&self) -> &ProducerConfig {
        &self.shared.config
    }
}

impl<K, V> Drop for KafkaProducer<K, V> {
    /// Closes within `drop_timeout`; what had to be given up is logged.
    fn drop(&mut self) {
        if let Err(error) = self.shared.close(self.shared.config.common.drop_timeout) {
            log::warn!("dropped a producer: {error}");
        }
    }
}

impl<K, V> fmt::Debug for KafkaProducer<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaProducer")
            .field("client_id", &self.shared.config.common.client_id)
            .field("buffer_available_bytes", &self.buffer_available_bytes())
            .finish_non_exhaustive()
    }
}

impl Shared {
    #[inline]
    fn send(
        &self,
        topic: &str,
        partition: Option<i32>,
        record: &RawRecord<'_>,
        partitioner: Option<&dyn Partitioner>,
        deadline: Option<Instant>,
    ) -> Result<FutureRecordMetadata> {
        self.check_not_closed()?;
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
    fn check_not_closed(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) { Err(closed()) } else { Ok(()) }
    }

    /// Puts a record into the batch of its partition.
    #[inline]
    fn append(
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
    fn send_slow(
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
    fn choose(
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
    fn choose_for_new_batch(
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
    fn ask<T>(
        &self,
        queues: &TopicQueues,
        record: &RawRecord<'_>,
        ask: impl FnOnce(&PartitionInput<'_>, &PartitionView<'_>) -> T,
    ) -> Result<T> {
        let input = PartitionInput { topic: &queues.name, key: record.key, value: record.value };
        self.with_partitions(queues, |known| {
            let view = PartitionView::of(queues.partitions().len() as i32, known);
            contained("the partitioner", || ask(&input, &view))
                .map_err(|error| with_topic(error, &queues.name))
        })
    }

    /// What is known of the partitions of a topic.
    fn with_partitions<T>(&self, queues: &TopicQueues, look: impl FnOnce(&[PartitionMetadata]) -> T) -> T {
        self.view.with(|view| look(view.topic(&queues.name).map_or(&[], |topic| &topic.partitions)))
    }

    fn wait_for_topic(&self, topic: &str, deadline: Instant) -> Result<Arc<TopicMetadata>> {
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
    fn wait_for_partition(&self, topic: &str, partition: i32, deadline: Instant) -> Result<()> {
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

    fn flush(&self, deadline: Instant) -> Result<()> {
        if on_io_thread() {
            return Err(Error::new(
                ErrorKind::IllegalState,
                "flush would block the IO thread: do not call it in a callback",
            ));
        }
        let _flushing = self.accumulator.flush();
        let mut left = self.accumulator.incomplete();
        while let Some(batch) = left.last() {
            let Ok(outcome) = batch.wait_settled(deadline) else {
                let open = left.iter().filter(|batch| !batch.is_done()).count();
                let text = format!("timed out: flush: {open} batches are still on their way");
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

    fn close(&self, timeout: Duration) -> Result<(), CloseError> {
        if self.closed.swap(true, Ordering::AcqRel) {
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

    fn too_large(&self, topic: &str, size: usize, option: &str, limit: usize) -> Error {
        let text = format!("a record of up to {size} bytes is above {option}={limit}");
        Error::new(ErrorKind::RecordTooLarge, text).with_topic(topic)
    }
}

/// A key or a value as bytes; `None` is null.
type Serialized<'a> = Option<Cow<'a, [u8]>>;

/// A partition as an index; one that cannot be is beyond all others.
fn index_of(partition: i32) -> usize {
    usize::try_from(partition).unwrap_or(usize::MAX)
}

/// Runs code of the program; a panic in it becomes an error.
fn contained<T>(what: &str, run: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(run))
        .map_err(|panic| Error::new(ErrorKind::Panic, format!("{what} panicked: {}", panic_text(&*panic))))
}

/// However short its timeout is, a close lets the IO thread see that it is to end.
const LAST_LOOK: Duration = Duration::from_millis(100);

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the producer is closed")
}

fn with_topic(error: Error, topic: &str) -> Error {
    error.with_topic(topic)
}

impl RawRecord<'_> {
    /// An upper bound of the encoded size.
    #[inline]
    fn size(&self) -> usize {
        let bare = record_size_upper_bound(self.key.map(<[u8]>::len), self.value.map(<[u8]>::len), &[]);
        self.record_headers().fold(bare, |size, header| {
            // Each of the two lengths takes five bytes at most.
            size + 10 + header.key.len() + header.value.map_or(0, <[u8]>::len)
        })
    }
}

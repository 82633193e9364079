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
mod shared;
mod transaction;

use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

pub use builder::ProducerBuilder;
pub use close::CloseError;
pub use handle::{FutureRecordMetadata, RecordMetadata};
pub use interceptor::{Acknowledgement, OutgoingRecord, ProducerInterceptor};
pub use record::ProducerRecord;
pub use transaction::Transaction;

use crate::cluster::{ClusterMetadata, GRACE};
use crate::config::ProducerConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::metrics::MetricsSnapshot;
use crate::net::bridge::panic_text;
use crate::serializer::{DefaultSerializer, Serializer};
use crate::types::Headers;
use accumulator::RawRecord;
use interceptor::Interceptors;
use partitioner::Partitioner;
use sensors::nanos;
use shared::{Shared, with_topic};

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
///
/// Of kafka-python's class two things have no counterpart: `max_usable_produce_magic`, for each batch gets the format
/// that its brokers take, and the chaining of futures, for which there are callbacks.
pub struct KafkaProducer<K = DefaultSerializer, V = DefaultSerializer> {
    shared: Shared,
    key_serializer: K,
    value_serializer: V,
    partitioner: Option<Box<dyn Partitioner>>,
    interceptors: Option<Interceptors>,
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
    /// [`ErrorKind::Timeout`], telling how many records are still on their way. Deliveries that fail are no
    /// error of the flush: their handles tell.
    pub fn flush(&self, timeout: Duration) -> Result<()> {
        let began = self.shared.clock.now();
        let flushed = self.shared.flush(self.shared.clock.deadline(timeout));
        let now = self.shared.clock.now();
        let took = now.saturating_duration_since(began);
        self.shared.accumulator.sensors().producer.flush.record(nanos(took), now);
        flushed
    }

    /// Flushes, stops the IO thread, and ends every handle that is still open. A second call does nothing, nor does
    /// one in a forked child, since all of it belongs to the parent.
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

/// A key or a value as bytes; `None` is null.
type Serialized<'a> = Option<Cow<'a, [u8]>>;

/// Runs code of the program; a panic in it becomes an error.
fn contained<T>(what: &str, run: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(run))
        .map_err(|panic| Error::new(ErrorKind::Panic, format!("{what} panicked: {}", panic_text(&*panic))))
}

//! Code of the program between `send()` and the brokers (KIP-42).

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::contained;
use super::handle::{FutureRecordMetadata, RecordMetadata};
use crate::error::{Error, Result};
use crate::types::{Headers, TopicPartition};

/// Sees each record before it is queued, and what became of it.
///
/// Kafka's interceptors see a record before it is serialized. Here a producer takes keys and values of many types, so
/// interceptors come after: they see bytes. A record that they add headers to, or send to another topic, has been
/// serialized for the first one.
///
/// An error or a panic in an interceptor is logged and changes nothing: the record goes on as it was before that
/// interceptor, and the others have their turn.
///
/// ```
/// use kavka::producer::{Acknowledgement, OutgoingRecord, ProducerInterceptor};
///
/// struct Traced;
///
/// impl ProducerInterceptor for Traced {
///     fn on_send(&self, record: &mut OutgoingRecord<'_>) -> kavka::Result<()> {
///         record.headers_mut().push("traceparent", "00-4bf9-00f0-01");
///         Ok(())
///     }
///
///     fn on_acknowledgement(&self, acknowledgement: &Acknowledgement<'_>) {
///         if let Err(error) = acknowledgement.result() {
///             eprintln!("lost one of {}: {error}", acknowledgement.topic());
///         }
///     }
/// }
/// # let cluster = kavka::mock::MockCluster::builder().topic("orders", 1).start()?;
/// # let servers = cluster.bootstrap_servers();
///
/// let producer = kavka::KafkaProducer::builder().bootstrap_servers(servers).interceptor(Traced).build()?;
/// producer.send(kavka::ProducerRecord::new("orders").value("paid"))?;
/// producer.flush(std::time::Duration::from_secs(10))?;
/// # assert_eq!(cluster.records("orders", 0)[0].headers[0].0, "traceparent");
/// # Ok::<(), kavka::Error>(())
/// ```
pub trait ProducerInterceptor: Send + Sync {
    /// Called in `send()`, on the thread that calls it, before the partition is chosen. The record may be changed.
    ///
    /// # Errors
    /// Whatever the interceptor likes: it is logged, and what the interceptor has changed is taken back.
    fn on_send(&self, record: &mut OutgoingRecord<'_>) -> Result<()> {
        let _ = record;
        Ok(())
    }

    /// Called once for each record with what became of it, before the callbacks of its handle: on the IO thread, where
    /// it must not block, or on the thread that sends when the record was refused there.
    fn on_acknowledgement(&self, acknowledgement: &Acknowledgement<'_>) {
        let _ = acknowledgement;
    }
}

/// A record on its way to its queue: serialized, and not yet given a partition if the program named none.
#[derive(Clone, Debug)]
pub struct OutgoingRecord<'a> {
    pub(super) topic: Cow<'a, str>,
    pub(super) partition: Option<i32>,
    pub(super) timestamp: i64,
    pub(super) key: Option<Cow<'a, [u8]>>,
    pub(super) value: Option<Cow<'a, [u8]>>,
    pub(super) headers: Headers,
}

impl<'a> OutgoingRecord<'a> {
    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Sends it to another topic.
    pub fn set_topic(&mut self, topic: impl Into<Cow<'a, str>>) {
        self.topic = topic.into();
    }

    /// The partition that the program named; `None` leaves it to the partitioner.
    pub fn partition(&self) -> Option<i32> {
        self.partition
    }

    /// Names the partition, or leaves it to the partitioner.
    pub fn set_partition(&mut self, partition: Option<i32>) {
        self.partition = partition;
    }

    /// The timestamp in milliseconds since 1970.
    pub fn timestamp(&self) -> i64 {
        self.timestamp
    }

    /// Sets the timestamp.
    pub fn set_timestamp(&mut self, millis: i64) {
        self.timestamp = millis;
    }

    /// The key; `None` is null.
    pub fn key(&self) -> Option<&[u8]> {
        self.key.as_deref()
    }

    /// Replaces the key.
    pub fn set_key(&mut self, key: Option<impl Into<Cow<'a, [u8]>>>) {
        self.key = key.map(Into::into);
    }

    /// The value; `None` is null.
    pub fn value(&self) -> Option<&[u8]> {
        self.value.as_deref()
    }

    /// Replaces the value.
    pub fn set_value(&mut self, value: Option<impl Into<Cow<'a, [u8]>>>) {
        self.value = value.map(Into::into);
    }

    /// The headers.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The headers, to be changed.
    pub fn headers_mut(&mut self) -> &mut Headers {
        &mut self.headers
    }
}

/// What became of a record.
#[derive(Debug)]
pub struct Acknowledgement<'a> {
    topic: &'a str,
    partition: Option<i32>,
    headers: &'a Headers,
    result: Result<&'a RecordMetadata, &'a Error>,
}

impl Acknowledgement<'_> {
    /// The topic.
    pub fn topic(&self) -> &str {
        self.topic
    }

    /// The partition; `None` when the record was refused before it had one.
    pub fn partition(&self) -> Option<i32> {
        self.partition
    }

    /// The record's headers.
    pub fn headers(&self) -> &Headers {
        self.headers
    }

    /// Where it was written, or why it was not.
    pub fn result(&self) -> Result<&RecordMetadata, &Error> {
        self.result
    }
}

/// The interceptors of a producer, in the order in which they are called.
#[derive(Clone, Default)]
pub(super) struct Interceptors(Arc<Vec<Box<dyn ProducerInterceptor>>>);

impl Interceptors {
    pub(super) fn new(all: Vec<Box<dyn ProducerInterceptor>>) -> Option<Self> {
        (!all.is_empty()).then(|| Self(Arc::new(all)))
    }

    /// Has all of them see a record.
    pub(super) fn on_send(&self, record: &mut OutgoingRecord<'_>) {
        for interceptor in self.0.iter() {
            let before = record.clone();
            let outcome =
                contained("an interceptor", || interceptor.on_send(record)).and_then(|outcome| outcome);
            if let Err(error) = outcome {
                log::warn!("{}: a record goes on without its interceptor: {error}", before.topic);
                *record = before;
            }
        }
    }

    /// Has all of them hear of a record that was refused.
    pub(super) fn refused(&self, topic: &str, partition: Option<i32>, headers: &Headers, error: &Error) {
        self.acknowledge(&Acknowledgement { topic, partition, headers, result: Err(error) });
    }

    /// Has all of them hear of a record once its outcome is known.
    pub(super) fn watch(&self, handle: &FutureRecordMetadata, headers: Headers) {
        let (all, tp): (Self, TopicPartition) = (self.clone(), handle.topic_partition().clone());
        handle.add_both(move |result| {
            let result = result.as_ref();
            let partition = Some(tp.partition());
            all.acknowledge(&Acknowledgement { topic: tp.topic(), partition, headers: &headers, result });
        });
    }

    fn acknowledge(&self, acknowledgement: &Acknowledgement<'_>) {
        for interceptor in self.0.iter() {
            if let Err(error) =
                contained("an interceptor", || interceptor.on_acknowledgement(acknowledgement))
            {
                log::error!("{}: {error}", acknowledgement.topic);
            }
        }
    }
}

impl fmt::Debug for Interceptors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} interceptors", self.0.len())
    }
}

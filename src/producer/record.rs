//! What a program hands to `send()`.

use crate::types::Headers;

/// A record to be sent. Everything is borrowed: the bytes are copied once, into the batch.
///
/// Without a key or a value it is null; Kafka calls a record with a null value a tombstone.
///
/// ```
/// use kavka::ProducerRecord;
///
/// let record = ProducerRecord::new("orders").key("42").value("paid").header("source", "till-3");
/// assert_eq!(record.topic(), "orders");
/// ```
#[derive(Clone, Debug)]
pub struct ProducerRecord<'a, K: ?Sized = (), V: ?Sized = ()> {
    pub(super) topic: &'a str,
    pub(super) key: &'a K,
    pub(super) value: &'a V,
    pub(super) partition: Option<i32>,
    pub(super) timestamp: Option<i64>,
    pub(super) headers: Headers,
}

impl<'a> ProducerRecord<'a> {
    /// A record for a topic, with a null key and a null value.
    pub fn new(topic: &'a str) -> Self {
        Self { topic, key: &(), value: &(), partition: None, timestamp: None, headers: Headers::new() }
    }
}

impl<'a, K: ?Sized, V: ?Sized> ProducerRecord<'a, K, V> {
    /// The key, which also chooses the partition.
    #[must_use]
    pub fn key<T: ?Sized>(self, key: &'a T) -> ProducerRecord<'a, T, V> {
        let Self { topic, value, partition, timestamp, headers, .. } = self;
        ProducerRecord { topic, key, value, partition, timestamp, headers }
    }

    /// The value.
    #[must_use]
    pub fn value<T: ?Sized>(self, value: &'a T) -> ProducerRecord<'a, K, T> {
        let Self { topic, key, partition, timestamp, headers, .. } = self;
        ProducerRecord { topic, key, value, partition, timestamp, headers }
    }

    /// The partition, past the partitioner.
    #[must_use]
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// The timestamp in milliseconds since 1970. Defaults to the time of `send()`.
    #[must_use]
    pub fn timestamp(mut self, millis: i64) -> Self {
        self.timestamp = Some(millis);
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, key: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push(key, value);
        self
    }

    /// Replaces the headers.
    #[must_use]
    pub fn headers(mut self, headers: Headers) -> Self {
        self.headers = headers;
        self
    }

    /// The topic it goes to.
    pub fn topic(&self) -> &str {
        self.topic
    }
}

//! What a consumer gives to the program.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::failure::RecordPart;
use crate::error::{Error, Result};
use crate::record::{self, TimestampType};
use crate::serializer::Deserializer;
use crate::types::{Header, Headers, OffsetAndMetadata, TopicPartition};

/// A record that was read.
///
/// It is owned and can go to any thread. By default key and value are slices of what the broker sent: keeping a
/// record keeps its whole batch in memory; copy the bytes (`to_vec`) to keep a few for long.
///
/// kafka-python's `checksum` has no counterpart, since records have had none of their own since Kafka 0.11; nor has
/// `serialized_header_size`: the headers are there to be counted.
#[derive(Clone)]
pub struct ConsumerRecord<K = Option<Bytes>, V = Option<Bytes>> {
    pub(super) batch: Arc<BatchInfo>,
    pub(super) offset: i64,
    pub(super) timestamp: i64,
    pub(super) key: K,
    pub(super) value: V,
    pub(super) headers: Option<Box<LazyHeaders>>,
    /// -1 for null.
    pub(super) key_size: i32,
    pub(super) value_size: i32,
}

/// What the records of a batch have in common.
#[derive(Debug)]
pub(super) struct BatchInfo {
    pub(super) tp: TopicPartition,
    pub(super) leader_epoch: i32,
    pub(super) timestamp_type: TimestampType,
}

/// Headers that are read when somebody looks at them.
#[derive(Clone)]
pub(super) struct LazyHeaders {
    block: Bytes,
    count: u32,
    parsed: OnceLock<Headers>,
}

impl LazyHeaders {
    pub(super) fn new(block: Bytes, count: u32) -> Self {
        Self { block, count, parsed: OnceLock::new() }
    }

    pub(super) fn get(&self) -> &Headers {
        self.parsed.get_or_init(|| {
            let value = |value: &[u8]| self.block.slice_ref(value);
            record::Headers::new(&self.block, self.count)
                .map(|header| Header::new(header.key_str(), header.value.map(value)))
                .collect()
        })
    }
}

impl LazyHeaders {
    fn get_mut(&mut self) -> &mut Headers {
        self.get();
        self.parsed.get_mut().expect("read by the line before")
    }
}

pub(super) static NO_HEADERS: Headers = Headers::new();

impl<K, V> ConsumerRecord<K, V> {
    /// The topic.
    #[inline]
    pub fn topic(&self) -> &str {
        self.batch.tp.topic()
    }

    /// The partition.
    #[inline]
    pub fn partition(&self) -> i32 {
        self.batch.tp.partition()
    }

    /// Topic and partition.
    #[inline]
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.batch.tp
    }

    /// The record's place in the partition.
    #[inline]
    pub fn offset(&self) -> i64 {
        self.offset
    }

    /// Milliseconds since 1970; -1 when there is none, as in topics of Kafka 0.9.
    #[inline]
    pub fn timestamp(&self) -> i64 {
        self.timestamp
    }

    /// Whose time the timestamp is: the producer's, or the broker's.
    pub fn timestamp_type(&self) -> TimestampType {
        self.batch.timestamp_type
    }

    /// The leader's epoch when the record was appended (KIP-320); `None` when unknown.
    pub fn leader_epoch(&self) -> Option<i32> {
        Some(self.batch.leader_epoch).filter(|epoch| *epoch >= 0)
    }

    /// The key.
    #[inline]
    pub fn key(&self) -> &K {
        &self.key
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> &V {
        &self.value
    }

    /// The headers. They are read on the first call; a record without any costs nothing.
    pub fn headers(&self) -> &Headers {
        self.headers.as_ref().map_or(&NO_HEADERS, |headers| headers.get())
    }

    /// The key, to be changed.
    pub fn key_mut(&mut self) -> &mut K {
        &mut self.key
    }

    /// The value, to be changed.
    pub fn value_mut(&mut self) -> &mut V {
        &mut self.value
    }

    /// The headers, to be changed.
    pub fn headers_mut(&mut self) -> &mut Headers {
        self.headers.get_or_insert_with(|| Box::new(LazyHeaders::new(Bytes::new(), 0))).get_mut()
    }

    /// The key's size in bytes; `None` for a null key.
    pub fn serialized_key_size(&self) -> Option<usize> {
        usize::try_from(self.key_size).ok()
    }

    /// The value's size in bytes; `None` for a null value.
    pub fn serialized_value_size(&self) -> Option<usize> {
        usize::try_from(self.value_size).ok()
    }

    /// What to commit once this record is worked on: the offset behind it, with its leader epoch.
    pub fn next_offset(&self) -> OffsetAndMetadata {
        OffsetAndMetadata {
            offset: self.offset.saturating_add(1),
            metadata: String::new(),
            leader_epoch: self.leader_epoch(),
        }
    }

    /// The value alone.
    pub fn into_value(self) -> V {
        self.value
    }

    /// Key and value.
    pub fn into_parts(self) -> (K, V) {
        (self.key, self.value)
    }
}

impl ConsumerRecord {
    /// The record with key and value as a program wants them.
    pub(super) fn deserialize<K: Deserializer, V: Deserializer>(
        self,
        key: &K,
        value: &V,
    ) -> Result<ConsumerRecord<K::Output, V::Output>, (RecordPart, Error)> {
        let size = |part: &Option<Bytes>| {
            part.as_ref().map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap_or(i32::MAX))
        };
        let (key_size, value_size) = (size(&self.key), size(&self.value));
        let (topic, headers) =
            (self.batch.tp.topic(), self.headers.as_ref().map_or(&NO_HEADERS, |all| all.get()));
        let key = key.deserialize(topic, headers, self.key).map_err(|error| (RecordPart::Key, error))?;
        let value =
            value.deserialize(topic, headers, self.value).map_err(|error| (RecordPart::Value, error))?;
        let Self { batch, offset, timestamp, headers, .. } = self;
        Ok(ConsumerRecord { batch, offset, timestamp, key, value, headers, key_size, value_size })
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for ConsumerRecord<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsumerRecord")
            .field("topic_partition", &self.batch.tp)
            .field("offset", &self.offset)
            .field("timestamp", &self.timestamp)
            .field("key", &self.key)
            .field("value", &self.value)
            .field("headers", self.headers())
            .finish()
    }
}

/// What one `poll()` returned: records, partition by partition, in the order of their offsets.
#[derive(Clone, Debug)]
pub struct ConsumerRecords<K = Option<Bytes>, V = Option<Bytes>> {
    records: Vec<ConsumerRecord<K, V>>,
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
struct Part {
    tp: TopicPartition,
    range: Range<usize>,
    next: OffsetAndMetadata,
}

impl<K, V> ConsumerRecords<K, V> {
    pub(super) fn new() -> Self {
        Self { records: Vec::new(), parts: Vec::new() }
    }

    pub(super) fn push(&mut self, record: ConsumerRecord<K, V>) {
        self.records.push(record);
    }

    /// Closes what was pushed since the last call.
    pub(super) fn end_part(&mut self, tp: &TopicPartition, position: i64, leader_epoch: Option<i32>) {
        let (start, end) = (self.parts.last().map_or(0, |part| part.range.end), self.records.len());
        if start == end {
            return;
        }
        let next = OffsetAndMetadata { offset: position, metadata: String::new(), leader_epoch };
        match self.parts.last_mut() {
            Some(part) if part.tp == *tp => (part.range.end, part.next) = (end, next),
            _ => self.parts.push(Part { tp: tp.clone(), range: start..end, next }),
        }
    }

    /// Whether a partition's records are here already, and others behind them.
    pub(super) fn is_closed_for(&self, tp: &TopicPartition) -> bool {
        self.parts.iter().rev().skip(1).any(|part| part.tp == *tp)
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// All records, partition by partition.
    pub fn iter(&self) -> std::slice::Iter<'_, ConsumerRecord<K, V>> {
        self.records.iter()
    }

    /// The partitions that have records here, each with its records.
    pub fn partitions(&self) -> impl Iterator<Item = (&TopicPartition, &[ConsumerRecord<K, V>])> {
        self.parts.iter().map(|part| (&part.tp, self.records.get(part.range.clone()).unwrap_or_default()))
    }

    /// The records of one partition.
    pub fn records(&self, partition: &TopicPartition) -> &[ConsumerRecord<K, V>] {
        self.partitions().find(|(tp, _)| *tp == partition).map(|(_, records)| records).unwrap_or_default()
    }

    /// For each partition with records here the offset behind them: what to commit once they are worked on.
    pub fn next_offsets(&self) -> impl Iterator<Item = (TopicPartition, OffsetAndMetadata)> {
        self.parts.iter().map(|part| (part.tp.clone(), part.next.clone()))
    }
}

impl<K, V> IntoIterator for ConsumerRecords<K, V> {
    type Item = ConsumerRecord<K, V>;
    type IntoIter = std::vec::IntoIter<ConsumerRecord<K, V>>;

    fn into_iter(self) -> Self::IntoIter {
        self.records.into_iter()
    }
}

impl<'a, K, V> IntoIterator for &'a ConsumerRecords<K, V> {
    type Item = &'a ConsumerRecord<K, V>;
    type IntoIter = std::slice::Iter<'a, ConsumerRecord<K, V>>;

    fn into_iter(self) -> Self::IntoIter {
        self.records.iter()
    }
}

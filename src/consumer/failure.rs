//! A record that a deserializer could not make anything of.

use std::error::Error as StdError;
use std::fmt;

use bytes::Bytes;

use super::record::ConsumerRecord;
use crate::error::Error;

/// Why a record could not be deserialized, and the record itself as it came, for a dead-letter topic or a log
/// (KIP-334, KIP-1036).
///
/// It is the source of an error of [`ErrorKind::Deserialization`](crate::ErrorKind::Deserialization). The
/// position stays at the record, so that nothing is skipped unseen: the next call returns the error again, until
/// the program seeks past it.
///
/// ```
/// use std::time::Duration;
/// use kavka::consumer::DeserializationFailure;
/// use kavka::serializer::Utf8;
/// use kavka::{ErrorKind, KafkaConsumer, TopicPartition};
///
/// # let cluster = kavka::mock::MockCluster::builder().topic("orders", 1).start()?;
/// # cluster.append("orders", 0, [("1", b"\xff".as_slice()), ("2", b"paid".as_slice())])?;
/// # let servers = cluster.bootstrap_servers();
/// let mut consumer =
///     KafkaConsumer::builder().bootstrap_servers(servers).value_deserializer(Utf8).build()?;
/// consumer.assign([TopicPartition::new("orders", 0)])?;
/// consumer.seek(&TopicPartition::new("orders", 0), 0)?;
/// let records = loop {
///     match consumer.poll(Duration::from_secs(10)) {
///         Ok(records) => break records,
///         Err(error) => match DeserializationFailure::of(&error) {
///             Some(failure) => {
///                 let bad = failure.record();
///                 eprintln!("skipped: {error}: {:?}", bad.value());
///                 consumer.seek(bad.topic_partition(), bad.next_offset())?;
///             }
///             None => return Err(error),
///         },
///     }
/// };
/// assert_eq!(records.iter().next().map(|record| record.offset()), Some(1));
/// # Ok::<(), kavka::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct DeserializationFailure {
    record: ConsumerRecord<Option<Bytes>, Option<Bytes>>,
    part: RecordPart,
    cause: Error,
}

/// A part of a record that has a deserializer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordPart {
    /// The key.
    Key,
    /// The value.
    Value,
}

impl fmt::Display for RecordPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "key",
            Self::Value => "value",
        })
    }
}

impl DeserializationFailure {
    pub(super) fn new(record: ConsumerRecord, part: RecordPart, cause: Error) -> Self {
        Self { record, part, cause }
    }

    /// The failure behind an error, if there is one.
    pub fn of(error: &Error) -> Option<&Self> {
        error.source()?.downcast_ref()
    }

    /// The record, with key and value as they came.
    pub fn record(&self) -> &ConsumerRecord {
        &self.record
    }

    /// Whether it was the key or the value.
    pub fn part(&self) -> RecordPart {
        self.part
    }

    /// What the deserializer said.
    pub fn cause(&self) -> &Error {
        &self.cause
    }
}

impl fmt::Display for DeserializationFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.cause, f)
    }
}

impl StdError for DeserializationFailure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.cause)
    }
}

//! Small values that all layers share: partitions, offsets, nodes, headers.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

pub use crate::config::IsolationLevel;
use crate::{Error, ErrorKind, Result};

/// A partition of a topic. Cloning is one reference count.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    topic: Arc<str>,
    partition: i32,
}

impl TopicPartition {
    /// The partition of this number; the first one is 0.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }

    /// The topic's name.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The topic's name, to keep without a copy.
    pub fn shared_topic(&self) -> Arc<str> {
        Arc::clone(&self.topic)
    }

    /// The partition's number.
    pub fn partition(&self) -> i32 {
        self.partition
    }
}

impl<T: Into<Arc<str>>> From<(T, i32)> for TopicPartition {
    fn from((topic, partition): (T, i32)) -> Self {
        Self::new(topic, partition)
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

impl fmt::Debug for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is committed for a partition: the offset of the next record to read, and a note of the program.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OffsetAndMetadata {
    /// The offset of the next record to read: one more than that of the last record that was worked on.
    pub offset: i64,
    /// Any text. Brokers keep up to 4096 bytes, unless they are set up otherwise.
    pub metadata: String,
    /// The leader epoch of the last record that was worked on, if it is known (KIP-320).
    pub leader_epoch: Option<i32>,
}

impl OffsetAndMetadata {
    /// An offset without a note.
    pub fn new(offset: i64) -> Self {
        Self { offset, metadata: String::new(), leader_epoch: None }
    }

    /// Adds a note.
    #[must_use]
    pub fn with_metadata(mut self, metadata: impl Into<String>) -> Self {
        self.metadata = metadata.into();
        self
    }

    /// Adds the leader epoch.
    #[must_use]
    pub fn with_leader_epoch(mut self, leader_epoch: i32) -> Self {
        self.leader_epoch = Some(leader_epoch);
        self
    }
}

impl From<i64> for OffsetAndMetadata {
    fn from(offset: i64) -> Self {
        Self::new(offset)
    }
}

/// A record's place that was found by its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OffsetAndTimestamp {
    /// The record's offset.
    pub offset: i64,
    /// The record's timestamp in milliseconds since 1970.
    pub timestamp: i64,
    /// The leader epoch that the record was written in, if it is known.
    pub leader_epoch: Option<i32>,
}

/// Which offset of a partition to look up.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OffsetSpec {
    /// The one behind the newest record.
    Latest,
    /// That of the oldest record.
    Earliest,
    /// That of the record with the greatest timestamp (KIP-734).
    MaxTimestamp,
    /// That of the oldest record on the broker's own disk, with tiered storage (KIP-405).
    EarliestLocal,
    /// That of the newest record in the remote tier, with tiered storage (KIP-1005).
    LatestTiered,
    /// That of the oldest record that is yet to be copied to the remote tier (KIP-1023).
    EarliestPendingUpload,
    /// That of the first record that is not older than this, in milliseconds since 1970.
    Timestamp(i64),
}

impl OffsetSpec {
    /// The timestamp field of a ListOffsets request.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] for a negative timestamp: those numbers stand for the other values.
    pub fn code(self) -> Result<i64> {
        match self {
            Self::Latest => Ok(-1),
            Self::Earliest => Ok(-2),
            Self::MaxTimestamp => Ok(-3),
            Self::EarliestLocal => Ok(-4),
            Self::LatestTiered => Ok(-5),
            Self::EarliestPendingUpload => Ok(-6),
            Self::Timestamp(time) if time >= 0 => Ok(time),
            Self::Timestamp(time) => Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("the timestamp {time} is negative; offsets are looked up by milliseconds since 1970"),
            )),
        }
    }

    /// The oldest version of ListOffsets that knows this value.
    pub const fn min_version(self) -> i16 {
        match self {
            Self::Latest | Self::Earliest => 0,
            // Version 0 answers with the offsets of segments, not of a record.
            Self::Timestamp(_) => 1,
            Self::MaxTimestamp => 7,
            Self::EarliestLocal => 8,
            Self::LatestTiered => 9,
            Self::EarliestPendingUpload => 11,
        }
    }
}

/// One header of a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// The name. Several headers of a record may have the same one.
    pub key: String,
    /// The value; `None` for null.
    pub value: Option<Bytes>,
}

impl Header {
    /// A header of this name and value.
    pub fn new(key: impl Into<String>, value: Option<Bytes>) -> Self {
        Self { key: key.into(), value }
    }
}

/// The headers of a record, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Headers(Vec<Header>);

impl Headers {
    /// No headers. Takes no memory.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a header with a copy of the value. [`push_header`](Headers::push_header) takes [`Bytes`] as they are,
    /// and null.
    pub fn push(&mut self, key: impl Into<String>, value: impl AsRef<[u8]>) {
        self.push_header(Header::new(key, Some(Bytes::copy_from_slice(value.as_ref()))));
    }

    /// Adds a header.
    pub fn push_header(&mut self, header: Header) {
        self.0.push(header);
    }

    /// The last header of this name, which is the one that counts where only one is expected.
    pub fn get(&self, key: &str) -> Option<&Header> {
        self.0.iter().rev().find(|header| header.key == key)
    }

    /// All headers, in their order.
    pub fn iter(&self) -> std::slice::Iter<'_, Header> {
        self.0.iter()
    }

    /// All headers, in their order.
    pub fn as_slice(&self) -> &[Header] {
        &self.0
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a Headers {
    type Item = &'a Header;
    type IntoIter = std::slice::Iter<'a, Header>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl IntoIterator for Headers {
    type Item = Header;
    type IntoIter = std::vec::IntoIter<Header>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<Header> for Headers {
    fn from_iter<I: IntoIterator<Item = Header>>(headers: I) -> Self {
        Self(headers.into_iter().collect())
    }
}

impl<K: Into<String>, V: AsRef<[u8]>> FromIterator<(K, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(headers: I) -> Self {
        let mut all = Self::new();
        all.extend(headers);
        all
    }
}

impl Extend<Header> for Headers {
    fn extend<I: IntoIterator<Item = Header>>(&mut self, headers: I) {
        self.0.extend(headers);
    }
}

impl<K: Into<String>, V: AsRef<[u8]>> Extend<(K, V)> for Headers {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, headers: I) {
        for (key, value) in headers {
            self.push(key, value);
        }
    }
}

/// Who commits offsets for a group; brokers turn down those that the group has moved past (KIP-447).
///
/// kafka-python's also has the member's state: see [`KafkaConsumer::status`](crate::KafkaConsumer::status).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConsumerGroupMetadata {
    /// The group.
    pub group_id: String,
    /// The generation that the member joined; -1 outside of the group protocol.
    pub generation_id: i32,
    /// The member's id, given by the broker; empty outside of the group protocol.
    pub member_id: String,
    /// The static id (KIP-345), if any.
    pub group_instance_id: Option<String>,
}

impl ConsumerGroupMetadata {
    /// The group alone, without a member.
    pub fn new(group_id: impl Into<String>) -> Self {
        Self {
            group_id: group_id.into(),
            generation_id: -1,
            member_id: String::new(),
            group_instance_id: None,
        }
    }
}

/// A broker, as the cluster tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// The number of the broker.
    pub id: i32,
    /// The host name or address that it is reached at.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// The rack that it is in, if it says.
    pub rack: Option<String>,
}

impl Node {
    /// A broker as an answer has it, unless its address cannot be one.
    pub(crate) fn from_answer(id: i32, host: &str, port: i32, rack: Option<&str>) -> Option<Self> {
        let port = u16::try_from(port).ok().filter(|&port| port > 0 && id >= 0 && !host.is_empty())?;
        Some(Self { id, host: host.to_owned(), port, rack: rack.map(str::to_owned) })
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}:{})", self.id, self.host, self.port)
    }
}

/// Checks a topic's name by the rules of brokers: 1 to 249 letters, digits, `.`, `_` and `-`, and neither `.` nor
/// `..`.
///
/// # Errors
///
/// [`ErrorKind::InvalidArgument`], with what is wrong with the name.
pub fn check_topic_name(name: &str) -> Result<()> {
    match fault_of_name(name) {
        None => Ok(()),
        Some(fault) => {
            // The name may be anything, of any length: quoted and cut, the text stays readable.
            let mut shown: String = name.chars().take(60).collect();
            if shown.len() < name.len() {
                shown.push('…');
            }
            Err(Error::new(ErrorKind::InvalidArgument, format!("the topic name {shown:?} {fault}")))
        }
    }
}

/// What is wrong with the name of a topic or of a static member.
pub(crate) fn fault_of_name(name: &str) -> Option<String> {
    let fine = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() {
        Some("is empty".to_owned())
    } else if name == "." || name == ".." {
        Some("is not allowed: it would name a directory".to_owned())
    } else if let Some(bad) = name.chars().find(|c| !fine(c)) {
        Some(format!("has the character {bad:?}; only ASCII letters, digits, '.', '_' and '-' are allowed"))
    } else if name.len() > MAX_NAME {
        Some(format!("has {} characters; at most {MAX_NAME} are allowed", name.len()))
    } else {
        None
    }
}

/// Brokers name directories after topics and partitions; this leaves room for the rest.
const MAX_NAME: usize = 249;

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use super::*;

    #[test]
    fn topic_partitions_are_keys() {
        let partition = TopicPartition::new("orders", 3);
        assert_eq!(partition.to_string(), "orders-3");
        assert_eq!(format!("{partition:?}"), "orders-3");
        assert_eq!((partition.topic(), partition.partition()), ("orders", 3));
        assert_eq!(partition, TopicPartition::from((String::from("orders"), 3)));
        assert_eq!(&*partition.shared_topic(), "orders");

        let all = [("b", 0), ("a", 10), ("a", 2), ("a", 2)].map(TopicPartition::from);
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 3);
        let sorted: Vec<String> = BTreeSet::from(all).iter().map(ToString::to_string).collect();
        assert_eq!(sorted, ["a-2", "a-10", "b-0"], "partitions are sorted as numbers");
    }

    #[test]
    fn offsets_become_commits() {
        let plain: OffsetAndMetadata = 42.into();
        assert_eq!((plain.offset, plain.metadata.as_str(), plain.leader_epoch), (42, "", None));
        let full = OffsetAndMetadata::new(7).with_metadata("note").with_leader_epoch(3);
        assert_eq!((full.offset, full.metadata.as_str(), full.leader_epoch), (7, "note", Some(3)));
    }

    #[test]
    fn offset_specs_have_their_wire_numbers() {
        let table = [
            (OffsetSpec::Latest, -1, 0),
            (OffsetSpec::Earliest, -2, 0),
            (OffsetSpec::MaxTimestamp, -3, 7),
            (OffsetSpec::EarliestLocal, -4, 8),
            (OffsetSpec::LatestTiered, -5, 9),
            (OffsetSpec::EarliestPendingUpload, -6, 11),
            (OffsetSpec::Timestamp(0), 0, 1),
            (OffsetSpec::Timestamp(1_700_000_000_000), 1_700_000_000_000, 1),
        ];
        for (spec, code, version) in table {
            assert_eq!(spec.code().expect("a valid value"), code, "{spec:?}");
            assert_eq!(spec.min_version(), version, "{spec:?}");
        }
        let error = OffsetSpec::Timestamp(-1).code().expect_err("negative");
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains("-1"), "{error}");
    }

    #[test]
    fn the_last_header_of_a_name_counts() {
        let mut headers: Headers = [("trace", "1"), ("kind", "a")].into_iter().collect();
        headers.push("trace", [2]);
        headers.push_header(Header::new("gone", None));
        assert_eq!(headers.len(), 4);
        assert_eq!(headers.get("trace").and_then(|header| header.value.as_deref()), Some(&[2][..]));
        assert_eq!(headers.get("gone"), Some(&Header::new("gone", None)));
        assert_eq!(headers.get("Trace"), None);
        let keys: Vec<&str> = headers.iter().map(|header| header.key.as_str()).collect();
        assert_eq!(keys, ["trace", "kind", "trace", "gone"]);
        assert!(Headers::new().is_empty());
    }

    #[test]
    fn topic_names_are_held_to_the_brokers_rules() {
        let longest = "x".repeat(249);
        for fine in ["a", "orders", "A.b_c-9", "...", "__consumer_offsets", &longest] {
            check_topic_name(fine).unwrap_or_else(|error| panic!("{fine}: {error}"));
        }
        let too_long = "x".repeat(250);
        let table = [
            ("", "is empty"),
            (".", "directory"),
            ("..", "directory"),
            ("a b", "' '"),
            ("a/b", "'/'"),
            ("zamówienia", "'ó'"),
            ("a\n", "'\\n'"),
            (&too_long, "250 characters"),
        ];
        for (name, text) in table {
            let error = check_topic_name(name).expect_err(name);
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.to_string().contains(text), "{error}");
            assert!(error.to_string().len() < 250, "{error}");
        }
    }
}

//! The choice of a record's partition.
//!
//! A record with a key goes where Kafka's own producer would put it, so that programs in all languages agree. A
//! record without one goes to the partition of the moment: the producer stays with one until it has given it
//! `batch.size` bytes, and then takes another by chance, those with the shorter queue more often (KIP-480, KIP-794).
//! So each partition gets as much as any other while all brokers keep up, and a slow broker's get less.
//!
//! Other choices are made by the option `partitioner.class`, by name, or by a [`Partitioner`] given to the builder:
//!
//! | `partitioner.class` | records with a key | records without |
//! |---|---|---|
//! | `default` | Java's murmur2 | the producer's choice |
//! | `uniform_sticky` | the producer's choice | the producer's choice |
//! | `round_robin` | each partition in turn (KIP-369) | each partition in turn |
//! | `consistent_random`, librdkafka's default | CRC-32 | the producer's choice, for empty keys, too |
//! | `consistent` | CRC-32 | as the empty key: all in one partition |
//! | `murmur2_random` | as `default`; the empty key is a key | the producer's choice |
//! | `murmur2` | as `default` | as the empty key |
//! | `fnv1a_random`, `fnv1a` | FNV-1a, as in librdkafka and Sarama | the producer's choice; as the empty key |
//! | `random` | the producer's choice | the producer's choice |
//!
//! Java's class names are understood, too.

mod choice;
mod hash;
mod round_robin;

pub use hash::HashPartitioner;
pub use round_robin::RoundRobinPartitioner;

pub(super) use choice::choose_by_load;

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::cluster::{ClusterMetadata, PartitionMetadata, TopicMetadata};
use crate::config::PartitionerClass;

/// What a partitioner knows of a record. Key and value are the serialized ones; `None` is null.
#[derive(Clone, Copy, Debug)]
pub struct PartitionInput<'a> {
    /// The topic that the record is for.
    pub topic: &'a str,
    /// The serialized key.
    pub key: Option<&'a [u8]>,
    /// The serialized value.
    pub value: Option<&'a [u8]>,
}

/// What a partitioner knows of a topic.
#[derive(Clone, Copy, Debug)]
pub struct PartitionView<'a> {
    partitions: i32,
    leaders: Leaders<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Leaders<'a> {
    Known(&'a KnownLeaders<'a>),
    Listed(&'a [i32]),
}

/// What is known of a topic's partitions, looked up when a partitioner asks for it: most do not.
pub(super) struct KnownLeaders<'a> {
    view: &'a ClusterMetadata,
    topic: &'a str,
    found: OnceLock<Option<Arc<TopicMetadata>>>,
}

impl<'a> KnownLeaders<'a> {
    pub(super) fn new(view: &'a ClusterMetadata, topic: &'a str) -> Self {
        Self { view, topic, found: OnceLock::new() }
    }

    fn partitions(&self) -> &[PartitionMetadata] {
        let found = self.found.get_or_init(|| self.view.with(|view| view.topic(self.topic).cloned()));
        found.as_ref().map_or(&[], |topic| &topic.partitions)
    }
}

impl fmt::Debug for KnownLeaders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.partitions().iter().map(|partition| partition.leader)).finish()
    }
}

impl<'a> PartitionView<'a> {
    /// A topic of so many partitions, of which these have a leader; for tests of partitioners.
    pub fn new(partitions: i32, available: &'a [i32]) -> Self {
        Self { partitions, leaders: Leaders::Listed(available) }
    }

    pub(super) fn of(partitions: i32, known: &'a KnownLeaders<'a>) -> Self {
        Self { partitions, leaders: Leaders::Known(known) }
    }

    /// How many partitions the topic has; they are numbered from 0.
    pub fn partitions(&self) -> i32 {
        self.partitions
    }

    /// Whether a partition has a leader at present.
    pub fn is_available(&self, partition: i32) -> bool {
        match self.leaders {
            Leaders::Listed(list) => list.contains(&partition),
            Leaders::Known(known) => usize::try_from(partition)
                .is_ok_and(|index| known.partitions().get(index).is_some_and(|known| known.leader.is_some())),
        }
    }

    /// The partitions that have a leader at present, in ascending order.
    pub fn available(self) -> impl Iterator<Item = i32> + use<'a> {
        (0..self.partitions).filter(move |partition| self.is_available(*partition))
    }
}

/// Chooses the partition of records that were not given one.
///
/// It runs in `send()`, on the thread that calls it, and often: keep it short. A panic in it is an error of that
/// `send()`. A closure of the same arguments as [`partition`](Self::partition) is a partitioner too.
pub trait Partitioner: Send + Sync {
    /// The partition of a record, or `None` to let the producer choose. A number that the topic does not have is an
    /// error of `send()`.
    fn partition(&self, record: &PartitionInput<'_>, topic: &PartitionView<'_>) -> Option<i32>;

    /// Called when the chosen partition has no open batch with room for the record, so that a partitioner that stays
    /// with a partition for the length of a batch can move on. Returns the partition to take; by default the one that
    /// was chosen.
    fn on_new_batch(&self, record: &PartitionInput<'_>, topic: &PartitionView<'_>, chosen: i32) -> i32 {
        let _ = (record, topic);
        chosen
    }
}

/// The partitioner that the option `partitioner.class` names; `None` for the producer's own choice.
pub(super) fn named(class: PartitionerClass) -> Option<Box<dyn Partitioner>> {
    Some(match class {
        PartitionerClass::Default | PartitionerClass::UniformSticky => return None,
        PartitionerClass::RoundRobin => Box::new(RoundRobinPartitioner::new()),
        PartitionerClass::Random => Box::new(HashPartitioner::random()),
        PartitionerClass::Consistent => Box::new(HashPartitioner::consistent()),
        PartitionerClass::ConsistentRandom => Box::new(HashPartitioner::consistent_random()),
        PartitionerClass::Murmur2 => Box::new(HashPartitioner::murmur2()),
        PartitionerClass::Murmur2Random => Box::new(HashPartitioner::murmur2_random()),
        PartitionerClass::Fnv1a => Box::new(HashPartitioner::fnv1a()),
        PartitionerClass::Fnv1aRandom => Box::new(HashPartitioner::fnv1a_random()),
    })
}

impl<F> Partitioner for F
where
    F: Fn(&PartitionInput<'_>, &PartitionView<'_>) -> Option<i32> + Send + Sync,
{
    #[inline]
    fn partition(&self, record: &PartitionInput<'_>, topic: &PartitionView<'_>) -> Option<i32> {
        self(record, topic)
    }
}

/// Records with a key by the key's hash, records without one wherever the producer likes.
///
/// An empty key is a key. The hash counts all partitions, with or without a leader: a key's partition depends on
/// nothing but the key and the number of partitions.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultPartitioner;

impl Partitioner for DefaultPartitioner {
    #[inline]
    fn partition(&self, record: &PartitionInput<'_>, topic: &PartitionView<'_>) -> Option<i32> {
        record.key.map(|key| partition_for_key(key, topic.partitions()))
    }
}

/// The partition that Kafka's own producer gives to a key, of a topic with this many partitions. With less than
/// one partition it is 0.
#[inline]
pub fn partition_for_key(key: &[u8], partitions: i32) -> i32 {
    (murmur2(key) & 0x7fff_ffff) % partitions.max(1)
}

/// The hash that Kafka takes of keys: 32-bit MurmurHash2 with Kafka's seed.
#[inline]
pub fn murmur2(data: &[u8]) -> i32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;

    // Java's length is an int; longer keys do not exist in Kafka.
    let mut hash = SEED ^ (data.len() as u32);
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = word.iter().rev().fold(0, |k, &byte| (k << 8) | u32::from(byte));
        k = k.wrapping_mul(M);
        k ^= k >> R;
        k = k.wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        hash ^= rest.iter().rev().fold(0, |k, &byte| (k << 8) | u32::from(byte));
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^= hash >> 15;
    hash as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error_code::ErrorCode;
    use crate::protocol::Uuid;

    fn record<'a>(topic: &'a str, key: Option<&'a [u8]>) -> PartitionInput<'a> {
        PartitionInput { topic, key, value: None }
    }

    /// Key, hash, partition of 6, partition of 17: printed by Kafka's own classes (4.3.1).
    #[test]
    fn keys_go_where_kafka_puts_them() {
        let long: Vec<u8> = (0..1024u32).map(|i| (i * 7 + 3) as u8).collect();
        let table: [(&[u8], i32, i32, i32); 18] = [
            (b"", 275646681, 3, 11),
            (b"a", -1563381124, 4, 0),
            (b"ab", 316155434, 2, 8),
            (b"abc", 479470107, 3, 16),
            (b"abcd", -1323649548, 2, 7),
            (b"abcde", 461995741, 1, 1),
            (b"abcdef", 1870650108, 0, 11),
            (b"abcdefg", -346467175, 1, 8),
            (b"abcdefgh", -955427363, 3, 16),
            ("żółć".as_bytes(), 475252577, 5, 16),
            ("ключ".as_bytes(), 2122343024, 2, 5),
            ("键".as_bytes(), -1325745572, 0, 15),
            ("🦀".as_bytes(), 1309741855, 1, 9),
            (b"order-4711", 1584983611, 1, 1),
            (&long, 488217806, 2, 8),
            (&[0xff, 0xfe, 0x80], -160726397, 3, 10),
            (&[0], 375494588, 2, 16),
            (&[0xff; 7], -71293549, 1, 6),
        ];
        for (key, hash, of_six, of_seventeen) in table {
            assert_eq!(murmur2(key), hash, "{key:?}");
            assert_eq!(partition_for_key(key, 6), of_six, "{key:?}");
            assert_eq!(partition_for_key(key, 17), of_seventeen, "{key:?}");
        }
        assert_eq!((partition_for_key(b"a", 0), partition_for_key(b"a", -1)), (0, 0));
    }

    #[test]
    fn only_records_with_a_key_have_their_place() {
        let topic = PartitionView::new(6, &[0]);
        assert_eq!(DefaultPartitioner.partition(&record("t", Some(b"ab")), &topic), Some(2), "leader or not");
        assert_eq!(DefaultPartitioner.partition(&record("t", Some(b"")), &topic), Some(3), "empty is a key");
        assert_eq!(DefaultPartitioner.partition(&record("t", None), &topic), None);
    }

    #[test]
    fn a_view_tells_who_has_a_leader() {
        let led = |leader| PartitionMetadata { leader, ..PartitionMetadata::default() };
        let topic = TopicMetadata {
            name: "t".into(),
            id: Uuid::ZERO,
            is_internal: false,
            error: ErrorCode::NONE,
            partitions: vec![led(Some(1)), led(None), led(Some(2))],
        };
        let view = ClusterMetadata::default();
        let found = OnceLock::from(Some(Arc::new(topic)));
        let known = KnownLeaders { view: &view, topic: "t", found };
        for view in [PartitionView::of(4, &known), PartitionView::new(4, &[0, 2])] {
            assert_eq!(view.available().collect::<Vec<_>>(), [0, 2]);
            assert!(!view.is_available(1) && !view.is_available(3) && !view.is_available(-1));
        }
    }

    #[test]
    fn a_closure_is_a_partitioner() {
        let last: Box<dyn Partitioner> =
            Box::new(|_: &PartitionInput<'_>, topic: &PartitionView<'_>| Some(topic.partitions() - 1));
        let topic = PartitionView::new(4, &[]);
        assert_eq!(last.partition(&record("t", None), &topic), Some(3));
        assert_eq!(last.on_new_batch(&record("t", None), &topic, 2), 2);
    }
}

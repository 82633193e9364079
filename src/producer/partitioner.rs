//! The choice of a record's partition.
//!
//! A record with a key goes where Kafka's own producer would put it, so that programs in all languages agree. A
//! record without one goes wherever the batch of the moment is (the "sticky" choice of KIP-480 and KIP-794), unless
//! the partitioner says otherwise.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::RwLock;

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
    /// How many partitions the topic has; they are numbered from 0.
    pub partitions: i32,
    /// Those that have a leader at present, in ascending order.
    pub available: &'a [i32],
}

/// Chooses the partition of records that were not given one.
///
/// It runs in `send()`, on the thread that calls it, and often: keep it short. A closure of the same arguments is a
/// partitioner too.
pub trait Partitioner: Send + Sync {
    /// The partition of a record, or `None` to let the producer choose. A number that the topic does not have is an
    /// error of `send()`.
    fn partition(&self, record: &PartitionInput<'_>, topic: &PartitionView<'_>) -> Option<i32>;

    /// Called when a record without a chosen partition begins a new batch, with the partition of the batch before.
    fn on_new_batch(&self, topic: &str, previous: i32) {
        let _ = (topic, previous);
    }
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
        record.key.map(|key| partition_for_key(key, topic.partitions))
    }
}

/// One partition after the other, whatever the key: evenly spread records, in batches that are smaller.
///
/// Each topic has a turn of its own. Partitions without a leader are passed over, if any has one.
#[derive(Debug, Default)]
pub struct RoundRobinPartitioner {
    turns: RwLock<HashMap<String, AtomicU32>>,
}

impl RoundRobinPartitioner {
    /// Begins with the first partition of each topic.
    pub fn new() -> Self {
        Self::default()
    }

    fn turn(&self, topic: &str) -> u32 {
        // The common case takes no allocation: every topic but a new one is in the map.
        if let Some(turn) = self.turns.read().get(topic) {
            return turn.fetch_add(1, Ordering::Relaxed);
        }
        self.turns.write().entry(topic.to_owned()).or_default().fetch_add(1, Ordering::Relaxed)
    }
}

impl Partitioner for RoundRobinPartitioner {
    fn partition(&self, record: &PartitionInput<'_>, topic: &PartitionView<'_>) -> Option<i32> {
        let turn = self.turn(record.topic);
        match u32::try_from(topic.available.len()) {
            Ok(count @ 1..) => topic.available.get((turn % count) as usize).copied(),
            _ => {
                let count = u32::try_from(topic.partitions).ok()?;
                turn.checked_rem(count).and_then(|index| i32::try_from(index).ok())
            }
        }
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
        let topic = PartitionView { partitions: 6, available: &[0] };
        assert_eq!(DefaultPartitioner.partition(&record("t", Some(b"ab")), &topic), Some(2), "leader or not");
        assert_eq!(DefaultPartitioner.partition(&record("t", Some(b"")), &topic), Some(3), "empty is a key");
        assert_eq!(DefaultPartitioner.partition(&record("t", None), &topic), None);
    }

    #[test]
    fn round_robin_takes_turns_in_each_topic() {
        let partitioner = RoundRobinPartitioner::new();
        let all = PartitionView { partitions: 3, available: &[0, 1, 2] };
        let next = |topic, view: &PartitionView<'_>| partitioner.partition(&record(topic, Some(b"k")), view);
        for expected in [0, 1, 2, 0, 1] {
            // Two topics in alternation must not take each other's turns.
            assert_eq!(next("a", &all), Some(expected));
            assert_eq!(next("b", &all), Some(expected));
        }
        let some = PartitionView { partitions: 3, available: &[0, 2] };
        assert_eq!([next("c", &some), next("c", &some), next("c", &some)], [Some(0), Some(2), Some(0)]);
        let none = PartitionView { partitions: 2, available: &[] };
        assert_eq!([next("d", &none), next("d", &none), next("d", &none)], [Some(0), Some(1), Some(0)]);
        assert_eq!(next("e", &PartitionView { partitions: 0, available: &[] }), None);
    }

    #[test]
    fn a_closure_is_a_partitioner() {
        let last: Box<dyn Partitioner> =
            Box::new(|_: &PartitionInput<'_>, topic: &PartitionView<'_>| Some(topic.partitions - 1));
        let topic = PartitionView { partitions: 4, available: &[] };
        assert_eq!(last.partition(&record("t", None), &topic), Some(3));
        last.on_new_batch("t", 3);
    }
}

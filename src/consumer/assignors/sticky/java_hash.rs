//! The order in which Java's hash maps and sets go through what they hold.
//!
//! Java's sticky assignor serves members in the order of a hash map of their ids, and moves whichever partition a
//! hash set has first. To come to the same assignment, one has to know those orders.

use crate::types::TopicPartition;

fn hash_of(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

fn hash_of_partition(tp: &TopicPartition) -> i32 {
    let hash = 31_i32.wrapping_add(tp.partition());
    hash.wrapping_mul(31).wrapping_add(hash_of(tp.topic()))
}

/// A table of this many places has the hash in this one of them.
fn bucket(hash: i32, capacity: u32) -> u32 {
    let hash = hash as u32;
    (hash ^ (hash >> 16)) & (capacity - 1)
}

/// The size of a table that has held this many at most.
fn capacity(most: usize) -> u32 {
    let mut capacity = 16_u32;
    while most > capacity as usize / 4 * 3 && capacity < 1 << 30 {
        capacity *= 2;
    }
    capacity
}

/// The places of the keys, which were put into a map in this order, as the map goes through them.
pub(super) fn order<'a>(keys: impl ExactSizeIterator<Item = &'a str>) -> Vec<usize> {
    let capacity = capacity(keys.len());
    let mut places: Vec<(u32, usize)> =
        keys.enumerate().map(|(place, key)| (bucket(hash_of(key), capacity), place)).collect();
    places.sort_unstable();
    places.into_iter().map(|(_, place)| place).collect()
}

/// A set of partitions that knows which one comes first.
#[derive(Debug, Default)]
pub(super) struct HashSet {
    /// In the order in which they were added: hash and partition.
    items: Vec<(i32, usize)>,
    most: usize,
}

impl HashSet {
    pub(super) fn insert(&mut self, partition: usize, tp: &TopicPartition) {
        self.items.push((hash_of_partition(tp), partition));
        self.most = self.most.max(self.items.len());
    }

    pub(super) fn remove(&mut self, partition: usize) {
        self.items.retain(|(_, other)| *other != partition);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn first(&self) -> Option<usize> {
        let capacity = capacity(self.most);
        self.items.iter().min_by_key(|(hash, _)| bucket(*hash, capacity)).map(|(_, partition)| *partition)
    }
}

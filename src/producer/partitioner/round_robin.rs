//! Partitions in turn.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::RwLock;

use super::{PartitionInput, PartitionView, Partitioner};

/// One partition after the other, whatever the key: evenly spread records, in batches that are smaller
/// (KIP-369).
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
        let count = u32::try_from(topic.partitions()).ok().filter(|count| *count > 0)?;
        let mut first = None;
        // A turn that meets no leader passes, so that the next partition does not get two in a row.
        for _ in 0..count {
            let partition = i32::try_from(self.turn(record.topic) % count).ok()?;
            if topic.is_available(partition) {
                return Some(partition);
            }
            first.get_or_insert(partition);
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_taken_in_each_topic() {
        let partitioner = RoundRobinPartitioner::new();
        let next = |topic, view: &PartitionView<'_>| {
            partitioner.partition(&PartitionInput { topic, key: Some(b"k"), value: None }, view)
        };
        let all = PartitionView::new(3, &[0, 1, 2]);
        for expected in [0, 1, 2, 0, 1] {
            // Two topics in alternation must not take each other's turns.
            assert_eq!(next("a", &all), Some(expected));
            assert_eq!(next("b", &all), Some(expected));
        }
        let some = PartitionView::new(4, &[0, 2, 3]);
        let turns: Vec<_> = (0..6).filter_map(|_| next("c", &some)).collect();
        assert_eq!(turns, [0, 2, 3, 0, 2, 3]);
        let none = PartitionView::new(2, &[]);
        assert!(next("d", &none).is_some_and(|partition| partition < 2));
        assert_eq!(next("e", &PartitionView::new(0, &[])), None);
    }
}

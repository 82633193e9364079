//! Where records without a key go: the partition of the moment, and the choice of the next one (KIP-480, KIP-794).

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Accumulator, PartitionQueue, TopicQueues};
use crate::cluster::PartitionMetadata;
use crate::producer::partitioner::choose_by_load;

/// How the partition of keyless records is chosen.
#[derive(Clone, Copy)]
pub(in crate::producer) struct Choice {
    /// Those with a short queue more often.
    pub(in crate::producer) by_load: bool,
    /// Partitions of nodes that are stuck for longer are passed over; zero passes over none.
    pub(in crate::producer) patience: Duration,
}

impl Accumulator {
    /// The partition for a record without a key. The choice is kept until a batch there is full or gone.
    #[inline]
    pub(in crate::producer) fn sticky(&self, topic: &TopicQueues) -> usize {
        topic.sticky.load(Ordering::Relaxed) as usize
    }

    /// Where a keyless record goes for which a batch has to be opened: to `from` until that has got the bytes of a
    /// full batch, then to a partition that is chosen anew, unless somebody else has already (KIP-794). However many
    /// small batches that takes: else a broker that is slow, so that its batches fill up, would get more than others.
    pub(in crate::producer) fn move_sticky(
        &self,
        topic: &TopicQueues,
        from: usize,
        partitions: &[PartitionMetadata],
    ) -> usize {
        let is_led = |index: usize| partitions.get(index).is_some_and(|partition| partition.leader.is_some());
        if let Some(queue) = topic.partitions().get(from) {
            let mut state = queue.state.lock();
            if state.sticky_bytes < self.batch_size && is_led(from) {
                return from;
            }
            state.sticky_bytes = 0;
            if let Ok((number, open)) = self.take_open(&mut state) {
                drop(state);
                self.seal(queue, number, open);
            }
        }
        let next = self.choose_sticky(topic, partitions).unwrap_or(from as u32);
        match topic.sticky.compare_exchange(from as u32, next, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => next as usize,
            Err(moved) => moved as usize,
        }
    }

    /// A partition with a leader, or any where none has one.
    fn choose_sticky(&self, topic: &TopicQueues, partitions: &[PartitionMetadata]) -> Option<u32> {
        let late = self.stuck_nodes();
        let load = |queue: &PartitionQueue| {
            if self.choice.by_load { queue.load.load(Ordering::Relaxed) } else { 0 }
        };
        let all = || (0..).zip(topic.partitions()).map(|(index, queue)| (index, load(queue)));
        let led = |index: u32| partitions.get(index as usize).and_then(|partition| partition.leader);
        let with_leader = |late: &[i32]| {
            let is_fine = |leader: i32| !late.contains(&leader);
            all().filter(|(index, _)| led(*index).is_some_and(is_fine)).collect::<Vec<_>>()
        };
        let random = |below| fastrand::u64(..below);
        choose_by_load(&with_leader(&late), random)
            .or_else(|| choose_by_load(&with_leader(&[]), random))
            .or_else(|| choose_by_load(&all().collect::<Vec<_>>(), random))
    }

    /// Notes whether a node takes what there is for it.
    pub(in crate::producer) fn set_stuck(&self, node: i32, since: Option<Instant>) {
        let mut stuck = self.stuck.lock();
        match since {
            Some(since) => drop(stuck.entry(node).or_insert(since)),
            None => drop(stuck.remove(&node)),
        }
    }

    /// The nodes that have been stuck for too long.
    fn stuck_nodes(&self) -> Vec<i32> {
        let Choice { by_load, patience } = self.choice;
        if patience.is_zero() || !by_load {
            return Vec::new();
        }
        let now = self.clock.now();
        let is_late = |since: Instant| now.saturating_duration_since(since) > patience;
        self.stuck.lock().iter().filter(|(_, since)| is_late(**since)).map(|(node, _)| *node).collect()
    }
}

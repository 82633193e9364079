//! What the program reads, and where it is: every rule by which a position moves is here.
//!
//! A partition's epoch is raised by whatever makes earlier answers worthless: a seek, a reset, a revocation,
//! another assignment. Answers carry the epoch of their question, and those of an older one find no partition.

mod partition;
mod resets;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use slab::Slab;

use super::buffer::PartitionShared;
use super::event::Slot;
use super::group::to_commit::Held;
use super::pattern::TopicPattern;
use super::reset::PositionReset;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{OffsetAndMetadata, OffsetSpec, TopicPartition};

pub(super) use partition::{PartitionState, Phase};
pub(super) use resets::ResetPolicy;
use resets::no_offset;

/// How the partitions were chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Selection {
    #[default]
    Nothing,
    /// By `assign()`.
    Manual,
    /// By `subscribe()`.
    Topics(BTreeSet<Arc<str>>),
    /// By a pattern, which matched these topics last.
    Pattern(TopicPattern, BTreeSet<Arc<str>>),
    /// By a pattern that the coordinator looks at (KIP-848).
    Remote(String),
}

impl Selection {
    /// Whether a group shares out what is read.
    pub(super) fn is_subscription(&self) -> bool {
        matches!(self, Self::Topics(_) | Self::Pattern(..) | Self::Remote(_))
    }

    /// The topics that are wanted by name.
    pub(super) fn topics(&self) -> BTreeSet<Arc<str>> {
        match self {
            Self::Topics(topics) | Self::Pattern(_, topics) => topics.clone(),
            _ => BTreeSet::new(),
        }
    }
}

/// What the fetcher has to know of a change.
#[derive(Debug)]
pub(super) enum Change {
    /// Fetch from here on.
    Fetch {
        slot: Slot,
        tp: TopicPartition,
        offset: i64,
        leader_epoch: i32,
        shared: Arc<PartitionShared>,
    },
    /// Stop fetching.
    Remove(usize),
    Pause(usize, bool),
}

#[derive(Debug)]
pub(super) struct SubscriptionState {
    pub(super) selection: Selection,
    partitions: Slab<PartitionState>,
    index: HashMap<TopicPartition, usize>,
    last_epoch: u64,
    policy: ResetPolicy,
    changes: Vec<Change>,
    /// Some position is not known.
    unresolved: bool,
    /// Positions that moved without the program, which has not been told yet.
    resets: Vec<PositionReset>,
}

impl SubscriptionState {
    pub(super) fn new(policy: ResetPolicy) -> Self {
        Self {
            selection: Selection::Nothing,
            partitions: Slab::new(),
            index: HashMap::new(),
            last_epoch: 0,
            policy,
            changes: Vec::new(),
            unresolved: false,
            resets: Vec::new(),
        }
    }

    /// Replaces the partitions. Those that stay keep their position.
    pub(super) fn set_partitions(&mut self, wanted: impl IntoIterator<Item = TopicPartition>) {
        let wanted: BTreeSet<TopicPartition> = wanted.into_iter().collect();
        let gone: Vec<TopicPartition> =
            self.index.keys().filter(|tp| !wanted.contains(*tp)).cloned().collect();
        for tp in gone {
            if let Some(index) = self.index.remove(&tp) {
                self.partitions.try_remove(index);
                self.changes.push(Change::Remove(index));
            }
        }
        for tp in wanted {
            if self.index.contains_key(&tp) {
                continue;
            }
            self.last_epoch += 1;
            let index = self.partitions.insert(PartitionState::new(tp.clone(), self.last_epoch));
            self.index.insert(tp, index);
            self.unresolved = true;
        }
    }

    /// Drops partitions that are to be another member's. What is committed of them in a later generation than this
    /// would take that member's progress back.
    pub(super) fn give_up(&mut self, partitions: &[TopicPartition], generation: i32) {
        let mut kept = self.assignment();
        kept.retain(|tp| !partitions.contains(tp));
        for tp in partitions {
            if let Ok(partition) = self.get(tp) {
                partition.shared.give_up(generation);
            }
        }
        self.set_partitions(kept);
    }

    /// The partitions, sorted.
    pub(super) fn assignment(&self) -> Vec<TopicPartition> {
        let mut all: Vec<TopicPartition> = self.index.keys().cloned().collect();
        all.sort_unstable();
        all
    }

    /// The paused ones, sorted.
    pub(super) fn paused(&self) -> Vec<TopicPartition> {
        let paused = self.iter().filter(|(_, partition)| partition.paused);
        let mut paused: Vec<TopicPartition> = paused.map(|(_, partition)| partition.tp.clone()).collect();
        paused.sort_unstable();
        paused
    }

    /// # Errors
    /// [`ErrorKind::IllegalState`] when the partition is not assigned.
    pub(super) fn get(&self, tp: &TopicPartition) -> Result<&PartitionState> {
        self.index.get(tp).and_then(|index| self.partitions.get(*index)).ok_or_else(|| unassigned(tp))
    }

    /// The partition as far as it matters to commits, if it is assigned.
    pub(super) fn held(&self, tp: &TopicPartition) -> Option<Held> {
        let partition = self.get(tp).ok()?;
        Some(Held { shared: Arc::clone(&partition.shared), void: partition.void })
    }

    fn get_mut(&mut self, tp: &TopicPartition) -> Result<(usize, &mut PartitionState)> {
        let index = self.index.get(tp).copied().ok_or_else(|| unassigned(tp))?;
        let partition = self.partitions.get_mut(index).ok_or_else(|| unassigned(tp))?;
        Ok((index, partition))
    }

    /// The partition in this life of it.
    #[inline]
    pub(super) fn at(&mut self, slot: Slot) -> Option<&mut PartitionState> {
        self.partitions.get_mut(slot.index).filter(|partition| partition.epoch == slot.epoch)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, &PartitionState)> {
        self.partitions.iter().map(|(index, partition)| (Slot { index, epoch: partition.epoch }, partition))
    }

    /// What the fetcher has to be told.
    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Goes on at an offset of the program's choice.
    pub(super) fn seek(&mut self, tp: &TopicPartition, to: &OffsetAndMetadata) -> Result<()> {
        if to.offset < 0 {
            let text = format!("cannot seek to {}: offsets are not negative", to.offset);
            return Err(Error::new(ErrorKind::InvalidArgument, text).with_topic(tp.topic()));
        }
        let (index, _) = self.get_mut(tp)?;
        self.start(index, to.offset, to.leader_epoch.unwrap_or(-1));
        Ok(())
    }

    /// Goes on at the beginning or the end, once somebody asks for records or the position.
    pub(super) fn seek_to(&mut self, tp: &TopicPartition, spec: OffsetSpec) -> Result<()> {
        let (index, _) = self.get_mut(tp)?;
        self.unplace(index, Phase::NeedsReset(spec));
        Ok(())
    }

    pub(super) fn set_paused(&mut self, tp: &TopicPartition, paused: bool) -> Result<()> {
        let (index, partition) = self.get_mut(tp)?;
        if std::mem::replace(&mut partition.paused, paused) != paused {
            self.changes.push(Change::Pause(index, paused));
        }
        Ok(())
    }

    /// The program asks for more: all that it was given is done.
    pub(super) fn settle(&mut self) {
        for (_, partition) in &mut self.partitions {
            partition.settle();
        }
    }

    /// The positions that are unknown, by what has to be asked. They count as asked from now on.
    pub(super) fn take_unresolved(&mut self, has_group: bool) -> (Vec<Unresolved>, Vec<Error>) {
        let (mut asks, mut errors) = (Vec::new(), Vec::new());
        if !std::mem::take(&mut self.unresolved) {
            return (asks, errors);
        }
        // Without a group there is nothing committed, but only the IO thread knows which partitions are new.
        let asks_committed = has_group || self.policy.minds_new_partitions();
        for (index, partition) in &mut self.partitions {
            let slot = Slot { index, epoch: partition.epoch };
            if partition.phase == Phase::NeedsCommitted && !asks_committed {
                match self.policy.spec() {
                    Some(spec) => partition.phase = Phase::NeedsReset(spec),
                    None => {
                        partition.phase = Phase::Stuck;
                        errors.push(no_offset(&partition.tp, "the consumer has no group"));
                        continue;
                    }
                }
            }
            let spec = match partition.phase {
                Phase::NeedsCommitted => None,
                Phase::NeedsReset(spec) => Some(spec),
                _ => continue,
            };
            partition.phase = Phase::Asked;
            asks.push(Unresolved { slot, tp: partition.tp.clone(), spec });
        }
        (asks, errors)
    }

    /// Fetches from the position again, without what was fetched.
    pub(super) fn refetch(&mut self, slot: Slot) {
        if let Some(partition) = self.at(slot).filter(|partition| partition.phase == Phase::Ready) {
            let (position, epoch, corrupt_at) =
                (partition.position, partition.leader_epoch, partition.corrupt_at);
            self.restart(slot.index, position, epoch);
            if let Some(partition) = self.partitions.get_mut(slot.index) {
                partition.corrupt_at = corrupt_at;
            }
        }
    }

    /// A batch could not be read. Returns whether to report it: a first time may have been the wire's fault.
    pub(super) fn corrupt(&mut self, slot: Slot) -> bool {
        let Some(partition) = self.at(slot) else { return false };
        let again = partition.corrupt_at == Some(partition.position);
        partition.corrupt_at = if again { None } else { Some(partition.position) };
        again
    }

    /// All positions that are known: what `commit()` commits.
    pub(super) fn positions(&self) -> HashMap<TopicPartition, OffsetAndMetadata> {
        let ready = self.partitions.iter().filter(|(_, partition)| partition.phase == Phase::Ready);
        ready.map(|(_, partition)| (partition.tp.clone(), partition.next())).collect()
    }

    /// What an automatic commit commits: what is done and differs from what is committed.
    pub(super) fn committable(&self) -> HashMap<TopicPartition, OffsetAndMetadata> {
        let news = self.partitions.iter().filter(|(_, partition)| {
            partition.phase == Phase::Ready
                && partition.committable >= 0
                && partition.committable != partition.committed
        });
        news.map(|(_, partition)| (partition.tp.clone(), partition.offset_and_epoch(partition.committable)))
            .collect()
    }

    /// The group has these offsets now.
    pub(super) fn commit_done(&mut self, offsets: &HashMap<TopicPartition, OffsetAndMetadata>) {
        for (tp, offset) in offsets {
            if let Ok((_, partition)) = self.get_mut(tp) {
                partition.committed = offset.offset;
                // The program has said itself how far it is: an automatic commit must not take that back.
                if offset.offset <= partition.position {
                    partition.committable = partition.committable.max(offset.offset);
                }
            }
        }
    }

    /// Goes on at a new position. An automatic commit must not name the old one any more.
    fn start(&mut self, index: usize, offset: i64, leader_epoch: i32) {
        self.restart(index, offset, leader_epoch);
        if let Some(partition) = self.partitions.get_mut(index) {
            partition.settle();
        }
    }

    /// Fetches from this offset on, without what was fetched before.
    fn restart(&mut self, index: usize, offset: i64, leader_epoch: i32) {
        self.last_epoch += 1;
        let epoch = self.last_epoch;
        let Some(partition) = self.partitions.get_mut(index) else { return };
        partition.epoch = epoch;
        partition.phase = Phase::Ready;
        partition.position = offset;
        partition.shared.set_position(offset);
        partition.leader_epoch = leader_epoch;
        partition.corrupt_at = None;
        (partition.reset, partition.void) = (None, None);
        self.changes.push(Change::Fetch {
            slot: Slot { index, epoch },
            tp: partition.tp.clone(),
            offset,
            leader_epoch,
            shared: Arc::clone(&partition.shared),
        });
        if partition.paused {
            self.changes.push(Change::Pause(index, true));
        }
    }

    fn unplace(&mut self, index: usize, phase: Phase) {
        self.last_epoch += 1;
        let epoch = self.last_epoch;
        let Some(partition) = self.partitions.get_mut(index) else { return };
        partition.epoch = epoch;
        partition.phase = phase;
        partition.committable = -1;
        partition.corrupt_at = None;
        partition.reset = None;
        self.unresolved = true;
        self.changes.push(Change::Remove(index));
    }
}

/// A position that has to be asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unresolved {
    pub(super) slot: Slot,
    pub(super) tp: TopicPartition,
    /// Where in the log; `None` asks the group.
    pub(super) spec: Option<OffsetSpec>,
}

fn unassigned(tp: &TopicPartition) -> Error {
    Error::new(ErrorKind::IllegalState, "the partition is not assigned to this consumer")
        .with_topic(tp.topic())
        .with_partition(tp.partition())
}

#[cfg(test)]
mod tests;

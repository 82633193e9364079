//! What the program reads, and where it is: every rule by which a position moves is here.
//!
//! A partition's epoch is raised by whatever makes earlier answers worthless: a seek, a reset, a revocation,
//! another assignment. Answers carry the epoch of their question, and those of an older one find no partition.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use slab::Slab;

use super::buffer::PartitionShared;
use super::event::Slot;
use super::pattern::TopicPattern;
use crate::config::AutoOffsetReset;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{OffsetAndMetadata, OffsetSpec, TopicPartition};

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

/// Where a partition's position comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// From what the group has committed.
    NeedsCommitted,
    /// From the log: its beginning or its end.
    NeedsReset(OffsetSpec),
    /// The answer is awaited.
    Asked,
    /// It is known.
    Ready,
    /// There is none, which the program has been told; a seek helps.
    Stuck,
}

#[derive(Debug)]
pub(super) struct PartitionState {
    pub(super) tp: TopicPartition,
    pub(super) epoch: u64,
    pub(super) phase: Phase,
    pub(super) paused: bool,
    pub(super) shared: Arc<PartitionShared>,
    position: i64,
    leader_epoch: i32,
    /// What an automatic commit may commit: the program has asked for more since it was given what is before
    /// this.
    committable: i64,
    /// What was committed last, as far as this consumer knows.
    committed: i64,
    /// A batch at this position was corrupt once, and was fetched again.
    corrupt_at: Option<i64>,
}

impl PartitionState {
    /// The offset of the next record for the program. Meaningless unless the phase is `Ready`.
    #[inline]
    pub(super) fn position(&self) -> i64 {
        self.position
    }

    /// The record at `offset` goes to the program.
    #[inline]
    pub(super) fn delivered(&mut self, offset: i64) {
        self.position = offset.saturating_add(1);
    }

    /// There is nothing more for the program before `offset`.
    pub(super) fn passed(&mut self, offset: i64) {
        self.position = self.position.max(offset);
        self.corrupt_at = None;
    }

    pub(super) fn set_leader_epoch(&mut self, leader_epoch: i32) {
        self.leader_epoch = leader_epoch;
    }

    /// The program has asked for more: what it was given before is done.
    #[inline]
    pub(super) fn settle(&mut self) {
        self.committable = self.position;
    }

    fn offset_and_epoch(&self, offset: i64) -> OffsetAndMetadata {
        OffsetAndMetadata { offset, metadata: String::new(), leader_epoch: self.known_leader_epoch() }
    }

    fn known_leader_epoch(&self) -> Option<i32> {
        Some(self.leader_epoch).filter(|epoch| *epoch >= 0)
    }

    /// The position with its leader epoch.
    pub(super) fn next(&self) -> OffsetAndMetadata {
        self.offset_and_epoch(self.position)
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
    reset_policy: AutoOffsetReset,
    changes: Vec<Change>,
    /// Some position is not known.
    unresolved: bool,
}

impl SubscriptionState {
    pub(super) fn new(reset_policy: AutoOffsetReset) -> Self {
        Self {
            selection: Selection::Nothing,
            partitions: Slab::new(),
            index: HashMap::new(),
            last_epoch: 0,
            reset_policy,
            changes: Vec::new(),
            unresolved: false,
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
            let index = self.partitions.insert(PartitionState {
                tp: tp.clone(),
                epoch: self.last_epoch,
                phase: Phase::NeedsCommitted,
                paused: false,
                shared: Arc::default(),
                position: -1,
                leader_epoch: -1,
                committable: -1,
                committed: -1,
                corrupt_at: None,
            });
            self.index.insert(tp, index);
            self.unresolved = true;
        }
    }

    /// The partitions, sorted.
    pub(super) fn assignment(&self) -> Vec<TopicPartition> {
        let mut all: Vec<TopicPartition> = self.index.keys().cloned().collect();
        all.sort_unstable();
        all
    }

    /// # Errors
    /// [`ErrorKind::IllegalState`] when the partition is not assigned.
    pub(super) fn get(&self, tp: &TopicPartition) -> Result<&PartitionState> {
        self.index.get(tp).and_then(|index| self.partitions.get(*index)).ok_or_else(|| unassigned(tp))
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
        self.place(index, to.offset, to.leader_epoch.unwrap_or(-1));
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
        for (index, partition) in &mut self.partitions {
            let slot = Slot { index, epoch: partition.epoch };
            if partition.phase == Phase::NeedsCommitted && !has_group {
                match self.reset_policy.spec() {
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

    /// What the group has committed, if anything.
    pub(super) fn committed_is(&mut self, slot: Slot, committed: Option<&OffsetAndMetadata>) -> Result<()> {
        let policy = self.reset_policy.spec();
        let Some(partition) = self.at(slot).filter(|partition| partition.phase == Phase::Asked) else {
            return Ok(());
        };
        match (committed, policy) {
            (Some(committed), _) => {
                let (offset, epoch) = (committed.offset, committed.leader_epoch.unwrap_or(-1));
                partition.committed = offset;
                self.start(slot, offset, epoch);
                Ok(())
            }
            (None, Some(spec)) => {
                log::info!("{}: no committed offset, going to {spec:?}", partition.tp);
                partition.phase = Phase::NeedsReset(spec);
                self.unresolved = true;
                Ok(())
            }
            (None, None) => {
                partition.phase = Phase::Stuck;
                Err(no_offset(&partition.tp, "the group has committed none"))
            }
        }
    }

    /// The answer to a reset.
    pub(super) fn reset_to(&mut self, slot: Slot, offset: i64, leader_epoch: Option<i32>) {
        if self.at(slot).is_some_and(|partition| partition.phase == Phase::Asked) {
            self.start(slot, offset, leader_epoch.unwrap_or(-1));
        }
    }

    /// The question could not be answered: it is asked again by the next poll.
    pub(super) fn ask_again(&mut self, slot: Slot, phase: Phase) {
        if let Some(partition) = self.at(slot).filter(|partition| partition.phase == Phase::Asked) {
            partition.phase = phase;
            self.unresolved = true;
        }
    }

    /// The leader does not have the position.
    pub(super) fn out_of_range(&mut self, slot: Slot) -> Result<()> {
        let policy = self.reset_policy.spec();
        let Some(partition) = self.at(slot) else { return Ok(()) };
        let (tp, position) = (partition.tp.clone(), partition.position);
        match policy {
            Some(spec) => {
                log::warn!("{tp}: the position {position} is not in the log any more, going to {spec:?}");
                self.unplace(slot.index, Phase::NeedsReset(spec));
                Ok(())
            }
            None => {
                self.unplace(slot.index, Phase::Stuck);
                let text = "the position is not in the partition's log, and auto.offset.reset is none: seek";
                Err(Error::new(ErrorKind::OffsetOutOfRange, text)
                    .with_topic(tp.topic())
                    .with_partition(tp.partition())
                    .with_offset(position))
            }
        }
    }

    /// The log was truncated below the position, and parts from what was read at `end_offset`.
    pub(super) fn diverged(&mut self, slot: Slot, end_offset: i64, leader_epoch: i32) -> Result<()> {
        let policy = self.reset_policy.spec();
        let Some(partition) = self.at(slot) else { return Ok(()) };
        let (tp, position) = (partition.tp.clone(), partition.position);
        if policy.is_some() && end_offset >= 0 {
            log::warn!("{tp}: the log was truncated below {position}, going on at {end_offset}");
            self.place(slot.index, end_offset.min(position), leader_epoch);
            return Ok(());
        }
        self.unplace(slot.index, Phase::Stuck);
        let text =
            format!("the log was truncated below the position {position}; it parts from what was read here");
        Err(Error::new(ErrorKind::LogTruncation, text)
            .with_topic(tp.topic())
            .with_partition(tp.partition())
            .with_offset(end_offset))
    }

    /// The topic was deleted and created anew: positions mean nothing in it.
    pub(super) fn recreated(&mut self, slot: Slot) -> Result<()> {
        let policy = self.reset_policy.spec();
        let Some(partition) = self.at(slot) else { return Ok(()) };
        let tp = partition.tp.clone();
        partition.committed = -1;
        self.unplace(slot.index, policy.map_or(Phase::Stuck, Phase::NeedsReset));
        let text =
            "the topic was deleted and created anew: its offsets begin again, and the old ones are void";
        Err(Error::new(ErrorKind::TopicRecreated, text).with_topic(tp.topic()).with_partition(tp.partition()))
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
            }
        }
    }

    fn start(&mut self, slot: Slot, offset: i64, leader_epoch: i32) {
        self.restart(slot.index, offset, leader_epoch);
        if let Some(partition) = self.partitions.get_mut(slot.index) {
            partition.settle();
        }
    }

    /// A position from outside: the program is done with what it was given before.
    fn place(&mut self, index: usize, offset: i64, leader_epoch: i32) {
        self.restart(index, offset, leader_epoch);
    }

    fn restart(&mut self, index: usize, offset: i64, leader_epoch: i32) {
        self.last_epoch += 1;
        let epoch = self.last_epoch;
        let Some(partition) = self.partitions.get_mut(index) else { return };
        partition.epoch = epoch;
        partition.phase = Phase::Ready;
        partition.position = offset;
        partition.leader_epoch = leader_epoch;
        partition.corrupt_at = None;
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

impl AutoOffsetReset {
    /// The offset to begin at, if the policy names one.
    fn spec(self) -> Option<OffsetSpec> {
        match self {
            Self::Earliest => Some(OffsetSpec::Earliest),
            Self::Latest => Some(OffsetSpec::Latest),
            Self::None => None,
        }
    }
}

fn unassigned(tp: &TopicPartition) -> Error {
    Error::new(ErrorKind::IllegalState, "the partition is not assigned to this consumer")
        .with_topic(tp.topic())
        .with_partition(tp.partition())
}

fn no_offset(tp: &TopicPartition, why: &str) -> Error {
    let text =
        format!("no offset to begin at: {why}, and auto.offset.reset is none; seek, or set the policy");
    Error::new(ErrorKind::NoOffsetForPartition, text).with_topic(tp.topic()).with_partition(tp.partition())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(policy: AutoOffsetReset, partitions: i32) -> SubscriptionState {
        let mut state = SubscriptionState::new(policy);
        state.set_partitions((0..partitions).map(|partition| TopicPartition::new("t", partition)));
        state
    }

    fn slot(state: &SubscriptionState, partition: i32) -> Slot {
        let tp = TopicPartition::new("t", partition);
        state.iter().find(|(_, state)| state.tp == tp).expect("assigned").0
    }

    fn begin_at(state: &mut SubscriptionState, partition: i32, offset: i64) {
        state.seek(&TopicPartition::new("t", partition), &offset.into()).expect("assigned");
    }

    #[test]
    fn without_a_group_the_policy_decides() {
        let mut earliest = state(AutoOffsetReset::Earliest, 1);
        let (asks, errors) = earliest.take_unresolved(false);
        assert_eq!((asks.len(), errors.len()), (1, 0));
        assert_eq!(asks[0].spec, Some(OffsetSpec::Earliest));
        assert!(earliest.take_unresolved(false).0.is_empty(), "asked once");
        earliest.reset_to(asks[0].slot, 7, Some(2));
        let partition = earliest.get(&asks[0].tp).expect("assigned");
        assert_eq!((partition.phase, partition.position()), (Phase::Ready, 7));

        let mut none = state(AutoOffsetReset::None, 1);
        let (asks, errors) = none.take_unresolved(false);
        assert!(asks.is_empty());
        assert_eq!(errors[0].kind(), ErrorKind::NoOffsetForPartition);
        assert!(none.take_unresolved(false).1.is_empty(), "told once");
    }

    #[test]
    fn a_seek_makes_earlier_answers_worthless() {
        let mut state = state(AutoOffsetReset::Latest, 1);
        let (asks, _) = state.take_unresolved(true);
        begin_at(&mut state, 0, 5);
        state.committed_is(asks[0].slot, Some(&100.into())).expect("dropped");
        state.reset_to(asks[0].slot, 200, None);
        state.out_of_range(asks[0].slot).expect("dropped");
        assert!(state.at(asks[0].slot).is_none());
        assert_eq!(state.positions()[&asks[0].tp].offset, 5);
    }

    #[test]
    fn positions_follow_records_and_gaps() {
        let mut state = state(AutoOffsetReset::Latest, 1);
        begin_at(&mut state, 0, 5);
        let slot = slot(&state, 0);
        let partition = state.at(slot).expect("present");
        partition.delivered(6);
        assert_eq!(partition.position(), 7);
        partition.passed(10);
        partition.passed(3);
        assert_eq!(partition.position(), 10, "it never goes back");
    }

    #[test]
    fn only_what_was_asked_past_is_committed_automatically() {
        let mut state = state(AutoOffsetReset::Latest, 2);
        let (asks, _) = state.take_unresolved(true);
        for ask in &asks {
            state.committed_is(ask.slot, Some(&10.into())).expect("a position");
        }
        assert!(state.committable().is_empty(), "nothing new");
        let first = slot(&state, 0);
        state.at(first).expect("present").delivered(10);
        assert!(state.committable().is_empty(), "the program may still work on it");
        assert_eq!(state.positions()[&asks[0].tp].offset, 11, "an explicit commit covers it");
        state.settle();
        let committable = state.committable();
        assert_eq!(committable.len(), 1);
        assert_eq!(committable[&asks[0].tp].offset, 11);
        state.commit_done(&committable);
        assert!(state.committable().is_empty());
    }

    #[test]
    fn out_of_range_resets_or_is_an_error() {
        let mut earliest = state(AutoOffsetReset::Earliest, 1);
        begin_at(&mut earliest, 0, 5);
        let old = slot(&earliest, 0);
        earliest.out_of_range(old).expect("reset");
        assert_eq!(earliest.take_unresolved(true).0[0].spec, Some(OffsetSpec::Earliest));

        let mut none = state(AutoOffsetReset::None, 1);
        begin_at(&mut none, 0, 5);
        let old = slot(&none, 0);
        let error = none.out_of_range(old).expect_err("no policy");
        assert_eq!((error.kind(), error.offset()), (ErrorKind::OffsetOutOfRange, Some(5)));
        none.out_of_range(old).expect("told once");
    }

    #[test]
    fn partitions_that_stay_keep_their_place() {
        let mut state = state(AutoOffsetReset::Latest, 2);
        begin_at(&mut state, 1, 9);
        let kept = slot(&state, 1);
        state.take_changes();
        state.set_partitions([TopicPartition::new("t", 1), TopicPartition::new("u", 0)]);
        assert_eq!(slot(&state, 1), kept);
        assert!(state.at(kept).is_some_and(|partition| partition.position() == 9));
        assert!(state.get(&TopicPartition::new("t", 0)).is_err());
        assert!(matches!(state.take_changes()[..], [Change::Remove(_)]));
    }

    #[test]
    fn a_batch_is_reported_as_corrupt_the_second_time() {
        let mut state = state(AutoOffsetReset::Latest, 1);
        begin_at(&mut state, 0, 5);
        let first = slot(&state, 0);
        assert!(!state.corrupt(first));
        state.refetch(first);
        let second = slot(&state, 0);
        assert_ne!(first, second);
        assert!(state.corrupt(second));
        assert_eq!(state.positions()[&TopicPartition::new("t", 0)].offset, 5);
        state.refetch(second);
        let third = slot(&state, 0);
        assert!(!state.corrupt(third), "and then from the start");
    }
}

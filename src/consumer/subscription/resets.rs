//! How a position comes about that the program has not chosen: committed offsets, and the reset policy.

use super::{Phase, SubscriptionState};
use crate::config::{AutoOffsetReset, ConsumerConfig};
use crate::consumer::event::Slot;
use crate::consumer::reset::{PositionReset, ResetCause};
use crate::error::{Error, ErrorKind, Result};
use crate::net::clock::Clock;
use crate::protocol::Uuid;
use crate::types::{OffsetAndMetadata, OffsetSpec, TopicPartition};

/// What the program wants to happen where there is no position.
#[derive(Clone, Copy, Debug)]
pub(in crate::consumer) struct ResetPolicy {
    pub(in crate::consumer) offset: AutoOffsetReset,
    /// Partitions that are new begin at their beginning, whatever `latest` says.
    pub(in crate::consumer) new_from_beginning: bool,
    /// A topic that was created anew is gone on with, rather than an error.
    pub(in crate::consumer) in_recreated: bool,
    pub(in crate::consumer) clock: Clock,
}

impl ResetPolicy {
    pub(in crate::consumer) fn new(config: &ConsumerConfig, clock: Clock) -> Self {
        Self {
            offset: config.auto_offset_reset,
            new_from_beginning: config.read_new_partitions_from_beginning,
            in_recreated: config.reset_on_topic_recreated,
            clock,
        }
    }

    #[cfg(test)]
    pub(in crate::consumer) fn of(offset: AutoOffsetReset) -> Self {
        let clock = Clock::system();
        Self { offset, new_from_beginning: false, in_recreated: false, clock }
    }

    /// The offset to begin at, if the policy names one.
    pub(super) fn spec(&self) -> Option<OffsetSpec> {
        match self.offset {
            AutoOffsetReset::Earliest => Some(OffsetSpec::Earliest),
            AutoOffsetReset::Latest => Some(OffsetSpec::Latest),
            AutoOffsetReset::ByDuration(ago) => {
                let ago = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
                Some(OffsetSpec::Timestamp(self.clock.unix_millis().saturating_sub(ago).max(0)))
            }
            AutoOffsetReset::None => None,
        }
    }

    /// Whether it has to be found out which partitions are new.
    pub(super) fn minds_new_partitions(&self) -> bool {
        self.new_from_beginning && self.offset == AutoOffsetReset::Latest
    }
}

impl SubscriptionState {
    /// What the group has committed, if anything, and whether the partition appeared after this consumer had
    /// subscribed.
    pub(in crate::consumer) fn committed_is(
        &mut self,
        slot: Slot,
        committed: Option<&OffsetAndMetadata>,
        is_new: bool,
    ) -> Result<()> {
        let from_beginning = is_new && self.policy.minds_new_partitions();
        let policy = if from_beginning { Some(OffsetSpec::Earliest) } else { self.policy.spec() };
        let Some(partition) = self.at(slot).filter(|partition| partition.phase == Phase::Asked) else {
            return Ok(());
        };
        match (committed, policy) {
            (Some(committed), _) => {
                let (offset, epoch) = (committed.offset, committed.leader_epoch.unwrap_or(-1));
                partition.committed = offset;
                self.start(slot.index, offset, epoch);
                Ok(())
            }
            (None, Some(spec)) => {
                let cause =
                    if from_beginning { ResetCause::NewPartition } else { ResetCause::NoCommittedOffset };
                partition.reset = Some((cause, None));
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
    pub(in crate::consumer) fn reset_to(&mut self, slot: Slot, offset: i64, leader_epoch: Option<i32>) {
        let Some(partition) = self.at(slot).filter(|partition| partition.phase == Phase::Asked) else {
            return;
        };
        partition.void = None;
        let told = partition.reset.take().map(|(cause, from)| PositionReset {
            partition: partition.tp.clone(),
            cause,
            from,
            to: offset,
        });
        self.resets.extend(told);
        self.start(slot.index, offset, leader_epoch.unwrap_or(-1));
    }

    /// The question could not be answered: it is asked again by the next poll.
    pub(in crate::consumer) fn ask_again(&mut self, slot: Slot, phase: Phase) {
        if let Some(partition) = self.at(slot).filter(|partition| partition.phase == Phase::Asked) {
            partition.phase = phase;
            self.unresolved = true;
        }
    }

    /// The leader does not have the position.
    pub(in crate::consumer) fn out_of_range(&mut self, slot: Slot) -> Result<()> {
        let policy = self.policy.spec();
        let Some(partition) = self.at(slot) else { return Ok(()) };
        let (tp, position) = (partition.tp.clone(), partition.position);
        match policy {
            Some(spec) => {
                self.look_up(slot.index, spec, ResetCause::OutOfRange, Some(position));
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

    /// The log parts from what was fetched at `end_offset`, where `leader_epoch` ended; both are -1 when the
    /// broker knows nothing of the time of the position (KIP-320).
    pub(in crate::consumer) fn diverged(
        &mut self,
        slot: Slot,
        end_offset: i64,
        leader_epoch: i32,
    ) -> Result<()> {
        let policy = self.policy.spec();
        let Some(partition) = self.at(slot) else { return Ok(()) };
        let (tp, position) = (partition.tp.clone(), partition.position);
        let known = end_offset >= 0 && leader_epoch >= 0;
        if known && end_offset >= position {
            // Only what was fetched ahead is gone. What the program has read is in the log.
            self.restart(slot.index, position, leader_epoch);
            return Ok(());
        }
        match policy {
            Some(_) if known => {
                self.resets.push(PositionReset {
                    partition: tp,
                    cause: ResetCause::LogTruncation,
                    from: Some(position),
                    to: end_offset,
                });
                self.start(slot.index, end_offset, leader_epoch);
                Ok(())
            }
            Some(spec) => {
                self.look_up(slot.index, spec, ResetCause::LogTruncation, Some(position));
                Ok(())
            }
            None => {
                self.unplace(slot.index, Phase::Stuck);
                let text = if known {
                    format!(
                        "the log was truncated below the position {position}; it parts from what was read here"
                    )
                } else {
                    format!("the log was truncated below the position {position}, nobody can tell how far")
                };
                let error = Error::new(ErrorKind::LogTruncation, text)
                    .with_topic(tp.topic())
                    .with_partition(tp.partition());
                Err(if known { error.with_offset(end_offset) } else { error })
            }
        }
    }

    /// The topic was deleted and created anew: positions mean nothing in it.
    pub(in crate::consumer) fn recreated(&mut self, slot: Slot, old: Uuid, new: Uuid) -> Result<()> {
        let policy = self.policy.spec().filter(|_| self.policy.in_recreated);
        let Some(partition) = self.at(slot) else { return Ok(()) };
        partition.void = Some((old, new));
        partition.shared.set_topic_id(new);
        partition.committed = -1;
        let (tp, position) = (partition.tp.clone(), partition.position);
        match policy {
            Some(spec) => {
                self.look_up(slot.index, spec, ResetCause::TopicRecreated, Some(position));
                Ok(())
            }
            None => {
                self.unplace(slot.index, Phase::Stuck);
                let text = "the topic was deleted and created anew: its offsets begin again, and the position is \
                            void; seek, or set reset.on.topic.recreated";
                Err(void(&tp, text, old, new))
            }
        }
    }

    /// Refuses offsets of a topic that is no more. `current` is the topic's id as the cluster has it now.
    ///
    /// # Errors
    /// [`ErrorKind::TopicRecreated`].
    pub(in crate::consumer) fn check_topic(&self, tp: &TopicPartition, current: Option<Uuid>) -> Result<()> {
        self.held(tp).map_or(Ok(()), |held| held.check_topic(tp, current))
    }

    /// Looks a new position up.
    fn look_up(&mut self, index: usize, spec: OffsetSpec, cause: ResetCause, from: Option<i64>) {
        self.unplace(index, Phase::NeedsReset(spec));
        if let Some(partition) = self.partitions.get_mut(index) {
            partition.reset = Some((cause, from));
        }
    }

    /// The positions that moved without the program since the last call.
    pub(in crate::consumer) fn take_resets(&mut self) -> Vec<PositionReset> {
        std::mem::take(&mut self.resets)
    }
}

fn void(tp: &TopicPartition, text: &str, old: Uuid, new: Uuid) -> Error {
    Error::new(ErrorKind::TopicRecreated, text)
        .with_topic(tp.topic())
        .with_partition(tp.partition())
        .with_topic_ids(old, new)
}

pub(super) fn no_offset(tp: &TopicPartition, why: &str) -> Error {
    let text =
        format!("no offset to begin at: {why}, and auto.offset.reset is none; seek, or set the policy");
    Error::new(ErrorKind::NoOffsetForPartition, text).with_topic(tp.topic()).with_partition(tp.partition())
}

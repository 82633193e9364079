//! One partition as the program's thread sees it.

use std::sync::Arc;

use super::super::buffer::PartitionShared;
use super::super::reset::ResetCause;
use crate::protocol::Uuid;
use crate::types::{OffsetAndMetadata, OffsetSpec, TopicPartition};

/// Where a partition's position comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::consumer) enum Phase {
    /// From what the group has committed.
    NeedsCommitted,
    /// From the log: its beginning, its end, or by time.
    NeedsReset(OffsetSpec),
    /// The answer is awaited.
    Asked,
    /// It is known.
    Ready,
    /// There is none, which the program has been told; a seek helps.
    Stuck,
}

#[derive(Debug)]
pub(in crate::consumer) struct PartitionState {
    pub(in crate::consumer) tp: TopicPartition,
    pub(in crate::consumer) epoch: u64,
    pub(in crate::consumer) phase: Phase,
    pub(in crate::consumer) paused: bool,
    pub(in crate::consumer) shared: Arc<PartitionShared>,
    pub(super) position: i64,
    pub(super) leader_epoch: i32,
    /// What an automatic commit may commit: the program has asked for more since it was given what is before
    /// this.
    pub(super) committable: i64,
    /// What was committed last, as far as this consumer knows.
    pub(super) committed: i64,
    /// A batch at this position was corrupt once, and was fetched again.
    pub(super) corrupt_at: Option<i64>,
    /// Why a new position is being looked up, and the one before, for the program to be told.
    pub(super) reset: Option<(ResetCause, Option<i64>)>,
    /// The topic was created anew, and there is no position in it yet: its old id and its new one.
    pub(super) void: Option<(Uuid, Uuid)>,
}

impl PartitionState {
    pub(super) fn new(tp: TopicPartition, epoch: u64) -> Self {
        Self {
            tp,
            epoch,
            phase: Phase::NeedsCommitted,
            paused: false,
            shared: Arc::default(),
            position: -1,
            leader_epoch: -1,
            committable: -1,
            committed: -1,
            corrupt_at: None,
            reset: None,
            void: None,
        }
    }

    /// The offset of the next record for the program. Meaningless unless the phase is `Ready`.
    #[inline]
    pub(in crate::consumer) fn position(&self) -> i64 {
        self.position
    }

    /// The record at `offset` goes to the program.
    #[inline]
    pub(in crate::consumer) fn delivered(&mut self, offset: i64) {
        self.position = offset.saturating_add(1);
    }

    /// The record at `offset` did not go to the program after all.
    pub(in crate::consumer) fn withheld(&mut self, offset: i64) {
        self.position = offset;
    }

    /// There is nothing more for the program before `offset`.
    pub(in crate::consumer) fn passed(&mut self, offset: i64) {
        self.position = self.position.max(offset);
        self.shared.set_position(self.position);
        self.corrupt_at = None;
    }

    pub(in crate::consumer) fn set_leader_epoch(&mut self, leader_epoch: i32) {
        self.leader_epoch = leader_epoch;
    }

    /// The program has asked for more: what it was given before is done. While a new position is looked up, the old
    /// one means nothing.
    #[inline]
    pub(in crate::consumer) fn settle(&mut self) {
        if self.phase == Phase::Ready {
            self.committable = self.position;
        }
    }

    pub(super) fn offset_and_epoch(&self, offset: i64) -> OffsetAndMetadata {
        OffsetAndMetadata { offset, metadata: String::new(), leader_epoch: self.known_leader_epoch() }
    }

    fn known_leader_epoch(&self) -> Option<i32> {
        Some(self.leader_epoch).filter(|epoch| *epoch >= 0)
    }

    /// The position with its leader epoch.
    pub(in crate::consumer) fn next(&self) -> OffsetAndMetadata {
        self.offset_and_epoch(self.position)
    }

    /// How many records there are behind the position, as the last fetch told; `None` while either is unknown.
    pub(in crate::consumer) fn lag(&self) -> Option<i64> {
        let end = self.shared.high_watermark().filter(|_| self.phase == Phase::Ready)?;
        Some(end.saturating_sub(self.position).max(0))
    }
}

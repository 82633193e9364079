//! What the IO thread tells the caller's thread, all by one channel, so that a caller waits in one place.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_channel::Sender;

use super::buffer::Chunk;
use crate::error::{Error, Result};
use crate::types::{OffsetAndMetadata, OffsetSpec, TopicPartition};

/// A partition's place on the caller's side, in one of its lives: a seek, a revocation or another assignment
/// begins a new one, and what belongs to an old one is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) index: usize,
    pub(super) epoch: u64,
}

pub(super) enum Event {
    /// Batches of a partition.
    Fetched(Chunk),
    /// A partition is not fetched any more until the caller says where to go on.
    FetchFailed(Slot, FetchFailure),
    /// The group's offsets for positions that are not known yet.
    Committed(Vec<Slot>, Result<Vec<Option<OffsetAndMetadata>>>),
    /// The offset to begin at, and its leader epoch.
    Reset(Slot, OffsetSpec, Result<(i64, Option<i32>)>),
    /// The outcome of the join of this number: the member is in the group with these partitions, or joining
    /// cannot succeed without the program.
    Joined(u64, Result<Joined>),
    /// The group waits for this generation's members to join again.
    RejoinNeeded(i32),
    /// The member of this generation is no longer one. The error is for the next poll.
    MemberLost(i32, Option<Error>),
    /// The outcome of an asynchronous commit.
    CommitDone(u64, Result<()>),
    /// Partitions of the watched topics have appeared or vanished.
    TopicsChanged,
    /// For the next poll to return.
    Failed(Error),
    /// Look at the flags.
    Nudge,
}

/// Why a partition is not fetched any more.
#[derive(Debug)]
pub(super) enum FetchFailure {
    /// The leader does not have the offset.
    OutOfRange,
    /// The log was truncated: it parts from what was read at this offset (KIP-320).
    Diverged {
        end_offset: i64,
        leader_epoch: i32,
    },
    /// The topic has another id now.
    Recreated,
    Other(Error),
}

/// What a rebalance ended with.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) generation: i32,
    pub(super) member_id: String,
    pub(super) is_leader: bool,
    pub(super) partitions: Vec<TopicPartition>,
}

/// What both threads look at without a message.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// There is an event that cannot wait until the current chunk is used up.
    attention: AtomicBool,
    /// Somebody has asked to be woken.
    woken: AtomicBool,
    /// Twice the number of times that the program got control back, plus one while it has it.
    activity: AtomicU64,
}

impl Shared {
    #[inline]
    pub(super) fn needs_attention(&self) -> bool {
        self.attention.load(Ordering::Relaxed)
    }

    pub(super) fn ask_attention(&self) {
        self.attention.store(true, Ordering::Release);
    }

    /// To be called before the events are looked at, never after.
    pub(super) fn clear_attention(&self) {
        self.attention.swap(false, Ordering::AcqRel);
    }

    /// Returns whether this is the first call since the last [`take_wake`](Self::take_wake).
    pub(super) fn wake(&self) -> bool {
        let first = !self.woken.swap(true, Ordering::AcqRel);
        self.ask_attention();
        first
    }

    pub(super) fn take_wake(&self) -> bool {
        self.woken.load(Ordering::Relaxed) && self.woken.swap(false, Ordering::AcqRel)
    }

    /// One thread alone writes it.
    #[inline]
    pub(super) fn set_activity(&self, activity: u64) {
        self.activity.store(activity, Ordering::Relaxed);
    }

    pub(super) fn activity(&self) -> u64 {
        self.activity.load(Ordering::Relaxed)
    }
}

/// The IO side's end of the channel.
#[derive(Clone)]
pub(super) struct Events {
    sender: Sender<Event>,
    shared: Arc<Shared>,
}

impl Events {
    pub(super) fn new(sender: Sender<Event>, shared: Arc<Shared>) -> Self {
        Self { sender, shared }
    }

    pub(super) fn send(&self, event: Event) {
        let urgent = !matches!(event, Event::Fetched(_));
        // A consumer that is gone needs no events.
        let _ = self.sender.send(event);
        if urgent {
            self.shared.ask_attention();
        }
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }
}

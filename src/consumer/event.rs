//! What the IO thread tells the caller's thread, all by one channel, so that a caller waits in one place.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::time::Instant;

use crossbeam_channel::Sender;
use parking_lot::Mutex;

use super::buffer::Chunk;
use super::group::sensors::GroupMeter;
use super::shape::Shapes;
use crate::error::{Error, Result};
use crate::protocol::Uuid;
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
    Committed(Vec<Slot>, Result<Vec<Found>>),
    /// The offset to begin at, and its leader epoch.
    Reset(Slot, OffsetSpec, Result<(i64, Option<i32>)>),
    /// The outcome of the join of this number.
    Joined(u64, JoinOutcome),
    /// The group waits for the member of this life to join again.
    RejoinNeeded(u64),
    /// The member of this life is no longer one. The error is for the next poll.
    MemberLost(u64, Option<Error>),
    /// What the coordinator wants the member to have (KIP-848).
    Target(Target),
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
    Diverged { end_offset: i64, leader_epoch: i32 },
    /// The topic has another id now.
    Recreated { old: Uuid, new: Uuid },
    /// What may be better with the next attempt.
    Other(Error),
    /// What no other attempt would mend.
    Hopeless(Error),
}

/// What there is to know of a partition whose position is not known.
#[derive(Debug)]
pub(super) struct Found {
    /// What the group has committed, if anything.
    pub(super) offset: Option<OffsetAndMetadata>,
    /// The partition appeared after the program had subscribed to its topic.
    pub(super) is_new: bool,
}

/// What joining led to.
#[derive(Debug)]
pub(super) enum JoinOutcome {
    Joined(Joined),
    /// The coordinator does not know the member any more: what it kept is lost, and it has to join anew.
    Lost,
    /// It cannot succeed without the program.
    Failed(Error),
}

/// What a rebalance ended with.
#[derive(Debug)]
pub(super) struct Joined {
    /// The life of the member that joined.
    pub(super) life: u64,
    /// The epoch in the new protocol, as it was then.
    pub(super) generation: i32,
    pub(super) member_id: String,
    pub(super) is_leader: bool,
    /// What it had, it still has; only the difference changes hands.
    pub(super) cooperative: bool,
    /// None in the new protocol, where they come as a [`Target`].
    pub(super) partitions: Vec<TopicPartition>,
    /// For the leader, the topics of all members as they were shared out: when they change, the group has to
    /// rebalance.
    pub(super) group_topics: Shapes,
}

/// What a member of the new protocol is to have, all in all.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) life: u64,
    /// To acknowledge it with.
    pub(super) number: u64,
    /// When the coordinator began to want something else than what the member has.
    pub(super) since: Instant,
    pub(super) partitions: Vec<TopicPartition>,
    /// Those of them that belong to another topic of the same name than before.
    pub(super) recreated: Vec<TopicPartition>,
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
    /// The member's epoch in the new protocol, which changes without a rebalance.
    member_epoch: AtomicI32,
    /// When the poll was due that did not come in time.
    poll_due: Mutex<Option<Instant>>,
    /// What the member measures, on either thread.
    pub(super) meter: GroupMeter,
}

impl Shared {
    pub(super) fn new(meter: GroupMeter) -> Self {
        Self { meter, ..Self::default() }
    }

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

    pub(super) fn poll_was_due(&self, due: Instant) {
        *self.poll_due.lock() = Some(due);
    }

    pub(super) fn poll_due(&self) -> Option<Instant> {
        *self.poll_due.lock()
    }

    pub(super) fn set_member_epoch(&self, epoch: i32) {
        self.member_epoch.store(epoch, Ordering::Relaxed);
    }

    pub(super) fn member_epoch(&self) -> i32 {
        self.member_epoch.load(Ordering::Relaxed)
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

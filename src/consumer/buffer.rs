//! What was fetched and not read yet, and how much of it there may be.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;

use super::event::Slot;
use crate::error::Error;
use crate::error_code::ErrorCode;
use crate::net::wakeup::Wakeup;
use crate::protocol::Uuid;
use crate::types::TopicPartition;

/// Counts the bytes that were asked for and those that wait for the program; the fetcher stops at the limit
/// (KIP-81).
#[derive(Debug)]
pub(super) struct Budget {
    waiting: AtomicUsize,
    asked: AtomicUsize,
    limit: usize,
    freed: Wakeup,
}

impl Budget {
    /// `freed` is woken whenever bytes come free.
    pub(super) fn new(limit: usize, freed: Wakeup) -> Self {
        Self { waiting: AtomicUsize::new(0), asked: AtomicUsize::new(0), limit, freed }
    }

    /// Whether what waits for the program is all that may.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.load(Ordering::Acquire) >= self.limit
    }

    /// How much waits for the program, and the limit.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.waiting.load(Ordering::Acquire), self.limit)
    }

    /// Sets bytes apart for an answer: an equal share of all, if so much is left, and at least a few, so that
    /// nobody waits for a long request of another leader to end.
    pub(super) fn ask(self: &Arc<Self>, leaders: usize, most: usize) -> Asked {
        let used = self.waiting.load(Ordering::Acquire) + self.asked.load(Ordering::Acquire);
        let share = self.limit.div_ceil(leaders.max(1)).min(self.limit.saturating_sub(used));
        let bytes = share.max(LEAST_ASKED.min(self.limit)).min(most).max(1);
        self.asked.fetch_add(bytes, Ordering::AcqRel);
        Asked { budget: Arc::clone(self), bytes }
    }

    fn give_back(&self, bytes: usize) {
        self.waiting.fetch_sub(bytes, Ordering::AcqRel);
    }
}

/// What a leader is asked for in any case. Answers are small while little is written, and one batch comes whole
/// whatever the limit.
const LEAST_ASKED: usize = 64 * 1024;

/// The bytes of an answer that is under way; given back when it is there, and its records take theirs.
pub(super) struct Asked {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Asked {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Asked {
    /// Wakes nobody: the task that has asked looks anew itself.
    fn drop(&mut self) {
        self.budget.asked.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

/// What both threads know of a partition: figures that need no message.
#[derive(Debug)]
pub(super) struct PartitionShared {
    chunks: AtomicUsize,
    high_watermark: AtomicI64,
    log_start: AtomicI64,
    /// The program's position, as of the last batch that it has read.
    position: AtomicI64,
    preferred_replica: AtomicI32,
    /// The last generation or epoch of the member in which it had the partition.
    given_up_in: AtomicI32,
    topic: Mutex<TopicIds>,
    trouble: Mutex<Option<Trouble>>,
}

/// What goes wrong with a partition's fetches. It outlasts the errors that the program is told of, until a fetch
/// succeeds.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub(super) error: Error,
    /// Since when it is of this kind.
    pub(super) since: Instant,
    pub(super) failures: u32,
}

impl Trouble {
    /// Whether the brokers do not know the topic, or not under the id that it had.
    pub(super) fn is_unknown(&self) -> bool {
        self.error.code().is_some_and(is_unknown)
    }
}

fn is_unknown(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            | ErrorCode::UNKNOWN_TOPIC_ID
            | ErrorCode::INCONSISTENT_TOPIC_ID
    )
}

/// Which topic of that name the position belongs to (KIP-516).
#[derive(Debug, Default)]
struct TopicIds {
    /// Zero while it is not known.
    current: Uuid,
    /// The one before, which a broker that lags behind may still tell of.
    former: Uuid,
}

impl Default for PartitionShared {
    fn default() -> Self {
        Self {
            chunks: AtomicUsize::new(0),
            high_watermark: AtomicI64::new(-1),
            log_start: AtomicI64::new(-1),
            position: AtomicI64::new(-1),
            preferred_replica: AtomicI32::new(-1),
            given_up_in: AtomicI32::new(i32::MAX),
            topic: Mutex::default(),
            trouble: Mutex::default(),
        }
    }
}

impl PartitionShared {
    /// How many chunks wait for the program.
    pub(super) fn chunks(&self) -> usize {
        self.chunks.load(Ordering::Acquire)
    }

    pub(super) fn set_log(&self, start: i64, high_watermark: i64) {
        self.log_start.store(start, Ordering::Relaxed);
        self.high_watermark.store(high_watermark, Ordering::Relaxed);
    }

    /// The offset behind the newest record that can be read, as the last fetch told.
    pub(super) fn high_watermark(&self) -> Option<i64> {
        Some(self.high_watermark.load(Ordering::Relaxed)).filter(|offset| *offset >= 0)
    }

    /// The offset of the oldest record, as the last fetch told.
    pub(super) fn log_start(&self) -> Option<i64> {
        Some(self.log_start.load(Ordering::Relaxed)).filter(|offset| *offset >= 0)
    }

    /// What goes wrong, if the last fetch has failed.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.trouble.lock().clone()
    }

    /// A fetch has failed. Returns for how long it has been failing in this way.
    pub(super) fn failed(&self, error: Error, now: Instant) -> Duration {
        let mut trouble = self.trouble.lock();
        let code = error.code();
        let same = trouble.take().filter(|before| {
            before.error.code() == code || (before.is_unknown() && code.is_some_and(is_unknown))
        });
        let (since, failures) = same.map_or((now, 0), |before| (before.since, before.failures));
        *trouble = Some(Trouble { error, since, failures: failures.saturating_add(1) });
        now.saturating_duration_since(since)
    }

    pub(super) fn succeeded(&self) {
        *self.trouble.lock() = None;
    }

    pub(super) fn set_position(&self, position: i64) {
        self.position.store(position, Ordering::Relaxed);
    }

    /// How far the program was behind the end when it had read the last batch.
    pub(super) fn lag(&self) -> Option<i64> {
        let position = Some(self.position.load(Ordering::Relaxed)).filter(|position| *position >= 0)?;
        Some(self.high_watermark()?.saturating_sub(position).max(0))
    }

    /// How far the program was past the beginning when it had read the last batch.
    pub(super) fn lead(&self) -> Option<i64> {
        let (position, start) =
            (self.position.load(Ordering::Relaxed), self.log_start.load(Ordering::Relaxed));
        (position >= 0 && start >= 0).then(|| position.saturating_sub(start).max(0))
    }

    pub(super) fn set_preferred_replica(&self, node: i32) {
        self.preferred_replica.store(node, Ordering::Relaxed);
    }

    /// The replica that is fetched from instead of the leader, or -1.
    pub(super) fn preferred_replica(&self) -> i32 {
        self.preferred_replica.load(Ordering::Relaxed)
    }

    /// The member gives the partition up in this generation.
    pub(super) fn give_up(&self, generation: i32) {
        self.given_up_in.store(generation, Ordering::Release);
    }

    /// Whether the member has the partition no more in this generation, so that it may be another's.
    pub(super) fn is_given_up_by(&self, generation: i32) -> bool {
        self.given_up_in.load(Ordering::Acquire) < generation
    }

    /// The id of the topic that the position belongs to; zero while it is not known.
    pub(super) fn topic_id(&self) -> Uuid {
        self.topic.lock().current
    }

    /// Whether this is the id of another topic than the one that the position belongs to.
    pub(super) fn is_another(&self, id: Uuid) -> bool {
        let topic = self.topic.lock();
        id != Uuid::ZERO && topic.current != Uuid::ZERO && id != topic.current && id != topic.former
    }

    /// From now on the partition is one of this topic.
    pub(super) fn set_topic_id(&self, id: Uuid) {
        let mut topic = self.topic.lock();
        *topic = TopicIds { current: id, former: topic.current };
    }
}

/// The batches that one answer had of one partition.
pub(super) struct Chunk {
    pub(super) slot: Slot,
    pub(super) tp: TopicPartition,
    /// Whole batches; the first may begin below the offset that was asked for.
    pub(super) data: Bytes,
    /// Producer ids and first offsets of aborted transactions, by offset; `None` when all records are wanted.
    pub(super) aborted: Option<Vec<(i64, i64)>>,
    pub(super) reservation: Reservation,
}

/// Gives the bytes back when it is dropped.
pub(super) struct Reservation {
    budget: Arc<Budget>,
    partition: Arc<PartitionShared>,
    bytes: usize,
}

impl Reservation {
    pub(super) fn new(budget: &Arc<Budget>, partition: &Arc<PartitionShared>, bytes: usize) -> Self {
        budget.waiting.fetch_add(bytes, Ordering::AcqRel);
        partition.chunks.fetch_add(1, Ordering::AcqRel);
        Self { budget: Arc::clone(budget), partition: Arc::clone(partition), bytes }
    }

    pub(super) fn partition(&self) -> &Arc<PartitionShared> {
        &self.partition
    }

    /// Gives the bytes back to the other partitions already now: the chunk belongs to a paused one, which must
    /// not starve them.
    pub(super) fn park(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes > 0 {
            self.budget.give_back(bytes);
            self.budget.freed.notify();
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.partition.chunks.fetch_sub(1, Ordering::AcqRel);
        self.budget.give_back(self.bytes);
        self.budget.freed.notify();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_reserved_comes_back_once() {
        let budget = Arc::new(Budget::new(100, Wakeup::new()));
        let partition = Arc::new(PartitionShared::default());
        let mut first = Reservation::new(&budget, &partition, 70);
        let second = Reservation::new(&budget, &partition, 50);
        assert!(budget.is_full());
        assert_eq!(partition.chunks(), 2);
        first.park();
        first.park();
        assert!(!budget.is_full());
        assert_eq!((budget.waiting.load(Ordering::Relaxed), partition.chunks()), (50, 2));
        drop(first);
        drop(second);
        assert_eq!((budget.waiting.load(Ordering::Relaxed), partition.chunks()), (0, 0));
    }

    #[test]
    fn leaders_share_what_is_left() {
        const MIB: usize = 1 << 20;
        let budget = Arc::new(Budget::new(8 * MIB, Wakeup::new()));
        let partition = Arc::new(PartitionShared::default());
        let (first, second) = (budget.ask(2, 50 * MIB), budget.ask(2, 3 * MIB));
        assert_eq!((first.bytes(), second.bytes()), (4 * MIB, 3 * MIB));
        let third = budget.ask(3, 50 * MIB);
        assert_eq!(third.bytes(), MIB, "no more is left");
        assert_eq!(budget.ask(4, 50 * MIB).bytes(), LEAST_ASKED);
        drop((first, second, third));
        let read_later = Reservation::new(&budget, &partition, 7 * MIB);
        assert_eq!(budget.ask(1, 50 * MIB).bytes(), MIB);
        assert_eq!(budget.ask(1, 1).bytes(), 1);
        drop(read_later);
        assert_eq!(budget.ask(1, 50 * MIB).bytes(), 8 * MIB);
        assert_eq!(Arc::new(Budget::new(10, Wakeup::new())).ask(5, 100).bytes(), 10);
    }

    #[test]
    fn a_former_topic_is_no_news() {
        let id = |byte: u8| Uuid([byte; 16]);
        let partition = PartitionShared::default();
        assert!(!partition.is_another(id(1)), "nothing is known yet");
        partition.set_topic_id(id(1));
        assert!(
            !partition.is_another(id(1)) && !partition.is_another(Uuid::ZERO) && partition.is_another(id(2))
        );
        partition.set_topic_id(id(2));
        assert!(!partition.is_another(id(1)), "told by a broker that lags behind");
        assert!(partition.is_another(id(3)));
    }
}

//! What was fetched and not read yet, and how much of it there may be.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use bytes::Bytes;

use super::event::Slot;
use crate::net::wakeup::Wakeup;
use crate::types::TopicPartition;

/// Counts the fetched bytes that wait for the program; the fetcher stops at the limit.
#[derive(Debug)]
pub(super) struct Budget {
    used: AtomicUsize,
    limit: usize,
    freed: Wakeup,
}

impl Budget {
    /// `freed` is woken whenever bytes come free.
    pub(super) fn new(limit: usize, freed: Wakeup) -> Self {
        Self { used: AtomicUsize::new(0), limit, freed }
    }

    /// The bytes that may still be fetched.
    pub(super) fn left(&self) -> usize {
        self.limit.saturating_sub(self.used.load(Ordering::Acquire))
    }
}

/// What both threads know of a partition: figures that need no message.
#[derive(Debug)]
pub(super) struct PartitionShared {
    chunks: AtomicUsize,
    high_watermark: AtomicI64,
    log_start: AtomicI64,
}

impl Default for PartitionShared {
    fn default() -> Self {
        Self {
            chunks: AtomicUsize::new(0),
            high_watermark: AtomicI64::new(-1),
            log_start: AtomicI64::new(-1),
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
        budget.used.fetch_add(bytes, Ordering::AcqRel);
        partition.chunks.fetch_add(1, Ordering::AcqRel);
        Self { budget: Arc::clone(budget), partition: Arc::clone(partition), bytes }
    }

    /// Gives the bytes back to the other partitions already now: the chunk belongs to a paused one, which must
    /// not starve them.
    pub(super) fn park(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes > 0 {
            self.budget.used.fetch_sub(bytes, Ordering::AcqRel);
            self.budget.freed.notify();
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.partition.chunks.fetch_sub(1, Ordering::AcqRel);
        self.budget.used.fetch_sub(self.bytes, Ordering::AcqRel);
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
        assert_eq!((budget.left(), partition.chunks()), (0, 2));
        first.park();
        first.park();
        assert_eq!((budget.left(), partition.chunks()), (50, 2));
        drop(first);
        drop(second);
        assert_eq!((budget.left(), partition.chunks()), (100, 0));
    }
}

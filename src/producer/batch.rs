//! A batch on its way: what the sender holds between the queue and the answer.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::accumulator::{ReadyBatch, Reservation};
use super::handle::BatchHandle;
use crate::error::{Error, Result};
use crate::protocol::Uuid;
use crate::record::{Compression, ProducerState, SealedBatch, parts_with, restamp, split_with};

/// A batch that has been stamped for sending.
pub(super) struct Batch {
    /// Under which its outcome is awaited.
    pub(super) number: u64,
    /// Its place in the partition: the number it was opened with, and the index of its first record then. The
    /// parts of a batch that was split keep the place of the whole.
    pub(super) place: (u64, u32),
    pub(super) handle: Arc<BatchHandle>,
    /// The topic that it was sent to last.
    pub(super) topic_id: Uuid,
    /// The batch as it goes to the socket. A request that is being written shares it, so it cannot be used for
    /// other records before that request is gone.
    pub(super) bytes: Bytes,
    pub(super) count: u32,
    /// Its size before it was compressed, and that of its largest record.
    pub(super) plain_size: usize,
    pub(super) largest: usize,
    pub(super) opened: Instant,
    /// How often it was sent.
    pub(super) attempts: u32,
    /// How often under its present numbers: only then can a broker know it as a duplicate.
    pub(super) attempts_as_numbered: u32,
    /// What it was numbered with, for an idempotent producer.
    pub(super) stamp: Option<ProducerState>,
    /// Whether an attempt ended with its outcome unknown.
    pub(super) maybe_written: bool,
    /// Whether the broker has yet to tell what became of the present number: under another one it would not
    /// recognise a batch that it has written.
    pub(super) number_open: bool,
    /// Shared by the parts of a batch that was split.
    pub(super) permit: Arc<Reservation>,
}

impl Batch {
    /// Gives a batch what is known only when it is first sent.
    pub(super) fn stamp(ready: ReadyBatch, stamp: Option<ProducerState>) -> Self {
        let ReadyBatch { number, sealed, opened, handle, permit } = ready;
        Self {
            number,
            place: (number, 0),
            handle,
            topic_id: Uuid::ZERO,
            count: sealed.record_count(),
            plain_size: sealed.plain_size(),
            largest: sealed.largest_record(),
            bytes: sealed.stamp(stamp.unwrap_or(ProducerState::NONE)),
            opened,
            attempts: 0,
            attempts_as_numbered: 0,
            stamp,
            maybe_written: false,
            number_open: false,
            permit: Arc::new(permit),
        }
    }

    /// Numbers a batch anew that has been sent before.
    pub(super) fn restamp(&mut self, stamp: ProducerState) {
        if self.stamp != Some(stamp) {
            self.bytes = restamp(std::mem::take(&mut self.bytes), stamp);
            self.stamp = Some(stamp);
            self.attempts_as_numbered = 0;
        }
    }

    /// Makes two batches of one that was too large. They share its memory and follow each other in its place;
    /// sequences are contiguous over both. The numbers are still to be given.
    ///
    /// # Errors
    /// That the batch cannot be read, which is a defect of ours.
    pub(super) fn split(&self, compression: &Compression) -> Result<[Self; 2]> {
        let (first, second) =
            split_with(self.bytes.clone(), compression).map_err(|error| self.unreadable(error))?;
        let in_first = first.record_count();
        Ok([self.part(first, 0), self.part(second, in_first)])
    }

    /// Makes a batch of each run of records between those that are left out, which are in ascending order. As those of
    /// [`split`](Self::split); sequences are not contiguous.
    ///
    /// # Errors
    /// That the batch cannot be read, which is a defect of ours.
    pub(super) fn without(&self, left_out: &[u32], compression: &Compression) -> Result<Vec<Self>> {
        let mut ranges = Vec::new();
        let mut from = 0;
        for end in left_out.iter().copied().chain([self.count]) {
            if from < end {
                ranges.push(from..end);
            }
            from = end.saturating_add(1);
        }
        let places: Vec<Range<usize>> =
            ranges.iter().map(|range| range.start as usize..range.end as usize).collect();
        let sealed = parts_with(&self.bytes, compression, &places).map_err(|error| self.unreadable(error))?;
        Ok(sealed.into_iter().zip(ranges).map(|(sealed, range)| self.part(sealed, range.start)).collect())
    }

    fn unreadable(&self, error: Error) -> Error {
        let tp = self.handle.topic_partition();
        error.with_topic(tp.topic()).with_partition(tp.partition())
    }

    /// A part of this batch, which begins with the record `skipped`.
    fn part(&self, sealed: SealedBatch, skipped: u32) -> Self {
        let stamp = self.stamp.map(|stamp| ProducerState {
            base_sequence: sequence_after(stamp.base_sequence, skipped),
            ..stamp
        });
        let count = sealed.record_count();
        Self {
            number: self.number,
            place: (self.place.0, self.place.1 + skipped),
            handle: Arc::new(self.handle.of_part(count)),
            topic_id: self.topic_id,
            count,
            plain_size: sealed.plain_size(),
            largest: sealed.largest_record(),
            bytes: sealed.stamp(stamp.unwrap_or(ProducerState::NONE)),
            opened: self.opened,
            attempts: 0,
            attempts_as_numbered: 0,
            stamp,
            maybe_written: false,
            number_open: false,
            permit: Arc::clone(&self.permit),
        }
    }
}

/// The sequence `count` records after `sequence`; after the largest comes 0.
pub(super) fn sequence_after(sequence: i32, count: u32) -> i32 {
    let sum = i64::from(sequence) + i64::from(count);
    (sum % (i64::from(i32::MAX) + 1)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_wrap_to_zero() {
        assert_eq!(sequence_after(0, 5), 5);
        assert_eq!(sequence_after(i32::MAX - 1, 1), i32::MAX);
        assert_eq!(sequence_after(i32::MAX, 1), 0);
        assert_eq!(sequence_after(i32::MAX - 2, 5), 2);
    }
}

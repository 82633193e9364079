//! What a partition knows of idempotent producers: epochs and sequences, checked as Kafka's leaders do.

use std::collections::{HashMap, VecDeque};

use crate::error_code::ErrorCode;
use crate::record::ProducerState;

/// The producers of one partition.
#[derive(Debug, Default)]
pub(crate) struct Producers(HashMap<i64, Known>);

#[derive(Debug)]
struct Known {
    epoch: i16,
    /// The last batches, oldest first.
    window: VecDeque<Written>,
}

#[derive(Clone, Copy, Debug)]
struct Written {
    first_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
}

/// What to do with a batch that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the next one.
    Next,
    /// It was written before, at this offset.
    Duplicate { base_offset: i64 },
}

/// How many batches of a producer are recognised as duplicates.
const WINDOW: usize = 5;

impl Producers {
    /// Whether a batch of `count` records may be appended.
    pub(crate) fn check(&self, batch: ProducerState, count: u32) -> Result<Verdict, ErrorCode> {
        // A producer that this partition has never seen may begin anywhere: its state may have expired.
        let Some(known) = self.0.get(&batch.id) else { return Ok(Verdict::Next) };
        if batch.epoch < known.epoch {
            return Err(ErrorCode::INVALID_PRODUCER_EPOCH);
        }
        if batch.epoch > known.epoch {
            return if batch.base_sequence == 0 {
                Ok(Verdict::Next)
            } else {
                Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER)
            };
        }
        let last = last_sequence(batch.base_sequence, count);
        let same = |written: &&Written| {
            written.first_sequence == batch.base_sequence && written.last_sequence == last
        };
        if let Some(written) = known.window.iter().find(same) {
            return Ok(Verdict::Duplicate { base_offset: written.base_offset });
        }
        match known.window.back() {
            Some(newest) if following(newest.last_sequence) != batch.base_sequence => {
                Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER)
            }
            _ => Ok(Verdict::Next),
        }
    }

    /// Notes a batch that is appended.
    pub(crate) fn record(&mut self, batch: ProducerState, count: u32, base_offset: i64) {
        let known = self.0.entry(batch.id).or_insert(Known { epoch: batch.epoch, window: VecDeque::new() });
        if known.epoch != batch.epoch {
            known.epoch = batch.epoch;
            known.window.clear();
        }
        if known.window.len() == WINDOW {
            known.window.pop_front();
        }
        known.window.push_back(Written {
            first_sequence: batch.base_sequence,
            last_sequence: last_sequence(batch.base_sequence, count),
            base_offset,
        });
    }

    /// Forgets batches that were cut off the log.
    pub(crate) fn forget_from(&mut self, offset: i64) {
        self.0.retain(|_, known| {
            known.window.retain(|written| written.base_offset < offset);
            !known.window.is_empty()
        });
    }
}

/// Sequences go from 0 to `i32::MAX` and then on from 0.
fn following(sequence: i32) -> i32 {
    sequence.checked_add(1).unwrap_or(0)
}

fn last_sequence(first: i32, count: u32) -> i32 {
    let last = i64::from(first) + i64::from(count) - 1;
    (last & i64::from(i32::MAX)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(epoch: i16, base_sequence: i32) -> ProducerState {
        ProducerState { id: 7, epoch, base_sequence, transactional: false }
    }

    #[test]
    fn sequences_are_checked_as_kafka_checks_them() {
        let mut producers = Producers::default();
        for (i, sequence) in (0..70).step_by(10).enumerate() {
            assert_eq!(producers.check(batch(0, sequence), 10), Ok(Verdict::Next));
            producers.record(batch(0, sequence), 10, i as i64 * 100);
        }
        assert_eq!(producers.check(batch(0, 60), 10), Ok(Verdict::Duplicate { base_offset: 600 }));
        assert_eq!(producers.check(batch(0, 20), 10), Ok(Verdict::Duplicate { base_offset: 200 }));
        let out_of_order = Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
        assert_eq!(producers.check(batch(0, 10), 10), out_of_order, "six batches back");
        assert_eq!(producers.check(batch(0, 60), 9), out_of_order, "same start, other length");
        assert_eq!(producers.check(batch(0, 71), 1), out_of_order, "a gap");
        assert_eq!(producers.check(batch(1, 5), 1), out_of_order, "a new epoch begins at 0");
        assert_eq!(producers.check(batch(1, 0), 1), Ok(Verdict::Next));
        producers.record(batch(1, 0), 1, 700);
        assert_eq!(producers.check(batch(0, 70), 1), Err(ErrorCode::INVALID_PRODUCER_EPOCH));
    }

    #[test]
    fn sequences_wrap() {
        let mut producers = Producers::default();
        producers.record(batch(0, i32::MAX - 1), 4, 0);
        assert_eq!(producers.check(batch(0, 2), 1), Ok(Verdict::Next));
        producers.forget_from(0);
        assert_eq!(producers.check(batch(0, 9), 1), Ok(Verdict::Next), "unknown producers begin anywhere");
    }
}

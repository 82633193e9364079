//! What a partition knows of its producers: epochs, sequences and open transactions, checked as Kafka's leaders do.

use std::collections::{HashMap, VecDeque};

use crate::error_code::ErrorCode;
use crate::record::ProducerState;

/// The producers of one partition.
#[derive(Debug, Default)]
pub(crate) struct Producers(HashMap<i64, Known>);

/// What is known of one producer.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) epoch: i16,
    /// The last batches, oldest first. Empty right after a marker of a newer epoch.
    window: VecDeque<Written>,
    /// When it wrote last, in milliseconds since 1970.
    pub(crate) last_timestamp: i64,
    /// The epoch of the coordinator whose marker came last; -1 for none.
    pub(crate) coordinator_epoch: i32,
    /// The first offset of the transaction that is open here.
    pub(crate) open_since: Option<i64>,
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

impl Known {
    fn new(epoch: i16) -> Self {
        let window = VecDeque::with_capacity(WINDOW);
        Self { epoch, window, last_timestamp: -1, coordinator_epoch: -1, open_since: None }
    }

    /// The sequence of the last record; -1 when nothing was written under the present epoch.
    pub(crate) fn last_sequence(&self) -> i32 {
        self.window.back().map_or(-1, |newest| newest.last_sequence)
    }

    fn enter(&mut self, epoch: i16) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.window.clear();
        }
    }
}

impl Producers {
    /// Whether a batch of `count` records may be appended. `unknown` is what a broker of old says to a producer
    /// whose state it has not got and whose sequence is not 0; newer ones take whatever comes (KIP-360).
    pub(crate) fn check(
        &self,
        batch: ProducerState,
        count: u32,
        unknown: Option<ErrorCode>,
    ) -> Result<Verdict, ErrorCode> {
        let Some(known) = self.0.get(&batch.id) else {
            return match unknown {
                Some(code) if batch.base_sequence != 0 => Err(code),
                _ => Ok(Verdict::Next),
            };
        };
        if batch.epoch < known.epoch {
            return Err(ErrorCode::INVALID_PRODUCER_EPOCH);
        }
        let last = last_sequence(batch.base_sequence, count);
        let same = |written: &&Written| {
            written.first_sequence == batch.base_sequence && written.last_sequence == last
        };
        if batch.epoch == known.epoch {
            if let Some(written) = known.window.iter().find(same) {
                return Ok(Verdict::Duplicate { base_offset: written.base_offset });
            }
        }
        let expected = match known.window.back() {
            Some(newest) if batch.epoch == known.epoch => following(newest.last_sequence),
            _ => 0,
        };
        if batch.base_sequence != expected {
            return Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
        }
        if known.open_since.is_some() && !batch.transactional {
            return Err(ErrorCode::INVALID_TXN_STATE);
        }
        Ok(Verdict::Next)
    }

    /// Notes a batch that is appended; one of a transaction opens it here.
    pub(crate) fn record(&mut self, batch: ProducerState, count: u32, base_offset: i64, timestamp: i64) {
        let known = self.0.entry(batch.id).or_insert_with(|| Known::new(batch.epoch));
        known.enter(batch.epoch);
        if known.window.len() == WINDOW {
            known.window.pop_front();
        }
        known.window.push_back(Written {
            first_sequence: batch.base_sequence,
            last_sequence: last_sequence(batch.base_sequence, count),
            base_offset,
        });
        known.last_timestamp = timestamp;
        if batch.transactional {
            known.open_since.get_or_insert(base_offset);
        }
    }

    /// Whether a coordinator may end a producer's transaction here.
    pub(crate) fn check_end(&self, id: i64, epoch: i16, coordinator_epoch: i32) -> Result<(), ErrorCode> {
        match self.0.get(&id) {
            Some(known) if epoch < known.epoch => Err(ErrorCode::INVALID_PRODUCER_EPOCH),
            Some(known) if coordinator_epoch < known.coordinator_epoch => {
                Err(ErrorCode::TRANSACTION_COORDINATOR_FENCED)
            }
            _ => Ok(()),
        }
    }

    /// Notes that a transaction has ended. Returns its first offset, if it had records here.
    pub(crate) fn end(&mut self, id: i64, epoch: i16, coordinator_epoch: i32, timestamp: i64) -> Option<i64> {
        let known = self.0.entry(id).or_insert_with(|| Known::new(epoch));
        known.enter(epoch);
        known.coordinator_epoch = coordinator_epoch;
        known.last_timestamp = timestamp;
        known.open_since.take()
    }

    /// The first offset that belongs to an open transaction.
    pub(crate) fn first_open(&self) -> Option<i64> {
        self.0.values().filter_map(|known| known.open_since).min()
    }

    /// All producers, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, &Known)> {
        self.0.iter().map(|(id, known)| (*id, known))
    }

    /// Forgets the producers that have no transaction open.
    pub(crate) fn forget_idle(&mut self) {
        self.0.retain(|_, known| known.open_since.is_some());
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

    fn of_transaction(epoch: i16, base_sequence: i32) -> ProducerState {
        ProducerState { transactional: true, ..batch(epoch, base_sequence) }
    }

    #[test]
    fn sequences_are_checked_as_kafka_checks_them() {
        let mut producers = Producers::default();
        for (i, sequence) in (0..70).step_by(10).enumerate() {
            assert_eq!(producers.check(batch(0, sequence), 10, None), Ok(Verdict::Next));
            producers.record(batch(0, sequence), 10, i as i64 * 100, 1);
        }
        assert_eq!(producers.check(batch(0, 60), 10, None), Ok(Verdict::Duplicate { base_offset: 600 }));
        assert_eq!(producers.check(batch(0, 20), 10, None), Ok(Verdict::Duplicate { base_offset: 200 }));
        let out_of_order = Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
        assert_eq!(producers.check(batch(0, 10), 10, None), out_of_order, "six batches back");
        assert_eq!(producers.check(batch(0, 60), 9, None), out_of_order, "same start, other length");
        assert_eq!(producers.check(batch(0, 71), 1, None), out_of_order, "a gap");
        assert_eq!(producers.check(batch(1, 5), 1, None), out_of_order, "a new epoch begins at 0");
        assert_eq!(producers.check(batch(1, 0), 1, None), Ok(Verdict::Next));
        producers.record(batch(1, 0), 1, 700, 1);
        assert_eq!(producers.check(batch(0, 70), 1, None), Err(ErrorCode::INVALID_PRODUCER_EPOCH));
    }

    #[test]
    fn sequences_wrap() {
        let mut producers = Producers::default();
        producers.record(batch(0, i32::MAX - 1), 4, 0, 1);
        assert_eq!(producers.check(batch(0, 2), 1, None), Ok(Verdict::Next));
        producers.forget_idle();
        assert_eq!(
            producers.check(batch(0, 9), 1, None),
            Ok(Verdict::Next),
            "unknown producers begin anywhere"
        );
        let old = Some(ErrorCode::UNKNOWN_PRODUCER_ID);
        assert_eq!(
            producers.check(batch(0, 9), 1, old),
            Err(ErrorCode::UNKNOWN_PRODUCER_ID),
            "not with old brokers"
        );
        assert_eq!(producers.check(batch(0, 0), 1, old), Ok(Verdict::Next));
    }

    #[test]
    fn a_transaction_is_open_until_its_marker() {
        let mut producers = Producers::default();
        producers.record(of_transaction(0, 0), 2, 10, 1);
        producers.record(of_transaction(0, 2), 2, 12, 1);
        assert_eq!(producers.first_open(), Some(10));
        assert_eq!(producers.check(batch(0, 4), 1, None), Err(ErrorCode::INVALID_TXN_STATE));
        producers.forget_idle();
        assert_eq!(producers.check_end(7, -1, 0), Err(ErrorCode::INVALID_PRODUCER_EPOCH));
        assert_eq!(producers.check_end(7, 1, 0), Ok(()));
        assert_eq!(producers.end(7, 1, 0, 2), Some(10));
        assert_eq!((producers.first_open(), producers.end(7, 1, 0, 2)), (None, None));
        assert_eq!(producers.check(of_transaction(0, 4), 1, None), Err(ErrorCode::INVALID_PRODUCER_EPOCH));
        let out_of_order = Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
        assert_eq!(
            producers.check(of_transaction(1, 4), 1, None),
            out_of_order,
            "a raised epoch begins at 0"
        );
        assert_eq!(producers.check(of_transaction(1, 0), 1, None), Ok(Verdict::Next));
        assert_eq!(producers.check_end(7, 1, -1), Err(ErrorCode::TRANSACTION_COORDINATOR_FENCED));
    }
}

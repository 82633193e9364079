//! Reads a chunk, record by record, on the program's thread: checksum, decompression, parsing.

use std::collections::HashSet;
use std::sync::Arc;

use super::buffer::{Chunk, Reservation};
use super::event::Slot;
use super::failure::{DeserializationFailure, RecordPart};
use super::record::{BatchInfo, ConsumerRecord, LazyHeaders, NO_HEADERS};
use super::sensors::Sensors;
use super::subscription::PartitionState;
use crate::error::{Error, ErrorKind, Result};
use crate::record::{Batch, Batches, ControlType, DecompressLimits, RawRecord, RecordError, Records};
use crate::serializer::{DefaultSerializer, Deserializer};
use crate::types::TopicPartition;

pub(super) struct Reader {
    pub(super) slot: Slot,
    pub(super) tp: TopicPartition,
    batches: Batches,
    open: Option<Open>,
    check_crc: bool,
    limits: DecompressLimits,
    aborted: Option<Aborted>,
    /// The bytes of the chunk, and the records that were taken from it.
    size: usize,
    taken: u64,
    sensors: Sensors,
    pub(super) reservation: Reservation,
}

/// The batch that is being read.
struct Open {
    batch: Batch,
    /// How many records the program gets of it.
    count: u32,
    records: Records,
    info: Arc<BatchInfo>,
}

/// Which producers' records are to be left out.
struct Aborted {
    /// What is to come, the last one first.
    ahead: Vec<(i64, i64)>,
    now: HashSet<i64>,
}

impl Reader {
    pub(super) fn new(chunk: Chunk, check_crc: bool, limits: DecompressLimits, sensors: Sensors) -> Self {
        let aborted = chunk.aborted.map(|mut ahead| {
            ahead.sort_unstable_by_key(|(_, first)| std::cmp::Reverse(*first));
            Aborted { ahead, now: HashSet::new() }
        });
        Self {
            slot: chunk.slot,
            tp: chunk.tp,
            size: chunk.data.len(),
            taken: 0,
            sensors,
            batches: Batches::new(chunk.data),
            open: None,
            check_crc,
            limits,
            aborted,
            reservation: chunk.reservation,
        }
    }

    /// The next record at or behind the position; moves the position past what holds none. `None` at the end.
    #[inline]
    pub(super) fn next(&mut self, partition: &mut PartitionState) -> Option<Result<RawRecord, RecordError>> {
        loop {
            if let Some(open) = &mut self.open {
                match open.records.next() {
                    Some(Ok(record)) if record.offset >= partition.position() => {
                        partition.delivered(record.offset);
                        return Some(Ok(record));
                    }
                    // A compressed batch begins where it begins, whatever was asked for.
                    Some(Ok(_)) => {
                        open.count = open.count.saturating_sub(1);
                        continue;
                    }
                    Some(Err(error)) => {
                        self.open = None;
                        return Some(Err(error));
                    }
                    None => {
                        partition.passed(open.records.next_offset());
                        self.taken += u64::from(open.count);
                        self.open = None;
                    }
                }
            }
            match self.open_next(partition) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }

    #[cold]
    fn open_next(&mut self, partition: &mut PartitionState) -> Result<bool, RecordError> {
        loop {
            let Some(batch) = self.batches.next() else { return Ok(false) };
            let batch = batch?;
            if batch.next_offset() <= partition.position() {
                continue;
            }
            if self.leaves_out(&batch)? {
                partition.passed(batch.next_offset());
                continue;
            }
            let records = batch.records(self.check_crc, &self.limits)?;
            partition.set_leader_epoch(batch.leader_epoch());
            let info = BatchInfo {
                tp: self.tp.clone(),
                leader_epoch: batch.leader_epoch(),
                timestamp_type: batch.timestamp_type(),
            };
            let count = records.remaining();
            self.open = Some(Open { batch, count, records, info: Arc::new(info) });
            return Ok(true);
        }
    }

    /// Whether a batch is not for the program: the broker's own, or of an aborted transaction.
    fn leaves_out(&mut self, batch: &Batch) -> Result<bool, RecordError> {
        let Some(aborted) = &mut self.aborted else { return Ok(batch.is_control()) };
        while let Some((producer, first)) = aborted.ahead.last().copied() {
            if first > batch.last_offset() {
                break;
            }
            aborted.ahead.pop();
            aborted.now.insert(producer);
        }
        if batch.is_control() {
            if batch.control_type()? == Some(ControlType::Abort) {
                aborted.now.remove(&batch.producer_id());
            }
            return Ok(true);
        }
        Ok(batch.is_transactional() && aborted.now.contains(&batch.producer_id()))
    }

    /// The record that [`next`](Self::next) has just found, with key and value as the program wants them.
    #[inline]
    pub(super) fn build<K: Deserializer, V: Deserializer>(
        &self,
        raw: &RawRecord,
        key: &K,
        value: &V,
    ) -> Result<ConsumerRecord<K::Output, V::Output>, Undone> {
        let Some(open) = &self.open else { return Err(Undone::NoBatch) };
        let size = |part: Option<crate::record::Span>| part.map_or(-1, |span| span.len() as i32);
        let headers = if raw.header_count == 0 {
            None
        } else {
            Some(Box::new(LazyHeaders::new(open.records.bytes(raw.headers), raw.header_count)))
        };
        let for_key = match &headers {
            Some(headers) if key.reads_headers() => headers.get(),
            _ => &NO_HEADERS,
        };
        let for_value = match &headers {
            Some(headers) if value.reads_headers() => headers.get(),
            _ => &NO_HEADERS,
        };
        let (topic, records) = (self.tp.topic(), &open.records);
        let key = key
            .deserialize(topic, for_key, raw.key.map(|span| records.bytes(span)))
            .map_err(|error| Undone::Deserializer(RecordPart::Key, error))?;
        let value = value
            .deserialize(topic, for_value, raw.value.map(|span| records.bytes(span)))
            .map_err(|error| Undone::Deserializer(RecordPart::Value, error))?;
        Ok(ConsumerRecord {
            batch: Arc::clone(&open.info),
            offset: raw.offset,
            timestamp: raw.timestamp,
            key,
            value,
            headers,
            key_size: size(raw.key),
            value_size: size(raw.value),
        })
    }

    /// The error of a record that could not be built. The record is the next one again.
    #[cold]
    pub(super) fn undone(&mut self, partition: &mut PartitionState, raw: &RawRecord, why: Undone) -> Error {
        let record = self.build(raw, &DefaultSerializer, &DefaultSerializer).ok();
        partition.withheld(raw.offset);
        if let Some(open) = &mut self.open {
            // It was read once, checksum and all; what comes before the position is passed over.
            if let Ok(records) = open.batch.records(false, &self.limits) {
                self.taken += u64::from(open.count.saturating_sub(open.records.remaining() + 1));
                open.count = records.remaining();
                open.records = records;
            }
        }
        let error = match (why, record) {
            (Undone::Deserializer(part, cause), Some(record)) => {
                let text = format!(
                    "the {part} of a record cannot be deserialized; the position stays there until the program seeks"
                );
                Error::new(ErrorKind::Deserialization, text)
                    .with_source(DeserializationFailure::new(record, part, cause))
            }
            (Undone::Deserializer(_, cause), None) => cause,
            (Undone::NoBatch, _) => Error::new(ErrorKind::IllegalState, "no batch is open"),
        };
        error.with_topic(self.tp.topic()).with_partition(self.tp.partition()).with_offset(raw.offset)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(open) = &self.open {
            self.taken += u64::from(open.count.saturating_sub(open.records.remaining()));
        }
        let bytes = self.size.saturating_sub(self.batches.remaining());
        if bytes > 0 {
            self.sensors.consumed(&self.tp, self.reservation.partition(), bytes, self.taken);
        }
    }
}

/// Why a record was not built.
pub(super) enum Undone {
    NoBatch,
    Deserializer(RecordPart, Error),
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::config::AutoOffsetReset;
    use crate::consumer::buffer::{Budget, PartitionShared};
    use crate::consumer::subscription::{ResetPolicy, SubscriptionState};
    use crate::metrics::Registry;
    use crate::net::clock::Clock;
    use crate::net::wakeup::Wakeup;
    use crate::record::{BatchBuilder, Compression, ProducerState, assign_offsets, control_batch};

    const PRODUCER: i64 = 7;

    /// Three records at `offset`.
    fn batch(offset: i64, transactional: bool) -> Bytes {
        let mut builder = BatchBuilder::new(Vec::new(), 1 << 20);
        for number in 0..3 {
            builder.try_append(0, None, Some(&[number]), &[]).expect("room");
        }
        let producer = ProducerState { id: PRODUCER, epoch: 0, base_sequence: 0, transactional };
        assign_offsets(builder.seal(&Compression::NONE, 2).expect("sealed").stamp(producer), offset, 4, None)
    }

    fn marker(offset: i64, control: ControlType) -> Bytes {
        assign_offsets(control_batch(control, PRODUCER, 0, 0, 0).expect("a batch"), offset, 4, None)
    }

    /// What comes out of a chunk, and the position afterwards.
    fn read(parts: &[Bytes], from: i64, aborted: Option<Vec<(i64, i64)>>) -> (Vec<Result<i64, i64>>, i64) {
        let mut state = SubscriptionState::new(ResetPolicy::of(AutoOffsetReset::None));
        let tp = TopicPartition::new("t", 0);
        state.set_partitions([tp.clone()]);
        state.seek(&tp, &from.into()).expect("assigned");
        let slot = state.iter().next().expect("one").0;
        let (budget, shared) =
            (Arc::new(Budget::new(1, Wakeup::new())), Arc::new(PartitionShared::default()));
        let reservation = Reservation::new(&budget, &shared, 1);
        let chunk = Chunk { slot, tp, data: parts.concat().into(), aborted, reservation };
        let mut reader = Reader::new(
            chunk,
            true,
            DecompressLimits::default(),
            Sensors::new(&Registry::off(), Clock::system()),
        );
        let partition = state.at(slot).expect("present");
        let mut seen = Vec::new();
        while let Some(record) = reader.next(partition) {
            let failed = record.is_err();
            seen.push(record.map(|record| record.offset).map_err(|error| error.next_offset()));
            if failed {
                break;
            }
        }
        (seen, partition.position())
    }

    #[test]
    fn a_batch_is_read_from_the_position_on() {
        let all = [batch(0, false), batch(3, false)];
        assert_eq!(read(&all, 0, None), ((0..6).map(Ok).collect(), 6));
        assert_eq!(read(&all, 4, None), (vec![Ok(4), Ok(5)], 6));
        assert_eq!(read(&all, 6, None), (vec![], 6));
    }

    #[test]
    fn markers_and_gaps_move_the_position() {
        let (seen, position) = read(&[batch(0, false), marker(3, ControlType::Commit)], 0, None);
        assert_eq!((seen.len(), position), (3, 4));
        assert_eq!(read(&[marker(3, ControlType::Abort)], 1, None), (vec![], 4));
        let (seen, position) = read(&[batch(0, false), batch(10, false)], 0, None);
        assert_eq!((seen.len(), position), (6, 13));
    }

    #[test]
    fn aborted_records_are_left_out() {
        let log = [
            batch(0, true),
            marker(3, ControlType::Commit),
            batch(4, true),
            batch(7, false),
            marker(10, ControlType::Abort),
            batch(11, true),
        ];
        let expected: Vec<_> = [0, 1, 2, 7, 8, 9, 11, 12, 13].map(Ok).into();
        assert_eq!(read(&log, 0, Some(vec![(PRODUCER, 4)])), (expected, 14));
        assert_eq!(read(&log, 0, None).0.len(), 12, "all of them without isolation");
        assert_eq!(read(&log[2..3], 4, Some(vec![(PRODUCER, 4)])), (vec![], 7));
    }

    #[test]
    fn good_records_come_before_the_damage() {
        let mut bad = batch(3, false).to_vec();
        *bad.last_mut().expect("bytes") ^= 1;
        let parts = [batch(0, false), bad.into(), batch(6, false)];
        assert_eq!(read(&parts, 0, None), (vec![Ok(0), Ok(1), Ok(2), Err(6)], 3));
    }
}

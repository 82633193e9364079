//! The log of one partition: batches as they came, offsets, leader epochs, and what is known of producers and their
//! transactions.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};

use crate::error_code::ErrorCode;
use crate::record::{
    Batch, BatchBuilder, Batches, Codec, Compression, ControlType, DecompressLimits, ProducerState,
    TimestampType, assign_offsets, control_batch,
};

use super::producers::{Producers, Verdict};
use super::records::MockRecord;

/// The log of one partition. Every replica sees the same one, so the high watermark is its end.
#[derive(Debug, Default)]
pub(crate) struct Log {
    batches: VecDeque<Stored>,
    start_offset: i64,
    end_offset: i64,
    /// The first offset of each leader epoch, in order.
    epochs: Vec<(i32, i64)>,
    producers: Producers,
    /// The transactions that were aborted, in the order of their ends.
    aborted: Vec<Aborted>,
}

/// A transaction that was aborted, as far as it had records here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Aborted {
    pub(crate) producer_id: i64,
    pub(crate) first_offset: i64,
    /// The offset of the marker.
    last_offset: i64,
}

/// The end of a producer's transaction, as a coordinator has it written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marker {
    pub(crate) commit: bool,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) coordinator_epoch: i32,
}

#[derive(Debug)]
struct Stored {
    last_offset: i64,
    max_timestamp: i64,
    bytes: Bytes,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Appended {
    pub(crate) base_offset: i64,
    /// -1 when the records keep their own timestamps.
    pub(crate) append_time: i64,
}

/// The rules for what is appended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AppendRules {
    pub(crate) leader_epoch: i32,
    pub(crate) max_batch_bytes: usize,
    /// The time of the append, when the topic stamps records with it.
    pub(crate) append_time: Option<i64>,
    /// Whether message sets of magic 0 and 1 are taken (Produce below version 3).
    pub(crate) legacy: bool,
    /// What is said to a producer whose state was lost; `None` when it may go on with any sequence.
    pub(crate) unknown_producer: Option<ErrorCode>,
    pub(crate) now_ms: i64,
}

const LIMITS: DecompressLimits = DecompressLimits { max_bytes: 1 << 30 };

/// Where the checksum of a batch is, and where the bytes begin that it covers.
const CRC: std::ops::Range<usize> = 17..21;

impl Log {
    pub(crate) fn start_offset(&self) -> i64 {
        self.start_offset
    }

    pub(crate) fn end_offset(&self) -> i64 {
        self.end_offset
    }

    /// Checks what a producer sent and appends it.
    pub(crate) fn append(&mut self, data: &Bytes, rules: AppendRules) -> Result<Appended, ErrorCode> {
        let mut batches = Batches::new(data.clone());
        let Some(first) = batches.next() else { return Err(ErrorCode::CORRUPT_MESSAGE) };
        let first = first.map_err(|_| ErrorCode::CORRUPT_MESSAGE)?;
        let batch = if first.magic() == 2 && rules.legacy {
            // A broker of that time reads the format of a later one as damage.
            return Err(ErrorCode::CORRUPT_MESSAGE);
        } else if first.magic() == 2 {
            if batches.remaining() > 0 {
                return Err(ErrorCode::INVALID_RECORD);
            }
            check(&first)?;
            first
        } else if rules.legacy {
            to_current(data, rules.now_ms)?
        } else {
            return Err(ErrorCode::INVALID_RECORD);
        };
        if batch.size() > rules.max_batch_bytes {
            return Err(ErrorCode::MESSAGE_TOO_LARGE);
        }
        let state = ProducerState::from(&batch);
        let count = batch.record_count().unwrap_or(0);
        let append_time = rules.append_time.unwrap_or(-1);
        if state.id >= 0 {
            match self.producers.check(state, count, rules.unknown_producer)? {
                Verdict::Next => self.producers.record(state, count, self.end_offset, rules.now_ms),
                Verdict::Duplicate { base_offset } => return Ok(Appended { base_offset, append_time }),
            }
        }
        let base_offset = self.end_offset;
        self.place(&batch, rules.leader_epoch, rules.append_time);
        Ok(Appended { base_offset, append_time })
    }

    /// Puts a batch at the end and believes what its header says. Returns its base offset.
    pub(crate) fn append_unchecked(&mut self, data: &Bytes, leader_epoch: i32) -> Result<i64, ErrorCode> {
        match Batches::new(data.clone()).next() {
            Some(Ok(batch)) if batch.magic() == 2 && batch.size() == data.len() => {
                let base_offset = self.end_offset;
                self.place(&batch, leader_epoch, None);
                self.follow(&batch, base_offset);
                Ok(base_offset)
            }
            _ => Err(ErrorCode::CORRUPT_MESSAGE),
        }
    }

    /// Ends a producer's transaction with a control batch.
    pub(crate) fn end_transaction(
        &mut self,
        marker: Marker,
        leader_epoch: i32,
        now_ms: i64,
    ) -> Result<(), ErrorCode> {
        let Marker { commit, producer_id, producer_epoch, coordinator_epoch } = marker;
        self.producers.check_end(producer_id, producer_epoch, coordinator_epoch)?;
        let control = if commit { ControlType::Commit } else { ControlType::Abort };
        let bytes = control_batch(control, producer_id, producer_epoch, coordinator_epoch, now_ms)
            .map_err(|_| ErrorCode::UNKNOWN_SERVER_ERROR)?;
        if let Some(Ok(batch)) = Batches::new(bytes).next() {
            let offset = self.end_offset;
            self.place(&batch, leader_epoch, None);
            self.close(marker, offset, now_ms);
        }
        Ok(())
    }

    fn close(&mut self, marker: Marker, last_offset: i64, timestamp: i64) {
        let Marker { commit, producer_id, producer_epoch, coordinator_epoch } = marker;
        let begun = self.producers.end(producer_id, producer_epoch, coordinator_epoch, timestamp);
        if let (Some(first_offset), false) = (begun, commit) {
            self.aborted.push(Aborted { producer_id, first_offset, last_offset });
        }
    }

    /// Learns of a producer from a batch that is in the log, as replicas do.
    fn follow(&mut self, batch: &Batch, base_offset: i64) {
        let state = ProducerState::from(batch);
        if state.id < 0 {
            return;
        }
        let timestamp = batch.max_timestamp();
        let marker = |commit| Marker {
            commit,
            producer_id: state.id,
            producer_epoch: state.epoch,
            coordinator_epoch: 0,
        };
        match batch.control_type() {
            Ok(Some(ControlType::Commit)) => self.close(marker(true), base_offset, timestamp),
            Ok(Some(ControlType::Abort)) => self.close(marker(false), base_offset, timestamp),
            Ok(Some(_)) => {}
            _ => self.producers.record(state, batch.record_count().unwrap_or(0), base_offset, timestamp),
        }
    }

    /// The offset below which every transaction is decided.
    pub(crate) fn last_stable_offset(&self) -> i64 {
        self.producers.first_open().unwrap_or(self.end_offset)
    }

    /// The aborted transactions with records or markers in a range of offsets.
    pub(crate) fn aborted(&self, from: i64, below: i64) -> impl Iterator<Item = &Aborted> {
        self.aborted.iter().filter(move |one| one.last_offset >= from && one.first_offset < below)
    }

    /// What is known of producers.
    pub(crate) fn producers(&self) -> &Producers {
        &self.producers
    }

    /// Puts a batch that needs no check at the end.
    fn place(&mut self, batch: &Batch, leader_epoch: i32, append_time: Option<i64>) {
        self.begin_epoch(leader_epoch);
        let base_offset = self.end_offset;
        let last_offset = base_offset + (batch.last_offset() - batch.base_offset());
        let bytes = assign_offsets(batch.bytes().clone(), base_offset, leader_epoch, append_time);
        let max_timestamp = append_time.unwrap_or_else(|| batch.max_timestamp());
        self.batches.push_back(Stored { last_offset, max_timestamp, bytes });
        self.end_offset = last_offset + 1;
    }

    /// Notes that a leader epoch begins here.
    pub(crate) fn begin_epoch(&mut self, epoch: i32) {
        if self.epochs.last().is_none_or(|(last, _)| *last < epoch) {
            self.epochs.push((epoch, self.end_offset));
        }
    }

    /// Where an epoch ends, as OffsetForLeaderEpoch tells: the largest epoch that is not above the asked one,
    /// and the first offset behind it; `(-1, -1)` for an epoch that is yet to come.
    pub(crate) fn end_of_epoch(&self, epoch: i32) -> (i32, i64) {
        match self.epochs.last() {
            Some((last, _)) if *last == epoch => return (epoch, self.end_offset),
            Some((last, _)) if *last > epoch => {}
            _ => return (-1, -1),
        }
        let above = self.epochs.partition_point(|(known, _)| *known <= epoch);
        let end = self.epochs.get(above).map_or(self.end_offset, |(_, start)| *start);
        let floor = above.checked_sub(1).and_then(|at| self.epochs.get(at));
        floor.map_or((epoch, end), |(known, _)| (*known, end))
    }

    /// The epoch of the record at an offset, or -1.
    pub(crate) fn epoch_at(&self, offset: i64) -> i32 {
        let above = self.epochs.partition_point(|(_, start)| *start <= offset);
        above.checked_sub(1).and_then(|at| self.epochs.get(at)).map_or(-1, |(epoch, _)| *epoch)
    }

    /// Whole batches from the one that holds `offset` up to `below`, as many as fit; one more than fits with
    /// `at_least_one`.
    pub(crate) fn read(&self, offset: i64, below: i64, max_bytes: usize, at_least_one: bool) -> Vec<Bytes> {
        let first = self.batches.partition_point(|batch| batch.last_offset < offset);
        let mut chunks = Vec::new();
        let mut size = 0;
        for batch in self.batches.range(first..) {
            let owed = at_least_one && chunks.is_empty();
            if batch.last_offset >= below || (size + batch.bytes.len() > max_bytes && !owed) {
                break;
            }
            size += batch.bytes.len();
            chunks.push(batch.bytes.clone());
        }
        chunks
    }

    /// The first record at or after a timestamp: offset and timestamp.
    pub(crate) fn offset_for_time(&self, timestamp: i64) -> Option<(i64, i64)> {
        let candidates = self.batches.iter().filter(|batch| batch.max_timestamp >= timestamp);
        candidates
            .flat_map(Stored::times)
            .find(|(offset, time)| *offset >= self.start_offset && *time >= timestamp)
    }

    /// The record with the latest timestamp: offset and timestamp.
    pub(crate) fn latest_timestamp(&self) -> Option<(i64, i64)> {
        let latest = self.batches.iter().map(|batch| batch.max_timestamp).max()?;
        self.offset_for_time(latest)
    }

    /// Moves the start of the log, as DeleteRecords does. -1 means to the end.
    pub(crate) fn delete_before(&mut self, offset: i64) -> Result<i64, ErrorCode> {
        let offset = if offset == -1 { self.end_offset } else { offset };
        if offset < 0 || offset > self.end_offset {
            return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
        }
        self.start_offset = self.start_offset.max(offset);
        while self.batches.front().is_some_and(|batch| batch.last_offset < self.start_offset) {
            self.batches.pop_front();
        }
        Ok(self.start_offset)
    }

    /// Cuts the end off, as a replica does that became leader without having everything. Whole batches go.
    pub(crate) fn truncate(&mut self, offset: i64) {
        while self.batches.back().is_some_and(|batch| batch.last_offset >= offset) {
            self.batches.pop_back();
        }
        let last = self.batches.back().map(|batch| batch.last_offset + 1);
        self.end_offset = last.unwrap_or(self.start_offset).min(self.end_offset);
        self.start_offset = self.start_offset.min(self.end_offset);
        self.epochs.retain(|(_, start)| *start < self.end_offset);
        self.producers = Producers::default();
        self.aborted.clear();
        for bytes in self.batches() {
            for batch in Batches::new(bytes).flatten() {
                self.follow(&batch, batch.base_offset());
            }
        }
    }

    /// Forgets the producers without an open transaction, as brokers do after `producer.id.expiration.ms`.
    pub(crate) fn forget_producers(&mut self) {
        self.producers.forget_idle();
    }

    /// All records that programs would see.
    pub(crate) fn records(&self) -> Vec<MockRecord> {
        let all = self.batches.iter().flat_map(|stored| MockRecord::all_of(&stored.bytes));
        all.filter(|record| record.offset >= self.start_offset).collect()
    }

    /// The records that readers of committed ones see.
    pub(crate) fn committed_records(&self) -> Vec<MockRecord> {
        let stable = self.last_stable_offset();
        let is_aborted = |record: &MockRecord| {
            record.is_transactional
                && self.aborted.iter().any(|aborted| {
                    aborted.producer_id == record.producer_id
                        && (aborted.first_offset..aborted.last_offset).contains(&record.offset)
                })
        };
        let all = self.records().into_iter();
        all.filter(|record| record.offset < stable && !is_aborted(record)).collect()
    }

    /// Batches as they lie in the log, in order.
    pub(crate) fn batches(&self) -> Vec<Bytes> {
        self.batches.iter().map(|stored| stored.bytes.clone()).collect()
    }
}

impl Stored {
    /// Offset and timestamp of every record; one pair of the whole batch when its codec is not built in.
    fn times(&self) -> Vec<(i64, i64)> {
        let mut times = Vec::new();
        for batch in Batches::new(self.bytes.clone()).flatten() {
            match batch.records(false, &LIMITS) {
                Ok(records) => {
                    times.extend(records.flatten().map(|record| (record.offset, record.timestamp)));
                }
                Err(_) => times.push((batch.base_offset(), batch.max_timestamp())),
            }
        }
        times
    }
}

/// What a leader checks of a batch before it takes it.
fn check(batch: &Batch) -> Result<(), ErrorCode> {
    let bytes = batch.bytes();
    let sum = bytes.get(CRC).and_then(|sum| <[u8; 4]>::try_from(sum).ok()).map(u32::from_be_bytes);
    if sum != Some(crc32c::crc32c(bytes.get(CRC.end..).unwrap_or_default())) {
        return Err(ErrorCode::CORRUPT_MESSAGE);
    }
    let count = batch.record_count().map_or(0, i64::from);
    let span = batch.last_offset() - batch.base_offset() + 1;
    if count == 0 || span != count || batch.is_control() {
        return Err(ErrorCode::INVALID_RECORD);
    }
    if batch.producer_id() >= 0 && (batch.base_sequence() < 0 || batch.producer_epoch() < 0) {
        return Err(ErrorCode::INVALID_RECORD);
    }
    if batch.is_transactional() && batch.producer_id() < 0 {
        return Err(ErrorCode::INVALID_RECORD);
    }
    match batch.codec() {
        Ok(Codec::None) => {
            let records = batch.records(false, &LIMITS).map_err(|_| ErrorCode::CORRUPT_MESSAGE)?;
            for (delta, record) in records.enumerate() {
                let offset = record.map_err(|_| ErrorCode::CORRUPT_MESSAGE)?.offset;
                if offset - batch.base_offset() != delta as i64 {
                    return Err(ErrorCode::INVALID_RECORD);
                }
            }
            Ok(())
        }
        Ok(_) => Ok(()),
        Err(_) => Err(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE),
    }
}

/// A message set of magic 0 or 1 as a batch of version 2, without compression.
fn to_current(data: &Bytes, now_ms: i64) -> Result<Batch, ErrorCode> {
    let corrupt = |_| ErrorCode::CORRUPT_MESSAGE;
    let mut builder = BatchBuilder::new(Vec::new(), usize::MAX);
    for batch in Batches::new(data.clone()) {
        let batch = batch.map_err(corrupt)?;
        let mut records = batch.records(true, &LIMITS).map_err(corrupt)?;
        while let Some(record) = records.next() {
            let record = record.map_err(corrupt)?;
            let timestamp = if record.timestamp < 0 { now_ms } else { record.timestamp };
            let key = record.key.map(|span| records.slice(span));
            let value = record.value.map(|span| records.slice(span));
            builder.try_append(timestamp, key, value, &[]).ok_or(ErrorCode::MESSAGE_TOO_LARGE)?;
        }
    }
    if builder.is_empty() {
        return Err(ErrorCode::CORRUPT_MESSAGE);
    }
    let sealed = builder.seal(&Compression::NONE, 2).map_err(|_| ErrorCode::CORRUPT_MESSAGE)?;
    let bytes = sealed.stamp(ProducerState::NONE);
    match Batches::new(bytes).next() {
        Some(Ok(batch)) => Ok(batch),
        _ => Err(ErrorCode::CORRUPT_MESSAGE),
    }
}

/// Batches of version 2 as a message set of magic 1, for Fetch below version 4. What cannot be converted is left
/// out.
pub(crate) fn to_legacy(chunks: &[Bytes]) -> Bytes {
    let mut set = BytesMut::new();
    for batch in chunks.iter().flat_map(|chunk| Batches::new(chunk.clone())).flatten() {
        let Ok(mut records) = batch.records(false, &LIMITS) else { continue };
        let append_time = batch.timestamp_type() == TimestampType::LogAppendTime;
        while let Some(Ok(record)) = records.next() {
            let key = record.key.map(|span| records.slice(span));
            let value = record.value.map(|span| records.slice(span));
            let mut message = BytesMut::new();
            message.put_i8(1);
            message.put_i8(if append_time { 8 } else { 0 });
            message.put_i64(record.timestamp);
            for part in [key, value] {
                message.put_i32(part.map_or(-1, |part| part.len() as i32));
                message.put_slice(part.unwrap_or_default());
            }
            set.put_i64(record.offset);
            set.put_i32(message.len() as i32 + 4);
            set.put_u32(crc32(&message));
            set.put_slice(&message);
        }
    }
    set.freeze()
}

/// The CRC-32 of zlib, which message sets have. Bit by bit: only tests of very old clients come here.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[cfg(test)]
mod tests;

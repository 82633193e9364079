//! The log of one partition: batches as they came, offsets, leader epochs, and what is known of producers.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};

use crate::error_code::ErrorCode;
use crate::record::{
    Batch, BatchBuilder, Batches, Codec, Compression, DecompressLimits, ProducerState, TimestampType,
    assign_offsets,
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
            match self.producers.check(state, count)? {
                Verdict::Next => self.producers.record(state, count, self.end_offset),
                Verdict::Duplicate { base_offset } => return Ok(Appended { base_offset, append_time }),
            }
        }
        let base_offset = self.end_offset;
        self.place(&batch, rules.leader_epoch, rules.append_time);
        Ok(Appended { base_offset, append_time })
    }

    /// Puts a batch at the end without a look at what it holds. Returns its base offset.
    pub(crate) fn append_unchecked(&mut self, data: &Bytes, leader_epoch: i32) -> Result<i64, ErrorCode> {
        match Batches::new(data.clone()).next() {
            Some(Ok(batch)) if batch.magic() == 2 && batch.size() == data.len() => {
                let base_offset = self.end_offset;
                self.place(&batch, leader_epoch, None);
                Ok(base_offset)
            }
            _ => Err(ErrorCode::CORRUPT_MESSAGE),
        }
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

    /// Whole batches from the one that holds `offset`, as many as fit; one more than fits with `at_least_one`.
    pub(crate) fn read(&self, offset: i64, max_bytes: usize, at_least_one: bool) -> Vec<Bytes> {
        let first = self.batches.partition_point(|batch| batch.last_offset < offset);
        let mut chunks = Vec::new();
        let mut size = 0;
        for batch in self.batches.range(first..) {
            let owed = at_least_one && chunks.is_empty();
            if size + batch.bytes.len() > max_bytes && !owed {
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
        self.producers.forget_from(self.end_offset);
    }

    /// Forgets all producers, as brokers do after `transactional.id.expiration.ms`.
    pub(crate) fn forget_producers(&mut self) {
        self.producers = Producers::default();
    }

    /// All records that programs would see.
    pub(crate) fn records(&self) -> Vec<MockRecord> {
        let all = self.batches.iter().flat_map(|stored| MockRecord::all_of(&stored.bytes));
        all.filter(|record| record.offset >= self.start_offset).collect()
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
    if batch.is_transactional() {
        // There is no coordinator that could have begun a transaction.
        return Err(ErrorCode::INVALID_TXN_STATE);
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
mod tests {
    use super::*;

    const RULES: AppendRules = AppendRules {
        leader_epoch: 0,
        max_batch_bytes: 1 << 20,
        append_time: None,
        legacy: false,
        now_ms: 5000,
    };

    fn batch(times: &[i64], magic: i8) -> Bytes {
        let mut builder = BatchBuilder::new(Vec::new(), usize::MAX);
        for time in times {
            builder.try_append(*time, Some(b"k"), Some(time.to_string().as_bytes()), &[]).unwrap();
        }
        builder.seal(&Compression::NONE, magic).unwrap().stamp(ProducerState::NONE)
    }

    fn log(batches: &[&[i64]]) -> Log {
        let mut log = Log::default();
        for times in batches {
            log.append(&batch(times, 2), RULES).unwrap();
        }
        log
    }

    #[test]
    fn batches_get_offsets_and_are_read_whole() {
        let log = log(&[&[10, 20], &[30], &[40, 50]]);
        assert_eq!((log.start_offset(), log.end_offset()), (0, 5));
        let offsets: Vec<i64> = log.records().iter().map(|record| record.offset).collect();
        assert_eq!(offsets, [0, 1, 2, 3, 4]);
        assert_eq!(log.read(1, usize::MAX, true).len(), 3, "the batch that holds the offset comes whole");
        assert_eq!(log.read(2, 1, true).len(), 1, "one batch at least");
        assert_eq!(log.read(2, 1, false).len(), 0);
        assert_eq!(log.read(5, usize::MAX, true).len(), 0);
    }

    #[test]
    fn offsets_are_found_by_time() {
        let mut log = log(&[&[10, 30], &[20, 25], &[28]]);
        assert_eq!(log.offset_for_time(0), Some((0, 10)));
        assert_eq!(log.offset_for_time(15), Some((1, 30)));
        assert_eq!(log.offset_for_time(31), None);
        assert_eq!(log.latest_timestamp(), Some((1, 30)));
        assert_eq!(log.delete_before(2), Ok(2));
        assert_eq!(log.offset_for_time(0), Some((2, 20)));
        assert_eq!(log.delete_before(6), Err(ErrorCode::OFFSET_OUT_OF_RANGE));
        assert_eq!(log.delete_before(-1), Ok(5));
        assert_eq!(log.records(), []);
    }

    #[test]
    fn epochs_end_where_the_next_one_begins() {
        let mut log = Log::default();
        log.begin_epoch(0);
        log.append(&batch(&[1, 2], 2), RULES).unwrap();
        log.append(&batch(&[3], 2), AppendRules { leader_epoch: 3, ..RULES }).unwrap();
        assert_eq!(log.end_of_epoch(0), (0, 2));
        assert_eq!(log.end_of_epoch(2), (0, 2));
        assert_eq!(log.end_of_epoch(3), (3, 3));
        assert_eq!(log.end_of_epoch(4), (-1, -1));
        assert_eq!((log.epoch_at(1), log.epoch_at(2)), (0, 3));
        log.truncate(1);
        assert_eq!(log.end_offset(), 0, "batches go as a whole");
    }

    #[test]
    fn damaged_batches_are_refused() {
        let good = batch(&[1, 2], 2);
        let mut log = Log::default();
        let damage = |at: usize, to: u8| {
            let mut bytes = good.to_vec();
            bytes[at] = to;
            Bytes::from(bytes)
        };
        let corrupt = Err(ErrorCode::CORRUPT_MESSAGE);
        assert_eq!(log.append(&damage(good.len() - 1, 7), RULES), corrupt);
        assert_eq!(log.append(&damage(16, 9), RULES), corrupt, "unknown magic");
        assert_eq!(log.append(&good.slice(..30), RULES), corrupt);
        assert_eq!(log.append(&Bytes::new(), RULES), corrupt);
        let two = Bytes::from([good.clone(), good.clone()].concat());
        assert_eq!(log.append(&two, RULES), Err(ErrorCode::INVALID_RECORD));
        let small = AppendRules { max_batch_bytes: good.len() - 1, ..RULES };
        assert_eq!(log.append(&good, small), Err(ErrorCode::MESSAGE_TOO_LARGE));
        assert_eq!(log.append(&batch(&[1], 1), RULES), Err(ErrorCode::INVALID_RECORD));
        assert_eq!(log.end_offset(), 0);
    }

    #[test]
    fn old_formats_go_in_and_out() {
        let mut log = Log::default();
        for magic in [0, 1] {
            log.append(&batch(&[100, 200], magic), AppendRules { legacy: true, ..RULES }).unwrap();
        }
        let times: Vec<i64> = log.records().iter().map(|record| record.timestamp).collect();
        assert_eq!(times, [5000, 5000, 100, 200], "magic 0 has no timestamps of its own");
        let set = to_legacy(&log.read(0, usize::MAX, true));
        let mut offsets = Vec::new();
        for message in Batches::new(set) {
            let message = message.unwrap();
            assert_eq!(message.magic(), 1);
            let records = message.records(true, &LIMITS).unwrap();
            offsets.extend(records.map(|record| record.unwrap().offset));
        }
        assert_eq!(offsets, [0, 1, 2, 3]);
    }

    #[test]
    fn append_time_replaces_the_records_own() {
        let mut log = Log::default();
        let appended = log.append(&batch(&[1], 2), AppendRules { append_time: Some(77), ..RULES }).unwrap();
        assert_eq!(appended, Appended { base_offset: 0, append_time: 77 });
        assert_eq!(log.records()[0].timestamp, 77);
    }
}

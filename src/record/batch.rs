//! What a broker sent: batch after batch, of any version.

use bytes::Bytes;

use super::compression::{Codec, CodecError, DecompressLimits, Format, decompress};
use super::error::RecordError;
use super::header::{
    ATTRIBUTES, BASE_OFFSET, BASE_SEQUENCE, BASE_TIMESTAMP, BATCH_OVERHEAD, CODEC_MASK, CONTROL, CRC,
    ControlType, LAST_OFFSET_DELTA, LEADER_EPOCH, LENGTH, LOG_APPEND_TIME, LOG_OVERHEAD, MAGIC,
    MAX_TIMESTAMP, PRODUCER_EPOCH, PRODUCER_ID, RECORD_COUNT, TRANSACTIONAL, TimestampType, field,
};
use super::legacy;
use super::records::Records;

/// Walks through the batches of a fetched partition.
///
/// A last batch that is cut off ends it without an error, for brokers cut at the size that was asked for
/// (KIP-74). An error ends it, too.
#[derive(Clone, Debug)]
pub struct Batches {
    data: Bytes,
    done: bool,
}

impl Batches {
    /// The batches in `data`.
    pub fn new(data: Bytes) -> Self {
        Self { data, done: false }
    }

    /// The size in bytes that the next batch says it has; `None` when not even that has arrived.
    pub fn first_batch_size(&self) -> Option<usize> {
        let length = field!(self.data, LENGTH, i32)?;
        Some(LOG_OVERHEAD + usize::try_from(length).ok()?)
    }

    /// Whether there are bytes left, but not a whole batch: more has to be fetched to get any further.
    pub fn needs_more(&self) -> bool {
        !self.done
            && !self.data.is_empty()
            && match field!(self.data, LENGTH, i32) {
                None => true,
                Some(length) => {
                    usize::try_from(length).is_ok_and(|length| length > self.data.len() - LOG_OVERHEAD)
                }
            }
    }

    /// The bytes that were not walked through yet.
    pub fn remaining(&self) -> usize {
        self.data.len()
    }

    fn fail(&mut self, reason: &'static str) -> Option<Result<Batch, RecordError>> {
        self.done = true;
        let base_offset = field!(self.data, BASE_OFFSET, i64).unwrap_or(0);
        Some(Err(RecordError::Corrupt { reason, base_offset, next_offset: base_offset.saturating_add(1) }))
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let length = field!(self.data, LENGTH, i32)?;
        let magic = field!(self.data, MAGIC, i8);
        let minimum = match magic {
            Some(2) => BATCH_OVERHEAD,
            _ => legacy::MIN_MESSAGE,
        };
        let Some(size) = usize::try_from(length).ok().map(|length| length + LOG_OVERHEAD) else {
            return self.fail("negative length");
        };
        if size < minimum {
            return self.fail("length below that of an empty batch");
        }
        if size > self.data.len() {
            return None;
        }
        let batch = Batch { data: self.data.slice(..size), magic: magic.unwrap_or(0) };
        if let Err(reason) = batch.check_header() {
            return self.fail(reason);
        }
        self.data = self.data.slice(size..);
        Some(Ok(batch))
    }
}

/// One batch: its header, and its records as they came.
///
/// Of magic 0 and 1, a "batch" is one message, or one compressed set of messages.
#[derive(Clone, Debug)]
pub struct Batch {
    data: Bytes,
    magic: i8,
}

impl Batch {
    fn check_header(&self) -> Result<(), &'static str> {
        match self.magic {
            0 | 1 => (),
            2 => {
                if self.last_offset_delta() < 0 {
                    return Err("negative offset delta");
                }
                if self.int(RECORD_COUNT) < 0 {
                    return Err("negative record count");
                }
            }
            _ => return Err("unknown magic number"),
        }
        if self.base_offset() < 0 { Err("negative offset") } else { Ok(()) }
    }

    fn int(&self, at: usize) -> i32 {
        field!(self.data, at, i32).unwrap_or(0)
    }

    fn long(&self, at: usize) -> i64 {
        field!(self.data, at, i64).unwrap_or(0)
    }

    fn short(&self, at: usize) -> i16 {
        field!(self.data, at, i16).unwrap_or(0)
    }

    fn is_current(&self) -> bool {
        self.magic == 2
    }

    fn last_offset_delta(&self) -> i32 {
        if self.is_current() { self.int(LAST_OFFSET_DELTA) } else { 0 }
    }

    fn attributes(&self) -> u16 {
        if self.is_current() {
            field!(self.data, ATTRIBUTES, u16).unwrap_or(0)
        } else {
            let attributes = u16::from(self.data.get(legacy::ATTRIBUTES).copied().unwrap_or(0));
            // Magic 0 has no timestamps, so the bit for their type means nothing.
            if self.magic == 0 { attributes & !LOG_APPEND_TIME } else { attributes }
        }
    }

    /// The offset of the first record. Compressed sets of magic 0 and 1 name only their last one: then it is
    /// that.
    pub fn base_offset(&self) -> i64 {
        self.long(BASE_OFFSET)
    }

    /// The offset of the last record, which may be gone since, through compaction.
    pub fn last_offset(&self) -> i64 {
        self.base_offset().saturating_add(i64::from(self.last_offset_delta()))
    }

    /// The first offset behind the batch: where to go on, even when no record came out of it.
    pub fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    /// The leader's epoch when the batch was appended; -1 when unknown, and for magic 0 and 1.
    pub fn leader_epoch(&self) -> i32 {
        if self.is_current() { self.int(LEADER_EPOCH) } else { -1 }
    }

    /// The version of the format: 0, 1 or 2.
    pub fn magic(&self) -> i8 {
        self.magic
    }

    /// How the records are compressed.
    ///
    /// # Errors
    ///
    /// `UnsupportedCodec` for an id that no version of Kafka gave out yet. A codec that this build lacks is no
    /// error here.
    pub fn codec(&self) -> Result<Codec, RecordError> {
        Codec::from_id((self.attributes() & CODEC_MASK) as u8).ok_or_else(|| RecordError::UnsupportedCodec {
            codec: "an unknown codec",
            feature: None,
            next_offset: self.next_offset(),
        })
    }

    /// Whose time the timestamps are.
    pub fn timestamp_type(&self) -> TimestampType {
        if self.attributes() & LOG_APPEND_TIME == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// The latest timestamp in milliseconds; -1 for magic 0.
    pub fn max_timestamp(&self) -> i64 {
        match self.magic {
            0 => -1,
            1 => self.long(legacy::TIMESTAMP),
            _ => self.long(MAX_TIMESTAMP),
        }
    }

    /// The id of the producer, or -1.
    pub fn producer_id(&self) -> i64 {
        if self.is_current() { self.long(PRODUCER_ID) } else { -1 }
    }

    /// The epoch of the producer, or -1.
    pub fn producer_epoch(&self) -> i16 {
        if self.is_current() { self.short(PRODUCER_EPOCH) } else { -1 }
    }

    /// The sequence number of the first record, or -1.
    pub fn base_sequence(&self) -> i32 {
        if self.is_current() { self.int(BASE_SEQUENCE) } else { -1 }
    }

    /// Whether the batch belongs to a transaction.
    pub fn is_transactional(&self) -> bool {
        self.is_current() && self.attributes() & TRANSACTIONAL != 0
    }

    /// Whether the records are the broker's own, and not for programs to see.
    pub fn is_control(&self) -> bool {
        self.is_current() && self.attributes() & CONTROL != 0
    }

    /// How many records the header says there are; `None` for a compressed set of magic 0 or 1, which does not
    /// say. Do not reserve memory by it: it comes from the network.
    pub fn record_count(&self) -> Option<u32> {
        if self.is_current() {
            return u32::try_from(self.int(RECORD_COUNT)).ok();
        }
        (self.attributes() & CODEC_MASK == 0).then_some(1)
    }

    /// The size in bytes, as it came.
    pub fn size(&self) -> usize {
        self.data.len()
    }

    /// The bytes, as they came.
    pub fn bytes(&self) -> &Bytes {
        &self.data
    }

    /// What a control batch says; `None` for other batches. The checksum is verified.
    ///
    /// # Errors
    ///
    /// As [`records`](Self::records).
    pub fn control_type(&self) -> Result<Option<ControlType>, RecordError> {
        const LIMITS: DecompressLimits = DecompressLimits { max_bytes: 1 << 20 };
        if !self.is_control() {
            return Ok(None);
        }
        let mut records = self.records(true, &LIMITS)?;
        let Some(record) = records.next() else { return Ok(None) };
        let key = record?.key.map(|key| records.slice(key)).unwrap_or_default();
        match field!(key, 2, i16) {
            Some(id) => Ok(Some(ControlType::from_id(id))),
            None => Err(self.corrupt("control record without a type")),
        }
    }

    /// Verifies the batch if `check_crc`, decompresses it within the limits, and gives its records.
    ///
    /// # Errors
    ///
    /// `Corrupt` for a wrong checksum or damaged data, `UnsupportedCodec`, and `TooLarge` when the records do
    /// not fit in the limit.
    pub fn records(&self, check_crc: bool, limits: &DecompressLimits) -> Result<Records, RecordError> {
        if !self.is_current() {
            return legacy::records(self, check_crc, limits);
        }
        if check_crc {
            let summed = self.data.get(ATTRIBUTES..).unwrap_or_default();
            if field!(self.data, CRC, u32) != Some(crc32c::crc32c(summed)) {
                return Err(self.corrupt("wrong checksum"));
            }
        }
        let count = self.record_count().unwrap_or(0);
        let packed = self.data.slice(BATCH_OVERHEAD..);
        let data = match self.codec()? {
            Codec::None => packed,
            // What compaction leaves of a batch may have a codec and no data.
            _ if count == 0 && packed.is_empty() => packed,
            codec => self.unpack(codec, &packed, Format::Standard, limits)?,
        };
        if data.len() > u32::MAX as usize {
            return Err(self.too_large(limits));
        }
        let append_time = match self.timestamp_type() {
            TimestampType::CreateTime => None,
            TimestampType::LogAppendTime => Some(self.max_timestamp()),
        };
        Ok(Records::current(self, data, count, self.long(BASE_TIMESTAMP), append_time))
    }

    pub(super) fn unpack(
        &self,
        codec: Codec,
        packed: &[u8],
        format: Format,
        limits: &DecompressLimits,
    ) -> Result<Bytes, RecordError> {
        match decompress(codec, packed, format, limits.max_bytes) {
            Ok(data) => Ok(Bytes::from(data)),
            Err(CodecError::Corrupt(reason)) => Err(self.corrupt(reason)),
            Err(CodecError::TooLarge) => Err(self.too_large(limits)),
            Err(CodecError::Missing) => Err(RecordError::UnsupportedCodec {
                codec: codec.name(),
                feature: Some(codec.name()),
                next_offset: self.next_offset(),
            }),
        }
    }

    pub(super) fn corrupt(&self, reason: &'static str) -> RecordError {
        RecordError::Corrupt { reason, base_offset: self.base_offset(), next_offset: self.next_offset() }
    }

    fn too_large(&self, limits: &DecompressLimits) -> RecordError {
        RecordError::TooLarge {
            limit: limits.max_bytes,
            base_offset: self.base_offset(),
            next_offset: self.next_offset(),
        }
    }
}

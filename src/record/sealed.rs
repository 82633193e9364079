//! A batch whose records are final, and the few fields that are written when it is sent.

use bytes::{Bytes, BytesMut};

use super::batch::Batch;
use super::builder::BatchBuilder;
use super::compression::{Codec, Compression};
use super::crc::Shift;
use super::header::{
    ATTRIBUTES, BASE_OFFSET, BASE_SEQUENCE, BASE_TIMESTAMP, BATCH_OVERHEAD, CONTROL, CRC, ControlType,
    LAST_OFFSET_DELTA, LEADER_EPOCH, LENGTH, LOG_OVERHEAD, MAGIC, MAX_TIMESTAMP, PRODUCER_EPOCH, PRODUCER_ID,
    ProducerState, RECORD_COUNT, TRANSACTIONAL, field, put,
};
use crate::error::Result;

/// A batch that is compressed and summed, and lacks only what is known when it is sent.
#[derive(Debug)]
pub struct SealedBatch {
    buf: Vec<u8>,
    magic: i8,
    codec: Codec,
    record_count: u32,
    base_timestamp: i64,
    max_timestamp: i64,
    records_crc: u32,
    shift: Shift,
    plain: Plain,
}

/// What is remembered of a batch as it was before it was compressed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plain {
    pub(super) size: usize,
    pub(super) largest_record: usize,
}

/// What a version 2 batch is made of.
pub(super) struct Parts {
    pub(super) buf: Vec<u8>,
    pub(super) codec: Codec,
    pub(super) record_count: u32,
    pub(super) base_timestamp: i64,
    pub(super) max_timestamp: i64,
    pub(super) records_crc: u32,
    pub(super) shift: Shift,
    pub(super) plain: Plain,
}

impl SealedBatch {
    pub(super) fn current(parts: Parts) -> Self {
        let Parts { buf, codec, record_count, base_timestamp, max_timestamp, records_crc, shift, plain } =
            parts;
        Self { buf, magic: 2, codec, record_count, base_timestamp, max_timestamp, records_crc, shift, plain }
    }

    pub(super) fn legacy(
        buf: Vec<u8>,
        magic: i8,
        codec: Codec,
        record_count: u32,
        max_timestamp: i64,
        plain: Plain,
    ) -> Self {
        Self {
            buf,
            magic,
            codec,
            record_count,
            base_timestamp: -1,
            max_timestamp,
            records_crc: 0,
            shift: Shift::over(0),
            plain,
        }
    }

    /// How many records the batch has.
    pub fn record_count(&self) -> u32 {
        self.record_count
    }

    /// The latest timestamp of a record, in milliseconds.
    pub fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }

    /// The size in bytes, as it will be sent.
    #[allow(clippy::len_without_is_empty, reason = "a sealed batch is never empty")]
    pub fn len(&self) -> usize {
        self.buf.len()
    }

    /// The size in bytes before it was compressed.
    pub fn plain_size(&self) -> usize {
        self.plain.size
    }

    /// The size in bytes of the largest record, as it was before it was compressed.
    pub fn largest_record(&self) -> usize {
        self.plain.largest_record
    }

    /// The version of the format: 2, or 0 or 1 for old brokers.
    pub fn magic(&self) -> i8 {
        self.magic
    }

    /// How the records are compressed.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Completes the batch for sending. The records are not read again.
    ///
    /// Message sets of magic 0 and 1 have no place for the producer's state.
    pub fn stamp(self, producer: ProducerState) -> Bytes {
        let mut buf = self.buf;
        if self.magic == 2 {
            if let Some(header) = buf.first_chunk_mut::<BATCH_OVERHEAD>() {
                let transactional = if producer.transactional { TRANSACTIONAL } else { 0 };
                put(header, ATTRIBUTES, (u16::from(self.codec.id()) | transactional).to_be_bytes());
                put(header, LAST_OFFSET_DELTA, self.record_count.wrapping_sub(1).to_be_bytes());
                put(header, BASE_TIMESTAMP, self.base_timestamp.to_be_bytes());
                put(header, MAX_TIMESTAMP, self.max_timestamp.to_be_bytes());
                put(header, RECORD_COUNT, self.record_count.to_be_bytes());
                put_producer(header, producer);
                put(header, BASE_OFFSET, 0_i64.to_be_bytes());
                put(header, LEADER_EPOCH, (-1_i32).to_be_bytes());
                put(header, MAGIC, [2]);
                let crc = self.shift.apply(crc32c::crc32c(&header[ATTRIBUTES..])) ^ self.records_crc;
                put(header, CRC, crc.to_be_bytes());
            }
            let length = buf.len().saturating_sub(LOG_OVERHEAD) as u32;
            put(&mut buf, LENGTH, length.to_be_bytes());
        }
        Bytes::from(buf)
    }
}

fn put_producer(header: &mut [u8], producer: ProducerState) {
    put(header, PRODUCER_ID, producer.id.to_be_bytes());
    put(header, PRODUCER_EPOCH, producer.epoch.to_be_bytes());
    put(header, BASE_SEQUENCE, producer.base_sequence.to_be_bytes());
}

/// Gives a batch that was stamped before another producer state, such as a raised epoch.
///
/// Done in place when nobody else holds the bytes, in a copy otherwise. The records are not read, so damage to
/// them stays visible in the checksum. Message sets of magic 0 and 1 come back as they are.
pub fn restamp(batch: Bytes, producer: ProducerState) -> Bytes {
    edit_summed(batch, |header| {
        let attributes = field!(header, ATTRIBUTES, u16).unwrap_or(0) & !TRANSACTIONAL;
        let transactional = if producer.transactional { TRANSACTIONAL } else { 0 };
        put(header, ATTRIBUTES, (attributes | transactional).to_be_bytes());
        put_producer(header, producer);
    })
}

/// Changes fields of a version 2 batch that the checksum covers, and the checksum with them.
fn edit_summed(batch: Bytes, edit: impl FnOnce(&mut [u8])) -> Bytes {
    if batch.len() < BATCH_OVERHEAD || batch.get(MAGIC) != Some(&2) {
        return batch;
    }
    let mut batch = batch.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
    let shift = Shift::over(batch.len() - BATCH_OVERHEAD);
    let header = &mut batch[..BATCH_OVERHEAD];
    let before = crc32c::crc32c(&header[ATTRIBUTES..]);
    edit(header);
    let after = crc32c::crc32c(&header[ATTRIBUTES..]);
    // The sum is linear: what changed in the header changes it by the shifted difference.
    let crc = field!(header, CRC, u32).unwrap_or(0) ^ shift.apply(before ^ after);
    put(header, CRC, crc.to_be_bytes());
    batch.freeze()
}

/// Gives a version 2 batch its place in a log, as a broker does: the offset of its first record and the leader's
/// epoch, and with `append_time` the time at which it was appended (KIP-32).
pub fn assign_offsets(batch: Bytes, base_offset: i64, leader_epoch: i32, append_time: Option<i64>) -> Bytes {
    let batch = match append_time {
        None => batch,
        Some(time) => edit_summed(batch, |header| {
            let attributes = field!(header, ATTRIBUTES, u16).unwrap_or(0) | super::header::LOG_APPEND_TIME;
            put(header, ATTRIBUTES, attributes.to_be_bytes());
            put(header, MAX_TIMESTAMP, time.to_be_bytes());
        }),
    };
    if batch.len() < BATCH_OVERHEAD {
        return batch;
    }
    let mut batch = batch.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
    put(&mut batch, BASE_OFFSET, base_offset.to_be_bytes());
    put(&mut batch, LEADER_EPOCH, leader_epoch.to_be_bytes());
    batch.freeze()
}

/// The batch that a broker writes at the end of a transaction: one record that says how it ended.
///
/// # Errors
///
/// Those of [`BatchBuilder::seal`], none of which a batch of one plain record meets.
pub fn control_batch(
    control: ControlType,
    producer_id: i64,
    producer_epoch: i16,
    coordinator_epoch: i32,
    timestamp_ms: i64,
) -> Result<Bytes> {
    let mut key = [0; 4];
    put(&mut key, 2, control.id().to_be_bytes());
    let mut value = [0; 6];
    put(&mut value, 2, coordinator_epoch.to_be_bytes());
    let mut builder = BatchBuilder::new(Vec::new(), 0);
    builder.try_append(timestamp_ms, Some(&key), Some(&value), &[]);
    let state =
        ProducerState { id: producer_id, epoch: producer_epoch, base_sequence: -1, transactional: true };
    let batch = builder.seal(&Compression::NONE, 2)?.stamp(state);
    Ok(edit_summed(batch, |header| {
        let attributes = field!(header, ATTRIBUTES, u16).unwrap_or(0) | CONTROL;
        put(header, ATTRIBUTES, attributes.to_be_bytes());
    }))
}

impl From<&Batch> for ProducerState {
    fn from(batch: &Batch) -> Self {
        Self {
            id: batch.producer_id(),
            epoch: batch.producer_epoch(),
            base_sequence: batch.base_sequence(),
            transactional: batch.is_transactional(),
        }
    }
}

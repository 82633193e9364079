//! An open batch, to which records are appended one by one.

use super::compression::{Codec, Compression, Format};
use super::header::BATCH_OVERHEAD;
use super::records::Header;
use super::sealed::{Parts, Plain, SealedBatch};
use super::varint::{Writer, len32, len64, zigzag32, zigzag64};
use super::{crc, legacy};
use crate::error::{Error, ErrorKind, Result};

/// The largest record: its length is a signed 32-bit number, and the batch's header counts, too.
const MAX_RECORD: u64 = i32::MAX as u64 - BATCH_OVERHEAD as u64;
/// How much of the buffer is made ready at a time, in bytes.
const STEP: usize = 4096;

/// One batch that is being filled. Each record is encoded once, straight into the buffer that goes to the
/// socket.
#[derive(Debug)]
pub struct BatchBuilder {
    /// The header's place, the records up to `len`, and bytes yet to be overwritten.
    buf: Vec<u8>,
    len: usize,
    limit: usize,
    count: u32,
    base_timestamp: i64,
    max_timestamp: i64,
    largest: usize,
    has_headers: bool,
}

impl BatchBuilder {
    /// An empty batch of at most `limit` bytes with its header, in a buffer whose contents do not matter.
    ///
    /// The buffer's capacity is used as far as it goes. A buffer that comes back from an earlier batch with its
    /// length saves the time of making it ready again.
    pub fn new(mut buf: Vec<u8>, limit: usize) -> Self {
        if buf.len() < BATCH_OVERHEAD {
            buf.resize(BATCH_OVERHEAD, 0);
        }
        Self {
            buf,
            len: BATCH_OVERHEAD,
            limit,
            count: 0,
            base_timestamp: -1,
            max_timestamp: -1,
            largest: 0,
            has_headers: false,
        }
    }

    /// Appends a record and gives its index in the batch, or does nothing and gives `None` when it does not fit.
    ///
    /// The first record fits whatever the limit is, unless it is larger than Kafka's format allows (2 GiB).
    /// `timestamp_ms` counts from the epoch.
    #[inline]
    pub fn try_append(
        &mut self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Option<u32> {
        self.try_append_iter(timestamp_ms, key, value, headers.iter().copied())
    }

    /// As [`try_append`](Self::try_append), with headers from wherever they are.
    #[inline]
    pub fn try_append_iter<'h>(
        &mut self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: impl ExactSizeIterator<Item = Header<'h>> + Clone,
    ) -> Option<u32> {
        let first = self.count == 0;
        let delta = if first { 0 } else { timestamp_ms.wrapping_sub(self.base_timestamp) };
        let fields = Fields {
            delta: zigzag64(delta),
            index: u64::from(self.count) << 1,
            key_len: length(key)?,
            value_len: length(value)?,
        };
        let header_count = headers.len();
        let fast = header_count == 0 && fields.are_short();
        let body = if fast { fields.short_body() } else { fields.body(header_count, headers.clone())? };
        let size = len32((body as u32) << 1) + body as usize;
        let end = self.len + size;
        if end > self.limit && !first {
            return None;
        }
        if end > self.buf.len() {
            self.make_room(end)?;
        }
        let out = self.buf.get_mut(self.len..end)?;
        if !(fast && fields.write_short(body, key, value, out)) {
            self.has_headers |= header_count != 0;
            fields.write(body, key, value, header_count, headers, out);
        }
        if first {
            self.base_timestamp = timestamp_ms;
            self.max_timestamp = timestamp_ms;
        } else if timestamp_ms > self.max_timestamp {
            self.max_timestamp = timestamp_ms;
        }
        self.largest = self.largest.max(size);
        self.len = end;
        let index = self.count;
        self.count += 1;
        Some(index)
    }

    /// How many records the batch has.
    pub fn record_count(&self) -> u32 {
        self.count
    }

    /// The size so far in bytes, with the header, not compressed.
    #[allow(clippy::len_without_is_empty, reason = "there is one: it asks for records, not bytes")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no record yet.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The timestamp of the first record, in milliseconds; -1 while there is none.
    pub fn base_timestamp(&self) -> i64 {
        self.base_timestamp
    }

    /// The latest timestamp, in milliseconds; -1 while there is none.
    pub fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }

    /// Gives the buffer back and forgets the records.
    pub fn into_buffer(self) -> Vec<u8> {
        self.buf
    }

    /// Ends the batch: compresses the records, sums them, and brings them into the format of the magic number:
    /// 2, or 1 or 0 for brokers older than 0.11 or 0.10.
    ///
    /// # Errors
    ///
    /// `IllegalState` without a record; `UnsupportedCodec` when this build or the format lacks the codec;
    /// `UnsupportedVersion` when records have headers, which magic 0 and 1 cannot carry.
    pub fn seal(mut self, compression: &Compression, magic: i8) -> Result<SealedBatch> {
        if self.count == 0 {
            return Err(Error::new(ErrorKind::IllegalState, "a batch without records cannot be sealed"));
        }
        self.buf.truncate(self.len);
        let plain = Plain { size: self.len, largest_record: self.largest };
        if magic != 2 {
            return self.seal_legacy(compression, magic, plain);
        }
        if compression.codec() != Codec::None {
            with_scratch(|scratch| -> Result<()> {
                let records = self.buf.get(BATCH_OVERHEAD..).unwrap_or_default();
                compression.compress(records, scratch, Format::Standard)?;
                self.buf.truncate(BATCH_OVERHEAD);
                // What cannot be compressed is longer than before, and is not to have room for twice as much.
                self.buf.reserve_exact(scratch.len());
                self.buf.extend_from_slice(scratch);
                Ok(())
            })?;
        }
        let records = self.buf.get(BATCH_OVERHEAD..).unwrap_or_default();
        let records_crc = crc32c::crc32c(records);
        let shift = crc::Shift::over(records.len());
        Ok(SealedBatch::current(Parts {
            buf: self.buf,
            codec: compression.codec(),
            record_count: self.count,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            records_crc,
            shift,
            plain,
        }))
    }

    fn seal_legacy(self, compression: &Compression, magic: i8, plain: Plain) -> Result<SealedBatch> {
        if self.has_headers {
            return Err(Error::new(
                ErrorKind::UnsupportedVersion,
                format!(
                    "the broker takes message format {magic}, which has no record headers: send records \
                     without headers, or use a broker of 0.11 or later"
                ),
            ));
        }
        let records = self.buf.get(BATCH_OVERHEAD..).unwrap_or_default();
        let set =
            legacy::write(records, self.count, self.base_timestamp, self.max_timestamp, compression, magic)?;
        Ok(SealedBatch::legacy(set, magic, compression.codec(), self.count, self.max_timestamp, plain))
    }

    /// Makes more of the buffer writable.
    #[cold]
    #[inline(never)]
    fn make_room(&mut self, end: usize) -> Option<()> {
        // Batches are addressed with 32 bits.
        const MOST: usize = i32::MAX as usize;
        if end > MOST {
            return None;
        }
        let ready = self.buf.len();
        let step = ready.saturating_add(ready.max(STEP)).min(self.limit).min(MOST);
        let target = step.max(end);
        self.buf.resize(target, 0);
        Some(())
    }
}

/// The numbers of a record, as they are written: zig-zag mapped.
struct Fields {
    delta: u64,
    index: u64,
    key_len: u64,
    value_len: u64,
}

/// Numbers below this take one byte or two.
const SHORT: u64 = 0x4000;
/// What the head of a short record may touch: two bytes for each of four numbers, one for the attributes, and
/// some to spare.
const WINDOW: usize = 16;

impl Fields {
    /// Whether the record is of the usual kind: below 8 KiB, and soon after the batch's first.
    #[inline(always)]
    fn are_short(&self) -> bool {
        // The body is at most 10 bytes longer than key and value together.
        (self.delta | self.index) < SHORT && self.key_len + self.value_len + 32 < SHORT
    }

    /// What a short record without headers takes behind its length.
    #[inline(always)]
    fn short_body(&self) -> u64 {
        let numbers = [self.delta, self.index, self.key_len, self.value_len];
        let second_bytes: u64 = numbers.map(|number| u64::from(number >= 0x80)).iter().sum();
        // Null has length 1 >> 1 = 0.
        1 + 4 + second_bytes + (self.key_len >> 1) + (self.value_len >> 1) + 1
    }

    /// What any record takes behind its length, or `None` when that is too much for Kafka's format.
    #[cold]
    #[inline(never)]
    fn body<'h>(&self, count: usize, headers: impl Iterator<Item = Header<'h>>) -> Option<u64> {
        let body = 1
            + len64(self.delta) as u64
            + len32(self.index as u32) as u64
            + encoded_len(self.key_len)
            + encoded_len(self.value_len)
            + headers_len(headers, count)?;
        (body <= MAX_RECORD).then_some(body)
    }

    /// Writes a short record, if it is long enough for stores of two bytes at a time.
    #[inline(always)]
    fn write_short(&self, body: u64, key: Option<&[u8]>, value: Option<&[u8]>, out: &mut [u8]) -> bool {
        let Some(head) = out.first_chunk_mut::<WINDOW>() else { return false };
        let mut at = put_short(head, 0, body << 1);
        head[at & 7] = 0;
        at = put_short(head, at + 1, self.delta);
        at = put_short(head, at, self.index);
        at = put_short(head, at, self.key_len);
        let key = key.unwrap_or_default();
        let Some((field, rest)) = out.get_mut(at..).and_then(|out| out.split_at_mut_checked(key.len()))
        else {
            return false;
        };
        field.copy_from_slice(key);
        // The count of headers always follows, so there are two bytes.
        let Some(pair) = rest.first_chunk_mut::<2>() else { return false };
        let (len, bytes) = short(self.value_len);
        *pair = bytes;
        let Some((none, field)) = rest.get_mut(len..).and_then(<[u8]>::split_last_mut) else { return false };
        let value = value.unwrap_or_default();
        if field.len() != value.len() {
            return false;
        }
        field.copy_from_slice(value);
        *none = 0;
        true
    }

    #[cold]
    #[inline(never)]
    fn write<'h>(
        &self,
        body: u64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        count: usize,
        headers: impl Iterator<Item = Header<'h>>,
        out: &mut [u8],
    ) {
        let mut out = Writer::new(out);
        out.varint(body << 1);
        out.byte(0);
        out.varint(self.delta);
        out.varint(self.index);
        out.varint(self.key_len);
        out.bytes(key.unwrap_or_default());
        out.varint(self.value_len);
        out.bytes(value.unwrap_or_default());
        out.varint((count as u64) << 1);
        for header in headers {
            out.varint((header.key.len() as u64) << 1);
            out.bytes(header.key.as_bytes());
            out.varint(header.value.map_or(1, |value| (value.len() as u64) << 1));
            out.bytes(header.value.unwrap_or_default());
        }
        debug_assert!(out.is_full());
    }
}

/// A number below [`SHORT`] as a varint: how many bytes, and the bytes. No branches.
#[inline(always)]
fn short(number: u64) -> (usize, [u8; 2]) {
    let two = u64::from(number >= 0x80);
    let bytes = (number & 0x7f) | two << 7 | (number >> 7) << 8;
    (1 + two as usize, (bytes as u16).to_le_bytes())
}

/// Writes a number below [`SHORT`] at a place below 8; gives the place behind it.
#[inline(always)]
fn put_short(head: &mut [u8; WINDOW], at: usize, number: u64) -> usize {
    let (len, [first, second]) = short(number);
    // At most two bytes for each of three numbers and one for the attributes come before: the mask changes
    // nothing, but the compiler sees that the place is inside.
    let at = at & 7;
    head[at] = first;
    head[at + 1] = second;
    at + len
}

/// The most bytes that a record can take in a batch, without the batch's own
/// [overhead](super::BATCH_OVERHEAD).
pub fn record_size_upper_bound(
    key_len: Option<usize>,
    value_len: Option<usize>,
    headers: &[Header<'_>],
) -> usize {
    // Length, attributes, timestamp, offset, lengths of key and value, count of headers.
    const FIXED: usize = 5 + 1 + 10 + 5 + 5 + 5 + 5;
    headers.iter().fold(
        FIXED.saturating_add(key_len.unwrap_or(0)).saturating_add(value_len.unwrap_or(0)),
        |size, header| {
            size.saturating_add(10)
                .saturating_add(header.key.len())
                .saturating_add(header.value.map_or(0, <[u8]>::len))
        },
    )
}

/// A length as it is written: zig-zag mapped, 1 for null. `None` beyond what the format can express.
#[inline(always)]
fn length(bytes: Option<&[u8]>) -> Option<u64> {
    match bytes {
        None => Some(u64::from(zigzag32(-1))),
        Some(bytes) if bytes.len() as u64 <= MAX_RECORD => Some((bytes.len() as u64) << 1),
        Some(_) => None,
    }
}

/// What a [`length`] and the bytes behind it take.
#[inline(always)]
fn encoded_len(length: u64) -> u64 {
    // Null has length 1 >> 1 = 0.
    len32(length as u32) as u64 + (length >> 1)
}

/// What the headers take, with their count.
fn headers_len<'h>(headers: impl Iterator<Item = Header<'h>>, count: usize) -> Option<u64> {
    if count as u64 > MAX_RECORD {
        return None;
    }
    let mut size = len32((count as u32) << 1) as u64;
    for header in headers {
        size += encoded_len(length(Some(header.key.as_bytes()))?);
        size += encoded_len(length(header.value)?);
    }
    Some(size)
}

/// Runs `work` with a buffer that this thread keeps for the next time, unless it has become large.
fn with_scratch<R>(work: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    use std::cell::Cell;
    const KEEP: usize = 4 << 20;
    thread_local! {
        static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    let mut scratch = SCRATCH.try_with(Cell::take).unwrap_or_default();
    let result = work(&mut scratch);
    if scratch.capacity() <= KEEP {
        // A thread that is ending keeps nothing.
        let _ = SCRATCH.try_with(|cell| cell.set(scratch));
    }
    result
}

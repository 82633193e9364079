//! Message sets of magic 0 and 1, which brokers had before 0.11. They are read from old brokers and old topics,
//! and written for old brokers. Speed does not matter here.

use bytes::Bytes;

use super::batch::Batch;
use super::compression::{Codec, Compression, DecompressLimits, Format};
use super::crc::crc32;
use super::error::RecordError;
use super::header::{CODEC_MASK, LENGTH, LOG_OVERHEAD, MAGIC, TimestampType, field, put};
use super::records::{RawRecord, Records, Span};
use crate::error::{Error, ErrorKind, Result as KavkaResult};

// Where the fields of a message begin, counted from its offset.
const CRC: usize = 12;
const SUMMED: usize = 16;
pub(super) const ATTRIBUTES: usize = 17;
pub(super) const TIMESTAMP: usize = 18;

/// The smallest message: magic 0, null key, null value.
pub(super) const MIN_MESSAGE: usize = LOG_OVERHEAD + 14;

/// One message of a set.
pub(super) struct Entry {
    pub(super) offset: i64,
    pub(super) timestamp: i64,
    pub(super) key: Option<Span>,
    pub(super) value: Option<Span>,
    magic: i8,
    attributes: u16,
    /// Where the next one begins.
    pub(super) end: usize,
}

/// The message that begins at `at`.
pub(super) fn entry(data: &[u8], at: usize, check_crc: bool) -> Result<Entry, &'static str> {
    const SHORT: &str = "message cut off";
    let message = data.get(at..).ok_or(SHORT)?;
    let offset = field!(message, 0, i64).ok_or(SHORT)?;
    let length = field!(message, LENGTH, i32).ok_or(SHORT)?;
    let size = usize::try_from(length).map_err(|_| "negative length")?.saturating_add(LOG_OVERHEAD);
    let message = message.get(..size).ok_or(SHORT)?;
    let magic = field!(message, MAGIC, i8).ok_or(SHORT)?;
    let attributes = u16::from(*message.get(ATTRIBUTES).ok_or(SHORT)?);
    if check_crc && field!(message, CRC, u32) != message.get(SUMMED..).map(crc32) {
        return Err("wrong checksum");
    }
    let (timestamp, body) = match magic {
        0 => (-1, TIMESTAMP),
        1 => (field!(message, TIMESTAMP, i64).ok_or(SHORT)?, TIMESTAMP + 8),
        _ => return Err("unknown magic number in a message set"),
    };
    let (key, body) = blob(message, body).ok_or(SHORT)?;
    let (value, body) = blob(message, body).ok_or(SHORT)?;
    if body != size {
        return Err("message longer than its parts");
    }
    let place = |(start, end)| Span::new(at + start, at + end);
    Ok(Entry {
        offset,
        timestamp,
        key: key.map(place),
        value: value.map(place),
        magic,
        attributes,
        end: at + size,
    })
}

type Place = (usize, usize);

/// A length and as many bytes, or null for a negative length; and where they end.
fn blob(message: &[u8], at: usize) -> Option<(Option<Place>, usize)> {
    let len = field!(message, at, i32)?;
    let start = at + 4;
    let Ok(len) = usize::try_from(len) else { return Some((None, start)) };
    let end = start.checked_add(len)?;
    (end <= message.len()).then_some((Some((start, end)), end))
}

/// The messages of one entry of a set: itself, or those that are compressed inside.
pub(super) fn records(
    batch: &Batch,
    check_crc: bool,
    limits: &DecompressLimits,
) -> Result<Records, RecordError> {
    let data = batch.bytes();
    let outer = entry(data, 0, check_crc).map_err(|reason| batch.corrupt(reason))?;
    let append_time = (batch.timestamp_type() == TimestampType::LogAppendTime).then_some(outer.timestamp);
    let codec = batch.codec()?;
    if codec == Codec::None {
        return Ok(Records::legacy(batch, data.clone(), 1, 0, append_time, false));
    }
    let packed = outer.value.and_then(|value| data.get(value.start()..value.end()));
    let packed = packed.ok_or_else(|| batch.corrupt("compressed message without a value"))?;
    let format = if outer.magic == 0 { Format::OldLz4 } else { Format::Standard };
    let inner = batch.unpack(codec, packed, format, limits)?;
    let (count, last) = survey(&inner, outer.magic).map_err(|reason| batch.corrupt(reason))?;
    // Magic 1 counts from zero inside, and the outer message has the offset of the last one (KIP-31). Where it
    // has a smaller one, no broker has seen it yet: kafka-python leaves that at zero.
    let relative = outer.magic == 1 && outer.offset >= last;
    let base = if relative { outer.offset - last } else { 0 };
    Ok(Records::legacy(batch, inner, count, base, append_time, check_crc))
}

/// Counts the messages of a set and finds the last one's offset.
fn survey(set: &Bytes, magic: i8) -> Result<(u32, i64), &'static str> {
    let (mut count, mut last, mut at) = (0, 0, 0);
    while at < set.len() {
        let inner = entry(set, at, false)?;
        if inner.magic != magic {
            return Err("message of another version inside of a compressed one");
        }
        if inner.attributes & CODEC_MASK != 0 {
            return Err("compressed message inside of a compressed one");
        }
        if inner.offset < 0 {
            return Err("negative offset");
        }
        (last, at) = (inner.offset, inner.end);
        count += 1;
    }
    if count == 0 {
        return Err("compressed message with nothing inside");
    }
    Ok((count, last))
}

/// Brings records of version 2 into a message set.
pub(super) fn write(
    records: &[u8],
    count: u32,
    base_timestamp: i64,
    max_timestamp: i64,
    compression: &Compression,
    magic: i8,
) -> KavkaResult<Vec<u8>> {
    let codec = compression.codec();
    if !(0..=1).contains(&magic) {
        return Err(Error::new(ErrorKind::InvalidArgument, format!("unknown message format {magic}")));
    }
    if codec == Codec::Zstd {
        return Err(Error::new(
            ErrorKind::UnsupportedCodec,
            format!(
                "the broker takes message format {magic}, which has no zstd: use another codec (KIP-110)"
            ),
        ));
    }
    let source = Records::own(Bytes::copy_from_slice(records), count, base_timestamp);
    let mut set = Vec::with_capacity(records.len() * 2);
    let mut reader = source.clone();
    for record in &mut reader {
        let RawRecord { offset, timestamp, key, value, .. } = record?;
        let [key, value] = [key, value].map(|part| part.map(|span| source.slice(span)));
        append(&mut set, magic, 0, offset, timestamp, key, value);
    }
    if codec == Codec::None {
        return Ok(set);
    }
    let format = if magic == 0 { Format::OldLz4 } else { Format::Standard };
    let mut packed = Vec::new();
    compression.compress(&set, &mut packed, format)?;
    set.clear();
    let last = i64::from(count) - 1;
    append(&mut set, magic, codec.id(), last, max_timestamp, None, Some(&packed));
    Ok(set)
}

fn append(
    set: &mut Vec<u8>,
    magic: i8,
    attributes: u8,
    offset: i64,
    timestamp: i64,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
) {
    let start = set.len();
    set.extend_from_slice(&offset.to_be_bytes());
    // The length and the checksum.
    set.extend_from_slice(&[0; 8]);
    set.extend_from_slice(&[magic as u8, attributes]);
    if magic == 1 {
        set.extend_from_slice(&timestamp.to_be_bytes());
    }
    for part in [key, value] {
        let len = part.map_or(-1, |part| part.len() as i32);
        set.extend_from_slice(&len.to_be_bytes());
        set.extend_from_slice(part.unwrap_or_default());
    }
    if let Some(message) = set.get_mut(start..) {
        let length = (message.len() - LOG_OVERHEAD) as i32;
        put(message, LENGTH, length.to_be_bytes());
        let crc = message.get(SUMMED..).map_or(0, crc32);
        put(message, CRC, crc.to_be_bytes());
    }
}

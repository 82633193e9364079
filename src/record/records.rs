//! The records of one batch, as positions in its bytes.

use std::borrow::Cow;
use std::iter::FusedIterator;
use std::num::NonZeroU32;

use bytes::Bytes;

use super::batch::Batch;
use super::error::RecordError;
use super::legacy;
use super::varint::Reader;

/// A header of a record that is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header<'a> {
    /// The key, which may occur more than once in a record.
    pub key: &'a str,
    /// The value, if any.
    pub value: Option<&'a [u8]>,
}

impl<'a> Header<'a> {
    /// A header with a value.
    pub const fn new(key: &'a str, value: &'a [u8]) -> Self {
        Self { key, value: Some(value) }
    }
}

/// A header of a record that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HeaderRef<'a> {
    /// The key's bytes. They ought to be UTF-8, which nobody checks on the way.
    pub key: &'a [u8],
    /// The value, if any.
    pub value: Option<&'a [u8]>,
}

impl<'a> HeaderRef<'a> {
    /// The key as text, with U+FFFD in place of what is no UTF-8.
    pub fn key_str(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.key)
    }
}

/// A part of a batch's bytes. An `Option` of it is as small as itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    start: u32,
    /// No part of a record ends where the batch's bytes begin.
    end: NonZeroU32,
}

impl Span {
    /// Without bytes.
    const EMPTY: Self = Self { start: 1, end: NonZeroU32::MIN };

    #[inline(always)]
    pub(super) fn new(start: usize, end: usize) -> Self {
        // Batches are below 4 GiB: `Batch::records` sees to it.
        match NonZeroU32::new(end as u32) {
            Some(end) => Self { start: start as u32, end },
            None => Self::EMPTY,
        }
    }

    /// Where it begins.
    #[inline(always)]
    pub const fn start(self) -> usize {
        self.start as usize
    }

    /// Where it ends; this byte is not part of it.
    #[inline(always)]
    pub const fn end(self) -> usize {
        self.end.get() as usize
    }

    /// How many bytes it has.
    #[inline(always)]
    pub const fn len(self) -> usize {
        self.end().saturating_sub(self.start())
    }

    /// Whether it has no bytes.
    #[inline(always)]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    #[inline(always)]
    fn range(self) -> std::ops::Range<usize> {
        self.start()..self.end()
    }
}

/// A record: where its parts are in the bytes of its [`Records`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawRecord {
    /// The offset in the partition.
    pub offset: i64,
    /// The timestamp in milliseconds; -1 when there is none.
    pub timestamp: i64,
    /// The key, if any.
    pub key: Option<Span>,
    /// The value, if any.
    pub value: Option<Span>,
    /// All headers, as they came; [`Headers::new`] reads them.
    pub headers: Span,
    /// How many headers there are.
    pub header_count: u32,
}

/// The records of a batch, one by one. It owns, or shares, the bytes it reads.
///
/// An error ends it. So does the last record, provided that there are as many as the batch said and no bytes
/// are left over; else an error follows it.
#[derive(Clone, Debug)]
pub struct Records {
    data: Bytes,
    at: usize,
    remaining: u32,
    last_offset_delta: u32,
    base_offset: i64,
    base_timestamp: i64,
    append_time: Option<i64>,
    layout: Layout,
    /// For errors.
    header_offset: i64,
    next_offset: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    Current,
    Legacy { check_crc: bool },
}

impl Records {
    pub(super) fn current(
        batch: &Batch,
        data: Bytes,
        count: u32,
        base_timestamp: i64,
        append_time: Option<i64>,
    ) -> Self {
        let last_offset_delta = batch.last_offset().saturating_sub(batch.base_offset());
        Self {
            data,
            at: 0,
            remaining: count,
            last_offset_delta: u32::try_from(last_offset_delta).unwrap_or(0),
            base_offset: batch.base_offset(),
            base_timestamp,
            append_time,
            layout: Layout::Current,
            header_offset: batch.base_offset(),
            next_offset: batch.next_offset(),
        }
    }

    /// Records of version 2 that this client made itself, without a header.
    pub(super) fn own(data: Bytes, count: u32, base_timestamp: i64) -> Self {
        Self {
            data,
            at: 0,
            remaining: count,
            last_offset_delta: count.saturating_sub(1),
            base_offset: 0,
            base_timestamp,
            append_time: None,
            layout: Layout::Current,
            header_offset: 0,
            next_offset: i64::from(count),
        }
    }

    /// Messages of magic 0 or 1, whose offsets are relative to `base_offset`.
    pub(super) fn legacy(
        batch: &Batch,
        data: Bytes,
        count: u32,
        base_offset: i64,
        append_time: Option<i64>,
        check_crc: bool,
    ) -> Self {
        Self {
            data,
            at: 0,
            remaining: count,
            last_offset_delta: 0,
            base_offset,
            base_timestamp: -1,
            append_time,
            layout: Layout::Legacy { check_crc },
            header_offset: batch.base_offset(),
            next_offset: batch.next_offset(),
        }
    }

    /// How many records are still to come.
    pub fn remaining(&self) -> u32 {
        self.remaining
    }

    /// The first offset behind the batch.
    pub fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// All the bytes that spans refer to.
    pub fn data(&self) -> &Bytes {
        &self.data
    }

    /// The bytes of a part of a record. A span of another batch gives other bytes, or none.
    #[inline(always)]
    pub fn slice(&self, span: Span) -> &[u8] {
        self.data.get(span.range()).unwrap_or_default()
    }

    /// As [`slice`](Self::slice), keeping the batch's bytes alive instead of borrowing them.
    #[inline]
    pub fn bytes(&self, span: Span) -> Bytes {
        if span.start() <= span.end() && span.end() <= self.data.len() {
            self.data.slice(span.range())
        } else {
            Bytes::new()
        }
    }

    /// The headers of a record of this batch.
    #[inline]
    pub fn headers(&self, record: &RawRecord) -> Headers<'_> {
        Headers::new(self.slice(record.headers), record.header_count)
    }

    #[cold]
    #[inline(never)]
    fn fail(&mut self, reason: &'static str) -> RecordError {
        self.remaining = 0;
        self.at = self.data.len();
        RecordError::Corrupt { reason, base_offset: self.header_offset, next_offset: self.next_offset }
    }

    #[cold]
    #[inline(never)]
    fn finish(&mut self) -> Option<Result<RawRecord, RecordError>> {
        if self.at == self.data.len() {
            return None;
        }
        Some(Err(self.fail("more records than the header says")))
    }

    #[cold]
    #[inline(never)]
    fn next_legacy(&mut self, check_crc: bool) -> Result<RawRecord, RecordError> {
        let entry = match legacy::entry(&self.data, self.at, check_crc) {
            Ok(entry) => entry,
            Err(reason) => return Err(self.fail(reason)),
        };
        self.at = entry.end;
        self.remaining -= 1;
        Ok(RawRecord {
            offset: self.base_offset.wrapping_add(entry.offset),
            timestamp: self.append_time.unwrap_or(entry.timestamp),
            key: entry.key,
            value: entry.value,
            headers: Span::EMPTY,
            header_count: 0,
        })
    }
}

impl Iterator for Records {
    type Item = Result<RawRecord, RecordError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.remaining == 0 {
            return self.finish();
        }
        if let Layout::Legacy { check_crc } = self.layout {
            return Some(self.next_legacy(check_crc));
        }
        let Some((parsed, end)) = parse(&self.data, self.at) else {
            return Some(Err(self.fail("damaged record, or fewer records than the header says")));
        };
        // The header names the last offset, and what follows the batch begins right behind it.
        if parsed.offset_delta as u32 > self.last_offset_delta {
            return Some(Err(self.fail("record with an offset outside of its batch")));
        }
        self.at = end;
        self.remaining -= 1;
        Some(Ok(RawRecord {
            offset: self.base_offset.wrapping_add(i64::from(parsed.offset_delta)),
            timestamp: match self.append_time {
                None => self.base_timestamp.wrapping_add(parsed.timestamp_delta),
                Some(time) => time,
            },
            key: parsed.key,
            value: parsed.value,
            headers: parsed.headers,
            header_count: parsed.header_count,
        }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // The count comes from the network, so it bounds only from above; one error may follow.
        (0, Some((self.remaining as usize).saturating_add(1)))
    }
}

impl FusedIterator for Records {}

struct Parsed {
    timestamp_delta: i64,
    offset_delta: i32,
    key: Option<Span>,
    value: Option<Span>,
    headers: Span,
    header_count: u32,
}

/// One record of version 2, and where it ends.
#[inline(always)]
fn parse(data: &[u8], at: usize) -> Option<(Parsed, usize)> {
    match parse_short(data, at) {
        Some(parsed) => Some(parsed),
        None => parse_any(data, at),
    }
}

/// A record of the usual kind: no header, numbers of at most two bytes, more bytes behind its head. The head's
/// numbers are taken from one word. Anything else, damage included, is left to [`parse_any`].
#[inline(always)]
fn parse_short(data: &[u8], at: usize) -> Option<(Parsed, usize)> {
    let head = data.get(at..)?.first_chunk::<10>()?;
    let [first, second, rest @ ..] = head;
    let (len, start, mut word) = if *first < 0x80 {
        let [_, rest @ .., _] = head;
        (usize::from(*first), at + 1, u64::from_le_bytes(*rest))
    } else if *second < 0x80 {
        (usize::from(*first & 0x7f) | usize::from(*second) << 7, at + 2, u64::from_le_bytes(*rest))
    } else {
        return None;
    };
    if len & 1 != 0 {
        return None;
    }
    let end = start + (len >> 1);
    // Behind the attributes.
    let mut place = start + 1;
    word >>= 8;
    let delta = short(&mut word, &mut place)?;
    let index = short(&mut word, &mut place)?;
    let key_len = short(&mut word, &mut place)?;
    // Null has length 1 >> 1 = 0.
    let key_end = place + (key_len >> 1) as usize;
    let &[first, second] = data.get(key_end..)?.first_chunk::<2>()?;
    let mut pair = u64::from(first) | u64::from(second) << 8;
    let mut value_start = key_end;
    let value_len = short(&mut pair, &mut value_start)?;
    let value_end = value_start + (value_len >> 1) as usize;
    // The one check for all parts: the count of headers is zero, and the last byte. A length of -1 is null, and
    // any other odd number is left to the other way.
    let negative = (key_len & 1 != 0 && key_len != 1) || (value_len & 1 != 0 && value_len != 1);
    if value_end + 1 != end || data.get(value_end) != Some(&0) || negative {
        return None;
    }
    let parsed = Parsed {
        timestamp_delta: (delta >> 1) as i64 ^ -((delta & 1) as i64),
        offset_delta: (index >> 1) as i32 ^ -((index & 1) as i32),
        key: (key_len != 1).then(|| Span::new(place, key_end)),
        value: (value_len != 1).then(|| Span::new(value_start, value_end)),
        headers: Span::new(end, end),
        header_count: 0,
    };
    Some((parsed, end))
}

/// Takes a varint of one or two bytes from the low end of a word.
#[inline(always)]
fn short(word: &mut u64, place: &mut usize) -> Option<u64> {
    let bytes = *word;
    if bytes & 0x80 == 0 {
        *word = bytes >> 8;
        *place += 1;
        Some(bytes & 0x7f)
    } else if bytes & 0x8000 == 0 {
        *word = bytes >> 16;
        *place += 2;
        Some((bytes & 0x7f) | (bytes >> 1 & 0x3f80))
    } else {
        None
    }
}

/// Any record.
#[cold]
#[inline(never)]
fn parse_any(data: &[u8], at: usize) -> Option<(Parsed, usize)> {
    let mut frame = Reader::new(data, at);
    let len = usize::try_from(frame.varint()?).ok()?;
    let start = frame.skip(len)?;
    let end = start + len;
    let mut body = Reader::new(data.get(..end)?, start);
    // The attributes have no meaning yet.
    body.byte()?;
    let timestamp_delta = body.varlong()?;
    let offset_delta = body.varint()?;
    let key = blob(&mut body)?;
    let value = blob(&mut body)?;
    let header_count = u32::try_from(body.varint()?).ok()?;
    let headers = body.at();
    if header_count != 0 {
        skip_headers(&mut body, header_count)?;
    }
    if body.at() != end {
        return None;
    }
    let headers = Span::new(headers, end);
    Some((Parsed { timestamp_delta, offset_delta, key, value, headers, header_count }, end))
}

/// A length and as many bytes, or null for a negative length.
#[inline(always)]
fn blob(body: &mut Reader<'_>) -> Option<Option<Span>> {
    let len = body.varint()?;
    if len < 0 {
        return Some(None);
    }
    let start = body.skip(len as usize)?;
    Some(Some(Span::new(start, start + len as usize)))
}

#[inline(never)]
fn skip_headers(body: &mut Reader<'_>, count: u32) -> Option<()> {
    for _ in 0..count {
        // A key must not be null.
        blob(body)??;
        blob(body)?;
    }
    Some(())
}

/// The headers of one record.
#[derive(Clone, Debug)]
pub struct Headers<'a> {
    block: &'a [u8],
    at: usize,
    remaining: u32,
}

impl<'a> Headers<'a> {
    /// The headers in `block`, which [`RawRecord::headers`] locates, as many as [`RawRecord::header_count`].
    /// Bytes that are something else give fewer headers.
    pub fn new(block: &'a [u8], count: u32) -> Self {
        Self { block, at: 0, remaining: count }
    }

    /// How many are still to come.
    pub fn remaining(&self) -> u32 {
        self.remaining
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = HeaderRef<'a>;

    fn next(&mut self) -> Option<HeaderRef<'a>> {
        if self.remaining == 0 {
            return None;
        }
        self.remaining -= 1;
        let mut reader = Reader::new(self.block, self.at);
        let both = blob(&mut reader).and_then(|key| Some((key?, blob(&mut reader)?)));
        let Some((key, value)) = both else {
            self.remaining = 0;
            return None;
        };
        self.at = reader.at();
        let block = self.block;
        Some(HeaderRef {
            key: block.get(key.range()).unwrap_or_default(),
            value: value.map(|value| block.get(value.range()).unwrap_or_default()),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.remaining as usize))
    }
}

impl FusedIterator for Headers<'_> {}

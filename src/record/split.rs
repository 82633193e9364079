//! Making several batches of one that a broker did not take: it was too large, or some of its records are not valid.

use std::ops::Range;

use bytes::Bytes;

use super::batch::Batches;
use super::builder::BatchBuilder;
use super::compression::{Codec, Compression, DecompressLimits};
use super::records::{Header, RawRecord, Records};
use super::sealed::SealedBatch;
use crate::error::{Error, ErrorKind, Result};

/// Splits a batch in two of about the same number of bytes, with the codec at its default level.
///
/// See [`split_with`].
///
/// # Errors
///
/// As [`split_with`].
pub fn split(batch: Bytes) -> Result<(SealedBatch, SealedBatch)> {
    split_as(&batch, None)
}

/// Splits a batch in two of about the same number of bytes. Order and timestamps of the records are kept; the
/// two lack their producer state, as if they had been sealed just now.
///
/// # Errors
///
/// `RecordTooLarge` when there is but one record; `CorruptBatch` when the bytes are no batch.
pub fn split_with(batch: Bytes, compression: &Compression) -> Result<(SealedBatch, SealedBatch)> {
    split_as(&batch, Some(compression))
}

/// Makes a batch of each of these ranges of a batch's records, which are counted from 0. Order and timestamps of the
/// records are kept; the batches lack their producer state, as if they had been sealed just now.
///
/// # Errors
///
/// `CorruptBatch` when the bytes are no batch, or have fewer records.
pub fn parts_with(
    batch: &Bytes,
    compression: &Compression,
    ranges: &[Range<usize>],
) -> Result<Vec<SealedBatch>> {
    let (sources, _, magic) = open(batch)?;
    let (sources, all) = sources.collect_all()?;
    let part = |range: &Range<usize>| {
        let records = all.get(range.clone()).ok_or_else(|| {
            let text = format!("the batch has {} records, not {}", all.len(), range.end);
            Error::new(ErrorKind::CorruptBatch, text)
        })?;
        seal(&sources, records, compression, magic)
    };
    ranges.iter().map(part).collect()
}

fn split_as(batch: &Bytes, compression: Option<&Compression>) -> Result<(SealedBatch, SealedBatch)> {
    let (sources, codec, magic) = open(batch)?;
    let compression = compression.copied().unwrap_or(Compression::new(codec));
    let (sources, all) = sources.collect_all()?;
    if all.len() < 2 {
        return Err(Error::new(
            ErrorKind::RecordTooLarge,
            format!("a batch of one record and {} bytes cannot be split", batch.len()),
        ));
    }
    let total: usize = all.iter().map(size).sum();
    let mut before = 0;
    let middle = all.iter().position(|record| {
        before += size(record);
        before * 2 >= total
    });
    // At least one record on each side.
    let middle = middle.unwrap_or(0).clamp(1, all.len() - 1);
    let (left, right) = all.split_at(middle);
    Ok((seal(&sources, left, &compression, magic)?, seal(&sources, right, &compression, magic)?))
}

/// The records of a batch that this client made itself, with its codec and magic.
fn open(bytes: &Bytes) -> Result<(AllRecords, Codec, i8)> {
    let limits = DecompressLimits { max_bytes: usize::MAX };
    let mut sources = Vec::new();
    let mut found = None;
    for batch in Batches::new(bytes.clone()) {
        let batch = batch?;
        found = Some((batch.codec()?, batch.magic()));
        sources.push(batch.records(false, &limits)?);
    }
    match found {
        Some((codec, magic)) => Ok((AllRecords(sources), codec, magic)),
        None => Err(Error::new(ErrorKind::CorruptBatch, "nothing to split: the bytes hold no whole batch")),
    }
}

/// The records of a batch; an uncompressed message set of magic 0 or 1 is many batches of one record.
struct AllRecords(Vec<Records>);

impl AllRecords {
    fn collect_all(mut self) -> Result<(Vec<Records>, Vec<Located>)> {
        let mut all = Vec::new();
        for (source, records) in self.0.iter_mut().enumerate() {
            for record in records.by_ref() {
                all.push(Located { source, record: record? });
            }
        }
        Ok((self.0, all))
    }
}

struct Located {
    source: usize,
    record: RawRecord,
}

fn size(located: &Located) -> usize {
    let RawRecord { key, value, headers, .. } = located.record;
    16 + key.map_or(0, |span| span.len()) + value.map_or(0, |span| span.len()) + headers.len()
}

fn seal(
    sources: &[Records],
    records: &[Located],
    compression: &Compression,
    magic: i8,
) -> Result<SealedBatch> {
    let capacity = records.iter().map(|record| size(record) + 16).sum::<usize>();
    let mut builder = BatchBuilder::new(Vec::with_capacity(capacity), usize::MAX);
    for Located { source, record } in records {
        let Some(source) = sources.get(*source) else { continue };
        let names: Vec<(std::borrow::Cow<'_, str>, Option<&[u8]>)> =
            source.headers(record).map(|header| (header.key_str(), header.value)).collect();
        let headers: Vec<Header<'_>> =
            names.iter().map(|(key, value)| Header { key, value: *value }).collect();
        let key = record.key.map(|span| source.slice(span));
        let value = record.value.map(|span| source.slice(span));
        builder
            .try_append(record.timestamp, key, value, &headers)
            .ok_or_else(|| Error::new(ErrorKind::RecordTooLarge, "a record is larger than a batch can be"))?;
    }
    builder.seal(compression, magic)
}

//! Record batches: how records travel in Produce and Fetch, and lie in a broker's log. Bytes in, bytes out.
//!
//! Writing: a [`BatchBuilder`] takes records until it is full, [`seal`](BatchBuilder::seal) compresses and sums
//! them, and [`SealedBatch::stamp`] adds what is known only when the batch is sent. Reading: [`Batches`] walks
//! through what a broker sent, [`Batch::records`] checks and decompresses one batch, and [`Records`] gives its
//! records as positions in one shared buffer, so that nothing is copied unless somebody asks.
//!
//! The format is version 2 (Kafka 0.11 and later). Versions 0 and 1 are read, and written for older brokers.

mod batch;
mod builder;
mod compression;
mod crc;
mod error;
mod header;
mod legacy;
mod records;
mod sealed;
mod split;
mod varint;

#[cfg(test)]
mod tests;

pub use batch::{Batch, Batches};
pub use builder::{BatchBuilder, record_size_upper_bound};
pub use compression::{Codec, Compression, DecompressLimits};
pub(crate) use crc::crc32;
pub use error::RecordError;
pub use header::{BATCH_OVERHEAD, ControlType, ProducerState, TimestampType};
pub use records::{Header, HeaderRef, Headers, RawRecord, Records, Span};
pub use sealed::{SealedBatch, assign_offsets, control_batch, restamp};
pub use split::{parts_with, split, split_with};

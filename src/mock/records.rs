//! Records as tests look at them.

use bytes::Bytes;

use crate::record::{Batches, DecompressLimits};

/// A record in the log of a [`MockCluster`](super::MockCluster).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MockRecord {
    /// The offset in the partition.
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// The key, if any.
    pub key: Option<Bytes>,
    /// The value, if any.
    pub value: Option<Bytes>,
    /// The headers in their order.
    pub headers: Vec<(String, Option<Bytes>)>,
    /// The producer's id; -1 without idempotence.
    pub producer_id: i64,
    /// The producer's epoch; -1 without idempotence.
    pub producer_epoch: i16,
    /// The record's sequence number; -1 without idempotence.
    pub sequence: i32,
    /// The leader epoch in which it was written.
    pub leader_epoch: i32,
    /// Whether it belongs to a transaction.
    pub is_transactional: bool,
}

impl MockRecord {
    /// The records in the bytes of batches; what cannot be read is left out, and so are control records.
    pub(crate) fn all_of(bytes: &Bytes) -> Vec<Self> {
        const LIMITS: DecompressLimits = DecompressLimits { max_bytes: 1 << 30 };
        let mut all = Vec::new();
        for batch in Batches::new(bytes.clone()).flatten().filter(|batch| !batch.is_control()) {
            let mut records = match batch.records(true, &LIMITS) {
                Ok(records) => records,
                Err(error) => {
                    log::warn!("MockCluster: {error}");
                    continue;
                }
            };
            while let Some(Ok(record)) = records.next() {
                let headers = records
                    .headers(&record)
                    .map(|header| (header.key_str().into_owned(), header.value.map(Bytes::copy_from_slice)));
                let delta = record.offset - batch.base_offset();
                let first = batch.base_sequence();
                let sequence = (i64::from(first) + delta) & i64::from(i32::MAX);
                all.push(Self {
                    offset: record.offset,
                    timestamp: record.timestamp,
                    key: record.key.map(|span| records.bytes(span)),
                    value: record.value.map(|span| records.bytes(span)),
                    headers: headers.collect(),
                    producer_id: batch.producer_id(),
                    producer_epoch: batch.producer_epoch(),
                    sequence: if first < 0 { -1 } else { sequence as i32 },
                    leader_epoch: batch.leader_epoch(),
                    is_transactional: batch.is_transactional(),
                });
            }
        }
        all
    }

    /// The key as text, with U+FFFD for what is no UTF-8; empty when there is none.
    pub fn key_str(&self) -> String {
        String::from_utf8_lossy(self.key.as_deref().unwrap_or_default()).into_owned()
    }

    /// The value as text, with U+FFFD for what is no UTF-8; empty when there is none.
    pub fn value_str(&self) -> String {
        String::from_utf8_lossy(self.value.as_deref().unwrap_or_default()).into_owned()
    }
}

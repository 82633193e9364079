//! The header of a version 2 batch: where its fields are and what their bits mean.

/// What a version 2 batch takes besides its records, in bytes.
pub const BATCH_OVERHEAD: usize = 61;

// Where the fields begin.
pub(super) const BASE_OFFSET: usize = 0;
pub(super) const LENGTH: usize = 8;
pub(super) const LEADER_EPOCH: usize = 12;
pub(super) const MAGIC: usize = 16;
pub(super) const CRC: usize = 17;
pub(super) const ATTRIBUTES: usize = 21;
pub(super) const LAST_OFFSET_DELTA: usize = 23;
pub(super) const BASE_TIMESTAMP: usize = 27;
pub(super) const MAX_TIMESTAMP: usize = 35;
pub(super) const PRODUCER_ID: usize = 43;
pub(super) const PRODUCER_EPOCH: usize = 51;
pub(super) const BASE_SEQUENCE: usize = 53;
pub(super) const RECORD_COUNT: usize = 57;

/// The offset and length that every batch or message begins with; the length does not count them.
pub(super) const LOG_OVERHEAD: usize = 12;

// Bits of the attributes.
pub(super) const CODEC_MASK: u16 = 0x07;
pub(super) const LOG_APPEND_TIME: u16 = 0x08;
pub(super) const TRANSACTIONAL: u16 = 0x10;
pub(super) const CONTROL: u16 = 0x20;

/// A field at a constant place, or `None` when the bytes end before it.
macro_rules! field {
    ($bytes:expr, $at:expr, $type:ty) => {
        $bytes
            .get($at..)
            .and_then(|rest| rest.first_chunk::<{ size_of::<$type>() }>())
            .map(|field| <$type>::from_be_bytes(*field))
    };
}
pub(super) use field;

/// Overwrites a field at a constant place; bytes that end before it stay as they are.
#[inline]
pub(super) fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    if let Some(field) = bytes.get_mut(at..at + N) {
        field.copy_from_slice(&value);
    }
}

/// Who says when a record was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TimestampType {
    /// The producer: the timestamp is the record's own.
    #[default]
    CreateTime,
    /// The broker: all records of a batch have the time at which it was appended.
    LogAppendTime,
}

/// Who sends a batch, for a broker to recognise duplicates and transactions by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProducerState {
    /// The producer id, or -1 without idempotence.
    pub id: i64,
    /// The epoch of the producer id, or -1.
    pub epoch: i16,
    /// The sequence number of the batch's first record, or -1.
    pub base_sequence: i32,
    /// Whether the batch belongs to a transaction.
    pub transactional: bool,
}

impl ProducerState {
    /// A producer without idempotence.
    pub const NONE: Self = Self { id: -1, epoch: -1, base_sequence: -1, transactional: false };
}

impl Default for ProducerState {
    fn default() -> Self {
        Self::NONE
    }
}

/// What a control batch says.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ControlType {
    /// A transaction was aborted.
    Abort,
    /// A transaction was committed.
    Commit,
    /// The leader of a KRaft quorum changed.
    LeaderChange,
    /// A KRaft snapshot begins.
    SnapshotHeader,
    /// A KRaft snapshot ends.
    SnapshotFooter,
    /// The version of the KRaft protocol.
    KRaftVersion,
    /// The voters of a KRaft quorum.
    KRaftVoters,
    /// A type that this version does not know.
    Unknown(i16),
}

impl ControlType {
    /// The type of an id in a control record's key.
    pub const fn from_id(id: i16) -> Self {
        match id {
            0 => Self::Abort,
            1 => Self::Commit,
            2 => Self::LeaderChange,
            3 => Self::SnapshotHeader,
            4 => Self::SnapshotFooter,
            5 => Self::KRaftVersion,
            6 => Self::KRaftVoters,
            other => Self::Unknown(other),
        }
    }

    /// The id in a control record's key.
    pub const fn id(self) -> i16 {
        match self {
            Self::Abort => 0,
            Self::Commit => 1,
            Self::LeaderChange => 2,
            Self::SnapshotHeader => 3,
            Self::SnapshotFooter => 4,
            Self::KRaftVersion => 5,
            Self::KRaftVoters => 6,
            Self::Unknown(id) => id,
        }
    }
}

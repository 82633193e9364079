//! What can be wrong with a batch.

use std::fmt;

use crate::error::{Error, ErrorKind};

/// Why a batch could not be read.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// The bytes are damaged, or are no batch.
    Corrupt {
        /// What does not fit.
        reason: &'static str,
        /// The offset of the batch's first record, as its header has it.
        base_offset: i64,
        /// The first offset behind the batch: going on there passes it.
        next_offset: i64,
    },
    /// The codec is not part of this build, or not known at all.
    UnsupportedCodec {
        /// The codec's name.
        codec: &'static str,
        /// The cargo feature that brings it, if there is one.
        feature: Option<&'static str>,
        /// The first offset behind the batch.
        next_offset: i64,
    },
    /// The records take more memory, once decompressed, than allowed.
    TooLarge {
        /// The limit in bytes.
        limit: usize,
        /// The offset of the batch's first record.
        base_offset: i64,
        /// The first offset behind the batch.
        next_offset: i64,
    },
}

impl RecordError {
    /// The first offset behind the batch.
    pub fn next_offset(&self) -> i64 {
        match *self {
            Self::Corrupt { next_offset, .. }
            | Self::UnsupportedCodec { next_offset, .. }
            | Self::TooLarge { next_offset, .. } => next_offset,
        }
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt { reason, base_offset, next_offset } => {
                write!(f, "corrupt batch at offset {base_offset}: {reason}; seek to {next_offset} to pass it")
            }
            Self::UnsupportedCodec { codec, feature: Some(feature), next_offset } => write!(
                f,
                "the batch before offset {next_offset} is compressed with {codec}, which this build lacks: \
                 enable the feature `{feature}` of kavka"
            ),
            Self::UnsupportedCodec { codec, feature: None, next_offset } => write!(
                f,
                "the batch before offset {next_offset} is compressed with {codec}, which kavka does not know"
            ),
            Self::TooLarge { limit, base_offset, next_offset } => write!(
                f,
                "the batch at offset {base_offset} has more than {limit} bytes once decompressed; raise the \
                 limit, or seek to {next_offset} to pass it"
            ),
        }
    }
}

impl std::error::Error for RecordError {}

impl From<RecordError> for Error {
    fn from(error: RecordError) -> Self {
        let kind = match error {
            RecordError::Corrupt { .. } => ErrorKind::CorruptBatch,
            RecordError::UnsupportedCodec { .. } => ErrorKind::UnsupportedCodec,
            RecordError::TooLarge { .. } => ErrorKind::RecordTooLarge,
        };
        Error::new(kind, error.to_string()).with_offset(error.next_offset())
    }
}

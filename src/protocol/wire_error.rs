//! What can go wrong between a message and its bytes.

use std::fmt;

use crate::error::{Error, ErrorKind};

/// Where in a message something went wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) message: &'static str,
    pub(super) version: i16,
    pub(super) field: &'static str,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.message, self.field) {
            ("", "") => f.write_str("message"),
            ("", field) => f.write_str(field),
            (message, "") => write!(f, "{message} v{}", self.version),
            (message, field) => write!(f, "{message} v{}, field {field}", self.version),
        }
    }
}

/// Why bytes are not the message they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    pub(super) kind: DecodeErrorKind,
    pub(super) place: Place,
}

/// The classes of decode errors.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeErrorKind {
    /// The bytes end too early.
    Truncated {
        /// How many bytes the next item needs, or how many items are announced.
        wanted: usize,
        /// How many bytes are left.
        left: usize,
    },
    /// Bytes are left behind the message.
    LeftOver {
        /// How many.
        left: usize,
    },
    /// A length is negative, or beyond what its type can have.
    InvalidLength {
        /// The length.
        len: i64,
    },
    /// A variable-length number does not fit in 32 bits.
    InvalidVarint,
    /// A string is not UTF-8.
    InvalidUtf8,
    /// Null, where the version does not allow it.
    UnexpectedNull,
    /// The message has no such version.
    UnknownVersion,
}

impl DecodeError {
    /// What is wrong.
    pub fn kind(&self) -> DecodeErrorKind {
        self.kind
    }

    /// The message, such as `FetchResponse`; empty when the bytes were read outside of one.
    pub fn message(&self) -> &'static str {
        self.place.message
    }

    /// The field that was being read, such as `PartitionData.records`; empty when there is none.
    pub fn field(&self) -> &'static str {
        self.place.field
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot decode {}: ", self.place)?;
        match self.kind {
            DecodeErrorKind::Truncated { wanted, left } => {
                write!(f, "it ends too early: {wanted} wanted, {left} bytes left")
            }
            DecodeErrorKind::LeftOver { left } => write!(f, "{left} bytes are left over"),
            DecodeErrorKind::InvalidLength { len } => write!(f, "{len} is no length"),
            DecodeErrorKind::InvalidVarint => f.write_str("a varint has more than 32 bits"),
            DecodeErrorKind::InvalidUtf8 => f.write_str("a string is not UTF-8"),
            DecodeErrorKind::UnexpectedNull => f.write_str("it must not be null"),
            DecodeErrorKind::UnknownVersion => f.write_str("there is no such version"),
        }
    }
}

impl std::error::Error for DecodeError {}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self::new(ErrorKind::Protocol, error.to_string())
    }
}

/// Why a message cannot be laid out in a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeError {
    pub(super) kind: EncodeErrorKind,
    pub(super) place: Place,
}

/// The classes of encode errors.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeErrorKind {
    /// A field is set that the version does not have, and that must not be dropped.
    UnsupportedField,
    /// A field is null, which the version does not allow.
    UnexpectedNull,
    /// A string, bytes or array have more items than a length can tell.
    TooLong {
        /// How many.
        len: usize,
    },
    /// The message has no such version.
    UnknownVersion,
}

impl EncodeError {
    /// What is wrong.
    pub fn kind(&self) -> EncodeErrorKind {
        self.kind
    }

    /// The message, such as `FetchRequest`; empty when the bytes were written outside of one.
    pub fn message(&self) -> &'static str {
        self.place.message
    }

    /// The field that was being written, such as `FetchTopic.topic_id`; empty when there is none.
    pub fn field(&self) -> &'static str {
        self.place.field
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot encode {}: ", self.place)?;
        match self.kind {
            EncodeErrorKind::UnsupportedField => f.write_str("it is set, and this version does not have it"),
            EncodeErrorKind::UnexpectedNull => f.write_str("it must not be null in this version"),
            EncodeErrorKind::TooLong { len } => write!(f, "a length of {len} is too large"),
            EncodeErrorKind::UnknownVersion => f.write_str("there is no such version"),
        }
    }
}

impl std::error::Error for EncodeError {}

impl From<EncodeError> for Error {
    fn from(error: EncodeError) -> Self {
        let kind = match error.kind {
            EncodeErrorKind::TooLong { .. } => ErrorKind::InvalidArgument,
            _ => ErrorKind::UnsupportedVersion,
        };
        Self::new(kind, error.to_string())
    }
}

//! The error codes of brokers.

/// A broker's error code. Codes that this version does not know survive as they came.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ErrorCode(pub i16);

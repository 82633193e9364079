//! What the program is told when a position moves without it.

use std::fmt;

use crate::types::TopicPartition;

/// A position that moved without the program: where from, where to, and why.
///
/// Each one is a line of the log at level `warn`, too. See
/// [`on_position_reset`](super::ConsumerBuilder::on_position_reset).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PositionReset {
    /// The partition.
    pub partition: TopicPartition,
    /// Why.
    pub cause: ResetCause,
    /// The position before; `None` when there was none.
    pub from: Option<i64>,
    /// The position now.
    pub to: i64,
}

/// Why a position moved without the program.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResetCause {
    /// The group has committed no offset for the partition, or it has expired.
    NoCommittedOffset,
    /// The partition is new, and `read_new_partitions_from_beginning` is on.
    NewPartition,
    /// The log does not have the position any more, or not yet.
    OutOfRange,
    /// The log was truncated below the position, by an unclean election of a leader (KIP-320).
    LogTruncation,
    /// The topic was deleted and created anew, and `reset_on_topic_recreated` is on.
    TopicRecreated,
}

impl fmt::Display for ResetCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCommittedOffset => "the group has committed no offset",
            Self::NewPartition => "the partition is new",
            Self::OutOfRange => "the position is not in the log",
            Self::LogTruncation => "the log was truncated below the position",
            Self::TopicRecreated => "the topic was deleted and created anew",
        })
    }
}

impl fmt::Display for PositionReset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, cause, from, to } = self;
        match from {
            Some(from) => write!(f, "{partition}: {cause}: from {from} to {to}"),
            None => write!(f, "{partition}: {cause}: to {to}"),
        }
    }
}

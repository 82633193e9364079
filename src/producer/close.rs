//! The end of a producer, and what it leaves behind.

use std::fmt;
use std::time::Duration;

use crate::error::{Error, ErrorKind};

/// Why a close did not end as it should: what was given up of the records that were on their way.
///
/// Each of these records' handles has failed with [`ErrorKind::Closed`] and tells whether that one may have been written.
/// It converts to an [`Error`] of the kind [`Timeout`](ErrorKind::Timeout), so `?` works where that is returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseError {
    pub(super) timeout: Duration,
    pub(super) given_up: GivenUp,
    pub(super) thread_ended: bool,
    /// Why the open transaction could not be aborted.
    pub(super) transaction: Option<String>,
}

/// What was given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct GivenUp {
    pub(super) batches: usize,
    pub(super) records: u64,
    pub(super) maybe_written: u64,
}

impl CloseError {
    /// How many records were given up.
    pub fn records(&self) -> u64 {
        self.given_up.records
    }

    /// How many of them may have been written all the same, because they had been sent.
    pub fn maybe_written_records(&self) -> u64 {
        self.given_up.maybe_written
    }

    /// In how many batches the records were.
    pub fn batches(&self) -> usize {
        self.given_up.batches
    }

    /// Whether a transaction was left open, or its outcome is unknown. What is open ends by its timeout, or when a producer
    /// with the same transactional id begins.
    pub fn left_transaction_open(&self) -> bool {
        self.transaction.is_some()
    }

    /// Whether the IO thread has ended. If not, it does so as soon as the callback that it runs returns.
    pub fn thread_ended(&self) -> bool {
        self.thread_ended
    }
}

impl fmt::Display for CloseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GivenUp { batches, records, maybe_written } = self.given_up;
        write!(f, "the producer was closed after {:?}", self.timeout)?;
        if batches > 0 {
            write!(
                f,
                ", and gave up {records} records in {batches} batches, of which {maybe_written} may have been written"
            )?;
        }
        if let Some(why) = &self.transaction {
            write!(f, "; it left a transaction open ({why})")?;
        }
        if !self.thread_ended {
            f.write_str("; its IO thread has not ended yet")?;
        }
        Ok(())
    }
}

impl std::error::Error for CloseError {}

impl From<CloseError> for Error {
    fn from(error: CloseError) -> Self {
        Self::new(ErrorKind::Timeout, error.to_string())
            .with_maybe_written(error.given_up.maybe_written > 0)
            .with_retriable(false)
    }
}

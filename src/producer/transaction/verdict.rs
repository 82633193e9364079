//! What a broker's code means for a transaction: try again, abort, or the end.

use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::error_code::ErrorCode;

/// The classes of Kafka's codes as far as transactions go (KIP-1050).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// The same request again, a moment later.
    Retry,
    /// The same request again, to the coordinator as it is found then.
    Elsewhere,
    /// The coordinator does not know the producer id any more.
    Forgotten,
    /// The transaction has to be aborted.
    Abort,
    /// The producer is of no further use.
    Fatal,
}

/// The class of a code that a coordinator answers with.
pub(super) fn class_of(code: ErrorCode) -> Class {
    match code {
        ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_NOT_AVAILABLE | ErrorCode::REQUEST_TIMED_OUT => {
            Class::Elsewhere
        }
        ErrorCode::UNKNOWN_PRODUCER_ID | ErrorCode::INVALID_PRODUCER_ID_MAPPING => Class::Forgotten,
        ErrorCode::PRODUCER_FENCED
        // What coordinators said of fenced producers before Kafka 2.7.
        | ErrorCode::INVALID_PRODUCER_EPOCH
        | ErrorCode::INVALID_TRANSACTION_TIMEOUT
        | ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT
        | ErrorCode::UNSUPPORTED_VERSION => Class::Fatal,
        code if code.is_retriable() => Class::Retry,
        _ => Class::Abort,
    }
}

/// The error that a code stands for, with its verdict and the remedy.
pub(super) fn error_of(code: ErrorCode, what: &str, id: &str, timeout: Duration) -> Error {
    let plain = Error::from_code(code, format_args!("{what} of transactional id {id}"));
    match code {
        ErrorCode::PRODUCER_FENCED | ErrorCode::INVALID_PRODUCER_EPOCH => {
            let text = format!(
                "{what}: another producer with the transactional id {id} has taken over, or the coordinator has \
                 aborted a transaction that was open for longer than transaction.timeout.ms ({timeout:?}): build a \
                 new producer ({})",
                code.name()
            );
            Error::new(ErrorKind::ProducerFenced, text).with_code(code)
        }
        ErrorCode::INVALID_TRANSACTION_TIMEOUT => plain
            .context(format_args!(
                "transaction.timeout.ms ({timeout:?}) is above the brokers' transaction.max.timeout.ms"
            ))
            .with_fatal(),
        // Under transaction version 2 the producer can go on after that, with the epoch that the abort brings.
        ErrorCode::INVALID_TXN_STATE => plain
            .context(format_args!(
                "the coordinator has ended the transaction already, most likely because it was open for longer than \
                 transaction.timeout.ms ({timeout:?})"
            ))
            .with_abort_required(),
        ErrorCode::UNKNOWN_MEMBER_ID
        | ErrorCode::ILLEGAL_GENERATION
        | ErrorCode::STALE_MEMBER_EPOCH
        | ErrorCode::REBALANCE_IN_PROGRESS => {
            let text = format!(
                "{what}: the consumer group has moved on ({code}), and the partitions may be another member's by now"
            );
            Error::new(ErrorKind::CommitFailed, text).with_code(code).with_abort_required()
        }
        _ => match class_of(code) {
            Class::Fatal => plain.with_fatal(),
            Class::Abort | Class::Forgotten => plain.with_abort_required(),
            Class::Retry | Class::Elsewhere => plain,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_class() {
        for code in ErrorCode::ALL.iter().copied().filter(|code| !code.is_ok()) {
            let error = error_of(code, "commit_transaction", "t", Duration::from_secs(60));
            let verdicts = [error.is_retriable(), error.requires_abort(), error.is_fatal()];
            assert_eq!(verdicts.iter().filter(|holds| **holds).count(), 1, "{code}: {error}");
            assert_eq!(error.code(), Some(code));
        }
    }
}

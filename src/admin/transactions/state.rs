//! How a transaction fares.

use crate::admin::words::word_enum;

word_enum! {
    /// How the transaction of a transactional id fares, as its coordinator knows it.
    TransactionState {
        /// The id is known, and nothing was sent since the producer was initialized.
        Empty = "Empty",
        /// Begun, and neither committed nor aborted.
        Ongoing = "Ongoing",
        /// Being committed: markers are on their way to the partitions.
        PrepareCommit = "PrepareCommit",
        /// Being aborted: markers are on their way to the partitions.
        PrepareAbort = "PrepareAbort",
        /// The last one was committed.
        CompleteCommit = "CompleteCommit",
        /// The last one was aborted.
        CompleteAbort = "CompleteAbort",
        /// The id is being forgotten.
        Dead = "Dead",
        /// Being aborted because of another producer with the same id.
        PrepareEpochFence = "PrepareEpochFence",
    }
}

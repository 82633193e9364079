//! EndTxn, key 26.

use crate::error_code::ErrorCode;

messages! {
    /// Commits or aborts a transaction.
    request EndTxnRequest(26, 0-5, flexible 3+) -> EndTxnResponse {
        transactional_id: String,
        /// The producer id; -1 for none.
        producer_id: i64,
        /// The producer's epoch; -1 for none.
        producer_epoch: i16,
        /// Whether to commit; otherwise the transaction is aborted.
        committed: bool,
    }

    /// The answer to [`EndTxnRequest`].
    response EndTxnResponse(26, 0-5, flexible 3+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        /// The producer id; -1 for none.
        producer_id: i64 [5+, ignorable] = -1,
        /// The producer's epoch; -1 for none.
        producer_epoch: i16 [5+, ignorable] = -1,
    }
}

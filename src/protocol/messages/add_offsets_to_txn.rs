//! AddOffsetsToTxn, key 25.

use crate::error_code::ErrorCode;

messages! {
    /// Says that a transaction will commit offsets of a group.
    request AddOffsetsToTxnRequest(25, 0-4, flexible 3+) -> AddOffsetsToTxnResponse {
        transactional_id: String,
        /// The producer id; -1 for none.
        producer_id: i64,
        /// The producer's epoch; -1 for none.
        producer_epoch: i16,
        group_id: String,
    }

    /// The answer to [`AddOffsetsToTxnRequest`].
    response AddOffsetsToTxnResponse(25, 0-4, flexible 3+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        error_code: ErrorCode,
    }
}

//! InitProducerId, key 22.

use crate::error_code::ErrorCode;

messages! {
    /// Gets a producer id, and fences older producers with the same transactional id (KIP-98).
    request InitProducerIdRequest(22, 0-5, unstable 6, flexible 2+) -> InitProducerIdResponse {
        transactional_id: Option<String> = empty,
        transaction_timeout_ms: i32,
        /// The producer id; -1 for none.
        producer_id: i64 [3+] = -1,
        /// The producer's epoch; -1 for none.
        producer_epoch: i16 [3+] = -1,
        /// Whether an outside coordinator decides on the transaction (KIP-939).
        enable_2_pc: bool [6+],
        /// Whether to keep a transaction that is prepared (KIP-939).
        keep_prepared_txn: bool [6+],
    }

    /// The answer to [`InitProducerIdRequest`].
    response InitProducerIdResponse(22, 0-5, unstable 6, flexible 2+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        /// The producer id; -1 for none.
        producer_id: i64 = -1,
        /// The producer's epoch; -1 for none.
        producer_epoch: i16,
        ongoing_txn_producer_id: i64 [6+] = -1,
        ongoing_txn_producer_epoch: i16 [6+] = -1,
    }
}

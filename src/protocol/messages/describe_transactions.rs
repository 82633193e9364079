//! DescribeTransactions, key 65.

use crate::error_code::ErrorCode;

messages! {
    /// Asks for the state of transactions (KIP-664).
    request DescribeTransactionsRequest(65, 0, flexible 0+) -> DescribeTransactionsResponse {
        transactional_ids: Vec<String>,
    }

    /// The answer to [`DescribeTransactionsRequest`].
    response DescribeTransactionsResponse(65, 0, flexible 0+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        transaction_states: Vec<TransactionState>,
    }

    /// An item of [`DescribeTransactionsResponse::transaction_states`].
    struct TransactionState {
        error_code: ErrorCode,
        transactional_id: String,
        transaction_state: String,
        transaction_timeout_ms: i32,
        transaction_start_time_ms: i64,
        /// The producer id; -1 for none.
        producer_id: i64,
        /// The producer's epoch; -1 for none.
        producer_epoch: i16,
        topics: Vec<TopicData>,
    }

    /// An item of [`TransactionState::topics`].
    struct TopicData {
        topic: String,
        partitions: Vec<i32>,
    }
}

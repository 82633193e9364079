//! DescribeTransactions

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request DescribeTransactionsRequest(65, 0, flexible 0+) -> DescribeTransactionsResponse {
        transactional_ids: Vec<String>,
    }

    /// TODO.
    response DescribeTransactionsResponse(65, 0, flexible 0+) {
        throttle_time_ms: i32,
        transaction_states: Vec<TransactionState>,
    }

    /// A part.
    struct TransactionState {
        error_code: ErrorCode,
        transactional_id: String,
        transaction_state: String,
        transaction_timeout_ms: i32,
        transaction_start_time_ms: i64,
        producer_id: i64,
        producer_epoch: i16,
        topics: Vec<TopicData>,
    }

    /// A part.
    struct TopicData {
        topic: String,
        partitions: Vec<i32>,
    }
}

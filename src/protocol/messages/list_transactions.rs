//! ListTransactions

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request ListTransactionsRequest(66, 0-2, flexible 0+) -> ListTransactionsResponse {
        state_filters: Vec<String>,
        producer_id_filters: Vec<i64>,
        duration_filter: i64 [1+] = -1,
        transactional_id_pattern: Option<String> [2+],
    }

    /// TODO.
    response ListTransactionsResponse(66, 0-2, flexible 0+) {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        unknown_state_filters: Vec<String>,
        transaction_states: Vec<TransactionState>,
    }

    /// A part.
    struct TransactionState {
        transactional_id: String,
        producer_id: i64,
        transaction_state: String,
    }
}

//! ListTransactions, key 66.

use crate::error_code::ErrorCode;

messages! {
    /// Asks a coordinator for its transactions (KIP-664).
    request ListTransactionsRequest(66, 0-2, flexible 0+) -> ListTransactionsResponse {
        state_filters: Vec<String>,
        producer_id_filters: Vec<i64>,
        duration_filter: i64 [1+] = -1,
        transactional_id_pattern: Option<String> [2+],
    }

    /// The answer to [`ListTransactionsRequest`].
    response ListTransactionsResponse(66, 0-2, flexible 0+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        unknown_state_filters: Vec<String>,
        transaction_states: Vec<TransactionState>,
    }

    /// An item of [`ListTransactionsResponse::transaction_states`].
    struct TransactionState {
        transactional_id: String,
        /// The producer id; -1 for none.
        producer_id: i64,
        transaction_state: String,
    }
}

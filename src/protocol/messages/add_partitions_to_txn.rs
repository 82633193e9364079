//! AddPartitionsToTxn, key 24.

use crate::error_code::ErrorCode;

messages! {
    /// Adds partitions to a transaction; from version 4 on used between brokers only.
    request AddPartitionsToTxnRequest(24, 0-5, flexible 3+) -> AddPartitionsToTxnResponse {
        transactions: Vec<AddPartitionsToTxnTransaction> [4+],
        v3_and_below_transactional_id: String [0-3],
        v3_and_below_producer_id: i64 [0-3],
        v3_and_below_producer_epoch: i16 [0-3],
        v3_and_below_topics: Vec<AddPartitionsToTxnTopic> [0-3],
    }

    /// An item of [`AddPartitionsToTxnRequest::transactions`].
    struct AddPartitionsToTxnTransaction {
        transactional_id: String,
        /// The producer id; -1 for none.
        producer_id: i64,
        /// The producer's epoch; -1 for none.
        producer_epoch: i16,
        verify_only: bool,
        topics: Vec<AddPartitionsToTxnTopic>,
    }

    /// An item of [`AddPartitionsToTxnRequest::v3_and_below_topics`].
    struct AddPartitionsToTxnTopic {
        name: String,
        partitions: Vec<i32>,
    }

    /// The answer to [`AddPartitionsToTxnRequest`].
    response AddPartitionsToTxnResponse(24, 0-5, flexible 3+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        error_code: ErrorCode [4+, ignorable],
        results_by_transaction: Vec<AddPartitionsToTxnResult> [4+],
        results_by_topic_v3_and_below: Vec<AddPartitionsToTxnTopicResult> [0-3],
    }

    /// An item of [`AddPartitionsToTxnResponse::results_by_transaction`].
    struct AddPartitionsToTxnResult {
        transactional_id: String,
        topic_results: Vec<AddPartitionsToTxnTopicResult>,
    }

    /// An item of [`AddPartitionsToTxnResponse::results_by_topic_v3_and_below`].
    struct AddPartitionsToTxnTopicResult {
        name: String,
        results_by_partition: Vec<AddPartitionsToTxnPartitionResult>,
    }

    /// An item of [`AddPartitionsToTxnTopicResult::results_by_partition`].
    struct AddPartitionsToTxnPartitionResult {
        partition_index: i32,
        partition_error_code: ErrorCode,
    }
}

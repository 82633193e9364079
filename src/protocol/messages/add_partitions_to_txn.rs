//! AddPartitionsToTxn

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request AddPartitionsToTxnRequest(24, 0-5, flexible 3+) -> AddPartitionsToTxnResponse {
        transactions: Vec<AddPartitionsToTxnTransaction> [4+],
        v3_and_below_transactional_id: String [0-3],
        v3_and_below_producer_id: i64 [0-3],
        v3_and_below_producer_epoch: i16 [0-3],
        v3_and_below_topics: Vec<AddPartitionsToTxnTopic> [0-3],
    }

    /// A part.
    struct AddPartitionsToTxnTransaction {
        transactional_id: String,
        producer_id: i64,
        producer_epoch: i16,
        verify_only: bool,
        topics: Vec<AddPartitionsToTxnTopic>,
    }

    /// A part.
    struct AddPartitionsToTxnTopic {
        name: String,
        partitions: Vec<i32>,
    }

    /// TODO.
    response AddPartitionsToTxnResponse(24, 0-5, flexible 3+) {
        throttle_time_ms: i32,
        error_code: ErrorCode [4+, ignorable],
        results_by_transaction: Vec<AddPartitionsToTxnResult> [4+],
        results_by_topic_v3_and_below: Vec<AddPartitionsToTxnTopicResult> [0-3],
    }

    /// A part.
    struct AddPartitionsToTxnResult {
        transactional_id: String,
        topic_results: Vec<AddPartitionsToTxnTopicResult>,
    }

    /// A part.
    struct AddPartitionsToTxnTopicResult {
        name: String,
        results_by_partition: Vec<AddPartitionsToTxnPartitionResult>,
    }

    /// A part.
    struct AddPartitionsToTxnPartitionResult {
        partition_index: i32,
        partition_error_code: ErrorCode,
    }
}

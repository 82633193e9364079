//! DescribeProducers

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request DescribeProducersRequest(61, 0, flexible 0+) -> DescribeProducersResponse {
        topics: Vec<TopicRequest>,
    }

    /// A part.
    struct TopicRequest {
        name: String,
        partition_indexes: Vec<i32>,
    }

    /// TODO.
    response DescribeProducersResponse(61, 0, flexible 0+) {
        throttle_time_ms: i32,
        topics: Vec<TopicResponse>,
    }

    /// A part.
    struct TopicResponse {
        name: String,
        partitions: Vec<PartitionResponse>,
    }

    /// A part.
    struct PartitionResponse {
        partition_index: i32,
        error_code: ErrorCode,
        error_message: Option<String>,
        active_producers: Vec<ProducerState>,
    }

    /// A part.
    struct ProducerState {
        producer_id: i64,
        producer_epoch: i32,
        last_sequence: i32 = -1,
        last_timestamp: i64 = -1,
        coordinator_epoch: i32,
        current_txn_start_offset: i64 = -1,
    }
}

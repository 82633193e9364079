//! DescribeProducers, key 61.

use crate::error_code::ErrorCode;

messages! {
    /// Asks for the producers that are active on partitions (KIP-664).
    request DescribeProducersRequest(61, 0, flexible 0+) -> DescribeProducersResponse {
        topics: Vec<TopicRequest>,
    }

    /// An item of [`DescribeProducersRequest::topics`].
    struct TopicRequest {
        name: String,
        partition_indexes: Vec<i32>,
    }

    /// The answer to [`DescribeProducersRequest`].
    response DescribeProducersResponse(61, 0, flexible 0+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        topics: Vec<TopicResponse>,
    }

    /// An item of [`DescribeProducersResponse::topics`].
    struct TopicResponse {
        name: String,
        partitions: Vec<PartitionResponse>,
    }

    /// An item of [`TopicResponse::partitions`].
    struct PartitionResponse {
        partition_index: i32,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String>,
        active_producers: Vec<ProducerState>,
    }

    /// An item of [`PartitionResponse::active_producers`].
    struct ProducerState {
        /// The producer id; -1 for none.
        producer_id: i64,
        /// The producer's epoch; -1 for none.
        producer_epoch: i32,
        last_sequence: i32 = -1,
        last_timestamp: i64 = -1,
        coordinator_epoch: i32,
        current_txn_start_offset: i64 = -1,
    }
}

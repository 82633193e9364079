//! Produce

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// TODO.
    request ProduceRequest(0, 0-13, flexible 9+) -> ProduceResponse {
        transactional_id: Option<String> [3+],
        acks: i16,
        timeout_ms: i32,
        topic_data: Vec<TopicProduceData>,
    }

    /// A part.
    struct TopicProduceData {
        name: String [0-12, ignorable],
        topic_id: Uuid [13+, ignorable],
        partition_data: Vec<PartitionProduceData>,
    }

    /// A part.
    struct PartitionProduceData {
        index: i32,
        records: Option<Bytes> [records] = empty,
    }

    /// TODO.
    response ProduceResponse(0, 0-13, flexible 9+) {
        responses: Vec<TopicProduceResponse>,
        throttle_time_ms: i32 [1+, ignorable],
        node_endpoints: Vec<NodeEndpoint> [10+, tag 0],
    }

    /// A part.
    struct TopicProduceResponse {
        name: String [0-12, ignorable],
        topic_id: Uuid [13+, ignorable],
        partition_responses: Vec<PartitionProduceResponse>,
    }

    /// A part.
    struct PartitionProduceResponse {
        index: i32,
        error_code: ErrorCode,
        base_offset: i64,
        log_append_time_ms: i64 [2+, ignorable] = -1,
        log_start_offset: i64 [5+, ignorable] = -1,
        record_errors: Vec<BatchIndexAndErrorMessage> [8+, ignorable],
        error_message: Option<String> [8+, ignorable],
        current_leader: LeaderIdAndEpoch [10+, tag 0],
    }

    /// A part.
    struct BatchIndexAndErrorMessage {
        batch_index: i32,
        batch_index_error_message: Option<String>,
    }

    /// A part.
    struct LeaderIdAndEpoch {
        leader_id: i32 = -1,
        leader_epoch: i32 = -1,
    }

    /// A part.
    struct NodeEndpoint {
        node_id: i32,
        host: String,
        port: i32,
        rack: Option<String>,
    }
}

//! Produce, key 0.

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// Appends record batches to partitions.
    request ProduceRequest(0, 0-13, flexible 9+) -> ProduceResponse {
        transactional_id: Option<String> [3+],
        /// How many replicas must have the batch before the broker answers: 0 for no answer, 1 for the
        /// leader, -1 for all in sync.
        acks: i16,
        /// How long the broker may take, in milliseconds.
        timeout_ms: i32,
        topic_data: Vec<TopicProduceData>,
    }

    /// An item of [`ProduceRequest::topic_data`].
    struct TopicProduceData {
        name: String [0-12, ignorable],
        topic_id: Uuid [13+, ignorable],
        partition_data: Vec<PartitionProduceData>,
    }

    /// An item of [`TopicProduceData::partition_data`].
    struct PartitionProduceData {
        index: i32,
        /// One record batch; several messages in the formats before version 3.
        records: Option<Bytes> [records] = empty,
    }

    /// The answer to [`ProduceRequest`].
    response ProduceResponse(0, 0-13, flexible 9+) {
        responses: Vec<TopicProduceResponse>,
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32 [1+, ignorable],
        /// Where the leaders named in this response can be reached (KIP-951).
        node_endpoints: Vec<NodeEndpoint> [10+, tag 0],
    }

    /// An item of [`ProduceResponse::responses`].
    struct TopicProduceResponse {
        name: String [0-12, ignorable],
        topic_id: Uuid [13+, ignorable],
        partition_responses: Vec<PartitionProduceResponse>,
    }

    /// An item of [`TopicProduceResponse::partition_responses`].
    struct PartitionProduceResponse {
        index: i32,
        error_code: ErrorCode,
        /// The offset of the first record.
        base_offset: i64,
        /// The broker's timestamp of the batch, when the topic uses that; -1 otherwise.
        log_append_time_ms: i64 [2+, ignorable] = -1,
        /// The first offset that the log still has; -1 for unknown.
        log_start_offset: i64 [5+, ignorable] = -1,
        record_errors: Vec<BatchIndexAndErrorMessage> [8+, ignorable],
        /// More words on the error, if the broker has any.
        error_message: Option<String> [8+, ignorable],
        current_leader: LeaderIdAndEpoch [10+, tag 0],
    }

    /// An item of [`PartitionProduceResponse::record_errors`].
    struct BatchIndexAndErrorMessage {
        /// The place of the record in its batch.
        batch_index: i32,
        batch_index_error_message: Option<String>,
    }

    /// What [`PartitionProduceResponse::current_leader`] holds.
    struct LeaderIdAndEpoch {
        leader_id: i32 = -1,
        /// The epoch of the leader; -1 for unknown.
        leader_epoch: i32 = -1,
    }

    /// An item of [`ProduceResponse::node_endpoints`].
    struct NodeEndpoint {
        node_id: i32,
        host: String,
        port: i32,
        /// The rack, if the broker has one.
        rack: Option<String>,
    }
}

//! DescribeQuorum

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// TODO.
    request DescribeQuorumRequest(55, 0-2, flexible 0+) -> DescribeQuorumResponse {
        topics: Vec<DescribeQuorumRequestTopicData>,
    }

    /// A part.
    struct DescribeQuorumRequestTopicData {
        topic_name: String,
        partitions: Vec<DescribeQuorumRequestPartitionData>,
    }

    /// A part.
    struct DescribeQuorumRequestPartitionData {
        partition_index: i32,
    }

    /// TODO.
    response DescribeQuorumResponse(55, 0-2, flexible 0+) {
        error_code: ErrorCode,
        error_message: Option<String> [2+, ignorable] = empty,
        topics: Vec<DescribeQuorumResponseTopicData>,
        nodes: Vec<Node> [2+],
    }

    /// A part.
    struct DescribeQuorumResponseTopicData {
        topic_name: String,
        partitions: Vec<DescribeQuorumResponsePartitionData>,
    }

    /// A part.
    struct DescribeQuorumResponsePartitionData {
        partition_index: i32,
        error_code: ErrorCode,
        error_message: Option<String> [2+, ignorable] = empty,
        leader_id: i32,
        leader_epoch: i32,
        high_watermark: i64,
        current_voters: Vec<ReplicaState>,
        observers: Vec<ReplicaState>,
    }

    /// A part.
    struct ReplicaState {
        replica_id: i32,
        replica_directory_id: Uuid [2+],
        log_end_offset: i64,
        last_fetch_timestamp: i64 [1+, ignorable] = -1,
        last_caught_up_timestamp: i64 [1+, ignorable] = -1,
    }

    /// A part.
    struct Node {
        node_id: i32,
        listeners: Vec<Listener>,
    }

    /// A part.
    struct Listener {
        name: String,
        host: String,
        port: u16,
    }
}

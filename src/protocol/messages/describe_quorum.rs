//! DescribeQuorum, key 55.

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// Asks for the voters and observers of the controller quorum (KIP-595).
    request DescribeQuorumRequest(55, 0-2, flexible 0+) -> DescribeQuorumResponse {
        topics: Vec<DescribeQuorumRequestTopicData>,
    }

    /// An item of [`DescribeQuorumRequest::topics`].
    struct DescribeQuorumRequestTopicData {
        topic_name: String,
        partitions: Vec<DescribeQuorumRequestPartitionData>,
    }

    /// An item of [`DescribeQuorumRequestTopicData::partitions`].
    struct DescribeQuorumRequestPartitionData {
        partition_index: i32,
    }

    /// The answer to [`DescribeQuorumRequest`].
    response DescribeQuorumResponse(55, 0-2, flexible 0+) {
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> [2+, ignorable] = empty,
        topics: Vec<DescribeQuorumResponseTopicData>,
        nodes: Vec<Node> [2+],
    }

    /// An item of [`DescribeQuorumResponse::topics`].
    struct DescribeQuorumResponseTopicData {
        topic_name: String,
        partitions: Vec<DescribeQuorumResponsePartitionData>,
    }

    /// An item of [`DescribeQuorumResponseTopicData::partitions`].
    struct DescribeQuorumResponsePartitionData {
        partition_index: i32,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> [2+, ignorable] = empty,
        leader_id: i32,
        /// The epoch of the leader; -1 for unknown.
        leader_epoch: i32,
        /// The offset up to which records are replicated and can be read.
        high_watermark: i64,
        current_voters: Vec<ReplicaState>,
        observers: Vec<ReplicaState>,
    }

    /// An item of [`DescribeQuorumResponsePartitionData::current_voters`].
    struct ReplicaState {
        replica_id: i32,
        /// The id of the log directory of a follower.
        replica_directory_id: Uuid [2+],
        log_end_offset: i64,
        last_fetch_timestamp: i64 [1+, ignorable] = -1,
        last_caught_up_timestamp: i64 [1+, ignorable] = -1,
    }

    /// An item of [`DescribeQuorumResponse::nodes`].
    struct Node {
        node_id: i32,
        listeners: Vec<Listener>,
    }

    /// An item of [`Node::listeners`].
    struct Listener {
        name: String,
        host: String,
        port: u16,
    }
}

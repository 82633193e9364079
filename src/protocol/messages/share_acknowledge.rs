//! ShareAcknowledge

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// TODO.
    request ShareAcknowledgeRequest(79, 1-2, flexible 0+) -> ShareAcknowledgeResponse {
        group_id: Option<String>,
        member_id: Option<String> = empty,
        share_session_epoch: i32,
        is_renew_ack: bool [2+],
        topics: Vec<AcknowledgeTopic>,
    }

    /// A part.
    struct AcknowledgeTopic {
        topic_id: Uuid,
        partitions: Vec<AcknowledgePartition>,
    }

    /// A part.
    struct AcknowledgePartition {
        partition_index: i32,
        acknowledgement_batches: Vec<AcknowledgementBatch>,
    }

    /// A part.
    struct AcknowledgementBatch {
        first_offset: i64,
        last_offset: i64,
        acknowledge_types: Vec<i8>,
    }

    /// TODO.
    response ShareAcknowledgeResponse(79, 1-2, flexible 0+) {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<String>,
        acquisition_lock_timeout_ms: i32 [2+, ignorable],
        responses: Vec<ShareAcknowledgeTopicResponse>,
        node_endpoints: Vec<NodeEndpoint>,
    }

    /// A part.
    struct ShareAcknowledgeTopicResponse {
        topic_id: Uuid,
        partitions: Vec<PartitionData>,
    }

    /// A part.
    struct PartitionData {
        partition_index: i32,
        error_code: ErrorCode,
        error_message: Option<String>,
        current_leader: LeaderIdAndEpoch,
    }

    /// A part.
    struct LeaderIdAndEpoch {
        leader_id: i32,
        leader_epoch: i32,
    }

    /// A part.
    struct NodeEndpoint {
        node_id: i32,
        host: String,
        port: i32,
        rack: Option<String>,
    }
}

//! ShareAcknowledge, key 79.

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// Acknowledges records of a share group (KIP-932).
    request ShareAcknowledgeRequest(79, 1-2, flexible 0+) -> ShareAcknowledgeResponse {
        group_id: Option<String>,
        /// The member id.
        member_id: Option<String> = empty,
        /// -1 to end the share session; otherwise the number of the request within it.
        share_session_epoch: i32,
        is_renew_ack: bool [2+],
        topics: Vec<AcknowledgeTopic>,
    }

    /// An item of [`ShareAcknowledgeRequest::topics`].
    struct AcknowledgeTopic {
        topic_id: Uuid,
        partitions: Vec<AcknowledgePartition>,
    }

    /// An item of [`AcknowledgeTopic::partitions`].
    struct AcknowledgePartition {
        partition_index: i32,
        acknowledgement_batches: Vec<AcknowledgementBatch>,
    }

    /// An item of [`AcknowledgePartition::acknowledgement_batches`].
    struct AcknowledgementBatch {
        first_offset: i64,
        last_offset: i64,
        /// For each record, or once for all: 0 gap, 1 accept, 2 release, 3 reject, 4 renew.
        acknowledge_types: Vec<i8>,
    }

    /// The answer to [`ShareAcknowledgeRequest`].
    response ShareAcknowledgeResponse(79, 1-2, flexible 0+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String>,
        acquisition_lock_timeout_ms: i32 [2+, ignorable],
        responses: Vec<ShareAcknowledgeTopicResponse>,
        /// Where the leaders named in this response can be reached (KIP-951).
        node_endpoints: Vec<NodeEndpoint>,
    }

    /// An item of [`ShareAcknowledgeResponse::responses`].
    struct ShareAcknowledgeTopicResponse {
        topic_id: Uuid,
        partitions: Vec<PartitionData>,
    }

    /// An item of [`ShareAcknowledgeTopicResponse::partitions`].
    struct PartitionData {
        partition_index: i32,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String>,
        current_leader: LeaderIdAndEpoch,
    }

    /// What [`PartitionData::current_leader`] holds.
    struct LeaderIdAndEpoch {
        leader_id: i32,
        /// The epoch of the leader; -1 for unknown.
        leader_epoch: i32,
    }

    /// An item of [`ShareAcknowledgeResponse::node_endpoints`].
    struct NodeEndpoint {
        node_id: i32,
        host: String,
        port: i32,
        /// The rack, if the broker has one.
        rack: Option<String>,
    }
}

//! ShareFetch

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// TODO.
    request ShareFetchRequest(78, 1-2, flexible 0+) -> ShareFetchResponse {
        group_id: Option<String>,
        member_id: Option<String> = empty,
        share_session_epoch: i32,
        max_wait_ms: i32,
        min_bytes: i32,
        max_bytes: i32 = 2147483647,
        max_records: i32,
        batch_size: i32,
        share_acquire_mode: i8 [2+, ignorable],
        is_renew_ack: bool [2+],
        topics: Vec<FetchTopic>,
        forgotten_topics_data: Vec<ForgottenTopic>,
    }

    /// A part.
    struct FetchTopic {
        topic_id: Uuid,
        partitions: Vec<FetchPartition>,
    }

    /// A part.
    struct FetchPartition {
        partition_index: i32,
        acknowledgement_batches: Vec<AcknowledgementBatch>,
    }

    /// A part.
    struct AcknowledgementBatch {
        first_offset: i64,
        last_offset: i64,
        acknowledge_types: Vec<i8>,
    }

    /// A part.
    struct ForgottenTopic {
        topic_id: Uuid,
        partitions: Vec<i32>,
    }

    /// TODO.
    response ShareFetchResponse(78, 1-2, flexible 0+) {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<String>,
        acquisition_lock_timeout_ms: i32,
        responses: Vec<ShareFetchableTopicResponse>,
        node_endpoints: Vec<NodeEndpoint>,
    }

    /// A part.
    struct ShareFetchableTopicResponse {
        topic_id: Uuid,
        partitions: Vec<PartitionData>,
    }

    /// A part.
    struct PartitionData {
        partition_index: i32,
        error_code: ErrorCode,
        error_message: Option<String>,
        acknowledge_error_code: ErrorCode,
        acknowledge_error_message: Option<String>,
        current_leader: LeaderIdAndEpoch,
        records: Bytes [records],
        acquired_records: Vec<AcquiredRecords>,
    }

    /// A part.
    struct LeaderIdAndEpoch {
        leader_id: i32,
        leader_epoch: i32,
    }

    /// A part.
    struct AcquiredRecords {
        first_offset: i64,
        last_offset: i64,
        delivery_count: i16,
    }

    /// A part.
    struct NodeEndpoint {
        node_id: i32,
        host: String,
        port: i32,
        rack: Option<String>,
    }
}

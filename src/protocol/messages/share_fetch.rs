//! ShareFetch, key 78.

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// Acquires records of a share group, and acknowledges earlier ones (KIP-932).
    request ShareFetchRequest(78, 1-2, flexible 0+) -> ShareFetchResponse {
        group_id: Option<String>,
        /// The member id.
        member_id: Option<String> = empty,
        /// 0 to begin a share session, -1 to end it; otherwise the number of the request within it.
        share_session_epoch: i32,
        /// How long the broker may wait for `min_bytes`, in milliseconds.
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

    /// An item of [`ShareFetchRequest::topics`].
    struct FetchTopic {
        topic_id: Uuid,
        partitions: Vec<FetchPartition>,
    }

    /// An item of [`FetchTopic::partitions`].
    struct FetchPartition {
        partition_index: i32,
        acknowledgement_batches: Vec<AcknowledgementBatch>,
    }

    /// An item of [`FetchPartition::acknowledgement_batches`].
    struct AcknowledgementBatch {
        first_offset: i64,
        last_offset: i64,
        /// For each record, or once for all: 0 gap, 1 accept, 2 release, 3 reject, 4 renew.
        acknowledge_types: Vec<i8>,
    }

    /// An item of [`ShareFetchRequest::forgotten_topics_data`].
    struct ForgottenTopic {
        topic_id: Uuid,
        partitions: Vec<i32>,
    }

    /// The answer to [`ShareFetchRequest`].
    response ShareFetchResponse(78, 1-2, flexible 0+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String>,
        acquisition_lock_timeout_ms: i32,
        responses: Vec<ShareFetchableTopicResponse>,
        /// Where the leaders named in this response can be reached (KIP-951).
        node_endpoints: Vec<NodeEndpoint>,
    }

    /// An item of [`ShareFetchResponse::responses`].
    struct ShareFetchableTopicResponse {
        topic_id: Uuid,
        partitions: Vec<PartitionData>,
    }

    /// An item of [`ShareFetchableTopicResponse::partitions`].
    struct PartitionData {
        partition_index: i32,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String>,
        acknowledge_error_code: ErrorCode,
        acknowledge_error_message: Option<String>,
        current_leader: LeaderIdAndEpoch,
        records: Bytes [records],
        acquired_records: Vec<AcquiredRecords>,
    }

    /// What [`PartitionData::current_leader`] holds.
    struct LeaderIdAndEpoch {
        leader_id: i32,
        /// The epoch of the leader; -1 for unknown.
        leader_epoch: i32,
    }

    /// An item of [`PartitionData::acquired_records`].
    struct AcquiredRecords {
        first_offset: i64,
        last_offset: i64,
        delivery_count: i16,
    }

    /// An item of [`ShareFetchResponse::node_endpoints`].
    struct NodeEndpoint {
        node_id: i32,
        host: String,
        port: i32,
        /// The rack, if the broker has one.
        rack: Option<String>,
    }
}

//! OffsetCommit, key 8.

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// Commits offsets of a group.
    request OffsetCommitRequest(8, 0-10, flexible 8+) -> OffsetCommitResponse {
        group_id: String,
        generation_id_or_member_epoch: i32 [1+, ignorable] = -1,
        /// The member id.
        member_id: String [1+, ignorable],
        /// The static id of the member (KIP-345), if it has one.
        group_instance_id: Option<String> [7+],
        /// How long the offset is kept, in milliseconds; -1 for as the broker is configured.
        retention_time_ms: i64 [2-4, ignorable] = -1,
        topics: Vec<OffsetCommitRequestTopic>,
    }

    /// An item of [`OffsetCommitRequest::topics`].
    struct OffsetCommitRequestTopic {
        name: String [0-9, ignorable],
        topic_id: Uuid [10+, ignorable],
        partitions: Vec<OffsetCommitRequestPartition>,
    }

    /// An item of [`OffsetCommitRequestTopic::partitions`].
    struct OffsetCommitRequestPartition {
        partition_index: i32,
        committed_offset: i64,
        /// The leader epoch of the last record before the offset; -1 for unknown.
        committed_leader_epoch: i32 [6+, ignorable] = -1,
        commit_timestamp: i64 [1] = -1,
        committed_metadata: Option<String> = empty,
    }

    /// The answer to [`OffsetCommitRequest`].
    response OffsetCommitResponse(8, 0-10, flexible 8+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32 [3+, ignorable],
        topics: Vec<OffsetCommitResponseTopic>,
    }

    /// An item of [`OffsetCommitResponse::topics`].
    struct OffsetCommitResponseTopic {
        name: String [0-9, ignorable],
        topic_id: Uuid [10+, ignorable],
        partitions: Vec<OffsetCommitResponsePartition>,
    }

    /// An item of [`OffsetCommitResponseTopic::partitions`].
    struct OffsetCommitResponsePartition {
        partition_index: i32,
        error_code: ErrorCode,
    }
}

//! OffsetCommit

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// TODO.
    request OffsetCommitRequest(8, 0-10, flexible 8+) -> OffsetCommitResponse {
        group_id: String,
        generation_id_or_member_epoch: i32 [1+, ignorable] = -1,
        member_id: String [1+, ignorable],
        group_instance_id: Option<String> [7+],
        retention_time_ms: i64 [2-4, ignorable] = -1,
        topics: Vec<OffsetCommitRequestTopic>,
    }

    /// A part.
    struct OffsetCommitRequestTopic {
        name: String [0-9, ignorable],
        topic_id: Uuid [10+, ignorable],
        partitions: Vec<OffsetCommitRequestPartition>,
    }

    /// A part.
    struct OffsetCommitRequestPartition {
        partition_index: i32,
        committed_offset: i64,
        committed_leader_epoch: i32 [6+, ignorable] = -1,
        commit_timestamp: i64 [1] = -1,
        committed_metadata: Option<String> = empty,
    }

    /// TODO.
    response OffsetCommitResponse(8, 0-10, flexible 8+) {
        throttle_time_ms: i32 [3+, ignorable],
        topics: Vec<OffsetCommitResponseTopic>,
    }

    /// A part.
    struct OffsetCommitResponseTopic {
        name: String [0-9, ignorable],
        topic_id: Uuid [10+, ignorable],
        partitions: Vec<OffsetCommitResponsePartition>,
    }

    /// A part.
    struct OffsetCommitResponsePartition {
        partition_index: i32,
        error_code: ErrorCode,
    }
}

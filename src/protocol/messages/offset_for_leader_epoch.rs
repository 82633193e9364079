//! OffsetForLeaderEpoch

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request OffsetForLeaderEpochRequest(23, 0-4, flexible 4+) -> OffsetForLeaderEpochResponse {
        replica_id: i32 [3+, ignorable] = -2,
        topics: Vec<OffsetForLeaderTopic>,
    }

    /// A part.
    struct OffsetForLeaderTopic {
        topic: String,
        partitions: Vec<OffsetForLeaderPartition>,
    }

    /// A part.
    struct OffsetForLeaderPartition {
        partition: i32,
        current_leader_epoch: i32 [2+, ignorable] = -1,
        leader_epoch: i32,
    }

    /// TODO.
    response OffsetForLeaderEpochResponse(23, 0-4, flexible 4+) {
        throttle_time_ms: i32 [2+, ignorable],
        topics: Vec<OffsetForLeaderTopicResult>,
    }

    /// A part.
    struct OffsetForLeaderTopicResult {
        topic: String,
        partitions: Vec<EpochEndOffset>,
    }

    /// A part.
    struct EpochEndOffset {
        error_code: ErrorCode,
        partition: i32,
        leader_epoch: i32 [1+, ignorable] = -1,
        end_offset: i64 = -1,
    }
}

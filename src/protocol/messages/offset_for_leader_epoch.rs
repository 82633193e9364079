//! OffsetForLeaderEpoch, key 23.

use crate::error_code::ErrorCode;

messages! {
    /// Asks where leader epochs end, to find out about truncation (KIP-320).
    request OffsetForLeaderEpochRequest(23, 0-4, flexible 4+) -> OffsetForLeaderEpochResponse {
        replica_id: i32 [3+, ignorable] = -2,
        topics: Vec<OffsetForLeaderTopic>,
    }

    /// An item of [`OffsetForLeaderEpochRequest::topics`].
    struct OffsetForLeaderTopic {
        topic: String,
        partitions: Vec<OffsetForLeaderPartition>,
    }

    /// An item of [`OffsetForLeaderTopic::partitions`].
    struct OffsetForLeaderPartition {
        partition: i32,
        /// The leader epoch that the client knows, so that stale ones are refused; -1 to skip the check.
        current_leader_epoch: i32 [2+, ignorable] = -1,
        /// The epoch of the leader; -1 for unknown.
        leader_epoch: i32,
    }

    /// The answer to [`OffsetForLeaderEpochRequest`].
    response OffsetForLeaderEpochResponse(23, 0-4, flexible 4+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32 [2+, ignorable],
        topics: Vec<OffsetForLeaderTopicResult>,
    }

    /// An item of [`OffsetForLeaderEpochResponse::topics`].
    struct OffsetForLeaderTopicResult {
        topic: String,
        partitions: Vec<EpochEndOffset>,
    }

    /// An item of [`OffsetForLeaderTopicResult::partitions`].
    struct EpochEndOffset {
        error_code: ErrorCode,
        partition: i32,
        /// The epoch of the leader; -1 for unknown.
        leader_epoch: i32 [1+, ignorable] = -1,
        end_offset: i64 = -1,
    }
}

//! ListOffsets, key 2.

use crate::error_code::ErrorCode;

messages! {
    /// Asks for the offsets that belong to timestamps, or for the first and last ones.
    request ListOffsetsRequest(2, 0-11, flexible 6+) -> ListOffsetsResponse {
        /// The id of the follower that asks; -1 for clients.
        replica_id: i32,
        /// 0 reads everything, 1 only what is committed.
        isolation_level: i8 [2+],
        topics: Vec<ListOffsetsTopic>,
        /// How long the broker may take, in milliseconds.
        timeout_ms: i32 [10+, ignorable],
    }

    /// An item of [`ListOffsetsRequest::topics`].
    struct ListOffsetsTopic {
        name: String,
        partitions: Vec<ListOffsetsPartition>,
    }

    /// An item of [`ListOffsetsTopic::partitions`].
    struct ListOffsetsPartition {
        partition_index: i32,
        /// The leader epoch that the client knows, so that stale ones are refused; -1 to skip the check.
        current_leader_epoch: i32 [4+, ignorable] = -1,
        /// -1 for the end, -2 for the start, -3 for the largest timestamp (KIP-734), -4 for the start of
        /// what is local, -5 for the end of what is remote, -6 for the earliest that is not yet remote; or
        /// milliseconds since the epoch.
        timestamp: i64,
        max_num_offsets: i32 [0] = 1,
    }

    /// The answer to [`ListOffsetsRequest`].
    response ListOffsetsResponse(2, 0-11, flexible 6+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32 [2+, ignorable],
        topics: Vec<ListOffsetsTopicResponse>,
    }

    /// An item of [`ListOffsetsResponse::topics`].
    struct ListOffsetsTopicResponse {
        name: String,
        partitions: Vec<ListOffsetsPartitionResponse>,
    }

    /// An item of [`ListOffsetsTopicResponse::partitions`].
    struct ListOffsetsPartitionResponse {
        partition_index: i32,
        error_code: ErrorCode,
        old_style_offsets: Vec<i64> [0],
        timestamp: i64 [1+] = -1,
        offset: i64 [1+] = -1,
        /// The epoch of the leader; -1 for unknown.
        leader_epoch: i32 [4+] = -1,
    }
}

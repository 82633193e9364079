//! ListOffsets

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request ListOffsetsRequest(2, 0-11, flexible 6+) -> ListOffsetsResponse {
        replica_id: i32,
        isolation_level: i8 [2+],
        topics: Vec<ListOffsetsTopic>,
        timeout_ms: i32 [10+, ignorable],
    }

    /// A part.
    struct ListOffsetsTopic {
        name: String,
        partitions: Vec<ListOffsetsPartition>,
    }

    /// A part.
    struct ListOffsetsPartition {
        partition_index: i32,
        current_leader_epoch: i32 [4+, ignorable] = -1,
        timestamp: i64,
        max_num_offsets: i32 [0] = 1,
    }

    /// TODO.
    response ListOffsetsResponse(2, 0-11, flexible 6+) {
        throttle_time_ms: i32 [2+, ignorable],
        topics: Vec<ListOffsetsTopicResponse>,
    }

    /// A part.
    struct ListOffsetsTopicResponse {
        name: String,
        partitions: Vec<ListOffsetsPartitionResponse>,
    }

    /// A part.
    struct ListOffsetsPartitionResponse {
        partition_index: i32,
        error_code: ErrorCode,
        old_style_offsets: Vec<i64> [0],
        timestamp: i64 [1+] = -1,
        offset: i64 [1+] = -1,
        leader_epoch: i32 [4+] = -1,
    }
}

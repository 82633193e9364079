//! OffsetFetch

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// TODO.
    request OffsetFetchRequest(9, 0-10, flexible 6+) -> OffsetFetchResponse {
        group_id: String [0-7],
        topics: Option<Vec<OffsetFetchRequestTopic>> [0-7, null 2+] = empty,
        groups: Vec<OffsetFetchRequestGroup> [8+],
        require_stable: bool [7+],
    }

    /// A part.
    struct OffsetFetchRequestTopic {
        name: String,
        partition_indexes: Vec<i32>,
    }

    /// A part.
    struct OffsetFetchRequestGroup {
        group_id: String,
        member_id: Option<String> [9+, ignorable],
        member_epoch: i32 [9+, ignorable] = -1,
        topics: Option<Vec<OffsetFetchRequestTopics>> = empty,
    }

    /// A part.
    struct OffsetFetchRequestTopics {
        name: String [8-9, ignorable],
        topic_id: Uuid [10+, ignorable],
        partition_indexes: Vec<i32>,
    }

    /// TODO.
    response OffsetFetchResponse(9, 0-10, flexible 6+) {
        throttle_time_ms: i32 [3+, ignorable],
        topics: Vec<OffsetFetchResponseTopic> [0-7],
        error_code: ErrorCode [2-7, ignorable],
        groups: Vec<OffsetFetchResponseGroup> [8+],
    }

    /// A part.
    struct OffsetFetchResponseTopic {
        name: String,
        partitions: Vec<OffsetFetchResponsePartition>,
    }

    /// A part.
    struct OffsetFetchResponsePartition {
        partition_index: i32,
        committed_offset: i64,
        committed_leader_epoch: i32 [5+, ignorable] = -1,
        metadata: Option<String> = empty,
        error_code: ErrorCode,
    }

    /// A part.
    struct OffsetFetchResponseGroup {
        group_id: String,
        topics: Vec<OffsetFetchResponseTopics>,
        error_code: ErrorCode,
    }

    /// A part.
    struct OffsetFetchResponseTopics {
        name: String [8-9, ignorable],
        topic_id: Uuid [10+, ignorable],
        partitions: Vec<OffsetFetchResponsePartitions>,
    }

    /// A part.
    struct OffsetFetchResponsePartitions {
        partition_index: i32,
        committed_offset: i64,
        committed_leader_epoch: i32 = -1,
        metadata: Option<String> = empty,
        error_code: ErrorCode,
    }
}

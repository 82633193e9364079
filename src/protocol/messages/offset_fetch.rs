//! OffsetFetch, key 9.

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// Asks for committed offsets, from version 8 on of many groups at once (KIP-709).
    request OffsetFetchRequest(9, 0-10, flexible 6+) -> OffsetFetchResponse {
        group_id: String [0-7],
        /// The topics; null for all.
        topics: Option<Vec<OffsetFetchRequestTopic>> [0-7, null 2+] = empty,
        groups: Vec<OffsetFetchRequestGroup> [8+],
        /// Whether to answer with an error while open transactions may still change the offsets (KIP-447).
        require_stable: bool [7+],
    }

    /// An item of [`OffsetFetchRequest::topics`].
    struct OffsetFetchRequestTopic {
        name: String,
        partition_indexes: Vec<i32>,
    }

    /// An item of [`OffsetFetchRequest::groups`].
    struct OffsetFetchRequestGroup {
        group_id: String,
        /// The member id.
        member_id: Option<String> [9+, ignorable],
        member_epoch: i32 [9+, ignorable] = -1,
        /// The topics; null for all.
        topics: Option<Vec<OffsetFetchRequestTopics>> = empty,
    }

    /// An item of [`OffsetFetchRequestGroup::topics`].
    struct OffsetFetchRequestTopics {
        name: String [8-9, ignorable],
        topic_id: Uuid [10+, ignorable],
        partition_indexes: Vec<i32>,
    }

    /// The answer to [`OffsetFetchRequest`].
    response OffsetFetchResponse(9, 0-10, flexible 6+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32 [3+, ignorable],
        topics: Vec<OffsetFetchResponseTopic> [0-7],
        error_code: ErrorCode [2-7, ignorable],
        groups: Vec<OffsetFetchResponseGroup> [8+],
    }

    /// An item of [`OffsetFetchResponse::topics`].
    struct OffsetFetchResponseTopic {
        name: String,
        partitions: Vec<OffsetFetchResponsePartition>,
    }

    /// An item of [`OffsetFetchResponseTopic::partitions`].
    struct OffsetFetchResponsePartition {
        partition_index: i32,
        committed_offset: i64,
        /// The leader epoch of the last record before the offset; -1 for unknown.
        committed_leader_epoch: i32 [5+, ignorable] = -1,
        metadata: Option<String> = empty,
        error_code: ErrorCode,
    }

    /// An item of [`OffsetFetchResponse::groups`].
    struct OffsetFetchResponseGroup {
        group_id: String,
        topics: Vec<OffsetFetchResponseTopics>,
        error_code: ErrorCode,
    }

    /// An item of [`OffsetFetchResponseGroup::topics`].
    struct OffsetFetchResponseTopics {
        name: String [8-9, ignorable],
        topic_id: Uuid [10+, ignorable],
        partitions: Vec<OffsetFetchResponsePartitions>,
    }

    /// An item of [`OffsetFetchResponseTopics::partitions`].
    struct OffsetFetchResponsePartitions {
        partition_index: i32,
        committed_offset: i64,
        /// The leader epoch of the last record before the offset; -1 for unknown.
        committed_leader_epoch: i32 = -1,
        metadata: Option<String> = empty,
        error_code: ErrorCode,
    }
}

//! DescribeShareGroupOffsets, key 90.

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// Asks for the start offsets of share groups (KIP-932).
    request DescribeShareGroupOffsetsRequest(90, 0-1, flexible 0+) -> DescribeShareGroupOffsetsResponse {
        groups: Vec<DescribeShareGroupOffsetsRequestGroup>,
    }

    /// An item of [`DescribeShareGroupOffsetsRequest::groups`].
    struct DescribeShareGroupOffsetsRequestGroup {
        group_id: String,
        topics: Option<Vec<DescribeShareGroupOffsetsRequestTopic>> = empty,
    }

    /// An item of [`DescribeShareGroupOffsetsRequestGroup::topics`].
    struct DescribeShareGroupOffsetsRequestTopic {
        topic_name: String,
        partitions: Vec<i32>,
    }

    /// The answer to [`DescribeShareGroupOffsetsRequest`].
    response DescribeShareGroupOffsetsResponse(90, 0-1, flexible 0+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        groups: Vec<DescribeShareGroupOffsetsResponseGroup>,
    }

    /// An item of [`DescribeShareGroupOffsetsResponse::groups`].
    struct DescribeShareGroupOffsetsResponseGroup {
        group_id: String,
        topics: Vec<DescribeShareGroupOffsetsResponseTopic>,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String>,
    }

    /// An item of [`DescribeShareGroupOffsetsResponseGroup::topics`].
    struct DescribeShareGroupOffsetsResponseTopic {
        topic_name: String,
        topic_id: Uuid,
        partitions: Vec<DescribeShareGroupOffsetsResponsePartition>,
    }

    /// An item of [`DescribeShareGroupOffsetsResponseTopic::partitions`].
    struct DescribeShareGroupOffsetsResponsePartition {
        partition_index: i32,
        start_offset: i64,
        /// The epoch of the leader; -1 for unknown.
        leader_epoch: i32,
        lag: i64 [1+, ignorable] = -1,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String>,
    }
}

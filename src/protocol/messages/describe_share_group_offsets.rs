//! DescribeShareGroupOffsets

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// TODO.
    request DescribeShareGroupOffsetsRequest(90, 0-1, flexible 0+) -> DescribeShareGroupOffsetsResponse {
        groups: Vec<DescribeShareGroupOffsetsRequestGroup>,
    }

    /// A part.
    struct DescribeShareGroupOffsetsRequestGroup {
        group_id: String,
        topics: Option<Vec<DescribeShareGroupOffsetsRequestTopic>> = empty,
    }

    /// A part.
    struct DescribeShareGroupOffsetsRequestTopic {
        topic_name: String,
        partitions: Vec<i32>,
    }

    /// TODO.
    response DescribeShareGroupOffsetsResponse(90, 0-1, flexible 0+) {
        throttle_time_ms: i32,
        groups: Vec<DescribeShareGroupOffsetsResponseGroup>,
    }

    /// A part.
    struct DescribeShareGroupOffsetsResponseGroup {
        group_id: String,
        topics: Vec<DescribeShareGroupOffsetsResponseTopic>,
        error_code: ErrorCode,
        error_message: Option<String>,
    }

    /// A part.
    struct DescribeShareGroupOffsetsResponseTopic {
        topic_name: String,
        topic_id: Uuid,
        partitions: Vec<DescribeShareGroupOffsetsResponsePartition>,
    }

    /// A part.
    struct DescribeShareGroupOffsetsResponsePartition {
        partition_index: i32,
        start_offset: i64,
        leader_epoch: i32,
        lag: i64 [1+, ignorable] = -1,
        error_code: ErrorCode,
        error_message: Option<String>,
    }
}

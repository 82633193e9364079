//! AlterShareGroupOffsets

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// TODO.
    request AlterShareGroupOffsetsRequest(91, 0, flexible 0+) -> AlterShareGroupOffsetsResponse {
        group_id: String,
        topics: Vec<AlterShareGroupOffsetsRequestTopic>,
    }

    /// A part.
    struct AlterShareGroupOffsetsRequestTopic {
        topic_name: String,
        partitions: Vec<AlterShareGroupOffsetsRequestPartition>,
    }

    /// A part.
    struct AlterShareGroupOffsetsRequestPartition {
        partition_index: i32,
        start_offset: i64,
    }

    /// TODO.
    response AlterShareGroupOffsetsResponse(91, 0, flexible 0+) {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<String>,
        responses: Vec<AlterShareGroupOffsetsResponseTopic>,
    }

    /// A part.
    struct AlterShareGroupOffsetsResponseTopic {
        topic_name: String,
        topic_id: Uuid,
        partitions: Vec<AlterShareGroupOffsetsResponsePartition>,
    }

    /// A part.
    struct AlterShareGroupOffsetsResponsePartition {
        partition_index: i32,
        error_code: ErrorCode,
        error_message: Option<String>,
    }
}

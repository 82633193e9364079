//! OffsetDelete

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request OffsetDeleteRequest(47, 0) -> OffsetDeleteResponse {
        group_id: String,
        topics: Vec<OffsetDeleteRequestTopic>,
    }

    /// A part.
    struct OffsetDeleteRequestTopic {
        name: String,
        partitions: Vec<OffsetDeleteRequestPartition>,
    }

    /// A part.
    struct OffsetDeleteRequestPartition {
        partition_index: i32,
    }

    /// TODO.
    response OffsetDeleteResponse(47, 0) {
        error_code: ErrorCode,
        throttle_time_ms: i32,
        topics: Vec<OffsetDeleteResponseTopic>,
    }

    /// A part.
    struct OffsetDeleteResponseTopic {
        name: String,
        partitions: Vec<OffsetDeleteResponsePartition>,
    }

    /// A part.
    struct OffsetDeleteResponsePartition {
        partition_index: i32,
        error_code: ErrorCode,
    }
}

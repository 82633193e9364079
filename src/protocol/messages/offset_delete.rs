//! OffsetDelete, key 47.

use crate::error_code::ErrorCode;

messages! {
    /// Deletes committed offsets (KIP-496).
    request OffsetDeleteRequest(47, 0) -> OffsetDeleteResponse {
        group_id: String,
        topics: Vec<OffsetDeleteRequestTopic>,
    }

    /// An item of [`OffsetDeleteRequest::topics`].
    struct OffsetDeleteRequestTopic {
        name: String,
        partitions: Vec<OffsetDeleteRequestPartition>,
    }

    /// An item of [`OffsetDeleteRequestTopic::partitions`].
    struct OffsetDeleteRequestPartition {
        partition_index: i32,
    }

    /// The answer to [`OffsetDeleteRequest`].
    response OffsetDeleteResponse(47, 0) {
        error_code: ErrorCode,
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        topics: Vec<OffsetDeleteResponseTopic>,
    }

    /// An item of [`OffsetDeleteResponse::topics`].
    struct OffsetDeleteResponseTopic {
        name: String,
        partitions: Vec<OffsetDeleteResponsePartition>,
    }

    /// An item of [`OffsetDeleteResponseTopic::partitions`].
    struct OffsetDeleteResponsePartition {
        partition_index: i32,
        error_code: ErrorCode,
    }
}

//! AlterShareGroupOffsets, key 91.

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// Sets the start offsets of a share group without members (KIP-932).
    request AlterShareGroupOffsetsRequest(91, 0, flexible 0+) -> AlterShareGroupOffsetsResponse {
        group_id: String,
        topics: Vec<AlterShareGroupOffsetsRequestTopic>,
    }

    /// An item of [`AlterShareGroupOffsetsRequest::topics`].
    struct AlterShareGroupOffsetsRequestTopic {
        topic_name: String,
        partitions: Vec<AlterShareGroupOffsetsRequestPartition>,
    }

    /// An item of [`AlterShareGroupOffsetsRequestTopic::partitions`].
    struct AlterShareGroupOffsetsRequestPartition {
        partition_index: i32,
        start_offset: i64,
    }

    /// The answer to [`AlterShareGroupOffsetsRequest`].
    response AlterShareGroupOffsetsResponse(91, 0, flexible 0+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String>,
        responses: Vec<AlterShareGroupOffsetsResponseTopic>,
    }

    /// An item of [`AlterShareGroupOffsetsResponse::responses`].
    struct AlterShareGroupOffsetsResponseTopic {
        topic_name: String,
        topic_id: Uuid,
        partitions: Vec<AlterShareGroupOffsetsResponsePartition>,
    }

    /// An item of [`AlterShareGroupOffsetsResponseTopic::partitions`].
    struct AlterShareGroupOffsetsResponsePartition {
        partition_index: i32,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String>,
    }
}

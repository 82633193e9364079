//! DeleteShareGroupOffsets, key 92.

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// Deletes the offsets that a share group has for topics (KIP-932).
    request DeleteShareGroupOffsetsRequest(92, 0, flexible 0+) -> DeleteShareGroupOffsetsResponse {
        group_id: String,
        topics: Vec<DeleteShareGroupOffsetsRequestTopic>,
    }

    /// An item of [`DeleteShareGroupOffsetsRequest::topics`].
    struct DeleteShareGroupOffsetsRequestTopic {
        topic_name: String,
    }

    /// The answer to [`DeleteShareGroupOffsetsRequest`].
    response DeleteShareGroupOffsetsResponse(92, 0, flexible 0+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String>,
        responses: Vec<DeleteShareGroupOffsetsResponseTopic>,
    }

    /// An item of [`DeleteShareGroupOffsetsResponse::responses`].
    struct DeleteShareGroupOffsetsResponseTopic {
        topic_name: String,
        topic_id: Uuid,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String>,
    }
}

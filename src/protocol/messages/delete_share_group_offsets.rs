//! DeleteShareGroupOffsets

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// TODO.
    request DeleteShareGroupOffsetsRequest(92, 0, flexible 0+) -> DeleteShareGroupOffsetsResponse {
        group_id: String,
        topics: Vec<DeleteShareGroupOffsetsRequestTopic>,
    }

    /// A part.
    struct DeleteShareGroupOffsetsRequestTopic {
        topic_name: String,
    }

    /// TODO.
    response DeleteShareGroupOffsetsResponse(92, 0, flexible 0+) {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<String>,
        responses: Vec<DeleteShareGroupOffsetsResponseTopic>,
    }

    /// A part.
    struct DeleteShareGroupOffsetsResponseTopic {
        topic_name: String,
        topic_id: Uuid,
        error_code: ErrorCode,
        error_message: Option<String>,
    }
}

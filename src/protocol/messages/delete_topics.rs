//! DeleteTopics

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// TODO.
    request DeleteTopicsRequest(20, 0-6, flexible 4+) -> DeleteTopicsResponse {
        topics: Vec<DeleteTopicState> [6+],
        topic_names: Vec<String> [0-5, ignorable],
        timeout_ms: i32,
    }

    /// A part.
    struct DeleteTopicState {
        name: Option<String>,
        topic_id: Uuid,
    }

    /// TODO.
    response DeleteTopicsResponse(20, 0-6, flexible 4+) {
        throttle_time_ms: i32 [1+, ignorable],
        responses: Vec<DeletableTopicResult>,
    }

    /// A part.
    struct DeletableTopicResult {
        name: Option<String> [null 6+] = empty,
        topic_id: Uuid [6+, ignorable],
        error_code: ErrorCode,
        error_message: Option<String> [5+, ignorable],
    }
}

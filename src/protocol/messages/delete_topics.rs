//! DeleteTopics, key 20.

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// Deletes topics, by name or by id.
    request DeleteTopicsRequest(20, 0-6, flexible 4+) -> DeleteTopicsResponse {
        topics: Vec<DeleteTopicState> [6+],
        topic_names: Vec<String> [0-5, ignorable],
        /// How long the broker may take, in milliseconds.
        timeout_ms: i32,
    }

    /// An item of [`DeleteTopicsRequest::topics`].
    struct DeleteTopicState {
        name: Option<String>,
        topic_id: Uuid,
    }

    /// The answer to [`DeleteTopicsRequest`].
    response DeleteTopicsResponse(20, 0-6, flexible 4+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32 [1+, ignorable],
        responses: Vec<DeletableTopicResult>,
    }

    /// An item of [`DeleteTopicsResponse::responses`].
    struct DeletableTopicResult {
        name: Option<String> [null 6+] = empty,
        topic_id: Uuid [6+, ignorable],
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> [5+, ignorable],
    }
}

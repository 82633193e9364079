//! CreatePartitions

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request CreatePartitionsRequest(37, 0-3, flexible 2+) -> CreatePartitionsResponse {
        topics: Vec<CreatePartitionsTopic>,
        timeout_ms: i32,
        validate_only: bool,
    }

    /// A part.
    struct CreatePartitionsTopic {
        name: String,
        count: i32,
        assignments: Option<Vec<CreatePartitionsAssignment>> = empty,
    }

    /// A part.
    struct CreatePartitionsAssignment {
        broker_ids: Vec<i32>,
    }

    /// TODO.
    response CreatePartitionsResponse(37, 0-3, flexible 2+) {
        throttle_time_ms: i32,
        results: Vec<CreatePartitionsTopicResult>,
    }

    /// A part.
    struct CreatePartitionsTopicResult {
        name: String,
        error_code: ErrorCode,
        error_message: Option<String>,
    }
}

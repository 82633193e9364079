//! CreatePartitions, key 37.

use crate::error_code::ErrorCode;

messages! {
    /// Adds partitions to topics.
    request CreatePartitionsRequest(37, 0-3, flexible 2+) -> CreatePartitionsResponse {
        topics: Vec<CreatePartitionsTopic>,
        /// How long the broker may take, in milliseconds.
        timeout_ms: i32,
        /// Whether to check the request without doing anything.
        validate_only: bool,
    }

    /// An item of [`CreatePartitionsRequest::topics`].
    struct CreatePartitionsTopic {
        name: String,
        count: i32,
        /// The brokers of the new partitions; null to leave the choice to the cluster.
        assignments: Option<Vec<CreatePartitionsAssignment>> = empty,
    }

    /// An item of [`CreatePartitionsTopic::assignments`].
    struct CreatePartitionsAssignment {
        broker_ids: Vec<i32>,
    }

    /// The answer to [`CreatePartitionsRequest`].
    response CreatePartitionsResponse(37, 0-3, flexible 2+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        results: Vec<CreatePartitionsTopicResult>,
    }

    /// An item of [`CreatePartitionsResponse::results`].
    struct CreatePartitionsTopicResult {
        name: String,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String>,
    }
}

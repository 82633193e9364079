//! ListPartitionReassignments, key 46.

use crate::error_code::ErrorCode;

messages! {
    /// Asks which partitions are being moved (KIP-455).
    request ListPartitionReassignmentsRequest(46, 0, flexible 0+) -> ListPartitionReassignmentsResponse {
        /// How long the broker may take, in milliseconds.
        timeout_ms: i32 = 60000,
        /// The topics; null for all.
        topics: Option<Vec<ListPartitionReassignmentsTopics>>,
    }

    /// An item of [`ListPartitionReassignmentsRequest::topics`].
    struct ListPartitionReassignmentsTopics {
        name: String,
        partition_indexes: Vec<i32>,
    }

    /// The answer to [`ListPartitionReassignmentsRequest`].
    response ListPartitionReassignmentsResponse(46, 0, flexible 0+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> = empty,
        topics: Vec<OngoingTopicReassignment>,
    }

    /// An item of [`ListPartitionReassignmentsResponse::topics`].
    struct OngoingTopicReassignment {
        name: String,
        partitions: Vec<OngoingPartitionReassignment>,
    }

    /// An item of [`OngoingTopicReassignment::partitions`].
    struct OngoingPartitionReassignment {
        partition_index: i32,
        replicas: Vec<i32>,
        adding_replicas: Vec<i32>,
        removing_replicas: Vec<i32>,
    }
}

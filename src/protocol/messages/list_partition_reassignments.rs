//! ListPartitionReassignments

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request ListPartitionReassignmentsRequest(46, 0, flexible 0+) -> ListPartitionReassignmentsResponse {
        timeout_ms: i32 = 60000,
        topics: Option<Vec<ListPartitionReassignmentsTopics>>,
    }

    /// A part.
    struct ListPartitionReassignmentsTopics {
        name: String,
        partition_indexes: Vec<i32>,
    }

    /// TODO.
    response ListPartitionReassignmentsResponse(46, 0, flexible 0+) {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<String> = empty,
        topics: Vec<OngoingTopicReassignment>,
    }

    /// A part.
    struct OngoingTopicReassignment {
        name: String,
        partitions: Vec<OngoingPartitionReassignment>,
    }

    /// A part.
    struct OngoingPartitionReassignment {
        partition_index: i32,
        replicas: Vec<i32>,
        adding_replicas: Vec<i32>,
        removing_replicas: Vec<i32>,
    }
}

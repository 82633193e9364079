//! AlterPartitionReassignments

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request AlterPartitionReassignmentsRequest(45, 0-1, flexible 0+) -> AlterPartitionReassignmentsResponse {
        timeout_ms: i32 = 60000,
        allow_replication_factor_change: bool [1+] = true,
        topics: Vec<ReassignableTopic>,
    }

    /// A part.
    struct ReassignableTopic {
        name: String,
        partitions: Vec<ReassignablePartition>,
    }

    /// A part.
    struct ReassignablePartition {
        partition_index: i32,
        replicas: Option<Vec<i32>>,
    }

    /// TODO.
    response AlterPartitionReassignmentsResponse(45, 0-1, flexible 0+) {
        throttle_time_ms: i32,
        allow_replication_factor_change: bool [1+, ignorable] = true,
        error_code: ErrorCode,
        error_message: Option<String> = empty,
        responses: Vec<ReassignableTopicResponse>,
    }

    /// A part.
    struct ReassignableTopicResponse {
        name: String,
        partitions: Vec<ReassignablePartitionResponse>,
    }

    /// A part.
    struct ReassignablePartitionResponse {
        partition_index: i32,
        error_code: ErrorCode,
        error_message: Option<String> = empty,
    }
}

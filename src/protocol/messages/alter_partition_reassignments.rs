//! AlterPartitionReassignments, key 45.

use crate::error_code::ErrorCode;

messages! {
    /// Starts or cancels the moving of partitions to other brokers (KIP-455).
    request AlterPartitionReassignmentsRequest(45, 0-1, flexible 0+) -> AlterPartitionReassignmentsResponse {
        /// How long the broker may take, in milliseconds.
        timeout_ms: i32 = 60000,
        allow_replication_factor_change: bool [1+] = true,
        topics: Vec<ReassignableTopic>,
    }

    /// An item of [`AlterPartitionReassignmentsRequest::topics`].
    struct ReassignableTopic {
        name: String,
        partitions: Vec<ReassignablePartition>,
    }

    /// An item of [`ReassignableTopic::partitions`].
    struct ReassignablePartition {
        partition_index: i32,
        /// The brokers that shall have the partition; null to cancel what is under way.
        replicas: Option<Vec<i32>>,
    }

    /// The answer to [`AlterPartitionReassignmentsRequest`].
    response AlterPartitionReassignmentsResponse(45, 0-1, flexible 0+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        allow_replication_factor_change: bool [1+, ignorable] = true,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> = empty,
        responses: Vec<ReassignableTopicResponse>,
    }

    /// An item of [`AlterPartitionReassignmentsResponse::responses`].
    struct ReassignableTopicResponse {
        name: String,
        partitions: Vec<ReassignablePartitionResponse>,
    }

    /// An item of [`ReassignableTopicResponse::partitions`].
    struct ReassignablePartitionResponse {
        partition_index: i32,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> = empty,
    }
}

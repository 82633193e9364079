//! ElectLeaders, key 43.

use crate::error_code::ErrorCode;

messages! {
    /// Starts an election of leaders (KIP-183, KIP-460).
    request ElectLeadersRequest(43, 0-2, flexible 2+) -> ElectLeadersResponse {
        /// 0 for the preferred leader, 1 for any replica, even one that lags behind.
        election_type: i8 [1+],
        /// The partitions; null for all.
        topic_partitions: Option<Vec<TopicPartitions>> = empty,
        /// How long the broker may take, in milliseconds.
        timeout_ms: i32 = 60000,
    }

    /// An item of [`ElectLeadersRequest::topic_partitions`].
    struct TopicPartitions {
        topic: String,
        partitions: Vec<i32>,
    }

    /// The answer to [`ElectLeadersRequest`].
    response ElectLeadersResponse(43, 0-2, flexible 2+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        error_code: ErrorCode [1+],
        replica_election_results: Vec<ReplicaElectionResult>,
    }

    /// An item of [`ElectLeadersResponse::replica_election_results`].
    struct ReplicaElectionResult {
        topic: String,
        partition_result: Vec<PartitionResult>,
    }

    /// An item of [`ReplicaElectionResult::partition_result`].
    struct PartitionResult {
        partition_id: i32,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> = empty,
    }
}

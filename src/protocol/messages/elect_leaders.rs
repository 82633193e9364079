//! ElectLeaders

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request ElectLeadersRequest(43, 0-2, flexible 2+) -> ElectLeadersResponse {
        election_type: i8 [1+],
        topic_partitions: Option<Vec<TopicPartitions>> = empty,
        timeout_ms: i32 = 60000,
    }

    /// A part.
    struct TopicPartitions {
        topic: String,
        partitions: Vec<i32>,
    }

    /// TODO.
    response ElectLeadersResponse(43, 0-2, flexible 2+) {
        throttle_time_ms: i32,
        error_code: ErrorCode [1+],
        replica_election_results: Vec<ReplicaElectionResult>,
    }

    /// A part.
    struct ReplicaElectionResult {
        topic: String,
        partition_result: Vec<PartitionResult>,
    }

    /// A part.
    struct PartitionResult {
        partition_id: i32,
        error_code: ErrorCode,
        error_message: Option<String> = empty,
    }
}

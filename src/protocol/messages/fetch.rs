//! Fetch

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// TODO.
    request FetchRequest(1, 0-18, flexible 12+) -> FetchResponse {
        cluster_id: Option<String> [12+, tag 0, ignorable],
        replica_id: i32 [0-14] = -1,
        replica_state: ReplicaState [15+, tag 1],
        max_wait_ms: i32,
        min_bytes: i32,
        max_bytes: i32 [3+, ignorable] = 2147483647,
        isolation_level: i8 [4+, ignorable],
        session_id: i32 [7+, ignorable],
        session_epoch: i32 [7+, ignorable] = -1,
        topics: Vec<FetchTopic>,
        forgotten_topics_data: Vec<ForgottenTopic> [7+],
        rack_id: String [11+, ignorable],
    }

    /// A part.
    struct ReplicaState {
        replica_id: i32 = -1,
        replica_epoch: i64 = -1,
    }

    /// A part.
    struct FetchTopic {
        topic: String [0-12, ignorable],
        topic_id: Uuid [13+, ignorable],
        partitions: Vec<FetchPartition>,
    }

    /// A part.
    struct FetchPartition {
        partition: i32,
        current_leader_epoch: i32 [9+, ignorable] = -1,
        fetch_offset: i64,
        last_fetched_epoch: i32 [12+] = -1,
        log_start_offset: i64 [5+, ignorable] = -1,
        partition_max_bytes: i32,
        replica_directory_id: Uuid [17+, tag 0, ignorable],
        high_watermark: i64 [18+, tag 1, ignorable] = 9223372036854775807,
    }

    /// A part.
    struct ForgottenTopic {
        topic: String [7-12, ignorable],
        topic_id: Uuid [13+, ignorable],
        partitions: Vec<i32>,
    }

    /// TODO.
    response FetchResponse(1, 0-18, flexible 12+) {
        throttle_time_ms: i32 [1+, ignorable],
        error_code: ErrorCode [7+, ignorable],
        session_id: i32 [7+],
        responses: Vec<FetchableTopicResponse>,
        node_endpoints: Vec<NodeEndpoint> [16+, tag 0],
    }

    /// A part.
    struct FetchableTopicResponse {
        topic: String [0-12, ignorable],
        topic_id: Uuid [13+, ignorable],
        partitions: Vec<PartitionData>,
    }

    /// A part.
    struct PartitionData {
        partition_index: i32,
        error_code: ErrorCode,
        high_watermark: i64,
        last_stable_offset: i64 [4+, ignorable] = -1,
        log_start_offset: i64 [5+, ignorable] = -1,
        diverging_epoch: EpochEndOffset [12+, tag 0],
        current_leader: LeaderIdAndEpoch [12+, tag 1],
        snapshot_id: SnapshotId [12+, tag 2],
        aborted_transactions: Option<Vec<AbortedTransaction>> [4+, ignorable] = empty,
        preferred_read_replica: i32 [11+] = -1,
        records: Option<Bytes> [records] = empty,
    }

    /// A part.
    struct EpochEndOffset {
        epoch: i32 = -1,
        end_offset: i64 = -1,
    }

    /// A part.
    struct LeaderIdAndEpoch {
        leader_id: i32 = -1,
        leader_epoch: i32 = -1,
    }

    /// A part.
    struct SnapshotId {
        end_offset: i64 = -1,
        epoch: i32 = -1,
    }

    /// A part.
    struct AbortedTransaction {
        producer_id: i64,
        first_offset: i64,
    }

    /// A part.
    struct NodeEndpoint {
        node_id: i32,
        host: String,
        port: i32,
        rack: Option<String>,
    }
}

//! Fetch, key 1.

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// Reads record batches from partitions, in a fetch session or without one (KIP-227).
    request FetchRequest(1, 0-18, flexible 12+) -> FetchResponse {
        /// The id of the cluster.
        cluster_id: Option<String> [12+, tag 0, ignorable],
        /// The id of the follower that asks; -1 for clients.
        replica_id: i32 [0-14] = -1,
        replica_state: ReplicaState [15+, tag 1],
        /// How long the broker may wait for `min_bytes`, in milliseconds.
        max_wait_ms: i32,
        min_bytes: i32,
        max_bytes: i32 [3+, ignorable] = 2147483647,
        /// 0 reads everything, 1 only what is committed.
        isolation_level: i8 [4+, ignorable],
        /// The fetch session; 0 to begin one.
        session_id: i32 [7+, ignorable],
        /// The number of the request within the session; 0 to begin one, -1 for none or to end it.
        session_epoch: i32 [7+, ignorable] = -1,
        topics: Vec<FetchTopic>,
        forgotten_topics_data: Vec<ForgottenTopic> [7+],
        /// The rack of the client; empty or null for none.
        rack_id: String [11+, ignorable],
    }

    /// What [`FetchRequest::replica_state`] holds.
    struct ReplicaState {
        /// The id of the follower that asks; -1 for clients.
        replica_id: i32 = -1,
        replica_epoch: i64 = -1,
    }

    /// An item of [`FetchRequest::topics`].
    struct FetchTopic {
        topic: String [0-12, ignorable],
        topic_id: Uuid [13+, ignorable],
        partitions: Vec<FetchPartition>,
    }

    /// An item of [`FetchTopic::partitions`].
    struct FetchPartition {
        partition: i32,
        /// The leader epoch that the client knows, so that stale ones are refused; -1 to skip the check.
        current_leader_epoch: i32 [9+, ignorable] = -1,
        fetch_offset: i64,
        last_fetched_epoch: i32 [12+] = -1,
        /// The first offset of the follower's log; -1 for clients.
        log_start_offset: i64 [5+, ignorable] = -1,
        partition_max_bytes: i32,
        /// The id of the log directory of a follower.
        replica_directory_id: Uuid [17+, tag 0, ignorable],
        /// The high watermark that the follower knows.
        high_watermark: i64 [18+, tag 1, ignorable] = 9223372036854775807,
    }

    /// An item of [`FetchRequest::forgotten_topics_data`].
    struct ForgottenTopic {
        topic: String [7-12, ignorable],
        topic_id: Uuid [13+, ignorable],
        partitions: Vec<i32>,
    }

    /// The answer to [`FetchRequest`].
    response FetchResponse(1, 0-18, flexible 12+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32 [1+, ignorable],
        error_code: ErrorCode [7+, ignorable],
        /// The fetch session; 0 for none.
        session_id: i32 [7+],
        responses: Vec<FetchableTopicResponse>,
        /// Where the leaders named in this response can be reached (KIP-951).
        node_endpoints: Vec<NodeEndpoint> [16+, tag 0],
    }

    /// An item of [`FetchResponse::responses`].
    struct FetchableTopicResponse {
        topic: String [0-12, ignorable],
        topic_id: Uuid [13+, ignorable],
        partitions: Vec<PartitionData>,
    }

    /// An item of [`FetchableTopicResponse::partitions`].
    struct PartitionData {
        partition_index: i32,
        error_code: ErrorCode,
        /// The offset up to which records are replicated and can be read.
        high_watermark: i64,
        /// The offset before which every transaction is decided.
        last_stable_offset: i64 [4+, ignorable] = -1,
        /// The first offset that the log still has; -1 for unknown.
        log_start_offset: i64 [5+, ignorable] = -1,
        /// Where the logs part ways, when they do (KIP-595).
        diverging_epoch: EpochEndOffset [12+, tag 0],
        current_leader: LeaderIdAndEpoch [12+, tag 1],
        snapshot_id: SnapshotId [12+, tag 2],
        aborted_transactions: Option<Vec<AbortedTransaction>> [4+, ignorable] = empty,
        /// The broker to fetch from instead (KIP-392); -1 for none.
        preferred_read_replica: i32 [11+] = -1,
        /// Record batches; the last one may be cut off.
        records: Option<Bytes> [records] = empty,
    }

    /// What [`PartitionData::diverging_epoch`] holds.
    struct EpochEndOffset {
        epoch: i32 = -1,
        end_offset: i64 = -1,
    }

    /// What [`PartitionData::current_leader`] holds.
    struct LeaderIdAndEpoch {
        leader_id: i32 = -1,
        /// The epoch of the leader; -1 for unknown.
        leader_epoch: i32 = -1,
    }

    /// What [`PartitionData::snapshot_id`] holds.
    struct SnapshotId {
        end_offset: i64 = -1,
        epoch: i32 = -1,
    }

    /// An item of [`PartitionData::aborted_transactions`].
    struct AbortedTransaction {
        /// The producer id; -1 for none.
        producer_id: i64,
        first_offset: i64,
    }

    /// An item of [`FetchResponse::node_endpoints`].
    struct NodeEndpoint {
        node_id: i32,
        host: String,
        port: i32,
        /// The rack, if the broker has one.
        rack: Option<String>,
    }
}

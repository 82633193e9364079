//! TxnOffsetCommit, key 28.

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// Commits offsets of a group as a part of a transaction.
    request TxnOffsetCommitRequest(28, 0-6, flexible 3+) -> TxnOffsetCommitResponse {
        transactional_id: String,
        group_id: String,
        /// The producer id; -1 for none.
        producer_id: i64,
        /// The producer's epoch; -1 for none.
        producer_epoch: i16,
        generation_id_or_member_epoch: i32 [3+] = -1,
        /// The member id.
        member_id: String [3+],
        /// The static id of the member (KIP-345), if it has one.
        group_instance_id: Option<String> [3+],
        topics: Vec<TxnOffsetCommitRequestTopic>,
    }

    /// An item of [`TxnOffsetCommitRequest::topics`].
    struct TxnOffsetCommitRequestTopic {
        name: String [0-5, ignorable],
        topic_id: Uuid [6+, ignorable],
        partitions: Vec<TxnOffsetCommitRequestPartition>,
    }

    /// An item of [`TxnOffsetCommitRequestTopic::partitions`].
    struct TxnOffsetCommitRequestPartition {
        partition_index: i32,
        committed_offset: i64,
        /// The leader epoch of the last record before the offset; -1 for unknown.
        committed_leader_epoch: i32 [2+, ignorable] = -1,
        committed_metadata: Option<String> = empty,
    }

    /// The answer to [`TxnOffsetCommitRequest`].
    response TxnOffsetCommitResponse(28, 0-6, flexible 3+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        topics: Vec<TxnOffsetCommitResponseTopic>,
    }

    /// An item of [`TxnOffsetCommitResponse::topics`].
    struct TxnOffsetCommitResponseTopic {
        name: String [0-5, ignorable],
        topic_id: Uuid [6+, ignorable],
        partitions: Vec<TxnOffsetCommitResponsePartition>,
    }

    /// An item of [`TxnOffsetCommitResponseTopic::partitions`].
    struct TxnOffsetCommitResponsePartition {
        partition_index: i32,
        error_code: ErrorCode,
    }
}

//! TxnOffsetCommit

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// TODO.
    request TxnOffsetCommitRequest(28, 0-6, flexible 3+) -> TxnOffsetCommitResponse {
        transactional_id: String,
        group_id: String,
        producer_id: i64,
        producer_epoch: i16,
        generation_id_or_member_epoch: i32 [3+] = -1,
        member_id: String [3+],
        group_instance_id: Option<String> [3+],
        topics: Vec<TxnOffsetCommitRequestTopic>,
    }

    /// A part.
    struct TxnOffsetCommitRequestTopic {
        name: String [0-5, ignorable],
        topic_id: Uuid [6+, ignorable],
        partitions: Vec<TxnOffsetCommitRequestPartition>,
    }

    /// A part.
    struct TxnOffsetCommitRequestPartition {
        partition_index: i32,
        committed_offset: i64,
        committed_leader_epoch: i32 [2+, ignorable] = -1,
        committed_metadata: Option<String> = empty,
    }

    /// TODO.
    response TxnOffsetCommitResponse(28, 0-6, flexible 3+) {
        throttle_time_ms: i32,
        topics: Vec<TxnOffsetCommitResponseTopic>,
    }

    /// A part.
    struct TxnOffsetCommitResponseTopic {
        name: String [0-5, ignorable],
        topic_id: Uuid [6+, ignorable],
        partitions: Vec<TxnOffsetCommitResponsePartition>,
    }

    /// A part.
    struct TxnOffsetCommitResponsePartition {
        partition_index: i32,
        error_code: ErrorCode,
    }
}

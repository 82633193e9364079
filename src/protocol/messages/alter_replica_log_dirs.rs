//! AlterReplicaLogDirs, key 34.

use crate::error_code::ErrorCode;

messages! {
    /// Moves replicas to other log directories of the broker.
    request AlterReplicaLogDirsRequest(34, 0-2, flexible 2+) -> AlterReplicaLogDirsResponse {
        dirs: Vec<AlterReplicaLogDir>,
    }

    /// An item of [`AlterReplicaLogDirsRequest::dirs`].
    struct AlterReplicaLogDir {
        path: String,
        topics: Vec<AlterReplicaLogDirTopic>,
    }

    /// An item of [`AlterReplicaLogDir::topics`].
    struct AlterReplicaLogDirTopic {
        name: String,
        partitions: Vec<i32>,
    }

    /// The answer to [`AlterReplicaLogDirsRequest`].
    response AlterReplicaLogDirsResponse(34, 0-2, flexible 2+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        results: Vec<AlterReplicaLogDirTopicResult>,
    }

    /// An item of [`AlterReplicaLogDirsResponse::results`].
    struct AlterReplicaLogDirTopicResult {
        topic_name: String,
        partitions: Vec<AlterReplicaLogDirPartitionResult>,
    }

    /// An item of [`AlterReplicaLogDirTopicResult::partitions`].
    struct AlterReplicaLogDirPartitionResult {
        partition_index: i32,
        error_code: ErrorCode,
    }
}

//! AlterReplicaLogDirs

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request AlterReplicaLogDirsRequest(34, 0-2, flexible 2+) -> AlterReplicaLogDirsResponse {
        dirs: Vec<AlterReplicaLogDir>,
    }

    /// A part.
    struct AlterReplicaLogDir {
        path: String,
        topics: Vec<AlterReplicaLogDirTopic>,
    }

    /// A part.
    struct AlterReplicaLogDirTopic {
        name: String,
        partitions: Vec<i32>,
    }

    /// TODO.
    response AlterReplicaLogDirsResponse(34, 0-2, flexible 2+) {
        throttle_time_ms: i32,
        results: Vec<AlterReplicaLogDirTopicResult>,
    }

    /// A part.
    struct AlterReplicaLogDirTopicResult {
        topic_name: String,
        partitions: Vec<AlterReplicaLogDirPartitionResult>,
    }

    /// A part.
    struct AlterReplicaLogDirPartitionResult {
        partition_index: i32,
        error_code: ErrorCode,
    }
}

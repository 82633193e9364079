//! DeleteRecords

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request DeleteRecordsRequest(21, 0-2, flexible 2+) -> DeleteRecordsResponse {
        topics: Vec<DeleteRecordsTopic>,
        timeout_ms: i32,
    }

    /// A part.
    struct DeleteRecordsTopic {
        name: String,
        partitions: Vec<DeleteRecordsPartition>,
    }

    /// A part.
    struct DeleteRecordsPartition {
        partition_index: i32,
        offset: i64,
    }

    /// TODO.
    response DeleteRecordsResponse(21, 0-2, flexible 2+) {
        throttle_time_ms: i32,
        topics: Vec<DeleteRecordsTopicResult>,
    }

    /// A part.
    struct DeleteRecordsTopicResult {
        name: String,
        partitions: Vec<DeleteRecordsPartitionResult>,
    }

    /// A part.
    struct DeleteRecordsPartitionResult {
        partition_index: i32,
        low_watermark: i64,
        error_code: ErrorCode,
    }
}

//! DeleteRecords, key 21.

use crate::error_code::ErrorCode;

messages! {
    /// Deletes the records before an offset.
    request DeleteRecordsRequest(21, 0-2, flexible 2+) -> DeleteRecordsResponse {
        topics: Vec<DeleteRecordsTopic>,
        /// How long the broker may take, in milliseconds.
        timeout_ms: i32,
    }

    /// An item of [`DeleteRecordsRequest::topics`].
    struct DeleteRecordsTopic {
        name: String,
        partitions: Vec<DeleteRecordsPartition>,
    }

    /// An item of [`DeleteRecordsTopic::partitions`].
    struct DeleteRecordsPartition {
        partition_index: i32,
        /// The first offset to keep; -1 for the high watermark.
        offset: i64,
    }

    /// The answer to [`DeleteRecordsRequest`].
    response DeleteRecordsResponse(21, 0-2, flexible 2+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        topics: Vec<DeleteRecordsTopicResult>,
    }

    /// An item of [`DeleteRecordsResponse::topics`].
    struct DeleteRecordsTopicResult {
        name: String,
        partitions: Vec<DeleteRecordsPartitionResult>,
    }

    /// An item of [`DeleteRecordsTopicResult::partitions`].
    struct DeleteRecordsPartitionResult {
        partition_index: i32,
        low_watermark: i64,
        error_code: ErrorCode,
    }
}

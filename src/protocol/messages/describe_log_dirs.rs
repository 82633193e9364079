//! DescribeLogDirs, key 35.

use crate::error_code::ErrorCode;

messages! {
    /// Asks for a broker's log directories, their space and the replicas in them.
    request DescribeLogDirsRequest(35, 0-5, flexible 2+) -> DescribeLogDirsResponse {
        /// The topics; null for all.
        topics: Option<Vec<DescribableLogDirTopic>> = empty,
    }

    /// An item of [`DescribeLogDirsRequest::topics`].
    struct DescribableLogDirTopic {
        topic: String,
        partitions: Vec<i32>,
    }

    /// The answer to [`DescribeLogDirsRequest`].
    response DescribeLogDirsResponse(35, 0-5, flexible 2+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        error_code: ErrorCode [3+, ignorable],
        results: Vec<DescribeLogDirsResult>,
    }

    /// An item of [`DescribeLogDirsResponse::results`].
    struct DescribeLogDirsResult {
        error_code: ErrorCode,
        log_dir: String,
        topics: Vec<DescribeLogDirsTopic>,
        total_bytes: i64 [4+, ignorable] = -1,
        usable_bytes: i64 [4+, ignorable] = -1,
        is_cordoned: bool [5+, ignorable],
    }

    /// An item of [`DescribeLogDirsResult::topics`].
    struct DescribeLogDirsTopic {
        name: String,
        partitions: Vec<DescribeLogDirsPartition>,
    }

    /// An item of [`DescribeLogDirsTopic::partitions`].
    struct DescribeLogDirsPartition {
        partition_index: i32,
        partition_size: i64,
        offset_lag: i64,
        is_future_key: bool,
    }
}

//! DescribeLogDirs

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request DescribeLogDirsRequest(35, 0-5, flexible 2+) -> DescribeLogDirsResponse {
        topics: Option<Vec<DescribableLogDirTopic>> = empty,
    }

    /// A part.
    struct DescribableLogDirTopic {
        topic: String,
        partitions: Vec<i32>,
    }

    /// TODO.
    response DescribeLogDirsResponse(35, 0-5, flexible 2+) {
        throttle_time_ms: i32,
        error_code: ErrorCode [3+, ignorable],
        results: Vec<DescribeLogDirsResult>,
    }

    /// A part.
    struct DescribeLogDirsResult {
        error_code: ErrorCode,
        log_dir: String,
        topics: Vec<DescribeLogDirsTopic>,
        total_bytes: i64 [4+, ignorable] = -1,
        usable_bytes: i64 [4+, ignorable] = -1,
        is_cordoned: bool [5+, ignorable],
    }

    /// A part.
    struct DescribeLogDirsTopic {
        name: String,
        partitions: Vec<DescribeLogDirsPartition>,
    }

    /// A part.
    struct DescribeLogDirsPartition {
        partition_index: i32,
        partition_size: i64,
        offset_lag: i64,
        is_future_key: bool,
    }
}

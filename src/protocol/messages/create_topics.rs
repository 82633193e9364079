//! CreateTopics

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// TODO.
    request CreateTopicsRequest(19, 0-7, flexible 5+) -> CreateTopicsResponse {
        topics: Vec<CreatableTopic>,
        timeout_ms: i32 = 60000,
        validate_only: bool [1+],
    }

    /// A part.
    struct CreatableTopic {
        name: String,
        num_partitions: i32,
        replication_factor: i16,
        assignments: Vec<CreatableReplicaAssignment>,
        configs: Vec<CreatableTopicConfig>,
    }

    /// A part.
    struct CreatableReplicaAssignment {
        partition_index: i32,
        broker_ids: Vec<i32>,
    }

    /// A part.
    struct CreatableTopicConfig {
        name: String,
        value: Option<String> = empty,
    }

    /// TODO.
    response CreateTopicsResponse(19, 0-7, flexible 5+) {
        throttle_time_ms: i32 [2+, ignorable],
        topics: Vec<CreatableTopicResult>,
    }

    /// A part.
    struct CreatableTopicResult {
        name: String,
        topic_id: Uuid [7+, ignorable],
        error_code: ErrorCode,
        error_message: Option<String> [1+, ignorable] = empty,
        topic_config_error_code: ErrorCode [5+, tag 0, ignorable],
        num_partitions: i32 [5+, ignorable] = -1,
        replication_factor: i16 [5+, ignorable] = -1,
        configs: Option<Vec<CreatableTopicConfigs>> [5+, ignorable] = empty,
    }

    /// A part.
    struct CreatableTopicConfigs {
        name: String,
        value: Option<String> = empty,
        read_only: bool,
        config_source: i8 = -1,
        is_sensitive: bool,
    }
}

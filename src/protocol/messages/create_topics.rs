//! CreateTopics, key 19.

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// Creates topics.
    request CreateTopicsRequest(19, 0-7, flexible 5+) -> CreateTopicsResponse {
        topics: Vec<CreatableTopic>,
        /// How long the broker may take, in milliseconds.
        timeout_ms: i32 = 60000,
        /// Whether to check the request without doing anything.
        validate_only: bool [1+],
    }

    /// An item of [`CreateTopicsRequest::topics`].
    struct CreatableTopic {
        name: String,
        /// The number of partitions; -1 for the default, or when `assignments` has them.
        num_partitions: i32,
        /// The number of replicas; -1 for the default, or when `assignments` has them.
        replication_factor: i16,
        assignments: Vec<CreatableReplicaAssignment>,
        configs: Vec<CreatableTopicConfig>,
    }

    /// An item of [`CreatableTopic::assignments`].
    struct CreatableReplicaAssignment {
        partition_index: i32,
        broker_ids: Vec<i32>,
    }

    /// An item of [`CreatableTopic::configs`].
    struct CreatableTopicConfig {
        name: String,
        value: Option<String> = empty,
    }

    /// The answer to [`CreateTopicsRequest`].
    response CreateTopicsResponse(19, 0-7, flexible 5+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32 [2+, ignorable],
        topics: Vec<CreatableTopicResult>,
    }

    /// An item of [`CreateTopicsResponse::topics`].
    struct CreatableTopicResult {
        name: String,
        topic_id: Uuid [7+, ignorable],
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> [1+, ignorable] = empty,
        topic_config_error_code: ErrorCode [5+, tag 0, ignorable],
        num_partitions: i32 [5+, ignorable] = -1,
        replication_factor: i16 [5+, ignorable] = -1,
        configs: Option<Vec<CreatableTopicConfigs>> [5+, ignorable] = empty,
    }

    /// An item of [`CreatableTopicResult::configs`].
    struct CreatableTopicConfigs {
        name: String,
        value: Option<String> = empty,
        read_only: bool,
        config_source: i8 = -1,
        is_sensitive: bool,
    }
}

//! DescribeTopicPartitions

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// TODO.
    request DescribeTopicPartitionsRequest(75, 0, flexible 0+) -> DescribeTopicPartitionsResponse {
        topics: Vec<TopicRequest>,
        response_partition_limit: i32 = 2000,
        cursor: Option<DescribeTopicPartitionsRequestCursor>,
    }

    /// A part.
    struct TopicRequest {
        name: String,
    }

    /// A part.
    struct DescribeTopicPartitionsRequestCursor {
        topic_name: String,
        partition_index: i32,
    }

    /// TODO.
    response DescribeTopicPartitionsResponse(75, 0, flexible 0+) {
        throttle_time_ms: i32,
        topics: Vec<DescribeTopicPartitionsResponseTopic>,
        next_cursor: Option<DescribeTopicPartitionsResponseCursor>,
    }

    /// A part.
    struct DescribeTopicPartitionsResponseTopic {
        error_code: ErrorCode,
        name: Option<String> = empty,
        topic_id: Uuid,
        is_internal: bool,
        partitions: Vec<DescribeTopicPartitionsResponsePartition>,
        topic_authorized_operations: i32 = -2147483648,
    }

    /// A part.
    struct DescribeTopicPartitionsResponsePartition {
        error_code: ErrorCode,
        partition_index: i32,
        leader_id: i32,
        leader_epoch: i32 = -1,
        replica_nodes: Vec<i32>,
        isr_nodes: Vec<i32>,
        eligible_leader_replicas: Option<Vec<i32>>,
        last_known_elr: Option<Vec<i32>>,
        offline_replicas: Vec<i32>,
    }

    /// A part.
    struct DescribeTopicPartitionsResponseCursor {
        topic_name: String,
        partition_index: i32,
    }
}

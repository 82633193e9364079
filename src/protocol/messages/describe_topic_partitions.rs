//! DescribeTopicPartitions, key 75.

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// Asks for topics a page at a time (KIP-966).
    request DescribeTopicPartitionsRequest(75, 0, flexible 0+) -> DescribeTopicPartitionsResponse {
        topics: Vec<TopicRequest>,
        response_partition_limit: i32 = 2000,
        cursor: Option<DescribeTopicPartitionsRequestCursor>,
    }

    /// An item of [`DescribeTopicPartitionsRequest::topics`].
    struct TopicRequest {
        name: String,
    }

    /// What [`DescribeTopicPartitionsRequest::cursor`] holds.
    struct DescribeTopicPartitionsRequestCursor {
        topic_name: String,
        partition_index: i32,
    }

    /// The answer to [`DescribeTopicPartitionsRequest`].
    response DescribeTopicPartitionsResponse(75, 0, flexible 0+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        topics: Vec<DescribeTopicPartitionsResponseTopic>,
        next_cursor: Option<DescribeTopicPartitionsResponseCursor>,
    }

    /// An item of [`DescribeTopicPartitionsResponse::topics`].
    struct DescribeTopicPartitionsResponseTopic {
        error_code: ErrorCode,
        name: Option<String> = empty,
        topic_id: Uuid,
        /// Whether it is one of Kafka's own topics.
        is_internal: bool,
        partitions: Vec<DescribeTopicPartitionsResponsePartition>,
        /// What the client may do with the topic, as a bit for each operation; `i32::MIN` when that was not
        /// asked for.
        topic_authorized_operations: i32 = -2147483648,
    }

    /// An item of [`DescribeTopicPartitionsResponseTopic::partitions`].
    struct DescribeTopicPartitionsResponsePartition {
        error_code: ErrorCode,
        partition_index: i32,
        leader_id: i32,
        /// The epoch of the leader; -1 for unknown.
        leader_epoch: i32 = -1,
        /// The ids of all brokers that have a replica.
        replica_nodes: Vec<i32>,
        /// The ids of the brokers that are in sync.
        isr_nodes: Vec<i32>,
        eligible_leader_replicas: Option<Vec<i32>>,
        last_known_elr: Option<Vec<i32>>,
        /// The ids of the brokers whose replicas are offline.
        offline_replicas: Vec<i32>,
    }

    /// What [`DescribeTopicPartitionsResponse::next_cursor`] holds.
    struct DescribeTopicPartitionsResponseCursor {
        topic_name: String,
        partition_index: i32,
    }
}

//! ConsumerGroupHeartbeat

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// TODO.
    request ConsumerGroupHeartbeatRequest(68, 0-1, flexible 0+) -> ConsumerGroupHeartbeatResponse {
        group_id: String,
        member_id: String,
        member_epoch: i32,
        instance_id: Option<String>,
        rack_id: Option<String>,
        rebalance_timeout_ms: i32 = -1,
        subscribed_topic_names: Option<Vec<String>>,
        subscribed_topic_regex: Option<String> [1+],
        server_assignor: Option<String>,
        topic_partitions: Option<Vec<ConsumerGroupHeartbeatRequestTopicPartitions>>,
    }

    /// A part.
    struct ConsumerGroupHeartbeatRequestTopicPartitions {
        topic_id: Uuid,
        partitions: Vec<i32>,
    }

    /// TODO.
    response ConsumerGroupHeartbeatResponse(68, 0-1, flexible 0+) {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<String>,
        member_id: Option<String>,
        member_epoch: i32,
        heartbeat_interval_ms: i32,
        assignment: Option<Assignment>,
    }

    /// A part.
    struct Assignment {
        topic_partitions: Vec<ConsumerGroupHeartbeatResponseTopicPartitions>,
    }

    /// A part.
    struct ConsumerGroupHeartbeatResponseTopicPartitions {
        topic_id: Uuid,
        partitions: Vec<i32>,
    }
}

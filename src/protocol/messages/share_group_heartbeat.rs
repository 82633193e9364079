//! ShareGroupHeartbeat

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// TODO.
    request ShareGroupHeartbeatRequest(76, 1, flexible 0+) -> ShareGroupHeartbeatResponse {
        group_id: String,
        member_id: String,
        member_epoch: i32,
        rack_id: Option<String>,
        subscribed_topic_names: Option<Vec<String>>,
    }

    /// TODO.
    response ShareGroupHeartbeatResponse(76, 1, flexible 0+) {
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
        topic_partitions: Vec<TopicPartitions>,
    }

    /// A part.
    struct TopicPartitions {
        topic_id: Uuid,
        partitions: Vec<i32>,
    }
}

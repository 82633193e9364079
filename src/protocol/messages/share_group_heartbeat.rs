//! ShareGroupHeartbeat, key 76.

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// Joins, keeps up and leaves a share group (KIP-932).
    request ShareGroupHeartbeatRequest(76, 1, flexible 0+) -> ShareGroupHeartbeatResponse {
        group_id: String,
        /// The member id.
        member_id: String,
        /// 0 to join, -1 to leave; otherwise the epoch that the coordinator gave.
        member_epoch: i32,
        /// The rack of the client; empty or null for none.
        rack_id: Option<String>,
        subscribed_topic_names: Option<Vec<String>>,
    }

    /// The answer to [`ShareGroupHeartbeatRequest`].
    response ShareGroupHeartbeatResponse(76, 1, flexible 0+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String>,
        /// The member id.
        member_id: Option<String>,
        member_epoch: i32,
        heartbeat_interval_ms: i32,
        assignment: Option<Assignment>,
    }

    /// What [`ShareGroupHeartbeatResponse::assignment`] holds.
    struct Assignment {
        topic_partitions: Vec<TopicPartitions>,
    }

    /// An item of [`Assignment::topic_partitions`].
    struct TopicPartitions {
        topic_id: Uuid,
        partitions: Vec<i32>,
    }
}

//! ConsumerGroupHeartbeat, key 68.

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// Joins, keeps up and leaves a consumer group of the new protocol (KIP-848).
    request ConsumerGroupHeartbeatRequest(68, 0-1, flexible 0+) -> ConsumerGroupHeartbeatResponse {
        group_id: String,
        /// The member id.
        member_id: String,
        /// 0 to join, -1 to leave, -2 to leave for a while as a static member; otherwise the epoch that the
        /// coordinator gave.
        member_epoch: i32,
        /// The static id of the member (KIP-345), if it has one.
        instance_id: Option<String>,
        /// The rack of the client; empty or null for none.
        rack_id: Option<String>,
        /// How long the member may take in a rebalance, in milliseconds.
        rebalance_timeout_ms: i32 = -1,
        subscribed_topic_names: Option<Vec<String>>,
        subscribed_topic_regex: Option<String> [1+],
        server_assignor: Option<String>,
        topic_partitions: Option<Vec<ConsumerGroupHeartbeatRequestTopicPartitions>>,
    }

    /// An item of [`ConsumerGroupHeartbeatRequest::topic_partitions`].
    struct ConsumerGroupHeartbeatRequestTopicPartitions {
        topic_id: Uuid,
        partitions: Vec<i32>,
    }

    /// The answer to [`ConsumerGroupHeartbeatRequest`].
    response ConsumerGroupHeartbeatResponse(68, 0-1, flexible 0+) {
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

    /// What [`ConsumerGroupHeartbeatResponse::assignment`] holds.
    struct Assignment {
        topic_partitions: Vec<ConsumerGroupHeartbeatResponseTopicPartitions>,
    }

    /// An item of [`Assignment::topic_partitions`].
    struct ConsumerGroupHeartbeatResponseTopicPartitions {
        topic_id: Uuid,
        partitions: Vec<i32>,
    }
}

//! Heartbeat, key 12.

use crate::error_code::ErrorCode;

messages! {
    /// Keeps a member in its classic group.
    request HeartbeatRequest(12, 0-4, flexible 4+) -> HeartbeatResponse {
        group_id: String,
        /// The generation that the member belongs to.
        generation_id: i32,
        /// The member id.
        member_id: String,
        /// The static id of the member (KIP-345), if it has one.
        group_instance_id: Option<String> [3+],
    }

    /// The answer to [`HeartbeatRequest`].
    response HeartbeatResponse(12, 0-4, flexible 4+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32 [1+, ignorable],
        error_code: ErrorCode,
    }
}

//! Heartbeat

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request HeartbeatRequest(12, 0-4, flexible 4+) -> HeartbeatResponse {
        group_id: String,
        generation_id: i32,
        member_id: String,
        group_instance_id: Option<String> [3+],
    }

    /// TODO.
    response HeartbeatResponse(12, 0-4, flexible 4+) {
        throttle_time_ms: i32 [1+, ignorable],
        error_code: ErrorCode,
    }
}

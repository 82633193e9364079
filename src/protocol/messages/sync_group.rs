//! SyncGroup

use bytes::Bytes;

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request SyncGroupRequest(14, 0-5, flexible 4+) -> SyncGroupResponse {
        group_id: String,
        generation_id: i32,
        member_id: String,
        group_instance_id: Option<String> [3+],
        protocol_type: Option<String> [5+, ignorable],
        protocol_name: Option<String> [5+, ignorable],
        assignments: Vec<SyncGroupRequestAssignment>,
    }

    /// A part.
    struct SyncGroupRequestAssignment {
        member_id: String,
        assignment: Bytes,
    }

    /// TODO.
    response SyncGroupResponse(14, 0-5, flexible 4+) {
        throttle_time_ms: i32 [1+, ignorable],
        error_code: ErrorCode,
        protocol_type: Option<String> [5+, ignorable],
        protocol_name: Option<String> [5+, ignorable],
        assignment: Bytes,
    }
}

//! LeaveGroup

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request LeaveGroupRequest(13, 0-5, flexible 4+) -> LeaveGroupResponse {
        group_id: String,
        member_id: String [0-2],
        members: Vec<MemberIdentity> [3+],
    }

    /// A part.
    struct MemberIdentity {
        member_id: String,
        group_instance_id: Option<String>,
        reason: Option<String> [5+, ignorable],
    }

    /// TODO.
    response LeaveGroupResponse(13, 0-5, flexible 4+) {
        throttle_time_ms: i32 [1+, ignorable],
        error_code: ErrorCode,
        members: Vec<MemberResponse> [3+],
    }

    /// A part.
    struct MemberResponse {
        member_id: String,
        group_instance_id: Option<String> = empty,
        error_code: ErrorCode,
    }
}

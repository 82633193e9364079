//! JoinGroup

use bytes::Bytes;

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request JoinGroupRequest(11, 0-9, flexible 6+) -> JoinGroupResponse {
        group_id: String,
        session_timeout_ms: i32,
        rebalance_timeout_ms: i32 [1+, ignorable] = -1,
        member_id: String,
        group_instance_id: Option<String> [5+],
        protocol_type: String,
        protocols: Vec<JoinGroupRequestProtocol>,
        reason: Option<String> [8+, ignorable],
    }

    /// A part.
    struct JoinGroupRequestProtocol {
        name: String,
        metadata: Bytes,
    }

    /// TODO.
    response JoinGroupResponse(11, 0-9, flexible 6+) {
        throttle_time_ms: i32 [2+, ignorable],
        error_code: ErrorCode,
        generation_id: i32 = -1,
        protocol_type: Option<String> [7+, ignorable],
        protocol_name: Option<String> [null 7+] = empty,
        leader: String,
        skip_assignment: bool [9+],
        member_id: String,
        members: Vec<JoinGroupResponseMember>,
    }

    /// A part.
    struct JoinGroupResponseMember {
        member_id: String,
        group_instance_id: Option<String> [5+, ignorable],
        metadata: Bytes,
    }
}

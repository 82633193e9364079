//! LeaveGroup, key 13.

use crate::error_code::ErrorCode;

messages! {
    /// Takes members out of their classic group.
    request LeaveGroupRequest(13, 0-5, flexible 4+) -> LeaveGroupResponse {
        group_id: String,
        /// The member id.
        member_id: String [0-2],
        members: Vec<MemberIdentity> [3+],
    }

    /// An item of [`LeaveGroupRequest::members`].
    struct MemberIdentity {
        /// The member id.
        member_id: String,
        /// The static id of the member (KIP-345), if it has one.
        group_instance_id: Option<String>,
        reason: Option<String> [5+, ignorable],
    }

    /// The answer to [`LeaveGroupRequest`].
    response LeaveGroupResponse(13, 0-5, flexible 4+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32 [1+, ignorable],
        error_code: ErrorCode,
        members: Vec<MemberResponse> [3+],
    }

    /// An item of [`LeaveGroupResponse::members`].
    struct MemberResponse {
        /// The member id.
        member_id: String,
        /// The static id of the member (KIP-345), if it has one.
        group_instance_id: Option<String> = empty,
        error_code: ErrorCode,
    }
}

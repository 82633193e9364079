//! JoinGroup, key 11.

use bytes::Bytes;

use crate::error_code::ErrorCode;

messages! {
    /// Joins a classic group, or joins it again in a rebalance.
    request JoinGroupRequest(11, 0-9, flexible 6+) -> JoinGroupResponse {
        group_id: String,
        /// How long the coordinator waits for a heartbeat, in milliseconds.
        session_timeout_ms: i32,
        /// How long the member may take in a rebalance, in milliseconds.
        rebalance_timeout_ms: i32 [1+, ignorable] = -1,
        /// The member id; empty for a new member.
        member_id: String,
        /// The static id of the member (KIP-345), if it has one.
        group_instance_id: Option<String> [5+],
        /// What the members have in common, such as `consumer` or `connect`.
        protocol_type: String,
        protocols: Vec<JoinGroupRequestProtocol>,
        reason: Option<String> [8+, ignorable],
    }

    /// An item of [`JoinGroupRequest::protocols`].
    struct JoinGroupRequestProtocol {
        name: String,
        metadata: Bytes,
    }

    /// The answer to [`JoinGroupRequest`].
    response JoinGroupResponse(11, 0-9, flexible 6+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32 [2+, ignorable],
        error_code: ErrorCode,
        /// The generation that the member belongs to.
        generation_id: i32 = -1,
        protocol_type: Option<String> [7+, ignorable],
        protocol_name: Option<String> [null 7+] = empty,
        leader: String,
        /// Whether the leader should leave the assignment as it is, because only it itself came back
        /// (KIP-814).
        skip_assignment: bool [9+],
        /// The member id.
        member_id: String,
        members: Vec<JoinGroupResponseMember>,
    }

    /// An item of [`JoinGroupResponse::members`].
    struct JoinGroupResponseMember {
        /// The member id.
        member_id: String,
        /// The static id of the member (KIP-345), if it has one.
        group_instance_id: Option<String> [5+, ignorable],
        metadata: Bytes,
    }
}

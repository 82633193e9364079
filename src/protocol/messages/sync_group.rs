//! SyncGroup, key 14.

use bytes::Bytes;

use crate::error_code::ErrorCode;

messages! {
    /// Ends a rebalance of a classic group: the leader sends everybody's assignments, all get their own.
    request SyncGroupRequest(14, 0-5, flexible 4+) -> SyncGroupResponse {
        group_id: String,
        /// The generation that the member belongs to.
        generation_id: i32,
        /// The member id.
        member_id: String,
        /// The static id of the member (KIP-345), if it has one.
        group_instance_id: Option<String> [3+],
        protocol_type: Option<String> [5+, ignorable],
        protocol_name: Option<String> [5+, ignorable],
        assignments: Vec<SyncGroupRequestAssignment>,
    }

    /// An item of [`SyncGroupRequest::assignments`].
    struct SyncGroupRequestAssignment {
        /// The member id.
        member_id: String,
        assignment: Bytes,
    }

    /// The answer to [`SyncGroupRequest`].
    response SyncGroupResponse(14, 0-5, flexible 4+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32 [1+, ignorable],
        error_code: ErrorCode,
        protocol_type: Option<String> [5+, ignorable],
        protocol_name: Option<String> [5+, ignorable],
        assignment: Bytes,
    }
}

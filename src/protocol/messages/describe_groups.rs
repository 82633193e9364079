//! DescribeGroups, key 15.

use bytes::Bytes;

use crate::error_code::ErrorCode;

messages! {
    /// Asks for the state and members of classic groups.
    request DescribeGroupsRequest(15, 0-6, flexible 5+) -> DescribeGroupsResponse {
        groups: Vec<String>,
        include_authorized_operations: bool [3+],
    }

    /// The answer to [`DescribeGroupsRequest`].
    response DescribeGroupsResponse(15, 0-6, flexible 5+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32 [1+, ignorable],
        groups: Vec<DescribedGroup>,
    }

    /// An item of [`DescribeGroupsResponse::groups`].
    struct DescribedGroup {
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> [6+],
        group_id: String,
        group_state: String,
        protocol_type: String,
        protocol_data: String,
        members: Vec<DescribedGroupMember>,
        /// What the client may do with it, as a bit for each operation; `i32::MIN` when that was not asked
        /// for.
        authorized_operations: i32 [3+] = -2147483648,
    }

    /// An item of [`DescribedGroup::members`].
    struct DescribedGroupMember {
        /// The member id.
        member_id: String,
        /// The static id of the member (KIP-345), if it has one.
        group_instance_id: Option<String> [4+, ignorable],
        client_id: String,
        /// The address that the client came from.
        client_host: String,
        member_metadata: Bytes,
        member_assignment: Bytes,
    }
}

//! DescribeGroups

use bytes::Bytes;

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request DescribeGroupsRequest(15, 0-6, flexible 5+) -> DescribeGroupsResponse {
        groups: Vec<String>,
        include_authorized_operations: bool [3+],
    }

    /// TODO.
    response DescribeGroupsResponse(15, 0-6, flexible 5+) {
        throttle_time_ms: i32 [1+, ignorable],
        groups: Vec<DescribedGroup>,
    }

    /// A part.
    struct DescribedGroup {
        error_code: ErrorCode,
        error_message: Option<String> [6+],
        group_id: String,
        group_state: String,
        protocol_type: String,
        protocol_data: String,
        members: Vec<DescribedGroupMember>,
        authorized_operations: i32 [3+] = -2147483648,
    }

    /// A part.
    struct DescribedGroupMember {
        member_id: String,
        group_instance_id: Option<String> [4+, ignorable],
        client_id: String,
        client_host: String,
        member_metadata: Bytes,
        member_assignment: Bytes,
    }
}

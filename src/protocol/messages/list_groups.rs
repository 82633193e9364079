//! ListGroups

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request ListGroupsRequest(16, 0-5, flexible 3+) -> ListGroupsResponse {
        states_filter: Vec<String> [4+],
        types_filter: Vec<String> [5+],
    }

    /// TODO.
    response ListGroupsResponse(16, 0-5, flexible 3+) {
        throttle_time_ms: i32 [1+, ignorable],
        error_code: ErrorCode,
        groups: Vec<ListedGroup>,
    }

    /// A part.
    struct ListedGroup {
        group_id: String,
        protocol_type: String,
        group_state: String [4+, ignorable],
        group_type: String [5+, ignorable],
    }
}

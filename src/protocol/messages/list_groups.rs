//! ListGroups, key 16.

use crate::error_code::ErrorCode;

messages! {
    /// Asks a broker for the groups that it coordinates.
    request ListGroupsRequest(16, 0-5, flexible 3+) -> ListGroupsResponse {
        states_filter: Vec<String> [4+],
        types_filter: Vec<String> [5+],
    }

    /// The answer to [`ListGroupsRequest`].
    response ListGroupsResponse(16, 0-5, flexible 3+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32 [1+, ignorable],
        error_code: ErrorCode,
        groups: Vec<ListedGroup>,
    }

    /// An item of [`ListGroupsResponse::groups`].
    struct ListedGroup {
        group_id: String,
        protocol_type: String,
        group_state: String [4+, ignorable],
        group_type: String [5+, ignorable],
    }
}

//! DeleteGroups, key 42.

use crate::error_code::ErrorCode;

messages! {
    /// Deletes groups without members.
    request DeleteGroupsRequest(42, 0-3, flexible 2+) -> DeleteGroupsResponse {
        groups_names: Vec<String>,
    }

    /// The answer to [`DeleteGroupsRequest`].
    response DeleteGroupsResponse(42, 0-3, flexible 2+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        results: Vec<DeletableGroupResult>,
    }

    /// An item of [`DeleteGroupsResponse::results`].
    struct DeletableGroupResult {
        group_id: String,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> [3+, ignorable],
    }
}

//! DeleteGroups

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request DeleteGroupsRequest(42, 0-3, flexible 2+) -> DeleteGroupsResponse {
        groups_names: Vec<String>,
    }

    /// TODO.
    response DeleteGroupsResponse(42, 0-3, flexible 2+) {
        throttle_time_ms: i32,
        results: Vec<DeletableGroupResult>,
    }

    /// A part.
    struct DeletableGroupResult {
        group_id: String,
        error_code: ErrorCode,
        error_message: Option<String> [3+, ignorable],
    }
}

//! DeleteAcls

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request DeleteAclsRequest(31, 0-3, flexible 2+) -> DeleteAclsResponse {
        filters: Vec<DeleteAclsFilter>,
    }

    /// A part.
    struct DeleteAclsFilter {
        resource_type_filter: i8,
        resource_name_filter: Option<String> = empty,
        pattern_type_filter: i8 [1+] = 3,
        principal_filter: Option<String> = empty,
        host_filter: Option<String> = empty,
        operation: i8,
        permission_type: i8,
    }

    /// TODO.
    response DeleteAclsResponse(31, 0-3, flexible 2+) {
        throttle_time_ms: i32,
        filter_results: Vec<DeleteAclsFilterResult>,
    }

    /// A part.
    struct DeleteAclsFilterResult {
        error_code: ErrorCode,
        error_message: Option<String> = empty,
        matching_acls: Vec<DeleteAclsMatchingAcl>,
    }

    /// A part.
    struct DeleteAclsMatchingAcl {
        error_code: ErrorCode,
        error_message: Option<String> = empty,
        resource_type: i8,
        resource_name: String,
        pattern_type: i8 [1+] = 3,
        principal: String,
        host: String,
        operation: i8,
        permission_type: i8,
    }
}

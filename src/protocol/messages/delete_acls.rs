//! DeleteAcls, key 31.

use crate::error_code::ErrorCode;

messages! {
    /// Removes the access control entries that match filters.
    request DeleteAclsRequest(31, 0-3, flexible 2+) -> DeleteAclsResponse {
        filters: Vec<DeleteAclsFilter>,
    }

    /// An item of [`DeleteAclsRequest::filters`].
    struct DeleteAclsFilter {
        resource_type_filter: i8,
        resource_name_filter: Option<String> = empty,
        /// 0 unknown, 1 any, 2 match, 3 literal, 4 prefixed.
        pattern_type_filter: i8 [1+] = 3,
        principal_filter: Option<String> = empty,
        host_filter: Option<String> = empty,
        operation: i8,
        /// 0 unknown, 1 any, 2 deny, 3 allow.
        permission_type: i8,
    }

    /// The answer to [`DeleteAclsRequest`].
    response DeleteAclsResponse(31, 0-3, flexible 2+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        filter_results: Vec<DeleteAclsFilterResult>,
    }

    /// An item of [`DeleteAclsResponse::filter_results`].
    struct DeleteAclsFilterResult {
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> = empty,
        matching_acls: Vec<DeleteAclsMatchingAcl>,
    }

    /// An item of [`DeleteAclsFilterResult::matching_acls`].
    struct DeleteAclsMatchingAcl {
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> = empty,
        resource_type: i8,
        resource_name: String,
        /// 0 unknown, 1 any, 2 match, 3 literal, 4 prefixed.
        pattern_type: i8 [1+] = 3,
        principal: String,
        host: String,
        operation: i8,
        /// 0 unknown, 1 any, 2 deny, 3 allow.
        permission_type: i8,
    }
}

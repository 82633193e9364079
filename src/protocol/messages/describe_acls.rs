//! DescribeAcls, key 29.

use crate::error_code::ErrorCode;

messages! {
    /// Asks for the access control entries that match a filter.
    request DescribeAclsRequest(29, 0-3, flexible 2+) -> DescribeAclsResponse {
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

    /// The answer to [`DescribeAclsRequest`].
    response DescribeAclsResponse(29, 0-3, flexible 2+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> = empty,
        resources: Vec<DescribeAclsResource>,
    }

    /// An item of [`DescribeAclsResponse::resources`].
    struct DescribeAclsResource {
        resource_type: i8,
        resource_name: String,
        /// 0 unknown, 1 any, 2 match, 3 literal, 4 prefixed.
        pattern_type: i8 [1+] = 3,
        acls: Vec<AclDescription>,
    }

    /// An item of [`DescribeAclsResource::acls`].
    struct AclDescription {
        principal: String,
        host: String,
        operation: i8,
        /// 0 unknown, 1 any, 2 deny, 3 allow.
        permission_type: i8,
    }
}

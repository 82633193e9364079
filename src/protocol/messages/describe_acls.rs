//! DescribeAcls

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request DescribeAclsRequest(29, 0-3, flexible 2+) -> DescribeAclsResponse {
        resource_type_filter: i8,
        resource_name_filter: Option<String> = empty,
        pattern_type_filter: i8 [1+] = 3,
        principal_filter: Option<String> = empty,
        host_filter: Option<String> = empty,
        operation: i8,
        permission_type: i8,
    }

    /// TODO.
    response DescribeAclsResponse(29, 0-3, flexible 2+) {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<String> = empty,
        resources: Vec<DescribeAclsResource>,
    }

    /// A part.
    struct DescribeAclsResource {
        resource_type: i8,
        resource_name: String,
        pattern_type: i8 [1+] = 3,
        acls: Vec<AclDescription>,
    }

    /// A part.
    struct AclDescription {
        principal: String,
        host: String,
        operation: i8,
        permission_type: i8,
    }
}

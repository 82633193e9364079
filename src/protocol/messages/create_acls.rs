//! CreateAcls, key 30.

use crate::error_code::ErrorCode;

messages! {
    /// Adds access control entries.
    request CreateAclsRequest(30, 0-3, flexible 2+) -> CreateAclsResponse {
        creations: Vec<AclCreation>,
    }

    /// An item of [`CreateAclsRequest::creations`].
    struct AclCreation {
        resource_type: i8,
        resource_name: String,
        /// 0 unknown, 1 any, 2 match, 3 literal, 4 prefixed.
        resource_pattern_type: i8 [1+] = 3,
        principal: String,
        host: String,
        operation: i8,
        /// 0 unknown, 1 any, 2 deny, 3 allow.
        permission_type: i8,
    }

    /// The answer to [`CreateAclsRequest`].
    response CreateAclsResponse(30, 0-3, flexible 2+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        results: Vec<AclCreationResult>,
    }

    /// An item of [`CreateAclsResponse::results`].
    struct AclCreationResult {
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> = empty,
    }
}

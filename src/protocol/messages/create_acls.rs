//! CreateAcls

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request CreateAclsRequest(30, 0-3, flexible 2+) -> CreateAclsResponse {
        creations: Vec<AclCreation>,
    }

    /// A part.
    struct AclCreation {
        resource_type: i8,
        resource_name: String,
        resource_pattern_type: i8 [1+] = 3,
        principal: String,
        host: String,
        operation: i8,
        permission_type: i8,
    }

    /// TODO.
    response CreateAclsResponse(30, 0-3, flexible 2+) {
        throttle_time_ms: i32,
        results: Vec<AclCreationResult>,
    }

    /// A part.
    struct AclCreationResult {
        error_code: ErrorCode,
        error_message: Option<String> = empty,
    }
}

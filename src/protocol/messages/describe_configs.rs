//! DescribeConfigs

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request DescribeConfigsRequest(32, 0-4, flexible 4+) -> DescribeConfigsResponse {
        resources: Vec<DescribeConfigsResource>,
        include_synonyms: bool [1+],
        include_documentation: bool [3+],
    }

    /// A part.
    struct DescribeConfigsResource {
        resource_type: i8,
        resource_name: String,
        configuration_keys: Option<Vec<String>> = empty,
    }

    /// TODO.
    response DescribeConfigsResponse(32, 0-4, flexible 4+) {
        throttle_time_ms: i32,
        results: Vec<DescribeConfigsResult>,
    }

    /// A part.
    struct DescribeConfigsResult {
        error_code: ErrorCode,
        error_message: Option<String> = empty,
        resource_type: i8,
        resource_name: String,
        configs: Vec<DescribeConfigsResourceResult>,
    }

    /// A part.
    struct DescribeConfigsResourceResult {
        name: String,
        value: Option<String> [secret] = empty,
        read_only: bool,
        is_default: bool [0],
        config_source: i8 [1+, ignorable] = -1,
        is_sensitive: bool,
        synonyms: Vec<DescribeConfigsSynonym> [1+, ignorable],
        config_type: i8 [3+, ignorable],
        documentation: Option<String> [3+, ignorable] = empty,
    }

    /// A part.
    struct DescribeConfigsSynonym {
        name: String,
        value: Option<String> [secret] = empty,
        source: i8,
    }
}

//! DescribeConfigs, key 32.

use crate::error_code::ErrorCode;

messages! {
    /// Asks for the configuration of topics, brokers and other resources.
    request DescribeConfigsRequest(32, 0-4, flexible 4+) -> DescribeConfigsResponse {
        resources: Vec<DescribeConfigsResource>,
        include_synonyms: bool [1+],
        include_documentation: bool [3+],
    }

    /// An item of [`DescribeConfigsRequest::resources`].
    struct DescribeConfigsResource {
        resource_type: i8,
        resource_name: String,
        /// The options; null for all.
        configuration_keys: Option<Vec<String>> = empty,
    }

    /// The answer to [`DescribeConfigsRequest`].
    response DescribeConfigsResponse(32, 0-4, flexible 4+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        results: Vec<DescribeConfigsResult>,
    }

    /// An item of [`DescribeConfigsResponse::results`].
    struct DescribeConfigsResult {
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> = empty,
        resource_type: i8,
        resource_name: String,
        configs: Vec<DescribeConfigsResourceResult>,
    }

    /// An item of [`DescribeConfigsResult::configs`].
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

    /// An item of [`DescribeConfigsResourceResult::synonyms`].
    struct DescribeConfigsSynonym {
        name: String,
        value: Option<String> [secret] = empty,
        source: i8,
    }
}

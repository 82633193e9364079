//! ApiVersions

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request ApiVersionsRequest(18, 0-5, flexible 3+) -> ApiVersionsResponse {
        client_software_name: String [3+, ignorable],
        client_software_version: String [3+, ignorable],
        cluster_id: Option<String> [5+, ignorable],
        node_id: i32 [5+, ignorable] = -1,
    }

    /// TODO.
    response ApiVersionsResponse(18, 0-5, flexible 3+) {
        error_code: ErrorCode,
        api_keys: Vec<ApiVersion>,
        throttle_time_ms: i32 [1+, ignorable],
        supported_features: Vec<SupportedFeatureKey> [3+, tag 0, ignorable],
        finalized_features_epoch: i64 [3+, tag 1, ignorable] = -1,
        finalized_features: Vec<FinalizedFeatureKey> [3+, tag 2, ignorable],
        zk_migration_ready: bool [3+, tag 3, ignorable],
    }

    /// A part.
    struct ApiVersion {
        api_key: i16,
        min_version: i16,
        max_version: i16,
    }

    /// A part.
    struct SupportedFeatureKey {
        name: String,
        min_version: i16,
        max_version: i16,
    }

    /// A part.
    struct FinalizedFeatureKey {
        name: String,
        max_version_level: i16,
        min_version_level: i16,
    }
}

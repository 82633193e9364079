//! ApiVersions, key 18.

use crate::error_code::ErrorCode;

messages! {
    /// Asks which versions of which APIs the broker speaks, and for its features (KIP-584).
    request ApiVersionsRequest(18, 0-5, flexible 3+) -> ApiVersionsResponse {
        /// The name of the client library (KIP-511).
        client_software_name: String [3+, ignorable],
        /// The version of the client library (KIP-511).
        client_software_version: String [3+, ignorable],
        /// The id of the cluster.
        cluster_id: Option<String> [5+, ignorable],
        node_id: i32 [5+, ignorable] = -1,
    }

    /// The answer to [`ApiVersionsRequest`].
    response ApiVersionsResponse(18, 0-5, flexible 3+) {
        error_code: ErrorCode,
        api_keys: Vec<ApiVersion>,
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32 [1+, ignorable],
        supported_features: Vec<SupportedFeatureKey> [3+, tag 0, ignorable],
        finalized_features_epoch: i64 [3+, tag 1, ignorable] = -1,
        finalized_features: Vec<FinalizedFeatureKey> [3+, tag 2, ignorable],
        zk_migration_ready: bool [3+, tag 3, ignorable],
    }

    /// An item of [`ApiVersionsResponse::api_keys`].
    struct ApiVersion {
        api_key: i16,
        min_version: i16,
        max_version: i16,
    }

    /// An item of [`ApiVersionsResponse::supported_features`].
    struct SupportedFeatureKey {
        name: String,
        min_version: i16,
        max_version: i16,
    }

    /// An item of [`ApiVersionsResponse::finalized_features`].
    struct FinalizedFeatureKey {
        name: String,
        max_version_level: i16,
        min_version_level: i16,
    }
}

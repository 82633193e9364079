//! UpdateFeatures, key 57.

use crate::error_code::ErrorCode;

messages! {
    /// Changes the cluster's feature levels (KIP-584).
    request UpdateFeaturesRequest(57, 0-2, flexible 0+) -> UpdateFeaturesResponse {
        /// How long the broker may take, in milliseconds.
        timeout_ms: i32 = 60000,
        feature_updates: Vec<FeatureUpdateKey>,
        /// Whether to check the request without doing anything.
        validate_only: bool [1+],
    }

    /// An item of [`UpdateFeaturesRequest::feature_updates`].
    struct FeatureUpdateKey {
        feature: String,
        max_version_level: i16,
        /// Whether the level may become lower.
        allow_downgrade: bool [0],
        /// 1 upgrade, 2 safe downgrade, 3 downgrade that may lose data.
        upgrade_type: i8 [1+] = 1,
    }

    /// The answer to [`UpdateFeaturesRequest`].
    response UpdateFeaturesResponse(57, 0-2, flexible 0+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> = empty,
        results: Vec<UpdatableFeatureResult> [0-1, ignorable],
    }

    /// An item of [`UpdateFeaturesResponse::results`].
    struct UpdatableFeatureResult {
        feature: String,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> = empty,
    }
}

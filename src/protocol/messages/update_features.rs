//! UpdateFeatures

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request UpdateFeaturesRequest(57, 0-2, flexible 0+) -> UpdateFeaturesResponse {
        timeout_ms: i32 = 60000,
        feature_updates: Vec<FeatureUpdateKey>,
        validate_only: bool [1+],
    }

    /// A part.
    struct FeatureUpdateKey {
        feature: String,
        max_version_level: i16,
        allow_downgrade: bool [0],
        upgrade_type: i8 [1+] = 1,
    }

    /// TODO.
    response UpdateFeaturesResponse(57, 0-2, flexible 0+) {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<String> = empty,
        results: Vec<UpdatableFeatureResult> [0-1, ignorable],
    }

    /// A part.
    struct UpdatableFeatureResult {
        feature: String,
        error_code: ErrorCode,
        error_message: Option<String> = empty,
    }
}

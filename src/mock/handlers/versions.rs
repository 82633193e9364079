//! ApiVersions.

use super::{Answer, Cx, Handled, Handler, Served};
use crate::error::{Error, ErrorKind, Result};
use crate::error_code::ErrorCode;
use crate::mock::faults::Outcome;
use crate::mock::state::State;
use crate::protocol::messages::api_versions::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use crate::protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use crate::protocol::{ApiKey, VersionRange, encode_response};

impl Handler for ApiVersionsRequest {
    async fn handle(self, cx: &Cx) -> Handled<ApiVersionsResponse> {
        let mut response = ApiVersionsResponse::default();
        match cx.check() {
            Err(code) => response.error_code = code,
            Ok(()) => {
                let state = cx.state();
                let ranges = state.brokers.get(&cx.broker).map(|broker| broker.versions.iter());
                response.api_keys = ranges.into_iter().flatten().map(api_version).collect();
                tell_features(&mut response, &state, cx.broker);
            }
        }
        Handled::Answer(response)
    }
}

/// What the cluster has agreed upon (KIP-584); brokers that are too old for it say nothing.
fn tell_features(response: &mut ApiVersionsResponse, state: &State, broker: i32) {
    let versions = state.brokers.get(&broker).map(|broker| &broker.versions);
    let range = versions.and_then(|versions| versions.range(ApiKey::END_TXN));
    if range.is_none_or(|range| range.max < 5) {
        return;
    }
    let name = || "transaction.version".to_owned();
    let level = state.settings.transaction_version;
    response.supported_features =
        vec![SupportedFeatureKey { name: name(), min_version: 0, max_version: MAX_TRANSACTION_VERSION }];
    response.finalized_features_epoch = 0;
    if level > 0 {
        response.finalized_features =
            vec![FinalizedFeatureKey { name: name(), max_version_level: level, min_version_level: level }];
    }
}

const MAX_TRANSACTION_VERSION: i16 = 2;

fn api_version((key, range): (ApiKey, VersionRange)) -> ApiVersion {
    ApiVersion { api_key: key.0, min_version: range.min, max_version: range.max }
}

/// The answer to a version that the broker does not have: version 0, with the versions of ApiVersions in it, so
/// that the client can ask again (KIP-511).
pub(crate) fn unsupported_api_versions(correlation_id: i32, range: Option<VersionRange>) -> Result<Served> {
    let response = ApiVersionsResponse {
        error_code: ErrorCode::UNSUPPORTED_VERSION,
        api_keys: range.map(|range| api_version((ApiKey::API_VERSIONS, range))).into_iter().collect(),
        ..Default::default()
    };
    let chunks = encode_response::<ApiVersionsRequest>(correlation_id, &response, 0)
        .map_err(|error| Error::new(ErrorKind::Protocol, error.to_string()))?;
    Ok(Served { answer: Answer::Send(chunks), outcome: Outcome::Answer })
}

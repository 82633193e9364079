//! Which versions of which APIs a broker speaks, and which of them to use.

use std::collections::HashMap;

use crate::error::{Error, ErrorKind, Result};
use crate::protocol::messages::ApiVersionsResponse;
use crate::protocol::messages::api_versions::FinalizedFeatureKey;
use crate::protocol::{ApiKey, Request, VersionRange};

/// The versions that one broker has announced, and what its cluster has agreed upon.
#[derive(Clone, Debug, Default)]
pub struct ApiVersions {
    ranges: HashMap<i16, VersionRange>,
    /// Levels of features, by name (KIP-584).
    features: HashMap<String, i16>,
}

impl ApiVersions {
    /// The table from a broker's answer.
    pub fn from_response(response: &ApiVersionsResponse) -> Self {
        let row = |api: &crate::protocol::messages::api_versions::ApiVersion| {
            (api.api_key, VersionRange { min: api.min_version, max: api.max_version })
        };
        let level = |feature: &FinalizedFeatureKey| (feature.name.clone(), feature.max_version_level);
        Self {
            ranges: response.api_keys.iter().map(row).collect(),
            features: response.finalized_features.iter().map(level).collect(),
        }
    }

    /// The table of a broker that is older than the ApiVersions API: Kafka 0.8.2 and 0.9.
    pub fn before_0_10() -> Self {
        let row = |(key, max): (ApiKey, i16)| (key.0, VersionRange { min: 0, max });
        let rows = [
            (ApiKey::PRODUCE, 1),
            (ApiKey::FETCH, 1),
            (ApiKey::LIST_OFFSETS, 0),
            (ApiKey::METADATA, 0),
            (ApiKey::OFFSET_COMMIT, 2),
            (ApiKey::OFFSET_FETCH, 1),
            (ApiKey::FIND_COORDINATOR, 0),
            (ApiKey::JOIN_GROUP, 0),
            (ApiKey::HEARTBEAT, 0),
            (ApiKey::LEAVE_GROUP, 0),
            (ApiKey::SYNC_GROUP, 0),
            (ApiKey::DESCRIBE_GROUPS, 0),
            (ApiKey::LIST_GROUPS, 0),
        ];
        Self { ranges: rows.into_iter().map(row).collect(), features: HashMap::new() }
    }

    /// The broker's range for an API, if it has it.
    pub fn get(&self, api: ApiKey) -> Option<VersionRange> {
        self.ranges.get(&api.0).copied()
    }

    /// The level of a feature that the cluster has agreed upon (KIP-584), such as `transaction.version`; 0 when it
    /// has not.
    pub fn feature(&self, name: &str) -> i16 {
        self.features.get(name).copied().unwrap_or(0)
    }

    /// All APIs of the broker, with their ranges, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (ApiKey, VersionRange)> + '_ {
        self.ranges.iter().map(|(key, range)| (ApiKey(*key), *range))
    }

    /// The newest version that both sides speak, but at most `cap`.
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedVersion`], naming the API and both ranges.
    pub fn pick<R: Request>(&self, cap: i16) -> Result<i16> {
        let ours = R::VERSIONS;
        let Some(theirs) = self.get(R::API_KEY) else {
            let text = format!(
                "the broker has no {} API: it is too old, or a service without it",
                R::API_KEY.name()
            );
            return Err(Error::new(ErrorKind::UnsupportedVersion, text));
        };
        let version = ours.max.min(theirs.max).min(cap);
        if version < ours.min.max(theirs.min) {
            let text = format!(
                "no version of {} in common: needed {} to {}, the broker has {} to {}",
                R::API_KEY.name(),
                ours.min,
                ours.max.min(cap),
                theirs.min,
                theirs.max
            );
            return Err(Error::new(ErrorKind::UnsupportedVersion, text));
        }
        Ok(version)
    }
}

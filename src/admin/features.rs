//! Features: levels that all nodes of the cluster have agreed on (KIP-584).
//!
//! The mock cluster has no features, so this runs on a real one:
//!
//! ```no_run
//! use kavka::admin::{FeatureUpdate, KafkaAdminClient};
//!
//! let admin = KafkaAdminClient::builder().bootstrap_servers("localhost:9092").build()?;
//! let features = admin.describe_features()?;
//! println!("metadata.version is {:?}", features.finalized.get("metadata.version"));
//! for (feature, result) in admin.update_features([("share.version", FeatureUpdate::upgrade(1))])? {
//!     println!("{feature}: {result:?}");
//! }
//! # Ok::<(), kavka::Error>(())
//! ```

use std::collections::BTreeMap;

use super::words::code_enum;
use super::{At, Item, KafkaAdminClient, Results, Route, unanswered, verdict};
use crate::error::Result;
use crate::protocol::VersionRange;
use crate::protocol::messages::update_features::FeatureUpdateKey;
use crate::protocol::messages::{ApiVersionsResponse, UpdateFeaturesRequest, UpdateFeaturesResponse};

code_enum! {
    /// Which way a feature's level may go. kafka-python's `UpdateFeatureType`, Java's `UpgradeType`.
    FeatureUpgradeType {
        /// Up.
        Upgrade = 1 "UPGRADE",
        /// Down, where nothing is lost by it.
        SafeDowngrade = 2 "SAFE_DOWNGRADE",
        /// Down, even where metadata are lost by it.
        UnsafeDowngrade = 3 "UNSAFE_DOWNGRADE",
    }
}

/// The level that a feature is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FeatureUpdate {
    /// The level; 0 switches the feature off.
    pub max_version_level: i16,
    /// Which way.
    pub upgrade_type: FeatureUpgradeType,
}

impl FeatureUpdate {
    /// Up to a level.
    pub fn upgrade(level: i16) -> Self {
        Self { max_version_level: level, upgrade_type: FeatureUpgradeType::Upgrade }
    }

    /// Down to a level, if nothing is lost by it.
    pub fn downgrade(level: i16) -> Self {
        Self { max_version_level: level, upgrade_type: FeatureUpgradeType::SafeDowngrade }
    }

    /// Down to a level, even if metadata are lost by it.
    pub fn unsafe_downgrade(level: i16) -> Self {
        Self { max_version_level: level, upgrade_type: FeatureUpgradeType::UnsafeDowngrade }
    }
}

/// The features of a cluster, as one of its nodes knows them.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeatureMetadata {
    /// The levels that the cluster has agreed on.
    pub finalized: BTreeMap<String, VersionRange>,
    /// Grows with every change of them; `None` when the node does not know.
    pub finalized_epoch: Option<i64>,
    /// The levels that the node could take part in.
    pub supported: BTreeMap<String, VersionRange>,
}

impl KafkaAdminClient {
    /// The features of the cluster, as any node knows them. Needs Kafka 2.7.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout),
    /// [`ErrorKind::UnsupportedVersion`](crate::ErrorKind::UnsupportedVersion).
    pub fn describe_features(&self) -> Result<FeatureMetadata> {
        self.features(Route::Any)
    }

    /// The features as this node knows them, and the levels that it supports itself.
    ///
    /// # Errors
    /// As [`describe_features`](Self::describe_features), and
    /// [`ErrorKind::Connection`](crate::ErrorKind::Connection) for a node that is not part of the cluster.
    pub fn describe_features_of(&self, node_id: i32) -> Result<FeatureMetadata> {
        self.features(Route::Broker(node_id))
    }

    fn features(&self, route: Route) -> Result<FeatureMetadata> {
        self.call(DESCRIBE, move |admin, call| async move {
            let response: ApiVersionsResponse =
                admin.api_versions(call, route, Some((3, "telling of features (KIP-584)"))).await?;
            let range = |min, max| VersionRange { min, max };
            let finalized = response.finalized_features.into_iter();
            let supported = response.supported_features.into_iter();
            Ok(FeatureMetadata {
                finalized: finalized
                    .map(|found| (found.name, range(found.min_version_level, found.max_version_level)))
                    .collect(),
                finalized_epoch: Some(response.finalized_features_epoch).filter(|&epoch| epoch >= 0),
                supported: supported
                    .map(|found| (found.name, range(found.min_version, found.max_version)))
                    .collect(),
            })
        })
    }

    /// Changes the levels of features, at the controller. Needs Kafka 2.7; going down where it is unsafe, 3.3.
    ///
    /// From Kafka 4.0 on either all are changed or none.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) when the cluster could not be reached; for a feature
    /// [`INVALID_UPDATE_VERSION`](crate::ErrorCode::INVALID_UPDATE_VERSION),
    /// [`FEATURE_UPDATE_FAILED`](crate::ErrorCode::FEATURE_UPDATE_FAILED),
    /// [`ErrorKind::Authorization`](crate::ErrorKind::Authorization).
    pub fn update_features(
        &self,
        updates: impl IntoIterator<Item = (impl Into<String>, FeatureUpdate)>,
    ) -> Result<Results<String, ()>> {
        self.update(updates.into_iter().map(|(name, update)| (name.into(), update)).collect(), false)
    }

    /// Has the controller check whether the levels could be changed, without changing them. Needs Kafka 3.3.
    ///
    /// # Errors
    /// As [`update_features`](Self::update_features).
    pub fn validate_features(
        &self,
        updates: impl IntoIterator<Item = (impl Into<String>, FeatureUpdate)>,
    ) -> Result<Results<String, ()>> {
        self.update(updates.into_iter().map(|(name, update)| (name.into(), update)).collect(), true)
    }

    fn update(&self, updates: Vec<Update>, validate_only: bool) -> Result<Results<String, ()>> {
        if updates.is_empty() {
            return Ok(Vec::new());
        }
        self.call(UPDATE, move |admin, call| async move {
            let items = updates.into_iter().map(|update| Item::new(Route::Controller, update)).collect();
            let request = |at: &At, updates: &[&Update]| {
                if validate_only {
                    at.need(1, "checking without updating (KIP-778)")?;
                }
                if updates.iter().any(|(_, one)| one.upgrade_type == FeatureUpgradeType::UnsafeDowngrade) {
                    at.need(1, "an unsafe downgrade (KIP-778)")?;
                }
                let key = |(feature, update): &&Update| FeatureUpdateKey {
                    feature: feature.clone(),
                    max_version_level: update.max_version_level,
                    allow_downgrade: at.version == 0 && update.upgrade_type != FeatureUpgradeType::Upgrade,
                    upgrade_type: if at.version == 0 { 1 } else { update.upgrade_type.code() },
                };
                Ok(UpdateFeaturesRequest {
                    timeout_ms: at.timeout_ms(),
                    feature_updates: updates.iter().map(key).collect(),
                    validate_only,
                })
            };
            let read = |at: &At, response: UpdateFeaturesResponse, updates: &[&Update]| {
                updates.iter().map(|(feature, _)| updated(at, &response, feature)).collect()
            };
            let results = admin.ask(call, items, request, read).await;
            let named = |((feature, _), result): (Update, Result<()>)| {
                let result = result.map_err(|error| error.context(&feature));
                (feature, result)
            };
            Ok(results.into_iter().map(named).collect())
        })
    }
}

type Update = (String, FeatureUpdate);

fn updated(at: &At, response: &UpdateFeaturesResponse, feature: &str) -> Result<()> {
    verdict(response.error_code, response.error_message.as_deref(), UPDATE)?;
    if at.version >= ALL_OR_NONE_SINCE {
        return Ok(());
    }
    let answer = response.results.iter().find(|answer| answer.feature == feature);
    let answer = answer.ok_or_else(|| unanswered(UPDATE))?;
    verdict(answer.error_code, answer.error_message.as_deref(), UPDATE)
}

const DESCRIBE: &str = "describe features";
const UPDATE: &str = "update features";
/// The version of UpdateFeatures with one result for all.
const ALL_OR_NONE_SINCE: i16 = 2;

//! Replacing all options of a resource at once, the only way before KIP-339.

use std::collections::BTreeMap;

use super::alter::ConfigChanges;
use super::{
    AlterConfigOp, ConfigKeys, ConfigResource, DescribeConfigsOptions, ResourceConfigs, of_resource,
};
use crate::admin::{Admin, At, Call, KafkaAdminClient, Results, unanswered, verdict};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::messages::alter_configs::{AlterConfigsResource, AlterableConfig};
use crate::protocol::messages::{AlterConfigsRequest, AlterConfigsResponse};

/// A resource, and all that is to be set for it.
type Whole = (ConfigResource, BTreeMap<String, String>);

impl KafkaAdminClient {
    /// Replaces all that is set for resources: options that are not named go back to their defaults. Needs Kafka
    /// 0.11. [`alter_configs`](Self::alter_configs) is the better way where there is a choice; this is what
    /// Java called `alterConfigs` before 4.0.
    ///
    /// # Errors
    /// As [`alter_configs`](Self::alter_configs).
    pub fn replace_configs(
        &self,
        resources: impl IntoIterator<Item = (ConfigResource, BTreeMap<String, String>)>,
    ) -> Result<Results<ConfigResource, ()>> {
        let resources: Vec<Whole> = resources.into_iter().collect();
        if resources.is_empty() {
            return Ok(Vec::new());
        }
        self.call(REPLACE, move |admin, call| async move {
            Ok(admin.replace_configs(call, resources, false).await)
        })
    }
}

impl Admin {
    async fn replace_configs(
        &self,
        call: Call,
        resources: Vec<Whole>,
        validate_only: bool,
    ) -> Results<ConfigResource, ()> {
        let request = |_: &At, resources: &[&Whole]| {
            let config = |(name, value): (&String, &String)| AlterableConfig {
                name: name.clone(),
                value: Some(value.clone()),
            };
            let resource = |(resource, configs): &&Whole| AlterConfigsResource {
                resource_type: resource.resource_type.code(),
                resource_name: resource.name.clone(),
                configs: configs.iter().map(config).collect(),
            };
            Ok(AlterConfigsRequest { resources: resources.iter().map(resource).collect(), validate_only })
        };
        let read = |_: &At, response: AlterConfigsResponse, resources: &[&Whole]| {
            resources.iter().map(|(resource, _)| replaced(&response, resource)).collect()
        };
        let results = self.ask_resources(call, resources, |(resource, _)| resource, request, read).await;
        results.into_iter().map(|((resource, _), result)| (resource, result)).collect()
    }

    /// The changes by way of replacing everything.
    pub(super) async fn alter_configs_of_old(
        &self,
        call: Call,
        changes: &ConfigChanges,
        validate_only: bool,
    ) -> Result<()> {
        let resource = &changes.resource;
        let wanted = vec![ConfigKeys::from(resource.clone())];
        let mut known = self.describe_configs(call, wanted, DescribeConfigsOptions::new()).await;
        let (_, known) = known.pop().ok_or_else(|| unanswered(REPLACE))?;
        let whole = (resource.clone(), changed(&known?, changes)?);
        let mut replaced = self.replace_configs(call, vec![whole], validate_only).await;
        replaced.pop().map_or_else(|| Err(unanswered(REPLACE)), |(_, result)| result)
    }
}

/// All that is to be set after the changes.
fn changed(known: &ResourceConfigs, changes: &ConfigChanges) -> Result<BTreeMap<String, String>> {
    let mut whole = BTreeMap::new();
    for (key, entry) in known.iter().filter(|(_, entry)| changes.resource.has_set(entry.source)) {
        match &entry.value {
            Some(value) => {
                whole.insert(key.clone(), value.clone());
            }
            None if changes.changes.iter().any(|change| change.key == *key) => {}
            None => {
                let text = format!(
                    "changing single options needs Kafka 2.3 or newer (IncrementalAlterConfigs API): this \
                     broker replaces all of them, and {key} has a secret value that it does not tell"
                );
                let error = Error::new(ErrorKind::UnsupportedVersion, text);
                return Err(of_resource(error, &changes.resource));
            }
        }
    }
    for change in &changes.changes {
        let value = change.value.clone().unwrap_or_default();
        let now = whole.get(&change.key).or_else(|| known.get(&change.key)?.value.as_ref());
        let words =
            now.into_iter().flat_map(|now| now.split(',')).map(str::trim).filter(|word| !word.is_empty());
        let meant: Vec<&str> = value.split(',').map(str::trim).collect();
        match change.op {
            AlterConfigOp::Set => {
                whole.insert(change.key.clone(), value);
            }
            AlterConfigOp::Delete => {
                whole.remove(&change.key);
            }
            AlterConfigOp::Append => {
                let kept = words.filter(|word| !meant.contains(word));
                let list: Vec<&str> = kept.chain(meant.iter().copied()).collect();
                let list = list.join(",");
                whole.insert(change.key.clone(), list);
            }
            AlterConfigOp::Subtract => {
                let list: Vec<&str> = words.filter(|word| !meant.contains(word)).collect();
                let list = list.join(",");
                whole.insert(change.key.clone(), list);
            }
            AlterConfigOp::Unknown(code) => {
                let text = format!("{}: no operation has the number {code}", change.key);
                return Err(Error::new(ErrorKind::InvalidArgument, text));
            }
        }
    }
    Ok(whole)
}

fn replaced(response: &AlterConfigsResponse, resource: &ConfigResource) -> Result<()> {
    let answer = response.responses.iter().find(|answer| {
        answer.resource_type == resource.resource_type.code() && answer.resource_name == resource.name
    });
    let answer = answer.ok_or_else(|| unanswered(REPLACE))?;
    verdict(answer.error_code, answer.error_message.as_deref(), REPLACE)
}

const REPLACE: &str = "replace configs";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::{ConfigEntry, ConfigSource, ConfigType};

    fn entry(value: &str, source: ConfigSource) -> ConfigEntry {
        ConfigEntry {
            value: Some(value.to_owned()),
            source,
            is_read_only: false,
            is_sensitive: false,
            config_type: ConfigType::Unknown(0),
            synonyms: Vec::new(),
            documentation: None,
        }
    }

    #[test]
    fn what_else_was_set_stays() {
        let known: ResourceConfigs = [
            ("log.retention.ms", entry("1", ConfigSource::DynamicDefaultBrokerConfig)),
            ("log.segment.bytes", entry("2", ConfigSource::DynamicBrokerConfig)),
            ("num.partitions", entry("3", ConfigSource::StaticBrokerConfig)),
            ("min.insync.replicas", entry("4", ConfigSource::DefaultConfig)),
        ]
        .map(|(key, entry)| (key.to_owned(), entry))
        .into();
        let whole = |resource: ConfigResource| {
            let whole = changed(&known, &resource.set("message.max.bytes", "5")).expect("known values");
            whole.into_keys().collect::<Vec<String>>()
        };
        // What brokers tell of all of them is what was set for all of them; of one it was set for others, too.
        let all = ConfigResource::all_brokers();
        assert_eq!(whole(all), ["log.retention.ms", "log.segment.bytes", "message.max.bytes"]);
        assert_eq!(whole(ConfigResource::broker(1)), ["log.segment.bytes", "message.max.bytes"]);
    }
}

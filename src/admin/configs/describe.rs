//! Which options a resource has, and where their values come from.

use std::collections::BTreeMap;
use std::fmt;

use super::{ConfigKeys, ConfigResource, ConfigResourceType, ConfigSource, ConfigType, of_resource};
use crate::admin::{Admin, At, Call, Item, KafkaAdminClient, Results, unanswered, verdict};
use crate::error::Result;
use crate::protocol::messages::describe_configs::{DescribeConfigsResource, DescribeConfigsResourceResult};
use crate::protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};

/// The options of a resource, by their names.
pub type ResourceConfigs = BTreeMap<String, ConfigEntry>;

/// An option and its value.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    /// The value; `None` for one that is not set, and for secrets.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether it cannot be changed while the broker runs.
    pub is_read_only: bool,
    /// Whether it is a secret.
    pub is_sensitive: bool,
    /// What kind of value it has; `Unknown(0)` from brokers before 2.6.
    pub config_type: ConfigType,
    /// What has been set for it, the strongest first: the first one counts. Empty unless it was asked for.
    pub synonyms: Vec<ConfigSynonym>,
    /// What it does. `None` unless it was asked for.
    pub documentation: Option<String>,
}

impl ConfigEntry {
    /// Whether nobody has set it.
    pub fn is_default(&self) -> bool {
        self.source == ConfigSource::DefaultConfig
    }
}

impl fmt::Debug for ConfigEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = if self.is_sensitive { Some("[hidden]") } else { self.value.as_deref() };
        f.debug_struct("ConfigEntry")
            .field("value", &value)
            .field("source", &self.source)
            .field("is_read_only", &self.is_read_only)
            .field("config_type", &self.config_type)
            .finish_non_exhaustive()
    }
}

/// A value that counts for an option unless a stronger one does.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSynonym {
    /// The name by which it was set, such as `log.retention.ms` for `retention.ms`.
    pub name: String,
    /// The value; `None` for secrets.
    pub value: Option<String>,
    /// Where it was set.
    pub source: ConfigSource,
}

/// What is told of each option besides its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DescribeConfigsOptions {
    synonyms: bool,
    documentation: bool,
}

impl DescribeConfigsOptions {
    /// The value alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// What has been set for it at all levels. Brokers before 1.1 do not tell.
    #[must_use]
    pub fn synonyms(self) -> Self {
        Self { synonyms: true, ..self }
    }

    /// What it does. Brokers before 2.6 do not tell.
    #[must_use]
    pub fn documentation(self) -> Self {
        Self { documentation: true, ..self }
    }
}

impl KafkaAdminClient {
    /// The options of resources, or with [`ConfigResource::keys`] some of them. Needs Kafka 0.11.
    ///
    /// Brokers and their loggers are asked for theirs themselves. kafka-python shows by default only what was
    /// modified: see [`ConfigSource::is_modified`].
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) when the cluster could not be reached; for a resource
    /// [`ErrorKind::UnknownTopic`](crate::ErrorKind::UnknownTopic),
    /// [`ErrorKind::Authorization`](crate::ErrorKind::Authorization),
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a broker that is not named by a
    /// number, [`ErrorKind::Connection`](crate::ErrorKind::Connection) for one that is not there.
    pub fn describe_configs(
        &self,
        resources: impl IntoIterator<Item = impl Into<ConfigKeys>>,
    ) -> Result<Results<ConfigResource, ResourceConfigs>> {
        self.describe_configs_with(resources, DescribeConfigsOptions::new())
    }

    /// As [`describe_configs`](Self::describe_configs), with more on each option.
    ///
    /// # Errors
    /// As [`describe_configs`](Self::describe_configs).
    pub fn describe_configs_with(
        &self,
        resources: impl IntoIterator<Item = impl Into<ConfigKeys>>,
        options: DescribeConfigsOptions,
    ) -> Result<Results<ConfigResource, ResourceConfigs>> {
        let wanted: Vec<ConfigKeys> = resources.into_iter().map(Into::into).collect();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        self.call(DESCRIBE, move |admin, call| async move {
            let results = admin.describe_configs(call, wanted, options).await;
            Ok(results.into_iter().map(|(keys, result)| (keys.resource, result)).collect())
        })
    }
}

impl Admin {
    pub(super) async fn describe_configs(
        &self,
        call: Call,
        wanted: Vec<ConfigKeys>,
        options: DescribeConfigsOptions,
    ) -> Results<ConfigKeys, ResourceConfigs> {
        let request = |_: &At, wanted: &[&ConfigKeys]| {
            let resource = |wanted: &&ConfigKeys| DescribeConfigsResource {
                resource_type: wanted.resource.resource_type.code(),
                resource_name: wanted.resource.name.clone(),
                configuration_keys: wanted.keys.clone(),
            };
            Ok(DescribeConfigsRequest {
                resources: wanted.iter().map(resource).collect(),
                include_synonyms: options.synonyms,
                include_documentation: options.documentation,
            })
        };
        let read = |at: &At, response: DescribeConfigsResponse, wanted: &[&ConfigKeys]| {
            wanted.iter().map(|wanted| described(at, &response, &wanted.resource)).collect()
        };
        self.ask_resources(call, wanted, |wanted| &wanted.resource, request, read).await
    }

    /// Asks for resources at the brokers that know them; those that nobody can know are told at once.
    pub(super) async fn ask_resources<K, R: crate::protocol::Request, V>(
        &self,
        call: Call,
        wanted: Vec<K>,
        resource: impl Fn(&K) -> &ConfigResource,
        request: impl Fn(&At, &[&K]) -> Result<R>,
        read: impl Fn(&At, R::Response, &[&K]) -> Vec<Result<V>>,
    ) -> Results<K, V> {
        let mut items = Vec::new();
        // In the order asked: an error here, or the place of an item.
        let mut order = Vec::new();
        for wanted in wanted {
            match resource(&wanted).route(self) {
                Ok(route) => {
                    order.push(None);
                    items.push(Item::new(route, wanted));
                }
                Err(error) => order.push(Some((wanted, Err(error)))),
            }
        }
        let mut results = self.ask(call, items, request, read).await.into_iter().map(|(key, result)| {
            let result = result.map_err(|error| of_resource(error, resource(&key)));
            (key, result)
        });
        order.into_iter().filter_map(|failed| failed.or_else(|| results.next())).collect()
    }
}

fn described(
    at: &At,
    response: &DescribeConfigsResponse,
    resource: &ConfigResource,
) -> Result<ResourceConfigs> {
    let answer = response.results.iter().find(|answer| {
        answer.resource_type == resource.resource_type.code() && answer.resource_name == resource.name
    });
    let answer = answer.ok_or_else(|| unanswered(DESCRIBE))?;
    verdict(answer.error_code, answer.error_message.as_deref(), DESCRIBE)?;
    let entry = |config: &DescribeConfigsResourceResult| {
        let synonyms = config.synonyms.iter().map(|synonym| ConfigSynonym {
            name: synonym.name.clone(),
            value: synonym.value.clone(),
            source: ConfigSource::from_code(synonym.source),
        });
        let entry = ConfigEntry {
            value: config.value.clone(),
            source: if at.version == 0 {
                source_of_old(config.is_default, resource.resource_type)
            } else {
                ConfigSource::from_code(config.config_source)
            },
            is_read_only: config.read_only,
            is_sensitive: config.is_sensitive,
            config_type: ConfigType::from_code(config.config_type),
            synonyms: synonyms.collect(),
            documentation: config.documentation.clone(),
        };
        (config.name.clone(), entry)
    };
    Ok(answer.configs.iter().map(entry).collect())
}

/// Brokers before 1.1 tell only whether it is the default.
fn source_of_old(is_default: bool, resource_type: ConfigResourceType) -> ConfigSource {
    match resource_type {
        _ if is_default => ConfigSource::DefaultConfig,
        ConfigResourceType::Topic => ConfigSource::DynamicTopicConfig,
        _ => ConfigSource::StaticBrokerConfig,
    }
}

const DESCRIBE: &str = "describe configs";

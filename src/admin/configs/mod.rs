//! The options of topics, brokers, loggers, groups and client metrics subscriptions.
//!
//! ```
//! use kavka::admin::{ConfigResource, KafkaAdminClient};
//! # let cluster = kavka::mock::MockCluster::builder().topic("orders", 1).start()?;
//! # let servers = cluster.bootstrap_servers();
//!
//! let admin = KafkaAdminClient::builder().bootstrap_servers(servers).build()?;
//! let orders = ConfigResource::topic("orders");
//! let change = orders.clone().set("retention.ms", "3600000").append("cleanup.policy", "compact");
//! for (_, result) in admin.alter_configs([change])? {
//!     result?;
//! }
//! for (resource, options) in admin.describe_configs([orders.clone().keys(["retention.ms"])])? {
//!     let options = options?;
//!     println!("{resource}: retention.ms is {:?}", options["retention.ms"].value);
//! }
//! admin.reset_configs([orders])?;
//! # Ok::<(), kavka::Error>(())
//! ```

mod alter;
mod describe;
mod old;
mod reset;
mod resources;

use std::fmt;

pub use alter::{AlterConfigOp, ConfigChanges};
pub use describe::{ConfigEntry, ConfigSynonym, DescribeConfigsOptions, ResourceConfigs};

use super::words::code_enum;
use super::{Admin, Route};
use crate::error::{Error, ErrorKind, Result};

code_enum! {
    /// What has options.
    ConfigResourceType {
        /// A topic.
        Topic = 2 "TOPIC",
        /// A broker, or with an empty name all of them.
        Broker = 4 "BROKER",
        /// The levels of a broker's loggers (KIP-412).
        BrokerLogger = 8 "BROKER_LOGGER",
        /// A subscription to the metrics of clients (KIP-714).
        ClientMetrics = 16 "CLIENT_METRICS",
        /// A group (KIP-848).
        Group = 32 "GROUP",
    }

    /// Where a value comes from, the strongest first. kafka-python's `ConfigSourceType`.
    ConfigSource {
        /// Set for the topic.
        DynamicTopicConfig = 1 "DYNAMIC_TOPIC_CONFIG",
        /// Set for this broker while it runs.
        DynamicBrokerConfig = 2 "DYNAMIC_BROKER_CONFIG",
        /// Set for all brokers while they run.
        DynamicDefaultBrokerConfig = 3 "DYNAMIC_DEFAULT_BROKER_CONFIG",
        /// From the broker's properties file.
        StaticBrokerConfig = 4 "STATIC_BROKER_CONFIG",
        /// Nobody has set it.
        DefaultConfig = 5 "DEFAULT_CONFIG",
        /// Set for one of the broker's loggers.
        DynamicBrokerLoggerConfig = 6 "DYNAMIC_BROKER_LOGGER_CONFIG",
        /// Set for the subscription.
        DynamicClientMetricsConfig = 7 "DYNAMIC_CLIENT_METRICS_CONFIG",
        /// Set for the group.
        DynamicGroupConfig = 8 "DYNAMIC_GROUP_CONFIG",
    }

    /// What kind of value an option has.
    ConfigType {
        /// `true` or `false`.
        Boolean = 1 "BOOLEAN",
        /// Text.
        String = 2 "STRING",
        /// A number of 32 bits.
        Int = 3 "INT",
        /// A number of 16 bits.
        Short = 4 "SHORT",
        /// A number of 64 bits.
        Long = 5 "LONG",
        /// A number with a fraction.
        Double = 6 "DOUBLE",
        /// Words with commas between them.
        List = 7 "LIST",
        /// The name of a Java class.
        Class = 8 "CLASS",
        /// A secret, which brokers do not tell.
        Password = 9 "PASSWORD",
    }
}

impl ConfigSource {
    /// Whether the value was set for the very resource, rather than inherited. kafka-python's `is_modified`.
    pub fn is_modified(self) -> bool {
        !matches!(self, Self::DefaultConfig | Self::StaticBrokerConfig | Self::DynamicDefaultBrokerConfig)
    }

    /// Whether the value was set while the brokers run, and can be taken back likewise.
    pub fn is_dynamic(self) -> bool {
        !matches!(self, Self::DefaultConfig | Self::StaticBrokerConfig)
    }
}

/// Something that has options.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConfigResource {
    /// What it is.
    pub resource_type: ConfigResourceType,
    /// Which one: the topic's name, the broker's id, the name of the group or subscription.
    pub name: String,
}

impl ConfigResource {
    /// A thing of a type.
    pub fn new(resource_type: ConfigResourceType, name: impl Into<String>) -> Self {
        Self { resource_type, name: name.into() }
    }

    /// A topic.
    pub fn topic(name: impl Into<String>) -> Self {
        Self::new(ConfigResourceType::Topic, name)
    }

    /// A broker; with `bootstrap.controllers` also a controller.
    pub fn broker(id: i32) -> Self {
        Self::new(ConfigResourceType::Broker, id.to_string())
    }

    /// What holds for all brokers that have nothing else set.
    pub fn all_brokers() -> Self {
        Self::new(ConfigResourceType::Broker, "")
    }

    /// The loggers of a broker (Kafka 2.4).
    pub fn broker_logger(id: i32) -> Self {
        Self::new(ConfigResourceType::BrokerLogger, id.to_string())
    }

    /// A subscription to the metrics of clients (Kafka 3.7).
    pub fn client_metrics(name: impl Into<String>) -> Self {
        Self::new(ConfigResourceType::ClientMetrics, name)
    }

    /// A group (Kafka 4.0).
    pub fn group(name: impl Into<String>) -> Self {
        Self::new(ConfigResourceType::Group, name)
    }

    /// Only these of its options.
    #[must_use]
    pub fn keys(self, keys: impl IntoIterator<Item = impl Into<String>>) -> ConfigKeys {
        ConfigKeys { resource: self, keys: Some(keys.into_iter().map(Into::into).collect()) }
    }

    /// A change that sets an option.
    #[must_use]
    pub fn set(self, key: impl Into<String>, value: impl Into<String>) -> ConfigChanges {
        ConfigChanges::new(self).set(key, value)
    }

    /// A change that takes the value of an option back.
    #[must_use]
    pub fn delete(self, key: impl Into<String>) -> ConfigChanges {
        ConfigChanges::new(self).delete(key)
    }

    /// A change that adds words to an option that is a list.
    #[must_use]
    pub fn append(self, key: impl Into<String>, words: impl Into<String>) -> ConfigChanges {
        ConfigChanges::new(self).append(key, words)
    }

    /// A change that takes words from an option that is a list.
    #[must_use]
    pub fn subtract(self, key: impl Into<String>, words: impl Into<String>) -> ConfigChanges {
        ConfigChanges::new(self).subtract(key, words)
    }

    /// Whether a value from this source was set for the resource itself, and is its own to change and take back.
    fn has_set(&self, source: ConfigSource) -> bool {
        // What holds for all brokers was set for all of them, which is a resource like any other.
        let is_all_brokers = self.resource_type == ConfigResourceType::Broker && self.name.is_empty();
        source.is_modified() || (is_all_brokers && source == ConfigSource::DynamicDefaultBrokerConfig)
    }

    /// Who answers for it: brokers know their own options, the others all brokers.
    fn route(&self, admin: &Admin) -> Result<Route> {
        let own = matches!(self.resource_type, ConfigResourceType::Broker | ConfigResourceType::BrokerLogger);
        if !own || (self.name.is_empty() && self.resource_type == ConfigResourceType::Broker) {
            return Ok(Route::Any);
        }
        let id = self.name.parse().map_err(|_| {
            let text = format!("{self}: a broker is named by its id, a number");
            Error::new(ErrorKind::InvalidArgument, text)
        })?;
        if admin.to_controllers() && admin.cluster.snapshot().broker(id).is_none() {
            // The active controller speaks for the brokers.
            return Ok(Route::Controller);
        }
        Ok(Route::Broker(id))
    }
}

impl fmt::Display for ConfigResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.resource_type.to_string().to_lowercase().replace('_', " ");
        match self.name.as_str() {
            "" => write!(f, "all {kind}s"),
            name => write!(f, "{kind} {name}"),
        }
    }
}

/// A resource, and which of its options are meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConfigKeys {
    resource: ConfigResource,
    /// `None` for all.
    keys: Option<Vec<String>>,
}

impl From<ConfigResource> for ConfigKeys {
    fn from(resource: ConfigResource) -> Self {
        Self { resource, keys: None }
    }
}

/// Names the resource in an error.
fn of_resource(error: Error, resource: &ConfigResource) -> Error {
    match resource.resource_type {
        ConfigResourceType::Topic => error.with_topic(&resource.name),
        _ => error.context(resource),
    }
}

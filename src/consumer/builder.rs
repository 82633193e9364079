//! How a consumer is made.

use std::sync::Arc;

use super::KafkaConsumer;
use super::core::Core;
use super::event::{Events, Shared};
use super::io::ConsumerIo;
use crate::cluster::{Cluster, ClusterMetadata};
use crate::config::tables::*;
use crate::config::{Client, ConsumerConfig, Faults};
use crate::error::Result;
use crate::metrics::Registry;
use crate::net::bridge::IoThread;
use crate::net::chain::{self, network_methods};
use crate::net::clock::Clock;
use crate::net::manager::Manager;
use crate::serializer::DefaultSerializer;

/// Options of a consumer, by methods or by Kafka's property names; see [`KafkaConsumer::builder`].
#[must_use = "nothing is connected before build()"]
pub struct ConsumerBuilder<K = DefaultSerializer, V = DefaultSerializer> {
    config: ConsumerConfig,
    faults: Faults,
    key_deserializer: K,
    value_deserializer: V,
}

impl Default for ConsumerBuilder {
    fn default() -> Self {
        Self {
            config: ConsumerConfig::default(),
            faults: Faults::default(),
            key_deserializer: DefaultSerializer,
            value_deserializer: DefaultSerializer,
        }
    }
}

impl<K, V> ConsumerBuilder<K, V> {
    common_options!(builder_methods!(CommonConfig));
    consumer_options!(builder_methods!(ConsumerConfig));
    string_methods!();
    network_methods!();

    /// Makes keys of bytes. Defaults to [`DefaultSerializer`], which leaves them as they are.
    pub fn key_deserializer<D>(self, key_deserializer: D) -> ConsumerBuilder<D, V> {
        let Self { config, faults, value_deserializer, .. } = self;
        ConsumerBuilder { config, faults, key_deserializer, value_deserializer }
    }

    /// Makes values of bytes. Defaults to [`DefaultSerializer`], which leaves them as they are.
    pub fn value_deserializer<D>(self, value_deserializer: D) -> ConsumerBuilder<K, D> {
        let Self { config, faults, key_deserializer, .. } = self;
        ConsumerBuilder { config, faults, key_deserializer, value_deserializer }
    }

    /// Starts the consumer's IO thread. Connects when the first call needs it.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration), with every fault of the options at once.
    pub fn build(mut self) -> Result<KafkaConsumer<K, V>> {
        let connector = chain::prepare(&self.config.common, &mut self.faults);
        let config = self.config.finish(self.faults)?;
        let clock = Clock::system();
        let view = ClusterMetadata::default();
        let shared = Arc::<Shared>::default();
        let (sender, inbox) = crossbeam_channel::unbounded();
        let events = Events::new(sender, Arc::clone(&shared));
        let metrics = Registry::for_client(Client::Consumer, &config.common);
        let name = format!("kavka-io-{}", config.common.client_id);
        let io = IoThread::start(name, clock, {
            let (config, view, metrics) = (config.clone(), view.clone(), metrics.clone());
            move |net| {
                let manager =
                    Manager::with_connector(net, &config.common, &config.common.client_id, connector);
                manager.report_to(&metrics);
                let cluster = Cluster::new(manager, &config.common, config.allow_auto_create_topics, view)?;
                Ok(ConsumerIo::start(cluster, config, events))
            }
        })?;
        Ok(KafkaConsumer {
            core: Core::new(config, clock, view, metrics, io, shared, inbox),
            key_deserializer: self.key_deserializer,
            value_deserializer: self.value_deserializer,
        })
    }
}

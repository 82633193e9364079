//! How a consumer is made.

use std::collections::HashMap;
use std::sync::Arc;

use super::KafkaConsumer;
use super::commits::OnCommit;
use super::core::{Core, OnReset};
use super::event::{Events, Shared};
use super::group::sensors::GroupMeter;
use super::interceptor::{ConsumerInterceptor, Interceptors};
use super::io::ConsumerIo;
use super::reset::PositionReset;
use super::sensors::Sensors;
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
use crate::types::{OffsetAndMetadata, TopicPartition};

/// Options of a consumer, by methods or by Kafka's property names; see [`KafkaConsumer::builder`].
#[must_use = "nothing is connected before build()"]
pub struct ConsumerBuilder<K = DefaultSerializer, V = DefaultSerializer> {
    config: ConsumerConfig,
    faults: Faults,
    key_deserializer: K,
    value_deserializer: V,
    on_reset: Option<OnReset>,
    on_commit: Option<OnCommit>,
    interceptors: Interceptors,
}

impl Default for ConsumerBuilder {
    fn default() -> Self {
        Self {
            config: ConsumerConfig::default(),
            faults: Faults::default(),
            key_deserializer: DefaultSerializer,
            value_deserializer: DefaultSerializer,
            on_reset: None,
            on_commit: None,
            interceptors: Interceptors::default(),
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
        let Self { config, faults, value_deserializer, on_reset, on_commit, interceptors, .. } = self;
        ConsumerBuilder {
            config,
            faults,
            key_deserializer,
            value_deserializer,
            on_reset,
            on_commit,
            interceptors,
        }
    }

    /// Makes values of bytes. Defaults to [`DefaultSerializer`], which leaves them as they are.
    pub fn value_deserializer<D>(self, value_deserializer: D) -> ConsumerBuilder<K, D> {
        let Self { config, faults, key_deserializer, on_reset, on_commit, interceptors, .. } = self;
        ConsumerBuilder {
            config,
            faults,
            key_deserializer,
            value_deserializer,
            on_reset,
            on_commit,
            interceptors,
        }
    }

    /// Adds code that sees each record before it is deserialized, and each commit (KIP-42). Those that were added first
    /// have the first turn.
    pub fn interceptor(mut self, interceptor: impl ConsumerInterceptor + 'static) -> Self {
        self.interceptors.add(interceptor);
        self
    }

    /// Is told of every position that moves without the program: for lack of a committed offset, because the log
    /// has lost it, because the topic was created anew. It runs inside `poll()`, on the thread that calls it.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use kavka::config::AutoOffsetReset;
    /// # use kavka::{KafkaConsumer, TopicPartition};
    /// # let cluster = kavka::mock::MockCluster::builder().topic("orders", 1).start()?;
    /// # cluster.append("orders", 0, [("1", "a"), ("2", "b")])?;
    /// # let servers = cluster.bootstrap_servers();
    /// let mut consumer = KafkaConsumer::builder()
    ///     .bootstrap_servers(servers)
    ///     .auto_offset_reset(AutoOffsetReset::Earliest)
    ///     .on_position_reset(|reset| eprintln!("{reset}"))
    ///     .build()?;
    /// consumer.assign([TopicPartition::new("orders", 0)])?;
    /// consumer.seek(&TopicPartition::new("orders", 0), 5000)?;
    /// // Prints "orders-0: the position is not in the log: from 5000 to 0".
    /// assert_eq!(consumer.poll(Duration::from_secs(10))?.len(), 2);
    /// # Ok::<(), kavka::Error>(())
    /// ```
    pub fn on_position_reset(mut self, tell: impl FnMut(&PositionReset) + Send + 'static) -> Self {
        self.on_reset = Some(Box::new(tell));
        self
    }

    /// Is told of the outcome of every commit that is not waited for and has no callback of its own: the automatic
    /// ones, those before a rebalance and before a close included, and
    /// [`commit_async`](KafkaConsumer::commit_async). It runs on the thread that calls `poll()` or `close()`. Without
    /// it, failures are logged.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use kavka::KafkaConsumer;
    /// # let cluster = kavka::mock::MockCluster::builder().topic("orders", 1).start()?;
    /// # let servers = cluster.bootstrap_servers();
    /// let mut consumer = KafkaConsumer::builder()
    ///     .bootstrap_servers(servers)
    ///     .group_id("billing")
    ///     .default_offset_commit_callback(|offsets, outcome| match outcome {
    ///         Ok(()) => println!("committed {offsets:?}"),
    ///         Err(error) => eprintln!("{error}"),
    ///     })
    ///     .build()?;
    /// # consumer.subscribe(["orders"])?;
    /// # consumer.poll(Duration::from_millis(100))?;
    /// # Ok::<(), kavka::Error>(())
    /// ```
    pub fn default_offset_commit_callback(
        mut self,
        tell: impl FnMut(&HashMap<TopicPartition, OffsetAndMetadata>, Result<()>) + Send + 'static,
    ) -> Self {
        self.on_commit = Some(Box::new(tell));
        self
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
        let metrics = Registry::for_client(Client::Consumer, &config.common);
        // Without a group there is nothing to measure of one.
        let meter = config.group_id.as_ref().map(|_| GroupMeter::new(&metrics)).unwrap_or_default();
        let shared = Arc::new(Shared::new(meter));
        let (sender, inbox) = crossbeam_channel::unbounded();
        let events = Events::new(sender, Arc::clone(&shared));
        let sensors = Sensors::new(&metrics, clock);
        let name = format!("kavka-io-{}", config.common.client_id);
        let io = IoThread::start(name, clock, {
            let (config, view, sensors) = (config.clone(), view.clone(), sensors.clone());
            move |net| {
                let manager =
                    Manager::with_connector(net, &config.common, &config.common.client_id, connector);
                manager.report_to(sensors.registry());
                let cluster = Cluster::new(manager, &config.common, config.allow_auto_create_topics, view)?;
                Ok(ConsumerIo::start(cluster, config, events, &sensors))
            }
        })?;
        let mut core = Core::new(config, clock, view, sensors, io, shared, inbox);
        (core.on_reset, core.interceptors) = (self.on_reset, self.interceptors);
        core.commits.default_callback = self.on_commit;
        Ok(KafkaConsumer {
            core,
            key_deserializer: self.key_deserializer,
            value_deserializer: self.value_deserializer,
        })
    }
}

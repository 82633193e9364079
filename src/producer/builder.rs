//! How a producer is made.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64};

use super::accumulator::{Accumulator, Choice};
use super::interceptor::{Interceptors, ProducerInterceptor};
use super::memory::Memory;
use super::partitioner::{self, Partitioner};
use super::sender::Sender;
use super::sensors::Sensors;
use super::transaction::TransactionGate;
use super::{KafkaProducer, Shared};
use crate::cluster::{Cluster, ClusterMetadata};
use crate::config::tables::*;
use crate::config::{Client, CompressionType, Faults, PartitionerClass, ProducerConfig};
use crate::error::Result;
use crate::metrics::Registry;
use crate::net::bridge::IoThread;
use crate::net::chain::{self, network_methods};
use crate::net::clock::Clock;
use crate::net::manager::Manager;
use crate::net::wakeup::Wakeup;
use crate::record::{Codec, Compression};
use crate::serializer::DefaultSerializer;

/// Options of a producer, by methods or by Kafka's property names; see [`KafkaProducer::builder`].
#[must_use = "nothing is connected before build()"]
pub struct ProducerBuilder<K = DefaultSerializer, V = DefaultSerializer> {
    config: ProducerConfig,
    faults: Faults,
    key_serializer: K,
    value_serializer: V,
    partitioner: Option<Box<dyn Partitioner>>,
    interceptors: Vec<Box<dyn ProducerInterceptor>>,
}

impl Default for ProducerBuilder {
    fn default() -> Self {
        Self {
            config: ProducerConfig::default(),
            faults: Faults::default(),
            key_serializer: DefaultSerializer,
            value_serializer: DefaultSerializer,
            partitioner: None,
            interceptors: Vec::new(),
        }
    }
}

impl<K, V> ProducerBuilder<K, V> {
    common_options!(builder_methods!(CommonConfig));
    producer_options!(builder_methods!(ProducerConfig));
    string_methods!();
    network_methods!();

    /// Makes bytes of keys. Defaults to [`DefaultSerializer`].
    pub fn key_serializer<S>(self, key_serializer: S) -> ProducerBuilder<S, V> {
        let Self { config, faults, value_serializer, partitioner, interceptors, .. } = self;
        ProducerBuilder { config, faults, key_serializer, value_serializer, partitioner, interceptors }
    }

    /// Makes bytes of values. Defaults to [`DefaultSerializer`].
    pub fn value_serializer<S>(self, value_serializer: S) -> ProducerBuilder<K, S> {
        let Self { config, faults, key_serializer, partitioner, interceptors, .. } = self;
        ProducerBuilder { config, faults, key_serializer, value_serializer, partitioner, interceptors }
    }

    /// Chooses partitions in a way of the program's own. Defaults to what `partitioner_class` says.
    pub fn partitioner(mut self, partitioner: impl Partitioner + 'static) -> Self {
        self.partitioner = Some(Box::new(partitioner));
        self
    }

    /// Adds an interceptor, behind those that were added before. Kafka's option `interceptor.classes` names classes
    /// of the JVM; here it is a value of the program's own. Defaults to none.
    pub fn interceptor(mut self, interceptor: impl ProducerInterceptor + 'static) -> Self {
        self.interceptors.push(Box::new(interceptor));
        self
    }

    /// Starts the producer's IO thread. Connects when the first record needs it.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration), with every fault of the options at once.
    pub fn build(mut self) -> Result<KafkaProducer<K, V>> {
        let connector = chain::prepare(&self.config.common, &mut self.faults);
        if self.partitioner.is_some() && self.config.is_explicit("partitioner_class") {
            self.faults.push(format!(
                "partitioner.class ({}) and a partitioner of the program's own",
                self.config.partitioner_class
            ));
        }
        let config = self.config.finish(self.faults)?;
        let compression = compression(&config)?;
        compression.check_available()?;
        let clock = Clock::system();
        let view = ClusterMetadata::default();
        let memory = Memory::new(config.buffer_memory, config.batch_size);
        let registry = Registry::for_client(Client::Producer, &config.common);
        let accumulator = Arc::new(Accumulator::new(
            clock,
            config.batch_size.max(1),
            compression,
            memory,
            Wakeup::new(),
            Choice {
                by_load: config.partitioner_adaptive_partitioning_enable,
                patience: config.partitioner_availability_timeout,
            },
            Sensors::new(&registry),
        ));
        accumulator.sensors().watch(&accumulator, &view);
        let transaction = config.transactional_id.is_some().then(TransactionGate::new);
        let name = format!("kavka-io-{}", config.common.client_id);
        let io = IoThread::start(name, clock, {
            let (config, view, accumulator) = (config.clone(), view.clone(), Arc::clone(&accumulator));
            let transaction = transaction.clone();
            move |net| {
                let manager =
                    Manager::with_connector(net, &config.common, &config.common.client_id, connector);
                manager.report_to(&accumulator.sensors().registry);
                let cluster = Cluster::new(manager, &config.common, config.allow_auto_create_topics, view)?;
                Ok(Sender::start(cluster, accumulator, config, transaction.as_ref()))
            }
        })?;
        let partitioner = self.partitioner.or_else(|| partitioner::named(config.partitioner_class));
        let ignore_keys =
            config.partitioner_ignore_keys || config.partitioner_class == PartitionerClass::UniformSticky;
        let shared = Shared {
            config,
            clock,
            view,
            accumulator,
            transaction,
            io,
            ignore_keys,
            closed: AtomicBool::new(false),
            process_seen: AtomicI64::new(i64::MIN),
        };
        Ok(KafkaProducer {
            shared,
            key_serializer: self.key_serializer,
            value_serializer: self.value_serializer,
            partitioner,
            interceptors: Interceptors::new(self.interceptors),
        })
    }
}

fn compression(config: &ProducerConfig) -> Result<Compression> {
    let with_level = |codec, level, name| {
        if config.is_explicit(name) {
            Compression::with_level(codec, level)
        } else {
            Ok(Compression::new(codec))
        }
    };
    match config.compression_type {
        CompressionType::None => Ok(Compression::NONE),
        CompressionType::Gzip => {
            with_level(Codec::Gzip, config.compression_gzip_level, "compression_gzip_level")
        }
        CompressionType::Snappy => Ok(Compression::new(Codec::Snappy)),
        CompressionType::Lz4 => with_level(Codec::Lz4, config.compression_lz4_level, "compression_lz4_level"),
        CompressionType::Zstd => {
            with_level(Codec::Zstd, config.compression_zstd_level, "compression_zstd_level")
        }
    }
}

//! A blocking Apache Kafka client: for synchronous programs, threads, and plain `for` loops.
//!
//! Three clients share one networking layer. Each owns one IO thread; nothing needs an async runtime.
//!
//! - [`KafkaProducer`] sends records: [`send`](KafkaProducer::send) returns a handle to wait on, or to drop.
//! - [`KafkaConsumer`] reads records, alone or in a group: poll for batches, or iterate.
//! - [`KafkaAdminClient`] manages a cluster: topics, options, groups, access and all else; [`admin`] has a page for
//!   each noun.
//!
//! ```
//! use std::time::Duration;
//! use kavka::config::AutoOffsetReset;
//! use kavka::{KafkaConsumer, KafkaProducer, ProducerRecord};
//! # let cluster = kavka::mock::MockCluster::builder().topic("orders", 3).start()?;
//! # let servers = cluster.bootstrap_servers();
//!
//! let producer = KafkaProducer::builder().bootstrap_servers(servers.as_str()).build()?;
//! let ack = producer.send(ProducerRecord::new("orders").key("42").value("paid"))?;
//! println!("written at {:?}", ack.get(Duration::from_secs(10))?.offset());
//!
//! let mut consumer = KafkaConsumer::builder()
//!     .bootstrap_servers(servers.as_str())
//!     .group_id("billing")
//!     .auto_offset_reset(AutoOffsetReset::Earliest)
//!     .build()?;
//! consumer.subscribe(["orders"])?;
//! for record in &mut consumer {
//!     let record = record?;
//!     println!("{} {}@{}: {:?}", record.topic(), record.partition(), record.offset(), record.value());
//!     # break;
//! }
//! consumer.close(Duration::from_secs(5))?;
//! producer.close(Duration::from_secs(5))?;
//! # Ok::<(), kavka::Error>(())
//! ```
//!
//! # Where to look
//!
//! | for | see |
//! |---|---|
//! | options, by method or by Kafka's property names | [`config`] |
//! | what can go wrong, and what to do about it | [`Error`], [`ErrorKind`] |
//! | keys and values of other types than bytes and text | [`serializer`] |
//! | what a client counts and measures, and a text for Prometheus | [`metrics`] |
//! | a Kafka cluster inside a test | [`mock`] (feature `mock`) |
//! | what is known of the cluster | [`cluster::ClusterMetadata`] |
//! | a client of your own | [`net`], [`protocol`], [`record`] |
//!
//! Names and semantics are kafka-python's and Kafka's own; where the two differ, the item says which was taken.
#![forbid(unsafe_code)]
#![cfg_attr(not(feature = "mock"), allow(rustdoc::broken_intra_doc_links, reason = "`mock` is a feature"))]

#[cfg(all(doctest, not(feature = "mock")))]
compile_error!("the examples in the documentation run on MockCluster: cargo test --features mock");

pub mod admin;
pub mod cluster;
pub mod config;
pub mod consumer;
pub mod error;
pub mod error_code;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;
pub mod metrics;
#[cfg(feature = "mock")]
pub mod mock;
pub mod net;
pub mod producer;
pub mod protocol;
pub mod record;
pub mod serializer;
pub mod types;

pub use admin::KafkaAdminClient;
pub use consumer::{
    ConsumerRebalanceListener, ConsumerRecord, ConsumerRecords, ConsumerWaker, KafkaConsumer,
};
pub use error::{Error, ErrorKind, Result};
pub use error_code::ErrorCode;
pub use producer::{FutureRecordMetadata, KafkaProducer, ProducerRecord, RecordMetadata, Transaction};
pub use types::{
    ConsumerGroupMetadata, Header, Headers, IsolationLevel, OffsetAndMetadata, OffsetAndTimestamp,
    OffsetSpec, TopicPartition,
};

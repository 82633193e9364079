//! A blocking Apache Kafka client.
#![forbid(unsafe_code)]

pub mod admin;
pub mod cluster;
pub mod config;
pub mod consumer;
pub mod error;
pub mod error_code;
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
pub use producer::{FutureRecordMetadata, KafkaProducer, ProducerRecord, RecordMetadata};
pub use types::TopicPartition;

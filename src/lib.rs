//! A blocking Apache Kafka client.
#![forbid(unsafe_code)]

pub mod cluster;
pub mod config;
pub mod consumer;
pub mod error;
pub mod error_code;
pub mod net;
pub mod producer;
pub mod protocol;
pub mod record;
pub mod serializer;
pub mod types;

pub use consumer::{
    ConsumerRebalanceListener, ConsumerRecord, ConsumerRecords, ConsumerWaker, KafkaConsumer,
};
pub use error::{Error, ErrorKind, Result};
pub use error_code::ErrorCode;
pub use producer::{FutureRecordMetadata, KafkaProducer, ProducerRecord, RecordMetadata};
pub use types::TopicPartition;

//! Log directories: where brokers keep partitions, and how much room there is.
//!
//! The mock cluster keeps nothing on disk, so this runs on a real one:
//!
//! ```no_run
//! use kavka::admin::{KafkaAdminClient, TopicPartitionReplica};
//!
//! let admin = KafkaAdminClient::builder().bootstrap_servers("localhost:9092").build()?;
//! for (broker, dirs) in admin.describe_log_dirs(None, None)? {
//!     for dir in dirs? {
//!         println!("broker {broker}: {} has {} replicas", dir.path, dir.replicas.len());
//!     }
//! }
//! let replica = TopicPartitionReplica::new("orders", 0, 1);
//! for (replica, result) in admin.alter_replica_log_dirs([(replica, "/data/2")])? {
//!     println!("{replica}: {result:?}");
//! }
//! # Ok::<(), kavka::Error>(())
//! ```

mod alter;
mod describe;
mod replicas;

pub use describe::{LogDir, LogDirReplica};
pub use replicas::{ReplicaLogDirs, ReplicaPlace};

use std::fmt;
use std::sync::Arc;

use crate::types::TopicPartition;

/// A replica: a partition on a broker.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartitionReplica {
    /// The partition.
    pub partition: TopicPartition,
    /// The broker's id.
    pub broker_id: i32,
}

impl TopicPartitionReplica {
    /// The replica of a partition on a broker.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32, broker_id: i32) -> Self {
        Self { partition: TopicPartition::new(topic, partition), broker_id }
    }
}

impl fmt::Display for TopicPartitionReplica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on broker {}", self.partition, self.broker_id)
    }
}

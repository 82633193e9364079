//! Partitions: more of them, their leaders, where they are, and which records they have.
//!
//! ```
//! use kavka::admin::{ElectionType, KafkaAdminClient, NewPartitions, RecordsToDelete};
//! use kavka::config::IsolationLevel;
//! use kavka::OffsetSpec;
//! # let cluster = kavka::mock::MockCluster::builder().topic("orders", 2).start()?;
//! # let servers = cluster.bootstrap_servers();
//!
//! let admin = KafkaAdminClient::builder().bootstrap_servers(servers).build()?;
//! admin.create_partitions([NewPartitions::new("orders", 4)])?;
//! admin.wait_for_topics(["orders"], std::time::Duration::from_secs(10))?;
//! let ends = admin.list_partition_offsets([(("orders", 3), OffsetSpec::Latest)], IsolationLevel::ReadUncommitted)?;
//! for (partition, offset) in ends {
//!     println!("{partition} ends at {:?}", offset?.offset);
//! }
//! for (partition, start) in admin.delete_records([(("orders", 0), RecordsToDelete::All)])? {
//!     println!("{partition} begins at {}", start?);
//! }
//! admin.elect_leaders(ElectionType::Preferred, None)?;
//! # Ok::<(), kavka::Error>(())
//! ```

mod create;
mod elections;
mod offsets;
mod reassignments;
mod records;

pub use create::NewPartitions;
pub use elections::{Election, ElectionType};
pub use offsets::PartitionOffset;
pub use reassignments::PartitionReassignment;
pub use records::RecordsToDelete;

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::types::TopicPartition;

/// Partitions by their topics, as most requests want them.
pub(super) fn by_topic<'a, T>(
    partitions: impl IntoIterator<Item = (&'a TopicPartition, T)>,
) -> BTreeMap<&'a str, Vec<(i32, T)>> {
    let mut topics: BTreeMap<&str, Vec<(i32, T)>> = BTreeMap::new();
    for (partition, value) in partitions {
        topics.entry(partition.topic()).or_default().push((partition.partition(), value));
    }
    topics
}

/// Names the partition in the error of its result.
pub(super) fn name<T>((partition, result): (TopicPartition, Result<T>)) -> (TopicPartition, Result<T>) {
    let result = result.map_err(|error| of_partition(error, &partition));
    (partition, result)
}

pub(super) fn of_partition(error: Error, partition: &TopicPartition) -> Error {
    error.with_topic(partition.topic()).with_partition(partition.partition())
}

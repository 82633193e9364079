//! Offsets of groups: list, alter, reset and delete them.
//!
//! Groups of consumers of both protocols, and of Kafka Streams, commit offsets in the same way, so that the same
//! calls are for all of them; Java has a set of names for each. Share groups keep their place in another way, see
//! [`list_share_group_offsets`](super::KafkaAdminClient::list_share_group_offsets).
//!
//! To change offsets, stop the group's consumers first: brokers refuse while it has members.
//!
//! ```
//! use kavka::admin::OffsetReset;
//! use kavka::{KafkaAdminClient, OffsetSpec};
//! # let cluster = kavka::mock::MockCluster::builder().topic("orders", 2).start()?;
//! # let servers = cluster.bootstrap_servers();
//!
//! let admin = KafkaAdminClient::builder().bootstrap_servers(servers).build()?;
//! admin.alter_group_offsets("billing", [(("orders", 0), 0), (("orders", 1), 0)])?;
//!
//! // Where would it go on if it read the last hour again?
//! let hour = OffsetReset::ByDuration(std::time::Duration::from_secs(3600));
//! for (partition, offset) in admin.plan_group_offsets("billing", [(("orders", 0), hour)])? {
//!     println!("{partition}: {}", offset?);
//! }
//! admin.reset_group_offsets("billing", [(("orders", 0), OffsetSpec::Latest)])?;
//! # Ok::<(), kavka::Error>(())
//! ```

mod alter;
mod delete;
mod list;
mod reset;
mod share;

pub use list::GroupOffsetsSpec;
pub use reset::OffsetReset;
pub use share::{ShareGroupOffset, ShareGroupOffsetsSpec};

use std::collections::HashMap;

use super::partitions::of_partition;
use super::{Item, Results, Route, unanswered};
use crate::error::Result;
use crate::types::TopicPartition;

/// Partitions of a group, each an item of its own at the group's coordinator.
fn of_group<K>(group: &str, partitions: impl IntoIterator<Item = K>) -> Vec<Item<K>> {
    partitions.into_iter().map(|one| Item::new(Route::Group(group.to_owned()), one)).collect()
}

/// What an answer says of the partitions that were asked for, in their order; of all of them, sorted, if none were
/// named. `what` was done, for the error of a partition that is left out.
fn in_order<T: Clone>(
    found: HashMap<TopicPartition, Result<T>>,
    wanted: Option<&[TopicPartition]>,
    what: &str,
) -> Results<TopicPartition, T> {
    let Some(wanted) = wanted else {
        let mut all: Results<TopicPartition, T> = found.into_iter().collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        return all;
    };
    let result = |partition: &TopicPartition| {
        let missing = || Err(of_partition(unanswered(what), partition));
        (partition.clone(), found.get(partition).cloned().unwrap_or_else(missing))
    };
    wanted.iter().map(result).collect()
}

/// The newest version of OffsetCommit and OffsetFetch that names topics; later ones have their ids.
const TOPIC_NAMES_UNTIL: i16 = 9;

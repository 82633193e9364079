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

use super::{Item, Route};

/// Partitions of a group, each an item of its own at the group's coordinator.
fn of_group<K>(group: &str, partitions: impl IntoIterator<Item = K>) -> Vec<Item<K>> {
    partitions.into_iter().map(|one| Item::new(Route::Group(group.to_owned()), one)).collect()
}

/// The newest version of OffsetCommit and OffsetFetch that names topics; later ones have their ids.
const TOPIC_NAMES_UNTIL: i16 = 9;

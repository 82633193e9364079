//! Transactions, as their coordinators and the partitions know them (KIP-664).
//!
//! A coordinator keeps the state of each transactional id; a partition keeps the producers that write to it, and where
//! their open transactions begin. A transaction that is open in a partition while its coordinator knows nothing of it
//! hangs: readers of committed records stop there for good.
//! [`find_hanging_transactions`](super::KafkaAdminClient::find_hanging_transactions) finds those, and
//! [`abort_transaction`](super::KafkaAdminClient::abort_transaction) ends them.
//!
//! ```
//! use kavka::admin::{TransactionFilter, TransactionState};
//! use kavka::{KafkaAdminClient, KafkaProducer, ProducerRecord};
//! # let cluster = kavka::mock::MockCluster::builder().topic("orders", 1).start()?;
//! # let servers = cluster.bootstrap_servers();
//!
//! let producer =
//!     KafkaProducer::builder().bootstrap_servers(&servers).transactional_id("billing-1").build()?;
//! producer.init_transactions()?;
//! producer.begin_transaction()?;
//! producer.send(ProducerRecord::new("orders").value("paid"))?.get(std::time::Duration::from_secs(10))?;
//!
//! let admin = KafkaAdminClient::builder().bootstrap_servers(&servers).build()?;
//! for (_broker, listed) in admin.list_transactions(&TransactionFilter::new().state(TransactionState::Ongoing))? {
//!     for transaction in listed? {
//!         println!("{} is open", transaction.transactional_id);
//!     }
//! }
//! for (id, described) in admin.describe_transactions(["billing-1"])? {
//!     println!("{id}: {:?}", described?.topic_partitions);
//! }
//! # producer.abort_transaction()?;
//! # Ok::<(), kavka::Error>(())
//! ```

mod abort;
mod describe;
mod fence;
mod hanging;
mod list;
mod producers;
mod state;

pub use abort::AbortTransactionSpec;
pub use describe::TransactionDescription;
pub use fence::ProducerIdAndEpoch;
pub use hanging::{HangingTransaction, HangingTransactionFilter};
pub use list::{TransactionFilter, TransactionListing};
pub use producers::ProducerState;
pub use state::TransactionState;

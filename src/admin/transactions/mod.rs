//! Transactions, as their coordinators and the partitions know them (KIP-664).
//!
//! A coordinator keeps the state of each transactional id; a partition keeps the producers that write to it, and where
//! their open transactions begin. A transaction that is open in a partition while its coordinator knows nothing of it
//! hangs: readers of committed records stop there for good.
//! [`find_hanging_transactions`](super::KafkaAdminClient::find_hanging_transactions) finds those, and
//! [`abort_transaction`](super::KafkaAdminClient::abort_transaction) ends them.

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

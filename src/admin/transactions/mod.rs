//! Transactions, as their coordinators and the partitions know them.

mod state;

pub use state::TransactionState;

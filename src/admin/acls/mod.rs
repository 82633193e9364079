//! Access control: who may do what.

mod operation;

pub use operation::{AclOperation, authorized_operations};

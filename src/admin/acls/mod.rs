//! Access control: who may do what. Needs an authorizer on the brokers.

mod create;
mod delete;
mod describe;
mod entry;
mod filter;
mod operation;

pub use entry::{Acl, AclPermissionType, PatternType, ResourcePattern, ResourceType};
pub use filter::AclFilter;
pub use operation::{AclOperation, authorized_operations};

/// The version of the three APIs that knows prefixed patterns (KIP-290).
const PATTERNS_SINCE: i16 = 1;
/// The version of the three APIs that knows users as resources (KIP-373).
const USERS_SINCE: i16 = 3;

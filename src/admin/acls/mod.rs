//! Access control: who may do what. Needs an authorizer on the brokers.
//!
//! ```
//! use kavka::KafkaAdminClient;
//! use kavka::admin::{Acl, AclFilter, AclOperation, PatternType, ResourcePattern, ResourceType};
//! # let cluster = kavka::mock::MockCluster::start()?;
//! # let servers = cluster.bootstrap_servers();
//!
//! let admin = KafkaAdminClient::builder().bootstrap_servers(servers).build()?;
//! let team = ResourcePattern::topic("orders-").prefixed();
//! admin.create_acls([
//!     Acl::allow("User:alice", AclOperation::Read, team.clone()),
//!     Acl::deny("User:*", AclOperation::Delete, team),
//! ])?;
//!
//! // Who may do what with one topic, also through prefixes and "*"?
//! let filter = AclFilter::new()
//!     .resource_type(ResourceType::Topic)
//!     .resource_name("orders-eu")
//!     .pattern_type(PatternType::Match);
//! for acl in admin.describe_acls(&filter)? {
//!     println!("{acl}");
//! }
//! # assert_eq!(admin.describe_acls(&filter)?.len(), 2);
//! # Ok::<(), kavka::Error>(())
//! ```

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

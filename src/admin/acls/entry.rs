//! An entry of access control.

use std::fmt;

use super::operation::AclOperation;
use crate::admin::words::code_enum;
use crate::error::{Error, ErrorKind, Result};

code_enum! {
    /// A kind of things that access is controlled to.
    ResourceType {
        /// In filters: every kind.
        Any = 1 "ANY",
        /// Topics.
        Topic = 2 "TOPIC",
        /// Groups of all kinds.
        Group = 3 "GROUP",
        /// The cluster as a whole.
        Cluster = 4 "CLUSTER",
        /// Transactional ids.
        TransactionalId = 5 "TRANSACTIONAL_ID",
        /// Delegation tokens, by their ids.
        DelegationToken = 6 "DELEGATION_TOKEN",
        /// Users (KIP-373), such as `User:alice`, for whom tokens are made.
        User = 7 "USER",
    }

    /// How the name of a resource is meant. kafka-python's `ACLResourcePatternType`.
    PatternType {
        /// In filters: both.
        Any = 1 "ANY",
        /// In filters: every pattern that a resource of this name falls under.
        Match = 2 "MATCH",
        /// The name itself; `*` stands for all.
        Literal = 3 "LITERAL",
        /// All names that begin like this (KIP-290). Needs Kafka 2.0.
        Prefixed = 4 "PREFIXED",
    }

    /// Whether an entry allows or denies. What is denied counts more.
    AclPermissionType {
        /// In filters: both.
        Any = 1 "ANY",
        /// It is denied.
        Deny = 2 "DENY",
        /// It is allowed.
        Allow = 3 "ALLOW",
    }
}

/// One or several resources, by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourcePattern {
    /// The kind.
    pub resource_type: ResourceType,
    /// The name, or the beginning of it.
    pub name: String,
    /// How the name is meant.
    pub pattern_type: PatternType,
}

impl ResourcePattern {
    /// The resource of this name.
    pub fn new(resource_type: ResourceType, name: impl Into<String>) -> Self {
        Self { resource_type, name: name.into(), pattern_type: PatternType::Literal }
    }

    /// A topic; `*` stands for all.
    pub fn topic(name: impl Into<String>) -> Self {
        Self::new(ResourceType::Topic, name)
    }

    /// A group; `*` stands for all.
    pub fn group(name: impl Into<String>) -> Self {
        Self::new(ResourceType::Group, name)
    }

    /// A transactional id; `*` stands for all.
    pub fn transactional_id(name: impl Into<String>) -> Self {
        Self::new(ResourceType::TransactionalId, name)
    }

    /// The cluster.
    pub fn cluster() -> Self {
        Self::new(ResourceType::Cluster, CLUSTER)
    }

    /// All resources whose names begin with the name (KIP-290).
    #[must_use]
    pub fn prefixed(mut self) -> Self {
        self.pattern_type = PatternType::Prefixed;
        self
    }
}

impl fmt::Display for ResourcePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.resource_type, self.pattern_type, self.name)
    }
}

/// An entry of access control: who, from where, may or may not do what, with what.
///
/// ```
/// use kavka::admin::{Acl, AclOperation, ResourcePattern};
///
/// let acl = Acl::allow("User:alice", AclOperation::Read, ResourcePattern::topic("orders-").prefixed());
/// assert_eq!(acl.host, "*");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Acl {
    /// With what.
    pub resource: ResourcePattern,
    /// Who, such as `User:alice`; `User:*` stands for all.
    pub principal: String,
    /// From where: an address; `*` stands for all.
    pub host: String,
    /// What.
    pub operation: AclOperation,
    /// Whether it is allowed.
    pub permission_type: AclPermissionType,
}

impl Acl {
    /// Allows something, from every host.
    pub fn allow(principal: impl Into<String>, operation: AclOperation, resource: ResourcePattern) -> Self {
        let permission_type = AclPermissionType::Allow;
        Self { resource, principal: principal.into(), host: "*".to_owned(), operation, permission_type }
    }

    /// Denies something, from every host.
    pub fn deny(principal: impl Into<String>, operation: AclOperation, resource: ResourcePattern) -> Self {
        Self { permission_type: AclPermissionType::Deny, ..Self::allow(principal, operation, resource) }
    }

    /// For this host alone: an address, since brokers look no names up.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = host.into();
        self
    }

    /// Refuses what only filters may have; brokers would answer with less words.
    pub(super) fn check(&self) -> Result<()> {
        let fault = match self {
            Self { resource, .. } if !is_concrete(resource.resource_type.code()) => "resource type",
            Self { resource, .. } if resource.name.is_empty() => "resource name",
            Self { resource, .. } if resource.pattern_type.code() < PatternType::Literal.code() => {
                "pattern type"
            }
            Self { principal, .. } if !principal.contains(':') => {
                "principal, which has to be like User:alice"
            }
            Self { host, .. } if host.is_empty() => "host",
            Self { operation, .. } if !is_concrete(operation.code()) => "operation",
            Self { permission_type, .. } if !is_concrete(permission_type.code()) => "permission type",
            _ => return Ok(()),
        };
        let text = format!("create ACL {self}: it needs a definite {fault}");
        Err(Error::new(ErrorKind::InvalidArgument, text))
    }
}

/// Whether a code is neither "unknown" nor "any".
fn is_concrete(code: i8) -> bool {
    code > 1
}

impl fmt::Display for Acl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {} on {} from {}",
            self.permission_type, self.principal, self.operation, self.resource, self.host
        )
    }
}

/// Kafka's name for the cluster as a resource.
const CLUSTER: &str = "kafka-cluster";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_definite() {
        let good = Acl::deny("User:bob", AclOperation::All, ResourcePattern::cluster()).host("10.0.0.1");
        good.check().expect("a definite entry");
        assert_eq!(good.to_string(), "DENY User:bob ALL on CLUSTER:LITERAL:kafka-cluster from 10.0.0.1");
        let with = |edit: fn(&mut Acl)| {
            let mut acl = good.clone();
            edit(&mut acl);
            acl.check().expect_err("not definite").to_string()
        };
        for (text, word) in [
            (with(|acl| acl.operation = AclOperation::Any), "operation"),
            (with(|acl| acl.permission_type = AclPermissionType::Unknown(0)), "permission type"),
            (with(|acl| acl.resource.pattern_type = PatternType::Match), "pattern type"),
            (with(|acl| acl.resource.resource_type = ResourceType::Any), "resource type"),
            (with(|acl| acl.resource.name.clear()), "resource name"),
            (with(|acl| acl.principal = "bob".to_owned()), "User:alice"),
            (with(|acl| acl.host.clear()), "host"),
        ] {
            assert!(text.contains(word), "{text}");
        }
    }
}

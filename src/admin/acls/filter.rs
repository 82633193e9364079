//! Which entries of access control are meant.

use std::fmt;

use super::entry::{Acl, AclPermissionType, PatternType, ResourceType};
use super::operation::AclOperation;
use super::{PATTERNS_SINCE, USERS_SINCE};

/// Which entries are meant: all, unless something is said.
///
/// ```
/// use kavka::admin::{AclFilter, PatternType, ResourceType};
///
/// // Everything that bears on the topic "orders", also through prefixes and "*".
/// let filter = AclFilter::new()
///     .resource_type(ResourceType::Topic)
///     .resource_name("orders")
///     .pattern_type(PatternType::Match);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AclFilter {
    pub(super) resource_type: ResourceType,
    pub(super) resource_name: Option<String>,
    pub(super) pattern_type: PatternType,
    pub(super) principal: Option<String>,
    pub(super) host: Option<String>,
    pub(super) operation: AclOperation,
    pub(super) permission_type: AclPermissionType,
}

impl AclFilter {
    /// Every entry.
    pub fn new() -> Self {
        Self {
            resource_type: ResourceType::Any,
            resource_name: None,
            pattern_type: PatternType::Any,
            principal: None,
            host: None,
            operation: AclOperation::Any,
            permission_type: AclPermissionType::Any,
        }
    }

    /// Entries for this kind of resources.
    #[must_use]
    pub fn resource_type(mut self, resource_type: ResourceType) -> Self {
        self.resource_type = resource_type;
        self
    }

    /// Entries for this name; what that means is said by [`pattern_type`](Self::pattern_type).
    #[must_use]
    pub fn resource_name(mut self, name: impl Into<String>) -> Self {
        self.resource_name = Some(name.into());
        self
    }

    /// Entries with this kind of pattern. With [`Match`](PatternType::Match) those that a resource of the name
    /// falls under.
    #[must_use]
    pub fn pattern_type(mut self, pattern_type: PatternType) -> Self {
        self.pattern_type = pattern_type;
        self
    }

    /// Entries for exactly this principal, such as `User:alice`.
    #[must_use]
    pub fn principal(mut self, principal: impl Into<String>) -> Self {
        self.principal = Some(principal.into());
        self
    }

    /// Entries for exactly this host.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Entries for this operation.
    #[must_use]
    pub fn operation(mut self, operation: AclOperation) -> Self {
        self.operation = operation;
        self
    }

    /// Entries that allow, or that deny.
    #[must_use]
    pub fn permission_type(mut self, permission_type: AclPermissionType) -> Self {
        self.permission_type = permission_type;
        self
    }

    /// The version of the APIs that can express it, and the words for what it brought.
    pub(super) fn needs(&self) -> (i16, &'static str) {
        needs(self.resource_type, self.pattern_type)
    }

    /// The pattern type for a version: the oldest has no such field, and knows literal names alone.
    pub(super) fn pattern_code(&self, version: i16) -> i8 {
        let pattern = if version < PATTERNS_SINCE { PatternType::Literal } else { self.pattern_type };
        pattern.code()
    }
}

impl Default for AclFilter {
    fn default() -> Self {
        Self::new()
    }
}

/// Just this entry.
impl From<&Acl> for AclFilter {
    fn from(acl: &Acl) -> Self {
        Self {
            resource_type: acl.resource.resource_type,
            resource_name: Some(acl.resource.name.clone()),
            pattern_type: acl.resource.pattern_type,
            principal: Some(acl.principal.clone()),
            host: Some(acl.host.clone()),
            operation: acl.operation,
            permission_type: acl.permission_type,
        }
    }
}

/// Just this entry.
impl From<Acl> for AclFilter {
    fn from(acl: Acl) -> Self {
        Self::from(&acl)
    }
}

impl fmt::Display for AclFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_any = |text: &Option<String>| text.clone().unwrap_or_else(|| "any".to_owned());
        write!(
            f,
            "{} {} {} on {}:{}:{} from {}",
            self.permission_type,
            or_any(&self.principal),
            self.operation,
            self.resource_type,
            self.pattern_type,
            or_any(&self.resource_name),
            or_any(&self.host)
        )
    }
}

/// The version that knows a kind of resource and of pattern.
pub(super) fn needs(resource_type: ResourceType, pattern_type: PatternType) -> (i16, &'static str) {
    match (resource_type, pattern_type) {
        (ResourceType::User, _) => (USERS_SINCE, "access control of users"),
        (_, PatternType::Literal | PatternType::Any) => (0, "access control"),
        _ => (PATTERNS_SINCE, "access control by prefixes"),
    }
}

//! What a cluster keeps about its clients: access control, quotas, credentials. The mock keeps it, and does not act on
//! it: whoever is denied something is served all the same.

use std::collections::{BTreeMap, BTreeSet};

/// A user, client id and so on, by type; none stands for the default.
pub(crate) type Entity = BTreeMap<String, Option<String>>;

#[derive(Debug, Default)]
pub(crate) struct Access {
    pub(crate) acls: BTreeSet<Entry>,
    pub(crate) quotas: BTreeMap<Entity, BTreeMap<String, f64>>,
    /// The iterations, by user and mechanism.
    pub(crate) credentials: BTreeMap<String, BTreeMap<i8, i32>>,
}

/// An entry of access control, in the numbers of the wire.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) resource_type: i8,
    pub(crate) pattern_type: i8,
    pub(crate) name: String,
    pub(crate) principal: String,
    pub(crate) host: String,
    pub(crate) operation: i8,
    pub(crate) permission_type: i8,
}

/// Which entries are meant; as in Kafka, 1 stands for any number and nothing for any text.
pub(crate) struct EntryFilter {
    pub(crate) resource_type: i8,
    pub(crate) pattern_type: i8,
    pub(crate) name: Option<String>,
    pub(crate) principal: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) operation: i8,
    pub(crate) permission_type: i8,
}

const ANY: i8 = 1;
/// Every pattern that a resource of the name falls under.
const MATCH: i8 = 2;
const LITERAL: i8 = 3;
const PREFIXED: i8 = 4;

impl EntryFilter {
    pub(crate) fn has(&self, entry: &Entry) -> bool {
        let number = |wanted: i8, value: i8| wanted == ANY || wanted == value;
        let text =
            |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
        number(self.resource_type, entry.resource_type)
            && self.has_name(entry)
            && text(&self.principal, &entry.principal)
            && text(&self.host, &entry.host)
            && number(self.operation, entry.operation)
            && number(self.permission_type, entry.permission_type)
    }

    fn has_name(&self, entry: &Entry) -> bool {
        let Some(name) = &self.name else {
            return matches!(self.pattern_type, ANY | MATCH) || self.pattern_type == entry.pattern_type;
        };
        match self.pattern_type {
            MATCH if entry.pattern_type == PREFIXED => name.starts_with(&entry.name),
            MATCH => entry.name == *name || entry.name == "*",
            wanted => (wanted == ANY || wanted == entry.pattern_type) && entry.name == *name,
        }
    }
}

impl Entry {
    /// Whether it says neither "any" nor "unknown".
    pub(crate) fn is_definite(&self) -> bool {
        matches!(self.pattern_type, LITERAL | PREFIXED)
            && [self.resource_type, self.operation, self.permission_type].iter().all(|code| *code > ANY)
            && !self.name.is_empty()
            && self.principal.contains(':')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_falls_under_literals_stars_and_prefixes() {
        let entry = |pattern_type, name: &str| Entry {
            resource_type: 2,
            pattern_type,
            name: name.to_owned(),
            principal: "User:a".to_owned(),
            host: "*".to_owned(),
            operation: 3,
            permission_type: 3,
        };
        let filter = |pattern_type, name: Option<&str>| EntryFilter {
            resource_type: ANY,
            pattern_type,
            name: name.map(str::to_owned),
            principal: None,
            host: None,
            operation: ANY,
            permission_type: ANY,
        };
        let entries =
            [entry(LITERAL, "orders"), entry(LITERAL, "*"), entry(PREFIXED, "ord"), entry(LITERAL, "x")];
        let found = |filter: EntryFilter| entries.iter().map(|entry| filter.has(entry)).collect::<Vec<_>>();
        assert_eq!(found(filter(MATCH, Some("orders"))), [true, true, true, false]);
        assert_eq!(found(filter(LITERAL, Some("orders"))), [true, false, false, false]);
        assert_eq!(found(filter(PREFIXED, None)), [false, false, true, false]);
        assert_eq!(found(filter(ANY, Some("ord"))), [false, false, true, false]);
        assert_eq!(found(filter(ANY, None)), [true; 4]);
    }
}

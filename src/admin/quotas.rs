//! Quotas of clients (KIP-546): how many bytes and requests users, client ids and addresses may send.
//!
//! ```
//! use kavka::KafkaAdminClient;
//! use kavka::admin::{ClientQuotaAlteration, ClientQuotaEntity, ClientQuotaFilter};
//! # let cluster = kavka::mock::MockCluster::start()?;
//! # let servers = cluster.bootstrap_servers();
//!
//! let admin = KafkaAdminClient::builder().bootstrap_servers(servers).build()?;
//! admin.alter_client_quotas([
//!     ClientQuotaAlteration::new(ClientQuotaEntity::default_user()).set("producer_byte_rate", 1_000_000.0),
//!     ClientQuotaAlteration::new(ClientQuotaEntity::ip("10.0.0.7")).set("connection_creation_rate", 10.0),
//! ])?;
//! for (entity, quotas) in admin.describe_client_quotas(&ClientQuotaFilter::new().any("user"))? {
//!     println!("{entity}: {quotas:?}");
//! }
//! # Ok::<(), kavka::Error>(())
//! ```

use std::collections::BTreeMap;
use std::fmt;

use super::{At, Item, KafkaAdminClient, Results, Route, unanswered, verdict};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::messages::alter_client_quotas::{
    AlterClientQuotasRequestEntityData, AlterClientQuotasRequestEntryData, OpData,
};
use crate::protocol::messages::describe_client_quotas::{ComponentData, EntryData};
use crate::protocol::messages::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
};

/// Whom a quota is for: a user, a client id, both together, or an address.
///
/// Of several that apply to a client the most particular one counts.
///
/// ```
/// use kavka::admin::ClientQuotaEntity;
///
/// let alice = ClientQuotaEntity::user("alice");
/// let one_program = ClientQuotaEntity::user("alice").and_client_id("billing");
/// let everybody_else = ClientQuotaEntity::default_user();
/// assert_eq!(one_program.to_string(), "client-id=billing, user=alice");
/// # assert_eq!(everybody_else.to_string(), "user=<default>");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientQuotaEntity(BTreeMap<String, Option<String>>);

impl ClientQuotaEntity {
    /// An entity of any types, such as `user`, `client-id` and `ip`, by their names; none stands for the default
    /// of the type.
    pub fn new<T: Into<String>>(parts: impl IntoIterator<Item = (T, Option<String>)>) -> Self {
        Self(parts.into_iter().map(|(kind, name)| (kind.into(), name)).collect())
    }

    /// A user, by its name alone, without `User:`.
    pub fn user(name: impl Into<String>) -> Self {
        Self::default().with(USER, Some(name.into()))
    }

    /// Every user without a quota of its own.
    pub fn default_user() -> Self {
        Self::default().with(USER, None)
    }

    /// A client id.
    pub fn client_id(id: impl Into<String>) -> Self {
        Self::default().with(CLIENT_ID, Some(id.into()))
    }

    /// Every client id without a quota of its own.
    pub fn default_client_id() -> Self {
        Self::default().with(CLIENT_ID, None)
    }

    /// An address (KIP-612), for the rate of connections. Needs Kafka 2.8.
    pub fn ip(address: impl Into<String>) -> Self {
        Self::default().with(IP, Some(address.into()))
    }

    /// Every address without a quota of its own.
    pub fn default_ip() -> Self {
        Self::default().with(IP, None)
    }

    /// Together with this client id.
    #[must_use]
    pub fn and_client_id(self, id: impl Into<String>) -> Self {
        self.with(CLIENT_ID, Some(id.into()))
    }

    /// Together with every client id that has no quota of its own.
    #[must_use]
    pub fn and_default_client_id(self) -> Self {
        self.with(CLIENT_ID, None)
    }

    /// The types with their names; none stands for the default of the type.
    pub fn parts(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(kind, name)| (kind.as_str(), name.as_deref()))
    }

    fn with(mut self, kind: &str, name: Option<String>) -> Self {
        self.0.insert(kind.to_owned(), name);
        self
    }
}

impl fmt::Display for ClientQuotaEntity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (kind, name)) in self.parts().enumerate() {
            let gap = if index > 0 { ", " } else { "" };
            write!(f, "{gap}{kind}={}", name.unwrap_or("<default>"))?;
        }
        Ok(())
    }
}

/// The quotas of an entity, by their keys, such as `producer_byte_rate` (bytes a second), `consumer_byte_rate`,
/// `request_percentage`, `controller_mutation_rate` and `connection_creation_rate`.
pub type ClientQuotas = BTreeMap<String, f64>;

/// Which entities are meant: all, unless something is said.
///
/// ```
/// use kavka::admin::ClientQuotaFilter;
///
/// // The quotas of users alone, without those of a user's client ids.
/// let filter = ClientQuotaFilter::new().any("user").strict();
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientQuotaFilter {
    components: Vec<(String, Match)>,
    strict: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Match {
    Exact(String),
    Default,
    Any,
}

impl ClientQuotaFilter {
    /// Every entity.
    pub fn new() -> Self {
        Self::default()
    }

    /// Entities with this name of this type, such as `user`.
    #[must_use]
    pub fn exact(self, entity_type: impl Into<String>, name: impl Into<String>) -> Self {
        self.with(entity_type.into(), Match::Exact(name.into()))
    }

    /// Entities with the default of this type.
    #[must_use]
    pub fn default_of(self, entity_type: impl Into<String>) -> Self {
        self.with(entity_type.into(), Match::Default)
    }

    /// Entities with this type, whatever the name.
    #[must_use]
    pub fn any(self, entity_type: impl Into<String>) -> Self {
        self.with(entity_type.into(), Match::Any)
    }

    /// No entities that have other types as well. Java's `containsOnly`.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    fn with(mut self, entity_type: String, wanted: Match) -> Self {
        self.components.push((entity_type, wanted));
        self
    }

    fn message(&self) -> DescribeClientQuotasRequest {
        let component = |(entity_type, wanted): &(String, Match)| {
            let (match_type, match_) = match wanted {
                Match::Exact(name) => (0, Some(name.clone())),
                Match::Default => (1, None),
                Match::Any => (2, None),
            };
            ComponentData { entity_type: entity_type.clone(), match_type, match_ }
        };
        DescribeClientQuotasRequest {
            components: self.components.iter().map(component).collect(),
            strict: self.strict,
        }
    }
}

/// An entity, and what is to become of its quotas.
///
/// ```
/// use kavka::admin::{ClientQuotaAlteration, ClientQuotaEntity};
///
/// let alteration = ClientQuotaAlteration::new(ClientQuotaEntity::user("alice"))
///     .set("producer_byte_rate", 1_000_000.0)
///     .remove("request_percentage");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ClientQuotaAlteration {
    entity: ClientQuotaEntity,
    ops: Vec<(String, Option<f64>)>,
}

impl ClientQuotaAlteration {
    /// Changes nothing yet.
    pub fn new(entity: ClientQuotaEntity) -> Self {
        Self { entity, ops: Vec::new() }
    }

    /// Sets a quota.
    #[must_use]
    pub fn set(mut self, key: impl Into<String>, value: f64) -> Self {
        self.ops.push((key.into(), Some(value)));
        self
    }

    /// Removes a quota.
    #[must_use]
    pub fn remove(mut self, key: impl Into<String>) -> Self {
        self.ops.push((key.into(), None));
        self
    }

    fn check(&self) -> Result<()> {
        let fault = match self.ops.iter().find_map(|(key, value)| Some((key, (*value)?))) {
            _ if self.entity.0.is_empty() => "the entity has no type".to_owned(),
            Some((key, value)) if !value.is_finite() => format!("{key}={value} is no number"),
            _ => return Ok(()),
        };
        Err(Error::new(ErrorKind::InvalidArgument, format!("{ALTER} of {}: {fault}", self.entity)))
    }

    fn message(&self) -> AlterClientQuotasRequestEntryData {
        let part = |(kind, name): (&str, Option<&str>)| AlterClientQuotasRequestEntityData {
            entity_type: kind.to_owned(),
            entity_name: name.map(str::to_owned),
        };
        let op = |(key, value): &(String, Option<f64>)| OpData {
            key: key.clone(),
            value: value.unwrap_or_default(),
            remove: value.is_none(),
        };
        AlterClientQuotasRequestEntryData {
            entity: self.entity.parts().map(part).collect(),
            ops: self.ops.iter().map(op).collect(),
        }
    }
}

impl KafkaAdminClient {
    /// The quotas of clients, by entity. Needs Kafka 2.6.
    ///
    /// # Errors
    /// [`ErrorKind::Authorization`], [`ErrorKind::UnsupportedVersion`];
    /// [`INVALID_REQUEST`](crate::ErrorCode::INVALID_REQUEST) when the filter has a type twice.
    pub fn describe_client_quotas(
        &self,
        filter: &ClientQuotaFilter,
    ) -> Result<Vec<(ClientQuotaEntity, ClientQuotas)>> {
        let message = filter.message();
        self.call(DESCRIBE, move |admin, call| async move {
            let judge = |response: &DescribeClientQuotasResponse| {
                verdict(response.error_code, response.error_message.as_deref(), DESCRIBE)
            };
            let response = admin.ask_one(call, Route::Any, |_| Ok(message.clone()), judge).await?;
            let entry = |entry: EntryData| {
                let parts = entry.entity.into_iter().map(|part| (part.entity_type, part.entity_name));
                let quotas = entry.values.into_iter().map(|quota| (quota.key, quota.value));
                (ClientQuotaEntity::new(parts), quotas.collect())
            };
            let mut entries: Vec<_> = response.entries.unwrap_or_default().into_iter().map(entry).collect();
            entries.sort_by(|(a, _): &(ClientQuotaEntity, ClientQuotas), (b, _)| a.cmp(b));
            Ok(entries)
        })
    }

    /// Sets and removes quotas of clients. Needs Kafka 2.6.
    ///
    /// ```
    /// use kavka::KafkaAdminClient;
    /// use kavka::admin::{ClientQuotaAlteration, ClientQuotaEntity, ClientQuotaFilter};
    /// # let cluster = kavka::mock::MockCluster::start()?;
    /// # let servers = cluster.bootstrap_servers();
    ///
    /// let admin = KafkaAdminClient::builder().bootstrap_servers(servers).build()?;
    /// let alice = ClientQuotaEntity::user("alice");
    /// let limit = ClientQuotaAlteration::new(alice.clone()).set("producer_byte_rate", 1_000_000.0);
    /// for (entity, result) in admin.alter_client_quotas([limit])? {
    ///     result?;
    ///     println!("{entity} is limited");
    /// }
    /// let quotas = admin.describe_client_quotas(&ClientQuotaFilter::new().exact("user", "alice"))?;
    /// assert_eq!(quotas[0].1["producer_byte_rate"], 1_000_000.0);
    /// # Ok::<(), kavka::Error>(())
    /// ```
    ///
    /// # Errors
    /// For an entity [`ErrorKind::Authorization`], [`ErrorKind::UnsupportedVersion`],
    /// [`ErrorKind::InvalidArgument`], [`INVALID_REQUEST`](crate::ErrorCode::INVALID_REQUEST) for a key or a value
    /// that the brokers do not take.
    pub fn alter_client_quotas(
        &self,
        alterations: impl IntoIterator<Item = ClientQuotaAlteration>,
    ) -> Result<Results<ClientQuotaEntity, ()>> {
        self.alter_quotas(alterations, false)
    }

    /// Has the cluster check whether quotas could be changed, without changing them.
    ///
    /// # Errors
    /// As [`alter_client_quotas`](Self::alter_client_quotas).
    pub fn validate_client_quotas(
        &self,
        alterations: impl IntoIterator<Item = ClientQuotaAlteration>,
    ) -> Result<Results<ClientQuotaEntity, ()>> {
        self.alter_quotas(alterations, true)
    }

    fn alter_quotas(
        &self,
        alterations: impl IntoIterator<Item = ClientQuotaAlteration>,
        validate_only: bool,
    ) -> Result<Results<ClientQuotaEntity, ()>> {
        let alterations: Vec<ClientQuotaAlteration> = alterations.into_iter().collect();
        if alterations.is_empty() {
            return Ok(Vec::new());
        }
        self.call(ALTER, move |admin, call| async move {
            let request = |_: &At, alterations: &[&ClientQuotaAlteration]| {
                let entries = alterations.iter().map(|one| one.message()).collect();
                Ok(AlterClientQuotasRequest { entries, validate_only })
            };
            let read =
                |_: &At, response: AlterClientQuotasResponse, alterations: &[&ClientQuotaAlteration]| {
                    alterations.iter().map(|one| altered(&response, &one.entity)).collect()
                };
            let good = alterations.iter().filter(|one| one.check().is_ok());
            let items = good.map(|one| Item::new(Route::Any, one.clone())).collect();
            let mut asked = admin.ask(call, items, request, read).await.into_iter();
            let result = |one: ClientQuotaAlteration| {
                let result = one
                    .check()
                    .and_then(|()| asked.next().map_or_else(|| Err(unanswered(ALTER)), |(_, result)| result));
                (one.entity, result)
            };
            Ok(alterations.into_iter().map(result).collect())
        })
    }
}

fn altered(response: &AlterClientQuotasResponse, entity: &ClientQuotaEntity) -> Result<()> {
    let what = format!("{ALTER} of {entity}");
    let answer = response.entries.iter().find(|entry| {
        let parts = entry.entity.iter().map(|part| (part.entity_type.clone(), part.entity_name.clone()));
        ClientQuotaEntity::new(parts) == *entity
    });
    let answer = answer.ok_or_else(|| unanswered(&what))?;
    verdict(answer.error_code, answer.error_message.as_deref(), &what)
}

const DESCRIBE: &str = "describe client quotas";
const ALTER: &str = "alter client quotas";
const USER: &str = "user";
const CLIENT_ID: &str = "client-id";
const IP: &str = "ip";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_have_their_wire_numbers() {
        let filter = ClientQuotaFilter::new().exact("user", "a").default_of("client-id").any("ip").strict();
        let message = filter.message();
        let components: Vec<_> =
            message.components.iter().map(|one| (one.match_type, one.match_.as_deref())).collect();
        assert_eq!((components, message.strict), (vec![(0, Some("a")), (1, None), (2, None)], true));
    }

    #[test]
    fn what_is_no_number_is_refused_here() {
        let alice = ClientQuotaAlteration::new(ClientQuotaEntity::user("alice"));
        alice.clone().set("producer_byte_rate", 1.0).remove("x").check().expect("fine");
        for alteration in [
            alice.set("producer_byte_rate", f64::NAN),
            ClientQuotaAlteration::new(ClientQuotaEntity::default()).set("producer_byte_rate", 1.0),
        ] {
            assert_eq!(alteration.check().expect_err("refused").kind(), ErrorKind::InvalidArgument);
        }
    }
}

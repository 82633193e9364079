//! `kavka admin quotas`.

use std::str::FromStr;

use clap::{Args, Subcommand};
use kavka::admin::{ClientQuotaAlteration, ClientQuotaEntity, ClientQuotaFilter, ClientQuotas};
use serde_json::{Map, Value};

use super::report::{Item, Report};
use super::session::Session;
use crate::common::{Failure, Outcome};

/// How much users, client ids and addresses may send.
#[derive(Subcommand)]
pub(crate) enum Quotas {
    /// Quotas that are set; all, if nothing is said.
    Describe(Describe),
    /// Set and remove quotas of a user, a client id, both together, or an address.
    Alter(Alter),
}

/// Whom the quotas are for.
#[derive(Args)]
struct Who {
    /// A user, without "User:".
    #[arg(long, value_name = "NAME", conflicts_with = "default_user")]
    user: Option<String>,

    /// Users without a quota of their own.
    #[arg(long)]
    default_user: bool,

    /// A client id.
    #[arg(long, value_name = "ID", conflicts_with = "default_client_id")]
    client_id: Option<String>,

    /// Client ids without a quota of their own.
    #[arg(long)]
    default_client_id: bool,

    /// An address.
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["default_ip", "user", "default_user", "client_id", "default_client_id"])]
    ip: Option<String>,

    /// Addresses without a quota of their own.
    #[arg(long, conflicts_with_all = ["user", "default_user", "client_id", "default_client_id"])]
    default_ip: bool,
}

#[derive(Args)]
pub(crate) struct Describe {
    #[command(flatten)]
    who: Who,

    /// Every user, client-id or ip, whatever the name; can be repeated.
    #[arg(long = "any", value_name = "TYPE", value_parser = ["user", "client-id", "ip"])]
    any: Vec<String>,

    /// No quotas of entities that have other types as well.
    #[arg(long)]
    strict: bool,
}

#[derive(Args)]
pub(crate) struct Alter {
    #[command(flatten)]
    who: Who,

    /// A quota, such as producer_byte_rate=1000000, consumer_byte_rate, request_percentage,
    /// controller_mutation_rate or connection_creation_rate; can be repeated.
    #[arg(short, long = "set", value_name = "KEY=NUMBER", required_unless_present = "removed")]
    set: Vec<Quota>,

    /// A quota that is to go; can be repeated.
    #[arg(short, long = "remove", value_name = "KEY")]
    removed: Vec<String>,

    /// Only check whether it could be done.
    #[arg(long)]
    validate_only: bool,
}

#[derive(Clone)]
struct Quota {
    key: String,
    value: f64,
}

impl FromStr for Quota {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('=').filter(|(key, _)| !key.is_empty());
        let parsed = parts.and_then(|(key, value)| Some((key, value.parse::<f64>().ok()?)));
        match parsed {
            Some((key, value)) if value.is_finite() => Ok(Self { key: key.to_owned(), value }),
            _ => Err("it has to be KEY=NUMBER, such as producer_byte_rate=1000000".to_owned()),
        }
    }
}

impl Who {
    /// The types that are named, with their names; none for the default.
    fn parts(&self) -> Vec<(&'static str, Option<String>)> {
        let all = [
            ("user", &self.user, self.default_user),
            ("client-id", &self.client_id, self.default_client_id),
            ("ip", &self.ip, self.default_ip),
        ];
        all.into_iter()
            .filter(|(_, name, default)| name.is_some() || *default)
            .map(|(kind, name, _)| (kind, name.clone()))
            .collect()
    }
}

impl Quotas {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        match self {
            Self::Describe(describe) => describe.run(session),
            Self::Alter(alter) => alter.run(session),
        }
    }
}

impl Describe {
    fn run(self, session: &Session) -> Outcome<Report> {
        let mut filter = ClientQuotaFilter::new();
        for (kind, name) in self.who.parts() {
            filter = match name {
                Some(name) => filter.exact(kind, name),
                None => filter.default_of(kind),
            };
        }
        filter = self.any.into_iter().fold(filter, ClientQuotaFilter::any);
        if self.strict {
            filter = filter.strict();
        }
        let found = session.wait("looking for quotas", |admin| admin.describe_client_quotas(&filter))?;
        Ok(Report::list(
            found.into_iter().map(|(entity, quotas)| key(session, &entity).with("quotas", numbers(quotas))),
        ))
    }
}

impl Alter {
    fn run(self, session: &Session) -> Outcome<Report> {
        let parts = self.who.parts();
        if parts.is_empty() {
            let text = "nobody is named: use --user, --default-user, --client-id, --default-client-id, --ip or --default-ip";
            return Err(Failure::Usage(text.to_owned()));
        }
        let mut alteration = ClientQuotaAlteration::new(ClientQuotaEntity::new(parts));
        for quota in self.set {
            alteration = alteration.set(quota.key, quota.value);
        }
        for name in self.removed {
            alteration = alteration.remove(name);
        }
        let results = session.wait("setting quotas", |admin| match self.validate_only {
            true => admin.validate_client_quotas([alteration]),
            false => admin.alter_client_quotas([alteration]),
        })?;
        let status = if self.validate_only { "valid" } else { "altered" };
        Ok(Report::results(results.into_iter().map(|(entity, result)| {
            (key(session, &entity), result.map(|()| Item::new().with("status", status)))
        })))
    }
}

/// The entity: in JSON its types and names, where null is the default; for people in words.
fn key(session: &Session, entity: &ClientQuotaEntity) -> Item {
    if !session.is_json() {
        return Item::new().with("entity", entity.to_string());
    }
    let parts = entity.parts().map(|(kind, name)| (kind.to_owned(), name.map_or(Value::Null, Value::from)));
    Item::new().with("entity", parts.collect::<Map<String, Value>>())
}

fn numbers(quotas: ClientQuotas) -> Map<String, Value> {
    quotas.into_iter().map(|(key, value)| (key, value.into())).collect()
}

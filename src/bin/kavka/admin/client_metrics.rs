//! `kavka admin client-metrics`: subscriptions to the metrics of clients (KIP-714), as `kafka-client-metrics.sh` has
//! them.

use clap::{Args, Subcommand};
use kavka::admin::{ConfigResource, ConfigResourceType, ConfigSource};

use super::arguments::{Pause, enumerate};
use super::report::{Item, Report};
use super::session::Session;
use crate::common::{Failure, Outcome};

/// Which metrics the cluster wants from its clients.
#[derive(Subcommand)]
pub(crate) enum ClientMetrics {
    /// The names of all subscriptions.
    List,
    /// What subscriptions ask for.
    Describe(Names),
    /// Make a subscription, or change one.
    Alter(Alter),
    /// Delete subscriptions.
    Delete(Names),
}

#[derive(Args)]
pub(crate) struct Names {
    /// A subscription; several with commas, or by repeating the option.
    #[arg(short, long = "name", value_name = "NAME", value_delimiter = ',', required = true)]
    names: Vec<String>,
}

#[derive(Args)]
pub(crate) struct Alter {
    /// The subscription.
    #[arg(short, long)]
    name: String,

    /// How often clients are to send: 30s, 5m.
    #[arg(long, value_name = "TIME")]
    interval: Option<Pause>,

    /// The beginnings of the metrics' names, with commas; "*" for all.
    #[arg(long, value_name = "PREFIXES")]
    metrics: Option<String>,

    /// Which clients, such as client_id=billing.*; can be repeated.
    #[arg(long = "match", value_name = "KEY=PATTERN")]
    matches: Vec<String>,
}

impl ClientMetrics {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        match self {
            Self::List => list(session),
            Self::Describe(names) => names.describe(session),
            Self::Alter(alter) => alter.run(session),
            Self::Delete(names) => names.delete(session),
        }
    }
}

fn list(session: &Session) -> Outcome<Report> {
    let kind = [ConfigResourceType::ClientMetrics];
    let listed = session.wait("listing subscriptions", |admin| admin.list_config_resources(kind))?;
    Ok(Report::list(listed.into_iter().map(|found| Item::new().with("name", found.name))))
}

impl Names {
    fn resources(&self) -> Vec<ConfigResource> {
        self.names.iter().map(ConfigResource::client_metrics).collect()
    }

    fn describe(self, session: &Session) -> Outcome<Report> {
        let resources = self.resources();
        let described =
            session.wait("describing subscriptions", |admin| admin.describe_configs(resources))?;
        Ok(Report::results(described.into_iter().map(|(resource, result)| {
            let item = result.map(|configs| {
                let value = |key: &str| configs.get(key).and_then(|entry| entry.value.clone());
                let set =
                    configs.values().any(|entry| entry.source == ConfigSource::DynamicClientMetricsConfig);
                Item::new()
                    .with("interval_ms", value("interval.ms"))
                    .with("metrics", value("metrics"))
                    .with("match", value("match"))
                    .with("exists", set)
            });
            (Item::new().with("name", resource.name), item)
        })))
    }

    fn delete(self, session: &Session) -> Outcome<Report> {
        session.confirm(&format!("delete the subscriptions {}", enumerate(&self.names)))?;
        let resources = self.resources();
        let reset = session.wait("deleting subscriptions", |admin| admin.reset_configs(resources))?;
        Ok(Report::results(reset.into_iter().map(|(resource, result)| {
            let key = Item::new().with("name", resource.name);
            (key, result.map(|()| Item::new().with("status", "deleted")))
        })))
    }
}

impl Alter {
    fn run(self, session: &Session) -> Outcome<Report> {
        let matches = (!self.matches.is_empty()).then(|| self.matches.join(","));
        let interval = self.interval.map(|Pause(interval)| interval.as_millis().to_string());
        let settings = [("interval.ms", interval), ("metrics", self.metrics), ("match", matches)];
        let given = settings.into_iter().filter_map(|(key, value)| Some((key, value?)));
        let resource = ConfigResource::client_metrics(&self.name);
        let changes = given.fold(None, |changes, (key, value)| match changes {
            None => Some(resource.clone().set(key, value)),
            Some(changes) => Some(kavka::admin::ConfigChanges::set(changes, key, value)),
        });
        let Some(changes) = changes else {
            let text = "nothing to alter: give --interval, --metrics or --match";
            return Err(Failure::Usage(text.to_owned()));
        };
        let altered = session.wait("changing the subscription", |admin| admin.alter_configs([changes]))?;
        Ok(Report::results(altered.into_iter().map(|(resource, result)| {
            let key = Item::new().with("name", resource.name);
            (key, result.map(|()| Item::new().with("status", "altered")))
        })))
    }
}

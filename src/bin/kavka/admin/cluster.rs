//! `kavka admin cluster`, with what kafka-python's command line has there.

use clap::{Args, Subcommand};
use kavka::admin::BrokerApiVersions;
use kavka::protocol::ApiKey;

use super::report::{Item, Report};
use super::session::Session;
use super::{features, log_dirs, quorum};
use crate::common::Outcome;

/// Look at the cluster as a whole, and forget nodes that are gone.
#[derive(Subcommand)]
pub(crate) enum Cluster {
    /// The cluster's id, its controller and its brokers.
    Describe(Describe),
    /// The versions of the APIs that brokers speak.
    ApiVersions(ApiVersions),
    /// The newest release that a broker can be.
    BrokerVersion(Node),
    /// Forget a broker that will not come back.
    UnregisterBroker(Node),
    /// Forget a controller that will not come back.
    UnregisterController(Node),
    /// As `quorum describe`.
    DescribeQuorum,
    /// As `features describe`.
    DescribeFeatures(features::Describe),
    /// As `features update`.
    UpdateFeatures(features::Update),
    /// As `log-dirs describe`.
    DescribeLogDirs(log_dirs::Describe),
    /// As `log-dirs alter`.
    AlterLogDirs(log_dirs::Alter),
}

#[derive(Args)]
pub(crate) struct Describe {
    /// Also the brokers that are registered, but not in service.
    #[arg(long)]
    include_fenced: bool,
}

#[derive(Args)]
pub(crate) struct ApiVersions {
    /// Only this API, by its name; can be repeated.
    #[arg(short = 'k', long = "api-key", value_name = "NAME")]
    keys: Vec<String>,

    /// Only this broker.
    #[arg(long, value_name = "ID")]
    broker: Option<i32>,
}

#[derive(Args)]
pub(crate) struct Node {
    /// The node's id.
    #[arg(long = "broker", alias = "controller", alias = "node", value_name = "ID")]
    id: i32,
}

impl Cluster {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        match self {
            Self::Describe(describe) => describe.run(session),
            Self::ApiVersions(versions) => versions.run(session),
            Self::BrokerVersion(Node { id }) => {
                let versions = session.wait("asking the broker", |admin| admin.broker_api_versions(id))?;
                Ok(Report::one(Item::new().with("broker", id).with("release", versions.release())))
            }
            Self::UnregisterBroker(Node { id }) => {
                session.confirm(&format!("forget the registration of broker {id}"))?;
                let done = session.wait("unregistering the broker", |admin| admin.unregister_broker(id));
                Ok(unregistered("broker", id, done))
            }
            Self::UnregisterController(Node { id }) => {
                session.confirm(&format!("forget the registration of controller {id}"))?;
                let done =
                    session.wait("unregistering the controller", |admin| admin.unregister_controller(id));
                Ok(unregistered("controller", id, done))
            }
            Self::DescribeQuorum => quorum::describe(session),
            Self::DescribeFeatures(describe) => describe.run(session),
            Self::UpdateFeatures(update) => update.run(session),
            Self::DescribeLogDirs(describe) => describe.run(session),
            Self::AlterLogDirs(alter) => alter.run(session),
        }
    }
}

impl Describe {
    fn run(self, session: &Session) -> Outcome<Report> {
        let cluster = session.wait("describing the cluster", |admin| match self.include_fenced {
            true => admin.describe_cluster_with_fenced(),
            false => admin.describe_cluster(),
        })?;
        let brokers = cluster.brokers.into_iter().map(|broker| {
            let item = Item::new()
                .with("broker", broker.id)
                .with("host", broker.host)
                .with("port", broker.port)
                .with("rack", broker.rack);
            match self.include_fenced {
                true => item.with("is_fenced", cluster.fenced.contains(&broker.id)),
                false => item,
            }
        });
        let operations = cluster.authorized_operations;
        let operations = operations.map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>());
        let item = Item::new()
            .with("cluster_id", cluster.cluster_id)
            .with("controller_id", cluster.controller_id)
            .with("authorized_operations", operations)
            .list("brokers", brokers);
        Ok(Report::one(item))
    }
}

impl ApiVersions {
    fn run(self, session: &Session) -> Outcome<Report> {
        let spoken = session.wait("asking brokers", |admin| match self.broker {
            Some(id) => Ok(vec![(id, admin.broker_api_versions(id))]),
            None => admin.api_versions(),
        })?;
        Ok(Report::results(spoken.into_iter().map(|(id, result)| {
            let item = result.map(|versions| {
                Item::new().with("release", versions.release()).list("apis", self.apis(&versions))
            });
            (Item::new().with("broker", id), item)
        })))
    }

    fn apis(&self, spoken: &BrokerApiVersions) -> Vec<Item> {
        let is_wanted = |api: ApiKey| {
            self.keys.is_empty() || self.keys.iter().any(|name| name.eq_ignore_ascii_case(&api.name()))
        };
        let mut all: Vec<_> = spoken.versions.iter().filter(|(api, _)| is_wanted(*api)).collect();
        all.sort_unstable_by_key(|(api, _)| *api);
        let item = |(api, range): (ApiKey, kavka::protocol::VersionRange)| {
            Item::new()
                .with("api_key", api.0)
                .with("name", api.name().into_owned())
                .with("min", range.min)
                .with("max", range.max)
        };
        all.into_iter().map(item).collect()
    }
}

fn unregistered(kind: &'static str, id: i32, result: kavka::Result<()>) -> Report {
    let item = result.map(|()| Item::new().with("status", "unregistered"));
    Report::results([(Item::new().with(kind, id), item)])
}

//! `kavka admin cluster`.

use clap::Subcommand;

use super::report::{Item, Report};
use super::session::Session;
use crate::common::Outcome;

/// Look at the cluster as a whole.
#[derive(Subcommand)]
pub(crate) enum Cluster {
    /// The cluster's id, its controller and its brokers.
    Describe,
}

impl Cluster {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        match self {
            Self::Describe => describe(session),
        }
    }
}

fn describe(session: &Session) -> Outcome<Report> {
    let cluster = session.wait("describing the cluster", |admin| admin.describe_cluster())?;
    let brokers = cluster.brokers.into_iter().map(|broker| {
        Item::new()
            .with("broker", broker.id)
            .with("host", broker.host)
            .with("port", broker.port)
            .with("rack", broker.rack)
    });
    let item = Item::new()
        .with("cluster_id", cluster.cluster_id)
        .with("controller_id", cluster.controller_id)
        .list("brokers", brokers);
    Ok(Report::one(item))
}

//! `kavka admin quorum`.

use std::str::FromStr;

use clap::{Args, Subcommand};
use kavka::admin::{QuorumEndpoint, QuorumReplica};
use kavka::protocol::Uuid;

use super::report::{Item, Report};
use super::session::Session;
use crate::common::Outcome;

/// The controllers of a KRaft cluster: who votes, who leads, who lags behind.
#[derive(Subcommand)]
pub(crate) enum Quorum {
    /// The leader, the voters and the observers.
    Describe,
    /// Give a controller a vote (KIP-853).
    AddVoter(AddVoter),
    /// Take the vote of a controller away (KIP-853).
    RemoveVoter(RemoveVoter),
}

#[derive(Args)]
pub(crate) struct AddVoter {
    /// The controller's id.
    #[arg(long, value_name = "ID")]
    voter_id: i32,

    /// The id of its metadata directory, from meta.properties or `quorum describe`.
    #[arg(long, value_name = "UUID", allow_hyphen_values = true)]
    directory_id: Uuid,

    /// Where it is reached; can be repeated.
    #[arg(long = "endpoint", value_name = "LISTENER://HOST:PORT", required = true)]
    endpoints: Vec<Endpoint>,
}

#[derive(Args)]
pub(crate) struct RemoveVoter {
    /// The controller's id.
    #[arg(long, value_name = "ID")]
    voter_id: i32,

    /// The id of its metadata directory, from `quorum describe`.
    #[arg(long, value_name = "UUID", allow_hyphen_values = true)]
    directory_id: Uuid,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Endpoint(QuorumEndpoint);

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once("://").and_then(|(listener, address)| {
            let (host, port) = address.rsplit_once(':')?;
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let full = !listener.is_empty() && !host.is_empty();
            full.then_some(QuorumEndpoint::new(listener, host, port.parse().ok()?))
        });
        parts
            .map(Self)
            .ok_or_else(|| "it has to be LISTENER://HOST:PORT, such as CONTROLLER://host1:9093".to_owned())
    }
}

impl Quorum {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        match self {
            Self::Describe => describe(session),
            Self::AddVoter(add) => add.run(session),
            Self::RemoveVoter(remove) => remove.run(session),
        }
    }
}

pub(super) fn describe(session: &Session) -> Outcome<Report> {
    let quorum = session.wait("describing the quorum", |admin| admin.describe_metadata_quorum())?;
    let end = quorum.voters.iter().map(|voter| voter.log_end_offset).max().unwrap_or(quorum.high_watermark);
    let replica = |replica: &QuorumReplica| {
        let endpoints: Vec<String> = quorum
            .nodes
            .get(&replica.replica_id)
            .into_iter()
            .flatten()
            .map(|endpoint| format!("{}://{}:{}", endpoint.listener, endpoint.host, endpoint.port))
            .collect();
        Item::new()
            .with("node", replica.replica_id)
            .with("directory_id", replica.directory_id.map(|id| id.to_string()))
            .with("log_end_offset", replica.log_end_offset)
            .with("lag", end.saturating_sub(replica.log_end_offset).max(0))
            .with("last_fetch_timestamp", replica.last_fetch_timestamp)
            .with("last_caught_up_timestamp", replica.last_caught_up_timestamp)
            .with("endpoints", endpoints)
    };
    let item = Item::new()
        .with("leader_id", quorum.leader_id)
        .with("leader_epoch", quorum.leader_epoch)
        .with("high_watermark", quorum.high_watermark)
        .list("voters", quorum.voters.iter().map(replica))
        .list("observers", quorum.observers.iter().map(replica));
    Ok(Report::one(item))
}

impl AddVoter {
    fn run(self, session: &Session) -> Outcome<Report> {
        let endpoints = self.endpoints.into_iter().map(|Endpoint(endpoint)| endpoint);
        let (id, directory) = (self.voter_id, self.directory_id);
        let added = session.wait("adding the voter", |admin| admin.add_raft_voter(id, directory, endpoints));
        Ok(done(id, added, "added"))
    }
}

impl RemoveVoter {
    fn run(self, session: &Session) -> Outcome<Report> {
        let (id, directory) = (self.voter_id, self.directory_id);
        session.confirm(&format!("take the vote of controller {id} away"))?;
        let removed = session.wait("removing the voter", |admin| admin.remove_raft_voter(id, directory));
        Ok(done(id, removed, "removed"))
    }
}

fn done(id: i32, result: kavka::Result<()>, status: &'static str) -> Report {
    let key = Item::new().with("voter", id);
    Report::results([(key, result.map(|()| Item::new().with("status", status)))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_have_a_listener_a_host_and_a_port() {
        let table = [("CONTROLLER://host1:9093", "host1"), ("C://[::1]:9093", "::1")];
        for (text, host) in table {
            let Endpoint(endpoint) = text.parse().expect("an endpoint");
            assert_eq!((endpoint.host.as_str(), endpoint.port), (host, 9093));
        }
        for text in ["host1:9093", "C://host1", "://host1:9093", "C://:9093", "C://host1:x"] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }
}

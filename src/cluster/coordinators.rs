//! Which broker coordinates a group or a transactional id.

use std::time::Duration;

use super::Cluster;
use crate::error::{Error, ErrorKind, Result};
use crate::error_code::ErrorCode;
use crate::net::manager::NodeId;
use crate::protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};
use crate::types::Node;

/// What a broker can be the coordinator of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CoordinatorType {
    Group,
    Transaction,
}

impl CoordinatorType {
    fn code(self) -> i8 {
        match self {
            Self::Group => 0,
            Self::Transaction => 1,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Transaction => "transactional id",
        }
    }

    /// The first version of FindCoordinator that can ask for it.
    pub(crate) fn min_version(self) -> i16 {
        match self {
            Self::Group => 0,
            Self::Transaction => 1,
        }
    }

    /// The request for these keys; one alone before [`COORDINATORS_IN_BATCHES_SINCE`].
    pub(crate) fn request<'a>(
        self,
        version: i16,
        keys: impl IntoIterator<Item = &'a str>,
    ) -> FindCoordinatorRequest {
        let mut request = FindCoordinatorRequest { key_type: self.code(), ..Default::default() };
        let keys = keys.into_iter().map(str::to_owned);
        if version < COORDINATORS_IN_BATCHES_SINCE {
            request.key = keys.collect();
        } else {
            request.coordinator_keys = keys.collect();
        }
        request
    }

    /// The coordinator of a key, as an answer has it.
    ///
    /// # Errors
    /// What the broker says of the key; [`ErrorKind::Protocol`] when it does not name the key.
    fn read(self, version: i16, response: &FindCoordinatorResponse, key: &str) -> Result<Node> {
        let what = || format!("looking for the coordinator of {} {key}", self.name());
        let (code, node, host, port) = if version < COORDINATORS_IN_BATCHES_SINCE {
            (response.error_code, response.node_id, &response.host, response.port)
        } else {
            let one = response.coordinators.iter().find(|one| one.key == key).ok_or_else(|| {
                Error::new(ErrorKind::Protocol, format!("{}: the broker's answer leaves it out", what()))
            })?;
            (one.error_code, one.node_id, &one.host, one.port)
        };
        if !code.is_ok() {
            return Err(Error::from_code(code, what()));
        }
        Node::from_answer(node, host, port, None).ok_or_else(|| {
            Error::from_code(ErrorCode::COORDINATOR_NOT_AVAILABLE, format!("{}: it has no address", what()))
        })
    }
}

impl Cluster {
    /// Asks some broker for the coordinator, and makes it one that can be connected to. Returns its id. One that takes
    /// its time costs a moment: it may be the old coordinator, which hangs.
    ///
    /// # Errors
    /// What became of the request, and what the broker says; retriable where another broker, or the same one a
    /// moment later, may know better.
    pub(crate) async fn find_coordinator(&self, kind: CoordinatorType, key: &str) -> Result<i32> {
        self.bootstrap().await?;
        let timeout = self.0.config.request_timeout;
        let found = self.ask_several(
            |tried| self.manager().choose(tried, None, false),
            |node| self.ask_coordinator(node, kind, key, timeout),
        );
        let id = found.await?.ok_or_else(|| {
            Error::new(ErrorKind::Connection, "no broker is known to ask for the coordinator")
        })?;
        log::debug!("node {id} coordinates {} {key}", kind.name());
        Ok(id)
    }

    /// As [`find_coordinator`](Self::find_coordinator), of one node.
    ///
    /// # Errors
    /// As [`find_coordinator`](Self::find_coordinator).
    pub(crate) async fn ask_coordinator(
        &self,
        node: NodeId,
        kind: CoordinatorType,
        key: &str,
        timeout: Duration,
    ) -> Result<i32> {
        let connection = self.manager().connection(node).await.map_err(retriable)?;
        let version = connection.pick_version::<FindCoordinatorRequest>(i16::MAX)?;
        if version < kind.min_version() {
            let text = format!("node {node} knows of no coordinators of a {}: it is too old", kind.name());
            return Err(Error::new(ErrorKind::UnsupportedVersion, text));
        }
        let request = kind.request(version, [key]);
        let response = connection.send_at(&request, version, timeout).await.map_err(retriable)?;
        self.learn_coordinator(kind, version, &response, key)
    }

    /// Finds the coordinator of a key in an answer, and makes it one that can be connected to. Returns its id.
    ///
    /// # Errors
    /// What the broker says of the key; [`ErrorKind::Protocol`] when it does not name the key.
    pub(crate) fn learn_coordinator(
        &self,
        kind: CoordinatorType,
        version: i16,
        response: &FindCoordinatorResponse,
        key: &str,
    ) -> Result<i32> {
        let node = kind.read(version, response, key)?;
        let id = node.id;
        let rack = self.snapshot().broker(id).and_then(|known| known.rack.clone());
        self.add_broker(Node { rack, ..node });
        Ok(id)
    }
}

/// A broker that cannot be reached now can be another time, or another one can.
pub(crate) fn retriable(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Connection | ErrorKind::Dns | ErrorKind::Timeout => error.with_retriable(true),
        _ => error,
    }
}

/// The version of FindCoordinator that takes several keys (KIP-699).
pub(crate) const COORDINATORS_IN_BATCHES_SINCE: i16 = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::messages::find_coordinator::Coordinator;

    fn found(key: &str, node_id: i32, port: i32) -> Coordinator {
        Coordinator { key: key.to_owned(), node_id, host: "there".to_owned(), port, ..Default::default() }
    }

    #[test]
    fn the_coordinator_is_that_of_the_key() {
        let response = FindCoordinatorResponse {
            coordinators: vec![found("other", 1, 9092), found("g", 2, 9092)],
            ..Default::default()
        };
        let read = |key| CoordinatorType::Group.read(4, &response, key);
        assert_eq!(read("g").map(|node| node.id).ok(), Some(2));
        let error = read("third").expect_err("it is left out");
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert!(error.to_string().contains("group third"), "{error}");
    }

    #[test]
    fn brokers_of_old_answer_for_the_one_key() {
        let mut response = FindCoordinatorResponse {
            node_id: 3,
            host: "there".to_owned(),
            port: 9092,
            ..Default::default()
        };
        let read = |response: &_| CoordinatorType::Transaction.read(3, response, "t");
        assert_eq!(read(&response).map(|node| node.id).ok(), Some(3));
        response.error_code = ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
        let error = read(&response).expect_err("refused");
        assert_eq!(error.code(), Some(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED));
    }

    #[test]
    fn no_address_is_none_yet() {
        for (id, port) in [(1, 0), (1, -1), (1, 70_000), (-1, 9092)] {
            let response =
                FindCoordinatorResponse { coordinators: vec![found("g", id, port)], ..Default::default() };
            let error = CoordinatorType::Group.read(6, &response, "g").expect_err("no address");
            assert_eq!(
                (error.code(), error.is_retriable()),
                (Some(ErrorCode::COORDINATOR_NOT_AVAILABLE), true)
            );
        }
    }

    #[test]
    fn keys_go_where_the_version_has_them() {
        let old = CoordinatorType::Transaction.request(3, ["t"]);
        assert_eq!((old.key_type, old.key.as_str(), old.coordinator_keys.len()), (1, "t", 0));
        let new = CoordinatorType::Group.request(4, ["a", "b"]);
        assert_eq!((new.key_type, new.key.as_str()), (0, ""));
        assert_eq!(new.coordinator_keys, ["a", "b"]);
    }
}

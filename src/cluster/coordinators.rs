//! Which broker coordinates a group or a transactional id.

use super::Cluster;
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::messages::FindCoordinatorRequest;
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
}

impl Cluster {
    /// Asks some broker for the coordinator, and makes it one that can be connected to. Returns its id.
    ///
    /// # Errors
    /// What became of the request, and what the broker says; retriable where another broker, or the same one a
    /// moment later, may know better.
    pub(crate) async fn find_coordinator(&self, kind: CoordinatorType, key: &str) -> Result<i32> {
        self.bootstrap().await?;
        let node = self.manager().least_loaded_node().ok_or_else(|| {
            Error::new(ErrorKind::Connection, "no broker is known to ask for the coordinator")
        })?;
        let connection = self.manager().connection(node).await?;
        let least = if kind == CoordinatorType::Group { 0 } else { 1 };
        let version = connection.pick_version::<FindCoordinatorRequest>(i16::MAX)?;
        if version < least {
            let text = format!("node {node} knows of no coordinators of a {}: it is too old", kind.name());
            return Err(Error::new(ErrorKind::UnsupportedVersion, text));
        }
        let mut request = FindCoordinatorRequest { key_type: kind.code(), ..Default::default() };
        if version >= 4 {
            request.coordinator_keys = vec![key.to_owned()];
        } else {
            request.key = key.to_owned();
        }
        let response = connection.send_at(&request, version, self.0.config.request_timeout).await?;
        let (code, id, host, port) = match response.coordinators.into_iter().next() {
            Some(found) => (found.error_code, found.node_id, found.host, found.port),
            None => (response.error_code, response.node_id, response.host, response.port),
        };
        if !code.is_ok() {
            return Err(Error::from_code(code, format_args!("coordinator of {} {key}", kind.name())));
        }
        let port = u16::try_from(port).ok().filter(|_| id >= 0 && !host.is_empty()).ok_or_else(|| {
            Error::new(ErrorKind::Protocol, "the broker named a coordinator without an address")
                .with_retriable(true)
        })?;
        let rack = self.snapshot().broker(id).and_then(|node| node.rack.clone());
        self.add_broker(Node { id, host, port, rack });
        log::debug!("node {id} coordinates {} {key}", kind.name());
        Ok(id)
    }
}

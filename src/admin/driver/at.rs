//! The node that is asked, and what it can be asked.

use std::time::Duration;

use super::since::release;
use crate::error::{Error, ErrorKind, Result};
use crate::net::connection::Connection;
use crate::net::manager::NodeId;
use crate::protocol::{ApiKey, Request, VersionRange};

/// Where a request goes, and in which version.
pub(in crate::admin) struct At {
    pub(in crate::admin) version: i16,
    /// The time that the broker may take.
    pub(in crate::admin) left: Duration,
    what: &'static str,
    node: NodeId,
    api: ApiKey,
    theirs: VersionRange,
}

impl At {
    /// The newest version in common.
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedVersion`], with the release that brought the API.
    pub(super) fn new<R: Request>(
        connection: &Connection,
        what: &'static str,
        newest: i16,
        left: Duration,
    ) -> Result<Self> {
        let api = R::API_KEY;
        let node = connection.node();
        let Some(theirs) = connection.versions().get(api) else {
            let text = match release(api, R::VERSIONS.min) {
                Some(since) => format!(
                    "{what}: needs Kafka {since} or newer ({} API); node {node} has no such API",
                    api.name()
                ),
                None => format!("{what}: node {node} has no {} API", api.name()),
            };
            return Err(Error::new(ErrorKind::UnsupportedVersion, text));
        };
        let version = connection.pick_version::<R>(newest).map_err(|error| error.context(what))?;
        Ok(Self { version, left, what, node, api, theirs })
    }

    /// Refuses a feature that needs a newer version of the API than the broker's.
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedVersion`], naming the feature, the release that brought it, and what the broker
    /// offers.
    pub(in crate::admin) fn need(&self, version: i16, feature: &str) -> Result<()> {
        if self.version >= version {
            return Ok(());
        }
        let since = release(self.api, version).unwrap_or("of a later release");
        let text = format!(
            "{}: {feature} needs Kafka {since} or newer ({} version {version}); node {} offers versions {} to {}",
            self.what,
            self.api.name(),
            self.node,
            self.theirs.min,
            self.theirs.max
        );
        Err(Error::new(ErrorKind::UnsupportedVersion, text))
    }

    /// The broker that is asked; a controller that is no broker has none.
    pub(in crate::admin) fn broker(&self) -> Option<i32> {
        match self.node {
            NodeId::Broker(id) => Some(id),
            _ => None,
        }
    }

    /// The time that the broker may take, as requests have it.
    pub(in crate::admin) fn timeout_ms(&self) -> i32 {
        i32::try_from(self.left.as_millis()).unwrap_or(i32::MAX)
    }
}

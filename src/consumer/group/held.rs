//! Requests that the coordinator may hold for minutes: JoinGroup and SyncGroup, until all members are there.
//!
//! Such a wait says nothing of the broker: it may have frozen, or the group may have moved to another one that this
//! connection will never hear of. So the broker is asked meanwhile, by its other connection, whether it is still the
//! coordinator. What it answers costs it a look at its metadata, and needs no member.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};

use super::coordinator::Coordinator;
use crate::cluster::CoordinatorType;
use crate::error::{Error, ErrorKind, Result};
use crate::net::clock::FAR;
use crate::net::connection::Connection;
use crate::net::manager::NodeId;
use crate::protocol::Request;

impl Coordinator {
    /// As [`request`](Self::request), for one that the coordinator may hold for as long as `patience`.
    ///
    /// # Errors
    /// What became of the request; retriable when the coordinator is silent meanwhile, or is another one.
    pub(super) async fn held_request<R: Request>(
        &self,
        patience: Duration,
        request: impl FnOnce(i16) -> R,
    ) -> Result<R::Response> {
        let connection = self.connection().await?;
        let version = connection.pick_version::<R>(i16::MAX)?;
        let request = request(version);
        let held = pin!(connection.send_at(&request, version, patience));
        let answer = match select(held, pin!(self.silence(&connection))).await {
            Either::Left((answer, _)) => answer,
            Either::Right((error, _)) => {
                // Nothing else that waits there will have an answer.
                connection.close(error.clone());
                Err(error)
            }
        };
        answer.inspect_err(|error| {
            if matches!(error.kind(), ErrorKind::Connection | ErrorKind::Timeout) {
                self.forget(error);
            }
        })
    }

    /// Comes to an end when the node at the other end does not answer elsewhere either, or coordinates no more.
    async fn silence(&self, connection: &Connection) -> Error {
        let (cluster, config) = (&self.0.cluster, &self.0.config);
        let NodeId::Coordinator(node) = connection.node() else {
            cluster.net().sleep(FAR).await;
            return cluster.timeout("waiting for the group");
        };
        // Behind a fetch that waits for records it takes its time.
        let timeout = config.common.request_timeout.saturating_add(config.fetch_max_wait);
        loop {
            cluster.net().sleep(config.heartbeat_interval).await;
            let asked = cluster.ask_coordinator(
                NodeId::Broker(node),
                CoordinatorType::Group,
                &self.0.group_id,
                timeout,
            );
            match asked.await {
                Ok(now) if now != node => {
                    let text =
                        format!("node {node} coordinates group {} no more: node {now} does", self.0.group_id);
                    return Error::new(ErrorKind::Connection, text).with_retriable(true);
                }
                Err(error) if matches!(error.kind(), ErrorKind::Connection | ErrorKind::Timeout) => {
                    return error.context("the coordinator is silent, by its other connection too");
                }
                // Whatever it says, it is there.
                Ok(_) | Err(_) => {}
            }
        }
    }
}

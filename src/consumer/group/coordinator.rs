//! Finds the group's coordinator, and drops it as soon as something is wrong with it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use super::sensors::GroupMeter;
use super::turn::Turn;
use crate::cluster::{Cluster, CoordinatorType, retriable};
use crate::config::ConsumerConfig;
use crate::consumer::event::Events;
use crate::consumer::group::member::Member;
use crate::error::{Error, ErrorKind, Result};
use crate::error_code::ErrorCode;
use crate::net::backoff::Backoff;
use crate::net::connection::Connection;
use crate::net::manager::NodeId;
use crate::protocol::Request;

/// The IO side of the group. Cheap to clone; it lives on the IO thread.
#[derive(Clone)]
pub(in crate::consumer) struct Coordinator(pub(super) Rc<Inner>);

pub(super) struct Inner {
    pub(super) cluster: Cluster,
    pub(super) config: Rc<ConsumerConfig>,
    pub(super) events: Events,
    pub(super) group_id: String,
    node: Cell<Option<i32>>,
    /// Why the coordinator could not be reached the last time; gone with the next success.
    trouble: RefCell<Option<Error>>,
    /// One search at a time; the others share what it finds.
    search: Turn,
    pub(super) member: RefCell<Member>,
    /// One commit at a time, so that an older one never overtakes a newer one.
    pub(super) commits: Turn,
}

impl Coordinator {
    pub(in crate::consumer) fn new(
        cluster: &Cluster,
        config: &Rc<ConsumerConfig>,
        events: &Events,
        group_id: &str,
    ) -> Self {
        Self(Rc::new(Inner {
            cluster: cluster.clone(),
            config: Rc::clone(config),
            events: events.clone(),
            group_id: group_id.to_owned(),
            node: Cell::new(None),
            trouble: RefCell::new(None),
            search: Turn::default(),
            member: RefCell::default(),
            commits: Turn::default(),
        }))
    }

    pub(super) fn backoff(&self, failures: u32) -> Duration {
        let config = &self.0.config.common;
        Backoff { initial: config.retry_backoff, max: config.retry_backoff_max }
            .after(failures, self.0.cluster.net().random())
    }

    pub(in crate::consumer) fn node(&self) -> Option<i32> {
        self.0.node.get()
    }

    /// Why the coordinator cannot be reached, as far as it was tried.
    pub(in crate::consumer) fn trouble(&self) -> Option<Error> {
        self.0.trouble.borrow().clone()
    }

    /// The next request looks for the coordinator anew.
    pub(super) fn forget(&self, why: impl std::fmt::Display) {
        if let Some(node) = self.0.node.take() {
            log::info!("group {}: node {node} is not the coordinator any more: {why}", self.0.group_id);
        }
    }

    /// Whether the code says that the coordinator is another one, which is then looked for.
    pub(super) fn has_moved(&self, code: ErrorCode) -> bool {
        let moved = matches!(code, ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_NOT_AVAILABLE);
        if moved {
            self.forget(code);
        }
        moved
    }

    /// The connection to the coordinator; finds it first, as often as it takes.
    ///
    /// # Errors
    /// What another try will not mend, such as missing rights for the group.
    pub(super) async fn connection(&self) -> Result<Connection> {
        let mut failures = 0;
        loop {
            let error = match self.try_connection().await {
                Ok(connection) => {
                    *self.0.trouble.borrow_mut() = None;
                    return Ok(connection);
                }
                Err(error) if error.is_retriable() => error,
                Err(error) => return Err(error),
            };
            log::debug!("group {}: {error}", self.0.group_id);
            self.forget(&error);
            *self.0.trouble.borrow_mut() = Some(error);
            failures += 1;
            self.0.cluster.net().sleep(self.backoff(failures)).await;
        }
    }

    async fn try_connection(&self) -> Result<Connection> {
        let node = match self.0.node.get() {
            Some(node) => node,
            None => {
                let _turn = self.0.search.take().await;
                match self.0.node.get() {
                    Some(node) => node,
                    None => self.find().await?,
                }
            }
        };
        let connection = self.0.cluster.manager().connection(NodeId::Coordinator(node)).await;
        if connection.is_err() {
            // It may be down, or have left the cluster: whoever comes next asks another broker.
            self.0.cluster.request_update();
        }
        connection.map_err(retriable)
    }

    async fn find(&self) -> Result<i32> {
        let (cluster, group_id) = (&self.0.cluster, &self.0.group_id);
        let id = cluster.find_coordinator(CoordinatorType::Group, group_id).await?;
        log::info!("group {group_id}: node {id} is the coordinator");
        self.0.node.set(Some(id));
        Ok(id)
    }

    /// One request to the coordinator. A connection that fails makes it be looked for anew.
    ///
    /// # Errors
    /// What became of the request; retriable where only the connection was lost.
    pub(super) async fn request<R: Request>(
        &self,
        cap: i16,
        timeout: Duration,
        request: impl FnOnce(i16) -> R,
    ) -> Result<R::Response> {
        let connection = self.connection().await?;
        let version = connection.pick_version::<R>(cap)?;
        let answer = connection.send_at(&request(version), version, timeout).await;
        answer.inspect_err(|error| {
            if matches!(error.kind(), ErrorKind::Connection | ErrorKind::Timeout) {
                self.forget(error);
            }
        })
    }

    pub(super) fn meter(&self) -> &GroupMeter {
        &self.0.events.shared().meter
    }

    /// A code as an error that names the group.
    pub(super) fn error(&self, code: ErrorCode, what: &str) -> Error {
        Error::from_code(code, format_args!("{what} of group {}", self.0.group_id))
    }
}

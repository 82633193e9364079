//! The admin client: topics, partitions and the cluster. One file a noun.
//!
//! Each call runs as one task on the client's IO thread. Calls that change something go to the controller, and
//! follow it when it moves; calls that only ask go to any broker and are made again until the time is over.

mod acls;
mod builder;
mod cluster;
mod groups;
mod partitions;
mod topics;
mod transactions;
pub(crate) mod words;

use std::fmt;
use std::future::Future;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub use acls::{AclOperation, authorized_operations};
pub use builder::AdminBuilder;
pub use cluster::ClusterDescription;
pub use groups::{GroupState, GroupType};
pub use partitions::NewPartitions;
pub use topics::{CreatedTopic, NewTopic, PartitionDescription, TopicDescription, TopicRef};
pub use transactions::TransactionState;

use crate::cluster::{Cluster, ClusterMetadata, GRACE};
use crate::config::AdminConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::error_code::ErrorCode;
use crate::metrics::{MetricsSnapshot, Registry};
use crate::net::backoff::Backoff;
use crate::net::bridge::IoThread;
use crate::net::clock::Clock;
use crate::net::connection::Connection;
use crate::net::manager::NodeId;
use crate::protocol::Request;

/// Manages a Kafka cluster. Thread-safe: share it by reference or in an `Arc`.
///
/// Owns one IO thread. A call is bounded by `default_api_timeout`, unless it takes a timeout of its own. Calls
/// on several things answer for each of them, in the order in which they were given: the outer result tells
/// whether the question reached the cluster, the inner ones what became of each.
///
/// ```
/// use kavka::admin::{KafkaAdminClient, NewTopic};
/// # let cluster = kavka::mock::MockCluster::start()?;
/// # let servers = cluster.bootstrap_servers();
///
/// let admin = KafkaAdminClient::builder().bootstrap_servers(servers).build()?;
/// for (topic, result) in admin.create_topics([NewTopic::new("orders").partitions(6)])? {
///     println!("{topic}: {:?}", result?);
/// }
/// # Ok::<(), kavka::Error>(())
/// ```
pub struct KafkaAdminClient {
    config: AdminConfig,
    clock: Clock,
    view: ClusterMetadata,
    metrics: Registry,
    io: IoThread<Admin>,
    closed: AtomicBool,
}

impl KafkaAdminClient {
    /// A builder with kafka-python's options and defaults.
    pub fn builder() -> AdminBuilder {
        AdminBuilder::default()
    }

    /// Waits until the cluster's brokers are known, for programs that want to know at the start whether they
    /// can be reached.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`], with the failure of each address.
    pub fn bootstrap(&self, timeout: Duration) -> Result<()> {
        self.run(timeout, "bootstrap", |admin, _| async move {
            admin.cluster.bootstrap().await;
            Ok(())
        })
    }

    /// Whether the cluster's brokers are known.
    pub fn bootstrap_connected(&self) -> bool {
        self.view.snapshot().version() > 0
    }

    /// What the client knows of the cluster.
    pub fn cluster(&self) -> &ClusterMetadata {
        &self.view
    }

    /// What the client counts and measures, as it is now: see [`metrics`](crate::metrics).
    pub fn metrics(&self) -> MetricsSnapshot {
        self.metrics.snapshot()
    }

    /// The options in effect.
    pub fn config(&self) -> &AdminConfig {
        &self.config
    }

    /// Ends calls that are under way with [`ErrorKind::Closed`], closes the connections and stops the IO
    /// thread. A second call does nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] when the thread did not end within `timeout`.
    pub fn close(&self, timeout: Duration) -> Result<()> {
        if self.closed.swap(true, Ordering::AcqRel) || self.io.shutdown(timeout) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Timeout, format!("the IO thread did not end within {timeout:?}")))
    }

    /// The bound of calls that name none.
    fn default_timeout(&self) -> Duration {
        self.config.common.default_api_timeout
    }

    /// Runs a call on the IO thread. `f` gets the deadline, too.
    fn run<T, F, Fut>(&self, timeout: Duration, what: &'static str, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(Rc<Admin>, Instant) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T>> + 'static,
    {
        let deadline = self.clock.deadline(timeout);
        self.io.run(deadline + GRACE, what, move |admin| async move {
            let cluster = admin.cluster.clone();
            cluster.within(deadline, what, f(admin, deadline)).await
        })
    }
}

impl Drop for KafkaAdminClient {
    /// Closes within `drop_timeout`.
    fn drop(&mut self) {
        if let Err(error) = self.close(self.config.common.drop_timeout) {
            log::warn!("dropped an admin client: {error}");
        }
    }
}

impl fmt::Debug for KafkaAdminClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaAdminClient")
            .field("client_id", &self.config.common.client_id)
            .finish_non_exhaustive()
    }
}

/// The part that lives on the IO thread.
struct Admin {
    cluster: Cluster,
    config: AdminConfig,
}

impl Admin {
    /// Sends a request that changes something to the controller, and follows it when it has moved.
    ///
    /// `request` makes the request for a version and the time that the broker may take. A request that may have
    /// been carried out when its connection was lost is not sent again.
    async fn to_controller<R: Request>(
        &self,
        deadline: Instant,
        request: impl Fn(i16, Duration) -> Result<R>,
        moved: impl Fn(&R::Response) -> bool,
    ) -> Result<R::Response> {
        let mut failures = 0;
        loop {
            self.cluster.bootstrap().await;
            // With KRaft the metadata names some broker here: each of them hands requests on.
            let controller = self.cluster.snapshot().controller().map(NodeId::Broker);
            let connection = match self.connect(controller).await {
                Ok(connection) => connection,
                Err(error) => {
                    self.pause(&mut failures, error).await?;
                    continue;
                }
            };
            let version = connection.pick_version::<R>(i16::MAX)?;
            let request = request(version, self.time_for_broker(deadline))?;
            let response = connection.send_at(&request, version, self.config.common.request_timeout).await?;
            if !moved(&response) {
                return Ok(response);
            }
            let error = Error::from_code(ErrorCode::NOT_CONTROLLER, "the controller has moved");
            self.pause(&mut failures, error).await?;
        }
    }

    /// Sends a request that changes nothing to any broker, and again to another one when that fails.
    async fn to_any<R: Request>(&self, request: impl Fn(i16) -> Result<R>) -> Result<R::Response> {
        let mut failures = 0;
        loop {
            let error = match self.ask_any(&request).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            self.pause(&mut failures, error).await?;
        }
    }

    async fn ask_any<R: Request>(&self, request: &impl Fn(i16) -> Result<R>) -> Result<R::Response> {
        let connection = self.connect(None).await?;
        let version = connection.pick_version::<R>(i16::MAX)?;
        connection.send_at(&request(version)?, version, self.config.common.request_timeout).await
    }

    async fn connect(&self, node: Option<NodeId>) -> Result<Connection> {
        let manager = self.cluster.manager();
        let node = node.or_else(|| manager.least_loaded_node()).ok_or_else(|| {
            Error::new(ErrorKind::Configuration, "bootstrap.servers is empty: name a broker as host:port")
        })?;
        manager.connection(node).await
    }

    /// Waits before another try and has the metadata refreshed; or returns the error when no try can help.
    async fn pause(&self, failures: &mut u32, error: Error) -> Result<()> {
        if !error.is_retriable() {
            return Err(error);
        }
        log::debug!("trying again: {error}");
        *failures += 1;
        let common = &self.config.common;
        let backoff = Backoff { initial: common.retry_backoff, max: common.retry_backoff_max };
        let net = self.cluster.net();
        self.cluster.request_update();
        net.sleep(backoff.after(*failures, net.random())).await;
        Ok(())
    }

    /// What is left for the broker's own waiting: it has to answer before the request times out here.
    fn time_for_broker(&self, deadline: Instant) -> Duration {
        let left = deadline.saturating_duration_since(self.cluster.net().now());
        left.min(self.config.common.request_timeout)
    }
}

/// A broker's verdict on one item, with the words that it added.
fn verdict(code: ErrorCode, message: Option<&str>, what: &str) -> Result<()> {
    match message.filter(|message| !message.is_empty()) {
        _ if code.is_ok() => Ok(()),
        Some(message) => Err(Error::from_code(code, format_args!("{what} ({message})"))),
        None => Err(Error::from_code(code, what)),
    }
}

/// The error of an item that the broker did not answer for.
fn unanswered(what: &str) -> Error {
    Error::new(ErrorKind::Protocol, format!("{what}: the broker's answer leaves it out"))
}

fn millis(time: Duration) -> i32 {
    i32::try_from(time.as_millis()).unwrap_or(i32::MAX)
}

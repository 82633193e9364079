//! The admin client: a module a noun, each with an example. `driver` brings their questions to the brokers.
//!
//! Each call runs as one task on the client's IO thread.

pub mod acls;
mod builder;
pub mod cluster;
pub mod configs;
mod driver;
pub mod features;
pub mod group_offsets;
pub mod groups;
pub mod log_dirs;
pub mod partitions;
pub mod quorum;
pub mod quotas;
pub mod telemetry;
pub mod tokens;
pub mod topics;
pub mod transactions;
pub mod users;
pub(crate) mod words;

use std::cell::OnceCell;
use std::fmt;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub use acls::{
    Acl, AclFilter, AclOperation, AclPermissionType, PatternType, ResourcePattern, ResourceType,
    authorized_operations,
};
pub use builder::AdminBuilder;
pub use cluster::{BrokerApiVersions, ClusterDescription};
pub use configs::{
    AlterConfigOp, ConfigChanges, ConfigEntry, ConfigKeys, ConfigResource, ConfigResourceType, ConfigSource,
    ConfigSynonym, ConfigType, DescribeConfigsOptions, ResourceConfigs,
};
pub use features::{FeatureMetadata, FeatureUpdate, FeatureUpgradeType};
pub use group_offsets::{GroupOffsetsSpec, OffsetReset, ShareGroupOffset, ShareGroupOffsetsSpec};
pub use groups::{
    ClassicGroupDescription, ClassicMember, ConsumerGroupDescription, ConsumerMember, GlobalStore,
    GroupDescription, GroupFilter, GroupListing, GroupState, GroupType, InternalTopic, MemberToRemove,
    ShareGroupDescription, ShareMember, StreamsGroupDescription, StreamsMember, StreamsTasks, Subtopology,
    TaskOffset, TopologyDescription, TopologyNode, TopologyNodeKind, TopologyStatus, TopologySubgraph,
};
pub use log_dirs::{LogDir, LogDirReplica, ReplicaLogDirs, ReplicaPlace, TopicPartitionReplica};
pub use partitions::{
    Election, ElectionType, NewPartitions, PartitionOffset, PartitionReassignment, RecordsToDelete,
};
pub use quorum::{QuorumEndpoint, QuorumInfo, QuorumReplica};
pub use quotas::{ClientQuotaAlteration, ClientQuotaEntity, ClientQuotaFilter, ClientQuotas};
pub use tokens::{DelegationToken, KafkaPrincipal, NewDelegationToken};
pub use topics::{
    CreatedTopic, NewTopic, PartitionDescription, TopicDescription, TopicListing, TopicPartitionCursor,
    TopicPartitionsPage, TopicRef,
};
pub use transactions::{
    AbortTransactionSpec, HangingTransaction, HangingTransactionFilter, ProducerIdAndEpoch, ProducerState,
    TransactionDescription, TransactionFilter, TransactionListing, TransactionState,
};
pub use users::{ScramCredentialInfo, ScramMechanism, UserScramCredentialAlteration};

use crate::cluster::{Cluster, ClusterMetadata, GRACE};
use crate::config::AdminConfig;
use crate::error::{Error, ErrorKind, Result, printable};
use crate::error_code::ErrorCode;
use crate::metrics::{MetricsSnapshot, Registry};
use crate::net::bridge::IoThread;
use crate::net::clock::Clock;
use crate::protocol::Uuid;

use driver::{At, Call, Item, Route, metadata_request, unanswered};

/// What became of each of several things, in the order in which they were given.
pub type Results<K, T> = Vec<(K, Result<T>)>;

/// Manages a Kafka cluster. Thread-safe: share it by reference or in an `Arc`.
///
/// Owns one IO thread. A call is bounded by `default_api_timeout`, or by what
/// [`with_timeout`](Self::with_timeout) says. Calls on several things answer for each of them, in the order in
/// which they were given: the outer result tells whether the cluster could be reached at all, the inner ones
/// what became of each. What another try can mend is tried again until the time is over: a controller,
/// coordinator or leader that has moved, a lost connection. A request that would not do the same thing when
/// it is sent twice, such as the one that deletes a topic, is not sent again when its answer was lost; the error
/// says that it may have been carried out.
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
    client: Arc<Client>,
    timeout: Duration,
}

/// What the handles on one client share.
struct Client {
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

    fn new(
        config: AdminConfig,
        clock: Clock,
        view: ClusterMetadata,
        metrics: Registry,
        io: IoThread<Admin>,
    ) -> Self {
        let timeout = config.common.default_api_timeout;
        Self {
            client: Arc::new(Client { config, clock, view, metrics, io, closed: AtomicBool::new(false) }),
            timeout,
        }
    }

    /// The same client with another bound on its calls: `admin.with_timeout(SHORT).list_topics()`.
    ///
    /// Costs one reference count. The client is closed when its last handle is dropped.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { client: Arc::clone(&self.client), timeout }
    }

    /// Waits until the cluster's brokers are known, for programs that want to know at the start whether they
    /// can be reached.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`], with the failure of each address.
    pub fn bootstrap(&self, timeout: Duration) -> Result<()> {
        self.with_timeout(timeout).call("bootstrap", |_, _| async move { Ok(()) })
    }

    /// Whether the cluster's brokers are known.
    pub fn bootstrap_connected(&self) -> bool {
        self.client.view.snapshot().version() > 0
    }

    /// What the client knows of the cluster.
    pub fn cluster(&self) -> &ClusterMetadata {
        &self.client.view
    }

    /// What the client counts and measures, as it is now: see [`metrics`](crate::metrics).
    pub fn metrics(&self) -> MetricsSnapshot {
        self.client.metrics.snapshot()
    }

    /// The options in effect.
    pub fn config(&self) -> &AdminConfig {
        &self.client.config
    }

    /// Ends calls that are under way with [`ErrorKind::Closed`], closes the connections and stops the IO
    /// thread, for all handles of the client. A second call does nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] when the thread did not end within `timeout`.
    pub fn close(&self, timeout: Duration) -> Result<()> {
        self.client.close(timeout)
    }

    /// Runs a call on the IO thread, once the cluster's nodes are known.
    ///
    /// `f` keeps to the call's deadline itself, since it can say best what was not done in time.
    fn call<T, F, Fut>(&self, what: &'static str, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(Rc<Admin>, Call) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T>> + 'static,
    {
        let deadline = self.client.clock.deadline(self.timeout);
        self.client.io.run(deadline + GRACE, what, move |admin| async move {
            let cluster = admin.cluster.clone();
            cluster.within(deadline, what, admin.ready()).await?;
            cluster.within(deadline + GRACE / 2, what, f(admin, Call::new(what, deadline))).await
        })
    }
}

impl Client {
    fn close(&self, timeout: Duration) -> Result<()> {
        if self.closed.swap(true, Ordering::AcqRel) || self.io.shutdown(timeout) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Timeout, format!("the IO thread did not end within {timeout:?}")))
    }
}

impl Drop for Client {
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
            .field("client_id", &self.config().common.client_id)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// The part that lives on the IO thread.
struct Admin {
    cluster: Cluster,
    config: AdminConfig,
    /// The id that brokers have given this client for its metrics, once it was asked for.
    instance_id: OnceCell<Uuid>,
}

impl Admin {
    /// Whether calls go to controllers instead of brokers (KIP-919).
    fn to_controllers(&self) -> bool {
        !self.config.bootstrap_controllers.is_empty()
    }

    /// Waits until the cluster's nodes are known.
    async fn ready(&self) -> Result<()> {
        while self.cluster.snapshot().version() == 0 {
            match self.cluster.update().await {
                Err(error) if is_hopeless(&error) => return Err(error),
                // The reason is kept for whoever runs out of time.
                _ => {}
            }
        }
        Ok(())
    }
}

/// Whether no other node can be expected to say anything else.
fn is_hopeless(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Authentication | ErrorKind::Configuration | ErrorKind::UnsupportedVersion => true,
        _ => error.code().is_some() && !error.is_retriable(),
    }
}

/// A broker's verdict on one item, with the words that it added.
fn verdict(code: ErrorCode, message: Option<&str>, what: &str) -> Result<()> {
    match message.filter(|message| !message.is_empty()) {
        _ if code.is_ok() => Ok(()),
        Some(message) => Err(Error::from_code(code, format_args!("{what} ({})", printable(message)))),
        None => Err(Error::from_code(code, what)),
    }
}

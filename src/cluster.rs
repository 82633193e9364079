//! What a client knows of its cluster, and the task that keeps it fresh.
//!
//! [`ClusterMetadata`] is the view: any thread reads the newest [`Snapshot`] without a lock. [`Cluster`] lives
//! on the IO thread and refreshes the view: at once when somebody finds it wrong, on demand for new topics, and
//! when it has reached its maximum age. At most one request is under way, and asks made meanwhile share the
//! next one.

mod controllers;
mod coordinators;
mod merge;
mod search;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use futures_channel::oneshot;

use crate::config::CommonConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::error_code::ErrorCode;
use crate::net::backoff::Backoff;
use crate::net::clock::FAR;
use crate::net::event_loop::Net;
use crate::net::inet::Address;
use crate::net::manager::{Manager, NodeId};
use crate::net::versions::ApiVersions;
use crate::net::wakeup::Wakeup;
use crate::protocol::Uuid;
use crate::protocol::messages::metadata::MetadataRequestTopic;
use crate::protocol::messages::{MetadataRequest, MetadataResponse};
use crate::types::{Node, check_topic_name};

pub(crate) use coordinators::{COORDINATORS_IN_BATCHES_SINCE, CoordinatorType, retriable};
use merge::merge_topic;
use search::Asked;

/// A client's view of its cluster, readable from any thread. Cloning shares the view.
#[derive(Clone, Debug, Default)]
pub struct ClusterMetadata(Arc<ArcSwap<Snapshot>>);

/// The view as one metadata answer left it.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    brokers: HashMap<i32, Node>,
    topics: HashMap<Arc<str>, Arc<TopicMetadata>>,
    controller: Option<i32>,
    cluster_id: Option<String>,
    version: u64,
    refreshed: Option<Instant>,
}

/// A topic and its partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicMetadata {
    /// The name.
    pub name: Arc<str>,
    /// The id that tells a topic from a later one of the same name (KIP-516); [`Uuid::ZERO`] from brokers
    /// before 2.8.
    pub id: Uuid,
    /// Whether it is one of Kafka's own.
    pub is_internal: bool,
    /// What the broker said of the topic last; the partitions are kept when it said that it does not know it.
    pub error: ErrorCode,
    /// The partitions; the index is the partition's number.
    pub partitions: Vec<PartitionMetadata>,
}

/// Who leads a partition, and who follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionMetadata {
    /// The leader's node id, unless there is none now.
    pub leader: Option<i32>,
    /// Grows with every change of the leader; `None` where the broker does not tell (KIP-320).
    pub leader_epoch: Option<i32>,
    /// All replicas.
    pub replicas: Vec<i32>,
    /// The replicas in sync.
    pub isr: Vec<i32>,
    /// The replicas that cannot be reached.
    pub offline_replicas: Vec<i32>,
}

impl ClusterMetadata {
    /// The newest view.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    /// A look at the newest view that takes no reference count; for hot paths.
    #[inline]
    pub(crate) fn with<T>(&self, look: impl FnOnce(&Snapshot) -> T) -> T {
        look(&self.0.load())
    }
}

impl Snapshot {
    /// All brokers, in no order.
    pub fn brokers(&self) -> impl Iterator<Item = &Node> {
        self.brokers.values()
    }

    /// A broker by its id.
    pub fn broker(&self, id: i32) -> Option<&Node> {
        self.brokers.get(&id)
    }

    /// All topics that have been asked for, in no order.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<TopicMetadata>> {
        self.topics.values()
    }

    /// A topic, if it has been asked for and exists.
    pub fn topic(&self, name: &str) -> Option<&Arc<TopicMetadata>> {
        self.topics.get(name)
    }

    /// A topic's name by its id.
    pub fn topic_name(&self, id: Uuid) -> Option<&Arc<str>> {
        if id == Uuid::ZERO {
            return None;
        }
        self.topics.values().find(|topic| topic.id == id).map(|topic| &topic.name)
    }

    /// A partition.
    pub fn partition(&self, topic: &str, partition: i32) -> Option<&PartitionMetadata> {
        self.topic(topic)?.partitions.get(usize::try_from(partition).ok()?)
    }

    /// The node that leads a partition.
    pub fn leader(&self, topic: &str, partition: i32) -> Option<i32> {
        self.partition(topic, partition)?.leader
    }

    /// The controller's node id.
    pub fn controller(&self) -> Option<i32> {
        self.controller
    }

    /// The cluster's id.
    pub fn cluster_id(&self) -> Option<&str> {
        self.cluster_id.as_deref()
    }

    /// Counts the changes of the view; 0 before the first.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// When a broker last answered with metadata.
    pub fn refreshed_at(&self) -> Option<Instant> {
        self.refreshed
    }
}

/// Keeps the view fresh. Lives on the IO thread; cheap to clone.
#[derive(Clone)]
pub struct Cluster(Rc<Inner>);

struct Inner {
    manager: Manager,
    config: CommonConfig,
    bootstrap: Vec<Address>,
    /// The canonical names in their place, once they have been looked up (KIP-235).
    canonical: RefCell<Option<Vec<Address>>>,
    allow_auto_create: bool,
    /// The nodes are controllers, and what is known of them is asked of them (KIP-919).
    of_controllers: bool,
    view: ClusterMetadata,
    wanted: RefCell<BTreeSet<Arc<str>>>,
    /// Ask for all topics of the cluster instead of the wanted ones.
    want_all: Cell<bool>,
    update_wanted: Cell<bool>,
    /// The update is for something new, not for something that failed: it need not wait.
    urgent: Cell<bool>,
    refresh: Wakeup,
    /// Those who wait for the end of a refresh that starts after they asked.
    waiting: RefCell<Vec<oneshot::Sender<Result<()>>>>,
    /// Fresh-looking answers whose leader epoch was below the known one, in a row.
    stale_answers: Cell<u32>,
    /// What the broker speaks that answered last.
    versions: RefCell<Option<ApiVersions>>,
    /// The node whose answer was of no use: the next request rather goes to another.
    avoid: Cell<Option<NodeId>>,
    last_error: RefCell<Option<Error>>,
    listeners: RefCell<Vec<Wakeup>>,
}

impl Cluster {
    /// Starts with the bootstrap list and begins to refresh once somebody asks.
    ///
    /// `allow_auto_create` lets metadata requests create topics, where the brokers allow it too.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] when an address of the bootstrap list cannot be parsed.
    pub fn new(
        manager: Manager,
        config: &CommonConfig,
        allow_auto_create: bool,
        view: ClusterMetadata,
    ) -> Result<Self> {
        Self::start(manager, config, &config.bootstrap_servers, allow_auto_create, false, view)
    }

    /// As [`new`](Self::new), for the controllers of a cluster instead of its brokers (KIP-919): they tell of
    /// each other, and know no topics.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] when an address cannot be parsed.
    pub fn of_controllers(
        manager: Manager,
        config: &CommonConfig,
        controllers: &[String],
        view: ClusterMetadata,
    ) -> Result<Self> {
        Self::start(manager, config, controllers, false, true, view)
    }

    fn start(
        manager: Manager,
        config: &CommonConfig,
        servers: &[String],
        allow_auto_create: bool,
        of_controllers: bool,
        view: ClusterMetadata,
    ) -> Result<Self> {
        let bootstrap: Vec<Address> = servers.iter().map(|server| server.parse()).collect::<Result<_>>()?;
        let cluster = Self(Rc::new(Inner {
            manager,
            config: config.clone(),
            bootstrap,
            canonical: RefCell::new(None),
            allow_auto_create,
            of_controllers,
            view,
            wanted: RefCell::default(),
            want_all: Cell::new(false),
            update_wanted: Cell::new(false),
            urgent: Cell::new(false),
            refresh: Wakeup::new(),
            waiting: RefCell::default(),
            stale_answers: Cell::new(0),
            versions: RefCell::new(None),
            avoid: Cell::new(None),
            last_error: RefCell::new(None),
            listeners: RefCell::default(),
        }));
        cluster.set_bootstrap_nodes();
        let net = cluster.net().clone();
        net.spawn(cluster.clone().keep_fresh());
        Ok(cluster)
    }

    /// The event loop's handle.
    pub fn net(&self) -> &Net {
        self.0.manager.net()
    }

    /// The connections.
    pub fn manager(&self) -> &Manager {
        &self.0.manager
    }

    /// The view.
    pub fn view(&self) -> &ClusterMetadata {
        &self.0.view
    }

    /// The newest view.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.view.snapshot()
    }

    /// What the broker speaks that answered the last refresh; `None` before the first.
    pub fn versions(&self) -> Option<ApiVersions> {
        self.0.versions.borrow().clone()
    }

    /// Is woken after every change of the view.
    pub fn add_listener(&self, wakeup: Wakeup) {
        self.0.listeners.borrow_mut().push(wakeup);
    }

    /// Asks for a refresh, soon: the last one may have been too recent.
    pub fn request_update(&self) {
        self.0.update_wanted.set(true);
        self.0.refresh.notify();
    }

    /// Waits for a refresh that starts after this call.
    ///
    /// # Errors
    /// Why that refresh failed; the next one is tried after a pause.
    pub async fn update(&self) -> Result<()> {
        let (sender, receiver) = oneshot::channel();
        self.0.waiting.borrow_mut().push(sender);
        self.request_update();
        let closed = || Error::new(ErrorKind::Closed, "the client was closed while metadata was refreshed");
        receiver.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Waits until the brokers of the cluster are known.
    ///
    /// # Errors
    /// [`ErrorKind::Authentication`] when a broker refuses the client (KIP-152).
    pub async fn bootstrap(&self) -> Result<()> {
        while self.snapshot().version() == 0 {
            self.try_update().await?;
        }
        Ok(())
    }

    /// Waits for a refresh. A refused login ends the wait of whoever needs it; other failures are kept for those
    /// who run out of time.
    async fn try_update(&self) -> Result<()> {
        match self.update().await {
            Err(error) if error.kind() == ErrorKind::Authentication => Err(error),
            _ => Ok(()),
        }
    }

    /// Keeps a topic in the view from now on. Returns whether it is new.
    pub fn add_topic(&self, name: &str) -> bool {
        !self.0.wanted.borrow().contains(name) && self.0.wanted.borrow_mut().insert(Arc::from(name))
    }

    /// Replaces the topics that are kept in the view, and refreshes when one is new.
    pub fn set_topics(&self, names: impl IntoIterator<Item = Arc<str>>) {
        let wanted: BTreeSet<Arc<str>> = names.into_iter().collect();
        let known = self.0.view.with(|view| wanted.iter().all(|name| view.topics.contains_key(name)));
        *self.0.wanted.borrow_mut() = wanted;
        if !known {
            self.0.urgent.set(true);
            self.request_update();
        }
    }

    /// Whether to keep all topics of the cluster in the view.
    pub fn set_want_all(&self, all: bool) {
        if self.0.want_all.replace(all) != all && all {
            self.request_update();
        }
    }

    /// Waits until a topic exists and has partitions.
    ///
    /// A topic that is unknown may be in the making, so the wait goes on until the caller ends it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a name that cannot be one, [`ErrorKind::Authorization`] when the
    /// topic may not be seen, [`ErrorKind::Authentication`] when a broker refuses the client.
    pub async fn topic(&self, name: &str) -> Result<Arc<TopicMetadata>> {
        check_topic_name(name)?;
        if self.add_topic(name) {
            self.0.urgent.set(true);
        }
        let mut asked = false;
        loop {
            if let Some(topic) = self.0.view.with(|view| view.topic(name).cloned()) {
                match topic.error {
                    // What was refused some time ago may be allowed by now.
                    ErrorCode::TOPIC_AUTHORIZATION_FAILED | ErrorCode::INVALID_TOPIC_EXCEPTION if asked => {
                        return Err(Error::from_code(topic.error, "metadata").with_topic(name));
                    }
                    ErrorCode::TOPIC_AUTHORIZATION_FAILED | ErrorCode::INVALID_TOPIC_EXCEPTION => {}
                    _ if !topic.partitions.is_empty() => return Ok(topic),
                    _ => {}
                }
            }
            asked = true;
            self.try_update().await?;
        }
    }

    /// Waits for `future` until `deadline`, and says in the error what stood in the way: the last failure of
    /// each address.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] at the deadline, else what the future returns.
    pub async fn within<T>(
        &self,
        deadline: Instant,
        what: &str,
        future: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        match self.net().until(deadline, future).await {
            Some(result) => result,
            None => Err(self.timeout(what)),
        }
    }

    /// The error of a call that ran out of time waiting for a topic: that the topic does not exist, when a
    /// broker has said so, and else what stood in the way.
    pub fn topic_timeout(&self, topic: &str, waited: Duration) -> Error {
        let seen = self.0.view.with(|view| view.topic(topic).map(|topic| topic.error));
        match seen {
            Some(code) if !code.is_ok() => Error::from_code(
                code,
                format_args!(
                    "no metadata for the topic after {waited:?} (create it, or allow it to be created)"
                ),
            )
            .with_topic(topic),
            _ => self.timeout(&format!("metadata of topic {topic}")),
        }
    }

    /// Why the last look at the cluster failed, if it did.
    pub(crate) fn last_error(&self) -> Option<Error> {
        self.0.last_error.borrow().clone()
    }

    /// What stands between the client and the cluster, as far as it was tried: the first failure of an address, or
    /// that of the last look.
    pub(crate) fn obstacle(&self) -> Option<Error> {
        let manager = &self.0.manager;
        let failed = manager.nodes().into_iter().find_map(|id| manager.last_error(id));
        failed.or_else(|| self.last_error())
    }

    /// The error of a call that ran out of time.
    pub fn timeout(&self, what: &str) -> Error {
        let manager = &self.0.manager;
        let failures: Vec<String> = manager
            .nodes()
            .into_iter()
            .filter(|id| !matches!(id, NodeId::Coordinator(_)))
            .filter_map(|id| manager.last_error(id))
            .map(|error| error.to_string())
            .collect();
        let cause = if failures.is_empty() {
            self.0.last_error.borrow().as_ref().map(Error::to_string).unwrap_or_default()
        } else {
            failures.join("; ")
        };
        let colon = if cause.is_empty() { "" } else { ": " };
        Error::new(ErrorKind::Timeout, format!("timed out: {what}{colon}{cause}"))
    }

    /// The leader of a partition and its epoch.
    pub fn leader(&self, topic: &str, partition: i32) -> Option<(i32, Option<i32>)> {
        self.0.view.with(|view| {
            let partition = view.partition(topic, partition)?;
            Some((partition.leader?, partition.leader_epoch))
        })
    }

    /// Takes a new leader from the answer to another request (KIP-951), if its epoch is newer.
    pub fn update_leader(&self, topic: &str, partition: i32, leader: i32, epoch: i32) -> bool {
        let view = self.snapshot();
        let Some((index, known)) = usize::try_from(partition).ok().zip(view.topic(topic)) else {
            return false;
        };
        let Some(old) = known.partitions.get(index) else { return false };
        if leader < 0 || epoch < 0 || old.leader_epoch.is_some_and(|old| old >= epoch) {
            return false;
        }
        let mut changed = TopicMetadata::clone(known);
        if let Some(slot) = changed.partitions.get_mut(index) {
            slot.leader = Some(leader);
            slot.leader_epoch = Some(epoch);
        }
        let mut next = Snapshot::clone(&view);
        next.version += 1;
        next.topics.insert(Arc::clone(&changed.name), Arc::new(changed));
        self.publish(next);
        true
    }

    /// Adds brokers that another answer has named (KIP-951), so that a new leader can be reached at once.
    pub fn add_broker(&self, node: Node) {
        let view = self.snapshot();
        if view.broker(node.id) == Some(&node) {
            return;
        }
        self.set_broker_node(&node);
        let mut next = Snapshot::clone(&view);
        next.version += 1;
        next.brokers.insert(node.id, node);
        self.publish(next);
    }

    async fn keep_fresh(self) {
        let net = self.net().clone();
        let config = &self.0.config;
        let backoff = Backoff { initial: config.retry_backoff, max: config.retry_backoff_max };
        let pause = |count| backoff.after(count, net.random()).max(SHORTEST_PAUSE);
        let mut refreshed: Option<Instant> = None;
        // Answers in a row that were no use at all, that left something open, and that brought nothing new.
        let (mut errors, mut failures, mut unchanged) = (0u32, 0u32, 0u32);
        let mut failing_since: Option<Instant> = None;
        loop {
            match refreshed {
                // Nothing is asked of the cluster before the first call needs it.
                None => self.0.refresh.notified().await,
                Some(at) => {
                    let expires = at.checked_add(config.metadata_max_age).unwrap_or(at + FAR);
                    net.until(expires, self.0.refresh.notified()).await;
                    if !self.0.update_wanted.get() && net.now() < expires {
                        continue;
                    }
                    if failures > 0 || !self.0.urgent.get() {
                        net.sleep_until(at + pause(failures.max(unchanged).max(1))).await;
                    }
                    // The count is for those who ask again and again, not for the first after a quiet time.
                    if net.now().saturating_duration_since(at) > config.retry_backoff_max.saturating_mul(2) {
                        unchanged = 0;
                    }
                }
            }
            self.0.update_wanted.set(false);
            self.0.urgent.set(false);
            let waiting = std::mem::take(&mut *self.0.waiting.borrow_mut());
            let before = self.snapshot();
            let began = net.now();
            let result = self.refresh_once(errors >= SEARCH_AFTER).await;
            refreshed = Some(net.now());
            match &result {
                Ok(complete) => {
                    let after = self.snapshot();
                    let same = before.topics == after.topics && before.brokers == after.brokers;
                    unchanged = if same { unchanged.saturating_add(1) } else { 0 };
                    failures = if *complete { 0 } else { failures.saturating_add(1) };
                    errors = 0;
                    failing_since = None;
                    *self.0.last_error.borrow_mut() = None;
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    errors = errors.saturating_add(1);
                    log::debug!("metadata refresh failed: {error}");
                    *self.0.last_error.borrow_mut() = Some(error.clone());
                    let failing = net.now().saturating_duration_since(*failing_since.get_or_insert(began));
                    let trigger = config.metadata_recovery_rebootstrap_trigger;
                    let learned = self.0.manager.nodes().iter().any(|id| !matches!(id, NodeId::Bootstrap(_)));
                    if learned && failing >= trigger {
                        self.rebootstrap(&format!("no metadata for {failing:?}"));
                        failing_since = None;
                    } else {
                        // Known brokers may all be gone: the bootstrap list is part of every further search.
                        self.search_bootstrap_list();
                    }
                    self.request_update();
                }
            }
            for waiter in waiting {
                // Who gave up waiting needs no answer.
                let _ = waiter.send(result.clone().map(drop));
            }
        }
    }

    /// One look at the cluster. Returns whether nothing is left open that another one may answer.
    async fn refresh_once(&self, bootstrap_first: bool) -> Result<bool> {
        let Asked { node, versions, version, request, response } = self.ask_around(bootstrap_first).await?;
        self.0.avoid.set(Some(node));
        *self.0.versions.borrow_mut() = Some(versions);
        if response.error_code == ErrorCode::REBOOTSTRAP_REQUIRED {
            self.rebootstrap(&format!("node {node} asks for it"));
            return Err(Error::from_code(response.error_code, "metadata"));
        }
        if !response.brokers.iter().any(|broker| u16::try_from(broker.port).is_ok_and(|port| port > 0)) {
            let text = format!("node {node} answered with no broker in its metadata");
            return Err(Error::new(ErrorKind::Protocol, text).with_retriable(true));
        }
        if matches!(node, NodeId::Bootstrap(_)) {
            self.0.manager.set_origin(node);
        }
        let asked = request.topics.unwrap_or_default();
        let mut complete = self.apply(response, version);
        // An answer that leaves a topic out is as good as one that does not know it.
        self.0.view.with(|view| {
            complete &= asked
                .iter()
                .filter_map(|topic| topic.name.as_deref())
                .all(|name| view.topics.contains_key(name));
        });
        if complete {
            self.0.avoid.set(None);
        }
        Ok(complete)
    }

    fn request(&self, version: i16) -> MetadataRequest {
        let wanted = self.0.wanted.borrow();
        let topic = |name: &Arc<str>| MetadataRequestTopic {
            name: Some(name.to_string()),
            ..MetadataRequestTopic::default()
        };
        let topics = if self.0.want_all.get() {
            // Version 0 has no null list; there the empty one means all.
            if version == 0 { Some(Vec::new()) } else { None }
        } else {
            Some(wanted.iter().map(topic).collect())
        };
        MetadataRequest {
            topics,
            // Below version 4 brokers create topics as they see fit.
            allow_auto_topic_creation: self.0.allow_auto_create || version < 4,
            ..MetadataRequest::default()
        }
    }

    fn apply(&self, response: MetadataResponse, version: i16) -> bool {
        let old = self.snapshot();
        let mut next = Snapshot {
            brokers: HashMap::new(),
            topics: HashMap::new(),
            controller: (response.controller_id >= 0).then_some(response.controller_id),
            cluster_id: response.cluster_id,
            version: old.version + 1,
            refreshed: Some(self.net().now()),
        };
        for broker in response.brokers {
            let Ok(port) = u16::try_from(broker.port) else { continue };
            let node = Node { id: broker.node_id, host: broker.host, port, rack: broker.rack };
            self.set_broker_node(&node);
            next.brokers.insert(node.id, node);
        }
        for id in self.0.manager.nodes() {
            match id {
                NodeId::Broker(broker) | NodeId::Coordinator(broker)
                    if next.brokers.contains_key(&broker) => {}
                _ => self.0.manager.remove_node(id),
            }
        }
        // Epochs of older versions are not reliable: they may be those of the controller's cache (KAFKA-9212).
        let epochs_count = version >= 9;
        let mut complete = true;
        let mut stale = false;
        for topic in response.topics {
            let Some(name) = topic.name.as_deref() else { continue };
            let known = old.topics.get(name);
            let name = known.map_or_else(|| Arc::from(name), |known| Arc::clone(&known.name));
            complete &= topic.error_code.is_ok();
            let merged =
                merge_topic(&name, topic, known, epochs_count, self.0.stale_answers.get() > BELIEVE_AFTER);
            stale |= merged.1;
            complete &= merged.0.partitions.iter().all(|partition| partition.leader.is_some());
            next.topics.insert(name, Arc::new(merged.0));
        }
        self.0.stale_answers.set(if stale { self.0.stale_answers.get() + 1 } else { 0 });
        if !self.0.want_all.get() {
            // A topic that was added while the request was under way is not in the answer.
            for name in self.0.wanted.borrow().iter() {
                if let (false, Some(known)) = (next.topics.contains_key(name), old.topics.get(name)) {
                    next.topics.insert(Arc::clone(name), Arc::clone(known));
                }
            }
        }
        self.publish(next);
        if stale {
            self.request_update();
        }
        complete && !stale
    }

    fn publish(&self, snapshot: Snapshot) {
        self.0.view.0.store(Arc::new(snapshot));
        self.0.listeners.borrow().iter().for_each(Wakeup::notify);
    }

    fn set_broker_node(&self, node: &Node) {
        let address = Address { host: node.host.clone(), port: node.port };
        self.0.manager.set_node(NodeId::Broker(node.id), address.clone());
        self.0.manager.set_node(NodeId::Coordinator(node.id), address);
    }
}

/// How many refreshes fail in a row before the bootstrap list comes before the brokers that were known: with a
/// whole cluster gone, trying each of its brokers first could take minutes.
const SEARCH_AFTER: u32 = 3;

/// Even with `retry.backoff.ms=0` refreshes do not follow each other without a pause.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// How many answers in a row with an old leader epoch are put down to a broker that lags behind; after that
/// they are believed, since a cluster that lost its newest epochs would never be usable again.
const BELIEVE_AFTER: u32 = 5;

/// The time that a caller waits beyond the deadline of its work on the IO thread, so that the error with the
/// cause comes first and the bare one only from a thread that does not answer.
pub(crate) const GRACE: Duration = Duration::from_millis(500);

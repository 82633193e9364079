//! Fetches ahead: one task for each leader, one request under way each, as long as the budget lasts.
//!
//! The fetcher has a position of its own for each partition, which it moves by the headers of the batches that
//! came, so that the next request leaves while the program still reads the last answer. It never decides where
//! a partition begins: the caller says so, and after an error the partition rests until it does again.

mod answers;
mod oversized;
mod places;
mod state;
mod validation;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::buffer::{Budget, PartitionShared};
use super::event::{Event, Events, Slot};
use super::sensors::Sensors;
use super::session::{Asked, Key, Session};
use super::subscription::Change;
use crate::cluster::Cluster;
use crate::config::ConsumerConfig;
use crate::error::{Error, ErrorKind};
use crate::error_code::ErrorCode;
use crate::net::backoff::Backoff;
use crate::net::connection::Connection;
use crate::net::manager::NodeId;
use crate::net::wakeup::Wakeup;
use crate::protocol::Uuid;
use crate::protocol::messages::FetchRequest;
use crate::types::TopicPartition;

use oversized::Suspects;
use state::Log;

/// Cheap to clone; it lives on the IO thread.
#[derive(Clone)]
pub(super) struct Fetcher(Rc<Inner>);

struct Inner {
    cluster: Cluster,
    config: Rc<ConsumerConfig>,
    events: Events,
    budget: Arc<Budget>,
    sensors: Sensors,
    partitions: RefCell<BTreeMap<usize, Fetching>>,
    leaders: RefCell<HashMap<i32, Leader>>,
    /// How many nodes there is something to fetch from.
    active: Cell<usize>,
    /// Nothing more is to be fetched.
    closed: Cell<bool>,
    /// Something is different: partitions, leaders, budget.
    changed: Wakeup,
    /// The view of the cluster that the partitions' topics were compared with last.
    compared: Cell<Option<u64>>,
}

/// A node that is fetched from, by a task of its own.
struct Leader {
    wakeup: Wakeup,
    session: Rc<RefCell<Session>>,
    /// Since when a fetch has been under way.
    asked_at: Option<Instant>,
    /// When the last one was answered.
    answered_at: Option<Instant>,
}

struct Fetching {
    slot: Slot,
    tp: TopicPartition,
    offset: i64,
    last_epoch: i32,
    paused: bool,
    /// An error was reported; the caller says how to go on.
    resting: bool,
    max_bytes: i32,
    retry_at: Option<Instant>,
    failures: u32,
    /// A nearer replica that the leader has named, and until when to believe it (KIP-392).
    nearer: Option<(i32, Instant)>,
    /// A nearer replica has failed: until when to stay with the leader, whatever it names.
    leader_only_until: Option<Instant>,
    /// The leader's epoch in which the offset was found to be in the log (KIP-320), or -1.
    validated_in: i32,
    /// That is being looked up.
    validating: bool,
    log: Option<Log>,
    shared: Arc<PartitionShared>,
}

/// What a request asks for.
struct Plan {
    wanted: BTreeMap<Key, Asked>,
    sent: HashMap<Key, Sent>,
    /// Partitions have to wait because enough of them is buffered.
    held_back: bool,
    /// A nearer replica has failed some partition, so the leader is not to name one.
    leader_only: bool,
}

/// What a request says of a partition, to know its answer by.
#[derive(Clone, Copy)]
struct Sent {
    slot: Slot,
    offset: i64,
    leader_epoch: i32,
}

impl Fetcher {
    pub(super) fn start(
        cluster: &Cluster,
        config: &Rc<ConsumerConfig>,
        events: &Events,
        sensors: &Sensors,
    ) -> Self {
        let changed = Wakeup::new();
        cluster.add_listener(changed.clone());
        let fetcher = Self(Rc::new(Inner {
            cluster: cluster.clone(),
            config: Rc::clone(config),
            events: events.clone(),
            budget: Arc::new(Budget::new(config.buffer_memory, changed.clone())),
            sensors: sensors.clone(),
            partitions: RefCell::default(),
            leaders: RefCell::default(),
            active: Cell::new(0),
            closed: Cell::new(false),
            changed,
            compared: Cell::new(None),
        }));
        cluster.net().spawn(fetcher.clone().supervise());
        fetcher
    }

    /// Takes over what the caller has changed.
    pub(super) fn apply(&self, changes: Vec<Change>) {
        let mut partitions = self.0.partitions.borrow_mut();
        for change in changes {
            match change {
                Change::Remove(index) => drop(partitions.remove(&index)),
                Change::Pause(index, paused) => {
                    if let Some(partition) = partitions.get_mut(&index) {
                        partition.paused = paused;
                    }
                }
                Change::Fetch { slot, tp, offset, leader_epoch, shared } => {
                    let paused = partitions.get(&slot.index).is_some_and(|old| old.tp == tp && old.paused);
                    // The program has been told of what went wrong, which need not be over.
                    let failures = shared.trouble().map_or(0, |trouble| trouble.failures);
                    let now = self.0.cluster.net().now();
                    let partition = Fetching {
                        slot,
                        tp,
                        offset,
                        last_epoch: leader_epoch,
                        paused,
                        resting: false,
                        max_bytes: self.0.config.max_partition_fetch_bytes,
                        retry_at: (failures > 0).then(|| now + self.backoff(failures)),
                        failures,
                        nearer: None,
                        leader_only_until: None,
                        validated_in: -1,
                        validating: false,
                        log: None,
                        shared,
                    };
                    partitions.insert(slot.index, partition);
                }
            }
        }
        drop(partitions);
        self.0.compared.set(None);
        self.0.changed.notify();
    }

    /// Sees to it that every leader has its task, and wakes the tasks when there may be something to do.
    async fn supervise(self) {
        let net = self.0.cluster.net().clone();
        loop {
            let now = net.now();
            let (mut nodes, mut retry_at, mut leaderless) = (BTreeSet::new(), None::<Instant>, false);
            self.find_recreated();
            for partition in self.0.partitions.borrow().values() {
                if partition.paused || partition.resting {
                    continue;
                }
                match self.node_of(partition, now) {
                    Some(node) => drop(nodes.insert(node)),
                    None => leaderless = true,
                }
                if let Some(at) = partition.retry_at.filter(|at| *at > now) {
                    retry_at = Some(retry_at.map_or(at, |earliest| earliest.min(at)));
                }
            }
            if leaderless {
                self.0.cluster.request_update();
            }
            self.0.active.set(nodes.len());
            for node in nodes {
                if !self.0.leaders.borrow().contains_key(&node) {
                    let (wakeup, session) = (Wakeup::new(), Rc::<RefCell<Session>>::default());
                    let session_of = Rc::clone(&session);
                    let leader = Leader {
                        wakeup: wakeup.clone(),
                        session: session_of,
                        asked_at: None,
                        answered_at: None,
                    };
                    self.0.leaders.borrow_mut().insert(node, leader);
                    net.spawn(self.clone().fetch_from(node, wakeup, session));
                }
            }
            self.0.leaders.borrow().values().for_each(|leader| leader.wakeup.notify());
            match retry_at {
                Some(at) => drop(net.until(at, self.0.changed.notified()).await),
                None => self.0.changed.notified().await,
            }
        }
    }

    /// The task of one leader.
    async fn fetch_from(self, node: i32, wakeup: Wakeup, session: Rc<RefCell<Session>>) {
        let net = self.0.cluster.net().clone();
        let mut suspects = Suspects::default();
        let mut failures = 0;
        let mut held_back_wait = SHORT_WAIT;
        loop {
            let plan = self.plan(node, &mut suspects);
            if plan.wanted.is_empty() {
                wakeup.notified().await;
                continue;
            }
            let mut wait = self.0.config.fetch_max_wait;
            if plan.held_back || suspects.any() {
                // A partition that comes free meanwhile must not wait behind the quiet ones for long.
                wait = wait.min(held_back_wait);
                held_back_wait = wait.saturating_mul(2).min(LONGEST_HELD_BACK_WAIT);
            } else {
                held_back_wait = SHORT_WAIT;
            }
            let slots: Vec<Slot> = plan.sent.values().map(|sent| sent.slot).collect();
            match self.exchange(node, &session, plan, wait, suspects.any()).await {
                Ok(true) => {
                    failures = 0;
                    suspects.clear(&slots);
                }
                // Once is how sessions end; again and again would be a tight loop.
                Ok(false) => {
                    failures += 1;
                    net.sleep(self.backoff(failures - 1)).await;
                }
                Err(error) => {
                    log::debug!("fetch from node {node}: {error}");
                    session.borrow_mut().lost();
                    self.forget_replica(node);
                    self.0.cluster.request_update();
                    self.too_large(&error, slots, &mut suspects);
                    let hopeless =
                        matches!(error.kind(), ErrorKind::Authentication | ErrorKind::UnsupportedVersion);
                    if hopeless && failures == 0 {
                        self.0.events.send(Event::Failed(error));
                    }
                    failures += 1;
                    net.sleep(self.backoff(failures)).await;
                }
            }
        }
    }

    /// One request and its answer. Returns whether the answer could be used.
    async fn exchange(
        &self,
        node: i32,
        session: &RefCell<Session>,
        plan: Plan,
        wait: Duration,
        one_batch: bool,
    ) -> Result<bool, Error> {
        let config = &self.0.config;
        let connection = self.0.cluster.manager().connection(NodeId::Broker(node)).await?;
        let has_ids = plan.wanted.values().all(|asked| asked.topic_id != Uuid::ZERO);
        let version =
            connection.pick_version::<FetchRequest>(if has_ids { i16::MAX } else { LAST_BY_NAME })?;
        if version < FIRST_WITH_DIVERGENCE && self.validate(node, &connection, &plan.sent).await? {
            return Ok(true);
        }
        let Plan { mut wanted, sent, leader_only, .. } = plan;
        let by_id = version > LAST_BY_NAME;
        if version < FIRST_WITH_DIVERGENCE {
            wanted.values_mut().for_each(|asked| asked.last_epoch = -1);
        }
        let sessions = version >= FIRST_WITH_SESSIONS && config.enable_incremental_fetch_sessions;
        let part = session.borrow_mut().request(wanted, by_id, sessions);
        let most = if one_batch { 1 } else { usize::try_from(config.fetch_max_bytes).unwrap_or(0) };
        let share = self.0.budget.ask(self.0.active.get(), most);
        let request = FetchRequest {
            max_wait_ms: i32::try_from(wait.as_millis()).unwrap_or(i32::MAX),
            min_bytes: config.fetch_min_bytes,
            max_bytes: i32::try_from(share.bytes()).unwrap_or(i32::MAX),
            isolation_level: config.isolation_level.code(),
            session_id: part.session_id,
            session_epoch: part.session_epoch,
            topics: part.topics,
            forgotten_topics_data: part.forgotten,
            rack_id: if leader_only { String::new() } else { config.client_rack.clone() },
            ..FetchRequest::default()
        };
        connection.ready().await?;
        let net = self.0.cluster.net();
        let began = net.now();
        let answer = connection.start(&request, version, config.common.request_timeout)?;
        self.asking(node, Some(began));
        let answer = answer.await;
        self.asking(node, None);
        let response = answer?;
        let now = net.now();
        self.answered_at(node, now);
        if sessions && !session.borrow_mut().answered(response.error_code, response.session_id) {
            log::debug!("fetch session with node {node}: {}", response.error_code);
            if response.error_code != ErrorCode::FETCH_SESSION_ID_NOT_FOUND
                && response.error_code != ErrorCode::INVALID_FETCH_SESSION_EPOCH
            {
                // A topic may have been created anew.
                self.0.cluster.request_update();
            }
            if !is_session_error(response.error_code) {
                return Err(Error::from_code(response.error_code, "Fetch").with_node(node));
            }
            return Ok(false);
        }
        if !response.error_code.is_ok() {
            return Err(Error::from_code(response.error_code, "Fetch").with_node(node));
        }
        let throttle_ms = response.throttle_time_ms;
        let fetched = self.answered(node, &session.borrow(), &sent, response, by_id);
        self.0.sensors.fetched(&fetched, now.saturating_duration_since(began), throttle_ms, now);
        Ok(true)
    }

    fn asking(&self, node: i32, at: Option<Instant>) {
        if let Some(leader) = self.0.leaders.borrow_mut().get_mut(&node) {
            leader.asked_at = at;
        }
    }

    fn answered_at(&self, node: i32, now: Instant) {
        if let Some(leader) = self.0.leaders.borrow_mut().get_mut(&node) {
            leader.answered_at = Some(now);
        }
    }

    fn plan(&self, node: i32, suspects: &mut Suspects) -> Plan {
        let now = self.0.cluster.net().now();
        let mut plan =
            Plan { wanted: BTreeMap::new(), sent: HashMap::new(), held_back: false, leader_only: false };
        if self.0.closed.get() {
            return plan;
        }
        let full = self.0.budget.is_full();
        let partitions = self.0.partitions.borrow();
        let rests = |partition: &Fetching| {
            let waits = partition.retry_at.is_some_and(|at| at > now);
            partition.paused || partition.resting || waits || self.node_of(partition, now) != Some(node)
        };
        let alone = suspects.next(|slot| {
            partitions.get(&slot.index).is_some_and(|partition| partition.slot == slot && !rests(partition))
        });
        for partition in partitions.values() {
            let tp = &partition.tp;
            if rests(partition) || alone.is_some_and(|slot| slot != partition.slot) {
                continue;
            }
            if full || partition.shared.chunks() >= CHUNKS_AHEAD {
                plan.held_back = true;
                continue;
            }
            let leader_epoch = self.0.cluster.leader(tp.topic(), tp.partition()).and_then(|(_, epoch)| epoch);
            let asked = Asked {
                topic_id: partition.shared.topic_id(),
                offset: partition.offset,
                max_bytes: partition.max_bytes,
                leader_epoch: leader_epoch.unwrap_or(-1),
                last_epoch: partition.last_epoch,
            };
            let key = (tp.shared_topic(), tp.partition());
            plan.leader_only |= partition.leader_only_until.is_some_and(|until| until > now);
            let leader_epoch = asked.leader_epoch;
            let sent = Sent { slot: partition.slot, offset: partition.offset, leader_epoch };
            plan.sent.insert(key.clone(), sent);
            plan.wanted.insert(key, asked);
        }
        plan
    }

    /// Fetches nothing more, and tells the brokers that their sessions are over, so that these make room for
    /// others (KIP-227). The caller bounds the wait: a broker answers behind the fetch that is under way.
    pub(super) async fn close(&self) {
        self.0.closed.set(true);
        let ends: Vec<_> = {
            let leaders = self.0.leaders.borrow();
            leaders.iter().filter_map(|(node, leader)| self.end_session(*node, leader)).collect()
        };
        join_all(ends).await;
    }

    fn end_session(&self, node: i32, leader: &Leader) -> Option<impl Future<Output = ()> + use<>> {
        let session_id = leader.session.borrow_mut().end()?;
        let manager = self.0.cluster.manager();
        // On its other connection, if there is one, the broker is not busy with a fetch.
        let connection = manager
            .connected(NodeId::Coordinator(node))
            .or_else(|| manager.connected(NodeId::Broker(node)))?;
        let timeout = self.0.config.common.request_timeout;
        let end = |connection: &Connection| {
            let version = connection.pick_version::<FetchRequest>(i16::MAX)?;
            let request = FetchRequest { session_id, session_epoch: -1, ..FetchRequest::default() };
            connection.start(&request, version, timeout)
        };
        let answer = end(&connection);
        Some(async move {
            let outcome = match answer {
                Ok(answer) => answer.await.map(drop),
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                log::debug!("end of the fetch session with node {node}: {error}");
            }
        })
    }

    fn backoff(&self, failures: u32) -> Duration {
        let config = &self.0.config.common;
        Backoff { initial: config.retry_backoff, max: config.retry_backoff_max }
            .after(failures, self.0.cluster.net().random())
    }
}

fn is_session_error(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::FETCH_SESSION_ID_NOT_FOUND
            | ErrorCode::INVALID_FETCH_SESSION_EPOCH
            | ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR
            | ErrorCode::UNKNOWN_TOPIC_ID
            | ErrorCode::INCONSISTENT_TOPIC_ID
    )
}

/// Enough to keep the network and the program busy at the same time.
const CHUNKS_AHEAD: usize = 3;

/// How long a broker may wait at first while other partitions are held back: one that comes free waits so long.
const SHORT_WAIT: Duration = Duration::from_millis(5);
/// What that grows to while nothing comes from the others: some thirty requests a second at the most.
const LONGEST_HELD_BACK_WAIT: Duration = Duration::from_millis(32);

/// The last version that names topics by their names.
const LAST_BY_NAME: i16 = 12;
const FIRST_WITH_SESSIONS: i16 = 7;
/// The first version in which brokers look for a truncated log.
const FIRST_WITH_DIVERGENCE: i16 = 12;

//! Fetches ahead: one task for each leader, one request under way each, as long as the budget lasts.
//!
//! The fetcher has a position of its own for each partition, which it moves by the headers of the batches that
//! came, so that the next request leaves while the program still reads the last answer. It never decides where
//! a partition begins: the caller says so, and after an error the partition rests until it does again.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::buffer::{Budget, Chunk, PartitionShared, Reservation};
use super::event::{Event, Events, FetchFailure, Slot};
use super::session::{Asked, Key, Session};
use super::subscription::Change;
use crate::cluster::Cluster;
use crate::config::{ConsumerConfig, IsolationLevel};
use crate::error::{Error, ErrorKind};
use crate::error_code::ErrorCode;
use crate::net::backoff::Backoff;
use crate::net::manager::NodeId;
use crate::net::wakeup::Wakeup;
use crate::protocol::Uuid;
use crate::protocol::messages::fetch::PartitionData;
use crate::protocol::messages::{FetchRequest, FetchResponse};
use crate::record::Batches;
use crate::types::{Node, TopicPartition};

/// Cheap to clone; it lives on the IO thread.
#[derive(Clone)]
pub(super) struct Fetcher(Rc<Inner>);

struct Inner {
    cluster: Cluster,
    config: Rc<ConsumerConfig>,
    events: Events,
    budget: Arc<Budget>,
    partitions: RefCell<BTreeMap<usize, Fetching>>,
    leaders: RefCell<HashMap<i32, Wakeup>>,
    /// Something is different: partitions, leaders, budget.
    changed: Wakeup,
}

struct Fetching {
    slot: Slot,
    tp: TopicPartition,
    offset: i64,
    last_epoch: i32,
    topic_id: Uuid,
    paused: bool,
    /// An error was reported; the caller says how to go on.
    resting: bool,
    max_bytes: i32,
    retry_at: Option<Instant>,
    failures: u32,
    unknown_since: Option<Instant>,
    /// A nearer replica that the leader has named, and until when to believe it (KIP-392).
    nearer: Option<(i32, Instant)>,
    shared: Arc<PartitionShared>,
}

/// What a request asks for.
struct Plan {
    wanted: BTreeMap<Key, Asked>,
    slots: HashMap<Key, (Slot, i64)>,
    /// Partitions have to wait because enough of them is buffered.
    held_back: bool,
}

impl Fetcher {
    pub(super) fn start(cluster: &Cluster, config: &Rc<ConsumerConfig>, events: &Events) -> Self {
        let changed = Wakeup::new();
        cluster.add_listener(changed.clone());
        let limit = usize::try_from(config.fetch_max_bytes).unwrap_or(0).max(1);
        let fetcher = Self(Rc::new(Inner {
            cluster: cluster.clone(),
            config: Rc::clone(config),
            events: events.clone(),
            budget: Arc::new(Budget::new(limit, changed.clone())),
            partitions: RefCell::default(),
            leaders: RefCell::default(),
            changed,
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
                    let view = self.0.cluster.snapshot();
                    // The id of the topic that the position belongs to stays when only the position changes.
                    let known =
                        partitions.get(&slot.index).filter(|old| old.tp == tp).map(|old| old.topic_id);
                    let topic_id = known
                        .filter(|id| *id != Uuid::ZERO)
                        .or_else(|| view.topic(tp.topic()).map(|topic| topic.id))
                        .unwrap_or(Uuid::ZERO);
                    let paused = partitions.get(&slot.index).is_some_and(|old| old.tp == tp && old.paused);
                    let partition = Fetching {
                        slot,
                        tp,
                        offset,
                        last_epoch: leader_epoch,
                        topic_id,
                        paused,
                        resting: false,
                        max_bytes: self.0.config.max_partition_fetch_bytes,
                        retry_at: None,
                        failures: 0,
                        unknown_since: None,
                        nearer: None,
                        shared,
                    };
                    partitions.insert(slot.index, partition);
                }
            }
        }
        drop(partitions);
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
            for node in nodes {
                if !self.0.leaders.borrow().contains_key(&node) {
                    let wakeup = Wakeup::new();
                    self.0.leaders.borrow_mut().insert(node, wakeup.clone());
                    net.spawn(self.clone().fetch_from(node, wakeup));
                }
            }
            self.0.leaders.borrow().values().for_each(Wakeup::notify);
            match retry_at {
                Some(at) => drop(net.until(at, self.0.changed.notified()).await),
                None => self.0.changed.notified().await,
            }
        }
    }

    /// Reports partitions whose topic has another id than the one their position belongs to.
    fn find_recreated(&self) {
        let view = self.0.cluster.snapshot();
        for partition in self.0.partitions.borrow_mut().values_mut() {
            let Some(topic) = view.topic(partition.tp.topic()) else { continue };
            if partition.topic_id == Uuid::ZERO {
                partition.topic_id = topic.id;
            } else if topic.id != Uuid::ZERO && topic.id != partition.topic_id && !partition.resting {
                log::warn!("{}: topic id {} has become {}", partition.tp, partition.topic_id, topic.id);
                partition.topic_id = topic.id;
                partition.resting = true;
                self.0.events.send(Event::FetchFailed(partition.slot, FetchFailure::Recreated));
            }
        }
    }

    fn node_of(&self, partition: &Fetching, now: Instant) -> Option<i32> {
        match partition.nearer {
            Some((node, until)) if until > now => Some(node),
            _ => self.0.cluster.leader(partition.tp.topic(), partition.tp.partition()).map(|(node, _)| node),
        }
    }

    /// The task of one leader.
    async fn fetch_from(self, node: i32, wakeup: Wakeup) {
        let net = self.0.cluster.net().clone();
        let mut session = Session::default();
        let mut failures = 0;
        let mut held_back_wait = SHORT_WAIT;
        loop {
            let plan = self.plan(node);
            if plan.wanted.is_empty() {
                wakeup.notified().await;
                continue;
            }
            let mut wait = self.0.config.fetch_max_wait;
            if plan.held_back {
                // A partition that comes free meanwhile must not wait behind the quiet ones for long.
                wait = wait.min(held_back_wait);
                held_back_wait = wait.saturating_mul(2).min(LONGEST_HELD_BACK_WAIT);
            } else {
                held_back_wait = SHORT_WAIT;
            }
            match self.exchange(node, &mut session, plan, wait).await {
                Ok(true) => failures = 0,
                // Once is how sessions end; again and again would be a tight loop.
                Ok(false) => {
                    failures += 1;
                    net.sleep(self.backoff(failures - 1)).await;
                }
                Err(error) => {
                    log::debug!("fetch from node {node}: {error}");
                    session.lost();
                    self.forget_replica(node);
                    self.0.cluster.request_update();
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
        session: &mut Session,
        plan: Plan,
        wait: Duration,
    ) -> Result<bool, Error> {
        let config = &self.0.config;
        let connection = self.0.cluster.manager().connection(NodeId::Broker(node)).await?;
        let Plan { mut wanted, slots, .. } = plan;
        let has_ids = wanted.values().all(|asked| asked.topic_id != Uuid::ZERO);
        let version =
            connection.pick_version::<FetchRequest>(if has_ids { i16::MAX } else { LAST_BY_NAME })?;
        let by_id = version > LAST_BY_NAME;
        if version < FIRST_WITH_DIVERGENCE {
            wanted.values_mut().for_each(|asked| asked.last_epoch = -1);
        }
        let sessions = version >= FIRST_WITH_SESSIONS && config.enable_incremental_fetch_sessions;
        let part = session.request(wanted, by_id, sessions);
        let leaders = self.0.leaders.borrow().len().max(1);
        let share = i32::try_from(self.0.budget.left() / leaders).unwrap_or(i32::MAX);
        let request = FetchRequest {
            max_wait_ms: i32::try_from(wait.as_millis()).unwrap_or(i32::MAX),
            min_bytes: config.fetch_min_bytes,
            max_bytes: share.max(config.max_partition_fetch_bytes).min(config.fetch_max_bytes),
            isolation_level: config.isolation_level.code(),
            session_id: part.session_id,
            session_epoch: part.session_epoch,
            topics: part.topics,
            forgotten_topics_data: part.forgotten,
            rack_id: config.client_rack.clone(),
            ..FetchRequest::default()
        };
        let response = connection.send_at(&request, version, config.common.request_timeout).await?;
        if sessions && !session.answered(response.error_code, response.session_id) {
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
        self.answered(node, session, &slots, response, by_id);
        Ok(true)
    }

    fn plan(&self, node: i32) -> Plan {
        let now = self.0.cluster.net().now();
        let mut plan = Plan { wanted: BTreeMap::new(), slots: HashMap::new(), held_back: false };
        let full = self.0.budget.left() == 0;
        for partition in self.0.partitions.borrow().values() {
            let tp = &partition.tp;
            let rests =
                partition.paused || partition.resting || partition.retry_at.is_some_and(|at| at > now);
            if rests || self.node_of(partition, now) != Some(node) {
                continue;
            }
            if full || partition.shared.chunks() >= CHUNKS_AHEAD {
                plan.held_back = true;
                continue;
            }
            let leader_epoch = self.0.cluster.leader(tp.topic(), tp.partition()).and_then(|(_, epoch)| epoch);
            let asked = Asked {
                topic_id: partition.topic_id,
                offset: partition.offset,
                max_bytes: partition.max_bytes,
                leader_epoch: leader_epoch.unwrap_or(-1),
                last_epoch: partition.last_epoch,
            };
            let key = (tp.shared_topic(), tp.partition());
            plan.slots.insert(key.clone(), (partition.slot, partition.offset));
            plan.wanted.insert(key, asked);
        }
        plan
    }

    fn answered(
        &self,
        node: i32,
        session: &Session,
        slots: &HashMap<Key, (Slot, i64)>,
        response: FetchResponse,
        by_id: bool,
    ) {
        for endpoint in response.node_endpoints {
            if let Ok(port) = u16::try_from(endpoint.port) {
                let (id, host, rack) = (endpoint.node_id, endpoint.host, endpoint.rack);
                self.0.cluster.add_broker(Node { id, host, port, rack });
            }
        }
        for topic in response.responses {
            let name = if by_id { session.topic_of(topic.topic_id) } else { Some(Arc::from(topic.topic)) };
            let Some(name) = name else { continue };
            for data in topic.partitions {
                let Some((slot, offset)) = slots.get(&(Arc::clone(&name), data.partition_index)) else {
                    continue;
                };
                let mut partitions = self.0.partitions.borrow_mut();
                // Sought, revoked or assigned anew meanwhile: the answer is to a question of the past.
                let Some(partition) = partitions
                    .get_mut(&slot.index)
                    .filter(|partition| partition.slot == *slot && partition.offset == *offset)
                else {
                    continue;
                };
                self.take(node, partition, data);
            }
        }
    }

    fn take(&self, node: i32, partition: &mut Fetching, data: PartitionData) {
        let now = self.0.cluster.net().now();
        if !data.error_code.is_ok() {
            return self.failed(node, partition, &data);
        }
        if data.diverging_epoch.end_offset >= 0 || data.diverging_epoch.epoch >= 0 {
            partition.resting = true;
            let failure = FetchFailure::Diverged {
                end_offset: data.diverging_epoch.end_offset,
                leader_epoch: data.diverging_epoch.epoch,
            };
            return self.0.events.send(Event::FetchFailed(partition.slot, failure));
        }
        (partition.failures, partition.retry_at, partition.unknown_since) = (0, None, None);
        let readable = match self.0.config.isolation_level {
            IsolationLevel::ReadUncommitted => data.high_watermark,
            IsolationLevel::ReadCommitted => data.last_stable_offset,
        };
        partition.shared.set_log(data.log_start_offset, readable);
        if data.preferred_read_replica >= 0 {
            log::debug!("{}: fetching from node {} from now on", partition.tp, data.preferred_read_replica);
            partition.nearer =
                Some((data.preferred_read_replica, now + self.0.config.common.metadata_max_age));
            self.0.changed.notify();
        }
        let records = data.records.unwrap_or_default();
        if records.is_empty() {
            return;
        }
        let aborted = match self.0.config.isolation_level {
            IsolationLevel::ReadUncommitted => None,
            IsolationLevel::ReadCommitted => {
                let all = data.aborted_transactions.unwrap_or_default();
                Some(all.into_iter().map(|aborted| (aborted.producer_id, aborted.first_offset)).collect())
            }
        };
        self.advance(partition, records, aborted);
    }

    fn advance(&self, partition: &mut Fetching, records: Bytes, aborted: Option<Vec<(i64, i64)>>) {
        let mut batches = Batches::new(records.clone());
        let (mut next, mut damaged) = (None, false);
        for batch in &mut batches {
            match batch {
                Ok(batch) => next = Some((batch.next_offset(), batch.leader_epoch())),
                Err(_) => damaged = true,
            }
        }
        match next {
            None if !damaged => return self.grow(partition, &Batches::new(records)),
            Some((offset, _)) if offset <= partition.offset && !damaged => {
                // Nothing of it is new. To ask the same again at once would be a tight loop.
                return self.retry_later(partition);
            }
            _ => {}
        }
        if let Some((offset, epoch)) = next {
            partition.offset = partition.offset.max(offset);
            partition.last_epoch = epoch;
        }
        partition.max_bytes = self.0.config.max_partition_fetch_bytes;
        // The reader comes upon the damage behind the good batches, and reports it.
        partition.resting = damaged;
        let chunk = Chunk {
            slot: partition.slot,
            tp: partition.tp.clone(),
            reservation: Reservation::new(&self.0.budget, &partition.shared, records.len()),
            data: records,
            aborted,
        };
        self.0.events.send(Event::Fetched(chunk));
    }

    /// Not even one batch was whole: brokers before 0.10.1 cut at the size that was asked for.
    fn grow(&self, partition: &mut Fetching, batches: &Batches) {
        let limit = self.0.config.common.receive_message_max_bytes;
        let size = batches.first_batch_size().unwrap_or(0);
        let doubled = usize::try_from(partition.max_bytes).unwrap_or(0).saturating_mul(2);
        let wanted = size.max(doubled).min(limit);
        if size > limit || i32::try_from(wanted).is_ok_and(|wanted| wanted <= partition.max_bytes) {
            partition.resting = true;
            let text = format!(
                "the batch at this offset has {size} bytes, more than receive.message.max.bytes ({limit})"
            );
            let error = self.at(partition, Error::new(ErrorKind::RecordTooLarge, text));
            return self.0.events.send(Event::FetchFailed(partition.slot, FetchFailure::Other(error)));
        }
        partition.max_bytes = i32::try_from(wanted).unwrap_or(i32::MAX);
    }

    fn failed(&self, node: i32, partition: &mut Fetching, data: &PartitionData) {
        let code = data.error_code;
        let now = self.0.cluster.net().now();
        log::debug!("{} at node {node}, offset {}: {code}", partition.tp, partition.offset);
        let follower = partition.nearer.take().is_some_and(|(nearer, _)| nearer == node);
        match code {
            // A follower may lag behind, or know less: only the leader's word counts.
            ErrorCode::OFFSET_OUT_OF_RANGE if follower => self.0.changed.notify(),
            ErrorCode::OFFSET_OUT_OF_RANGE => {
                partition.resting = true;
                self.0.events.send(Event::FetchFailed(partition.slot, FetchFailure::OutOfRange));
            }
            ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::FENCED_LEADER_EPOCH => {
                let (tp, hint) = (&partition.tp, &data.current_leader);
                let moved = hint.leader_id >= 0
                    && self.0.cluster.update_leader(
                        tp.topic(),
                        tp.partition(),
                        hint.leader_id,
                        hint.leader_epoch,
                    );
                if !moved {
                    self.0.cluster.request_update();
                    self.retry_later(partition);
                }
            }
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            | ErrorCode::UNKNOWN_TOPIC_ID
            | ErrorCode::INCONSISTENT_TOPIC_ID => {
                self.0.cluster.request_update();
                self.retry_later(partition);
                let since = *partition.unknown_since.get_or_insert(now);
                if now.saturating_duration_since(since) >= UNKNOWN_GRACE {
                    partition.unknown_since = None;
                    partition.resting = true;
                    let error = self.at(partition, Error::from_code(code, "Fetch"));
                    self.0.events.send(Event::FetchFailed(partition.slot, FetchFailure::Other(error)));
                }
            }
            ErrorCode::UNKNOWN_SERVER_ERROR => self.retry_later(partition),
            code if code.is_retriable() => {
                self.0.cluster.request_update();
                self.retry_later(partition);
            }
            code => {
                partition.resting = true;
                let error = self.at(partition, Error::from_code(code, "Fetch").with_node(node));
                self.0.events.send(Event::FetchFailed(partition.slot, FetchFailure::Other(error)));
            }
        }
    }

    fn retry_later(&self, partition: &mut Fetching) {
        partition.failures += 1;
        partition.retry_at = Some(self.0.cluster.net().now() + self.backoff(partition.failures));
        self.0.changed.notify();
    }

    fn backoff(&self, failures: u32) -> Duration {
        let config = &self.0.config.common;
        Backoff { initial: config.retry_backoff, max: config.retry_backoff_max }
            .after(failures, self.0.cluster.net().random())
    }

    /// A replica that cannot be reached is not nearer.
    fn forget_replica(&self, node: i32) {
        for partition in self.0.partitions.borrow_mut().values_mut() {
            partition.nearer = partition.nearer.filter(|(nearer, _)| *nearer != node);
        }
        self.0.changed.notify();
    }

    fn at(&self, partition: &Fetching, error: Error) -> Error {
        let tp = &partition.tp;
        error.with_topic(tp.topic()).with_partition(tp.partition()).with_offset(partition.offset)
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

/// For how long a topic that was there may be unknown before it is an error: brokers forget it for a moment
/// when they restart.
const UNKNOWN_GRACE: Duration = Duration::from_secs(30);

/// The last version that names topics by their names.
const LAST_BY_NAME: i16 = 12;
const FIRST_WITH_SESSIONS: i16 = 7;
/// The first version in which brokers look for a truncated log.
const FIRST_WITH_DIVERGENCE: i16 = 12;

//! The task on the IO thread that sends batches to the partitions' leaders.
//!
//! It looks at the active queues whenever it is woken (a batch is ready, an answer came, the cluster's view
//! changed) or a time is due. Order within a partition is kept by four rules: batches leave in the order of
//! their numbers; after a failure nothing new of that partition leaves until all that is in flight has come
//! back; what came back is sent again first, one batch until it succeeds, as is the first one under a new
//! numbering; and sequences that were burnt (a batch was given up after it may have been written) are never used
//! again: the partition's epoch is raised and its batches are numbered anew (KIP-360). Before that each batch
//! that may have been written is sent once more as it was, for only under its old number does the broker
//! recognise it.
//!
//! In a transaction epochs are the coordinator's to give, so burnt sequences, and all else that fails for good, end in
//! an abort; from then on what is queued is failed instead of sent.

mod answers;
mod expiry;
mod outgoing;
mod partition;
mod topic;

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::accumulator::{Accumulator, Look};
use super::batch::Batch;
use super::handle::{BatchHandle, Outcome};
use super::identity::{Identities, Identity};
use super::transaction::{Admission, TransactionGate, Transactor};
use crate::cluster::{Cluster, Snapshot};
use crate::config::{Acks, ProducerConfig};
use crate::error::{Error, ErrorKind, Result};
use crate::net::connection::Connection;
use crate::net::event_loop::Net;
use crate::net::manager::NodeId;
use crate::protocol::messages::ProduceRequest;
use crate::protocol::messages::produce::{PartitionProduceData, TopicProduceData};
use crate::protocol::{ApiKey, Uuid};
use crate::record::Codec;
use crate::types::TopicPartition;
use expiry::Late;
use outgoing::Outgoing;
use partition::{InFlight, Partition};

/// Sends batches; lives on the IO thread.
pub(super) struct Sender {
    cluster: Cluster,
    accumulator: Arc<Accumulator>,
    config: ProducerConfig,
    identities: Identities,
    /// With a transactional id.
    transaction: Option<Transactor>,
    state: RefCell<State>,
    late: RefCell<Late>,
}

#[derive(Default)]
struct State {
    partitions: HashMap<TopicPartition, Partition>,
    /// Partitions with something to send or to wait for, in the order in which they are looked at.
    active: VecDeque<TopicPartition>,
    nodes: HashMap<i32, NodeState>,
    /// The version of the cluster's view at the last look.
    view: u64,
}

#[derive(Default)]
struct NodeState {
    in_flight: usize,
    connecting: bool,
    /// It takes nothing although there is something for it.
    stuck: bool,
    /// Nothing had passed over its connection for a while before what is on its way, and nothing has come back since.
    was_idle: bool,
    last_error: Option<Error>,
}

impl Sender {
    /// Starts the task.
    pub(super) fn start(
        cluster: Cluster,
        accumulator: Arc<Accumulator>,
        config: ProducerConfig,
        gate: Option<&Arc<TransactionGate>>,
    ) -> Rc<Self> {
        let identities = Identities::new(&config, accumulator.sender().clone());
        let transaction = Transactor::new(&cluster, &config, &accumulator, gate);
        cluster.add_listener(accumulator.sender().clone());
        let (state, late) = Default::default();
        let sender = Rc::new(Self { cluster, accumulator, config, identities, transaction, state, late });
        sender.net().spawn(Rc::clone(&sender).run());
        sender
    }

    /// The cluster.
    pub(super) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// What runs the transactions, with a transactional id.
    pub(super) fn transactor(&self) -> Option<&Transactor> {
        self.transaction.as_ref()
    }

    /// Learns from the broker that told of the topic which record format the brokers take.
    pub(super) fn learn_format(&self) {
        let Some(produce) = self.cluster.versions().and_then(|versions| versions.get(ApiKey::PRODUCE)) else {
            return;
        };
        self.accumulator.set_magic(match produce.max {
            ..2 => 0,
            2 => 1,
            _ => 2,
        });
    }

    fn net(&self) -> &Net {
        self.cluster.net()
    }

    async fn run(self: Rc<Self>) {
        loop {
            let next = self.look();
            let woken = self.accumulator.sender().notified();
            match next {
                // Others have their turn even when this task has no pause.
                Some(at) if at <= self.net().now() => self.net().yield_now().await,
                Some(at) => drop(self.net().until(at, woken).await),
                None => woken.await,
            }
        }
    }

    /// Looks at all active partitions and sends what can be sent. Returns when to look again at the latest.
    fn look(self: &Rc<Self>) -> Option<Instant> {
        let now = self.net().now();
        let mut next = None;
        let mut outgoing: HashMap<i32, Outgoing> = HashMap::new();
        {
            let mut state = self.state.borrow_mut();
            let view = self.cluster.view().with(Snapshot::version);
            if std::mem::replace(&mut state.view, view) != view {
                self.cluster.view().with(|view| self.accumulator.follow(view));
            }
            let State { partitions, active, nodes, .. } = &mut *state;
            for queue in self.accumulator.take_activated() {
                let partition = partitions
                    .entry(queue.topic_partition.clone())
                    .or_insert_with(|| Partition::new(Arc::clone(&queue)));
                if !partition.is_active {
                    partition.is_active = true;
                    active.push_back(queue.topic_partition.clone());
                }
            }
            for _ in 0..active.len() {
                let Some(tp) = active.pop_front() else { break };
                let Some(partition) = partitions.get_mut(&tp) else { continue };
                self.look_at(&tp, partition, nodes, now, &mut outgoing, &mut next);
                if partition.is_active {
                    active.push_back(tp);
                }
            }
            // The first to be looked at gets the place in a request that is nearly full: take turns.
            active.rotate_left(usize::from(!active.is_empty()));
            self.unstick(nodes, active, partitions);
        }
        for (node, outgoing) in outgoing {
            self.send_all(node, outgoing);
        }
        if let Some(transaction) = self.transaction.as_ref().filter(|one| one.wants_settled()) {
            let state = self.state.borrow();
            if state.nodes.values().all(|node| node.in_flight == 0) && self.accumulator.is_quiet() {
                transaction.settled();
            }
        }
        next
    }

    fn look_at(
        self: &Rc<Self>,
        tp: &TopicPartition,
        partition: &mut Partition,
        nodes: &mut HashMap<i32, NodeState>,
        now: Instant,
        outgoing: &mut HashMap<i32, Outgoing>,
        next: &mut Option<Instant>,
    ) {
        let mut look_again = |at: Instant| *next = Some(next.map_or(at, |other| other.min(at)));
        if let Some(transaction) = &self.transaction {
            if let Some(error) = transaction.lost() {
                self.refuse_all(partition, now, &error);
                return;
            }
        }
        self.expire(tp, partition, nodes, now);
        let oldest = partition.oldest().or_else(|| self.accumulator.oldest(&partition.queue));
        if let Some(transaction) = self.transaction.as_ref().filter(|_| oldest.is_some()) {
            // Early, so that the answer is here when the first batch is full.
            transaction.admit(tp);
        }
        if let Some(oldest) = oldest {
            look_again(oldest + self.config.delivery_timeout);
        }
        if let Some(at) = partition.not_before.filter(|at| *at > now) {
            look_again(at);
            return;
        }
        // First: nothing goes to a topic that was made anew while answers of the old one are out.
        self.follow_topic(tp, partition);
        if !partition.may_send(self.identities.is_one_by_one()) {
            return;
        }
        let Some((leader, _)) = self.cluster.leader(tp.topic(), tp.partition()) else {
            if let Some(error) = self.gone(tp, partition) {
                let look =
                    self.accumulator.drain(&partition.queue, Duration::ZERO, now, &mut partition.ready);
                self.fail_all(partition, &error);
                if matches!(look, Look::Empty) {
                    partition.is_active = !partition.is_idle();
                }
                return;
            }
            self.cluster.add_topic(tp.topic());
            self.cluster.request_update();
            let at = now + self.pause();
            partition.not_before = Some(at);
            look_again(at);
            return;
        };
        let node = nodes.entry(leader).or_default();
        let Some(connection) = self.cluster.manager().connected(NodeId::Broker(leader)) else {
            // Nobody is made to wait for a leader that does not let the client in (KIP-152).
            if let Some(refusal) = self.cluster.manager().refusal(NodeId::Broker(leader)) {
                self.refuse_all(partition, now, &refusal);
                return;
            }
            if !std::mem::replace(&mut node.connecting, true) {
                self.net().spawn(Rc::clone(self).connect(leader));
            }
            self.note_stuck(node, leader, Some(partition), now);
            return;
        };
        if let Some(until) = connection.throttled_until() {
            look_again(until);
            self.note_stuck(node, leader, Some(partition), now);
            return;
        }
        let slots = self.config.common.max_in_flight_requests_per_connection.saturating_sub(node.in_flight);
        if slots == 0 {
            self.note_stuck(node, leader, Some(partition), now);
            return;
        }
        self.note_stuck(node, leader, None, now);
        if partition.retry.is_empty() && partition.ready.is_empty() {
            match self.accumulator.drain(&partition.queue, self.config.linger, now, &mut partition.ready) {
                Look::Lingers(until) => look_again(until),
                Look::Sealing | Look::Taken => {}
                Look::Empty => partition.is_active = !partition.is_idle(),
            }
        }
        if partition.retry.is_empty() && partition.ready.is_empty() {
            return;
        }
        match self.identity(tp) {
            Identity::None => partition.numbering = None,
            // The wake-up comes with the id.
            Identity::Pending => return,
            Identity::Known(id) => {
                if !partition.number_with(id, self.transaction.is_some()) {
                    self.identities.renew(id);
                    // The wake-up comes with the next one.
                    self.identities.get(&self.cluster);
                    return;
                }
            }
            Identity::Refused(error) => {
                self.fail_all(partition, &error);
                return;
            }
        }
        let out = outgoing.entry(leader).or_insert_with(|| Outgoing::new(connection, slots));
        self.take_batches(partition, out);
    }

    /// What batches of a partition are numbered with.
    fn identity(&self, tp: &TopicPartition) -> Identity {
        match &self.transaction {
            None => self.identities.get(&self.cluster),
            Some(transaction) => match (transaction.admit(tp), transaction.producer()) {
                (Admission::Granted, Some(producer)) => Identity::Known(producer),
                _ => Identity::Pending,
            },
        }
    }

    /// Notes whether a node takes what a partition has for it, for the choice of partitions (KIP-794).
    fn note_stuck(&self, node: &mut NodeState, id: i32, waiting: Option<&Partition>, now: Instant) {
        if self.config.partitioner_availability_timeout.is_zero() {
            return;
        }
        let is_stuck = waiting.is_some_and(|partition| self.waits(partition));
        if is_stuck != node.stuck && (is_stuck || waiting.is_none()) {
            node.stuck = is_stuck;
            self.accumulator.set_stuck(id, is_stuck.then_some(now));
        }
    }

    /// Notes of nodes that took nothing that there is nothing for them any more: their records have expired, say, or
    /// have another leader. Else nobody would ever try them again.
    fn unstick(
        &self,
        nodes: &mut HashMap<i32, NodeState>,
        active: &VecDeque<TopicPartition>,
        partitions: &HashMap<TopicPartition, Partition>,
    ) {
        for (id, node) in nodes.iter_mut().filter(|(_, node)| node.stuck) {
            let waits = |tp: &&TopicPartition| {
                let leader = self.cluster.leader(tp.topic(), tp.partition());
                leader.is_some_and(|(leader, _)| leader == *id)
                    && partitions.get(*tp).is_some_and(|partition| self.waits(partition))
            };
            if active.iter().find(waits).is_none() {
                node.stuck = false;
                self.accumulator.set_stuck(*id, None);
            }
        }
    }

    /// Whether a partition has something that has not left.
    fn waits(&self, partition: &Partition) -> bool {
        partition.has_waiting() || self.accumulator.oldest(&partition.queue).is_some()
    }

    /// Before something is tried again that has nothing to wait for.
    fn pause(&self) -> Duration {
        self.config.common.retry_backoff.max(SHORTEST_PAUSE)
    }

    /// Moves what the requests to the node have room for.
    fn take_batches(&self, partition: &mut Partition, out: &mut Outgoing) {
        let one_by_one = partition.recovering || self.identities.is_one_by_one();
        // One batch of a partition a request, so the next goes into the next request.
        let mut request = 0;
        loop {
            let size = match (partition.retry.front(), partition.ready.front()) {
                (Some(batch), _) => batch.bytes.len(),
                (None, Some(batch)) => batch.sealed.len(),
                (None, None) => return,
            };
            let limit = self.config.max_request_size.max(self.config.batch_size);
            let Some(place) = out.place(request, size, limit) else { return };
            let mut batch = match partition.retry.pop_front() {
                Some(batch) if !batch.handle.begin_sending() => {
                    // Given up by a close.
                    partition.sequences_burnt |= batch.stamp.is_some();
                    self.recycle(batch);
                    return;
                }
                Some(batch) => batch,
                None => match partition.ready.pop_front() {
                    Some(ready) if !ready.handle.begin_sending() => continue,
                    Some(ready) => {
                        let stamp = partition.next_stamp(ready.sealed.record_count());
                        Batch::stamp(*ready, stamp)
                    }
                    None => return,
                },
            };
            batch.topic_id = partition.topic_id;
            batch.attempts += 1;
            batch.attempts_as_numbered += 1;
            partition.in_flight.push_back(InFlight {
                number: batch.number,
                place: batch.place,
                attempts: batch.attempts,
                opened: batch.opened,
                handle: Arc::clone(&batch.handle),
                expired: false,
            });
            out.add(place, batch);
            request = place + 1;
            if one_by_one {
                return;
            }
        }
    }

    fn send_all(self: &Rc<Self>, node: i32, outgoing: Outgoing) {
        for batches in outgoing.requests.into_iter().filter(|batches| !batches.is_empty()) {
            let sensors = self.accumulator.sensors();
            sensors.producer.in_flight.add(1);
            sensors.sent(&batches, self.net().now());
            if let Some(transaction) = &self.transaction {
                transaction.sent();
            }
            let was_idle = {
                let mut state = self.state.borrow_mut();
                let node = state.nodes.entry(node).or_default();
                node.in_flight += 1;
                if outgoing.connection.in_flight() == 0 {
                    let last_used = outgoing.connection.last_used();
                    node.was_idle = self.net().now().saturating_duration_since(last_used) >= IDLE;
                }
                node.was_idle
            };
            let result = self.write(&outgoing.connection, &batches);
            let sender = Rc::clone(self);
            let connection = outgoing.connection.clone();
            self.net().spawn(async move {
                let lost = |error| Loss { error, has_left: true, was_idle };
                let result = match result {
                    Ok(Sent::Answered(answer)) => answer.await.map(Some).map_err(lost),
                    Ok(Sent::Unanswered(request, version)) => {
                        connection.send_unanswered(&request, version).await.map(|()| None).map_err(lost)
                    }
                    Err(error) => Err(Loss { error, has_left: false, was_idle }),
                };
                sender.finish(node, batches, result);
            });
        }
    }

    /// Writes one request.
    fn write(&self, connection: &Connection, batches: &[Batch]) -> Result<Sent> {
        let mut topics: Vec<TopicProduceData> = Vec::new();
        let mut ids_known = true;
        for batch in batches {
            let tp = batch.handle.topic_partition();
            let data = PartitionProduceData { index: tp.partition(), records: Some(batch.bytes.clone()) };
            match topics.iter_mut().find(|topic| topic.name == tp.topic()) {
                Some(topic) => topic.partition_data.push(data),
                None => {
                    let topic_id = batch.topic_id;
                    ids_known &= topic_id != Uuid::ZERO;
                    let (name, partition_data) = (tp.topic().to_owned(), vec![data]);
                    topics.push(TopicProduceData { name, topic_id, partition_data });
                }
            }
        }
        let cap = if ids_known { i16::MAX } else { LAST_BY_NAME };
        let cap = self.transaction.as_ref().map_or(cap, |transaction| cap.min(transaction.produce_cap()));
        let version = connection.pick_version::<ProduceRequest>(cap)?;
        if version < FIRST_WITH_ZSTD && self.accumulator.compression().codec() == Codec::Zstd {
            let text = format!(
                "node {} takes no batches that are compressed with zstd, as brokers before 2.1: choose another \
                 compression.type",
                connection.node()
            );
            return Err(Error::new(ErrorKind::UnsupportedVersion, text));
        }
        let timeout = self.config.common.request_timeout;
        let request = ProduceRequest {
            transactional_id: self.transaction.as_ref().map(|transaction| transaction.id().to_owned()),
            acks: self.config.acks.code(),
            timeout_ms: i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX),
            topic_data: topics,
        };
        if self.config.acks == Acks::None {
            return Ok(Sent::Unanswered(request, version));
        }
        connection.start(&request, version, timeout).map(Sent::Answered)
    }

    async fn connect(self: Rc<Self>, leader: i32) {
        let (manager, id) = (self.cluster.manager(), NodeId::Broker(leader));
        let error = manager.connection(id).await.err();
        let has_failed = error.is_some();
        self.state.borrow_mut().nodes.entry(leader).or_default().last_error = error;
        if has_failed {
            self.cluster.request_update();
            if manager.address(id).is_none() {
                // The leader is one that nobody has told the address of: nothing can be tried before there is news.
                // What becomes of the refresh shows in the view.
                let _ = self.cluster.update().await;
                self.net().sleep(self.pause()).await;
            }
        }
        self.state.borrow_mut().nodes.entry(leader).or_default().connecting = false;
        self.accumulator.sender().notify();
    }
}

type Completed = Vec<(u64, Arc<BatchHandle>, Outcome)>;

/// A request that was started.
enum Sent {
    Answered(crate::net::connection::Answer<ProduceRequest>),
    Unanswered(ProduceRequest, i16),
}

/// Why there is no answer to a request.
struct Loss {
    error: Error,
    /// Whether it was handed to the connection. Else nobody can have got it.
    has_left: bool,
    /// Whether nothing had passed over the connection for a while before: then it may have been dead for as long.
    was_idle: bool,
}

/// A connection is idle after so much time without traffic: more than brokers take to answer, less than firewalls and
/// brokers wait before they drop one.
const IDLE: Duration = Duration::from_secs(1);

/// Even with `retry.backoff.ms=0` nothing is tried again and again without a pause.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// Older versions of Produce take no batches in zstd (KIP-110).
const FIRST_WITH_ZSTD: i16 = 7;

/// Newer versions of Produce name topics by id only.
const LAST_BY_NAME: i16 = 12;

impl Drop for Sender {
    /// The IO thread ends: whoever still waits for a record is told.
    fn drop(&mut self) {
        self.accumulator.abandon(&Error::new(ErrorKind::Closed, "the producer is closed"));
    }
}

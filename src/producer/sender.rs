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

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::accumulator::{Accumulator, Look, PartitionQueue, ReadyBatch};
use super::batch::{Batch, sequence_after};
use super::handle::{BatchHandle, Outcome};
use super::identity::{Identities, Identity, ProducerId};
use crate::cluster::{Cluster, Snapshot};
use crate::config::{Acks, ProducerConfig};
use crate::error::{Error, ErrorKind, Result};
use crate::error_code::ErrorCode;
use crate::net::backoff::Backoff;
use crate::net::connection::Connection;
use crate::net::event_loop::Net;
use crate::net::manager::NodeId;
use crate::protocol::messages::produce::{PartitionProduceData, PartitionProduceResponse, TopicProduceData};
use crate::protocol::messages::{ProduceRequest, ProduceResponse};
use crate::protocol::{ApiKey, Uuid};
use crate::record::ProducerState;
use crate::types::{Node, TopicPartition};

/// Sends batches; lives on the IO thread.
pub(super) struct Sender {
    cluster: Cluster,
    accumulator: Arc<Accumulator>,
    config: ProducerConfig,
    identities: Identities,
    state: RefCell<State>,
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
    last_error: Option<Error>,
}

/// The sender's side of one partition.
struct Partition {
    queue: Arc<PartitionQueue>,
    is_active: bool,
    /// Never sent.
    ready: VecDeque<Box<ReadyBatch>>,
    /// Sent and come back, in order.
    retry: VecDeque<Batch>,
    /// Sent, with no answer yet, in order.
    in_flight: VecDeque<InFlight>,
    /// Something came back, or the numbering is new: one batch at a time until one has succeeded.
    recovering: bool,
    not_before: Option<Instant>,
    /// What the next batch is numbered with.
    numbering: Option<Numbering>,
    sequences_burnt: bool,
    last_error: Option<Error>,
}

/// The brokers keep producer state for each partition, so each partition can have an epoch of its own.
#[derive(Clone, Copy)]
struct Numbering {
    producer: ProducerId,
    epoch: i16,
    next_sequence: i32,
}

/// What the partition remembers of a batch that is out with a request.
struct InFlight {
    number: u64,
    place: (u64, u32),
    attempts: u32,
    opened: Instant,
    handle: Arc<BatchHandle>,
    /// Its time was over before the answer came; the handle has been told, or is about to be.
    expired: bool,
}

impl Sender {
    /// Starts the task.
    pub(super) fn start(cluster: Cluster, accumulator: Arc<Accumulator>, config: ProducerConfig) -> Rc<Self> {
        let identities = Identities::new(&config, accumulator.sender().clone());
        cluster.add_listener(accumulator.sender().clone());
        let sender = Rc::new(Self { cluster, accumulator, config, identities, state: RefCell::default() });
        sender.net().spawn(Rc::clone(&sender).run());
        sender
    }

    /// The cluster.
    pub(super) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Learns from the connections there are which record format the brokers take.
    pub(super) fn learn_format(&self) {
        let manager = self.cluster.manager();
        let connected = manager.nodes().into_iter().find_map(|node| manager.connected(node));
        let Some(produce) = connected.and_then(|connection| connection.versions().get(ApiKey::PRODUCE))
        else {
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
        }
        for (node, outgoing) in outgoing {
            self.send_all(node, outgoing);
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
        self.expire(tp, partition, nodes, now);
        let oldest = partition.oldest().or_else(|| self.accumulator.oldest(&partition.queue));
        if let Some(oldest) = oldest {
            look_again(oldest + self.config.delivery_timeout);
        }
        if let Some(at) = partition.not_before.filter(|at| *at > now) {
            look_again(at);
            return;
        }
        if !partition.may_send(self.identities.is_one_by_one()) {
            return;
        }
        let Some((leader, _)) = self.cluster.leader(tp.topic(), tp.partition()) else {
            self.cluster.add_topic(tp.topic());
            self.cluster.request_update();
            partition.not_before = Some(now + self.config.common.retry_backoff);
            look_again(now + self.config.common.retry_backoff);
            return;
        };
        let node = nodes.entry(leader).or_default();
        let Some(connection) = self.cluster.manager().connected(NodeId::Broker(leader)) else {
            if !std::mem::replace(&mut node.connecting, true) {
                self.net().spawn(Rc::clone(self).connect(leader));
            }
            return;
        };
        if let Some(until) = connection.throttled_until() {
            look_again(until);
            return;
        }
        let slots = self.config.common.max_in_flight_requests_per_connection.saturating_sub(node.in_flight);
        if slots == 0 {
            return;
        }
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
        match self.identities.get(&self.cluster) {
            Identity::None => partition.numbering = None,
            // The wake-up comes with the id.
            Identity::Pending => return,
            Identity::Known(id) => {
                if !partition.number_with(id) {
                    self.identities.renew(id);
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
            batch.attempts += 1;
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
            self.state.borrow_mut().nodes.entry(node).or_default().in_flight += 1;
            let result = self.write(&outgoing.connection, &batches);
            let sender = Rc::clone(self);
            let connection = outgoing.connection.clone();
            self.net().spawn(async move {
                let result = match result {
                    Ok(Sent::Answered(answer)) => answer.await.map(Some),
                    Ok(Sent::Unanswered(request, version)) => {
                        connection.send_unanswered(&request, version).await.map(|()| None)
                    }
                    Err(error) => Err(error),
                };
                sender.finish(node, batches, result);
            });
        }
    }

    /// Writes one request.
    fn write(&self, connection: &Connection, batches: &[Batch]) -> Result<Sent> {
        let view = self.cluster.snapshot();
        let mut topics: Vec<TopicProduceData> = Vec::new();
        let mut ids_known = true;
        for batch in batches {
            let tp = batch.handle.topic_partition();
            let data = PartitionProduceData { index: tp.partition(), records: Some(batch.bytes.clone()) };
            match topics.iter_mut().find(|topic| topic.name == tp.topic()) {
                Some(topic) => topic.partition_data.push(data),
                None => {
                    let topic_id = view.topic(tp.topic()).map_or(Uuid::ZERO, |topic| topic.id);
                    ids_known &= topic_id != Uuid::ZERO;
                    let (name, partition_data) = (tp.topic().to_owned(), vec![data]);
                    topics.push(TopicProduceData { name, topic_id, partition_data });
                }
            }
        }
        let version =
            connection.pick_version::<ProduceRequest>(if ids_known { i16::MAX } else { LAST_BY_NAME })?;
        let timeout = self.config.common.request_timeout;
        let request = ProduceRequest {
            transactional_id: None,
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
        let result = self.cluster.manager().connection(NodeId::Broker(leader)).await;
        let mut state = self.state.borrow_mut();
        let node = state.nodes.entry(leader).or_default();
        node.connecting = false;
        node.last_error = result.err();
        if node.last_error.is_some() {
            self.cluster.request_update();
        }
        drop(state);
        self.accumulator.sender().notify();
    }

    /// Takes the answer to a request, or why there was none.
    fn finish(&self, node: i32, batches: Vec<Batch>, result: Result<Option<ProduceResponse>>) {
        let mut state = self.state.borrow_mut();
        if let Some(node) = state.nodes.get_mut(&node) {
            node.in_flight = node.in_flight.saturating_sub(1);
        }
        let mut completed = Vec::new();
        let view = self.cluster.snapshot();
        let answer = match &result {
            Ok(answer) => answer.as_ref(),
            Err(error) => {
                if let Some(node) = state.nodes.get_mut(&node) {
                    node.last_error = Some(error.clone());
                }
                self.cluster.request_update();
                None
            }
        };
        for batch in batches {
            let tp = batch.handle.topic_partition().clone();
            let Some(partition) = state.partitions.get_mut(&tp) else { continue };
            let at = partition.in_flight.iter().position(|other| other.place == batch.place);
            let expired = at.and_then(|at| partition.in_flight.remove(at)).is_some_and(|out| out.expired);
            let verdict = match (&result, answer) {
                (Err(error), _) => Verdict::of_lost_request(error),
                (Ok(_), None) => {
                    Verdict::Written(Outcome::Written { base_offset: None, log_append_time: None })
                }
                (Ok(_), Some(answer)) => {
                    let id = view.topic(tp.topic()).map_or(Uuid::ZERO, |topic| topic.id);
                    match find(answer, &tp, id) {
                        Some(response) => self.judge(partition, &batch, response, node),
                        None => {
                            let text = "the broker's answer leaves the partition out";
                            Verdict::Retry(Error::new(ErrorKind::Protocol, text).with_node(node))
                        }
                    }
                }
            };
            if expired {
                // Expired while it was out: what the answer says decides about its sequences only.
                if !matches!(verdict, Verdict::Written(_)) {
                    partition.sequences_burnt |= batch.stamp.is_some();
                    partition.recovering = true;
                }
                self.recycle(batch);
                continue;
            }
            self.carry_out(partition, batch, verdict, &mut completed);
        }
        if let Some(answer) = answer {
            for endpoint in &answer.node_endpoints {
                if let Ok(port) = u16::try_from(endpoint.port) {
                    let (host, rack) = (endpoint.host.clone(), endpoint.rack.clone());
                    self.cluster.add_broker(Node { id: endpoint.node_id, host, port, rack });
                }
            }
        }
        drop(state);
        // Callbacks run last, when nothing is borrowed: they may send.
        for (number, handle, outcome) in completed {
            self.accumulator.complete(number, &handle, outcome);
        }
        self.accumulator.sender().notify();
    }

    /// Decides on a batch by the broker's answer.
    fn judge(
        &self,
        partition: &Partition,
        batch: &Batch,
        response: &PartitionProduceResponse,
        node: i32,
    ) -> Verdict {
        let tp = batch.handle.topic_partition();
        let code = response.error_code;
        let written = || {
            Verdict::Written(Outcome::Written {
                base_offset: (response.base_offset >= 0).then_some(response.base_offset),
                log_append_time: (response.log_append_time_ms >= 0).then_some(response.log_append_time_ms),
            })
        };
        // A duplicate is a success only for a batch that was sent before with that very sequence.
        if code.is_ok() || (code == ErrorCode::DUPLICATE_SEQUENCE_NUMBER && batch.attempts > 1) {
            return written();
        }
        if code.refreshes_metadata() {
            let leader = &response.current_leader;
            let hinted = leader.leader_id >= 0
                && self.cluster.update_leader(
                    tp.topic(),
                    tp.partition(),
                    leader.leader_id,
                    leader.leader_epoch,
                );
            if !hinted {
                self.cluster.request_update();
            }
        }
        let mut error = Error::from_code(code, "produce")
            .with_topic(tp.topic())
            .with_partition(tp.partition())
            .with_node(node);
        if let Some(text) = &response.error_message {
            error = error.context(format_args!("the broker says {text:?}"));
        }
        match code {
            ErrorCode::MESSAGE_TOO_LARGE | ErrorCode::RECORD_LIST_TOO_LARGE if batch.count > 1 => {
                Verdict::Split
            }
            ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
            | ErrorCode::UNKNOWN_PRODUCER_ID
            | ErrorCode::INVALID_PRODUCER_EPOCH
            | ErrorCode::INVALID_PRODUCER_ID_MAPPING
                if batch.stamp.is_some() =>
            {
                // With an earlier batch on its way back this is the consequence of that one's failure. Else the
                // broker lost the partition's producer state: nothing of this batch is in the log.
                let earlier = partition.in_flight.iter().any(|other| other.place < batch.place)
                    || partition.retry.iter().any(|other| other.place < batch.place);
                if earlier { Verdict::Retry(error) } else { Verdict::Renumber(error) }
            }
            ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND | ErrorCode::REQUEST_TIMED_OUT => {
                Verdict::Retry(error.with_maybe_written(true))
            }
            _ if code.is_retriable() => Verdict::Retry(error),
            _ => Verdict::Fail(error),
        }
    }

    fn carry_out(
        &self,
        partition: &mut Partition,
        mut batch: Batch,
        verdict: Verdict,
        completed: &mut Completed,
    ) {
        match verdict {
            Verdict::Written(outcome) => {
                // The success of a later batch says nothing of those that came back before it.
                if !partition.retry.iter().any(|other| other.place < batch.place) {
                    partition.recovering = false;
                    partition.not_before = None;
                    partition.last_error = None;
                }
                completed.push((batch.number, Arc::clone(&batch.handle), outcome));
                self.recycle(batch);
            }
            Verdict::Retry(error) | Verdict::Renumber(error) if batch.attempts > self.config.retries => {
                self.give_up(partition, batch, error, completed);
            }
            Verdict::Fail(error) => self.give_up(partition, batch, error, completed),
            Verdict::Retry(error) => {
                log::debug!("{}: batch will be sent again: {error}", batch.handle.topic_partition());
                batch.maybe_written |= error.maybe_written();
                batch.number_open |= error.maybe_written();
                self.send_again(partition, batch, error);
            }
            Verdict::Renumber(error) => {
                batch.number_open = false;
                // The broker would have recognised it.
                batch.maybe_written &= error.code() != Some(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
                partition.sequences_burnt = true;
                self.send_again(partition, batch, error);
            }
            Verdict::Split => match batch.split(self.accumulator.compression()) {
                Ok(parts) => {
                    log::debug!(
                        "{}: a batch was too large and goes on in parts",
                        partition.queue.topic_partition
                    );
                    let mut places = Vec::new();
                    for mut part in parts {
                        part.number = self.accumulator.register_part(&part.handle);
                        places.push((part.place.1 - batch.place.1, Arc::clone(&part.handle)));
                        partition.requeue(part);
                    }
                    partition.recovering = true;
                    completed.push((batch.number, Arc::clone(&batch.handle), Outcome::Split(places)));
                }
                Err(error) => self.give_up(partition, batch, error, completed),
            },
        }
    }

    fn send_again(&self, partition: &mut Partition, batch: Batch, error: Error) {
        let common = &self.config.common;
        let backoff = Backoff { initial: common.retry_backoff, max: common.retry_backoff_max };
        partition.not_before = Some(self.net().now() + backoff.after(batch.attempts, self.net().random()));
        partition.recovering = true;
        partition.last_error = Some(error);
        partition.requeue(batch);
    }

    fn give_up(&self, partition: &mut Partition, batch: Batch, error: Error, completed: &mut Completed) {
        // The sequences of what follows assumed this batch.
        partition.sequences_burnt |= batch.stamp.is_some();
        partition.recovering = true;
        let maybe_written = batch.maybe_written || error.maybe_written();
        let error = error.with_maybe_written(maybe_written);
        completed.push((batch.number, Arc::clone(&batch.handle), Outcome::Failed(error)));
        self.recycle(batch);
    }

    fn recycle(&self, batch: Batch) {
        let Batch { bytes, permit, .. } = batch;
        if let Ok(buffer) = bytes.try_into_mut() {
            self.accumulator.memory().recycle(Vec::from(buffer), self.config.batch_size);
        }
        drop(permit);
    }

    /// Fails the batches at the head of a partition whose time is over.
    fn expire(
        &self,
        tp: &TopicPartition,
        partition: &mut Partition,
        nodes: &HashMap<i32, NodeState>,
        now: Instant,
    ) {
        let timeout = self.config.delivery_timeout;
        let due = |opened: Instant| opened + timeout <= now;
        if partition.ready.is_empty() && self.accumulator.oldest(&partition.queue).is_some_and(due) {
            // Batches that no leader could take are still in the accumulator.
            self.accumulator.drain(&partition.queue, self.config.linger, now, &mut partition.ready);
        }
        if !partition.oldest().is_some_and(due) {
            return;
        }
        let leader = self.cluster.leader(tp.topic(), tp.partition()).map(|(node, _)| node);
        let at_node = leader.and_then(|leader| nodes.get(&leader)?.last_error.clone());
        let cause =
            match (partition.last_error.clone().or(at_node).or_else(|| self.identities.last_error()), leader)
            {
                (Some(error), _) => format!("; last error: {error}"),
                (None, None) => "; the partition has no leader".to_owned(),
                (None, Some(_)) => String::new(),
            };
        let late = |maybe_written: bool, attempts: u32, waited: &str| {
            let text = format!("not delivered within {timeout:?}: {waited} after {attempts} attempts{cause}");
            Outcome::Failed(
                Error::new(ErrorKind::Timeout, text)
                    .with_topic(tp.topic())
                    .with_partition(tp.partition())
                    .with_maybe_written(maybe_written),
            )
        };
        let mut expired = Vec::new();
        for batch in partition.in_flight.iter_mut().filter(|batch| due(batch.opened) && !batch.expired) {
            batch.expired = true;
            expired.push((batch.number, Arc::clone(&batch.handle), late(true, batch.attempts, "no answer")));
        }
        let mut gone = Vec::new();
        while partition.retry.front().is_some_and(|batch| due(batch.opened)) {
            let Some(batch) = partition.retry.pop_front() else { break };
            let outcome = late(batch.maybe_written, batch.attempts, "waiting to be sent again");
            expired.push((batch.number, Arc::clone(&batch.handle), outcome));
            gone.push(batch);
        }
        while partition.retry.is_empty() && partition.ready.front().is_some_and(|batch| due(batch.opened)) {
            let Some(batch) = partition.ready.pop_front() else { break };
            expired.push((batch.number, Arc::clone(&batch.handle), late(false, 0, "waiting to be sent")));
        }
        if expired.is_empty() {
            return;
        }
        for batch in gone {
            partition.sequences_burnt |= batch.stamp.is_some();
            self.recycle(batch);
        }
        log::warn!("{tp}: {} batches were not delivered in time", expired.len());
        self.complete_later(expired);
    }

    fn fail_all(&self, partition: &mut Partition, error: &Error) {
        let tp = partition.queue.topic_partition.clone();
        let error = error.clone().with_topic(tp.topic()).with_partition(tp.partition());
        let mut failed: Completed = Vec::new();
        for batch in std::mem::take(&mut partition.retry) {
            let error = error.clone().with_maybe_written(batch.maybe_written);
            failed.push((batch.number, Arc::clone(&batch.handle), Outcome::Failed(error)));
        }
        for batch in std::mem::take(&mut partition.ready) {
            failed.push((batch.number, Arc::clone(&batch.handle), Outcome::Failed(error.clone())));
        }
        self.complete_later(failed);
    }

    /// Completes batches in a task of its own, because callbacks may call into the producer.
    fn complete_later(&self, completed: Completed) {
        let accumulator = Arc::clone(&self.accumulator);
        self.net().spawn(async move {
            for (number, handle, outcome) in completed {
                accumulator.complete(number, &handle, outcome);
            }
            accumulator.sender().notify();
        });
    }
}

type Completed = Vec<(u64, Arc<BatchHandle>, Outcome)>;

/// A request that was started.
enum Sent {
    Answered(crate::net::connection::Answer<ProduceRequest>),
    Unanswered(ProduceRequest, i16),
}

/// What is to be done with a batch that came back.
enum Verdict {
    Written(Outcome),
    /// Once more, as it is.
    Retry(Error),
    /// Once more, under a new epoch.
    Renumber(Error),
    Split,
    Fail(Error),
}

impl Verdict {
    fn of_lost_request(error: &Error) -> Self {
        match error.kind() {
            // The request did not leave: it could not be encoded for this broker.
            ErrorKind::UnsupportedVersion | ErrorKind::InvalidArgument => Self::Fail(error.clone()),
            ErrorKind::Closed => Self::Fail(error.clone().with_maybe_written(true)),
            _ => Self::Retry(error.clone().with_maybe_written(true)),
        }
    }
}

/// What goes to one node in this round.
struct Outgoing {
    connection: Connection,
    slots: usize,
    requests: Vec<Vec<Batch>>,
    sizes: Vec<usize>,
}

impl Outgoing {
    fn new(connection: Connection, slots: usize) -> Self {
        Self { connection, slots, requests: Vec::new(), sizes: Vec::new() }
    }

    fn has_room(&self) -> bool {
        self.requests.len() < self.slots
    }

    /// The first request from `from` on that has room for `size` bytes.
    fn place(&self, from: usize, size: usize, max_request_size: usize) -> Option<usize> {
        let fits = |used: &usize| used + size <= max_request_size;
        let known = self.sizes.iter().skip(from).position(fits).map(|place| place + from);
        known.or_else(|| self.has_room().then_some(self.requests.len()))
    }

    fn add(&mut self, place: usize, batch: Batch) {
        if place == self.requests.len() {
            self.requests.push(Vec::new());
            self.sizes.push(0);
        }
        if let (Some(request), Some(size)) = (self.requests.get_mut(place), self.sizes.get_mut(place)) {
            *size += batch.bytes.len();
            request.push(batch);
        }
    }
}

impl Partition {
    fn new(queue: Arc<PartitionQueue>) -> Self {
        Self {
            queue,
            is_active: false,
            ready: VecDeque::new(),
            retry: VecDeque::new(),
            in_flight: VecDeque::new(),
            recovering: false,
            not_before: None,
            numbering: None,
            sequences_burnt: false,
            last_error: None,
        }
    }

    fn is_idle(&self) -> bool {
        self.ready.is_empty() && self.retry.is_empty() && self.in_flight.is_empty()
    }

    fn may_send(&self, one_by_one: bool) -> bool {
        self.in_flight.is_empty() || !(self.recovering || self.sequences_burnt || one_by_one)
    }

    /// When the oldest batch was opened that has no outcome yet.
    fn oldest(&self) -> Option<Instant> {
        // What came back may be older than what is still out.
        let in_flight = self.in_flight.iter().find(|batch| !batch.expired).map(|batch| batch.opened);
        let retry = self.retry.front().map(|batch| batch.opened);
        let ready = self.ready.front().map(|batch| batch.opened);
        [in_flight, retry, ready].into_iter().flatten().min()
    }

    fn requeue(&mut self, batch: Batch) {
        let at = self.retry.partition_point(|other| other.place < batch.place);
        self.retry.insert(at, batch);
    }

    /// Sees to it that what is sent next has good numbers: under a new producer id or after burnt sequences,
    /// everything is numbered anew. Returns false when the id has no epoch left.
    fn number_with(&mut self, producer: ProducerId) -> bool {
        let epoch = match self.numbering {
            Some(known) if known.producer == producer && !self.sequences_burnt => return true,
            // The answers to what is out decide first; they are awaited before anything else is sent.
            Some(_) if !self.in_flight.is_empty() => return true,
            // So does what becomes of a batch that may have been written, sent once more as it was.
            Some(_) if self.retry.front().is_some_and(|batch| batch.number_open) => {
                self.recovering = true;
                return true;
            }
            Some(known) if known.producer == producer => match known.epoch.checked_add(1) {
                Some(epoch) => epoch,
                None => return false,
            },
            _ => producer.epoch,
        };
        self.numbering = Some(Numbering { producer, epoch, next_sequence: 0 });
        self.sequences_burnt = false;
        // A broker that does not know the numbering yet takes whatever sequence comes first. Were the first
        // batch refused (the topic is just being created, say) and the second one not, they would change places.
        self.recovering = true;
        for mut batch in std::mem::take(&mut self.retry) {
            if let Some(stamp) = self.next_stamp(batch.count) {
                batch.restamp(stamp);
            }
            self.retry.push_back(batch);
        }
        true
    }

    /// The numbers of the next `count` records.
    fn next_stamp(&mut self, count: u32) -> Option<ProducerState> {
        let numbering = self.numbering.as_mut()?;
        let base_sequence = numbering.next_sequence;
        numbering.next_sequence = sequence_after(base_sequence, count);
        Some(ProducerState {
            id: numbering.producer.id,
            epoch: numbering.epoch,
            base_sequence,
            transactional: false,
        })
    }
}

/// Newer versions of Produce name topics by id only.
const LAST_BY_NAME: i16 = 12;

/// What the answer says of a partition.
fn find<'a>(
    answer: &'a ProduceResponse,
    tp: &TopicPartition,
    id: Uuid,
) -> Option<&'a PartitionProduceResponse> {
    answer
        .responses
        .iter()
        .filter(|topic| topic.name == tp.topic() || (topic.name.is_empty() && topic.topic_id == id))
        .flat_map(|topic| &topic.partition_responses)
        .find(|partition| partition.index == tp.partition())
}

impl Drop for Sender {
    /// The IO thread ends: whoever still waits for a record is told.
    fn drop(&mut self) {
        self.accumulator.abandon(&Error::new(ErrorKind::Closed, "the producer is closed"));
    }
}

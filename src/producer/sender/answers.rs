//! What becomes of batches when the answer to their request comes, or does not.

use std::sync::Arc;

use super::super::batch::Batch;
use super::super::handle::{BatchHandle, Outcome};
use super::super::transaction::BRIEFLY;
use super::partition::Partition;
use super::{Completed, Loss, Sender};
use crate::error::{Error, ErrorKind, printable};
use crate::error_code::ErrorCode;
use crate::net::backoff::Backoff;
use crate::protocol::Uuid;
use crate::protocol::messages::ProduceResponse;
use crate::protocol::messages::produce::PartitionProduceResponse;
use crate::types::{Node, TopicPartition};

impl Sender {
    /// Takes the answer to a request, or why there was none.
    pub(super) fn finish(
        &self,
        node: i32,
        batches: Vec<Batch>,
        result: Result<Option<ProduceResponse>, Loss>,
    ) {
        let mut state = self.state.borrow_mut();
        if let Some(node) = state.nodes.get_mut(&node) {
            node.in_flight = node.in_flight.saturating_sub(1);
        }
        let sensors = self.accumulator.sensors();
        sensors.producer.in_flight.add(-1);
        let mut completed = Vec::new();
        let answer = match &result {
            Ok(answer) => {
                if let Some(node) = state.nodes.get_mut(&node) {
                    node.was_idle = false;
                }
                answer.as_ref()
            }
            Err(loss) => {
                if let Some(node) = state.nodes.get_mut(&node) {
                    node.last_error = Some(loss.error.clone());
                }
                self.cluster.request_update();
                None
            }
        };
        // Before the batches are judged: one may go to a leader that is named here for the first time.
        for endpoint in answer.iter().flat_map(|answer| &answer.node_endpoints) {
            if let Ok(port) = u16::try_from(endpoint.port) {
                let (host, rack) = (endpoint.host.clone(), endpoint.rack.clone());
                self.cluster.add_broker(Node { id: endpoint.node_id, host, port, rack });
            }
        }
        for batch in batches {
            let tp = batch.handle.topic_partition().clone();
            let Some(partition) = state.partitions.get_mut(&tp) else { continue };
            let at = partition.in_flight.iter().position(|other| other.place == batch.place);
            let expired = at.and_then(|at| partition.in_flight.remove(at)).is_some_and(|out| out.expired);
            let verdict = match (&result, answer) {
                (Err(loss), _) => Verdict::of_lost_request(loss),
                (Ok(_), None) => {
                    Verdict::Written(Outcome::Written { base_offset: None, log_append_time: None })
                }
                (Ok(_), Some(answer)) => match find(answer, &tp, batch.topic_id) {
                    Some(response) => self.judge(partition, &batch, response, node),
                    None => {
                        let text = "the broker's answer leaves the partition out";
                        let error = Error::new(ErrorKind::Protocol, text).with_node(node);
                        Verdict::Retry(error.with_maybe_written(true))
                    }
                },
            };
            if expired {
                // Expired while it was out: what the answer says decides about its sequences only. A transaction was
                // lost when it expired.
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
            if let Ok(millis @ 1..) = u64::try_from(answer.throttle_time_ms) {
                sensors.producer.throttled.record(millis as f64, self.net().now());
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
        if code.is_ok() || (code == ErrorCode::DUPLICATE_SEQUENCE_NUMBER && batch.attempts_as_numbered > 1) {
            return written();
        }
        let mut moved = false;
        if code.refreshes_metadata() {
            let hint = &response.current_leader;
            if hint.leader_id >= 0 {
                self.cluster.update_leader(tp.topic(), tp.partition(), hint.leader_id, hint.leader_epoch);
            }
            // By this hint, or by what has come to be known since the request was sent.
            moved = self.cluster.leader(tp.topic(), tp.partition()).is_some_and(|(leader, _)| leader != node);
            if !moved {
                self.cluster.request_update();
            }
        }
        let mut error = Error::from_code(code, "produce")
            .with_topic(tp.topic())
            .with_partition(tp.partition())
            .with_node(node);
        if let Some(text) = &response.error_message {
            error = error.context(format_args!("the broker says \"{}\"", printable(text)));
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
            _ if !response.record_errors.is_empty() && !code.is_retriable() => {
                match refused_records(batch, response, &error) {
                    refused if refused.is_empty() => Verdict::Fail(error),
                    refused => Verdict::Sort(refused),
                }
            }
            _ if moved => Verdict::Follow(error),
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
        let verdict = match (verdict, &self.transaction) {
            // Epochs are the coordinator's to give.
            (Verdict::Renumber(error), Some(_)) => Verdict::Fail(error),
            (Verdict::Retry(error) | Verdict::Reconnect(error), Some(transaction))
                if transaction.lost().is_some() =>
            {
                Verdict::Fail(error)
            }
            (verdict, _) => verdict,
        };
        match verdict {
            Verdict::Written(outcome) => {
                // The success of a later batch says nothing of those that came back before it.
                if !partition.retry.iter().any(|other| other.place < batch.place) {
                    // Nor does one of an answer of the old topic to a topic that was made anew.
                    let is_of_old = batch.topic_id != partition.topic_id && batch.topic_id != Uuid::ZERO;
                    partition.recovering &= is_of_old;
                    partition.not_before = None;
                    partition.last_error = None;
                }
                completed.push((batch.number, Arc::clone(&batch.handle), outcome));
                self.recycle(batch);
            }
            Verdict::Retry(error)
            | Verdict::Follow(error)
            | Verdict::Reconnect(error)
            | Verdict::Renumber(error)
                if batch.attempts > self.config.retries =>
            {
                self.give_up(partition, batch, error, completed);
            }
            Verdict::Fail(error) => self.give_up(partition, batch, error, completed),
            Verdict::Retry(error) => {
                log::debug!("{}: batch will be sent again: {error}", batch.handle.topic_partition());
                batch.maybe_written |= error.maybe_written();
                batch.number_open |= error.maybe_written();
                self.send_again(partition, batch, error);
            }
            Verdict::Reconnect(error) => {
                log::debug!("{}: the connection had idled: {error}", batch.handle.topic_partition());
                batch.maybe_written |= error.maybe_written();
                batch.number_open |= error.maybe_written();
                self.send_again(partition, batch, error);
                partition.not_before = None;
            }
            Verdict::Follow(error) => {
                log::debug!("{}: batch follows the leader: {error}", batch.handle.topic_partition());
                self.send_again(partition, batch, error);
                // Somebody else is asked, who has not been asked too often.
                partition.not_before = None;
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
                    self.accumulator.sensors().producer.splits.record(1.0, self.net().now());
                    let places = self.requeue_parts(partition, &batch, parts);
                    partition.recovering = true;
                    completed.push((batch.number, Arc::clone(&batch.handle), Outcome::Split(places)));
                }
                Err(error) => self.give_up(partition, batch, error, completed),
            },
            Verdict::Sort(refused) => self.sort_out(partition, batch, refused, completed),
        }
    }

    /// Has the parts of a batch sent next. Returns where they are in it.
    fn requeue_parts(
        &self,
        partition: &mut Partition,
        batch: &Batch,
        parts: impl IntoIterator<Item = Batch>,
    ) -> Vec<(u32, Arc<BatchHandle>)> {
        let mut places = Vec::new();
        for mut part in parts {
            part.number = self.accumulator.register_part(&part.handle);
            places.push((part.place.1 - batch.place.1, Arc::clone(&part.handle)));
            partition.requeue(part);
        }
        places
    }

    /// Fails the records that the broker has named, each with its own error; the others go on without them (KIP-467).
    /// Nothing of the batch was written.
    fn sort_out(
        &self,
        partition: &mut Partition,
        batch: Batch,
        refused: Vec<(u32, Error)>,
        completed: &mut Completed,
    ) {
        let left_out: Vec<u32> = refused.iter().map(|(index, _)| *index).collect();
        let parts = match batch.without(&left_out, self.accumulator.compression()) {
            Ok(parts) => parts,
            Err(error) => return self.give_up(partition, batch, error, completed),
        };
        let mut places = self.requeue_parts(partition, &batch, parts);
        let mut failed: Completed = Vec::new();
        for (index, mut error) in refused {
            if let Some(transaction) = &self.transaction {
                error = transaction.fail(error, batch.stamp.is_some());
            }
            let handle = Arc::new(batch.handle.of_part(1));
            let number = self.accumulator.register_part(&handle);
            places.push((index, Arc::clone(&handle)));
            failed.push((number, handle, Outcome::Failed(error)));
        }
        places.sort_by_key(|(first, _)| *first);
        // The sequences of those that go on, and of what follows, assumed the others.
        partition.sequences_burnt |= batch.stamp.is_some();
        partition.recovering = true;
        completed.push((batch.number, Arc::clone(&batch.handle), Outcome::Split(places)));
        completed.append(&mut failed);
        self.recycle(batch);
    }

    fn send_again(&self, partition: &mut Partition, batch: Batch, error: Error) {
        let topic = batch.handle.topic_partition().shared_topic();
        self.accumulator.sensors().retried(&topic, batch.count, self.net().now());
        let common = &self.config.common;
        let initial = match error.code() {
            // The transaction before has all but ended.
            Some(ErrorCode::CONCURRENT_TRANSACTIONS) => common.retry_backoff.min(BRIEFLY),
            _ => common.retry_backoff,
        };
        let backoff = Backoff { initial, max: common.retry_backoff_max };
        partition.not_before = Some(self.net().now() + backoff.after(batch.attempts, self.net().random()));
        partition.recovering = true;
        partition.last_error = Some(error);
        batch.handle.came_back(batch.maybe_written);
        partition.requeue(batch);
    }

    fn give_up(&self, partition: &mut Partition, batch: Batch, error: Error, completed: &mut Completed) {
        // The sequences of what follows assumed this batch.
        partition.sequences_burnt |= batch.stamp.is_some();
        partition.recovering = true;
        let maybe_written = batch.maybe_written || error.maybe_written();
        let mut error = error.with_maybe_written(maybe_written);
        if let Some(transaction) = &self.transaction {
            error = transaction.fail(error, batch.stamp.is_some());
        }
        completed.push((batch.number, Arc::clone(&batch.handle), Outcome::Failed(error)));
        self.recycle(batch);
    }

    pub(super) fn recycle(&self, batch: Batch) {
        let Batch { bytes, mut permit, .. } = batch;
        // Neither is shared, unless a request is still being written or the batch was split.
        if let (Ok(buffer), Some(permit)) = (bytes.try_into_mut(), Arc::get_mut(&mut permit)) {
            permit.keep(Vec::from(buffer));
        }
    }
}

/// What is to be done with a batch that came back.
enum Verdict {
    Written(Outcome),
    /// Once more, as it is.
    Retry(Error),
    /// Once more, as it is, and at once: the partition has another leader (KIP-951).
    Follow(Error),
    /// Once more, as it is, and at once: the connection had died while nobody used it.
    Reconnect(Error),
    /// Once more, under a new epoch.
    Renumber(Error),
    Split,
    /// Some of its records are refused, by their place in the batch; without them it may go on.
    Sort(Vec<(u32, Error)>),
    Fail(Error),
}

impl Verdict {
    fn of_lost_request(loss: &Loss) -> Self {
        let error = loss.error.clone();
        match error.kind() {
            // It could not be encoded for this broker.
            ErrorKind::UnsupportedVersion | ErrorKind::InvalidArgument => Self::Fail(error),
            ErrorKind::Closed => Self::Fail(error.with_maybe_written(loss.has_left)),
            ErrorKind::Connection if loss.was_idle => {
                Self::Reconnect(error.with_maybe_written(loss.has_left))
            }
            _ => Self::Retry(error.with_maybe_written(loss.has_left)),
        }
    }
}

/// The records of a batch that an answer refuses, in ascending order, each with what is wrong with it.
fn refused_records(batch: &Batch, response: &PartitionProduceResponse, error: &Error) -> Vec<(u32, Error)> {
    let mut refused: Vec<(u32, Error)> = Vec::new();
    for line in &response.record_errors {
        let Some(index) = u32::try_from(line.batch_index).ok().filter(|index| *index < batch.count) else {
            continue;
        };
        let error = match &line.batch_index_error_message {
            Some(text) => {
                error.clone().context(format_args!("of this record it says \"{}\"", printable(text)))
            }
            None => error.clone(),
        };
        refused.push((index, error));
    }
    refused.sort_by_key(|(index, _)| *index);
    refused.dedup_by_key(|(index, _)| *index);
    refused
}

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

//! What brokers answer to a fetch, partition by partition.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::super::buffer::{Chunk, Reservation};
use super::super::event::{Event, FetchFailure};
use super::super::sensors::Fetched;
use super::super::session::{Key, Session};
use super::state::Log;
use super::{Fetcher, Fetching, Sent};
use crate::config::IsolationLevel;
use crate::error::{Error, ErrorKind};
use crate::error_code::ErrorCode;
use crate::protocol::messages::FetchResponse;
use crate::protocol::messages::fetch::{LeaderIdAndEpoch, PartitionData};
use crate::record::Batches;
use crate::types::Node;

impl Fetcher {
    pub(super) fn answered(
        &self,
        node: i32,
        session: &Session,
        sent: &HashMap<Key, Sent>,
        response: FetchResponse,
        by_id: bool,
    ) -> Fetched {
        let mut fetched = Fetched::default();
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
                let Some(sent) = sent.get(&(Arc::clone(&name), data.partition_index)) else {
                    continue;
                };
                let mut partitions = self.0.partitions.borrow_mut();
                // Sought, revoked or assigned anew meanwhile: the answer is to a question of the past.
                let Some(partition) = partitions
                    .get_mut(&sent.slot.index)
                    .filter(|partition| partition.slot == sent.slot && partition.offset == sent.offset)
                else {
                    continue;
                };
                self.take(node, partition, sent.leader_epoch, data, &mut fetched);
            }
        }
        fetched
    }

    fn take(
        &self,
        node: i32,
        partition: &mut Fetching,
        leader_epoch: i32,
        data: PartitionData,
        fetched: &mut Fetched,
    ) {
        if !data.error_code.is_ok() {
            return self.failed(node, partition, data.error_code, &data.current_leader);
        }
        if data.diverging_epoch.end_offset >= 0 || data.diverging_epoch.epoch >= 0 {
            partition.resting = true;
            let failure = FetchFailure::Diverged {
                end_offset: data.diverging_epoch.end_offset,
                leader_epoch: data.diverging_epoch.epoch,
            };
            return self.0.events.send(Event::FetchFailed(partition.slot, failure));
        }
        // The leader of this epoch has taken the offset.
        partition.validated_in = leader_epoch;
        (partition.failures, partition.retry_at) = (0, None);
        partition.shared.succeeded();
        let (end, stable) = (data.high_watermark, data.last_stable_offset);
        // Brokers before 0.11 have no transactions, and tell of no last stable offset.
        let stable = if stable < 0 { end } else { stable };
        partition.log = Some(Log::new(end, stable, partition.log, self.0.cluster.net().now()));
        let readable = match self.0.config.isolation_level {
            IsolationLevel::ReadUncommitted => data.high_watermark,
            IsolationLevel::ReadCommitted => data.last_stable_offset,
        };
        partition.shared.set_log(data.log_start_offset, readable);
        if data.preferred_read_replica >= 0 {
            self.prefer(partition, data.preferred_read_replica);
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
        self.advance(partition, records, aborted, fetched);
    }

    fn advance(
        &self,
        partition: &mut Fetching,
        records: Bytes,
        aborted: Option<Vec<(i64, i64)>>,
        fetched: &mut Fetched,
    ) {
        let mut batches = Batches::new(records.clone());
        let (mut next, mut damaged, mut count) = (None, false, 0);
        for batch in &mut batches {
            match batch {
                Ok(batch) => {
                    next = Some((batch.next_offset(), batch.leader_epoch()));
                    count += u64::from(batch.record_count().unwrap_or(1));
                }
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
        fetched.add(&partition.tp.shared_topic(), records.len(), count);
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

    pub(super) fn failed(
        &self,
        node: i32,
        partition: &mut Fetching,
        code: ErrorCode,
        hint: &LeaderIdAndEpoch,
    ) {
        let now = self.0.cluster.net().now();
        log::debug!("{} at node {node}, offset {}: {code}", partition.tp, partition.offset);
        if partition.nearer.is_some_and(|(nearer, _)| nearer == node) {
            // A follower may lag behind, or know less: only the leader's word counts.
            if code.refreshes_metadata() {
                self.0.cluster.request_update();
            }
            return self.back_to_leader(partition);
        }
        match code {
            ErrorCode::OFFSET_OUT_OF_RANGE => {
                partition.resting = true;
                self.0.events.send(Event::FetchFailed(partition.slot, FetchFailure::OutOfRange));
            }
            ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::FENCED_LEADER_EPOCH => {
                let tp = &partition.tp;
                let moved = hint.leader_id >= 0
                    && self.0.cluster.update_leader(
                        tp.topic(),
                        tp.partition(),
                        hint.leader_id,
                        hint.leader_epoch,
                    );
                if !moved {
                    self.0.cluster.request_update();
                    partition.shared.failed(self.at(partition, Error::from_code(code, "Fetch")), now);
                    self.retry_later(partition);
                }
            }
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            | ErrorCode::UNKNOWN_TOPIC_ID
            | ErrorCode::INCONSISTENT_TOPIC_ID => {
                self.0.cluster.request_update();
                self.retry_later(partition);
                let error = self.at(partition, Error::from_code(code, "Fetch"));
                if partition.shared.failed(error.clone(), now) >= self.0.config.unknown_topic_grace {
                    partition.resting = true;
                    self.0.events.send(Event::FetchFailed(partition.slot, FetchFailure::Other(error)));
                }
            }
            code if code.is_retriable() || code == ErrorCode::UNKNOWN_SERVER_ERROR => {
                if code.is_retriable() {
                    self.0.cluster.request_update();
                }
                partition.shared.failed(self.at(partition, Error::from_code(code, "Fetch")), now);
                self.retry_later(partition);
            }
            code => {
                partition.resting = true;
                let error = self.at(partition, Error::from_code(code, "Fetch").with_node(node));
                partition.shared.failed(error.clone(), now);
                // The broker has the records in a codec that it may not send by the versions that it speaks.
                let failure = if code == ErrorCode::UNSUPPORTED_COMPRESSION_TYPE {
                    FetchFailure::Hopeless(error)
                } else {
                    FetchFailure::Other(error)
                };
                self.0.events.send(Event::FetchFailed(partition.slot, failure));
            }
        }
    }

    pub(super) fn retry_later(&self, partition: &mut Fetching) {
        partition.failures += 1;
        partition.retry_at = Some(self.0.cluster.net().now() + self.backoff(partition.failures));
        self.0.changed.notify();
    }

    pub(super) fn at(&self, partition: &Fetching, error: Error) -> Error {
        let tp = &partition.tp;
        error.with_topic(tp.topic()).with_partition(tp.partition()).with_offset(partition.offset)
    }
}

//! The sender's side of one partition: what waits, what is out, and how it is numbered.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::super::accumulator::{PartitionQueue, ReadyBatch};
use super::super::batch::{Batch, sequence_after};
use super::super::handle::BatchHandle;
use super::super::identity::ProducerId;
use crate::error::Error;
use crate::protocol::Uuid;
use crate::record::ProducerState;

/// The sender's side of one partition.
pub(super) struct Partition {
    pub(super) queue: Arc<PartitionQueue>,
    pub(super) is_active: bool,
    /// Never sent.
    pub(super) ready: VecDeque<Box<ReadyBatch>>,
    /// Sent and come back, in order.
    pub(super) retry: VecDeque<Batch>,
    /// Sent, with no answer yet, in order.
    pub(super) in_flight: VecDeque<InFlight>,
    /// Something came back, or the numbering is new: one batch at a time until one has succeeded.
    pub(super) recovering: bool,
    pub(super) not_before: Option<Instant>,
    /// What the next batch is numbered with.
    pub(super) numbering: Option<Numbering>,
    pub(super) sequences_burnt: bool,
    pub(super) last_error: Option<Error>,
    /// The topic that its name stood for at the last look; all zeros where brokers do not tell.
    pub(super) topic_id: Uuid,
    /// Of when the first answer is that does not know the partition.
    pub(super) missing_since: Option<Instant>,
}

/// The brokers keep producer state for each partition, so each partition can have an epoch of its own.
#[derive(Clone, Copy)]
pub(super) struct Numbering {
    pub(super) producer: ProducerId,
    pub(super) epoch: i16,
    pub(super) transactional: bool,
    pub(super) next_sequence: i32,
}

/// What the partition remembers of a batch that is out with a request.
pub(super) struct InFlight {
    pub(super) number: u64,
    pub(super) place: (u64, u32),
    pub(super) attempts: u32,
    pub(super) opened: Instant,
    pub(super) handle: Arc<BatchHandle>,
    /// Its time was over before the answer came; the handle has been told, or is about to be.
    pub(super) expired: bool,
}

impl Partition {
    pub(super) fn new(queue: Arc<PartitionQueue>) -> Self {
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
            topic_id: Uuid::ZERO,
            missing_since: None,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.ready.is_empty() && self.retry.is_empty() && self.in_flight.is_empty()
    }

    /// Whether there is something that could be sent.
    pub(super) fn has_waiting(&self) -> bool {
        !self.ready.is_empty() || !self.retry.is_empty()
    }

    pub(super) fn may_send(&self, one_by_one: bool) -> bool {
        self.in_flight.is_empty() || !(self.recovering || self.sequences_burnt || one_by_one)
    }

    /// When the oldest batch was opened that has no outcome yet.
    pub(super) fn oldest(&self) -> Option<Instant> {
        // What came back may be older than what is still out.
        let in_flight = self.in_flight.iter().find(|batch| !batch.expired).map(|batch| batch.opened);
        let retry = self.retry.front().map(|batch| batch.opened);
        let ready = self.ready.front().map(|batch| batch.opened);
        [in_flight, retry, ready].into_iter().flatten().min()
    }

    pub(super) fn requeue(&mut self, batch: Batch) {
        let at = self.retry.partition_point(|other| other.place < batch.place);
        self.retry.insert(at, batch);
    }

    /// Sees to it that what is sent next has good numbers: under a new producer id or after burnt sequences,
    /// everything is numbered anew. Returns false when the id has no epoch left.
    pub(super) fn number_with(&mut self, producer: ProducerId, transactional: bool) -> bool {
        let epoch = match self.numbering {
            Some(known) if known.producer == producer && !self.sequences_burnt => return true,
            // The answers to what is out decide first; they are awaited before anything else is sent.
            Some(_) if !self.in_flight.is_empty() => return true,
            // So does what becomes of a batch that may have been written, sent once more as it was.
            Some(_) if self.retry.front().is_some_and(|batch| batch.number_open) => {
                self.recovering = true;
                return true;
            }
            // The coordinator gives a transactional producer its epochs: what it can do about burnt ones is to abort.
            Some(known) if known.producer == producer && known.transactional => return true,
            Some(known) if known.producer == producer => match known.epoch.checked_add(1) {
                Some(epoch) => epoch,
                None => return false,
            },
            _ => producer.epoch,
        };
        let is_first = self.numbering.is_none();
        self.numbering = Some(Numbering { producer, epoch, transactional, next_sequence: 0 });
        self.sequences_burnt = false;
        // A broker that does not know the numbering yet takes whatever sequence comes first. Were the first
        // batch refused (the topic is just being created, say) and the second one not, they would change places.
        // One that knows the producer of earlier transactions does not, and what does go wrong is aborted.
        self.recovering = is_first || !transactional;
        for mut batch in std::mem::take(&mut self.retry) {
            if let Some(stamp) = self.next_stamp(batch.count) {
                batch.restamp(stamp);
            }
            self.retry.push_back(batch);
        }
        true
    }

    /// The numbers of the next `count` records.
    pub(super) fn next_stamp(&mut self, count: u32) -> Option<ProducerState> {
        let numbering = self.numbering.as_mut()?;
        let base_sequence = numbering.next_sequence;
        numbering.next_sequence = sequence_after(base_sequence, count);
        Some(ProducerState {
            id: numbering.producer.id,
            epoch: numbering.epoch,
            base_sequence,
            transactional: numbering.transactional,
        })
    }
}

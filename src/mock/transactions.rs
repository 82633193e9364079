//! Transactions, as their coordinators run them (KIP-98, 360, 447, 588, 890): no IO and no clock in here.
//!
//! Time comes in with each call; [`Transactions::expire`] does what is due and [`Transactions::next_deadline`] says
//! when to call it. A transaction that was decided waits as prepared until [`State::write_markers`] has told the
//! partitions and groups.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::log::Marker;
use super::state::{Cluster, State};
use crate::error_code::ErrorCode;
use crate::net::clock::FAR;

/// The state of a transactional id at its coordinator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TransactionState {
    /// No transaction since the producer has begun.
    #[default]
    Empty,
    /// A transaction has partitions or offsets.
    Ongoing,
    /// It is to be committed, and its markers are being written.
    PrepareCommit,
    /// It is to be aborted, and its markers are being written.
    PrepareAbort,
    /// The last transaction was committed.
    CompleteCommit,
    /// The last transaction was aborted.
    CompleteAbort,
}

impl TransactionState {
    /// Kafka's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing => "Ongoing",
            Self::PrepareCommit => "PrepareCommit",
            Self::PrepareAbort => "PrepareAbort",
            Self::CompleteCommit => "CompleteCommit",
            Self::CompleteAbort => "CompleteAbort",
        }
    }

    /// The state of a name, if there is one.
    pub(crate) fn named(name: &str) -> Option<Self> {
        use TransactionState::*;
        let all = [Empty, Ongoing, PrepareCommit, PrepareAbort, CompleteCommit, CompleteAbort];
        all.into_iter().find(|state| state.name() == name)
    }
}

/// A producer id and its epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Producer {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
}

/// All transactional ids.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    by_id: BTreeMap<String, Transaction>,
    producer_ids: i64,
}

/// What the coordinator knows of one transactional id.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) state: TransactionState,
    /// The epoch is -1 before the first producer has it.
    pub(crate) producer: Producer,
    /// The id before the present one, whose epochs were used up; -1 for none.
    previous_id: i64,
    /// The id that takes over once the markers are written.
    next_id: Option<i64>,
    /// The epoch before the last raise that a client had asked for; -1 for none.
    last_epoch: i16,
    pub(crate) timeout: Duration,
    /// Whether the client is one that has its epoch raised by each transaction (transaction version 2).
    raises_epochs: bool,
    pub(crate) partitions: BTreeSet<(String, i32)>,
    pub(crate) groups: BTreeSet<String>,
    deadline: Option<Instant>,
    /// When the transaction began, in milliseconds since 1970; -1 for none.
    pub(crate) started_ms: i64,
}

/// What joins a transaction.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Partition(String, i32),
    /// The offsets of a group.
    Group(String),
}

/// When something joins a transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) now: Instant,
    pub(crate) unix_ms: i64,
}

/// An id with this epoch gets no further: the last epoch is left to the coordinator, to fence with.
fn is_used_up(epoch: i16) -> bool {
    epoch >= i16::MAX - 1
}

impl Transactions {
    /// The ids begin behind `last`.
    pub(crate) fn new(last: i64) -> Self {
        Self { by_id: BTreeMap::new(), producer_ids: last }
    }

    pub(crate) fn new_producer_id(&mut self) -> i64 {
        self.producer_ids += 1;
        self.producer_ids
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Transaction> {
        self.by_id.get(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Transaction)> {
        self.by_id.iter()
    }

    /// A producer begins, or asks for a new epoch with the one that it has.
    ///
    /// # Errors
    /// An open transaction is aborted first, and the producer told to come again.
    pub(crate) fn init(
        &mut self,
        id: &str,
        timeout: Duration,
        expected: Option<Producer>,
        raise_epochs: bool,
    ) -> Result<Producer, ErrorCode> {
        let new_id = self.new_producer_id();
        let known = self.by_id.entry(id.to_owned()).or_insert_with(|| Transaction::new(new_id));
        let is_current = |one: Producer| {
            known.producer.epoch == -1
                || one.id == known.producer.id
                || (one.id == known.previous_id && is_used_up(one.epoch))
        };
        if expected.is_some_and(|one| !is_current(one)) {
            return Err(ErrorCode::PRODUCER_FENCED);
        }
        match known.state {
            TransactionState::PrepareCommit | TransactionState::PrepareAbort => {
                return Err(ErrorCode::CONCURRENT_TRANSACTIONS);
            }
            TransactionState::Ongoing => {
                known.fence(raise_epochs);
                return Err(ErrorCode::CONCURRENT_TRANSACTIONS);
            }
            _ => {}
        }
        let epoch = known.producer.epoch;
        if is_used_up(epoch) && expected.is_none_or(|one| one.epoch == epoch) {
            known.last_epoch = expected.map_or(-1, |_| epoch);
            known.previous_id = known.producer.id;
            known.producer = Producer { id: new_id, epoch: 0 };
        } else {
            match expected {
                None => known.last_epoch = -1,
                Some(one) if epoch == -1 || one.epoch == epoch => known.last_epoch = epoch,
                // The answer to the raise was lost.
                Some(one) if one.epoch == known.last_epoch => return Ok(known.producer),
                Some(_) => return Err(ErrorCode::PRODUCER_FENCED),
            }
            known.producer.epoch += 1;
        }
        known.state = TransactionState::Empty;
        known.raises_epochs = false;
        known.timeout = timeout;
        known.started_ms = -1;
        Ok(known.producer)
    }

    fn of(&mut self, id: &str, producer: Producer) -> Result<&mut Transaction, ErrorCode> {
        let known = self.by_id.get_mut(id).filter(|known| known.producer.id == producer.id);
        known.ok_or(ErrorCode::INVALID_PRODUCER_ID_MAPPING)
    }

    /// Adds to a transaction, which begins with the first addition. `raises_epochs` says that the client did not
    /// ask for it: the partition's leader does, on its behalf.
    pub(crate) fn add(
        &mut self,
        id: &str,
        producer: Producer,
        parts: impl IntoIterator<Item = Part>,
        raises_epochs: bool,
        moment: Moment,
    ) -> Result<(), ErrorCode> {
        let known = self.of(id, producer)?;
        if known.producer.epoch != producer.epoch {
            return Err(ErrorCode::PRODUCER_FENCED);
        }
        if matches!(known.state, TransactionState::PrepareCommit | TransactionState::PrepareAbort) {
            return Err(ErrorCode::CONCURRENT_TRANSACTIONS);
        }
        if known.state != TransactionState::Ongoing {
            known.state = TransactionState::Ongoing;
            known.deadline = Some(moment.now + known.timeout);
            known.started_ms = moment.unix_ms;
        }
        known.raises_epochs = raises_epochs;
        for part in parts {
            match part {
                Part::Partition(topic, index) => known.partitions.insert((topic, index)),
                Part::Group(group) => known.groups.insert(group),
            };
        }
        Ok(())
    }

    /// Whether something is part of the producer's open transaction.
    pub(crate) fn verify(&mut self, id: &str, producer: Producer, part: &Part) -> Result<(), ErrorCode> {
        let known = self.of(id, producer)?;
        if known.producer.epoch != producer.epoch {
            return Err(ErrorCode::PRODUCER_FENCED);
        }
        let is_in = match part {
            Part::Partition(topic, index) => known.partitions.contains(&(topic.clone(), *index)),
            Part::Group(group) => known.groups.contains(group),
        };
        match known.state {
            TransactionState::PrepareCommit | TransactionState::PrepareAbort => {
                Err(ErrorCode::CONCURRENT_TRANSACTIONS)
            }
            TransactionState::Ongoing if is_in => Ok(()),
            _ => Err(ErrorCode::TRANSACTION_ABORTABLE),
        }
    }

    /// A producer ends its transaction. Returns what it is to go on with.
    pub(crate) fn end(
        &mut self,
        id: &str,
        producer: Producer,
        commit: bool,
        raise_epoch: bool,
    ) -> Result<Producer, ErrorCode> {
        let new_id = self.new_producer_id();
        let known = self.by_id.get_mut(id).ok_or(ErrorCode::INVALID_PRODUCER_ID_MAPPING)?;
        let present = known.producer;
        // Under transaction version 2 the epoch tells a call that is repeated from the next one.
        let was_raised = known.raises_epochs && producer.epoch.checked_add(1) == Some(present.epoch);
        let has_rotated = known.raises_epochs
            && known.previous_id == producer.id
            && is_used_up(producer.epoch)
            && present.epoch == 0;
        if present.id != producer.id && !has_rotated {
            return Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING);
        }
        use TransactionState::*;
        let is_valid = match known.state {
            PrepareCommit | PrepareAbort if known.raises_epochs => was_raised,
            CompleteCommit | CompleteAbort if known.raises_epochs => {
                was_raised || has_rotated || producer.epoch == present.epoch
            }
            _ => producer.epoch == present.epoch,
        };
        if !is_valid {
            return Err(ErrorCode::PRODUCER_FENCED);
        }
        let is_repeated = !known.raises_epochs || was_raised || has_rotated;
        match (known.state, commit) {
            (Ongoing, _) => {}
            (PrepareCommit, true) | (PrepareAbort, false) => return Err(ErrorCode::CONCURRENT_TRANSACTIONS),
            (CompleteCommit, true) | (CompleteAbort, false) if is_repeated => return Ok(known.going_on()),
            // A client of transaction version 2 cannot know whether anything has joined the transaction: an abort
            // of nothing raises the epoch, too.
            (Empty, false) if raise_epoch => {}
            (CompleteCommit | CompleteAbort, false) if raise_epoch && !is_repeated => {}
            _ => return Err(ErrorCode::INVALID_TXN_STATE),
        }
        known.prepare(commit, raise_epoch, new_id);
        Ok(known.going_on())
    }

    /// Aborts transactions that were open for too long, and fences their producers. Returns whether there were any.
    pub(crate) fn expire(&mut self, now: Instant, raise_epochs: bool) -> bool {
        let mut any = false;
        for known in self.by_id.values_mut() {
            if known.state == TransactionState::Ongoing
                && known.deadline.is_some_and(|deadline| deadline <= now)
            {
                known.fence(raise_epochs);
                any = true;
            }
        }
        any
    }

    /// Aborts one open transaction as if it was open for too long. Returns whether there was one.
    pub(crate) fn expire_one(&mut self, id: &str, raise_epochs: bool) -> bool {
        let known = self.by_id.get_mut(id).filter(|known| known.state == TransactionState::Ongoing);
        known.map(|known| known.fence(raise_epochs)).is_some()
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let open = self.by_id.values().filter(|known| known.state == TransactionState::Ongoing);
        open.filter_map(|known| known.deadline).min()
    }

    /// Sets the epoch of a transactional id whose transaction is not open, for tests of used up epochs.
    pub(crate) fn set_epoch(&mut self, id: &str, epoch: i16) -> bool {
        let known = self.by_id.get_mut(id).filter(|known| known.state != TransactionState::Ongoing);
        known.map(|known| known.producer.epoch = epoch).is_some()
    }
}

impl Transaction {
    fn new(id: i64) -> Self {
        Self {
            state: TransactionState::Empty,
            producer: Producer { id, epoch: -1 },
            previous_id: -1,
            next_id: None,
            last_epoch: -1,
            timeout: Duration::ZERO,
            raises_epochs: false,
            partitions: BTreeSet::new(),
            groups: BTreeSet::new(),
            deadline: None,
            started_ms: -1,
        }
    }

    /// What the client goes on with.
    fn going_on(&self) -> Producer {
        self.next_id.map_or(self.producer, |id| Producer { id, epoch: 0 })
    }

    fn prepare(&mut self, commit: bool, raise_epoch: bool, new_id: i64) {
        self.state = if commit { TransactionState::PrepareCommit } else { TransactionState::PrepareAbort };
        self.deadline = None;
        self.raises_epochs = raise_epoch;
        if raise_epoch {
            self.next_id = is_used_up(self.producer.epoch).then_some(new_id);
            self.last_epoch = self.producer.epoch;
            self.producer.epoch = self.producer.epoch.saturating_add(1);
        }
    }

    /// Aborts the open transaction under an epoch that its producer does not have. Under transaction version 2 it can
    /// get it by an abort of its own.
    fn fence(&mut self, raise_epochs: bool) {
        self.producer.epoch = self.producer.epoch.saturating_add(1);
        self.state = TransactionState::PrepareAbort;
        self.deadline = None;
        self.raises_epochs = raise_epochs;
        self.last_epoch = -1;
    }

    /// The markers are written.
    fn complete(&mut self) {
        self.state = match self.state {
            TransactionState::PrepareCommit => TransactionState::CompleteCommit,
            _ => TransactionState::CompleteAbort,
        };
        if let Some(next) = self.next_id.take() {
            self.previous_id = self.producer.id;
            self.producer = Producer { id: next, epoch: 0 };
        }
    }
}

impl State {
    /// Tells partitions and groups of the transactions that were decided, unless that is held back.
    pub(crate) fn write_markers(&mut self, now_ms: i64) {
        if self.hold_markers {
            return;
        }
        let mut decided = Vec::new();
        for known in self.transactions.by_id.values_mut() {
            let commit = match known.state {
                TransactionState::PrepareCommit => true,
                TransactionState::PrepareAbort => false,
                _ => continue,
            };
            let Producer { id: producer_id, epoch: producer_epoch } = known.producer;
            let marker = Marker { commit, producer_id, producer_epoch, coordinator_epoch: COORDINATOR_EPOCH };
            decided.push((marker, std::mem::take(&mut known.partitions), std::mem::take(&mut known.groups)));
            known.complete();
        }
        for (marker, partitions, groups) in decided {
            for (topic, index) in partitions {
                // The topic may be gone.
                let Some(partition) = self.partition_mut(&topic, index) else { continue };
                if let Err(code) = partition.log.end_transaction(marker, partition.leader_epoch, now_ms) {
                    log::warn!("MockCluster: no marker in {topic}-{index}: {code}");
                }
            }
            for group in groups {
                if let Some(group) = self.groups.get_mut(&group) {
                    group.end_transaction(marker.producer_id, marker.commit);
                }
            }
        }
    }
}

/// There is but one coordinator of a transactional id at a time, and it never loses its place to an older one.
const COORDINATOR_EPOCH: i32 = 0;

/// Does what is due: transactions that were open for too long.
pub(crate) async fn keep_time(cluster: Rc<Cluster>) {
    loop {
        let now = cluster.net.now();
        let (next, expired) = {
            let mut state = cluster.state();
            let raise_epochs = state.settings.transaction_version >= 2;
            let expired = state.transactions.expire(now, raise_epochs);
            state.write_markers(cluster.net.clock().unix_millis());
            (state.transactions.next_deadline(), expired)
        };
        if expired {
            cluster.changed();
        }
        let deadline = next.unwrap_or(now + FAR);
        // Woken or due, the next look tells.
        let _ = cluster.net.until(deadline, cluster.transaction_timers.notified()).await;
    }
}

#[cfg(test)]
mod tests;

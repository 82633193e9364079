//! Batches whose time is over, and batches that cannot be sent at all.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::accumulator::Look;
use super::super::handle::Outcome;
use super::partition::Partition;
use super::{Completed, NodeState, Sender};
use crate::error::{Error, ErrorKind};
use crate::types::TopicPartition;

/// What the log is told of batches that were not delivered in time: one line now and then, however many there are. Each
/// record's handle tells the rest.
#[derive(Default)]
pub(super) struct Late {
    warned: Option<Instant>,
    unlogged: usize,
}

impl Late {
    fn note(&mut self, tp: &TopicPartition, count: usize, now: Instant, timeout: Duration) {
        let pause = timeout.max(LONG);
        if self.warned.is_some_and(|at| now.saturating_duration_since(at) < pause) {
            self.unlogged += count;
            log::debug!("{tp}: {count} batches were not delivered in time");
            return;
        }
        self.warned = Some(now);
        match std::mem::take(&mut self.unlogged) {
            0 => log::warn!("{tp}: {count} batches were not delivered in time"),
            more => log::warn!(
                "{tp}: {count} batches were not delivered in time; {more} of this and other partitions before them \
                 were not logged"
            ),
        }
    }
}

/// At least so long is between two lines about the same trouble.
const LONG: Duration = Duration::from_secs(60);

impl Sender {
    /// Fails the batches at the head of a partition whose time is over.
    pub(super) fn expire(
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
            let error = Error::new(ErrorKind::Timeout, text)
                .with_topic(tp.topic())
                .with_partition(tp.partition())
                .with_maybe_written(maybe_written);
            Outcome::Failed(match &self.transaction {
                Some(transaction) => transaction.fail(error, attempts > 0),
                None => error,
            })
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
        self.late.borrow_mut().note(tp, expired.len(), now, self.config.delivery_timeout);
        self.complete_later(expired);
    }

    /// Fails what a partition has queued.
    pub(super) fn fail_all(&self, partition: &mut Partition, error: &Error) {
        let tp = partition.queue.topic_partition.clone();
        let error = error.clone().with_topic(tp.topic()).with_partition(tp.partition());
        let mut failed: Completed = Vec::new();
        let burnt = partition.retry.iter().any(|batch| batch.stamp.is_some());
        partition.sequences_burnt |= burnt;
        let error = match &self.transaction {
            Some(transaction) if partition.has_waiting() => transaction.fail(error, burnt),
            _ => error,
        };
        for batch in std::mem::take(&mut partition.retry) {
            let error = error.clone().with_maybe_written(batch.maybe_written);
            failed.push((batch.number, Arc::clone(&batch.handle), Outcome::Failed(error)));
        }
        for batch in std::mem::take(&mut partition.ready) {
            // Whatever is said of others: it has never left.
            let error = error.clone().with_maybe_written(false);
            failed.push((batch.number, Arc::clone(&batch.handle), Outcome::Failed(error)));
        }
        self.complete_later(failed);
    }

    /// Fails all batches of a partition that are not on their way, those that are still open, too.
    pub(super) fn refuse_all(&self, partition: &mut Partition, now: Instant, error: &Error) {
        loop {
            self.fail_all(partition, error);
            match self.accumulator.drain(&partition.queue, Duration::ZERO, now, &mut partition.ready) {
                Look::Empty if partition.ready.is_empty() => {
                    partition.is_active = !partition.is_idle();
                    return;
                }
                // The wake-up comes when there is more.
                _ if partition.ready.is_empty() => return,
                _ => {}
            }
        }
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

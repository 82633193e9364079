//! Positions on the program's thread: how they are found, what the program is told of those that move without it,
//! and the end of fetching.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::core::Core;
use super::event::{FetchFailure, Slot};
use super::subscription::Phase;
use crate::cluster::GRACE;
use crate::error::{Error, ErrorKind, Result};
use crate::net::bridge::panic_text;
use crate::types::TopicPartition;

impl Core {
    pub(super) fn fetch_failed(&mut self, slot: Slot, failure: FetchFailure) {
        let outcome = match failure {
            // Settled when what is here has been read: fetching is ahead of the program.
            FetchFailure::OutOfRange => {
                self.out_of_range.push(slot);
                Ok(())
            }
            FetchFailure::Diverged { end_offset, leader_epoch } => {
                self.subscription.diverged(slot, end_offset, leader_epoch)
            }
            FetchFailure::Recreated { old, new } => self.subscription.recreated(slot, old, new),
            FetchFailure::Other(error) if self.subscription.at(slot).is_some() => {
                self.subscription.refetch(slot);
                Err(error)
            }
            // The fetcher leaves the partition alone until the program seeks.
            FetchFailure::Hopeless(error) if self.subscription.at(slot).is_some() => Err(error),
            FetchFailure::Other(_) | FetchFailure::Hopeless(_) => Ok(()),
        };
        self.errors.extend(outcome.err());
    }

    /// Resets the partitions that have been read up to where the log does not go on.
    pub(super) fn settle_out_of_range(&mut self) {
        for slot in std::mem::take(&mut self.out_of_range) {
            if self.chunks.has(slot) {
                self.out_of_range.push(slot);
            } else {
                self.errors.extend(self.subscription.out_of_range(slot).err());
            }
        }
    }

    /// Tells the program which positions have moved without it, and commits those that it wants committed at once.
    pub(super) fn tell_resets(&mut self) {
        let resets = self.subscription.take_resets();
        for reset in &resets {
            log::warn!("{reset}");
            if let Some(tell) = &mut self.on_reset {
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| tell(reset))) {
                    let text = format!("on_position_reset panicked: {}", panic_text(&*panic));
                    self.errors.push_back(Error::new(ErrorKind::Panic, text));
                }
            }
        }
        if self.config.commit_starting_position && self.config.group_id.is_some() && !resets.is_empty() {
            let starts: BTreeSet<TopicPartition> = resets.into_iter().map(|reset| reset.partition).collect();
            let mut offsets = self.subscription.positions();
            offsets.retain(|tp, _| starts.contains(tp));
            if let Err(error) = self.commit_async(offsets, None) {
                log::warn!("commit of the starting position: {error}");
            }
        }
    }

    pub(super) fn resolve_positions(&mut self) {
        let (asks, errors) = self.subscription.take_unresolved(self.config.group_id.is_some());
        self.errors.extend(errors);
        self.flush();
        if !asks.is_empty() {
            self.io.post(move |io| io.resolve(asks));
        }
    }

    pub(super) fn position(&mut self, partition: &TopicPartition, timeout: Duration) -> Result<i64> {
        self.check_open()?;
        let deadline = self.clock.deadline(timeout);
        loop {
            self.drain();
            self.settle_out_of_range();
            self.tell_resets();
            let state = self.subscription.get(partition)?;
            let (phase, position) = (state.phase, state.position());
            if phase == Phase::Ready {
                self.flush();
                return Ok(position);
            }
            if let Some(place) = self.errors.iter().position(|error| is_about(error, partition)) {
                if let Some(error) = self.errors.remove(place) {
                    return Err(error);
                }
            }
            if phase == Phase::Stuck {
                let text = "the partition has no position: seek, or set auto.offset.reset";
                return Err(Error::new(ErrorKind::NoOffsetForPartition, text)
                    .with_topic(partition.topic())
                    .with_partition(partition.partition()));
            }
            self.resolve_positions();
            let now = self.clock.now();
            if now >= deadline {
                let text = format!("timed out: the position of {partition}");
                return self.io.run(now + GRACE, "position", move |io| async move {
                    Err(io.cluster.timeout(text.trim_start_matches("timed out: ")))
                });
            }
            self.wait(deadline)?;
        }
    }

    /// Ends the fetch sessions, as far as brokers answer in time.
    pub(super) fn end_fetching(&mut self, deadline: Instant) {
        let until = deadline.min(self.clock.deadline(self.config.fetch_max_wait + ANSWER));
        let ended = self.io.run(until + GRACE, "end of fetching", move |io| async move {
            // A broker that does not answer drops the session some time.
            io.cluster.net().until(until, io.fetcher.close()).await;
            Ok(())
        });
        if let Err(error) = ended {
            log::debug!("{error}");
        }
    }
}

/// How long a broker may take to answer, once the fetch is over that is before the end of the session.
const ANSWER: Duration = Duration::from_millis(250);

fn is_about(error: &Error, tp: &TopicPartition) -> bool {
    error.topic() == Some(tp.topic()) && error.partition().is_none_or(|partition| partition == tp.partition())
}

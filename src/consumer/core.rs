//! The consumer's half on the program's thread, without the types of keys and values.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::chunks::Chunks;
use super::commits::Commits;
use super::event::{Event, Shared, Slot};
use super::interceptor::Interceptors;
use super::io::ConsumerIo;
use super::listener::Listener;
use super::membership::GroupState;
use super::reader::Reader;
use super::reset::PositionReset;
use super::sensors::{PollTimes, Sensors};
use super::subscription::{Change, Phase, ResetPolicy, SubscriptionState};
use crate::cluster::ClusterMetadata;
use crate::config::ConsumerConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::net::bridge::IoThread;
use crate::net::clock::Clock;
use crate::record::{DecompressLimits, RecordError};
use crate::types::TopicPartition;

pub(super) struct Core {
    pub(super) config: ConsumerConfig,
    pub(super) clock: Clock,
    pub(super) view: ClusterMetadata,
    pub(super) sensors: Sensors,
    pub(super) poll_times: PollTimes,
    pub(super) interceptors: Interceptors,
    pub(super) io: IoThread<ConsumerIo>,
    pub(super) shared: Arc<Shared>,
    pub(super) subscription: SubscriptionState,
    pub(super) listener: Option<Listener>,
    pub(super) on_reset: Option<OnReset>,
    inbox: Receiver<Event>,
    pub(super) chunks: Chunks,
    /// Partitions whose leader does not have what comes after the chunks that are here.
    pub(super) out_of_range: Vec<Slot>,
    /// For the next poll to return, one each.
    pub(super) errors: VecDeque<Error>,
    pub(super) group: GroupState,
    pub(super) commits: Commits,
    activity: u64,
    pub(super) closed: bool,
    /// Records came one by one, so the last one may still be worked on.
    pub(super) iterated: bool,
    /// The next record of an iteration needs no more than the current chunk.
    pub(super) straight_on: bool,
}

/// Code of the program that wants to know of positions that move without it.
pub(super) type OnReset = Box<dyn FnMut(&PositionReset) + Send>;

impl Core {
    pub(super) fn new(
        config: ConsumerConfig,
        clock: Clock,
        view: ClusterMetadata,
        sensors: Sensors,
        io: IoThread<ConsumerIo>,
        shared: Arc<Shared>,
        inbox: Receiver<Event>,
    ) -> Self {
        let subscription = SubscriptionState::new(ResetPolicy::new(&config, clock));
        Self {
            config,
            clock,
            view,
            poll_times: PollTimes::new(sensors.registry()),
            sensors,
            interceptors: Interceptors::default(),
            io,
            shared,
            subscription,
            listener: None,
            on_reset: None,
            inbox,
            chunks: Chunks::default(),
            out_of_range: Vec::new(),
            errors: VecDeque::new(),
            group: GroupState::default(),
            commits: Commits::default(),
            activity: 0,
            closed: false,
            iterated: false,
            straight_on: false,
        }
    }

    pub(super) fn default_timeout(&self) -> Duration {
        self.config.common.default_api_timeout
    }

    pub(super) fn check_open(&self) -> Result<()> {
        if self.closed {
            return Err(Error::new(ErrorKind::Closed, "the consumer is closed"));
        }
        self.io.remote().check_process()
    }

    /// The program is inside of a call that waits for records: time does not count against it.
    pub(super) fn enter(&mut self) {
        self.activity += self.activity & 1;
        self.shared.set_activity(self.activity);
    }

    /// The program has control again.
    #[inline]
    pub(super) fn leave(&mut self) {
        self.activity = (self.activity + 2) | 1;
        self.shared.set_activity(self.activity);
    }

    /// The chunk to read from and its partition, if nothing speaks against reading on.
    #[inline]
    pub(super) fn reading(&mut self) -> Option<(&mut Reader, &mut super::subscription::PartitionState)> {
        self.chunks.reading(&mut self.subscription)
    }

    /// Works and waits until there is a chunk to read from; false when the deadline came first.
    pub(super) fn fill(&mut self, deadline: Instant) -> Result<bool> {
        loop {
            self.shared.clear_attention();
            self.drain();
            if self.shared.take_wake() {
                return Err(Error::new(ErrorKind::Woken, "woken by a ConsumerWaker"));
            }
            self.run_commit_callbacks();
            self.next_error()?;
            self.coordinate()?;
            self.auto_commit();
            self.settle_out_of_range();
            self.tell_resets();
            self.resolve_positions();
            self.next_error()?;
            if self.next_chunk() {
                return Ok(true);
            }
            if !self.wait(deadline)? {
                return Ok(false);
            }
        }
    }

    fn next_error(&mut self) -> Result<()> {
        let Some(error) = self.errors.pop_front() else { return Ok(()) };
        match self.shared.poll_due().filter(|_| error.kind() == ErrorKind::MaxPollExceeded) {
            Some(due) => Err(error.with_late_by(self.clock.now().saturating_duration_since(due))),
            None => Err(error),
        }
    }

    /// Waits for an event. False when the deadline has passed.
    pub(super) fn wait(&mut self, deadline: Instant) -> Result<bool> {
        let until = self.commits.due.filter(|_| self.commits.automatic.is_none());
        let until = until.map_or(deadline, |due| due.min(deadline));
        match self.inbox.recv_deadline(until) {
            Ok(event) => self.handle(event),
            Err(RecvTimeoutError::Timeout) => return Ok(self.clock.now() < deadline),
            Err(RecvTimeoutError::Disconnected) => return Err(self.io.remote().gone()),
        }
        Ok(true)
    }

    pub(super) fn drain(&mut self) {
        while let Ok(event) = self.inbox.try_recv() {
            self.handle(event);
        }
    }

    /// Takes note of an event. No code of the program runs here.
    fn handle(&mut self, event: Event) {
        match event {
            Event::Fetched(chunk) => {
                let limits = DecompressLimits { max_bytes: self.config.max_decompressed_batch_bytes };
                self.chunks.push(Reader::new(chunk, self.config.check_crcs, limits, self.sensors.clone()));
            }
            Event::FetchFailed(slot, failure) => self.fetch_failed(slot, failure),
            Event::Committed(slots, Ok(committed)) => {
                for (slot, found) in slots.into_iter().zip(committed) {
                    let told = self.subscription.committed_is(slot, found.offset.as_ref(), found.is_new);
                    self.errors.extend(told.err());
                }
            }
            Event::Committed(slots, Err(error)) => {
                self.errors.push_back(error);
                for slot in slots {
                    self.subscription.ask_again(slot, Phase::NeedsCommitted);
                }
            }
            Event::Reset(slot, _, Ok((offset, epoch))) => self.subscription.reset_to(slot, offset, epoch),
            Event::Reset(slot, spec, Err(error)) => {
                if self.subscription.at(slot).is_some() {
                    self.errors.push_back(error);
                    self.subscription.ask_again(slot, Phase::NeedsReset(spec));
                }
            }
            Event::Joined(number, outcome) => self.errors.extend(self.group.join_ended(number, outcome)),
            Event::RejoinNeeded(life) => self.group.rejoin_needed(life),
            Event::MemberLost(life, error) => {
                if self.group.member_lost(life, error.as_ref()) {
                    self.errors.extend(error);
                }
            }
            Event::Target(target) => self.group.aim(target),
            Event::CommitDone(id, outcome) => self.commits.done.push_back((id, outcome)),
            Event::TopicsChanged => self.group.topics_changed = true,
            Event::Failed(error) => self.errors.push_back(error),
            Event::Nudge => {}
        }
    }

    /// A batch could not be read. Whether the program is to know.
    pub(super) fn unreadable(
        &mut self,
        slot: Slot,
        tp: &TopicPartition,
        error: RecordError,
    ) -> Option<Error> {
        self.chunks.finish();
        let report = match error {
            RecordError::Corrupt { .. } => self.subscription.corrupt(slot),
            _ => true,
        };
        self.subscription.refetch(slot);
        self.flush();
        log::warn!("{tp}: {error}{}", if report { "" } else { "; fetching it again" });
        let too_large = matches!(error, RecordError::TooLarge { .. });
        let error = Error::from(error).with_topic(tp.topic()).with_partition(tp.partition());
        report.then(|| if too_large { error.context("max.decompressed.batch.bytes") } else { error })
    }

    /// Keeps an error for the next call.
    pub(super) fn put_off(&mut self, error: Error) {
        self.errors.push_back(error);
    }

    /// Whether there is another chunk to read from, without waiting.
    pub(super) fn next_chunk(&mut self) -> bool {
        self.chunks.pick(&mut self.subscription)
    }

    /// The current chunk is used up.
    pub(super) fn finish_chunk(&mut self) {
        self.chunks.finish();
    }

    /// Tells the fetcher what has changed.
    pub(super) fn flush(&mut self) {
        let changes = self.subscription.take_changes();
        if changes.iter().any(|change| matches!(change, Change::Remove(_))) {
            self.sensors.retain(|tp| self.subscription.get(tp).is_ok());
        }
        if !changes.is_empty() {
            self.io.post(move |io| io.fetcher.apply(changes));
        }
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("client_id", &self.config.common.client_id)
            .field("assignment", &self.subscription.assignment())
            .finish_non_exhaustive()
    }
}

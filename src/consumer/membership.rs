//! The consumer's membership in its group, on the program's thread: rebalances, and what the program is told of
//! them.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::core::Core;
use super::event::Joined;
use super::listener::{ConsumerRebalanceListener, RebalanceContext};
use super::subscription::Selection;
use crate::cluster::GRACE;
use crate::error::{Error, ErrorKind, Result};
use crate::net::bridge::panic_text;
use crate::types::{ConsumerGroupMetadata, TopicPartition};

/// The member as the program's thread sees it.
#[derive(Default)]
pub(super) struct GroupState {
    /// Who it is in the group; `None` outside.
    pub(super) identity: Option<Joined>,
    /// A join is under way on the IO thread.
    pub(super) joining: bool,
    /// A rebalance has ended, and the program has not been told yet.
    pub(super) joined: Option<Joined>,
    pub(super) needs_join: bool,
    /// The partitions are gone already.
    pub(super) lost: bool,
    pub(super) topics_changed: bool,
}

impl Core {
    /// The group: rebalances, and what the program is told of them.
    pub(super) fn coordinate(&mut self) -> Result<()> {
        let Selection::Topics(topics) = &self.subscription.selection else { return Ok(()) };
        let topics: Vec<Arc<str>> = topics.iter().cloned().collect();
        let changed = std::mem::take(&mut self.group.topics_changed);
        if self.config.group_id.is_none() {
            return if changed { self.assign_all(&topics) } else { Ok(()) };
        }
        if changed && self.group.identity.as_ref().is_some_and(|identity| identity.is_leader) {
            self.group.needs_join = true;
        }
        if let Some(joined) = self.group.joined.take() {
            let partitions = joined.partitions.clone();
            self.group.identity = Some(joined);
            self.install(partitions)?;
        }
        if self.group.needs_join && !self.group.joining {
            let lost = std::mem::take(&mut self.group.lost);
            let told = self.give_up_partitions(lost);
            (self.group.needs_join, self.group.joining, self.group.identity) = (false, true, None);
            self.joins += 1;
            let number = self.joins;
            self.io.post(move |io| {
                if let Ok(group) = io.group() {
                    group.join(number, topics);
                }
            });
            told?;
        }
        Ok(())
    }

    fn install(&mut self, partitions: Vec<TopicPartition>) -> Result<()> {
        self.subscription.set_partitions(partitions);
        let assigned = self.subscription.assignment();
        self.flush();
        self.commits.due = Some(self.clock.deadline(self.config.auto_commit_interval));
        self.tell("on_partitions_assigned", |listener, context| {
            listener.on_partitions_assigned(context, &assigned)
        })
    }

    /// Without a group the consumer reads all partitions of its topics.
    fn assign_all(&mut self, topics: &[Arc<str>]) -> Result<()> {
        let view = self.view.snapshot();
        let known = topics.iter().filter_map(|name| view.topic(name));
        let all = known.flat_map(|topic| {
            let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
            (0..count).map(|partition| TopicPartition::new(Arc::clone(&topic.name), partition))
        });
        let all: Vec<TopicPartition> = all.collect();
        if self.subscription.assignment() == all {
            return Ok(());
        }
        self.install(all)
    }

    /// Commits, tells the program, and stops reading.
    fn give_up_partitions(&mut self, lost: bool) -> Result<()> {
        let partitions = self.subscription.assignment();
        if partitions.is_empty() {
            return Ok(());
        }
        let told = if lost {
            self.tell("on_partitions_lost", |listener, context| {
                listener.on_partitions_lost(context, &partitions)
            })
        } else {
            if let Err(error) = self.commit_before_leaving(REBALANCE_COMMIT) {
                log::warn!("automatic commit before the rebalance: {error}");
            }
            self.tell("on_partitions_revoked", |listener, context| {
                listener.on_partitions_revoked(context, &partitions)
            })
        };
        self.subscription.set_partitions([]);
        self.flush();
        told
    }

    /// Runs code of the program. It may not bring the consumer down.
    fn tell(
        &mut self,
        what: &str,
        call: impl FnOnce(&mut dyn ConsumerRebalanceListener, &mut RebalanceContext<'_>) -> Result<()>,
    ) -> Result<()> {
        let Some(mut listener) = self.listener.take() else { return Ok(()) };
        let mut context = RebalanceContext { core: self };
        let outcome = catch_unwind(AssertUnwindSafe(|| call(&mut *listener, &mut context)));
        self.listener = Some(listener);
        self.flush();
        match outcome {
            Ok(outcome) => outcome.map_err(|error| error.context(what)),
            Err(panic) => {
                let text = format!("{what} panicked: {}", panic_text(&*panic));
                Err(Error::new(ErrorKind::Panic, text))
            }
        }
    }

    // Choosing what to read.

    /// Replaces what is read by the partitions of topics.
    pub(super) fn subscribe(&mut self, topics: BTreeSet<Arc<str>>) -> Result<()> {
        self.check_open()?;
        if self.subscription.selection == Selection::Manual {
            let text = "partitions were assigned by hand: unsubscribe() before subscribe()";
            return Err(Error::new(ErrorKind::IllegalState, text));
        }
        if topics.is_empty() {
            return self.unsubscribe();
        }
        self.watch(topics.clone());
        self.subscription.selection = Selection::Topics(topics);
        self.group.topics_changed = self.config.group_id.is_none();
        self.group.needs_join = true;
        // One that is under way is for other topics; the next poll starts another one.
        self.group.joining = false;
        self.group.joined = None;
        Ok(())
    }

    /// Replaces what is read by these partitions.
    pub(super) fn assign(&mut self, partitions: BTreeSet<TopicPartition>) -> Result<()> {
        self.check_open()?;
        if matches!(self.subscription.selection, Selection::Topics(_)) {
            let text = "topics are subscribed: unsubscribe() before assign()";
            return Err(Error::new(ErrorKind::IllegalState, text));
        }
        if partitions.is_empty() {
            return self.unsubscribe();
        }
        self.subscription.settle();
        self.start_auto_commit();
        self.watch(partitions.iter().map(TopicPartition::shared_topic).collect());
        self.subscription.selection = Selection::Manual;
        self.subscription.set_partitions(partitions);
        self.commits.due = Some(self.clock.deadline(self.config.auto_commit_interval));
        self.flush();
        Ok(())
    }

    pub(super) fn unsubscribe(&mut self) -> Result<()> {
        self.check_open()?;
        self.settle_polled();
        let told = self.leave_group("unsubscribe", false, self.clock.deadline(self.default_timeout()));
        self.subscription.selection = Selection::Nothing;
        self.subscription.set_partitions([]);
        self.flush();
        self.watch(BTreeSet::new());
        told.0
    }

    fn watch(&self, topics: BTreeSet<Arc<str>>) {
        self.io.post(move |io| io.set_topics(topics));
    }

    /// What `poll()` returned is done when the program closes or unsubscribes; of a record that an iterator
    /// gave out nobody knows.
    pub(super) fn settle_polled(&mut self) {
        if !self.iterated {
            self.subscription.settle();
        }
    }

    /// Commits, tells the program and leaves the group. Returns what the listener said, and how leaving went.
    pub(super) fn leave_group(
        &mut self,
        reason: &'static str,
        give_up_seat: bool,
        deadline: Instant,
    ) -> (Result<()>, Result<()>) {
        self.drain();
        let grouped = matches!(self.subscription.selection, Selection::Topics(_));
        let told = if grouped && self.config.group_id.is_some() {
            self.give_up_partitions(self.group.lost)
        } else {
            Ok(())
        };
        let was_member = self.group.identity.is_some() || self.group.joining || self.group.joined.is_some();
        self.group = GroupState::default();
        if !was_member {
            return (told, Ok(()));
        }
        let left = self.io.run(deadline + GRACE, "leaving the group", move |io| async move {
            io.cluster
                .within(deadline, "leaving the group", async {
                    io.group()?.leave(reason, give_up_seat).await
                })
                .await
        });
        (told, left)
    }

    /// Leaves the group and does nothing else, for a consumer that is dropped.
    pub(super) fn abandon_group(&mut self, deadline: Instant) {
        if self.group.identity.is_some() || self.group.joining || self.group.joined.is_some() {
            let left = self.io.run(deadline, "leaving the group", |io| async move {
                io.group()?.leave("the consumer was dropped", false).await
            });
            if let Err(error) = left {
                log::debug!("{error}");
            }
        }
    }

    pub(super) fn group_metadata(&self) -> ConsumerGroupMetadata {
        let mut metadata = ConsumerGroupMetadata::new(self.config.group_id.clone().unwrap_or_default());
        metadata.group_instance_id.clone_from(&self.config.group_instance_id);
        if let Some(identity) = &self.group.identity {
            metadata.generation_id = identity.generation;
            metadata.member_id.clone_from(&identity.member_id);
        }
        metadata
    }
}

/// How long a rebalance waits for the automatic commit before it.
const REBALANCE_COMMIT: Duration = Duration::from_secs(5);

//! The commits of the program's side: explicit, asynchronous, automatic.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::core::Core;
use super::group::commit::{Committer, Offsets};
use super::group::to_commit::{ToCommit, to_commit};
use super::io::no_group;
use crate::cluster::GRACE;
use crate::error::{Error, ErrorKind, Result};
use crate::net::bridge::panic_text;
use crate::types::{OffsetAndMetadata, TopicPartition};

/// What a program wants to know of an asynchronous commit.
pub(super) type CommitCallback = Box<dyn FnOnce(&Offsets, Result<()>) + Send>;

/// What it wants to know of those that have no callback of their own.
pub(super) type OnCommit = Box<dyn FnMut(&Offsets, Result<()>) + Send>;

#[derive(Default)]
pub(super) struct Commits {
    pub(super) default_callback: Option<OnCommit>,
    pub(super) next_id: u64,
    pub(super) under_way: HashMap<u64, (Offsets, Option<CommitCallback>)>,
    pub(super) done: VecDeque<(u64, Result<()>)>,
    /// When the next automatic one is due.
    pub(super) due: Option<Instant>,
    pub(super) automatic: Option<u64>,
}

impl Core {
    pub(super) fn committer(&self) -> Result<Committer> {
        if self.config.group_id.is_none() {
            return Err(no_group());
        }
        match (&self.group.identity, &self.subscription.selection) {
            (Some(identity), _) if !self.group.lost => {
                let (life, generation) = (identity.life, identity.generation);
                Ok(Committer { life, generation, member_id: identity.member_id.clone() })
            }
            // A commit without a member id would be taken if the group is empty, whoever has read since.
            (_, selection) if selection.is_subscription() => {
                let text = "the offsets were not committed: the consumer is not in its group at the moment";
                Err(Error::new(ErrorKind::CommitFailed, text).with_retriable(self.group.joining))
            }
            _ => Ok(Committer { life: 0, generation: -1, member_id: String::new() }),
        }
    }

    /// Commits and waits for it.
    pub(super) fn commit(&mut self, offsets: Offsets, timeout: Duration) -> Result<()> {
        self.check_open()?;
        let committer = self.committer()?;
        if offsets.is_empty() {
            return Ok(());
        }
        let sent = self.to_commit(&offsets)?;
        let begin = self.clock.now();
        let deadline = self.clock.deadline(timeout);
        let committed = self.io.run(deadline + GRACE, "commit", move |io| {
            let commit = io.group().map(|group| group.commit(sent, committer, true));
            async move { io.cluster.within(deadline, "commit", async { commit?.await }).await }
        });
        self.poll_times.committing(begin, self.clock.now());
        committed?;
        self.commit_done(&offsets);
        Ok(())
    }

    /// Commits without waiting.
    pub(super) fn commit_async(
        &mut self,
        offsets: Offsets,
        callback: Option<CommitCallback>,
    ) -> Result<Option<u64>> {
        self.check_open()?;
        let committer = self.committer()?;
        let sent = self.to_commit(&offsets)?;
        let id = self.commits.next_id;
        self.commits.next_id += 1;
        if offsets.is_empty() {
            self.commits.under_way.insert(id, (offsets, callback));
            self.commits.done.push_back((id, Ok(())));
            return Ok(None);
        }
        self.commits.under_way.insert(id, (offsets, callback));
        self.io.post(move |io| io.commit_async(id, sent, committer));
        Ok(Some(id))
    }

    /// The group has taken these offsets.
    pub(super) fn commit_done(&mut self, offsets: &Offsets) {
        self.subscription.commit_done(offsets);
        self.interceptors.committed(offsets);
    }

    pub(super) fn run_commit_callbacks(&mut self) {
        while let Some((id, outcome)) = self.commits.done.pop_front() {
            if self.commits.automatic == Some(id) {
                self.commits.automatic = None;
            }
            let Some((offsets, callback)) = self.commits.under_way.remove(&id) else { continue };
            if outcome.is_ok() {
                self.commit_done(&offsets);
            }
            match callback {
                Some(callback) => self.call(|_| callback(&offsets, outcome)),
                None => self.tell_commit(&offsets, outcome),
            }
        }
    }

    /// Tells the program of a commit that has no callback of its own.
    fn tell_commit(&mut self, offsets: &Offsets, outcome: Result<()>) {
        if let Err(error) = &outcome {
            log::warn!("commit that nobody waits for: {error}");
        }
        if let Some(mut tell) = self.commits.default_callback.take() {
            self.call(|_| tell(offsets, outcome));
            self.commits.default_callback = Some(tell);
        }
    }

    /// Runs code of the program. It may not bring the consumer down.
    fn call(&mut self, code: impl FnOnce(&Self)) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| code(self))) {
            let text = format!("the commit's callback panicked: {}", panic_text(&*panic));
            self.errors.push_back(Error::new(ErrorKind::Panic, text));
        }
    }

    /// Starts an automatic commit when it is time for one.
    pub(super) fn auto_commit(&mut self) {
        let Some(due) = self.commits.due.filter(|_| self.config.enable_auto_commit) else {
            self.commits.due = None;
            return;
        };
        let now = self.clock.now();
        if now < due || self.commits.automatic.is_some() {
            return;
        }
        self.commits.due = Some(self.clock.deadline(self.config.auto_commit_interval.max(MIN_PAUSE)));
        self.start_auto_commit();
    }

    pub(super) fn start_auto_commit(&mut self) {
        if !self.config.enable_auto_commit {
            return;
        }
        let offsets = self.automatic_offsets();
        if !offsets.is_empty() {
            match self.commit_async(offsets, None) {
                Ok(id) => self.commits.automatic = id,
                Err(error) => log::debug!("automatic commit: {error}"),
            }
        }
    }

    fn to_commit(&self, offsets: &Offsets) -> Result<Vec<ToCommit>> {
        let view = self.view.snapshot();
        let current = |topic: &str| view.topic(topic).map(|topic| topic.id);
        to_commit(offsets, |tp| self.subscription.held(tp), current)
    }

    /// Refuses what was read of a topic that is no more.
    fn check_topic(&self, tp: &TopicPartition) -> Result<()> {
        let current = self.view.with(|view| view.topic(tp.topic()).map(|topic| topic.id));
        self.subscription.check_topic(tp, current)
    }

    /// What an automatic commit is to commit.
    fn automatic_offsets(&self) -> Offsets {
        let mut offsets = self.subscription.committable();
        offsets.retain(|tp, _| self.check_topic(tp).is_ok());
        offsets
    }

    /// The last automatic commit of what is read now.
    pub(super) fn commit_before_leaving(&mut self, timeout: Duration) -> Result<()> {
        let offsets = self.automatic_offsets();
        if !self.config.enable_auto_commit || offsets.is_empty() {
            return Ok(());
        }
        let outcome = self.commit(offsets.clone(), timeout);
        if self.commits.default_callback.is_some() {
            self.tell_commit(&offsets, outcome.clone());
        }
        outcome
    }

    pub(super) fn committed(
        &mut self,
        partition: &TopicPartition,
        timeout: Duration,
    ) -> Result<Option<OffsetAndMetadata>> {
        Ok(self.committed_all(vec![partition.clone()], timeout)?.into_iter().next().flatten())
    }

    /// What the group has committed for these partitions, in their order.
    pub(super) fn committed_all(
        &mut self,
        partitions: Vec<TopicPartition>,
        timeout: Duration,
    ) -> Result<Vec<Option<OffsetAndMetadata>>> {
        self.check_open()?;
        let begin = self.clock.now();
        let deadline = self.clock.deadline(timeout);
        let found = self.io.run(deadline + GRACE, "committed offsets", move |io| async move {
            let ask = async { io.group()?.committed(&partitions).await };
            io.cluster.within(deadline, "committed offsets", ask).await
        });
        self.poll_times.asking_for_commits(begin, self.clock.now());
        found
    }

    /// Waits for the commits that are under way, and runs their callbacks.
    pub(super) fn finish_commits(&mut self, deadline: Instant) {
        if !self.commits.under_way.is_empty() {
            let settled = self.io.run(deadline + GRACE, "commits", move |io| async move {
                io.cluster
                    .within(deadline, "commits", async {
                        io.group()?.commits_settled().await;
                        Ok(())
                    })
                    .await
            });
            if let Err(error) = settled {
                log::warn!("commits that are under way: {error}");
            }
        }
        self.drain();
        self.run_commit_callbacks();
    }
}

/// Even with an interval of zero, commits do not follow each other faster.
const MIN_PAUSE: Duration = Duration::from_millis(10);

//! The consumer's membership in its group, on the program's thread: rebalances, and what the program is told of
//! them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::client::GroupMembership;
use super::core::Core;
use super::event::{JoinOutcome, Joined, Target};
use super::group::is_cooperative;
use super::group::member::Wanted;
use super::shape::Shape;
use super::status::MemberState;
use super::subscription::Selection;
use crate::cluster::GRACE;
use crate::config::GroupProtocol;
use crate::error::{Error, ErrorKind, Result};
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
    /// The coordinator wants the member to have this (KIP-848), and the program has not been told yet.
    pub(super) target: Option<Target>,
    pub(super) needs_join: bool,
    /// Why, for the coordinator's log (KIP-800).
    pub(super) reason: String,
    /// The partitions are gone already.
    pub(super) lost: bool,
    pub(super) topics_changed: bool,
    /// Another one has taken the static member's seat: joining again would take it back, for ever.
    pub(super) fenced: Option<Error>,
    /// Counts the joins; only the newest one's outcome is of interest.
    joins: u64,
    /// When the rebalance began that is under way.
    pub(super) rebalancing_since: Option<Instant>,
}

impl GroupState {
    /// The member is out, and as if it had never joined.
    pub(super) fn reset(&mut self) {
        *self = Self { joins: self.joins, ..Self::default() };
    }

    /// Whether it is in the group, or may be before long.
    pub(super) fn is_member(&self) -> bool {
        self.identity.is_some() || self.joining || self.joined.is_some()
    }

    /// What the member is doing.
    pub(super) fn state(&self) -> MemberState {
        if self.fenced.is_some() {
            MemberState::Fenced
        } else if self.joining {
            MemberState::Joining
        } else if self.lost {
            MemberState::Lost
        } else if self.joined.is_some()
            || self.target.is_some()
            || (self.needs_join && self.identity.is_some())
        {
            MemberState::RebalanceWaitsForPoll
        } else if self.identity.is_some() {
            MemberState::Stable
        } else {
            MemberState::Unjoined
        }
    }

    fn life(&self) -> Option<u64> {
        self.joined.as_ref().or(self.identity.as_ref()).map(|member| member.life)
    }

    pub(super) fn join_ended(&mut self, number: u64, outcome: JoinOutcome) -> Option<Error> {
        if !self.joining || number != self.joins {
            return None;
        }
        self.joining = false;
        match outcome {
            JoinOutcome::Joined(joined) => {
                self.joined = Some(joined);
                None
            }
            JoinOutcome::Lost => {
                (self.needs_join, self.lost) = (true, true);
                None
            }
            JoinOutcome::Failed(error) => {
                self.needs_join = true;
                self.fence(&error);
                Some(error)
            }
        }
    }

    pub(super) fn rejoin_needed(&mut self, life: u64) {
        if self.life() == Some(life) {
            self.ask_to_join("the group is rebalancing");
        }
    }

    /// Returns whether the news is of the member that there is now.
    pub(super) fn member_lost(&mut self, life: u64, error: Option<&Error>) -> bool {
        if self.joined.as_ref().is_some_and(|joined| joined.life == life) {
            self.joined = None;
        } else if self.identity.as_ref().is_none_or(|identity| identity.life != life) {
            return false;
        }
        self.target = None;
        (self.needs_join, self.lost) = (true, true);
        if let Some(error) = error {
            self.fence(error);
        }
        true
    }

    pub(super) fn aim(&mut self, target: Target) {
        if self.life() == Some(target.life) {
            self.target = Some(target);
        }
    }

    pub(super) fn ask_to_join(&mut self, reason: &str) {
        self.needs_join = true;
        if self.reason.is_empty() {
            reason.clone_into(&mut self.reason);
        }
    }

    fn fence(&mut self, error: &Error) {
        if error.kind() == ErrorKind::FencedInstance {
            self.fenced = Some(error.clone());
        }
    }
}

impl Core {
    fn is_modern(&self) -> bool {
        self.config.group_protocol == GroupProtocol::Consumer
    }

    /// The group: rebalances, and what the program is told of them.
    pub(super) fn coordinate(&mut self) -> Result<()> {
        if !self.subscription.selection.is_subscription() {
            return Ok(());
        }
        let changed = std::mem::take(&mut self.group.topics_changed);
        let matched = changed && self.match_topics();
        if self.config.group_id.is_none() {
            let topics = self.subscription.selection.topics();
            return if changed { self.assign_all(&topics) } else { Ok(()) };
        }
        if matched {
            self.subscription_changed();
        } else if changed {
            self.look_at_group_topics();
        }
        let joined = self.take_joined();
        let told = joined.and_then(|()| match self.group.target.take() {
            Some(target) => self.change_over(target),
            None => Ok(()),
        });
        let rejoined = if self.group.needs_join && !self.group.joining { self.start_join() } else { Ok(()) };
        told.and(rejoined)
    }

    fn take_joined(&mut self) -> Result<()> {
        let Some(mut joined) = self.group.joined.take() else { return Ok(()) };
        let partitions = std::mem::take(&mut joined.partitions);
        let cooperative = joined.cooperative;
        if !self.is_modern() {
            let now = self.clock.now();
            self.rebalanced(self.group.rebalancing_since.unwrap_or(now));
        }
        let by_name = matches!(self.subscription.selection, Selection::Topics(_));
        if by_name && joined.is_leader && !joined.group_topics.is_empty() {
            // What the others read matters to it as well.
            let topics = joined.group_topics.keys().cloned().chain(self.subscription.selection.topics());
            self.watch(topics.collect());
        }
        self.group.identity = Some(joined);
        if self.is_modern() {
            return Ok(());
        }
        // They may have changed while the others were waited for.
        self.look_at_group_topics();
        if !cooperative {
            return self.install(partitions);
        }
        let (told, revoked) = self.exchange(partitions, &[]);
        if revoked {
            // Now that they are given up, the next round hands them on (KIP-429).
            self.group.ask_to_join("partitions were given up, for others to have them");
        }
        told
    }

    /// The leader has the group rebalance when the topics have other partitions than those that were shared out.
    fn look_at_group_topics(&mut self) {
        let Some(leader) = self.group.identity.as_ref().filter(|member| member.is_leader) else { return };
        let view = self.view.snapshot();
        let with_racks = !self.config.client_rack.is_empty();
        let now = |topic: &str| Shape::of(&view, topic, with_racks);
        if leader.group_topics.iter().any(|(topic, shared_out)| shared_out.differs(&now(topic))) {
            self.group.ask_to_join("partitions of the topics have come, gone or moved to other racks");
        }
    }

    /// A rebalance has come to its end, as far as this member has to do with it.
    fn rebalanced(&mut self, since: Instant) {
        let now = self.clock.now();
        self.group.rebalancing_since = None;
        self.shared.meter.rebalance(now.saturating_duration_since(since), now);
    }

    /// KIP-848: becomes what the coordinator wants, and says so.
    fn change_over(&mut self, target: Target) -> Result<()> {
        if let Selection::Remote(_) = &self.subscription.selection {
            self.watch(target.partitions.iter().map(TopicPartition::shared_topic).collect());
        }
        let (life, number) = (target.life, target.number);
        // The first one of a member comes of its joining.
        let since = self.group.rebalancing_since.unwrap_or(target.since);
        let (told, _) = self.exchange(target.partitions, &target.recreated);
        self.rebalanced(since);
        self.io.post(move |io| {
            if let Ok(group) = io.group() {
                group.reconciled(life, number);
            }
        });
        told
    }

    /// Gives up what is not in `wanted` (or is `renewed`), takes what is new, and tells the program of the
    /// difference. Returns whether something was given up.
    fn exchange(&mut self, wanted: Vec<TopicPartition>, renewed: &[TopicPartition]) -> (Result<()>, bool) {
        let wanted: BTreeSet<TopicPartition> = wanted.into_iter().collect();
        let owned: BTreeSet<TopicPartition> = self.subscription.assignment().into_iter().collect();
        let gone: Vec<TopicPartition> =
            owned.iter().filter(|tp| !wanted.contains(*tp) || renewed.contains(*tp)).cloned().collect();
        let new: Vec<TopicPartition> =
            wanted.iter().filter(|tp| !owned.contains(*tp) || renewed.contains(*tp)).cloned().collect();
        let revoked = self.give_up(&gone, false);
        self.subscription.set_partitions(wanted);
        self.flush();
        self.count_partitions();
        if owned.is_empty() {
            self.commits.due = Some(self.clock.deadline(self.config.auto_commit_interval));
        }
        let assigned = self.tell_assigned(&new);
        (revoked.and(assigned), !gone.is_empty())
    }

    fn start_join(&mut self) -> Result<()> {
        let lost = std::mem::take(&mut self.group.lost);
        let cooperative = self.is_modern() || is_cooperative(&self.config.partition_assignment_strategy);
        let told = if lost || !cooperative || self.is_modern() {
            let all = self.subscription.assignment();
            self.give_up(&all, lost)
        } else {
            let topics = self.subscription.selection.topics();
            let unwanted: Vec<TopicPartition> = self
                .subscription
                .assignment()
                .into_iter()
                .filter(|tp| !topics.contains(&tp.shared_topic()))
                .collect();
            self.give_up(&unwanted, false)
        };
        // A listener that asks for a position may hear on the way that all is lost by now.
        let lost_late = std::mem::take(&mut self.group.lost);
        let told = if lost_late {
            let rest = self.subscription.assignment();
            told.and(self.give_up(&rest, true))
        } else {
            told
        };
        let lost = lost || lost_late;
        if let Some(error) = &self.group.fenced {
            self.group.identity = None;
            // It comes with every call, until the program unsubscribes or subscribes anew.
            return told.and(Err(error.clone()));
        }
        if lost {
            self.group.identity = None;
        }
        if self.group.identity.is_none()
            && matches!(self.subscription.selection, Selection::Pattern(..))
            && self.subscription.selection.topics().is_empty()
        {
            // Until there is a topic that it matches, there is nothing to become a member for. Who is one has to
            // say that it wants nothing, so that others get its partitions.
            return told;
        }
        let wanted = self.wanted();
        self.group.needs_join = false;
        self.group.joining = true;
        self.group.rebalancing_since = Some(self.clock.now());
        if !cooperative || self.is_modern() {
            self.group.identity = None;
        }
        self.group.joins += 1;
        let number = self.group.joins;
        self.io.post(move |io| {
            if let Ok(group) = io.group() {
                group.join(number, wanted);
            }
        });
        told
    }

    fn wanted(&mut self) -> Wanted {
        let regex = match &self.subscription.selection {
            Selection::Remote(pattern) => Some(pattern.clone()),
            _ => None,
        };
        Wanted {
            topics: self.subscription.selection.topics(),
            regex,
            owned: self.subscription.assignment(),
            owned_generation: self.group.identity.as_ref().map_or(-1, |identity| identity.generation),
            reason: std::mem::take(&mut self.group.reason),
        }
    }

    /// The topics that the program wants are others now.
    fn subscription_changed(&mut self) {
        if self.is_modern() && self.group.is_member() && !self.group.lost {
            let wanted = self.wanted();
            self.io.post(move |io| {
                if let Ok(group) = io.group() {
                    group.change(wanted);
                }
            });
        } else {
            self.group.ask_to_join("the subscription has changed");
            if !self.is_modern() {
                // One that is under way is for other topics; the next poll starts another one.
                (self.group.joining, self.group.joined) = (false, None);
            }
        }
    }

    fn install(&mut self, partitions: Vec<TopicPartition>) -> Result<()> {
        self.subscription.set_partitions(partitions);
        let assigned = self.subscription.assignment();
        self.flush();
        self.count_partitions();
        self.commits.due = Some(self.clock.deadline(self.config.auto_commit_interval));
        self.tell_assigned(&assigned)
    }

    /// Without a group the consumer reads all partitions of its topics.
    fn assign_all(&mut self, topics: &BTreeSet<Arc<str>>) -> Result<()> {
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

    /// Looks which topics a pattern matches by now. Returns whether they are others than before.
    fn match_topics(&mut self) -> bool {
        let Selection::Pattern(pattern, matched) = &mut self.subscription.selection else { return false };
        let view = self.view.snapshot();
        let exclude = self.config.exclude_internal_topics;
        let found: BTreeSet<Arc<str>> = view
            .topics()
            .filter(|topic| !topic.partitions.is_empty() && topic.error.is_ok())
            .filter(|topic| !(exclude && topic.is_internal) && pattern.matches(&topic.name))
            .map(|topic| Arc::clone(&topic.name))
            .collect();
        if *matched == found {
            return false;
        }
        log::info!("the pattern {} matches {found:?}", pattern.as_str());
        *matched = found;
        true
    }

    fn count_partitions(&self) {
        let count = self.subscription.assignment().len();
        self.shared.meter.sensors.assigned_partitions.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Commits, tells the program, and stops reading.
    fn give_up(&mut self, partitions: &[TopicPartition], lost: bool) -> Result<()> {
        if partitions.is_empty() {
            return Ok(());
        }
        let told = if lost {
            self.tell_lost(partitions)
        } else {
            if let Err(error) = self.commit_before_leaving(REBALANCE_COMMIT) {
                log::warn!("automatic commit before the rebalance: {error}");
            }
            self.tell_revoked(partitions)
        };
        self.subscription.give_up(partitions, self.generation());
        self.flush();
        self.count_partitions();
        if lost {
            self.shared.meter.failed_rebalance(self.clock.now());
        }
        told
    }

    // Choosing what to read.

    /// Replaces what is read by the partitions of topics.
    pub(super) fn subscribe(&mut self, selection: Selection) -> Result<()> {
        self.check_open()?;
        if self.subscription.selection == Selection::Manual {
            let text = "partitions were assigned by hand: unsubscribe() before subscribe()";
            return Err(Error::new(ErrorKind::IllegalState, text));
        }
        match &selection {
            Selection::Topics(topics) if topics.is_empty() => return self.unsubscribe(),
            Selection::Topics(topics) => self.watch(topics.clone()),
            Selection::Pattern(..) => self.watch_all(),
            Selection::Remote(_) if self.config.group_id.is_none() || !self.is_modern() => {
                let text = "a pattern for the brokers needs a group of the new protocol: set group.id, and \
                            group.protocol=consumer";
                return Err(Error::new(ErrorKind::IllegalState, text));
            }
            _ => {
                self.watch(self.subscription.assignment().iter().map(TopicPartition::shared_topic).collect())
            }
        }
        self.subscription.selection = selection;
        self.group.fenced = None;
        // A pattern is looked at again as soon as the topics are known, and by then at the latest joins.
        self.group.topics_changed = true;
        self.match_topics();
        self.subscription_changed();
        Ok(())
    }

    /// Replaces what is read by these partitions.
    pub(super) fn assign(&mut self, partitions: BTreeSet<TopicPartition>) -> Result<()> {
        self.check_open()?;
        if self.subscription.selection.is_subscription() {
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
        let deadline = self.clock.deadline(self.default_timeout());
        let told = self.leave_group("unsubscribe", GroupMembership::Default, deadline);
        self.subscription.selection = Selection::Nothing;
        self.subscription.set_partitions([]);
        self.flush();
        self.watch(BTreeSet::new());
        told.0
    }

    fn watch(&self, topics: BTreeSet<Arc<str>>) {
        self.io.post(move |io| io.set_topics(topics));
    }

    fn watch_all(&self) {
        self.io.post(|io| io.watch_all());
    }

    /// What `poll()` returned is done when the program closes or unsubscribes; of a record that an iterator
    /// gave out nobody knows.
    pub(super) fn settle_polled(&mut self) {
        if !self.iterated {
            self.subscription.settle();
        }
    }

    /// Has the group rebalance at the next poll (KIP-568).
    pub(super) fn enforce_rebalance(&mut self, reason: &str) -> Result<()> {
        self.check_open()?;
        let illegal = |text: &str| Err(Error::new(ErrorKind::IllegalState, text));
        if self.is_modern() {
            return illegal("with group.protocol=consumer the coordinator decides when to rebalance");
        }
        if self.config.group_id.is_none() || !self.subscription.selection.is_subscription() {
            return illegal("the consumer is not a member of a group: set group.id and subscribe()");
        }
        self.group.reason.clear();
        self.group.ask_to_join(if reason.is_empty() { "the program wants it" } else { reason });
        Ok(())
    }

    /// Commits, tells the program and leaves the group. Returns what the listener said, and how leaving went.
    pub(super) fn leave_group(
        &mut self,
        reason: &'static str,
        membership: GroupMembership,
        deadline: Instant,
    ) -> (Result<()>, Result<()>) {
        self.drain();
        let told = if self.subscription.selection.is_subscription() && self.config.group_id.is_some() {
            let all = self.subscription.assignment();
            self.give_up(&all, self.group.lost)
        } else {
            Ok(())
        };
        let was_member = self.group.is_member();
        self.group.reset();
        if !was_member {
            return (told, Ok(()));
        }
        let left = self.io.run(deadline + GRACE, "leaving the group", move |io| async move {
            io.cluster
                .within(deadline, "leaving the group", async { io.group()?.leave(reason, membership).await })
                .await
        });
        (told, left)
    }

    /// Leaves the group and does nothing else, for a consumer that is dropped.
    pub(super) fn abandon_group(&mut self, deadline: Instant) {
        if self.group.is_member() {
            let left = self.io.run(deadline, "leaving the group", |io| async move {
                io.group()?.leave("the consumer was dropped", GroupMembership::Default).await
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
            metadata.generation_id = self.generation();
            metadata.member_id.clone_from(&identity.member_id);
        }
        metadata
    }

    /// The member's generation or epoch; -1 outside of the group.
    fn generation(&self) -> i32 {
        match &self.group.identity {
            Some(_) if self.is_modern() => self.shared.member_epoch(),
            Some(identity) => identity.generation,
            None => -1,
        }
    }
}

/// How long a rebalance waits for the automatic commit before it.
const REBALANCE_COMMIT: Duration = Duration::from_secs(5);

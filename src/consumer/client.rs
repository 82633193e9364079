//! The public face of the consumer.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::builder::ConsumerBuilder;
use super::core::Core;
use super::listener::ConsumerRebalanceListener;
use super::status::ConsumerStatus;
use super::subscribe::Subscription;
use super::subscription::Selection;
use super::waker::ConsumerWaker;
use crate::config::ConsumerConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::metrics::MetricsSnapshot;
use crate::serializer::DefaultSerializer;
use crate::types::{ConsumerGroupMetadata, OffsetAndMetadata, OffsetSpec, TopicPartition, check_topic_name};

/// Reads records from a Kafka cluster, alone or as a member of a group.
///
/// Owns one IO thread, which fetches ahead and sends heartbeats; rebalances, listeners and automatic commits
/// happen inside of [`poll`](Self::poll) and iteration. It can be moved to another thread, and is used through
/// `&mut self`, so that two threads cannot use it at once.
///
/// Calls that wait are bounded by `default_api_timeout`, unless they take a timeout themselves.
///
/// ```
/// use std::time::Duration;
/// use kavka::KafkaConsumer;
/// # let cluster = kavka::mock::MockCluster::builder().topic("orders", 3).start()?;
/// # let servers = cluster.bootstrap_servers();
///
/// let mut consumer = KafkaConsumer::builder()
///     .bootstrap_servers(servers)
///     .group_id("billing")
///     .consumer_timeout(Duration::from_millis(100))
///     .build()?;
/// consumer.subscribe(["orders"])?;
/// for record in &mut consumer {
///     let record = record?;
///     println!("{}@{}: {:?}", record.topic_partition(), record.offset(), record.value());
/// }
/// consumer.close(Duration::from_secs(5))?;
/// # Ok::<(), kavka::Error>(())
/// ```
pub struct KafkaConsumer<K = DefaultSerializer, V = DefaultSerializer> {
    pub(super) core: Core,
    pub(super) key_deserializer: K,
    pub(super) value_deserializer: V,
}

impl KafkaConsumer {
    /// Options to be set, and then [`build()`](ConsumerBuilder::build).
    pub fn builder() -> ConsumerBuilder {
        ConsumerBuilder::default()
    }
}

impl<K, V> KafkaConsumer<K, V> {
    pub(super) fn check_selection(&self) -> Result<()> {
        self.core.check_open()?;
        if self.core.subscription.selection == Selection::Nothing {
            let text = "nothing to read: subscribe() to topics or assign() partitions first";
            return Err(Error::new(ErrorKind::IllegalState, text));
        }
        Ok(())
    }

    /// Reads these topics, instead of those before. With a group, the group's members share the partitions, and
    /// the next poll joins it; without one, this consumer reads all of them.
    ///
    /// # Errors
    /// [`ErrorKind::IllegalState`] after [`assign`](Self::assign), [`ErrorKind::InvalidArgument`] for a name that
    /// no topic can have.
    pub fn subscribe<T: AsRef<str>>(&mut self, topics: impl IntoIterator<Item = T>) -> Result<()> {
        self.subscribe_to(Subscription::topics(topics))
    }

    /// As [`subscribe`](Self::subscribe), with a listener that is told of rebalances.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub fn subscribe_with_listener<T: AsRef<str>>(
        &mut self,
        topics: impl IntoIterator<Item = T>,
        listener: impl ConsumerRebalanceListener + 'static,
    ) -> Result<()> {
        self.subscribe_to(Subscription::topics(topics).listener(listener))
    }

    /// Reads all topics whose whole name matches a regular expression; see [`Subscription::pattern`].
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for what is no regular expression, [`ErrorKind::IllegalState`] after
    /// [`assign`](Self::assign).
    pub fn subscribe_pattern(&mut self, pattern: impl AsRef<str>) -> Result<()> {
        self.subscribe_to(Subscription::pattern(pattern))
    }

    /// As [`subscribe`](Self::subscribe): to topics or to a pattern, with a listener of either kind or without.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe) and [`subscribe_pattern`](Self::subscribe_pattern);
    /// [`ErrorKind::IllegalState`] for a pattern of the coordinator's without a group of the new protocol.
    pub fn subscribe_to(&mut self, subscription: Subscription) -> Result<()> {
        let (selection, listener) = subscription.into_parts()?;
        self.core.subscribe(selection)?;
        self.core.listener = listener;
        Ok(())
    }

    /// The topics that are subscribed, sorted: with a pattern those that it matches by now. Empty with
    /// [`assign`](Self::assign), and with a pattern of the coordinator's, which alone knows them.
    pub fn subscription(&self) -> Vec<String> {
        self.core.subscription.selection.topics().iter().map(|topic| topic.to_string()).collect()
    }

    /// Has the group rebalance at the next `poll()`, as when something has changed that only the program's assignor
    /// knows of (KIP-568). The coordinator logs the reason (KIP-800).
    ///
    /// # Errors
    /// [`ErrorKind::IllegalState`] when the consumer is not subscribed in a group, or the group is of the new
    /// protocol, where the coordinator decides.
    pub fn enforce_rebalance(&mut self, reason: &str) -> Result<()> {
        self.core.enforce_rebalance(reason)
    }

    /// Leaves the group and reads nothing. Commits before, where that is automatic.
    ///
    /// # Errors
    /// What the listener returned.
    pub fn unsubscribe(&mut self) -> Result<()> {
        let outcome = self.core.unsubscribe();
        self.core.listener = None;
        outcome
    }

    /// Reads these partitions, instead of those before, without sharing them with anybody. None at all is
    /// [`unsubscribe`](Self::unsubscribe). Partitions that stay keep their position.
    ///
    /// # Errors
    /// [`ErrorKind::IllegalState`] after [`subscribe`](Self::subscribe), [`ErrorKind::InvalidArgument`] for
    /// names and numbers that no partition can have.
    pub fn assign(&mut self, partitions: impl IntoIterator<Item = TopicPartition>) -> Result<()> {
        let partitions: BTreeSet<TopicPartition> = partitions.into_iter().collect();
        for tp in &partitions {
            check_topic_name(tp.topic())?;
            if tp.partition() < 0 {
                let text = format!("there is no partition {}", tp.partition());
                return Err(Error::new(ErrorKind::InvalidArgument, text).with_topic(tp.topic()));
            }
        }
        self.core.assign(partitions)
    }

    /// The partitions that are read now, sorted; none before the group was joined.
    pub fn assignment(&self) -> Vec<TopicPartition> {
        self.core.subscription.assignment()
    }

    /// Commits the offsets behind all records that were given out, and waits for it.
    ///
    /// # Errors
    /// [`ErrorKind::IllegalState`] without a group, [`ErrorKind::CommitFailed`] when the group has moved on,
    /// [`ErrorKind::Timeout`], and what else the coordinator says.
    pub fn commit(&mut self) -> Result<()> {
        self.commit_timeout(self.core.default_timeout())
    }

    /// As [`commit`](Self::commit), waiting at most `timeout`.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub fn commit_timeout(&mut self, timeout: Duration) -> Result<()> {
        let offsets = self.core.subscription.positions();
        self.core.commit(offsets, timeout)
    }

    /// Commits these offsets, and waits for it. Each is that of the next record to read; see
    /// [`ConsumerRecord::next_offset`](super::ConsumerRecord::next_offset) and [`ConsumerRecords::next_offsets`](super::ConsumerRecords::next_offsets).
    ///
    /// # Errors
    /// As [`commit`](Self::commit), and [`ErrorKind::InvalidArgument`] for a negative offset.
    pub fn commit_offsets<O: Into<OffsetAndMetadata>>(
        &mut self,
        offsets: impl IntoIterator<Item = (TopicPartition, O)>,
    ) -> Result<()> {
        self.commit_offsets_timeout(offsets, self.core.default_timeout())
    }

    /// As [`commit_offsets`](Self::commit_offsets), waiting at most `timeout`.
    ///
    /// # Errors
    /// As [`commit_offsets`](Self::commit_offsets).
    pub fn commit_offsets_timeout<O: Into<OffsetAndMetadata>>(
        &mut self,
        offsets: impl IntoIterator<Item = (TopicPartition, O)>,
        timeout: Duration,
    ) -> Result<()> {
        self.core.commit(collect_offsets(offsets), timeout)
    }

    /// Commits the offsets behind all records that were given out, without waiting. There is no second attempt;
    /// the outcome goes to [`default_offset_commit_callback`](ConsumerBuilder::default_offset_commit_callback), and
    /// without one a failure is logged.
    ///
    /// # Errors
    /// As far as they are known at once: [`ErrorKind::IllegalState`], [`ErrorKind::CommitFailed`].
    pub fn commit_async(&mut self) -> Result<()> {
        let offsets = self.core.subscription.positions();
        self.core.commit_async(offsets, None).map(drop)
    }

    /// Commits offsets without waiting; `None` for those behind all records that were given out. `callback` runs
    /// in a later `poll()`, or in `close()`, on the thread that calls it.
    ///
    /// # Errors
    /// As [`commit_async`](Self::commit_async).
    pub fn commit_async_with(
        &mut self,
        offsets: Option<HashMap<TopicPartition, OffsetAndMetadata>>,
        callback: impl FnOnce(&HashMap<TopicPartition, OffsetAndMetadata>, Result<()>) + Send + 'static,
    ) -> Result<()> {
        let offsets = offsets.unwrap_or_else(|| self.core.subscription.positions());
        self.core.commit_async(offsets, Some(Box::new(callback))).map(drop)
    }

    /// What the group has committed for a partition, assigned or not; `None` for nothing.
    ///
    /// # Errors
    /// [`ErrorKind::IllegalState`] without a group, [`ErrorKind::Timeout`], and what the coordinator says.
    pub fn committed(&mut self, partition: &TopicPartition) -> Result<Option<OffsetAndMetadata>> {
        self.committed_timeout(partition, self.core.default_timeout())
    }

    /// As [`committed`](Self::committed), waiting at most `timeout`.
    ///
    /// # Errors
    /// As [`committed`](Self::committed).
    pub fn committed_timeout(
        &mut self,
        partition: &TopicPartition,
        timeout: Duration,
    ) -> Result<Option<OffsetAndMetadata>> {
        self.core.committed(partition, timeout)
    }

    /// What the group has committed for each of these partitions, assigned or not, by one request; `None` for
    /// nothing.
    ///
    /// # Errors
    /// As [`committed`](Self::committed).
    pub fn committed_offsets(
        &mut self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, Option<OffsetAndMetadata>>> {
        self.committed_offsets_timeout(partitions, self.core.default_timeout())
    }

    /// As [`committed_offsets`](Self::committed_offsets), waiting at most `timeout`.
    ///
    /// # Errors
    /// As [`committed`](Self::committed).
    pub fn committed_offsets_timeout(
        &mut self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<HashMap<TopicPartition, Option<OffsetAndMetadata>>> {
        let found = self.core.committed_all(partitions.to_vec(), timeout)?;
        Ok(partitions.iter().cloned().zip(found).collect())
    }

    /// The offset of the next record of an assigned partition. Looks it up, if it is not known yet.
    ///
    /// # Errors
    /// [`ErrorKind::IllegalState`] when the partition is not assigned, [`ErrorKind::NoOffsetForPartition`],
    /// [`ErrorKind::Timeout`].
    pub fn position(&mut self, partition: &TopicPartition) -> Result<i64> {
        self.position_timeout(partition, self.core.default_timeout())
    }

    /// As [`position`](Self::position), waiting at most `timeout`.
    ///
    /// # Errors
    /// As [`position`](Self::position).
    pub fn position_timeout(&mut self, partition: &TopicPartition, timeout: Duration) -> Result<i64> {
        self.core.position(partition, timeout)
    }

    /// The offset behind the newest record that can be read, as the last fetch told; `None` before the first.
    ///
    /// # Errors
    /// [`ErrorKind::IllegalState`] when the partition is not assigned.
    pub fn highwater(&self, partition: &TopicPartition) -> Result<Option<i64>> {
        Ok(self.core.subscription.get(partition)?.shared.high_watermark())
    }

    /// How many offsets there are behind the position (KIP-695), as the last fetch told: up to
    /// [`highwater`](Self::highwater), which with `read_committed` is the end of what is decided. `None` while the
    /// position is not known, or nothing was fetched yet. Never blocks.
    ///
    /// # Errors
    /// [`ErrorKind::IllegalState`] when the partition is not assigned.
    pub fn current_lag(&self, partition: &TopicPartition) -> Result<Option<i64>> {
        Ok(self.core.subscription.get(partition)?.lag())
    }

    /// Goes on at another offset of an assigned partition. What was fetched already is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::IllegalState`] when the partition is not assigned, [`ErrorKind::InvalidArgument`] for a
    /// negative offset.
    pub fn seek(&mut self, partition: &TopicPartition, to: impl Into<OffsetAndMetadata>) -> Result<()> {
        self.core.check_open()?;
        self.core.subscription.seek(partition, &to.into())?;
        self.core.flush();
        Ok(())
    }

    /// Goes on at the oldest records of these partitions, or of all assigned ones when the list is empty. The
    /// offset is looked up by the next `poll()` or `position()`.
    ///
    /// # Errors
    /// [`ErrorKind::IllegalState`] when a partition is not assigned.
    pub fn seek_to_beginning(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.seek_all(partitions, OffsetSpec::Earliest)
    }

    /// Goes on behind the newest records of these partitions, or of all assigned ones when the list is empty.
    ///
    /// # Errors
    /// [`ErrorKind::IllegalState`] when a partition is not assigned.
    pub fn seek_to_end(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.seek_all(partitions, OffsetSpec::Latest)
    }

    fn seek_all(&mut self, partitions: &[TopicPartition], spec: OffsetSpec) -> Result<()> {
        self.core.check_open()?;
        let all = if partitions.is_empty() { self.assignment() } else { partitions.to_vec() };
        self.check_assigned(&all)?;
        for tp in &all {
            self.core.subscription.seek_to(tp, spec)?;
        }
        self.core.flush();
        Ok(())
    }

    /// Returns no records of these partitions until they are resumed. What was fetched already is kept; the
    /// group is not told.
    ///
    /// # Errors
    /// [`ErrorKind::IllegalState`] when a partition is not assigned.
    pub fn pause(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.set_paused(partitions, true)
    }

    /// Goes on with paused partitions, at the record where they were paused.
    ///
    /// # Errors
    /// [`ErrorKind::IllegalState`] when a partition is not assigned.
    pub fn resume(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.set_paused(partitions, false)
    }

    fn set_paused(&mut self, partitions: &[TopicPartition], paused: bool) -> Result<()> {
        self.core.check_open()?;
        self.check_assigned(partitions)?;
        for tp in partitions {
            self.core.subscription.set_paused(tp, paused)?;
        }
        self.core.flush();
        Ok(())
    }

    /// The partitions that are paused, sorted.
    pub fn paused(&self) -> Vec<TopicPartition> {
        self.core.subscription.paused()
    }

    fn check_assigned(&self, partitions: &[TopicPartition]) -> Result<()> {
        partitions.iter().try_for_each(|tp| self.core.subscription.get(tp).map(drop))
    }

    /// Who commits for the group, for a transactional producer. Never blocks.
    pub fn group_metadata(&self) -> ConsumerGroupMetadata {
        self.core.group_metadata()
    }

    /// What the consumer counts and measures, as it is now: see [`metrics`](crate::metrics). Can be called after a
    /// close, too.
    pub fn metrics(&self) -> MetricsSnapshot {
        self.core.sensors.registry().snapshot()
    }

    /// Where the consumer stands, in its group and in each partition, and why nothing is coming. Its text says so
    /// in words, for a log.
    ///
    /// Asks nothing of the cluster, and takes part in no rebalance; cheap enough for once a second, not for every
    /// record.
    ///
    /// ```
    /// use std::time::Duration;
    /// use kavka::consumer::Blocked;
    /// # use kavka::config::AutoOffsetReset;
    /// # use kavka::{KafkaConsumer, TopicPartition};
    /// # let cluster = kavka::mock::MockCluster::builder().topic("orders", 1).start()?;
    /// # cluster.append("orders", 0, [("1", "a")])?;
    /// # let mut consumer = KafkaConsumer::builder()
    /// #     .bootstrap_servers(cluster.bootstrap_servers())
    /// #     .auto_offset_reset(AutoOffsetReset::Earliest)
    /// #     .build()?;
    /// # consumer.assign([TopicPartition::new("orders", 0)])?;
    /// # while consumer.poll(Duration::from_millis(100))?.is_empty() {}
    /// # while consumer.status()?.partitions[0].blocked.is_none() {}
    ///
    /// if consumer.poll(Duration::from_millis(100))?.is_empty() {
    ///     let status = consumer.status()?;
    ///     match status.trouble() {
    ///         Some((_, Blocked::Held { .. })) => eprintln!("somebody's transaction is open: {status}"),
    ///         Some(_) => eprintln!("{status}"),
    ///         None => println!("nothing is wrong, there are just no records"),
    ///     }
    ///     # assert!(status.trouble().is_none(), "{status}");
    /// }
    /// # Ok::<(), kavka::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Closed`], and [`ErrorKind::Timeout`] when the IO thread does not answer within 5 s.
    pub fn status(&mut self) -> Result<ConsumerStatus> {
        self.core.status()
    }

    /// The options in effect.
    pub fn config(&self) -> &ConsumerConfig {
        &self.core.config
    }

    /// A handle to wake this consumer with, from any thread.
    pub fn waker(&self) -> ConsumerWaker {
        ConsumerWaker { shared: Arc::clone(&self.core.shared), remote: self.core.io.remote().clone() }
    }

    /// Commits (where that is automatic), tells the listener, leaves the group and stops the IO thread, all
    /// within `timeout`; the listener's own time is not bounded. What the last `poll()` returned counts as worked
    /// on, and of an iteration all but the last record.
    ///
    /// A static member keeps its seat. Further calls do nothing.
    ///
    /// # Errors
    /// The first thing that failed; the consumer is closed all the same.
    pub fn close(&mut self, timeout: Duration) -> Result<()> {
        self.close_with(CloseOptions::new(timeout))
    }

    /// As [`close`](Self::close), with options.
    ///
    /// # Errors
    /// As [`close`](Self::close).
    pub fn close_with(&mut self, options: CloseOptions) -> Result<()> {
        let core = &mut self.core;
        if core.closed {
            return Ok(());
        }
        if let Err(forked) = core.io.remote().check_process() {
            // Group, commits and connections are the parent's.
            core.closed = true;
            return Err(forked);
        }
        let deadline = core.clock.deadline(options.timeout);
        let left = |core: &Core| deadline.saturating_duration_since(core.clock.now());
        core.settle_polled();
        if !options.commit {
            core.config.enable_auto_commit = false;
        }
        let committed = core.commit_before_leaving(left(core));
        // It was tried; leaving the group is not to try it again.
        core.config.enable_auto_commit = false;
        let (told, gone) = core.leave_group("the consumer was closed", options.membership, deadline);
        core.finish_commits(deadline);
        core.end_fetching(deadline);
        core.closed = true;
        core.subscription.set_partitions([]);
        let stopped = core.io.shutdown(left(core).max(MIN_STOP));
        let stopped = if stopped {
            Ok(())
        } else {
            Err(Error::new(ErrorKind::Timeout, "timed out: the IO thread has not ended yet"))
        };
        told.and(committed).and(gone).and(stopped)
    }
}

impl<K, V> Drop for KafkaConsumer<K, V> {
    /// Leaves the group, for at most `drop_timeout`. Commits nothing: whether the last records were worked on,
    /// only the program knows.
    fn drop(&mut self) {
        if !self.core.closed {
            let deadline = self.core.clock.deadline(self.core.config.common.drop_timeout);
            self.core.abandon_group(deadline);
        }
    }
}

impl<K, V> fmt::Debug for KafkaConsumer<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaConsumer")
            .field("client_id", &self.core.config.common.client_id)
            .field("group_id", &self.core.config.group_id)
            .field("assignment", &self.core.subscription.assignment())
            .finish_non_exhaustive()
    }
}

/// How to close a consumer; see [`KafkaConsumer::close_with`].
#[derive(Clone, Copy, Debug)]
pub struct CloseOptions {
    timeout: Duration,
    commit: bool,
    membership: GroupMembership,
}

impl CloseOptions {
    /// What [`KafkaConsumer::close`] does.
    pub fn new(timeout: Duration) -> Self {
        Self { timeout, commit: true, membership: GroupMembership::Default }
    }

    /// Whether to commit, where that is automatic; `false` when the last batch was not worked on. Defaults to
    /// `true`.
    #[must_use]
    pub fn commit(mut self, commit: bool) -> Self {
        self.commit = commit;
        self
    }

    /// Whether the member leaves its group (KIP-1092). Defaults to [`GroupMembership::Default`].
    #[must_use]
    pub fn group_membership(mut self, membership: GroupMembership) -> Self {
        self.membership = membership;
        self
    }
}

/// What becomes of the membership when a consumer is closed (KIP-1092); see [`CloseOptions::group_membership`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum GroupMembership {
    /// A member leaves; a static one keeps its seat until its session is over.
    #[default]
    Default,
    /// The member leaves, even if it is a static one, so that others get its partitions at once.
    Leave,
    /// The member stays until its session is over, even if it is not a static one, so that a restart within that
    /// time moves no partitions twice.
    Remain,
}

fn collect_offsets<O: Into<OffsetAndMetadata>>(
    offsets: impl IntoIterator<Item = (TopicPartition, O)>,
) -> HashMap<TopicPartition, OffsetAndMetadata> {
    offsets.into_iter().map(|(tp, offset)| (tp, offset.into())).collect()
}

/// The IO thread gets this long to end, even when nothing is left of the timeout.
const MIN_STOP: Duration = Duration::from_millis(100);

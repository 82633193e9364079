//! Rebalance listeners that are written with `async`.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;

use futures_util::FutureExt;

use super::core::Core;
use super::group::commit::{Committer, Offsets};
use super::group::to_commit::{Held, to_commit};
use super::io::{ConsumerIo, no_group};
use super::listener::{Listener, News};
use crate::error::Result;
use crate::net::clock::FAR;
use crate::types::{OffsetAndMetadata, TopicPartition};

/// Is told when partitions come and go, as [`ConsumerRebalanceListener`](super::ConsumerRebalanceListener), by
/// methods that are `async`. Given to [`Subscription::async_listener`](super::Subscription::async_listener).
///
/// The futures run on the consumer's IO thread, beside its heartbeats and fetches, while `poll()` (or `close()`,
/// `unsubscribe()`) waits for them. They may wait for whatever wakes them from any thread, and must not block. An
/// error or a panic is returned by that call, after the rebalance has been brought to its end.
///
/// ```
/// use std::time::Duration;
/// use kavka::consumer::{AsyncConsumerRebalanceListener, AsyncRebalanceContext, Subscription};
/// use kavka::{KafkaConsumer, Result, TopicPartition};
/// # let cluster = kavka::mock::MockCluster::builder().topic("orders", 3).start()?;
/// # let servers = cluster.bootstrap_servers();
///
/// struct Commits;
///
/// impl AsyncConsumerRebalanceListener for Commits {
///     async fn on_partitions_revoked(
///         &mut self,
///         consumer: &AsyncRebalanceContext,
///         _gone: &[TopicPartition],
///     ) -> Result<()> {
///         consumer.commit().await
///     }
///
///     async fn on_partitions_assigned(
///         &mut self,
///         _consumer: &AsyncRebalanceContext,
///         new: &[TopicPartition],
///     ) -> Result<()> {
///         println!("reading {new:?}");
///         Ok(())
///     }
/// }
///
/// let mut consumer = KafkaConsumer::builder().bootstrap_servers(servers).group_id("billing").build()?;
/// consumer.subscribe_to(Subscription::topics(["orders"]).async_listener(Commits))?;
/// while consumer.assignment().is_empty() {
///     consumer.poll(Duration::from_millis(100))?;
/// }
/// # Ok::<(), kavka::Error>(())
/// ```
pub trait AsyncConsumerRebalanceListener: Send + 'static {
    /// These partitions are about to go to somebody else: the last chance to commit what was worked on.
    ///
    /// # Errors
    /// Any; `poll()` returns it.
    fn on_partitions_revoked(
        &mut self,
        consumer: &AsyncRebalanceContext,
        partitions: &[TopicPartition],
    ) -> impl Future<Output = Result<()>>;

    /// These partitions are the consumer's now. Here one can seek.
    ///
    /// # Errors
    /// Any; `poll()` returns it.
    fn on_partitions_assigned(
        &mut self,
        consumer: &AsyncRebalanceContext,
        partitions: &[TopicPartition],
    ) -> impl Future<Output = Result<()>>;

    /// These partitions are gone already, as the member was thrown out: commits are not possible any more.
    /// Does what [`on_partitions_revoked`](Self::on_partitions_revoked) does, unless it is written anew.
    ///
    /// # Errors
    /// Any; `poll()` returns it.
    fn on_partitions_lost(
        &mut self,
        consumer: &AsyncRebalanceContext,
        partitions: &[TopicPartition],
    ) -> impl Future<Output = Result<()>> {
        self.on_partitions_revoked(consumer, partitions)
    }
}

/// What an async listener can do with the consumer.
pub struct AsyncRebalanceContext {
    io: Rc<ConsumerIo>,
    committer: Result<Committer>,
    positions: Offsets,
    assignment: Vec<TopicPartition>,
    held: HashMap<TopicPartition, Held>,
    effects: RefCell<Effects>,
}

/// What the program's thread has to know of afterwards.
#[derive(Default)]
struct Effects {
    /// What the group has taken, commit by commit.
    committed: Vec<Offsets>,
    seeks: Vec<(TopicPartition, OffsetAndMetadata)>,
}

impl AsyncRebalanceContext {
    /// Commits the positions.
    ///
    /// # Errors
    /// As [`KafkaConsumer::commit`](super::KafkaConsumer::commit).
    pub async fn commit(&self) -> Result<()> {
        self.commit_offsets(self.positions.clone()).await
    }

    /// Commits these offsets.
    ///
    /// # Errors
    /// As [`KafkaConsumer::commit_offsets`](super::KafkaConsumer::commit_offsets).
    pub async fn commit_offsets<O: Into<OffsetAndMetadata>>(
        &self,
        offsets: impl IntoIterator<Item = (TopicPartition, O)>,
    ) -> Result<()> {
        let offsets: Offsets = offsets.into_iter().map(|(tp, offset)| (tp, offset.into())).collect();
        if offsets.is_empty() {
            return Ok(());
        }
        let group = self.io.group()?;
        let view = self.io.cluster.snapshot();
        let current = |topic: &str| view.topic(topic).map(|topic| topic.id);
        let sent = to_commit(&offsets, |tp| self.held.get(tp).cloned(), current)?;
        let commit = group.commit(sent, self.committer.clone()?, true);
        self.within("commit", commit).await?;
        self.effects.borrow_mut().committed.push(offsets);
        Ok(())
    }

    /// What the group has committed for these partitions; those without an entry have nothing.
    ///
    /// # Errors
    /// As [`KafkaConsumer::committed`](super::KafkaConsumer::committed).
    pub async fn committed(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, OffsetAndMetadata>> {
        let group = self.io.group()?;
        let found = self.within("committed offsets", group.committed(partitions)).await?;
        Ok(partitions.iter().cloned().zip(found).filter_map(|(tp, found)| Some((tp, found?))).collect())
    }

    /// The offsets of the next records, as far as they were known when the listener was called.
    pub fn positions(&self) -> &HashMap<TopicPartition, OffsetAndMetadata> {
        &self.positions
    }

    /// Goes on at another offset once the listener has returned.
    pub fn seek(&self, partition: &TopicPartition, to: impl Into<OffsetAndMetadata>) {
        self.effects.borrow_mut().seeks.push((partition.clone(), to.into()));
    }

    /// The partitions of the consumer.
    pub fn assignment(&self) -> &[TopicPartition] {
        &self.assignment
    }

    async fn within<T>(&self, what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        let timeout = self.io.config.common.default_api_timeout;
        let deadline = self.io.cluster.net().clock().deadline(timeout);
        self.io.cluster.within(deadline, what, work).await
    }
}

impl fmt::Debug for AsyncRebalanceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncRebalanceContext").field("assignment", &self.assignment).finish_non_exhaustive()
    }
}

type Work<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// The listener without its type.
pub(super) trait ErasedAsyncListener: Send {
    fn call<'a>(
        &'a mut self,
        news: News,
        consumer: &'a AsyncRebalanceContext,
        partitions: &'a [TopicPartition],
    ) -> Work<'a>;
}

pub(super) type BoxedAsyncListener = Box<dyn ErasedAsyncListener>;

impl<L: AsyncConsumerRebalanceListener> ErasedAsyncListener for L {
    fn call<'a>(
        &'a mut self,
        news: News,
        consumer: &'a AsyncRebalanceContext,
        partitions: &'a [TopicPartition],
    ) -> Work<'a> {
        match news {
            News::Revoked => Box::pin(self.on_partitions_revoked(consumer, partitions)),
            News::Assigned => Box::pin(self.on_partitions_assigned(consumer, partitions)),
            News::Lost => Box::pin(self.on_partitions_lost(consumer, partitions)),
        }
    }
}

/// What came of a call: the listener itself, what it said or how it panicked, and what is left to do.
struct Told {
    listener: BoxedAsyncListener,
    outcome: Result<Result<()>, Box<dyn Any + Send>>,
    effects: Effects,
}

impl Core {
    /// Has the listener run on the IO thread, and waits for it.
    pub(super) fn tell_async(
        &mut self,
        mut listener: BoxedAsyncListener,
        news: News,
        partitions: &[TopicPartition],
    ) -> Result<Result<()>, Box<dyn Any + Send>> {
        let committer = match self.config.group_id {
            Some(_) => self.committer(),
            None => Err(no_group()),
        };
        let (positions, assignment) = (self.subscription.positions(), self.subscription.assignment());
        let held =
            assignment.iter().filter_map(|tp| Some((tp.clone(), self.subscription.held(tp)?))).collect();
        let partitions = partitions.to_vec();
        let told = self.io.run(self.clock.deadline(FAR), "the rebalance listener", move |io| async move {
            let effects = RefCell::default();
            let context = AsyncRebalanceContext { io, committer, positions, assignment, held, effects };
            // Making the future is the program's code, too.
            let call = AssertUnwindSafe(async { listener.call(news, &context, &partitions).await });
            let outcome = call.catch_unwind().await;
            Ok(Told { listener, outcome, effects: context.effects.into_inner() })
        });
        match told {
            Ok(Told { listener, outcome, effects }) => {
                self.listener = Some(Listener::Async(listener));
                effects.committed.iter().for_each(|offsets| self.commit_done(offsets));
                let seek = |(tp, to): (TopicPartition, OffsetAndMetadata)| self.subscription.seek(&tp, &to);
                let sought = effects.seeks.into_iter().try_for_each(seek);
                outcome.map(|outcome| outcome.and(sought))
            }
            // The IO thread is gone, and the listener with it.
            Err(error) => Ok(Err(error)),
        }
    }
}

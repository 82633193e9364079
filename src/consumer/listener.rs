//! What a program is told of rebalances.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::async_listener::BoxedAsyncListener;
use super::core::Core;
use crate::error::{Error, ErrorKind, Result};
use crate::net::bridge::panic_text;
use crate::types::{OffsetAndMetadata, TopicPartition};

/// Is told when partitions come and go. Given to
/// [`subscribe_with_listener`](super::KafkaConsumer::subscribe_with_listener).
///
/// All methods run inside of `poll()` (or `close()`, `unsubscribe()`), on the program's thread, so they may
/// block; heartbeats go on meanwhile. An error or a panic is returned by that call, after the rebalance has
/// been brought to its end.
///
/// With a cooperative assignor, and in the new protocol (KIP-848), each method is told only of the difference:
/// partitions that stay are not mentioned. At the end of each rebalance
/// [`on_partitions_assigned`](Self::on_partitions_assigned) is called, even if nothing is new.
///
/// [`AsyncConsumerRebalanceListener`](super::AsyncConsumerRebalanceListener) is for what is written with `async`.
pub trait ConsumerRebalanceListener: Send {
    /// These partitions are about to go to somebody else: the last chance to commit what was worked on.
    ///
    /// # Errors
    /// Any; `poll()` returns it.
    fn on_partitions_revoked(
        &mut self,
        consumer: &mut RebalanceContext<'_>,
        partitions: &[TopicPartition],
    ) -> Result<()>;

    /// These partitions are the consumer's now. Here one can seek.
    ///
    /// # Errors
    /// Any; `poll()` returns it.
    fn on_partitions_assigned(
        &mut self,
        consumer: &mut RebalanceContext<'_>,
        partitions: &[TopicPartition],
    ) -> Result<()>;

    /// These partitions are gone already, as the member was thrown out: commits are not possible any more.
    /// Does what [`on_partitions_revoked`](Self::on_partitions_revoked) does, unless it is written anew.
    ///
    /// # Errors
    /// Any; `poll()` returns it.
    fn on_partitions_lost(
        &mut self,
        consumer: &mut RebalanceContext<'_>,
        partitions: &[TopicPartition],
    ) -> Result<()> {
        self.on_partitions_revoked(consumer, partitions)
    }
}

/// What a listener can do with the consumer. The methods are those of
/// [`KafkaConsumer`](super::KafkaConsumer).
#[derive(Debug)]
pub struct RebalanceContext<'a> {
    pub(super) core: &'a mut Core,
}

impl RebalanceContext<'_> {
    /// Commits the positions, and waits for it.
    ///
    /// # Errors
    /// As [`KafkaConsumer::commit`](super::KafkaConsumer::commit).
    pub fn commit(&mut self) -> Result<()> {
        let timeout = self.core.default_timeout();
        let offsets = self.core.subscription.positions();
        self.core.commit(offsets, timeout)
    }

    /// Commits these offsets, and waits for it.
    ///
    /// # Errors
    /// As [`KafkaConsumer::commit_offsets`](super::KafkaConsumer::commit_offsets).
    pub fn commit_offsets<O: Into<OffsetAndMetadata>>(
        &mut self,
        offsets: impl IntoIterator<Item = (TopicPartition, O)>,
    ) -> Result<()> {
        let timeout = self.core.default_timeout();
        self.core.commit(offsets.into_iter().map(|(tp, offset)| (tp, offset.into())).collect(), timeout)
    }

    /// The offset of the next record.
    ///
    /// # Errors
    /// As [`KafkaConsumer::position`](super::KafkaConsumer::position).
    pub fn position(&mut self, partition: &TopicPartition) -> Result<i64> {
        let timeout = self.core.default_timeout();
        self.core.position(partition, timeout)
    }

    /// What the group has committed for a partition.
    ///
    /// # Errors
    /// As [`KafkaConsumer::committed`](super::KafkaConsumer::committed).
    pub fn committed(&mut self, partition: &TopicPartition) -> Result<Option<OffsetAndMetadata>> {
        let timeout = self.core.default_timeout();
        self.core.committed(partition, timeout)
    }

    /// Goes on at another offset.
    ///
    /// # Errors
    /// As [`KafkaConsumer::seek`](super::KafkaConsumer::seek).
    pub fn seek(&mut self, partition: &TopicPartition, to: impl Into<OffsetAndMetadata>) -> Result<()> {
        self.core.subscription.seek(partition, &to.into())
    }

    /// Goes on at the oldest record.
    ///
    /// # Errors
    /// [`IllegalState`](crate::ErrorKind::IllegalState) when the partition is not assigned.
    pub fn seek_to_beginning(&mut self, partition: &TopicPartition) -> Result<()> {
        self.core.subscription.seek_to(partition, crate::types::OffsetSpec::Earliest)
    }

    /// Goes on behind the newest record.
    ///
    /// # Errors
    /// [`IllegalState`](crate::ErrorKind::IllegalState) when the partition is not assigned.
    pub fn seek_to_end(&mut self, partition: &TopicPartition) -> Result<()> {
        self.core.subscription.seek_to(partition, crate::types::OffsetSpec::Latest)
    }

    /// Returns no records of a partition until it is resumed.
    ///
    /// # Errors
    /// [`IllegalState`](crate::ErrorKind::IllegalState) when the partition is not assigned.
    pub fn pause(&mut self, partition: &TopicPartition) -> Result<()> {
        self.core.subscription.set_paused(partition, true)
    }

    /// Goes on with a paused partition.
    ///
    /// # Errors
    /// [`IllegalState`](crate::ErrorKind::IllegalState) when the partition is not assigned.
    pub fn resume(&mut self, partition: &TopicPartition) -> Result<()> {
        self.core.subscription.set_paused(partition, false)
    }

    /// The partitions that are paused, sorted.
    pub fn paused(&self) -> Vec<TopicPartition> {
        self.core.subscription.paused()
    }

    /// What the group has committed for each of these partitions; `None` for nothing.
    ///
    /// # Errors
    /// As [`KafkaConsumer::committed_offsets`](super::KafkaConsumer::committed_offsets).
    pub fn committed_offsets(
        &mut self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, Option<OffsetAndMetadata>>> {
        let found = self.core.committed_all(partitions.to_vec(), self.core.default_timeout())?;
        Ok(partitions.iter().cloned().zip(found).collect())
    }

    /// The partitions of the consumer.
    pub fn assignment(&self) -> Vec<TopicPartition> {
        self.core.subscription.assignment()
    }

    /// The bound on the blocking calls of this context: `default_api_timeout`.
    pub fn timeout(&self) -> Duration {
        self.core.default_timeout()
    }
}

/// The listener that the program gave.
pub(super) enum Listener {
    Sync(Box<dyn ConsumerRebalanceListener>),
    Async(BoxedAsyncListener),
}

/// What a listener is told of.
#[derive(Clone, Copy, Debug)]
pub(super) enum News {
    Revoked,
    Assigned,
    Lost,
}

impl News {
    fn method(self) -> &'static str {
        match self {
            Self::Revoked => "on_partitions_revoked",
            Self::Assigned => "on_partitions_assigned",
            Self::Lost => "on_partitions_lost",
        }
    }
}

impl Core {
    pub(super) fn tell_revoked(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.tell(News::Revoked, partitions)
    }

    pub(super) fn tell_assigned(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.tell(News::Assigned, partitions)
    }

    pub(super) fn tell_lost(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.tell(News::Lost, partitions)
    }

    /// Runs code of the program. It may not bring the consumer down.
    fn tell(&mut self, news: News, partitions: &[TopicPartition]) -> Result<()> {
        let begin = self.clock.now();
        let outcome = match self.listener.take() {
            None => return Ok(()),
            Some(Listener::Sync(mut listener)) => {
                let mut context = RebalanceContext { core: self };
                let call = AssertUnwindSafe(|| match news {
                    News::Revoked => listener.on_partitions_revoked(&mut context, partitions),
                    News::Assigned => listener.on_partitions_assigned(&mut context, partitions),
                    News::Lost => listener.on_partitions_lost(&mut context, partitions),
                });
                let outcome = catch_unwind(call);
                self.listener = Some(Listener::Sync(listener));
                outcome
            }
            Some(Listener::Async(listener)) => self.tell_async(listener, news, partitions),
        };
        self.flush();
        let now = self.clock.now();
        let sensors = &self.shared.meter.sensors;
        let sensor = match news {
            News::Revoked => &sensors.revoked,
            News::Assigned => &sensors.assigned,
            News::Lost => &sensors.lost,
        };
        let took = now.saturating_duration_since(begin);
        sensor.record_millis(took, now);
        if took > LONG_CALL {
            // The group waits for it, as far as the rebalance does.
            log::warn!("{} took {took:?}", news.method());
        }
        match outcome {
            Ok(outcome) => outcome.map_err(|error| error.context(news.method())),
            Err(panic) => {
                let text = format!("{} panicked: {}", news.method(), panic_text(&*panic));
                Err(Error::new(ErrorKind::Panic, text))
            }
        }
    }
}

/// A listener that takes longer than this is worth a line of the log.
const LONG_CALL: Duration = Duration::from_secs(1);

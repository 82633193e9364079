//! What a program is told of rebalances.

use std::time::Duration;

use super::core::Core;
use crate::error::Result;
use crate::types::{OffsetAndMetadata, TopicPartition};

/// Is told when partitions come and go. Given to
/// [`subscribe_with_listener`](super::KafkaConsumer::subscribe_with_listener).
///
/// All methods run inside of `poll()` (or `close()`, `unsubscribe()`), on the program's thread, so they may
/// block; heartbeats go on meanwhile. An error or a panic is returned by that call, after the rebalance has
/// been brought to its end.
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

    /// The partitions of the consumer.
    pub fn assignment(&self) -> Vec<TopicPartition> {
        self.core.subscription.assignment()
    }

    /// The bound on the blocking calls of this context: `default_api_timeout`.
    pub fn timeout(&self) -> Duration {
        self.core.default_timeout()
    }
}

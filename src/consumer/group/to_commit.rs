//! Offsets that are to be committed, with the topic that they belong to: by the time that the group takes them, there
//! may be another one of that name.

use std::sync::Arc;

use super::commit::Offsets;
use crate::consumer::buffer::PartitionShared;
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::Uuid;
use crate::types::{OffsetAndMetadata, TopicPartition};

/// A partition of the consumer's, as far as it matters to commits.
#[derive(Clone, Debug)]
pub(in crate::consumer) struct Held {
    pub(in crate::consumer) shared: Arc<PartitionShared>,
    /// The topic was created anew, and there is no position in it yet: its old id and its new one.
    pub(in crate::consumer) void: Option<(Uuid, Uuid)>,
}

/// One offset.
#[derive(Clone, Debug)]
pub(in crate::consumer) struct ToCommit {
    pub(in crate::consumer) tp: TopicPartition,
    pub(in crate::consumer) offset: OffsetAndMetadata,
    /// The topic's id when the commit was asked for; zero where it was not known.
    pub(super) topic_id: Uuid,
    /// `None` for a partition that is not assigned to the consumer.
    pub(super) held: Option<Held>,
}

impl Held {
    /// Refuses offsets of a topic that is no more: they would be taken for those of the new one. `current` is the
    /// topic's id as the cluster has it now.
    ///
    /// # Errors
    /// [`ErrorKind::TopicRecreated`].
    pub(in crate::consumer) fn check_topic(&self, tp: &TopicPartition, current: Option<Uuid>) -> Result<()> {
        let noticed_now = || {
            let new = current.filter(|id| self.shared.is_another(*id))?;
            Some((self.shared.topic_id(), new))
        };
        self.void.or_else(noticed_now).map_or(Ok(()), |(old, new)| Err(another_topic(tp, old, new)))
    }
}

impl ToCommit {
    /// Whether the partition may be another member's in this generation.
    pub(super) fn is_given_up_by(&self, generation: i32) -> bool {
        self.held.as_ref().is_some_and(|held| held.shared.is_given_up_by(generation))
    }

    /// Refuses the offset if there is another topic of that name by now.
    ///
    /// # Errors
    /// [`ErrorKind::TopicRecreated`].
    pub(super) fn check_topic(&self, current: Option<Uuid>) -> Result<()> {
        let Some(current) = current.filter(|id| !id.is_zero() && !self.topic_id.is_zero()) else {
            return Ok(());
        };
        // A broker that lags behind may still tell of the one before.
        let lags = |held: &Held| held.shared.topic_id() == self.topic_id && !held.shared.is_another(current);
        if current == self.topic_id || self.held.as_ref().is_some_and(lags) {
            return Ok(());
        }
        Err(another_topic(&self.tp, self.topic_id, current))
    }
}

/// Looks at what the program wants committed. `held` finds its partitions, `current` the ids of topics as the
/// cluster has them now.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] for a negative offset, [`ErrorKind::TopicRecreated`].
pub(in crate::consumer) fn to_commit(
    offsets: &Offsets,
    held: impl Fn(&TopicPartition) -> Option<Held>,
    current: impl Fn(&str) -> Option<Uuid>,
) -> Result<Vec<ToCommit>> {
    let look = |(tp, offset): (&TopicPartition, &OffsetAndMetadata)| {
        if offset.offset < 0 {
            let text = format!("cannot commit {}: offsets are not negative", offset.offset);
            return Err(Error::new(ErrorKind::InvalidArgument, text)
                .with_topic(tp.topic())
                .with_partition(tp.partition()));
        }
        let (held, current) = (held(tp), current(tp.topic()));
        if let Some(held) = &held {
            held.check_topic(tp, current)?;
        }
        let own = held.as_ref().map(|held| held.shared.topic_id()).filter(|id| !id.is_zero());
        let topic_id = own.or(current).unwrap_or_default();
        Ok(ToCommit { tp: tp.clone(), offset: offset.clone(), topic_id, held })
    };
    offsets.iter().map(look).collect()
}

fn another_topic(tp: &TopicPartition, old: Uuid, new: Uuid) -> Error {
    let text = "the offsets were not committed: the topic was deleted and created anew since they were read";
    Error::new(ErrorKind::TopicRecreated, text)
        .with_topic(tp.topic())
        .with_partition(tp.partition())
        .with_topic_ids(old, new)
}

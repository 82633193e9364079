//! Topics that are deleted and made anew under the same name while records are on their way to them.

use super::Sender;
use super::partition::Partition;
use crate::error::{Error, ErrorKind};
use crate::protocol::Uuid;
use crate::types::TopicPartition;

impl Sender {
    /// Notes which topic the name of a partition stands for now.
    pub(super) fn follow_topic(&self, tp: &TopicPartition, partition: &mut Partition) {
        let id = self.cluster.view().with(|view| view.topic(tp.topic()).map(|topic| topic.id));
        let Some(id) = id.filter(|id| *id != partition.topic_id && *id != Uuid::ZERO) else { return };
        if partition.topic_id != Uuid::ZERO {
            log::info!("{tp}: the topic was made anew; what is not written yet goes to the new one");
            // Its leader knows nothing of the numbering, and takes whatever sequence comes first: see `number_with`.
            partition.recovering = true;
        }
        partition.topic_id = id;
    }

    /// The error of a partition that its topic no longer has, once two answers have said so: one alone may be of a
    /// broker that lags behind. `None` when it may yet get a leader.
    pub(super) fn gone(&self, tp: &TopicPartition, partition: &mut Partition) -> Option<Error> {
        let (is_gone, count, refreshed) = self.cluster.view().with(|view| {
            let Some(topic) = view.topic(tp.topic()) else { return (false, 0, None) };
            let count = topic.partitions.len();
            let is_missing = usize::try_from(tp.partition()).is_ok_and(|index| index >= count);
            let is_new = topic.id != partition.queue.topic_id && partition.queue.topic_id != Uuid::ZERO;
            (topic.error.is_ok() && count > 0 && is_missing && is_new, count, view.refreshed_at())
        });
        if !is_gone {
            partition.missing_since = None;
            return None;
        }
        let first = *partition.missing_since.get_or_insert(refreshed?);
        if refreshed? <= first {
            return None;
        }
        let text = format!(
            "the topic was deleted and made anew with {count} partitions, numbered from 0: this one is gone, and its \
             records with it"
        );
        Some(Error::new(ErrorKind::TopicRecreated, text))
    }
}

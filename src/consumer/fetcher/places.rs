//! Where a partition is fetched from: its leader, or a nearer replica (KIP-392); and whether it is still the same
//! topic's (KIP-516).

use std::time::{Duration, Instant};

use super::super::event::{Event, FetchFailure};
use super::{Fetcher, Fetching};
use crate::protocol::Uuid;

impl Fetcher {
    pub(super) fn node_of(&self, partition: &Fetching, now: Instant) -> Option<i32> {
        let nearer = partition.nearer.filter(|(_, until)| *until > now).map(|(node, _)| node);
        match nearer.filter(|node| self.is_online(partition, *node)) {
            Some(node) => Some(node),
            None => {
                let tp = &partition.tp;
                self.0.cluster.leader(tp.topic(), tp.partition()).map(|(node, _)| node)
            }
        }
    }

    /// Whether the cluster counts a replica among those that can be reached.
    fn is_online(&self, partition: &Fetching, node: i32) -> bool {
        let view = self.0.cluster.snapshot();
        let known = view.partition(partition.tp.topic(), partition.tp.partition());
        view.broker(node).is_some() && known.is_some_and(|known| !known.offline_replicas.contains(&node))
    }

    /// The leader has named a replica in the client's rack.
    pub(super) fn prefer(&self, partition: &mut Fetching, node: i32) {
        if !self.is_online(partition, node) {
            // The leader knows more than metadata that is old. Until there is newer, it would name the same one with
            // every request, instead of records.
            log::debug!("{}: node {node} is nearer, but is not known to be there", partition.tp);
            self.0.cluster.request_update();
            return self.stay_with_leader(partition, METADATA_PAUSE);
        }
        log::debug!("{}: fetching from node {node} from now on", partition.tp);
        let lease = self.0.config.common.metadata_max_age;
        partition.shared.set_preferred_replica(node);
        partition.nearer = Some((node, self.0.cluster.net().clock().deadline(lease)));
        self.0.changed.notify();
    }

    /// A nearer replica has failed a partition: the leader serves it for a while.
    pub(super) fn back_to_leader(&self, partition: &mut Fetching) {
        self.stay_with_leader(partition, STAY_WITH_LEADER);
    }

    fn stay_with_leader(&self, partition: &mut Fetching, pause: Duration) {
        partition.shared.set_preferred_replica(-1);
        partition.nearer = None;
        let pause = pause.min(self.0.config.common.metadata_max_age);
        partition.leader_only_until = Some(self.0.cluster.net().clock().deadline(pause));
        self.0.changed.notify();
    }

    /// A replica that cannot be reached is not nearer.
    pub(super) fn forget_replica(&self, node: i32) {
        for partition in self.0.partitions.borrow_mut().values_mut() {
            if partition.nearer.is_some_and(|(nearer, _)| nearer == node) {
                self.back_to_leader(partition);
            }
        }
        self.0.changed.notify();
    }

    /// Reports partitions whose topic has another id than the one their position belongs to.
    pub(super) fn find_recreated(&self) {
        let view = self.0.cluster.snapshot();
        if self.0.compared.replace(Some(view.version())) == Some(view.version()) {
            return;
        }
        for partition in self.0.partitions.borrow_mut().values_mut() {
            let Some(topic) = view.topic(partition.tp.topic()) else { continue };
            let old = partition.shared.topic_id();
            if old == Uuid::ZERO && topic.id != Uuid::ZERO {
                partition.shared.set_topic_id(topic.id);
            } else if partition.shared.is_another(topic.id) && !partition.resting {
                // The caller takes the new id over, so that until then it can tell that its offsets are void.
                partition.resting = true;
                let failure = FetchFailure::Recreated { old, new: topic.id };
                self.0.events.send(Event::FetchFailed(partition.slot, failure));
            }
        }
    }
}

/// How long the leader is fetched from after a nearer replica has failed. It would name the same one again.
const STAY_WITH_LEADER: Duration = Duration::from_secs(30);

/// How long the leader is fetched from when it names a replica that metadata does not know: by then there is newer.
const METADATA_PAUSE: Duration = Duration::from_secs(1);

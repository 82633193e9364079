//! What a group's leader shares partitions out by: how many there are, and where they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::cluster::{PartitionMetadata, Snapshot};

/// The topics of a group.
pub(super) type Shapes = BTreeMap<Arc<str>, Shape>;

/// One topic; without partitions when it is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    partitions: usize,
    /// The racks of each partition's replicas (KIP-881), where they are looked at. `None` while a broker is not known:
    /// one that is down comes back in its rack.
    racks: Vec<Option<BTreeSet<String>>>,
}

impl Shape {
    /// The topic as it is now. Racks matter to consumers that have one themselves.
    pub(super) fn of(view: &Snapshot, topic: &str, with_racks: bool) -> Self {
        let partitions = view.topic(topic).map_or(&[][..], |topic| &topic.partitions);
        let racks = |partition: &PartitionMetadata| {
            let brokers: Option<Vec<_>> = partition.replicas.iter().map(|id| view.broker(*id)).collect();
            Some(brokers?.into_iter().filter_map(|broker| broker.rack.clone()).collect())
        };
        let racks = if with_racks { partitions.iter().map(racks).collect() } else { Vec::new() };
        Self { partitions: partitions.len(), racks }
    }

    /// Whether partitions are to be shared out anew when one has become the other.
    pub(super) fn differs(&self, other: &Self) -> bool {
        let moved = |(old, new): (&Option<BTreeSet<String>>, &Option<BTreeSet<String>>)| {
            old.as_ref().zip(new.as_ref()).is_some_and(|(old, new)| old != new)
        };
        self.partitions != other.partitions || self.racks.iter().zip(&other.racks).any(moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(racks: &[Option<&[&str]>]) -> Shape {
        let racks = racks.iter().map(|racks| Some((*racks)?.iter().map(|rack| (*rack).to_owned()).collect()));
        Shape { partitions: racks.len(), racks: racks.collect() }
    }

    #[test]
    fn partitions_and_racks_make_a_difference_and_brokers_that_are_down_do_not() {
        let before = shape(&[Some(&["a", "b"]), Some(&["b"])]);
        for (after, differs) in [
            (before.clone(), false),
            (shape(&[Some(&["a", "b"]), Some(&["c"])]), true),
            (shape(&[Some(&["a", "b"]), None]), false),
            (shape(&[Some(&["a"]), None]), true),
            (shape(&[Some(&["a", "b"])]), true),
            (Shape { racks: Vec::new(), ..before.clone() }, false),
            (Shape::default(), true),
        ] {
            assert_eq!((before.differs(&after), after.differs(&before)), (differs, differs), "{after:?}");
        }
    }
}

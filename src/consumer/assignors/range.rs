//! Each topic by itself, in contiguous ranges; the first members get one more when it does not come out even.
//!
//! Where racks matter (KIP-881), partitions go to members in the rack of one of their replicas first, as far as
//! that leaves the numbers as they are. Topics with the same members and as many partitions are kept together:
//! a number of theirs goes to one member in all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{racks_matter, wants};
use crate::config::{GroupAssignment, GroupMember, GroupTopic, GroupTopics};
use crate::types::TopicPartition;

pub(super) fn assign(members: &[&GroupMember], topics: &GroupTopics) -> GroupAssignment {
    let mut states: Vec<State<'_>> = topics
        .iter()
        .filter(|(_, topic)| !topic.partitions.is_empty())
        .map(|(name, topic)| State::new(name, topic, members))
        .filter(|state| !state.takers.is_empty())
        .collect();
    let mut assignment = GroupAssignment::new();
    if states.iter().any(|state| state.racks_matter) {
        by_racks(&mut states, &mut assignment);
    }
    for state in &mut states {
        state.ranges(false, &mut assignment);
    }
    assignment
}

/// The partitions that can go to the rack that they are in.
fn by_racks(states: &mut [State<'_>], assignment: &mut GroupAssignment) {
    type Kind<'a> = (Vec<(&'a str, Option<&'a str>)>, usize);
    let mut alike: BTreeMap<Kind<'_>, Vec<usize>> = BTreeMap::new();
    for (place, state) in states.iter().enumerate() {
        let takers = state.takers.iter().map(|taker| (taker.id, taker.rack)).collect();
        alike.entry((takers, state.racks.len())).or_default().push(place);
    }
    for ((_, partitions), places) in alike {
        match places[..] {
            [only] => {
                if let Some(state) = states.get_mut(only).filter(|state| state.racks_matter) {
                    state.ranges(true, assignment);
                }
            }
            _ => together(states, &places, partitions, assignment),
        }
    }
}

/// Topics that belong together: one number after the other, to a member that is near to it in all topics.
fn together(states: &mut [State<'_>], places: &[usize], partitions: usize, assignment: &mut GroupAssignment) {
    let takers = places.first().and_then(|first| states.get(*first)).map_or(0, |state| state.takers.len());
    for partition in 0..partitions {
        let near = (0..takers).find(|taker| {
            let mut all = places.iter().filter_map(|place| states.get(*place));
            all.all(|state| state.is_near(*taker, partition) && state.room(*taker) > 0)
        });
        let Some(taker) = near else { continue };
        for place in places {
            if let Some(state) = states.get_mut(*place) {
                state.give(taker, &[partition], assignment);
            }
        }
    }
}

struct Taker<'a> {
    id: &'a str,
    rack: Option<&'a str>,
    count: usize,
}

/// A topic, and how far its partitions are shared out.
struct State<'a> {
    name: &'a Arc<str>,
    takers: Vec<Taker<'a>>,
    /// Of each partition; empty when no taker has a rack.
    racks: Vec<BTreeSet<&'a str>>,
    racks_matter: bool,
    left: BTreeSet<usize>,
    each: usize,
    /// How many takers may yet get one more than the others.
    extra: usize,
}

impl<'a> State<'a> {
    fn new(name: &'a Arc<str>, topic: &'a GroupTopic, members: &[&'a GroupMember]) -> Self {
        let takers: Vec<Taker<'a>> = members
            .iter()
            .filter(|member| wants(member, name))
            .map(|member| Taker { id: &member.id, rack: member.rack.as_deref(), count: 0 })
            .collect();
        let near: BTreeSet<&str> = takers.iter().filter_map(|taker| taker.rack).collect();
        let racks: Vec<BTreeSet<&str>> = if near.is_empty() {
            Vec::new()
        } else {
            topic.partitions.iter().map(|racks| racks.iter().map(String::as_str).collect()).collect()
        };
        let count = topic.partitions.len();
        Self {
            name,
            racks_matter: !near.is_empty() && racks_matter(&near, &racks),
            racks,
            left: (0..count).collect(),
            each: count.checked_div(takers.len()).unwrap_or(0),
            extra: count.checked_rem(takers.len()).unwrap_or(0),
            takers,
        }
    }

    fn is_near(&self, taker: usize, partition: usize) -> bool {
        let rack = self.takers.get(taker).and_then(|taker| taker.rack);
        rack.is_none_or(|rack| self.racks.get(partition).is_some_and(|racks| racks.contains(rack)))
    }

    /// How many more a taker may get.
    fn room(&self, taker: usize) -> usize {
        let count = self.takers.get(taker).map_or(0, |taker| taker.count);
        (self.each + usize::from(self.extra > 0)).saturating_sub(count)
    }

    fn ranges(&mut self, near_only: bool, assignment: &mut GroupAssignment) {
        for taker in 0..self.takers.len() {
            let fits =
                self.left.iter().copied().filter(|partition| !near_only || self.is_near(taker, *partition));
            let share: Vec<usize> = fits.take(self.room(taker)).collect();
            if !share.is_empty() {
                self.give(taker, &share, assignment);
            }
        }
    }

    fn give(&mut self, taker: usize, partitions: &[usize], assignment: &mut GroupAssignment) {
        let Some(taker) = self.takers.get_mut(taker) else { return };
        taker.count += partitions.len();
        if taker.count > self.each {
            self.extra = self.extra.saturating_sub(1);
        }
        let share = assignment.entry(taker.id.to_owned()).or_default();
        for partition in partitions {
            self.left.remove(partition);
            let number = i32::try_from(*partition).unwrap_or(i32::MAX);
            share.push(TopicPartition::new(Arc::clone(self.name), number));
        }
    }
}

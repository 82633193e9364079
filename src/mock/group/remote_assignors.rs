//! How the coordinator of a KIP-848 group shares out partitions.

use std::collections::{BTreeMap, BTreeSet};

use crate::protocol::Uuid;

use super::consumer::Place;

/// A member, as an assignor sees it.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) id: String,
    pub(super) instance_id: Option<String>,
    pub(super) topics: BTreeSet<Uuid>,
    pub(super) had: BTreeSet<Place>,
}

impl Subscriber {
    pub(super) fn order(&self) -> (bool, &str) {
        match &self.instance_id {
            Some(instance) => (false, instance),
            None => (true, &self.id),
        }
    }
}

pub(super) const UNIFORM: &str = "uniform";
pub(super) const RANGE: &str = "range";
pub(super) const NAMES: [&str; 2] = [UNIFORM, RANGE];

type Shares = BTreeMap<String, BTreeSet<Place>>;

pub(super) fn assign(name: &str, members: &[Subscriber], topics: &[(Uuid, i32)]) -> Shares {
    let mut shares: Shares = members.iter().map(|member| (member.id.clone(), BTreeSet::new())).collect();
    if name == RANGE {
        for topic in topics {
            range(members, *topic, &mut shares);
        }
    } else {
        uniform(members, topics, &mut shares);
    }
    shares
}

/// Each topic by itself, in contiguous ranges.
fn range(members: &[Subscriber], (topic, count): (Uuid, i32), shares: &mut Shares) {
    let takers: Vec<&Subscriber> = members.iter().filter(|member| member.topics.contains(&topic)).collect();
    let Some(number) = i32::try_from(takers.len()).ok().filter(|number| *number > 0) else { return };
    let mut next = 0;
    for (place, taker) in (0..).zip(takers) {
        let end = next + count / number + i32::from(place < count % number);
        let share = (next..end).map(|partition| (topic, partition));
        shares.entry(taker.id.clone()).or_default().extend(share);
        next = end;
    }
}

/// As even as it gets, and moving as little as that takes.
fn uniform(members: &[Subscriber], topics: &[(Uuid, i32)], shares: &mut Shares) {
    let mut left: BTreeSet<Place> = topics
        .iter()
        .flat_map(|(topic, count)| (0..*count).map(move |partition| (*topic, partition)))
        .collect();
    for member in members {
        let share = shares.entry(member.id.clone()).or_default();
        for place in member.had.iter().filter(|place| member.topics.contains(&place.0)) {
            if left.remove(place) {
                share.insert(*place);
            }
        }
    }
    let size = |shares: &Shares, id: &str| shares.get(id).map_or(0, BTreeSet::len);
    let wants = |id: &str, topic: &Uuid| {
        members.iter().any(|member| member.id == id && member.topics.contains(topic))
    };
    let fewest = |shares: &Shares, topic: &Uuid| {
        let takers = members.iter().filter(|member| member.topics.contains(topic));
        takers.min_by_key(|member| size(shares, &member.id)).map(|member| member.id.clone())
    };
    for place in left {
        if let Some(taker) = fewest(shares, &place.0) {
            shares.entry(taker).or_default().insert(place);
        }
    }
    // Each move makes two shares more alike, so this ends.
    loop {
        let ids: Vec<String> = shares.keys().cloned().collect();
        let step = ids.iter().find_map(|giver| {
            shares.get(giver)?.iter().rev().find_map(|place| {
                let taker = fewest(shares, &place.0)?;
                let fair = size(shares, &taker) + 1 < size(shares, giver) && wants(&taker, &place.0);
                fair.then(|| (giver.clone(), taker, *place))
            })
        });
        let Some((giver, taker, place)) = step else { return };
        shares.entry(giver).or_default().remove(&place);
        shares.entry(taker).or_default().insert(place);
    }
}

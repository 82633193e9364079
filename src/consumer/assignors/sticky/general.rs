//! Members want different topics: partitions are moved from members with many to members with few, for as long as
//! that makes it more even.

use std::collections::{BTreeSet, HashMap};

use super::Problem;
use super::java_hash::HashSet;

struct Balance<'a> {
    problem: &'a Problem<'a>,
    /// The members that want each topic.
    takers: Vec<Vec<usize>>,
    /// The topics that each member wants.
    wanted: Vec<BTreeSet<usize>>,
    shares: Vec<BTreeSet<usize>>,
    owner: Vec<Option<usize>>,
    /// The members that take part, by the number of their partitions and then by their ids.
    sorted: BTreeSet<(usize, usize)>,
    moves: Moves,
}

pub(super) fn solve(problem: &Problem<'_>) -> Vec<Vec<usize>> {
    let mut balance = Balance::new(problem);
    let revoked = balance.keep();
    balance.share_out(revoked);
    balance.shares.into_iter().map(|share| share.into_iter().collect()).collect()
}

impl<'a> Balance<'a> {
    fn new(problem: &'a Problem<'a>) -> Self {
        let wanted: Vec<BTreeSet<usize>> = problem
            .members
            .iter()
            .map(|member| {
                let topics = problem.topics.iter().enumerate();
                topics.filter(|(_, (name, _))| super::wants(member, name)).map(|(topic, _)| topic).collect()
            })
            .collect();
        let takers = (0..problem.topics.len())
            .map(|topic| {
                (0..wanted.len())
                    .filter(|member| wanted.get(*member).is_some_and(|set| set.contains(&topic)))
                    .collect()
            })
            .collect();
        Self {
            problem,
            takers,
            shares: vec![BTreeSet::new(); wanted.len()],
            wanted,
            owner: vec![None; problem.partitions.len()],
            sorted: BTreeSet::new(),
            moves: Moves::default(),
        }
    }

    fn wants(&self, member: usize, topic: usize) -> bool {
        self.wanted.get(member).is_some_and(|topics| topics.contains(&topic))
    }

    fn count(&self, member: usize) -> usize {
        self.shares.get(member).map_or(0, BTreeSet::len)
    }

    fn topic(&self, partition: usize) -> usize {
        self.problem.partitions.get(partition).map_or(usize::MAX, |partition| partition.topic)
    }

    fn is_shared(&self, topic: usize) -> bool {
        self.takers.get(topic).is_some_and(|takers| takers.len() >= 2)
    }

    /// What members have stays with them where it may. Returns whether something may not.
    fn keep(&mut self) -> bool {
        let mut revoked = false;
        for (member, owned) in self.problem.owned.iter().enumerate() {
            for partition in owned {
                if !self.wants(member, self.topic(*partition)) || self.problem.is_far(member, *partition) {
                    revoked = true;
                } else {
                    self.put(*partition, member);
                }
            }
        }
        revoked
    }

    fn put(&mut self, partition: usize, member: usize) {
        if let Some(share) = self.shares.get_mut(member) {
            share.insert(partition);
        }
        if let Some(owner) = self.owner.get_mut(partition) {
            *owner = Some(member);
        }
    }

    fn share_out(&mut self, revoked: bool) {
        let mut topics: Vec<usize> = (0..self.problem.topics.len()).collect();
        topics.sort_by_key(|topic| (self.takers.get(*topic).map_or(0, Vec::len), *topic));
        let all: Vec<usize> = topics
            .iter()
            .flat_map(|topic| {
                self.problem.topics.get(*topic).map(|(_, numbers)| numbers.clone()).unwrap_or_default()
            })
            .collect();
        let mut left: Vec<usize> = all
            .iter()
            .copied()
            .filter(|partition| self.owner.get(*partition).is_some_and(Option::is_none))
            .collect();
        self.sorted = (0..self.shares.len()).map(|member| (self.count(member), member)).collect();
        let from_scratch = self.sorted.last().is_none_or(|(most, _)| *most == 0);
        let mut open = left.clone();
        if self.problem.racks.active {
            open.retain(|partition| !self.give(*partition, true));
        }
        for partition in open {
            self.give(partition, false);
        }

        // Only what more than one may have, and only those who may have more or something else, take part.
        let mut all = all;
        all.retain(|partition| self.is_shared(self.topic(*partition)));
        left.retain(|partition| self.is_shared(self.topic(*partition)));
        for member in 0..self.shares.len() {
            if !self.takes_part(member) {
                self.sorted.remove(&(self.count(member), member));
            }
        }
        let before = (self.shares.clone(), self.owner.clone(), self.score());
        if !revoked {
            // What is new anyway is moved first.
            self.even_out(&left);
        }
        let moved = self.even_out(&all);
        if !from_scratch && moved && self.score() >= before.2 {
            (self.shares, self.owner) = (before.0, before.1);
        }
    }

    /// To the member with the fewest that wants it.
    fn give(&mut self, partition: usize, near_only: bool) -> bool {
        let topic = self.topic(partition);
        let fits = |member: usize| {
            self.wants(member, topic) && !(near_only && self.problem.is_far(member, partition))
        };
        let Some((count, member)) = self.sorted.iter().copied().find(|(_, member)| fits(*member)) else {
            return false;
        };
        self.sorted.remove(&(count, member));
        self.put(partition, member);
        self.sorted.insert((self.count(member), member));
        true
    }

    fn most_possible(&self, member: usize) -> usize {
        let topics = self.wanted.get(member).into_iter().flatten();
        topics.filter_map(|topic| self.problem.topics.get(*topic)).map(|(_, numbers)| numbers.len()).sum()
    }

    fn takes_part(&self, member: usize) -> bool {
        let mut share = self.shares.get(member).into_iter().flatten();
        self.count(member) < self.most_possible(member)
            || share.any(|partition| self.is_shared(self.topic(*partition)))
    }

    /// The sum of the differences between each two members.
    fn score(&self) -> usize {
        // The counts are sorted: each is larger than those before it.
        let mut counts: Vec<usize> = self.sorted.iter().map(|(_, member)| self.count(*member)).collect();
        counts.sort_unstable();
        let (mut score, mut sum) = (0, 0);
        for (place, count) in counts.into_iter().enumerate() {
            score += count * place - sum;
            sum += count;
        }
        score
    }

    fn is_balanced(&self) -> bool {
        let (Some((min, _)), Some((max, _))) = (self.sorted.first(), self.sorted.last()) else { return true };
        if min + 1 >= *max {
            return true;
        }
        // The most that an owner of one of a topic's partitions has.
        let mut richest: HashMap<usize, usize> = HashMap::new();
        for (count, member) in &self.sorted {
            for partition in self.shares.get(*member).into_iter().flatten() {
                richest
                    .entry(self.topic(*partition))
                    .and_modify(|most| *most = (*most).max(*count))
                    .or_insert(*count);
            }
        }
        self.sorted.iter().all(|(count, member)| {
            *count == self.most_possible(*member)
                || self
                    .wanted
                    .get(*member)
                    .into_iter()
                    .flatten()
                    .all(|topic| richest.get(topic).is_none_or(|most| count + 1 >= *most))
        })
    }

    /// Moves partitions until that makes nothing more even. Returns whether any was moved.
    fn even_out(&mut self, partitions: &[usize]) -> bool {
        let mut any = false;
        // Each move makes it more even, so this ends; the bound is for what nobody has thought of.
        let mut moves_left = (partitions.len() + 1) * (self.shares.len() + 1) * 4;
        loop {
            let mut modified = false;
            for partition in partitions.iter().copied() {
                if moves_left == 0 || self.is_balanced() {
                    break;
                }
                let Some(owner) = self.owner.get(partition).copied().flatten() else { continue };
                let (topic, count) = (self.topic(partition), self.count(owner));
                let had = self.problem.previous.get(&partition).map(|(member, _)| *member);
                let back = had.filter(|member| {
                    let takes_part = self.sorted.contains(&(self.count(*member), *member));
                    takes_part && self.wants(*member, topic) && count > self.count(*member) + 1
                });
                let poorer = || {
                    let takers = self.takers.get(topic).into_iter().flatten();
                    takers.into_iter().any(|taker| count > self.count(*taker) + 1)
                };
                let to = match back {
                    Some(member) => Some(member),
                    None if poorer() => self
                        .sorted
                        .iter()
                        .map(|(_, member)| *member)
                        .find(|member| self.wants(*member, topic)),
                    None => None,
                };
                if let Some(to) = to {
                    self.shift(partition, owner, to);
                    moves_left -= 1;
                    (any, modified) = (true, true);
                }
            }
            if !modified {
                return any;
            }
        }
    }

    /// Moves the partition, or another one of its topic that thereby goes back to where it came from.
    fn shift(&mut self, partition: usize, from: usize, to: usize) {
        let topic = self.topic(partition);
        let partition = self.moves.instead_of(partition, topic, from, to);
        let Some(from) = self.owner.get(partition).copied().flatten() else { return };
        self.sorted.remove(&(self.count(from), from));
        self.sorted.remove(&(self.count(to), to));
        if let Some(tp) = self.problem.partitions.get(partition).map(|partition| &partition.tp) {
            self.moves.record(partition, tp, topic, from, to);
        }
        if let Some(share) = self.shares.get_mut(from) {
            share.remove(&partition);
        }
        self.put(partition, to);
        self.sorted.insert((self.count(to), to));
        self.sorted.insert((self.count(from), from));
    }
}

/// Which partitions were moved from whom to whom: it would be pointless to move one there and another one back.
#[derive(Default)]
struct Moves {
    by_topic: HashMap<usize, HashMap<(usize, usize), HashSet>>,
    of: HashMap<usize, (usize, usize)>,
}

impl Moves {
    fn instead_of(&self, partition: usize, topic: usize, from: usize, to: usize) -> usize {
        let Some(pairs) = self.by_topic.get(&topic) else { return partition };
        let from = self.of.get(&partition).map_or(from, |(first, _)| *first);
        pairs.get(&(to, from)).and_then(HashSet::first).unwrap_or(partition)
    }

    fn record(
        &mut self,
        partition: usize,
        tp: &crate::types::TopicPartition,
        topic: usize,
        from: usize,
        to: usize,
    ) {
        let mut from = from;
        if let Some(earlier) = self.of.remove(&partition) {
            if let Some(pairs) = self.by_topic.get_mut(&topic) {
                if let Some(set) = pairs.get_mut(&earlier) {
                    set.remove(partition);
                    if set.is_empty() {
                        pairs.remove(&earlier);
                    }
                }
            }
            from = earlier.0;
            if from == to {
                return;
            }
        }
        self.of.insert(partition, (from, to));
        self.by_topic.entry(topic).or_default().entry((from, to)).or_default().insert(partition, tp);
    }
}

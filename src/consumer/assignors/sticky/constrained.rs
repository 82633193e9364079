//! All members want the same topics: each gets the same number of partitions, or one more.

use std::collections::{BTreeMap, HashMap};

use super::{Problem, Solution};

/// Shares that are being filled.
struct Filling<'a> {
    problem: &'a Problem<'a>,
    shares: Vec<Vec<usize>>,
    moving: BTreeMap<usize, usize>,
    /// Who had to give up a partition.
    given_up: HashMap<usize, usize>,
    min: usize,
    max: usize,
    /// How many members get `max`, where that is more than `min`, and how many have it by now.
    expected: usize,
    full: usize,
    /// Members that have fewer than `min`.
    hungry: Vec<usize>,
    /// Members that have `min` and might get one more.
    content: Vec<usize>,
}

pub(super) fn solve(problem: &Problem<'_>) -> Solution {
    let (members, partitions) = (problem.members.len(), problem.partitions.len());
    let mut filling = Filling {
        problem,
        shares: vec![Vec::new(); members],
        moving: BTreeMap::new(),
        given_up: HashMap::new(),
        min: partitions / members,
        max: partitions.div_ceil(members),
        expected: partitions % members,
        full: 0,
        hungry: Vec::new(),
        content: Vec::new(),
    };
    filling.keep();
    let mut taken = vec![false; partitions];
    for partition in filling.shares.iter().flatten() {
        if let Some(taken) = taken.get_mut(*partition) {
            *taken = true;
        }
    }
    let mut left: Vec<usize> =
        (0..partitions).filter(|partition| !taken.get(*partition).is_some_and(|t| *t)).collect();
    filling.hungry.sort_unstable();
    filling.content.sort_unstable();
    // Those that have the fewest members near them choose first.
    left.sort_by_key(|partition| problem.racks.near.get(*partition).copied().unwrap_or(0));
    if problem.racks.active {
        left = filling.near(left);
    }
    filling.rest(left);
    Solution { shares: filling.shares, moving: filling.moving }
}

impl Filling<'_> {
    /// What members have stays with them, as far as it is not too much or too far away.
    fn keep(&mut self) {
        for member in self.problem.java_order.clone() {
            let claimed = self.problem.owned.get(member).cloned().unwrap_or_default();
            let (far, mut owned): (Vec<usize>, Vec<usize>) =
                claimed.into_iter().partition(|partition| self.problem.is_far(member, *partition));
            self.given_up.extend(far.into_iter().map(|partition| (partition, member)));
            owned.retain(|partition| !self.problem.contested.contains(partition));
            owned.sort_by_key(|partition| {
                self.problem.partitions.get(*partition).map(|one| (one.tp.partition(), one.topic))
            });
            if owned.len() < self.min {
                self.hungry.push(member);
            } else if owned.len() >= self.max && self.full < self.expected {
                self.full += 1;
                if self.full == self.expected {
                    self.content.clear();
                }
                self.cut(member, &mut owned, self.max);
            } else {
                self.cut(member, &mut owned, self.min);
                if self.full < self.expected {
                    self.content.push(member);
                }
            }
            if let Some(share) = self.shares.get_mut(member) {
                *share = owned;
            }
        }
    }

    fn cut(&mut self, member: usize, owned: &mut Vec<usize>, to: usize) {
        let too_many = owned.split_off(to.min(owned.len()));
        self.given_up.extend(too_many.into_iter().map(|partition| (partition, member)));
    }

    /// To members in the right rack, in turn. Returns what there was none for.
    fn near(&mut self, left: Vec<usize>) -> Vec<usize> {
        let mut far = Vec::new();
        let mut turn = 0;
        for partition in left {
            if let Some(at) = self.next_near(partition, &self.hungry, turn) {
                let Some(member) = self.hungry.get(at).copied() else { continue };
                let count = self.count(member) + 1;
                let mut next = at;
                if count >= self.min {
                    self.hungry.remove(at);
                    if count < self.max && self.full < self.expected {
                        self.content.push(member);
                    }
                } else {
                    next += 1;
                }
                turn = next.checked_rem(self.hungry.len()).unwrap_or(0);
                self.give(partition, member);
            } else if let Some(at) = self.next_near(partition, &self.content, 0) {
                let Some(member) = self.content.get(at).copied() else { continue };
                if self.count(member) + 1 == self.max {
                    self.content.remove(at);
                    self.full += 1;
                    if self.full == self.expected {
                        self.content.clear();
                    }
                }
                self.give(partition, member);
            } else {
                far.push(partition);
            }
        }
        far
    }

    fn next_near(&self, partition: usize, members: &[usize], from: usize) -> Option<usize> {
        let racks = self.problem.racks.partitions.get(partition).filter(|racks| !racks.is_empty())?;
        let is_near = |at: &usize| {
            let rack = members.get(*at).and_then(|member| self.problem.racks.members.get(*member));
            rack.copied().flatten().is_some_and(|rack| racks.contains(&rack))
        };
        (0..members.len()).map(|step| (from + step) % members.len()).find(is_near)
    }

    /// To everybody in turn.
    fn rest(&mut self, left: Vec<usize>) {
        let mut turn = 0;
        for partition in left {
            if turn >= self.hungry.len() {
                turn = 0;
            }
            let Some(member) = self.hungry.get(turn).copied() else {
                if self.content.is_empty() {
                    // The numbers were worked out beforehand, so somebody is left.
                    debug_assert!(false, "nobody is left for a partition");
                    return;
                }
                let member = self.content.remove(0);
                self.give(partition, member);
                continue;
            };
            self.give(partition, member);
            if self.count(member) == self.min {
                self.hungry.remove(turn);
                self.content.push(member);
            } else {
                turn += 1;
            }
        }
    }

    fn count(&self, member: usize) -> usize {
        self.shares.get(member).map_or(0, Vec::len)
    }

    fn give(&mut self, partition: usize, member: usize) {
        if let Some(share) = self.shares.get_mut(member) {
            share.push(partition);
        }
        let was_given_up = self.given_up.get(&partition).is_some_and(|giver| *giver != member);
        if was_given_up || self.problem.contested.contains(&partition) {
            self.moving.insert(partition, member);
        }
    }
}

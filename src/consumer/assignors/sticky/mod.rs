//! As even as it gets, and then moving as little as that takes (KIP-54); cooperatively, a partition that moves is
//! given to nobody until its owner has given it up (KIP-429).
//!
//! Members claim what they have, with the generation that it is of. Of two claims the newer one counts; claims that
//! contradict each other in one generation count for nobody. [`constrained`] is for the usual case, where all
//! members want the same topics, [`general`] for the others.

mod constrained;
mod general;
mod java_hash;
pub(super) mod user_data;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::{racks_matter, wants};
use crate::config::{GroupAssignment, GroupMember, GroupTopics};
use crate::types::TopicPartition;

/// What is shared out among whom; members, topics and partitions are numbers here.
struct Problem<'a> {
    /// The ids, sorted: a member's number is its place.
    members: Vec<&'a GroupMember>,
    /// The members as Java's hash maps would have them, for whoever comes first.
    java_order: Vec<usize>,
    /// The topics that exist and that somebody wants, by name.
    topics: Vec<(&'a Arc<str>, Vec<usize>)>,
    partitions: Vec<Partition>,
    /// What each member claims and may keep.
    owned: Vec<Vec<usize>>,
    /// Claimed more than once in one generation.
    contested: BTreeSet<usize>,
    /// Who had a partition in an older generation, and in which.
    previous: HashMap<usize, (usize, i32)>,
    racks: Racks,
}

struct Partition {
    tp: TopicPartition,
    topic: usize,
}

/// Who is where; all empty when that makes no difference.
#[derive(Default)]
struct Racks {
    active: bool,
    /// The rack of each member.
    members: Vec<Option<usize>>,
    /// The racks of each partition's replicas.
    partitions: Vec<BTreeSet<usize>>,
    /// How many members are near each partition.
    near: Vec<usize>,
}

/// Who gets what, and which partitions change hands.
struct Solution {
    shares: Vec<Vec<usize>>,
    moving: BTreeMap<usize, usize>,
}

pub(super) fn assign(members: &[GroupMember], topics: &GroupTopics, cooperative: bool) -> GroupAssignment {
    if members.is_empty() {
        return GroupAssignment::new();
    }
    let (problem, claims) = Problem::new(members, topics, cooperative);
    let mut solution = if problem.all_want_the_same() {
        constrained::solve(&problem)
    } else {
        let shares = general::solve(&problem);
        let moving = moving(&claims, &shares);
        Solution { shares, moving }
    };
    if cooperative {
        for (partition, taker) in &solution.moving {
            if let Some(share) = solution.shares.get_mut(*taker) {
                share.retain(|other| other != partition);
            }
        }
    }
    let shares = solution.shares.into_iter().zip(&problem.members);
    let named = |share: Vec<usize>| -> Vec<TopicPartition> {
        share
            .into_iter()
            .filter_map(|partition| Some(problem.partitions.get(partition)?.tp.clone()))
            .collect()
    };
    shares.map(|(share, member)| (member.id.clone(), named(share))).collect()
}

/// The partitions that one member gives up and another one gets.
fn moving(claims: &[Vec<usize>], shares: &[Vec<usize>]) -> BTreeMap<usize, usize> {
    let mut added = BTreeMap::new();
    let mut revoked = BTreeSet::new();
    for (member, (claimed, share)) in claims.iter().zip(shares).enumerate() {
        added.extend(share.iter().filter(|one| !claimed.contains(one)).map(|one| (*one, member)));
        revoked.extend(claimed.iter().filter(|one| !share.contains(one)).copied());
    }
    added.retain(|partition, _| revoked.contains(partition));
    added
}

impl<'a> Problem<'a> {
    /// The problem, and what each member says that it has.
    fn new(
        members: &'a [GroupMember],
        topics: &'a GroupTopics,
        cooperative: bool,
    ) -> (Self, Vec<Vec<usize>>) {
        let java = java_hash::order(members.iter().map(|member| member.id.as_str()));
        let mut sorted: Vec<&GroupMember> = members.iter().collect();
        sorted.sort_by(|a, b| a.id.cmp(&b.id));
        let number = |id: &str| sorted.iter().position(|member| member.id == id).unwrap_or_default();
        let java_order =
            java.into_iter().filter_map(|at| members.get(at)).map(|member| number(&member.id)).collect();
        let mut problem = Self {
            members: Vec::new(),
            java_order,
            topics: Vec::new(),
            partitions: Vec::new(),
            owned: vec![Vec::new(); sorted.len()],
            contested: BTreeSet::new(),
            previous: HashMap::new(),
            racks: Racks::default(),
        };
        let mut index: HashMap<TopicPartition, usize> = HashMap::new();
        for (name, topic) in topics {
            if topic.partitions.is_empty() || !sorted.iter().any(|member| wants(member, name)) {
                continue;
            }
            let at = problem.topics.len();
            let mut numbers = Vec::with_capacity(topic.partitions.len());
            for (partition, _) in (0..).zip(&topic.partitions) {
                let tp = TopicPartition::new(Arc::clone(name), partition);
                index.insert(tp.clone(), problem.partitions.len());
                numbers.push(problem.partitions.len());
                problem.partitions.push(Partition { tp, topic: at });
            }
            problem.topics.push((name, numbers));
        }
        problem.racks = Racks::new(&sorted, &problem, topics);
        problem.members = sorted;
        let claims: Vec<Claim> =
            problem.members.iter().map(|member| Claim::of(member, &index, cooperative)).collect();
        problem.settle(&claims);
        (problem, claims.into_iter().map(|claim| claim.partitions).collect())
    }

    /// Whose claims count.
    fn settle(&mut self, claims: &[Claim]) {
        let mut owners: HashMap<usize, usize> = HashMap::new();
        let newest = claims.iter().map(Claim::generation).max().unwrap_or(-1);
        for member in self.java_order.clone() {
            let Some(claim) = claims.get(member) else { continue };
            for partition in &claim.partitions {
                let owner = owners.get(partition).copied();
                let older = owner.and_then(|owner| claims.get(owner)).map(Claim::generation);
                match older {
                    None => self.own(member, *partition),
                    Some(other) if other > claim.generation() => continue,
                    Some(other) => {
                        if let Some(owned) = owner.and_then(|owner| self.owned.get_mut(owner)) {
                            owned.retain(|one| one != partition);
                        }
                        if other == claim.generation() {
                            self.contested.insert(*partition);
                        } else {
                            self.own(member, *partition);
                        }
                    }
                }
                owners.insert(*partition, member);
            }
            if claim.generation.is_some_and(|generation| generation < newest)
                || (claim.generation.is_none() && newest > -1)
            {
                for partition in &claim.partitions {
                    let known = self.previous.entry(*partition).or_insert((member, claim.generation()));
                    if claim.generation() > known.1 {
                        *known = (member, claim.generation());
                    }
                }
            }
        }
    }

    fn own(&mut self, member: usize, partition: usize) {
        if let Some(owned) = self.owned.get_mut(member) {
            owned.push(partition);
        }
    }

    fn all_want_the_same(&self) -> bool {
        let mut sets = self.members.iter().map(|member| member.topics.iter().collect::<BTreeSet<_>>());
        let first = sets.next();
        sets.all(|set| Some(&set) == first.as_ref())
    }

    /// Whether the member is in another rack than all of the partition's replicas.
    fn is_far(&self, member: usize, partition: usize) -> bool {
        let Some(Some(rack)) = self.racks.members.get(member) else { return false };
        self.racks.active && !self.racks.partitions.get(partition).is_some_and(|racks| racks.contains(rack))
    }
}

/// What a member says that it has.
struct Claim {
    partitions: Vec<usize>,
    generation: Option<i32>,
}

impl Claim {
    fn of(member: &GroupMember, index: &HashMap<TopicPartition, usize>, cooperative: bool) -> Self {
        let (partitions, generation) = if cooperative {
            // Members of old have the generation in the assignor's own bytes.
            let generation =
                member.generation.or_else(|| user_data::read_generation(member.user_data.as_ref()));
            (member.owned.clone(), generation)
        } else {
            // Eager members come with empty hands: what they had is in the assignor's own bytes.
            user_data::read_previous(member.user_data.as_ref())
        };
        // Of partitions that there are, each once, whatever a member says.
        let mut known = Vec::new();
        for tp in &partitions {
            match index.get(tp) {
                Some(partition) if !known.contains(partition) => known.push(*partition),
                _ => {}
            }
        }
        Self { partitions: known, generation }
    }

    fn generation(&self) -> i32 {
        self.generation.unwrap_or(-1)
    }
}

impl Racks {
    fn new(members: &[&GroupMember], problem: &Problem<'_>, topics: &GroupTopics) -> Self {
        let of_members: BTreeSet<&str> = members.iter().filter_map(|member| member.rack.as_deref()).collect();
        if of_members.is_empty() {
            return Self::default();
        }
        let of_partition = |partition: &Partition| -> BTreeSet<&str> {
            let topic = topics.get(partition.tp.topic());
            let number = usize::try_from(partition.tp.partition()).ok();
            let racks = topic.zip(number).and_then(|(topic, number)| topic.partitions.get(number));
            racks.into_iter().flatten().map(String::as_str).collect()
        };
        let of_partitions: Vec<BTreeSet<&str>> = problem.partitions.iter().map(of_partition).collect();
        let names: Vec<&str> = of_members.iter().copied().collect();
        let number = |rack: &&str| names.binary_search(rack).ok();
        let near = |racks: &BTreeSet<&str>| {
            members
                .iter()
                .filter(|member| member.rack.as_deref().is_some_and(|rack| racks.contains(rack)))
                .count()
        };
        Self {
            active: racks_matter(&of_members, &of_partitions),
            members: members
                .iter()
                .map(|member| member.rack.as_deref().and_then(|rack| number(&rack)))
                .collect(),
            near: of_partitions.iter().map(near).collect(),
            partitions: of_partitions.iter().map(|racks| racks.iter().filter_map(number).collect()).collect(),
        }
    }
}

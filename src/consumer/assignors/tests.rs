use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::config::GroupTopic;

/// Random groups and what the assignors of kafka-clients 4.4.0 gave their members. A line reads
/// `assignor|topic:partitions,…|member[@static id][#rack]=topic,…[~generation~what it has];…|member=topic:partition,…;…`;
/// with racks a topic reads `topic=rack+rack/rack/…`. `tests/golden/AssignorsGolden.java` makes them.
const JAVA: &str = include_str!("java_results.txt");

fn member(text: &str, assignor: &Assignor) -> GroupMember {
    let mut fields = text.split('~');
    let (name, topics) = fields.next().unwrap().split_once('=').unwrap();
    let (name, rack) = match name.split_once('#') {
        Some((name, rack)) => (name, Some(rack.to_owned())),
        None => (name, None),
    };
    let (id, instance_id) = match name.split_once('@') {
        Some((id, instance)) => (id, Some(instance.to_owned())),
        None => (name, None),
    };
    let topics: Vec<String> = topics.split(',').map(str::to_owned).collect();
    let last = fields.next().map(|generation| LastAssignment {
        generation: generation.parse().unwrap(),
        partitions: parts(fields.next().unwrap(), ',')
            .map(|tp| TopicPartition::from(pair::<i32>(tp)))
            .collect(),
    });
    let eager = !assignor.is_cooperative();
    GroupMember {
        id: id.to_owned(),
        instance_id,
        rack,
        user_data: user_data(assignor, &topics, last.as_ref()),
        topics,
        generation: last.as_ref().map(|last| last.generation),
        owned: last.filter(|_| !eager).map(|last| last.partitions).unwrap_or_default(),
    }
}

fn topic(text: &str) -> (Arc<str>, GroupTopic) {
    if let Some((name, racks)) = text.split_once('=') {
        let partitions = racks.split('/').map(|racks| parts(racks, '+').map(str::to_owned).collect());
        return (Arc::from(name), GroupTopic { partitions: partitions.collect() });
    }
    let (name, count) = pair::<usize>(text);
    (name, GroupTopic::without_racks(count))
}

fn pair<T: std::str::FromStr>(text: &str) -> (Arc<str>, T) {
    let (name, number) = text.split_once(':').unwrap();
    (Arc::from(name), number.parse().ok().unwrap())
}

fn parts(text: &str, by: char) -> impl Iterator<Item = &str> {
    text.split(by).filter(|part| !part.is_empty())
}

/// Within a share the order means nothing; Java's is that of a hash map.
fn sorted(mut assignment: GroupAssignment) -> GroupAssignment {
    assignment.values_mut().for_each(|share| share.sort_unstable());
    assignment
}

#[test]
fn the_results_are_javas() {
    let mut cases: BTreeMap<&str, u32> = BTreeMap::new();
    for line in JAVA.lines() {
        let [assignor, topics, members, expected]: [&str; 4] =
            line.split('|').collect::<Vec<_>>().try_into().unwrap();
        *cases.entry(assignor).or_default() += 1;
        let assignor: Assignor = assignor.parse().unwrap();
        let topics: GroupTopics = parts(topics, ',').map(topic).collect();
        let members: Vec<GroupMember> = parts(members, ';').map(|text| member(text, &assignor)).collect();
        let expected: GroupAssignment = parts(expected, ';')
            .map(|share| {
                let (id, share) = share.split_once('=').unwrap();
                (id.to_owned(), parts(share, ',').map(|tp| TopicPartition::from(pair::<i32>(tp))).collect())
            })
            .collect();
        let assignment = assign(&assignor, &members, &topics).unwrap();
        assert_eq!(sorted(assignment), sorted(expected), "{line}");
    }
    let expected = [("cooperative-sticky", 70), ("range", 120), ("roundrobin", 60), ("sticky", 70)];
    assert_eq!(cases, BTreeMap::from(expected));
}

#[test]
fn nobody_and_nothing_are_no_trouble() {
    let some = GroupTopics::from([(Arc::from("t"), GroupTopic::without_racks(3))]);
    for assignor in Assignor::ALL {
        assert!(assign(assignor, &[], &some).unwrap().is_empty());
        let empty = GroupAssignment::from([("m".to_owned(), Vec::new())]);
        let assignment = assign(assignor, &[member("m=t", assignor)], &GroupTopics::new()).unwrap();
        assert_eq!(assignment, empty);
        let assignment = assign(assignor, &[member("m=other", assignor)], &some).unwrap();
        assert_eq!(assignment, empty);
    }
}

/// A group whose members come and go, want this and that, and claim what they please.
struct Random {
    random: fastrand::Rng,
    topics: GroupTopics,
    members: Vec<GroupMember>,
    next: usize,
}

impl Random {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let racks = random.bool();
        let topics = (0..random.usize(1..3)).map(|number| {
            let partitions = (0..random.usize(1..5)).map(|_| {
                let all = ["a", "b", "c"].iter().filter(|_| racks && random.bool());
                all.map(|rack| (*rack).to_owned()).collect()
            });
            (Arc::from(format!("t{number}")), GroupTopic { partitions: partitions.collect() })
        });
        let topics = topics.collect();
        let mut group = Self { random, topics, members: Vec::new(), next: 0 };
        for _ in 0..group.random.usize(1..5) {
            group.join();
        }
        group
    }

    fn join(&mut self) {
        let alike = self.next % 3 != 2;
        let mut topics: Vec<String> = self.topics.keys().map(|name| name.to_string()).collect();
        if !alike {
            topics.retain(|_| self.random.bool());
        }
        if self.random.u8(..8) == 0 {
            topics.push("gone".to_owned());
        }
        let rack = self.random.bool().then(|| ["a", "b", "c"][self.random.usize(..3)].to_owned());
        let id = format!("m{:03}-{}", self.random.u16(..1000), self.next);
        self.members.push(GroupMember { id, rack, topics, ..GroupMember::default() });
        self.next += 1;
    }

    /// Hands members what an assignment gave them, as if they had joined again.
    fn take(&mut self, assignment: &GroupAssignment, generation: i32, cooperative: bool) {
        for member in &mut self.members {
            let share = assignment[&member.id].clone();
            let last = LastAssignment { generation, partitions: share.clone() };
            if cooperative {
                (member.owned, member.generation) = (share, Some(generation));
            } else {
                member.user_data = Some(sticky::user_data::previous(&last));
            }
        }
    }

    fn claim_oddly(&mut self) {
        let count = self.members.len();
        let member = &mut self.members[self.random.usize(..count)];
        for _ in 0..self.random.usize(1..5) {
            let topic = ["t0", "t1", "gone"][self.random.usize(..3)];
            member.owned.push(TopicPartition::new(topic, self.random.i32(-1..7)));
        }
        member.generation = Some(self.random.i32(-1..4));
        let last = LastAssignment { generation: self.random.i32(-1..4), partitions: member.owned.clone() };
        member.user_data = Some(match self.random.u8(..3) {
            0 => Bytes::from(vec![self.random.u8(..); self.random.usize(..9)]),
            _ => sticky::user_data::previous(&last),
        });
    }

    fn has_no_racks(&self) -> bool {
        self.members.iter().all(|member| member.rack.is_none())
            || self.topics.values().all(|topic| topic.partitions.iter().all(Vec::is_empty))
    }

    /// Each partition once, to somebody who wants it; all of them, unless some are on their way.
    fn check(&self, assignment: &GroupAssignment, on_their_way: usize) {
        let mut given = BTreeSet::new();
        for member in &self.members {
            for tp in &assignment[&member.id] {
                assert!(given.insert(tp.clone()), "{tp} twice: {self}");
                assert!(wants(member, tp.topic()), "{} does not want {tp}: {self}", member.id);
            }
        }
        let all: usize = self
            .topics
            .iter()
            .filter(|(name, _)| self.members.iter().any(|member| wants(member, name)))
            .map(|(_, topic)| topic.partitions.len())
            .sum();
        assert_eq!(given.len() + on_their_way, all, "{self}");
    }

    /// No partition could go to a member with two fewer.
    fn check_balance(&self, assignment: &GroupAssignment) {
        for owner in &self.members {
            for tp in &assignment[&owner.id] {
                for other in self.members.iter().filter(|other| wants(other, tp.topic())) {
                    let (count, others) = (assignment[&owner.id].len(), assignment[&other.id].len());
                    assert!(count <= others + 1, "{tp} of {} should be {}'s: {self}", owner.id, other.id);
                }
            }
        }
    }
}

impl std::fmt::Display for Random {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {:?}", self.topics, self.members)
    }
}

fn moved(before: &GroupAssignment, after: &GroupAssignment) -> usize {
    let kept = |(id, share): (&String, &Vec<TopicPartition>)| {
        let now = after.get(id);
        share.iter().filter(|tp| now.is_none_or(|now| !now.contains(tp))).count()
    };
    before.iter().map(kept).sum()
}

#[test]
fn a_hundred_thousand_random_groups_are_shared_out_well() {
    std::thread::scope(|scope| {
        for assignor in [Assignor::Sticky, Assignor::CooperativeSticky] {
            scope.spawn(move || (0..50_000).for_each(|seed| share_out_well(&assignor, seed)));
        }
    });
}

fn share_out_well(assignor: &Assignor, seed: u64) {
    let cooperative = assignor.is_cooperative();
    let mut group = Random::new(seed);
    let first = assign(assignor, &group.members, &group.topics).unwrap();
    group.check(&first, 0);
    group.check_balance(&first);
    group.take(&first, 1, cooperative);

    // Nothing has changed, so nothing moves, unless somebody is nearer: Java does not keep what is far.
    let again = assign(assignor, &group.members, &group.topics).unwrap();
    if group.has_no_racks() {
        assert_eq!(sorted(again), sorted(first.clone()), "{group}");
    }

    if seed % 5 == 0 {
        group.claim_oddly();
    } else if group.random.bool() && group.members.len() > 1 {
        let at = group.random.usize(..group.members.len());
        group.members.remove(at);
    } else {
        group.join();
    }
    let mut generation = 2;
    let mut last = assign(assignor, &group.members, &group.topics).unwrap();
    if cooperative {
        // What changes hands is nobody's for one round, and then it is all settled.
        let all: usize = group
            .topics
            .iter()
            .filter(|(name, _)| group.members.iter().any(|member| wants(member, name)))
            .map(|(_, topic)| topic.partitions.len())
            .sum();
        let given: usize = last.values().map(Vec::len).sum();
        group.check(&last, all - given);
        let mut rounds = 0;
        loop {
            group.take(&last, generation, true);
            generation += 1;
            let next = assign(assignor, &group.members, &group.topics).unwrap();
            if sorted(next.clone()) == sorted(last.clone()) {
                break;
            }
            last = next;
            rounds += 1;
            if !group.has_no_racks() && rounds > 3 {
                break;
            }
            assert!(rounds <= 3, "it does not come to rest: {group}");
        }
    }
    if !cooperative || group.has_no_racks() {
        group.check(&last, 0);
        group.check_balance(&last);
    }
    let alike = group.members.iter().all(|member| member.topics == group.members[0].topics);
    if group.has_no_racks() && alike && seed % 5 != 0 {
        // At most what the newcomer gets, or what was left behind, changes hands.
        let members = group.members.len();
        let share = first.values().map(Vec::len).sum::<usize>().div_ceil(members);
        let stayed: GroupAssignment = first
            .iter()
            .filter(|(id, _)| last.contains_key(*id))
            .map(|(id, s)| (id.clone(), s.clone()))
            .collect();
        assert!(moved(&stayed, &last) <= share, "{group}");
    }
}

struct Greedy;

impl crate::config::PartitionAssignor for Greedy {
    fn name(&self) -> &str {
        "greedy"
    }

    fn assign(&self, members: &[GroupMember], _: &GroupTopics) -> GroupAssignment {
        members.iter().map(|member| (member.id.clone(), vec![TopicPartition::new("t", 0)])).collect()
    }
}

#[test]
fn what_an_assignor_of_the_program_gives_is_looked_at() {
    let greedy = Assignor::custom(Greedy);
    let topics = GroupTopics::from([(Arc::from("t"), GroupTopic::without_racks(1))]);
    let run = |members: &[&str]| {
        let members: Vec<GroupMember> = members.iter().map(|text| member(text, &greedy)).collect();
        assign(&greedy, &members, &topics)
    };
    assert_eq!(run(&["a=t"]).unwrap()["a"].len(), 1);
    assert_eq!(run(&["a=t", "b=t"]).unwrap_err().kind(), ErrorKind::IllegalState);
    assert_eq!(run(&["a=u"]).unwrap_err().kind(), ErrorKind::IllegalState);
    assert_eq!(
        assign(&greedy, &[member("a=t", &greedy)], &GroupTopics::new()).unwrap_err().topic(),
        Some("t")
    );
}

use super::*;

/// 120 random groups and what the assignors of kafka-clients 4.4.0 gave their members. A line reads
/// `assignor|topic:partitions,…|member[@static id]=topic,…;…|member=topic:partition,…;…`.
const JAVA: &str = include_str!("java_results.txt");

fn member(text: &str) -> Member {
    let (name, topics) = text.split_once('=').unwrap();
    let (id, instance_id) = match name.split_once('@') {
        Some((id, instance)) => (id, Some(instance.to_owned())),
        None => (name, None),
    };
    Member { id: id.to_owned(), instance_id, topics: topics.split(',').map(str::to_owned).collect() }
}

fn pair<T: std::str::FromStr>(text: &str) -> (Arc<str>, T) {
    let (name, number) = text.split_once(':').unwrap();
    (Arc::from(name), number.parse().ok().unwrap())
}

fn parts(text: &str, by: char) -> impl Iterator<Item = &str> {
    text.split(by).filter(|part| !part.is_empty())
}

/// Within a share the order means nothing; Java's is that of a hash map.
fn sorted(mut assignment: Assignment) -> Assignment {
    assignment.values_mut().for_each(|share| share.sort_unstable());
    assignment
}

#[test]
fn the_results_are_javas() {
    let mut cases = 0;
    for line in JAVA.lines() {
        let [assignor, topics, members, expected]: [&str; 4] =
            line.split('|').collect::<Vec<_>>().try_into().unwrap();
        let partitions: BTreeMap<Arc<str>, i32> = parts(topics, ',').map(pair).collect();
        let members: Vec<Member> = parts(members, ';').map(member).collect();
        let expected: Assignment = parts(expected, ';')
            .map(|share| {
                let (id, share) = share.split_once('=').unwrap();
                (id.to_owned(), parts(share, ',').map(|tp| TopicPartition::from(pair::<i32>(tp))).collect())
            })
            .collect();
        let assignment = assign(assignor.parse().unwrap(), &members, &partitions);
        assert_eq!(sorted(assignment), sorted(expected), "{line}");
        cases += 1;
    }
    assert_eq!(cases, 120);
}

#[test]
fn nobody_and_nothing_are_no_trouble() {
    let none = BTreeMap::new();
    let some = BTreeMap::from([(Arc::from("t"), 3)]);
    for assignor in [Assignor::Range, Assignor::RoundRobin] {
        assert!(assign(assignor, &[], &some).is_empty());
        let assignment = assign(assignor, &[member("m=t")], &none);
        assert_eq!(assignment, Assignment::from([("m".to_owned(), Vec::new())]));
        let assignment = assign(assignor, &[member("m=other")], &some);
        assert_eq!(assignment, Assignment::from([("m".to_owned(), Vec::new())]));
    }
}

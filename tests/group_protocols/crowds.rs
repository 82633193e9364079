//! Thirty members in one cooperative group: a change costs few rebalances, and nobody stops reading what stays.

use kavka::mock::GroupState;

use super::*;

const MEMBERS: usize = 30;
const PARTITIONS: i32 = 60;

/// What a member has given up since somebody looked.
#[derive(Clone, Default)]
struct GivenUp(Arc<Mutex<BTreeSet<TopicPartition>>>);

impl ConsumerRebalanceListener for GivenUp {
    fn on_partitions_revoked(&mut self, _: &mut RebalanceContext<'_>, gone: &[TopicPartition]) -> Result<()> {
        self.0.lock().unwrap().extend(gone.iter().cloned());
        Ok(())
    }

    fn on_partitions_assigned(&mut self, _: &mut RebalanceContext<'_>, _: &[TopicPartition]) -> Result<()> {
        Ok(())
    }
}

struct Member {
    consumer: KafkaConsumer,
    given_up: GivenUp,
    before: BTreeSet<TopicPartition>,
}

impl Member {
    fn start(cluster: &MockCluster) -> Self {
        let builder = classic(cluster, Assignor::CooperativeSticky).session_timeout(LONG);
        let mut consumer = builder.heartbeat_interval(Duration::from_millis(200)).build().unwrap();
        let given_up = GivenUp::default();
        consumer.subscribe_with_listener(["t"], given_up.clone()).unwrap();
        Self { consumer, given_up, before: BTreeSet::new() }
    }

    fn has(&self) -> BTreeSet<TopicPartition> {
        self.consumer.assignment().into_iter().collect()
    }
}

/// Polls everybody in turn until `done`; returns how many records came.
fn poll_all(members: &mut [Member], mut done: impl FnMut(&[Member], usize) -> bool) -> usize {
    let (deadline, mut records) = (Instant::now() + 3 * LONG, 0);
    while !done(members, records) {
        let counts: Vec<usize> = members.iter().map(|member| member.has().len()).collect();
        assert!(Instant::now() < deadline, "{counts:?}, {records} records");
        for member in members.iter_mut() {
            records += member.consumer.poll(Duration::from_millis(1)).unwrap().len();
        }
    }
    records
}

/// Waits until all partitions are shared out evenly, and then for as long as it takes members to hear of another
/// rebalance.
fn settle(cluster: &MockCluster, members: &mut [Member]) {
    let even = |members: &[Member]| {
        let all: BTreeSet<TopicPartition> = members.iter().flat_map(Member::has).collect();
        let counts = || members.iter().map(|member| member.has().len());
        let spread = counts().max().unwrap_or(0) - counts().min().unwrap_or(0);
        all.len() == PARTITIONS as usize && counts().sum::<usize>() == all.len() && spread <= 1
    };
    poll_all(members, |all, _| even(all) && cluster.group_state("g") == Some(GroupState::Stable));
    let beats = cluster.request_count(ApiKey::HEARTBEAT);
    poll_all(members, |_, _| cluster.request_count(ApiKey::HEARTBEAT) >= beats + 3 * MEMBERS);
    assert!(even(members));
}

/// Has something happen, and looks what it costs.
fn change(cluster: &MockCluster, members: &mut Vec<Member>, what: impl FnOnce(&mut Vec<Member>)) {
    for member in members.iter_mut() {
        member.before = member.has();
        member.given_up.0.lock().unwrap().clear();
    }
    let generation = cluster.group_generation("g");
    what(members);
    settle(cluster, members);
    let rebalances = cluster.group_generation("g") - generation;
    assert!((1..=2).contains(&rebalances), "{rebalances} rebalances");
    for member in members.iter() {
        let has = member.has();
        let given_up = member.given_up.0.lock().unwrap();
        let needlessly: Vec<_> = given_up.iter().filter(|tp| has.contains(*tp)).collect();
        assert!(needlessly.is_empty(), "{needlessly:?} were given up and came back");
        assert!(member.before.iter().all(|tp| has.contains(tp) || given_up.contains(tp)));
    }
}

#[test]
fn a_change_among_thirty_members_costs_two_rebalances_at_most() {
    let cluster = MockCluster::builder()
        .topic("t", PARTITIONS)
        .initial_rebalance_delay(Duration::from_millis(300))
        .start()
        .unwrap();
    let mut members: Vec<Member> = (0..MEMBERS).map(|_| Member::start(&cluster)).collect();
    settle(&cluster, &mut members);
    for _ in 0..3 {
        change(&cluster, &mut members, |members| members.remove(0).consumer.close(LONG).unwrap());
        change(&cluster, &mut members, |members| members.push(Member::start(&cluster)));
    }
}

/// One member does not come to the rebalance for a while: all others read on.
#[test]
fn thirty_members_read_on_while_a_rebalance_waits_for_one() {
    let cluster = MockCluster::builder()
        .topic("t", PARTITIONS)
        .initial_rebalance_delay(Duration::from_millis(300))
        .start()
        .unwrap();
    let mut members: Vec<Member> = (0..MEMBERS).map(|_| Member::start(&cluster)).collect();
    settle(&cluster, &mut members);
    change(&cluster, &mut members, |members| {
        let late = members.remove(0);
        cluster.clear_requests();
        members.push(Member::start(&cluster));
        // The new one asks twice: it is given its id first.
        poll_all(members, |all, _| cluster.request_count(ApiKey::JOIN_GROUP) > all.len());
        let theirs: Vec<TopicPartition> = members.iter().flat_map(Member::has).collect();
        assert_eq!(theirs.len(), PARTITIONS as usize - 2);
        theirs.iter().for_each(|tp| fill(&cluster, "t", tp.partition(), 1));
        poll_all(members, |_, records| records == theirs.len());
        assert_eq!(cluster.group_state("g"), Some(GroupState::PreparingRebalance));
        members.push(late);
    });
}

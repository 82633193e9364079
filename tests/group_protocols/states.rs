//! Each trouble of a heartbeat in each state of a member of the new protocol: members recover, and no partition is two
//! members' at once.

use std::collections::BTreeMap;

use kavka::mock::Fault;

use super::*;

const API: ApiKey = ApiKey::CONSUMER_GROUP_HEARTBEAT;

#[derive(Clone, Copy, Debug)]
enum Trouble {
    Code(ErrorCode),
    LostRequest,
    LostAnswer,
}

const TROUBLES: [Trouble; 9] = [
    Trouble::Code(ErrorCode::COORDINATOR_NOT_AVAILABLE),
    Trouble::Code(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
    Trouble::Code(ErrorCode::NOT_COORDINATOR),
    Trouble::Code(ErrorCode::UNKNOWN_SERVER_ERROR),
    Trouble::Code(ErrorCode::UNKNOWN_MEMBER_ID),
    Trouble::Code(ErrorCode::FENCED_MEMBER_EPOCH),
    Trouble::Code(ErrorCode::GROUP_ID_NOT_FOUND),
    Trouble::LostRequest,
    Trouble::LostAnswer,
];

impl Trouble {
    /// With the next heartbeat, whoever sends it.
    fn strike(self, cluster: &MockCluster) -> Fault {
        let next = cluster.on(API).once();
        match self {
            Self::Code(code) => next.error(code),
            Self::LostRequest => next.drop_before(),
            Self::LostAnswer => next.drop_after(),
        }
    }

    fn is(self, error: &Error) -> bool {
        matches!(self, Self::Code(code) if error.code() == Some(code))
    }
}

/// All at once, each on a cluster of its own.
fn with_each_trouble(test: impl Fn(Trouble) + Sync) {
    std::thread::scope(|scope| {
        for trouble in TROUBLES {
            let test = &test;
            scope.spawn(move || test(trouble));
        }
    });
}

/// Who has what, as the listeners are told.
#[derive(Clone, Default)]
struct Owners(Arc<Mutex<BTreeMap<TopicPartition, u32>>>);

struct Badge {
    owners: Owners,
    member: u32,
}

impl ConsumerRebalanceListener for Badge {
    fn on_partitions_revoked(&mut self, _: &mut RebalanceContext<'_>, gone: &[TopicPartition]) -> Result<()> {
        let mut owners = self.owners.0.lock().unwrap();
        gone.iter().for_each(|tp| assert_eq!(owners.remove(tp), Some(self.member)));
        Ok(())
    }

    fn on_partitions_assigned(&mut self, _: &mut RebalanceContext<'_>, new: &[TopicPartition]) -> Result<()> {
        let mut owners = self.owners.0.lock().unwrap();
        new.iter().for_each(|tp| assert_eq!(owners.insert(tp.clone(), self.member), None, "{tp}"));
        Ok(())
    }
}

/// A group on a cluster of its own.
struct Bench {
    cluster: MockCluster,
    owners: Owners,
}

impl Bench {
    fn new() -> Self {
        Self { cluster: cluster(4), owners: Owners::default() }
    }

    fn member(&self, member: u32) -> KafkaConsumer {
        let mut consumer = modern(&self.cluster).build().unwrap();
        let badge = Badge { owners: self.owners.clone(), member };
        consumer.subscribe_with_listener(["t"], badge).unwrap();
        consumer
    }

    /// Everybody has so many in the end, and all agree who has what.
    fn settle(&self, members: &mut [&mut KafkaConsumer], wanted: &[usize]) {
        poll_until(members, |all| counts(all) == wanted);
        let has =
            |number: &u32| self.owners.0.lock().unwrap().values().filter(|owner| *owner == number).count();
        let mut told: Vec<usize> = (1..=9).map(|number| has(&number)).filter(|count| *count > 0).collect();
        told.sort_unstable();
        let mut wanted: Vec<usize> = wanted.iter().copied().filter(|count| *count > 0).collect();
        wanted.sort_unstable();
        assert_eq!(told, wanted);
    }

    /// Waits until a member has sent heartbeats, and been answered, while its program does nothing.
    fn beats_of(&self, consumer: &KafkaConsumer) {
        let id = consumer.group_metadata().member_id;
        let count = || {
            let all = self.cluster.requests_of(API);
            let all = all.iter().filter_map(|request| request.decode::<ConsumerGroupHeartbeatRequest>());
            all.filter(|request| request.member_id == id).count()
        };
        let enough = count() + 3;
        assert!(self.cluster.wait_for(LONG, |_| count() >= enough));
    }
}

#[test]
fn trouble_while_joining() {
    with_each_trouble(|trouble| {
        let bench = Bench::new();
        let fault = trouble.strike(&bench.cluster);
        let mut member = bench.member(1);
        let deadline = Instant::now() + LONG;
        while member.assignment().len() < 4 {
            assert!(Instant::now() < deadline, "{trouble:?}");
            if let Err(error) = member.poll(SHORT) {
                assert!(trouble.is(&error), "{trouble:?}: {error}");
            }
        }
        assert_eq!(fault.hits(), 1, "{trouble:?}");
        assert_eq!(bench.cluster.group_members("g").len(), 1, "{trouble:?}: no ghosts");
    });
}

#[test]
fn trouble_of_a_settled_member() {
    with_each_trouble(|trouble| {
        let bench = Bench::new();
        let (mut first, mut second) = (bench.member(1), bench.member(2));
        bench.settle(&mut [&mut first, &mut second], &[2, 2]);
        let fault = trouble.strike(&bench.cluster);
        poll_until(&mut [&mut first, &mut second], |_| fault.hits() == 1);
        let enough = bench.cluster.request_count(API) + 8;
        poll_until(&mut [&mut first, &mut second], |_| bench.cluster.request_count(API) >= enough);
        bench.settle(&mut [&mut first, &mut second], &[2, 2]);
    });
}

/// The member is to give partitions up, and the trouble comes before the coordinator hears that it has.
#[test]
fn trouble_of_a_member_that_gives_up() {
    with_each_trouble(|trouble| {
        let bench = Bench::new();
        let mut first = bench.member(1);
        bench.settle(&mut [&mut first], &[4]);
        let mut second = bench.member(2);
        poll_until(&mut [&mut second], |all| all[0].group_metadata().generation_id > 0);
        bench.beats_of(&first);
        let fault = trouble.strike(&bench.cluster);
        poll_until(&mut [&mut first, &mut second], |_| fault.hits() == 1);
        bench.settle(&mut [&mut first, &mut second], &[2, 2]);
    });
}

#[test]
fn trouble_while_leaving() {
    with_each_trouble(|trouble| {
        let bench = Bench::new();
        let (mut first, mut second) = (bench.member(1), bench.member(2));
        bench.settle(&mut [&mut first, &mut second], &[2, 2]);
        trouble.strike(&bench.cluster);
        if let Err(error) = first.close(LONG) {
            assert!(trouble.is(&error), "{trouble:?}: {error}");
        }
        bench.settle(&mut [&mut second], &[4]);
    });
}

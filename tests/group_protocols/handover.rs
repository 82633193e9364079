//! What was fetched, read and committed when partitions change hands, and seats.

use std::collections::BTreeMap;
use std::task::{Poll, Waker};
use std::thread;

use super::*;

const RECORDS: u32 = 300;

type Build = fn(&MockCluster) -> ConsumerBuilder;

const KINDS: [(&str, Build); 3] = [
    ("eager", |cluster| classic(cluster, Assignor::Range)),
    ("cooperative", |cluster| classic(cluster, Assignor::CooperativeSticky)),
    ("KIP-848", modern),
];

/// A member, what its listener was told, and what it has read.
struct Reader {
    consumer: KafkaConsumer,
    own: Own,
    iterates: bool,
}

/// The partitions that are the member's, as its listener sees it.
#[derive(Clone, Default)]
struct Own(Arc<Mutex<BTreeSet<TopicPartition>>>, Arc<Mutex<usize>>);

impl ConsumerRebalanceListener for Own {
    fn on_partitions_revoked(&mut self, _: &mut RebalanceContext<'_>, gone: &[TopicPartition]) -> Result<()> {
        *self.1.lock().unwrap() += gone.len();
        gone.iter().for_each(|tp| assert!(self.0.lock().unwrap().remove(tp)));
        Ok(())
    }

    fn on_partitions_assigned(&mut self, _: &mut RebalanceContext<'_>, new: &[TopicPartition]) -> Result<()> {
        new.iter().for_each(|tp| assert!(self.0.lock().unwrap().insert(tp.clone())));
        Ok(())
    }
}

impl Reader {
    fn join(builder: ConsumerBuilder, iterates: bool) -> Self {
        let own = Own::default();
        let mut consumer = builder.max_poll_records(7_usize).consumer_timeout(SHORT).build().unwrap();
        consumer.subscribe_with_listener(["t"], own.clone()).unwrap();
        Self { consumer, own, iterates }
    }

    /// One poll, or one step of an iteration.
    fn read(&mut self, seen: &mut BTreeMap<(i32, i64), usize>) {
        let places: Vec<(TopicPartition, i64)> = if self.iterates {
            let record = self.consumer.iter().next().transpose().unwrap();
            record.iter().map(|record| (record.topic_partition().clone(), record.offset())).collect()
        } else {
            let records = self.consumer.poll(SHORT).unwrap();
            records.iter().map(|record| (record.topic_partition().clone(), record.offset())).collect()
        };
        for (tp, offset) in places {
            assert!(self.own.0.lock().unwrap().contains(&tp), "{tp}@{offset} after it was given up");
            *seen.entry((tp.partition(), offset)).or_default() += 1;
        }
    }
}

/// Hundreds of records are fetched when partitions go: the one side returns none of them any more, and the other
/// goes on where it stopped.
#[test]
fn what_is_fetched_of_partitions_that_go_is_read_by_the_next_member_alone() {
    thread::scope(|scope| {
        for (name, builder) in KINDS {
            for iterates in [false, true] {
                scope.spawn(move || {
                    let cluster = cluster(2);
                    (0..2).for_each(|partition| fill(&cluster, "t", partition, RECORDS));
                    let mut seen = BTreeMap::new();
                    let mut first = Reader::join(builder(&cluster), iterates);
                    let deadline = Instant::now() + LONG;
                    while seen.len() < 20 {
                        assert!(Instant::now() < deadline, "{name}: {seen:?}");
                        first.read(&mut seen);
                    }
                    let mut second = Reader::join(builder(&cluster), iterates);
                    let (mut changes, all) = (0, 2 * RECORDS as usize);
                    let deadline = Instant::now() + LONG;
                    while seen.len() < all {
                        assert!(Instant::now() < deadline, "{name}: {} of {all}", seen.len());
                        first.read(&mut seen);
                        second.read(&mut seen);
                        // It goes with hands full, and comes back.
                        if changes == 0 && second.consumer.assignment().len() == 1 && seen.len() > 100 {
                            changes += 1;
                            second.consumer.unsubscribe().unwrap();
                            assert!(second.own.0.lock().unwrap().is_empty(), "{name}");
                            second.own = Own::default();
                            let own = second.own.clone();
                            second.consumer.subscribe_with_listener(["t"], own).unwrap();
                        }
                    }
                    assert!(*first.own.1.lock().unwrap() > 0, "{name}: nothing was ever revoked");
                    let again = seen.values().filter(|count| **count > 1).count();
                    // Of an iteration's last record nobody knows whether it was worked on when the program leaves.
                    assert!(again <= usize::from(iterates) * changes, "{name}: {again} records twice");
                    first.consumer.close(LONG).unwrap();
                    second.consumer.close(LONG).unwrap();
                    for partition in 0..2 {
                        let committed = cluster.committed("g", "t", partition).unwrap();
                        assert!(i64::from(RECORDS) - committed <= i64::from(iterates), "{name}: {committed}");
                    }
                });
            }
        }
    });
}

/// The program breaks out of an iteration: the group does not get the last record's offset, whatever comes next.
#[test]
fn the_record_that_an_iteration_was_left_at_is_not_committed_when_partitions_go() {
    for (name, builder) in KINDS {
        let cluster = cluster(1);
        fill(&cluster, "t", 0, 10);
        let mut consumer = subscribed(builder(&cluster).auto_commit_interval(Duration::ZERO));
        assert_eq!(consumer.iter().take(3).filter(|record| record.is_ok()).count(), 3);
        consumer.unsubscribe().unwrap();
        assert_eq!(cluster.committed("g", "t", 0), Some(2), "{name}");
        consumer.subscribe(["t"]).unwrap();
        // It is read again, and once the next one is asked for it counts.
        let offsets: Vec<i64> = consumer.iter().take(2).map(|record| record.unwrap().offset()).collect();
        assert_eq!(offsets, [2, 3], "{name}");
        consumer.unsubscribe().unwrap();
        assert_eq!(cluster.committed("g", "t", 0), Some(3), "{name}");
    }
}

/// Of a static member the coordinator has made a note already when the answer is lost.
#[test]
fn a_static_member_recovers_from_a_lost_answer() {
    let lost: [(&str, Build, ApiKey); 5] = [
        ("join", KINDS[0].1, ApiKey::JOIN_GROUP),
        ("sync", KINDS[0].1, ApiKey::SYNC_GROUP),
        ("cooperative join", KINDS[1].1, ApiKey::JOIN_GROUP),
        ("heartbeat", KINDS[0].1, ApiKey::HEARTBEAT),
        ("first heartbeat", modern, ApiKey::CONSUMER_GROUP_HEARTBEAT),
    ];
    for (name, builder, api) in lost {
        let cluster = cluster(2);
        fill(&cluster, "t", 0, 3);
        let fault = cluster.on(api).drop_after();
        let mut consumer = subscribed(builder(&cluster).group_instance_id("seat"));
        poll_until(&mut [&mut consumer], |all| fault.hits() == 1 && counts(all) == [2]);
        assert_eq!(cluster.group_members("g"), [consumer.group_metadata().member_id], "{name}");
        // And of one that comes back to its seat.
        consumer.close(LONG).unwrap();
        let fault = cluster.on(api).drop_after();
        let mut consumer = subscribed(builder(&cluster).group_instance_id("seat"));
        poll_until(&mut [&mut consumer], |all| fault.hits() == 1 && counts(all) == [2]);
        consumer.commit_offsets([(tp(0), 1)]).unwrap();
        assert_eq!(cluster.group_members("g"), [consumer.group_metadata().member_id], "{name}");
    }
}

#[test]
fn of_two_static_members_with_one_id_exactly_one_goes_on() {
    for (name, builder) in KINDS {
        let cluster = cluster(2);
        let start = || subscribed(builder(&cluster).group_instance_id("seat"));
        let (mut first, mut second) = (start(), start());
        has(&mut first, 2);
        cluster.clear_requests();
        let (mut errors, mut polls) = ([0, 0], 0);
        let beats = || {
            cluster.request_count(ApiKey::HEARTBEAT) + cluster.request_count(ApiKey::CONSUMER_GROUP_HEARTBEAT)
        };
        let deadline = Instant::now() + LONG;
        while beats() < 30 || polls < 30 {
            assert!(Instant::now() < deadline, "{name}: {} heartbeats", beats());
            polls += 1;
            for (consumer, errors) in [&mut first, &mut second].into_iter().zip(&mut errors) {
                if let Err(error) = consumer.poll(SHORT) {
                    assert_eq!(error.kind(), ErrorKind::FencedInstance, "{name}: {error}");
                    *errors += 1;
                }
            }
        }
        // In the classic protocol the newer one has the seat, in the other one the older; and there is no fight.
        let newer_wins = name != "KIP-848";
        assert_eq!((errors[0] > 0, errors[1]), (newer_wins, 0), "{name}");
        assert_eq!(counts(&[&mut first, &mut second]), if newer_wins { [0, 2] } else { [2, 0] }, "{name}");
        assert!(cluster.request_count(ApiKey::JOIN_GROUP) <= 2, "{name}: they fight");
    }
}

/// A door that futures wait at, and that another thread opens.
#[derive(Clone, Default)]
struct Door(Arc<Mutex<(bool, Vec<Waker>)>>);

impl Door {
    async fn pass(&self) {
        std::future::poll_fn(|cx| {
            let (open, waiting) = &mut *self.0.lock().unwrap();
            if *open {
                return Poll::Ready(());
            }
            waiting.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn is_waited_at(&self) -> bool {
        !self.0.lock().unwrap().1.is_empty()
    }

    fn open(&self) {
        let (open, waiting) = &mut *self.0.lock().unwrap();
        *open = true;
        waiting.drain(..).for_each(Waker::wake);
    }
}

/// Gives partitions up only when the door is open, and then complains.
struct Waits(Door);

impl AsyncConsumerRebalanceListener for Waits {
    async fn on_partitions_revoked(
        &mut self,
        consumer: &AsyncRebalanceContext,
        gone: &[TopicPartition],
    ) -> Result<()> {
        self.0.pass().await;
        consumer.commit_offsets(gone.iter().map(|tp| (tp.clone(), 7))).await?;
        Err(Error::new(ErrorKind::IllegalState, "was that necessary"))
    }

    async fn on_partitions_assigned(
        &mut self,
        _: &AsyncRebalanceContext,
        _: &[TopicPartition],
    ) -> Result<()> {
        Ok(())
    }
}

#[test]
fn an_async_listener_that_waits_holds_up_neither_heartbeats_nor_fetches() {
    for (name, builder) in [KINDS[1], KINDS[2]] {
        let cluster = cluster(2);
        let door = Door::default();
        let mut first = builder(&cluster)
            .client_id("waits")
            .enable_auto_commit(false)
            .fetch_max_wait(Duration::from_millis(50))
            .build()
            .unwrap();
        first.subscribe_to(Subscription::topics(["t"]).async_listener(Waits(door.clone()))).unwrap();
        (0..2).for_each(|partition| fill(&cluster, "t", partition, 10));
        let mut seen = 0;
        while seen < 20 {
            seen += first.poll(LONG).unwrap().len();
        }
        let id = first.group_metadata().member_id;
        let mut second = subscribed(builder(&cluster).client_id("second"));
        let error = thread::scope(|scope| {
            let complaint = scope.spawn(|| error_of(&mut first));
            poll_until(&mut [&mut second], |_| door.is_waited_at());
            cluster.clear_requests();
            let sent = |apis: &[ApiKey]| {
                let by = |request: &&kavka::mock::MockRequest| request.client_id.as_deref() == Some("waits");
                let count = |api: &ApiKey| cluster.requests_of(*api).iter().filter(by).count();
                apis.iter().map(count).sum::<usize>()
            };
            let beats = [ApiKey::HEARTBEAT, ApiKey::CONSUMER_GROUP_HEARTBEAT];
            assert!(cluster.wait_for(LONG, |_| sent(&beats) >= 5 && sent(&[ApiKey::FETCH]) >= 5), "{name}");
            second.poll(SHORT).unwrap();
            assert!(second.assignment().is_empty(), "nothing is given up yet");
            assert!(cluster.group_members("g").contains(&id));
            door.open();
            complaint.join().unwrap()
        });
        assert_eq!(error.kind(), ErrorKind::IllegalState, "{error}");
        assert!(error.to_string().contains("was that necessary"), "{error}");
        // The rebalance came to its end all the same.
        poll_until(&mut [&mut first, &mut second], |all| counts(all) == [1, 1]);
        assert_eq!(first.group_metadata().member_id, id);
        let moved = second.assignment()[0].partition();
        assert_eq!(cluster.committed("g", "t", moved), Some(7));
    }
}

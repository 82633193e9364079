//! What is there while the program waits, pauses, or is gone: buffered records, wake-ups, events in between.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;

use kavka::config::GroupProtocol;

use super::*;

/// The offsets that fetches have asked for, in their order; sessions name a partition only where something is new.
fn asked(cluster: &MockCluster) -> Vec<i64> {
    let requests = cluster.requests_of(ApiKey::FETCH).into_iter();
    let requests = requests.map(|request| request.decode::<FetchRequest>().unwrap());
    requests
        .flat_map(|request| request.topics)
        .flat_map(|topic| topic.partitions)
        .map(|partition| partition.fetch_offset)
        .collect()
}

#[test]
fn a_pause_keeps_what_is_buffered_and_a_resume_asks_for_nothing_anew() {
    let cluster = cluster(1);
    cluster.append("t", 0, (0..100).map(|number| ("", number.to_string()))).unwrap();
    let mut consumer = options(&cluster).max_poll_records(10).build().unwrap();
    consumer.assign([tp(0)]).unwrap();
    assert_eq!(consumer.poll(LONG).unwrap().len(), 10);
    for round in 1..10 {
        consumer.pause(&[tp(0)]).unwrap();
        assert!(consumer.poll(SHORT).unwrap().is_empty());
        assert_eq!(consumer.position(&tp(0)).unwrap(), 10 * round);
        // Nobody is there to fetch from.
        (1..=3).for_each(|broker| cluster.stop_reading(broker).unwrap());
        consumer.resume(&[tp(0)]).unwrap();
        let records = consumer.poll(LONG).unwrap();
        let offsets: Vec<i64> = records.iter().map(ConsumerRecord::offset).collect();
        assert_eq!(offsets, (10 * round..10 * round + 10).collect::<Vec<_>>());
        (1..=3).for_each(|broker| cluster.resume_reading(broker).unwrap());
    }
    cluster.append("t", 0, [("", "100")]).unwrap();
    assert_eq!(take(&mut consumer, 1), [100]);
    let asked = asked(&cluster);
    assert_eq!(asked.iter().filter(|offset| **offset == 0).count(), 1, "{asked:?}");
    assert!(!asked.iter().any(|offset| (1..100).contains(offset)), "{asked:?}");
}

#[test]
fn ten_thousand_wakes_at_random_moments_are_seen_once_each() {
    let cluster = cluster(1);
    let mut consumer = assigned(&cluster, 1);
    let waker = consumer.waker();
    let (next, wakes) = mpsc::channel::<()>();
    let other = thread::spawn(move || {
        let mut random = fastrand::Rng::with_seed(24);
        while wakes.recv().is_ok() {
            // Before the poll, in its beginning, and while it waits.
            (0..random.u32(0..300)).for_each(|_| std::hint::spin_loop());
            (0..random.u32(0..3)).for_each(|_| thread::yield_now());
            waker.wake();
        }
    });
    for number in 0..10_000 {
        next.send(()).unwrap();
        if number % 100 == 0 {
            cluster.append("t", 0, [("", "between")]).unwrap();
        }
        let mut polls = 0;
        loop {
            match consumer.poll(LONG) {
                // Records may come first, and each batch of them but once.
                Ok(records) => assert!(!records.is_empty() && polls < 3, "wake {number} is lost"),
                Err(error) => break assert_eq!(error.kind(), ErrorKind::Woken),
            }
            polls += 1;
        }
    }
    drop(next);
    other.join().unwrap();
    while let records @ 1.. = consumer.poll(SHORT).unwrap().len() {
        assert!(records <= 100);
    }
}

#[test]
fn a_wake_ends_the_poll_alone_and_not_what_is_under_way() {
    for protocol in [GroupProtocol::Classic, GroupProtocol::Consumer] {
        let cluster = cluster(1);
        let mut consumer = options(&cluster).group_id("g").group_protocol(protocol).build().unwrap();
        consumer.subscribe(["t"]).unwrap();
        let waker = consumer.waker();
        let join = match protocol {
            GroupProtocol::Classic => ApiKey::JOIN_GROUP,
            _ => ApiKey::CONSUMER_GROUP_HEARTBEAT,
        };
        let joining = cluster.on(join).nth(1..=2).delay(Duration::from_millis(200));
        let other = waker.clone();
        thread::scope(|scope| {
            scope.spawn(|| {
                assert!(cluster.wait_for(LONG, |_| joining.hits() > 0));
                other.wake();
            });
            assert_eq!(consumer.poll(LONG).unwrap_err().kind(), ErrorKind::Woken);
        });
        let deadline = Instant::now() + LONG;
        while consumer.assignment().is_empty() {
            assert!(Instant::now() < deadline);
            consumer.poll(SHORT).unwrap();
        }
        // In a commit and a search for a position it waits for the next poll.
        let slow = |api| cluster.on(api).delay(Duration::from_millis(100));
        let (commit, place) = (slow(ApiKey::OFFSET_COMMIT), slow(ApiKey::OFFSET_FETCH));
        thread::scope(|scope| {
            scope.spawn(|| {
                assert!(cluster.wait_for(LONG, |_| commit.hits() > 0));
                waker.wake();
            });
            consumer.commit_offsets([(tp(0), 7)]).unwrap();
        });
        assert_eq!(consumer.committed(&tp(0)).unwrap().map(|committed| committed.offset), Some(7));
        assert_eq!(place.hits(), 1);
        assert_eq!(consumer.poll(LONG).unwrap_err().kind(), ErrorKind::Woken);
        assert!(consumer.poll(SHORT).unwrap().is_empty());
    }
}

#[test]
fn no_event_between_two_records_costs_a_poll_its_wake_up() {
    for protocol in [GroupProtocol::Classic, GroupProtocol::Consumer] {
        let cluster = MockCluster::builder()
            .topic("t", 1)
            .consumer_group_timeouts(Duration::from_millis(20), LONG)
            .start()
            .unwrap();
        let mut builder = options(&cluster).group_id("g").group_protocol(protocol);
        if protocol == GroupProtocol::Classic {
            builder = builder.heartbeat_interval(SHORT / 2);
        }
        let mut consumer = builder.auto_commit_interval(Duration::ZERO).build().unwrap();
        consumer.subscribe(["t"]).unwrap();
        let deadline = Instant::now() + LONG;
        while consumer.assignment().is_empty() {
            assert!(Instant::now() < deadline);
            consumer.poll(SHORT).unwrap();
        }
        let callbacks = Arc::new(AtomicUsize::new(0));
        let mut random = fastrand::Rng::with_seed(33);
        let events = 1_000;
        for number in 0..events {
            match random.u32(0..20) {
                0 => cluster.rebalance("g"),
                1..=9 => {
                    let count = Arc::clone(&callbacks);
                    let offsets = HashMap::from([(tp(0), OffsetAndMetadata::new(number))]);
                    let counts = move |_: &HashMap<_, _>, _: kavka::Result<()>| {
                        count.fetch_add(1, Ordering::Relaxed);
                    };
                    // While a rebalance is under way there is nobody to commit.
                    drop(consumer.commit_async_with(Some(offsets), counts));
                }
                10..=12 => {
                    consumer.pause(&[tp(0)]).unwrap();
                    consumer.resume(&[tp(0)]).unwrap();
                }
                _ => {}
            }
            cluster.append("t", 0, [("", number.to_string())]).unwrap();
            // One poll is enough, whatever comes in between: it does not sleep beside the record.
            let records = consumer.poll(LONG).unwrap();
            let offsets: Vec<i64> = records.iter().map(ConsumerRecord::offset).collect();
            assert_eq!(offsets, [number], "{protocol:?}");
        }
        assert!(callbacks.load(Ordering::Relaxed) > 0);
        consumer.close(LONG).unwrap();
        assert_eq!(cluster.committed("g", "t", 0), Some(events));
    }
}

#[test]
fn records_are_read_after_the_consumer_is_gone_and_hold_nothing_but_their_batch() {
    let cluster = cluster(1);
    for batch in 0..3 {
        cluster.append("t", 0, (0..50).map(|number| ("key", (batch * 50 + number).to_string()))).unwrap();
    }
    let mut consumer = assigned(&cluster, 1);
    let mut records = Vec::new();
    let deadline = Instant::now() + LONG;
    while records.len() < 150 {
        assert!(Instant::now() < deadline);
        records.extend(consumer.poll(SHORT).unwrap());
    }
    drop(consumer);
    drop(cluster);
    let last = thread::spawn(move || {
        let numbers: BTreeSet<u32> = records.iter().map(number).collect();
        assert_eq!(numbers.len(), 150);
        assert!(records.iter().all(|record| record.key().as_deref() == Some(&b"key"[..])));
        let last = records.last().unwrap().value().clone().unwrap();
        assert!(!last.is_unique(), "the others share its bytes");
        drop(records);
        last
    });
    let last = last.join().unwrap();
    assert!(last.is_unique(), "nobody else holds the memory any more");
    assert_eq!(&last[..], b"149");
}

/// By its age alone metadata would be looked at again in five minutes.
#[test]
fn topics_that_are_unknown_at_first_are_asked_for_again() {
    for group in [None, Some(GroupProtocol::Classic), Some(GroupProtocol::Consumer)] {
        let cluster = MockCluster::builder()
            .topic("t", 1)
            .auto_create_topics(false)
            .consumer_group_timeouts(Duration::from_millis(50), LONG)
            .start()
            .unwrap();
        cluster.on(ApiKey::METADATA).times(3).error(ErrorCode::LEADER_NOT_AVAILABLE);
        let mut builder = options(&cluster);
        if let Some(protocol) = group {
            builder = builder.group_id("g").group_protocol(protocol);
        }
        let mut consumer = builder.build().unwrap();
        consumer.subscribe(["t", "later"]).unwrap();
        let has = |consumer: &mut KafkaConsumer, count| {
            let deadline = Instant::now() + LONG;
            while consumer.assignment().len() != count {
                assert!(Instant::now() < deadline, "{group:?}: {consumer:?}");
                consumer.poll(SHORT).unwrap();
            }
        };
        has(&mut consumer, 1);
        let (before, begin) = (cluster.request_count(ApiKey::METADATA), Instant::now());
        while begin.elapsed() < Duration::from_secs(1) {
            consumer.poll(SHORT).unwrap();
        }
        let asked = cluster.request_count(ApiKey::METADATA) - before;
        assert!((asked as f64) < 10.0 * begin.elapsed().as_secs_f64(), "{asked} times in a second");
        cluster.create_topic("later", 2).unwrap();
        has(&mut consumer, 3);
        let before = cluster.request_count(ApiKey::METADATA);
        assert!(consumer.poll(SHORT * 10).unwrap().is_empty());
        assert!(cluster.request_count(ApiKey::METADATA) <= before + 1, "all is known");
    }
}

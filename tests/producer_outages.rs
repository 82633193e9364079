//! A producer while brokers are away, contradict themselves or keep it waiting, against MockCluster.

#![allow(clippy::disallowed_methods, reason = "a test measures with its own clock how long calls take")]

mod support;

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use kavka::mock::MockCluster;
use kavka::producer::ProducerBuilder;
use kavka::protocol::ApiKey;
use kavka::{Error, ErrorCode, ErrorKind, FutureRecordMetadata, KafkaProducer, ProducerRecord};
use support::outages::{PATIENCE, Passage, SLACK, threads, wait_for_no_threads, within};

fn builder(cluster: &MockCluster) -> ProducerBuilder {
    // Only the first of the tests to come here sets it up.
    let _ = env_logger::builder().is_test(true).try_init();
    KafkaProducer::builder().bootstrap_servers(cluster.bootstrap_servers())
}

fn cluster(partitions: i32) -> MockCluster {
    MockCluster::builder().topic("orders", partitions).start().unwrap()
}

fn send(producer: &KafkaProducer, value: &str) -> FutureRecordMetadata {
    producer.send(ProducerRecord::new("orders").partition(0).value(value)).unwrap()
}

/// The first record of a producer that waits for nothing long: metadata takes its time on a machine that is busy.
fn send_first(producer: &KafkaProducer) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match producer.send(ProducerRecord::new("orders").partition(0).value("first")) {
            Ok(handle) => break drop(handle.get(PATIENCE).unwrap()),
            Err(error) => assert!(Instant::now() < deadline && error.kind() == ErrorKind::Timeout, "{error}"),
        }
    }
}

/// What keeps the brokers from taking records.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    None,
    NeverAnswers,
    StopsReading,
    IsGone,
    TopicDeleted,
    NothingListens,
    TakesConnectionsOnly,
    /// TLS, and the other side says nothing to it.
    HandshakeHangs,
    BufferFull,
    /// A transaction is open, and its coordinator is silent.
    CoordinatorSilent,
    /// A transaction is open, and its coordinator is not there.
    CoordinatorGone,
}

impl Trouble {
    /// The producer gets to know no broker.
    fn is_before_bootstrap(self) -> bool {
        matches!(self, Self::NothingListens | Self::TakesConnectionsOnly | Self::HandshakeHangs)
    }

    fn is_of_a_transaction(self) -> bool {
        matches!(self, Self::CoordinatorSilent | Self::CoordinatorGone)
    }
}

const TROUBLES: [Trouble; 11] = [
    Trouble::None,
    Trouble::NeverAnswers,
    Trouble::StopsReading,
    Trouble::IsGone,
    Trouble::TopicDeleted,
    Trouble::NothingListens,
    Trouble::TakesConnectionsOnly,
    Trouble::HandshakeHangs,
    Trouble::BufferFull,
    Trouble::CoordinatorSilent,
    Trouble::CoordinatorGone,
];

#[test]
fn a_drop_that_may_take_no_time_takes_none() {
    let cluster = cluster(1);
    let producer = builder(&cluster).client_id("no-time").drop_timeout(Duration::ZERO).build().unwrap();
    send(&producer, "first").get(PATIENCE).unwrap();
    cluster.on(ApiKey::PRODUCE).always().never_answer();
    let handle = send(&producer, "lost");
    within(Duration::ZERO, "a drop", || drop(producer));
    assert_eq!(handle.try_get().expect("it has an outcome").unwrap_err().kind(), ErrorKind::Closed);
    wait_for_no_threads("kavka-io-no-time");
}

/// One life of a producer that ends in trouble, by a close or by being dropped.
fn end_in_trouble(trouble: Trouble, by_drop: bool) {
    // Without trouble it is the records that take the time.
    let bound = if matches!(trouble, Trouble::None) { PATIENCE } else { Duration::from_millis(100) };
    let cluster =
        MockCluster::builder().brokers(2).topic("orders", 1).auto_create_topics(false).start().unwrap();
    cluster.move_leader("orders", 0, 1).unwrap();
    cluster.move_transaction_coordinator("ends", 2).unwrap();
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = mute.local_addr().unwrap().to_string();
    let mut builder = builder(&cluster).client_id("ends").drop_timeout(bound).max_block(bound);
    match trouble {
        Trouble::NothingListens => {
            drop(mute);
            builder = builder.bootstrap_servers(address.as_str());
        }
        Trouble::TakesConnectionsOnly => builder = builder.bootstrap_servers(address.as_str()),
        Trouble::HandshakeHangs if !cfg!(any(feature = "rustls", feature = "native-tls")) => return,
        Trouble::HandshakeHangs => {
            builder = builder.bootstrap_servers(address.as_str()).set("security.protocol", "SSL");
        }
        _ if trouble.is_of_a_transaction() => builder = builder.transactional_id("ends"),
        _ => {}
    }
    let producer = builder.buffer_memory(100_000_usize).build().unwrap();
    if trouble.is_of_a_transaction() {
        assert!(cluster.wait_for(PATIENCE, |_| producer.init_transactions().is_ok()));
        producer.begin_transaction().unwrap();
    }
    let mut handles = Vec::new();
    match trouble {
        _ if trouble.is_before_bootstrap() => {
            let sent = within(bound, "send", || producer.send(ProducerRecord::new("orders").value("x")));
            assert_eq!(sent.unwrap_err().kind(), ErrorKind::Timeout);
        }
        _ => send_first(&producer),
    }
    match trouble {
        Trouble::NeverAnswers => drop(cluster.on(ApiKey::PRODUCE).always().never_answer()),
        Trouble::StopsReading | Trouble::BufferFull => cluster.stop_reading(1).unwrap(),
        Trouble::IsGone => (1..=2).for_each(|broker| cluster.kill(broker).unwrap()),
        Trouble::TopicDeleted => cluster.delete_topic("orders").unwrap(),
        Trouble::CoordinatorSilent => drop(cluster.on(None).broker(2).always().never_answer()),
        Trouble::CoordinatorGone => {
            cluster.kill_without_failover(2).unwrap();
            cluster.on(ApiKey::FIND_COORDINATOR).always().error(ErrorCode::COORDINATOR_NOT_AVAILABLE);
        }
        Trouble::None | Trouble::NothingListens | Trouble::TakesConnectionsOnly | Trouble::HandshakeHangs => {
        }
    }
    let count = if matches!(trouble, Trouble::BufferFull) { 1_000 } else { 3 };
    let value = "x".repeat(1_000);
    if !trouble.is_before_bootstrap() && !trouble.is_of_a_transaction() {
        // Full is full: the first that finds no room ends it.
        let sent =
            (0..count).map_while(|_| producer.try_send(ProducerRecord::new("orders").value(&value)).ok());
        handles.extend(sent);
        assert!(!handles.is_empty(), "{trouble:?}");
    }
    let what = format!("the end of one whose trouble is {trouble:?}");
    let report = within(bound, &what, || match by_drop {
        true => {
            drop(producer);
            None
        }
        false => Some(producer.close(bound)),
    });
    // Each handle has an outcome, and the report is of those that failed.
    let failed: Vec<Error> = handles.iter().filter_map(|handle| handle.try_get().unwrap().err()).collect();
    assert!(failed.iter().all(|error| error.kind() == ErrorKind::Closed), "{trouble:?}: {failed:?}");
    match trouble {
        Trouble::None => assert!(failed.is_empty(), "{failed:?}"),
        _ if trouble.is_of_a_transaction() => {
            assert!(report.is_none_or(|report| report.unwrap_err().to_string().contains("transaction open")));
            return;
        }
        _ => assert_eq!(failed.len(), handles.len()),
    }
    match report {
        Some(Err(report)) => {
            assert_eq!(report.records(), failed.len() as u64, "{trouble:?}");
            let maybe = failed.iter().filter(|error| error.maybe_written()).count();
            assert_eq!(report.maybe_written_records(), maybe as u64, "{trouble:?}");
        }
        Some(Ok(())) => assert!(failed.is_empty(), "{trouble:?}"),
        None => {}
    }
}

#[test]
fn no_trouble_keeps_a_producer_from_ending_in_time() {
    // The long form: KAVKA_SOAK_ROUNDS=62, a thousand ends.
    let rounds = std::env::var("KAVKA_SOAK_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1);
    for _ in 0..rounds {
        for trouble in TROUBLES {
            end_in_trouble(trouble, false);
            end_in_trouble(trouble, true);
        }
    }
    wait_for_no_threads("kavka-io-ends");
}

#[test]
fn a_producer_can_be_closed_and_dropped_in_a_callback() {
    let cluster = cluster(1);
    let producer = Arc::new(builder(&cluster).build().unwrap());
    let (sender, receiver) = std::sync::mpsc::channel();
    cluster.on(ApiKey::PRODUCE).once().delay(Duration::from_millis(50));
    let inner = Arc::clone(&producer);
    send(&producer, "one").add_both(move |_| {
        let late = send(&inner, "late");
        let report = within(Duration::ZERO, "a close in a callback", || inner.close(PATIENCE)).unwrap_err();
        sender.send((report, late.try_get())).unwrap();
        // The last owner, on the IO thread itself.
        drop(inner);
    });
    drop(producer);
    let (report, late) = receiver.recv_timeout(PATIENCE).unwrap();
    assert_eq!((report.records(), report.maybe_written_records()), (1, 0));
    assert_eq!(late.unwrap().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn a_flush_into_a_black_hole_ends_when_its_records_do() {
    let cluster = cluster(1);
    let producer = builder(&cluster)
        .request_timeout(Duration::from_millis(400))
        .delivery_timeout(Duration::from_millis(800))
        .build()
        .unwrap();
    send(&producer, "first").get(PATIENCE).unwrap();
    cluster.stop_reading(1).unwrap();
    thread::scope(|scope| {
        for thread in 0..4 {
            let producer = &producer;
            scope.spawn(move || {
                let handles: Vec<_> =
                    (0..50).map(|index| send(producer, &format!("{thread}/{index}"))).collect();
                within(Duration::from_millis(800), "a flush", || producer.flush(PATIENCE)).unwrap();
                for handle in handles {
                    let error = handle.try_get().expect("a flush waits for all").unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
                }
            });
        }
    });
    let deadline = Instant::now() + PATIENCE;
    while producer.buffer_available_bytes() != producer.config().buffer_memory {
        assert!(Instant::now() < deadline, "memory is not given back");
        thread::yield_now();
    }
}

#[test]
fn callers_of_all_kinds_at_once_do_not_lock_each_other_out() {
    let cluster = cluster(3);
    for round in 0..30 {
        let producer = builder(&cluster).buffer_memory(50_000_usize).batch_size(2_000_usize).build().unwrap();
        cluster.on(ApiKey::PRODUCE).nth(2..=3).drop_after();
        within(PATIENCE, "the round", || {
            thread::scope(|scope| {
                for worker in 0..3 {
                    let producer = &producer;
                    scope.spawn(move || {
                        for index in 0..200 {
                            let record = ProducerRecord::new("orders").partition(worker).value("some value");
                            match producer.send(record) {
                                Ok(handle) if index % 50 == 0 => {
                                    handle.add_both(move |_| drop(index.to_string()));
                                    let _ = handle.get(Duration::from_millis(5));
                                }
                                Ok(_) => {}
                                Err(error) => assert_eq!(error.kind(), ErrorKind::Closed, "{error}"),
                            }
                        }
                    });
                }
                scope.spawn(|| drop(producer.flush(Duration::from_millis(20))));
                scope.spawn(|| drop(producer.partitions_for("orders")));
                scope.spawn(|| drop(producer.metrics().to_prometheus()));
                scope.spawn(|| {
                    // In some rounds early, in others late.
                    (0..round * 50).for_each(|_| thread::yield_now());
                    drop(producer.close(Duration::from_millis(500)));
                });
            });
        });
    }
}

#[test]
fn each_reason_to_wait_in_vain_has_a_text_of_its_own() {
    let cluster = MockCluster::builder().topic("orders", 1).auto_create_topics(false).start().unwrap();
    let bound = Duration::from_secs(1);
    let fails = |producer: &KafkaProducer, topic: &str| {
        let sent = within(bound, "send", || producer.send(ProducerRecord::new(topic).value("x")));
        sent.map(drop).expect_err("it waits in vain")
    };
    // Nobody listens there.
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let producer =
        KafkaProducer::builder().bootstrap_servers(unused.as_str()).max_block(bound).build().unwrap();
    let error = fails(&producer, "orders");
    assert_eq!((error.kind(), error.topic()), (ErrorKind::Timeout, Some("orders")));
    let text = error.to_string();
    assert!(text.contains("metadata of topic orders") && text.contains(&unused), "{text}");
    assert!(text.to_lowercase().contains("refused"), "{text}");

    let producer = builder(&cluster).max_block(bound).build().unwrap();
    send_first(&producer);
    let error = fails(&producer, "unheard-of");
    assert_eq!(error.kind(), ErrorKind::UnknownTopic);
    assert!(error.to_string().contains("create it, or allow it to be created"), "{error}");

    // What may not be is said at once, not after the time is over.
    cluster.on(ApiKey::METADATA).always().error(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    let patient = builder(&cluster).max_block(PATIENCE * 10).build().unwrap();
    let error =
        within(Duration::ZERO, "a refusal", || patient.send(ProducerRecord::new("orders").value("x")));
    assert_eq!(error.map(drop).unwrap_err().kind(), ErrorKind::Authorization);
    cluster.clear_faults();

    let producer = builder(&cluster).max_block(bound).buffer_memory(20_000_usize).build().unwrap();
    send_first(&producer);
    cluster.stop_reading(1).unwrap();
    let value = "x".repeat(15_000);
    let error = loop {
        let sent = within(bound, "send", || producer.send(ProducerRecord::new("orders").value(&value)));
        if let Err(error) = sent {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::BufferExhausted);
    assert!(error.to_string().contains("buffer.memory=20000"), "{error}");

    producer.close(Duration::ZERO).unwrap_err();
    let began = Instant::now();
    for _ in 0..100 {
        let record = || ProducerRecord::new("orders").value("x");
        let refused = [
            producer.send(record()).map(drop),
            producer.try_send(record()).map(drop),
            producer.partitions_for("other").map(drop),
            producer.bootstrap(PATIENCE),
        ];
        for error in refused.into_iter().map(Result::unwrap_err) {
            assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
        }
        // Nothing is left to wait for.
        producer.flush(PATIENCE).unwrap();
        producer.close(PATIENCE).unwrap();
    }
    assert!(began.elapsed() < SLACK, "a closed producer answers at once");
}

#[test]
fn a_topic_that_is_unknown_for_a_while_costs_no_record() {
    let cluster = cluster(1);
    let producer = builder(&cluster).metadata_max_age(Duration::from_millis(50)).build().unwrap();
    send(&producer, "first").get(PATIENCE).unwrap();
    // Now known, now unknown, and no leader takes anything meanwhile.
    let unknown = cluster.on(ApiKey::METADATA).nth(2..=6).error(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let refused = cluster.on(ApiKey::PRODUCE).times(5).error(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let handles: Vec<_> = (0..20).map(|index| send(&producer, &index.to_string())).collect();
    handles.iter().for_each(|handle| drop(handle.get(PATIENCE).unwrap()));
    assert!(cluster.wait_for(PATIENCE, |_| unknown.hits() == 5) && refused.hits() == 5);
    let values: Vec<_> =
        cluster.records("orders", 0).iter().skip(1).map(|record| record.value_str()).collect();
    assert_eq!(values, (0..20).map(|index| index.to_string()).collect::<Vec<_>>());
}

/// The long form: `KAVKA_SOAK_SECONDS=60`.
#[test]
fn a_topic_that_is_now_known_and_now_unknown_costs_no_record_and_no_order() {
    let seconds = std::env::var("KAVKA_SOAK_SECONDS").map_or(2, |seconds| seconds.parse().unwrap());
    let cluster = MockCluster::builder().brokers(2).topic("orders", 1).start().unwrap();
    let producer = builder(&cluster)
        .metadata_max_age(Duration::from_millis(20))
        .retry_backoff(Duration::from_millis(10))
        .batch_size(1_usize)
        .build()
        .unwrap();
    send(&producer, "0").get(PATIENCE).unwrap();
    let began = Instant::now();
    let mut handles = Vec::new();
    let mut met = 0;
    while began.elapsed() < Duration::from_secs(seconds) {
        let unknown = cluster.on(ApiKey::METADATA).always().error(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        let refused = cluster.on(ApiKey::PRODUCE).once().error(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        for _ in 0..5 {
            handles.push(send(&producer, &(handles.len() + 1).to_string()));
        }
        assert!(cluster.wait_for(PATIENCE, |_| unknown.hits() > 0 && refused.hits() > 0));
        met += unknown.hits();
        unknown.remove();
        let known = cluster.request_count(ApiKey::METADATA);
        assert!(cluster.wait_for(PATIENCE, |cluster| cluster.request_count(ApiKey::METADATA) > known));
    }
    handles.iter().for_each(|handle| drop(handle.get(PATIENCE).unwrap()));
    assert!(met > 3, "{met} times unknown");
    let values: Vec<_> = cluster.records("orders", 0).iter().map(|record| record.value_str()).collect();
    assert_eq!(values, (0..=handles.len()).map(|index| index.to_string()).collect::<Vec<_>>());
}

#[test]
fn errors_that_last_make_no_storm_of_metadata_requests() {
    let asked = std::env::var("KAVKA_SOAK_SECONDS").ok().map(|seconds| seconds.parse().unwrap());
    let time = Duration::from_secs(asked.unwrap_or(2));
    let cluster = MockCluster::builder().brokers(2).topic("orders", 1).start().unwrap();
    let producer = builder(&cluster).build().unwrap();
    send(&producer, "first").get(PATIENCE).unwrap();
    // The leader denies that it leads, and metadata goes on to say that it does.
    let fault = cluster.on(ApiKey::PRODUCE).always().error(ErrorCode::NOT_LEADER_OR_FOLLOWER);
    cluster.clear_requests();
    let began = Instant::now();
    let handles: Vec<_> = (0..20).map(|index| send(&producer, &index.to_string())).collect();
    assert!(cluster.wait_for(PATIENCE + time, |_| began.elapsed() > time && fault.hits() > 3));
    let seconds = began.elapsed().as_secs_f64();
    let (metadata, produce) =
        (cluster.request_count(ApiKey::METADATA), cluster.request_count(ApiKey::PRODUCE));
    // Pauses grow from 100 ms to a second, all within a fifth; two attempts may be under way already.
    let attempts = 2.0
        + (1..5)
            .map(|doubled| f64::from(1 << doubled) * 0.1 * 0.8)
            .take_while(|pause| *pause < seconds)
            .count() as f64
        + seconds / 0.8;
    assert!(
        (produce as f64) <= attempts && (metadata as f64) <= attempts,
        "{metadata}, {produce} of {attempts}"
    );
    fault.remove();
    handles.iter().for_each(|handle| drop(handle.get(PATIENCE).unwrap()));
    // Once all is well, nothing more is asked.
    cluster.clear_requests();
    (0..20).for_each(|index| drop(send(&producer, &index.to_string()).get(PATIENCE).unwrap()));
    assert!(cluster.request_count(ApiKey::METADATA) <= 1);
}

#[test]
fn of_two_hundred_brokers_those_are_connected_to_that_are_needed() {
    let cluster = MockCluster::builder().brokers(200).topic("orders", 3).start().unwrap();
    let producer = builder(&cluster).client_id("few").build().unwrap();
    (0..3).for_each(|partition| cluster.move_leader("orders", partition, 40 + partition).unwrap());
    for partition in 0..3 {
        let record = ProducerRecord::new("orders").partition(partition).value("x");
        producer.send(record).unwrap().get(PATIENCE).unwrap();
    }
    let made = producer.metrics().get("producer-metrics", "connection-creation-total").unwrap();
    // One each, one of the bootstrap list, and one that was asked for a producer id.
    assert!((3.0..=5.0).contains(&made), "{made} connections");
    assert_eq!(threads("kavka-io-few"), usize::from(cfg!(target_os = "linux")));
}

#[test]
fn a_connection_that_idled_is_made_anew_without_a_failure() {
    let cluster = cluster(1);
    let producer = builder(&cluster).connections_max_idle(Duration::from_millis(300)).build().unwrap();
    send(&producer, "first").get(PATIENCE).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while producer.metrics().get("producer-metrics", "connection-count") != Some(0.0) {
        assert!(Instant::now() < deadline, "it is not closed");
        thread::yield_now();
    }
    within(Duration::ZERO, "the next send", || send(&producer, "second").get(PATIENCE).unwrap());
    let metrics = producer.metrics();
    assert_eq!(metrics.get("producer-metrics", "record-retry-total"), Some(0.0));
    assert_eq!(metrics.get("producer-metrics", "connection-failure-total"), Some(0.0));
}

#[test]
fn a_broker_that_comes_back_under_another_address_is_found() {
    let cluster = MockCluster::builder().brokers(2).topic("orders", 1).start().unwrap();
    cluster.move_leader("orders", 0, 2).unwrap();
    let passage = || Passage::to(cluster.broker_address(2).unwrap());
    let (old, new) = (passage(), passage());
    cluster.advertise(2, "127.0.0.1", old.port).unwrap();
    let producer = builder(&cluster)
        .bootstrap_servers(cluster.broker_address(1).unwrap())
        .request_timeout(Duration::from_millis(500))
        .build()
        .unwrap();
    send(&producer, "first").get(PATIENCE).unwrap();
    // The old place takes connections and bytes for ever, and says nothing.
    old.swallows.store(true, Ordering::SeqCst);
    cluster.advertise(2, "127.0.0.1", new.port).unwrap();
    let handle = send(&producer, "second");
    // The request timeout, a pause, and what a look at metadata takes.
    within(Duration::from_millis(700), "finding the broker", || handle.get(PATIENCE)).unwrap();
    assert_eq!(cluster.end_offset("orders", 0), 2, "neither lost nor doubled");
}

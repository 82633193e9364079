//! How transactions end: callers on several threads, closes, calls whose time is over, clusters that go over to the newer
//! kind meanwhile.

use std::sync::Arc;

use super::*;

/// Waits until a request has met a fault.
fn wait_for_hit(cluster: &MockCluster, fault: &kavka::mock::Fault) {
    assert!(cluster.wait_for(PATIENCE, |_| fault.hits() > 0));
}

#[test]
fn each_of_two_callers_learns_how_its_own_commit_ended() {
    let cluster = cluster(2);
    let producer = ready(&cluster);
    let commit_or_abort = || {
        let committed = producer.commit_transaction();
        if committed.is_err() {
            // One of the two comes too late for it.
            let _ = producer.abort_transaction();
        }
        committed
    };
    for _ in 0..30 {
        producer.begin_transaction().unwrap();
        let refused = cluster.on(ApiKey::PRODUCE).once().error(ErrorCode::INVALID_RECORD);
        send(&producer, 0, "x");
        let committed = thread::scope(|scope| {
            [(); 2].map(|()| scope.spawn(commit_or_abort)).map(|thread| thread.join().unwrap())
        });
        assert!(committed.iter().all(Result::is_err), "{committed:?}");
        assert_eq!(refused.hits(), 1);
    }
    assert_eq!(committed(&cluster, 0), [""; 0]);
    assert_eq!(attempt(&producer, "y", 1), End::Committed);
}

#[test]
fn a_close_waits_for_the_commit_that_is_under_way() {
    for version in [1, 2] {
        let cluster = cluster(version);
        let producer = ready(&cluster);
        producer.begin_transaction().unwrap();
        send(&producer, 0, "x");
        let slow = cluster.on(ApiKey::END_TXN).once().delay(Duration::from_millis(300));
        thread::scope(|scope| {
            scope.spawn(|| producer.commit_transaction());
            wait_for_hit(&cluster, &slow);
            producer.close(PATIENCE).unwrap();
        });
        assert_eq!(committed(&cluster, 0), ["x"]);
    }
}

#[test]
fn a_close_aborts_what_a_commit_has_failed_to_end() {
    let cluster = cluster(2);
    let producer = ready(&cluster);
    producer.begin_transaction().unwrap();
    send(&producer, 1, "written").get(PATIENCE).unwrap();
    let slow = cluster.on(ApiKey::PRODUCE).once().delay(Duration::from_millis(300));
    cluster.on(ApiKey::PRODUCE).once().error(ErrorCode::INVALID_RECORD);
    send(&producer, 0, "refused");
    thread::scope(|scope| {
        scope.spawn(|| producer.commit_transaction());
        wait_for_hit(&cluster, &slow);
        producer.close(PATIENCE).unwrap();
    });
    assert_eq!(committed(&cluster, 1), [""; 0]);
    assert_eq!(cluster.last_stable_offset("out", 1), cluster.end_offset("out", 1), "nothing is left open");
}

#[test]
fn a_close_that_cannot_end_the_transaction_says_so() {
    let cluster = cluster(2);
    let open = |producer: &KafkaProducer| {
        producer.begin_transaction().unwrap();
        send(producer, 0, "x").get(PATIENCE).unwrap();
    };
    // No time.
    let producer = ready(&cluster);
    open(&producer);
    let silent = cluster.on(ApiKey::END_TXN).always().never_answer();
    let error = producer.close(Duration::ZERO).unwrap_err();
    assert!(error.left_transaction_open() && error.records() == 0, "{error}");

    silent.remove();

    // No time, and a commit under way.
    let producer = ready(&cluster);
    open(&producer);
    let silent = cluster.on(ApiKey::END_TXN).always().never_answer();
    thread::scope(|scope| {
        scope.spawn(|| producer.commit_transaction());
        wait_for_hit(&cluster, &silent);
        let error = producer.close(Duration::ZERO).unwrap_err();
        assert!(error.left_transaction_open(), "{error}");
    });
    silent.remove();

    // In a callback, which cannot wait.
    let producer = Arc::new(ready(&cluster));
    producer.begin_transaction().unwrap();
    let (sender, closed) = std::sync::mpsc::channel();
    let inside = Arc::clone(&producer);
    // It runs where it was added when the record is there already.
    cluster.on(ApiKey::PRODUCE).once().delay(Duration::from_millis(200));
    send(&producer, 0, "x").add_callback(move |_| sender.send(inside.close(PATIENCE)).unwrap());
    let error = closed.recv_timeout(PATIENCE).unwrap().unwrap_err();
    assert!(error.left_transaction_open(), "{error}");

    // Nothing is open. What was being committed may have been, and was.
    let producer = ready(&cluster);
    producer.close(PATIENCE).unwrap();
    assert_eq!(committed(&cluster, 0), ["x"]);
}

#[test]
fn only_records_that_have_left_may_be_written() {
    let cluster = cluster(2);
    let producer = builder(&cluster)
        .set("max.in.flight.requests.per.connection", "1")
        .request_timeout(Duration::from_millis(200))
        .delivery_timeout(Duration::from_millis(600))
        .build()
        .unwrap();
    producer.init_transactions().unwrap();
    producer.begin_transaction().unwrap();
    let silent = cluster.on(ApiKey::PRODUCE).always().never_answer();
    let left = send(&producer, 0, "left");
    wait_for_hit(&cluster, &silent);
    let waits = [0; 3].map(|partition| send(&producer, partition, "waits"));
    assert!(left.get(PATIENCE).unwrap_err().maybe_written());
    for handle in &waits {
        let error = handle.get(PATIENCE).unwrap_err();
        assert!(error.requires_abort() && !error.maybe_written(), "{error}");
    }
    let error = producer.send(ProducerRecord::new("out").value("late")).unwrap_err();
    assert!(error.requires_abort() && !error.maybe_written(), "{error}");
    let error = producer.commit_transaction().unwrap_err();
    assert!(error.requires_abort() && !error.maybe_written(), "{error}");
}

#[test]
fn a_partition_joins_once() {
    let cluster = cluster(1);
    let producer = ready(&cluster);
    let slow = cluster.on(ApiKey::ADD_PARTITIONS_TO_TXN).once().delay(Duration::from_millis(200));
    producer.begin_transaction().unwrap();
    send(&producer, 0, "0");
    wait_for_hit(&cluster, &slow);
    for value in 1..20 {
        send(&producer, 0, &value.to_string());
        thread::yield_now();
    }
    producer.flush(PATIENCE).unwrap();
    assert_eq!(cluster.request_count(ApiKey::ADD_PARTITIONS_TO_TXN), 1);
    send(&producer, 1, "other").get(PATIENCE).unwrap();
    assert_eq!(cluster.request_count(ApiKey::ADD_PARTITIONS_TO_TXN), 2);
    producer.commit_transaction().unwrap();
    assert_eq!(committed(&cluster, 0).len(), 20);
}

#[test]
fn when_the_cluster_goes_over_to_the_newer_kind_the_next_transaction_gets_an_epoch_of_its_own() {
    let cluster = cluster(1);
    let producer = ready(&cluster);
    let set_version = |level| {
        cluster.set_transaction_version(level);
        // Connections that are made now are told.
        (1..=2).for_each(|broker| cluster.disconnect(broker).unwrap());
    };
    let count = |api| cluster.request_count(api);
    let epoch = || cluster.transactional_producer("billing").unwrap().1;
    assert_eq!((attempt(&producer, "a", 1), epoch()), (End::Committed, 0));

    set_version(2);
    // The next epoch cannot be had: the transaction is committed all the same, and the older kind goes on.
    let refused = cluster.on(ApiKey::INIT_PRODUCER_ID).once().error(ErrorCode::UNKNOWN_SERVER_ERROR);
    assert_eq!((attempt(&producer, "b", 2), epoch()), (End::Committed, 0));
    assert_eq!(refused.hits(), 1);
    let adds = count(ApiKey::ADD_PARTITIONS_TO_TXN);
    assert_eq!((attempt(&producer, "c", 3), epoch()), (End::Committed, 1), "the last of the older kind");
    assert_eq!(count(ApiKey::ADD_PARTITIONS_TO_TXN), adds + 1);
    let initializations = count(ApiKey::INIT_PRODUCER_ID);
    assert_eq!((attempt(&producer, "d", 4), epoch()), (End::Committed, 2), "each raises it now");
    assert_eq!(count(ApiKey::ADD_PARTITIONS_TO_TXN), adds + 1);
    assert_eq!(count(ApiKey::INIT_PRODUCER_ID), initializations);

    // And back, after an abort.
    set_version(1);
    producer.begin_transaction().unwrap();
    send(&producer, 0, "e").get(PATIENCE).unwrap();
    producer.abort_transaction().unwrap();
    assert_eq!(attempt(&producer, "f", 5), End::Committed);
    assert_eq!(count(ApiKey::ADD_PARTITIONS_TO_TXN), adds + 2);
    assert_eq!(committed(&cluster, 0), ["a", "b", "c", "d", "f"]);
}

#[test]
fn records_that_are_refused_fail_with_their_own_words_and_the_others_with_the_transaction() {
    let cluster = MockCluster::builder().topic("in", 1).topic("out", 2).start().unwrap();
    cluster.create_topic_with("kept", 1, [("cleanup.policy", "compact")]).unwrap();
    let producer = builder(&cluster).linger(Duration::from_secs(5)).build().unwrap();
    producer.init_transactions().unwrap();
    producer.begin_transaction().unwrap();
    let good = producer.send(ProducerRecord::new("kept").key("k").value("good")).unwrap();
    let bad = producer.send(ProducerRecord::new("kept").value("bad")).unwrap();
    let error = producer.commit_transaction().unwrap_err();
    assert!(error.requires_abort() && error.code() == Some(ErrorCode::INVALID_RECORD), "{error}");
    let error = bad.get(PATIENCE).unwrap_err();
    assert!(error.requires_abort() && error.to_string().contains("message without key"), "{error}");
    let error = good.get(PATIENCE).unwrap_err();
    assert!(error.requires_abort() && !error.maybe_written(), "{error}");
    producer.abort_transaction().unwrap();
    assert_eq!(attempt(&producer, "next", 1), End::Committed);
}

#[test]
fn metrics_tell_how_long_the_calls_have_taken() {
    let cluster = cluster(2);
    let producer = ready(&cluster);
    assert_eq!(attempt(&producer, "x", 1), End::Committed);
    producer.begin_transaction().unwrap();
    producer.abort_transaction().unwrap();
    let metrics = producer.metrics();
    for call in ["init", "begin", "send-offsets", "commit", "abort"] {
        let name = format!("txn-{call}-time-ns-total");
        assert!(metrics.get("producer-metrics", &name).unwrap() > 0.0, "{name}");
    }
}

#[test]
fn calls_of_all_kinds_from_many_threads_end_whatever_the_coordinator_does() {
    let rounds = std::env::var("KAVKA_SOAK_ROUNDS").map_or(16, |rounds| rounds.parse().unwrap());
    let bound = Duration::from_millis(200);
    for round in 0..rounds {
        let cluster = cluster(1 + round % 2);
        let producer = builder(&cluster)
            .max_block(bound)
            .drop_timeout(bound)
            .request_timeout(bound)
            .delivery_timeout(2 * bound)
            .build()
            .unwrap();
        assert!(cluster.wait_for(PATIENCE, |_| producer.init_transactions().is_ok()));
        match round / 2 % 4 {
            0 => drop(cluster.on(ApiKey::END_TXN).nth(5..=u64::MAX).never_answer()),
            1 => drop(cluster.on(ApiKey::TXN_OFFSET_COMMIT).nth(2..=u64::MAX).drop_after()),
            2 => drop(cluster.on(ApiKey::PRODUCE).nth(10..=12).error(ErrorCode::INVALID_RECORD)),
            _ => {}
        }
        let began = Instant::now();
        let is_over = || producer.begin_transaction().is_err_and(|error| error.kind() == ErrorKind::Closed);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over() {
                    let _ = producer.send(ProducerRecord::new("out").partition(0).value("x"));
                    let _ = producer.commit_transaction();
                    let _ = producer.abort_transaction();
                }
            });
            scope.spawn(|| {
                while !is_over() {
                    let _ = producer.send_offsets_to_transaction(offsets(1), &group());
                    let _ = producer.abort_transaction();
                }
            });
            scope.spawn(|| {
                while !is_over() {
                    let _ = producer.commit_transaction();
                    let _ = producer.flush(bound);
                }
            });
            thread::sleep(Duration::from_millis(fastrand::u64(0..200)));
            let _ = producer.close(bound);
        });
        assert!(began.elapsed() < Duration::from_secs(10), "round {round}: {:?}", began.elapsed());
        // And from then on at once.
        let closed = [
            producer.init_transactions(),
            producer.begin_transaction(),
            producer.commit_transaction(),
            producer.abort_transaction(),
            producer.send_offsets_to_transaction(offsets(1), &group()),
            producer.send(ProducerRecord::new("out").value("x")).map(drop),
        ];
        assert!(closed.into_iter().all(|call| call.unwrap_err().kind() == ErrorKind::Closed));
    }
}

//! Transactions and idempotence against MockCluster: every way in which a step can fail, and old brokers.

#![allow(clippy::disallowed_methods, reason = "a test measures with its own clock how long calls take")]

#[path = "transactions/answers.rs"]
mod answers;
#[path = "transactions/bounds.rs"]
mod bounds;
#[path = "transactions/endings.rs"]
mod endings;
#[path = "transactions/idempotence.rs"]
mod idempotence;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use kavka::config::IsolationLevel;
use kavka::mock::{MockCluster, TransactionState, VersionTable};
use kavka::producer::ProducerBuilder;
use kavka::protocol::ApiKey;
use kavka::{
    ConsumerGroupMetadata, Error, ErrorCode, ErrorKind, FutureRecordMetadata, KafkaConsumer, KafkaProducer,
    ProducerRecord, TopicPartition,
};

const PATIENCE: Duration = Duration::from_secs(20);

fn builder(cluster: &MockCluster) -> ProducerBuilder {
    // Only the first of the tests to come here sets it up.
    let _ = env_logger::builder().is_test(true).try_init();
    KafkaProducer::builder()
        .bootstrap_servers(cluster.bootstrap_servers())
        .transactional_id("billing")
        .retry_backoff(Duration::from_millis(2))
        .reconnect_backoff(Duration::from_millis(2))
}

fn ready(cluster: &MockCluster) -> KafkaProducer {
    let producer = builder(cluster).build().unwrap();
    producer.init_transactions().unwrap();
    producer
}

/// A cluster with the older or the newer kind of transactions.
fn cluster(version: i16) -> MockCluster {
    let builder = MockCluster::builder().brokers(2).topic("in", 1).topic("out", 2);
    builder.transaction_version(version).start().unwrap()
}

fn send(producer: &KafkaProducer, partition: i32, value: &str) -> FutureRecordMetadata {
    producer.send(ProducerRecord::new("out").partition(partition).value(value)).unwrap()
}

fn offsets(offset: i64) -> [(TopicPartition, i64); 1] {
    [(TopicPartition::new("in", 0), offset)]
}

fn group() -> ConsumerGroupMetadata {
    ConsumerGroupMetadata::new("billing")
}

fn committed(cluster: &MockCluster, partition: i32) -> Vec<String> {
    cluster.committed_records("out", partition).iter().map(|record| record.value_str()).collect()
}

#[track_caller]
fn assert_illegal(result: Result<impl std::fmt::Debug, Error>) {
    let error = result.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::IllegalState, "{error}");
    assert!(!error.requires_abort() && !error.is_fatal(), "{error}");
}

#[test]
fn committed_records_and_offsets_are_seen_together_by_brokers_of_all_times() {
    let tables = ["0.11", "1.1", "2.1", "2.8", "redpanda", "3.9", "4.3", "newest"];
    for (name, level) in tables.map(|name| (name, 2)).into_iter().chain([("newest", 0), ("newest", 1)]) {
        let table = VersionTable::named(name).unwrap();
        let cluster = MockCluster::builder()
            .brokers(2)
            .topic("in", 1)
            .topic("out", 2)
            .versions(table.clone())
            .transaction_version(level)
            .start()
            .unwrap();
        let producer = ready(&cluster);
        for round in 0..3 {
            producer.begin_transaction().unwrap();
            let handles = [0, 1].map(|partition| send(&producer, partition, &round.to_string()));
            producer.send_offsets_to_transaction(offsets(10 + round), &group()).unwrap();
            assert_eq!(committed(&cluster, 0).len() as i64, round / 2 + round % 2, "{name}: open");
            if round == 1 {
                producer.abort_transaction().unwrap();
            } else {
                producer.commit_transaction().unwrap();
                assert!(handles.iter().all(FutureRecordMetadata::succeeded));
            }
            let expected = if round == 1 { 10 } else { 10 + round };
            assert_eq!(cluster.committed("billing", "in", 0), Some(expected), "{name}");
        }
        assert_eq!([committed(&cluster, 0), committed(&cluster, 1)], [["0", "2"], ["0", "2"]], "{name}");
        // Nothing in it: nothing to tell anybody.
        let ends = cluster.request_count(ApiKey::END_TXN);
        producer.begin_transaction().unwrap();
        producer.commit_transaction().unwrap();
        producer.begin_transaction().unwrap();
        producer.abort_transaction().unwrap();
        assert_eq!(cluster.request_count(ApiKey::END_TXN), ends, "{name}");

        let is_newer = level == 2 && table.range(ApiKey::END_TXN).unwrap().max >= 5;
        let newest = |api| cluster.requests_of(api).iter().map(|request| request.version).max();
        assert_eq!(newest(ApiKey::ADD_PARTITIONS_TO_TXN).is_some(), !is_newer, "{name}");
        assert_eq!(newest(ApiKey::ADD_OFFSETS_TO_TXN).is_some(), !is_newer, "{name}");
        let most = |api, cap: i16| table.range(api).map(|range| range.max.min(cap));
        assert_eq!(newest(ApiKey::END_TXN), most(ApiKey::END_TXN, if is_newer { 5 } else { 4 }), "{name}");
        let commits = most(ApiKey::TXN_OFFSET_COMMIT, if is_newer { 5 } else { 4 });
        assert_eq!(newest(ApiKey::TXN_OFFSET_COMMIT), commits, "{name}");
        let produced = most(ApiKey::PRODUCE, if is_newer { i16::MAX } else { 11 });
        assert_eq!(newest(ApiKey::PRODUCE), produced, "{name}");
        let (_, epoch) = cluster.transactional_producer("billing").unwrap();
        assert_eq!(epoch, if is_newer { 3 } else { 0 }, "{name}: each transaction raises it");
    }
}

#[test]
fn readers_of_committed_records_see_nothing_else() {
    for version in [1, 2] {
        let cluster = cluster(version);
        let producer = ready(&cluster);
        for round in 0..6 {
            let transaction = producer.transaction().unwrap();
            for index in 0..10 {
                let value = format!("{round}/{index}");
                transaction.send(ProducerRecord::new("out").partition(0).value(&value)).unwrap();
            }
            // Every third is dropped, every third aborted.
            match round % 3 {
                0 => transaction.commit().unwrap(),
                1 => transaction.abort().unwrap(),
                _ => {
                    producer.flush(PATIENCE).unwrap();
                    drop(transaction);
                }
            }
        }
        let mut consumer = KafkaConsumer::builder()
            .bootstrap_servers(cluster.bootstrap_servers())
            .isolation_level(IsolationLevel::ReadCommitted)
            .consumer_timeout(Duration::from_millis(300))
            .build()
            .unwrap();
        consumer.assign([TopicPartition::new("out", 0)]).unwrap();
        consumer.seek_to_beginning(&[]).unwrap();
        let seen: Vec<String> = (&mut consumer)
            .into_iter()
            .map(|record| String::from_utf8(record.unwrap().into_value().unwrap().to_vec()).unwrap())
            .collect();
        let expected: Vec<String> =
            [0, 3].iter().flat_map(|round| (0..10).map(move |index| format!("{round}/{index}"))).collect();
        assert_eq!(seen, expected);
    }
}

#[test]
fn calls_in_the_wrong_order_are_refused_and_change_nothing() {
    let cluster = cluster(2);
    let plain = KafkaProducer::builder().bootstrap_servers(cluster.bootstrap_servers()).build().unwrap();
    assert_illegal(plain.init_transactions());
    assert_illegal(plain.begin_transaction());

    let producer = builder(&cluster).build().unwrap();
    let record = || ProducerRecord::new("out").value("x");
    assert_illegal(producer.send(record()));
    assert_illegal(producer.begin_transaction());
    assert_illegal(producer.commit_transaction());
    producer.init_transactions().unwrap();
    assert_illegal(producer.init_transactions());
    assert_illegal(producer.send(record()));
    assert_illegal(producer.try_send(record()));
    assert_illegal(producer.abort_transaction());
    assert_illegal(producer.send_offsets_to_transaction(offsets(1), &group()));
    producer.begin_transaction().unwrap();
    assert_illegal(producer.begin_transaction());
    assert_illegal(producer.transaction().map(drop));
    let nobody =
        producer.send_offsets_to_transaction(offsets(1), &ConsumerGroupMetadata::new("")).unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::InvalidArgument);
    let handle = producer.send(record()).unwrap();
    producer.commit_transaction().unwrap();
    assert!(handle.succeeded());
    assert_illegal(producer.commit_transaction());
    producer.close(PATIENCE).unwrap();
    assert_eq!(producer.begin_transaction().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn options_that_contradict_transactions_are_told() {
    let faults = KafkaProducer::builder()
        .transactional_id("billing")
        .acks(kavka::config::Acks::Leader)
        .enable_idempotence(false)
        .build()
        .unwrap_err()
        .to_string();
    assert!(faults.contains("enable.idempotence is false") && faults.contains("acks is 1"), "{faults}");
}

#[test]
fn a_second_producer_fences_the_first() {
    for version in [1, 2] {
        let cluster = cluster(version);
        let first = ready(&cluster);
        first.begin_transaction().unwrap();
        send(&first, 0, "lost").get(PATIENCE).unwrap();
        let second = ready(&cluster);
        assert_eq!(cluster.transaction_state("billing"), Some(TransactionState::Empty));
        let error = if version == 1 {
            first.commit_transaction().unwrap_err()
        } else {
            // Its own epoch tells the leader, and then the coordinator.
            let late = send(&first, 0, "late").get(PATIENCE).unwrap_err();
            assert!(late.requires_abort(), "{late}");
            assert!(first.commit_transaction().unwrap_err().requires_abort());
            first.abort_transaction().unwrap_err()
        };
        assert!(error.is_fatal() && !error.requires_abort() && !error.is_retriable(), "{error}");
        assert_eq!(error.kind(), ErrorKind::ProducerFenced, "{error}");
        assert!(first.begin_transaction().unwrap_err().is_fatal());
        assert!(first.send(ProducerRecord::new("out").value("x")).unwrap_err().is_fatal());

        second.begin_transaction().unwrap();
        send(&second, 0, "kept");
        second.commit_transaction().unwrap();
        assert_eq!(committed(&cluster, 0), ["kept"]);
    }
}

#[test]
fn a_commit_that_ran_out_of_time_can_only_be_repeated() {
    let cluster = cluster(2);
    let producer = builder(&cluster).max_block(Duration::from_millis(300)).build().unwrap();
    producer.init_transactions().unwrap();
    producer.begin_transaction().unwrap();
    send(&producer, 0, "x").get(PATIENCE).unwrap();
    let fault = cluster.on(ApiKey::END_TXN).always().error(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
    let began = Instant::now();
    let error = producer.commit_transaction().unwrap_err();
    assert!(error.kind() == ErrorKind::Timeout && error.is_retriable(), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_illegal(producer.abort_transaction());
    assert_illegal(producer.begin_transaction());
    assert_illegal(producer.send(ProducerRecord::new("out").value("y")));
    assert_eq!(producer.commit_transaction().unwrap_err().kind(), ErrorKind::Timeout, "again");
    fault.remove();
    // It ends by itself; what came of it is kept for the call.
    let state = TransactionState::CompleteCommit;
    assert!(cluster.wait_for(PATIENCE, |cluster| cluster.transaction_state("billing") == Some(state)));
    assert_illegal(producer.abort_transaction());
    assert_illegal(producer.begin_transaction());
    producer.commit_transaction().unwrap();
    producer.begin_transaction().unwrap();
    producer.abort_transaction().unwrap();
    assert_eq!(committed(&cluster, 0), ["x"]);
}

#[test]
fn a_transaction_waits_for_an_abort_that_nobody_waited_for() {
    let cluster = cluster(1);
    let producer = builder(&cluster).drop_timeout(Duration::from_millis(50)).build().unwrap();
    producer.init_transactions().unwrap();
    let transaction = producer.transaction().unwrap();
    transaction.send(ProducerRecord::new("out").partition(0).value("x")).unwrap().get(PATIENCE).unwrap();
    cluster.on(ApiKey::END_TXN).once().delay(Duration::from_millis(500));
    let began = Instant::now();
    drop(transaction);
    assert!(began.elapsed() < Duration::from_millis(400));
    let transaction = producer.transaction().unwrap();
    transaction.send(ProducerRecord::new("out").partition(0).value("y")).unwrap();
    transaction.commit().unwrap();
    assert_eq!(committed(&cluster, 0), ["y"]);
}

#[test]
fn what_was_not_sent_fails_when_the_transaction_is_aborted() {
    let cluster = cluster(2);
    let producer = builder(&cluster).linger(Duration::from_secs(100)).build_after_delivery();
    producer.init_transactions().unwrap();
    producer.begin_transaction().unwrap();
    let waiting = send(&producer, 0, "x");
    producer.abort_transaction().unwrap();
    let error = waiting.get(PATIENCE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TransactionAborted, "{error}");
    assert!(!error.maybe_written());
    assert_eq!(cluster.end_offset("out", 0), 0);
    assert_eq!(producer.buffer_available_bytes(), producer.config().buffer_memory);

    // A close aborts, too.
    producer.begin_transaction().unwrap();
    let waiting = send(&producer, 0, "y");
    let sent = send(&producer, 1, "z");
    producer.flush(Duration::from_millis(1)).ok();
    producer.close(PATIENCE).unwrap();
    assert!(waiting.is_done() && sent.is_done());
    assert_ne!(cluster.transaction_state("billing"), Some(TransactionState::Ongoing));
    assert_eq!([committed(&cluster, 0), committed(&cluster, 1)], [[""; 0]; 2]);
}

trait Patient {
    fn build_after_delivery(self) -> KafkaProducer;
}

impl Patient for ProducerBuilder {
    /// Builds it with a delivery timeout that goes with a long linger time.
    fn build_after_delivery(self) -> KafkaProducer {
        self.delivery_timeout(Duration::from_secs(200)).build().unwrap()
    }
}

#[test]
fn a_record_that_is_lost_makes_an_abort_necessary_and_the_next_transaction_works() {
    for version in [1, 2] {
        let cluster = cluster(version);
        let producer = builder(&cluster)
            .request_timeout(Duration::from_millis(200))
            .delivery_timeout(Duration::from_millis(400))
            .build()
            .unwrap();
        producer.init_transactions().unwrap();
        producer.begin_transaction().unwrap();
        send(&producer, 0, "before").get(PATIENCE).unwrap();
        // Written, but the producer never learns it: the sequence is burnt.
        let fault = cluster.on(ApiKey::PRODUCE).always().drop_after();
        let lost = send(&producer, 0, "lost").get(PATIENCE).unwrap_err();
        assert!(lost.kind() == ErrorKind::Timeout && lost.requires_abort() && lost.maybe_written(), "{lost}");
        let refused = producer.send(ProducerRecord::new("out").value("x")).unwrap_err();
        assert!(refused.requires_abort(), "{refused}");
        let refused = producer.commit_transaction().unwrap_err();
        assert!(refused.requires_abort() && refused.kind() == ErrorKind::Timeout, "{refused}");
        fault.remove();
        producer.abort_transaction().unwrap();
        let before = cluster.transactional_producer("billing").unwrap();
        producer.begin_transaction().unwrap();
        send(&producer, 0, "after").get(PATIENCE).unwrap();
        producer.commit_transaction().unwrap();
        assert!(before.1 >= 1, "a new epoch");
        assert_eq!(committed(&cluster, 0), ["after"], "version {version}");
    }
}

#[test]
fn a_record_that_is_too_large_makes_an_abort_necessary() {
    let cluster = cluster(2);
    let producer = ready(&cluster);
    producer.begin_transaction().unwrap();
    send(&producer, 0, "x").get(PATIENCE).unwrap();
    let large = "y".repeat(2 << 20);
    let refused = producer.send(ProducerRecord::new("out").value(&large)).unwrap_err();
    assert!(refused.kind() == ErrorKind::RecordTooLarge && refused.requires_abort(), "{refused}");
    assert!(producer.commit_transaction().unwrap_err().requires_abort());
    producer.abort_transaction().unwrap();
    producer.begin_transaction().unwrap();
    producer.commit_transaction().unwrap();
}

#[test]
fn large_batches_are_split_within_the_transaction() {
    let cluster = MockCluster::builder().message_max_bytes(1_000).topic("out", 1).start().unwrap();
    let producer = builder(&cluster).linger(Duration::from_millis(50)).batch_size(8_000).build().unwrap();
    producer.init_transactions().unwrap();
    producer.begin_transaction().unwrap();
    let handles: Vec<_> = (0..40).map(|index| send(&producer, 0, &format!("{index:0200}"))).collect();
    producer.commit_transaction().unwrap();
    assert!(handles.iter().all(FutureRecordMetadata::succeeded));
    let expected: Vec<String> = (0..40).map(|index| format!("{index:0200}")).collect();
    assert_eq!(committed(&cluster, 0), expected);
}

#[test]
fn the_next_transaction_waits_for_the_markers_of_the_last() {
    for version in [1, 2] {
        let cluster = cluster(version);
        let producer = ready(&cluster);
        producer.begin_transaction().unwrap();
        send(&producer, 0, "a");
        cluster.hold_transaction_markers(true);
        producer.commit_transaction().unwrap();
        producer.begin_transaction().unwrap();
        let waiting = send(&producer, 0, "b");
        let asked = if version == 1 { ApiKey::ADD_PARTITIONS_TO_TXN } else { ApiKey::PRODUCE };
        let before = cluster.request_count(asked);
        assert!(cluster.wait_for(PATIENCE, |cluster| cluster.request_count(asked) > before + 1));
        assert!(!waiting.is_done());
        cluster.hold_transaction_markers(false);
        waiting.get(PATIENCE).unwrap();
        producer.commit_transaction().unwrap();
        assert_eq!(committed(&cluster, 0), ["a", "b"]);
    }
}

#[test]
fn the_coordinator_dies_and_moves_between_all_steps() {
    for version in [1, 2] {
        let cluster = cluster(version);
        cluster.move_leader("out", 0, 1).unwrap();
        let producer = ready(&cluster);
        for round in 0..10 {
            let (from, to) = (1 + round % 2, 2 - round % 2);
            cluster.move_transaction_coordinator("billing", to).unwrap();
            cluster.move_coordinator("billing", from).unwrap();
            producer.begin_transaction().unwrap();
            send(&producer, 0, &round.to_string());
            cluster.move_transaction_coordinator("billing", from).unwrap();
            producer.send_offsets_to_transaction(offsets(round.into()), &group()).unwrap();
            cluster.move_coordinator("billing", to).unwrap();
            cluster.kill(2).unwrap();
            producer.commit_transaction().unwrap();
            cluster.restart(2).unwrap();
        }
        let expected: Vec<String> = (0..10).map(|round| round.to_string()).collect();
        assert_eq!((committed(&cluster, 0), cluster.committed("billing", "in", 0)), (expected, Some(9)));
    }
}

#[test]
fn used_up_epochs_are_followed_by_a_new_id() {
    for version in [1, 2] {
        let cluster = cluster(version);
        drop(ready(&cluster));
        assert!(cluster.set_producer_epoch("billing", i16::MAX - 3));
        let producer = ready(&cluster);
        let (id, _) = cluster.transactional_producer("billing").unwrap();
        for round in 0..5 {
            producer.begin_transaction().unwrap();
            send(&producer, 0, &round.to_string());
            producer.commit_transaction().unwrap();
        }
        assert_eq!(committed(&cluster, 0).len(), 5);
        let (now, _) = cluster.transactional_producer("billing").unwrap();
        assert_eq!(now != id, version == 2);
    }
}

#[test]
fn nothing_slips_into_a_transaction_that_is_being_ended() {
    let cluster = cluster(2);
    let producer = ready(&cluster);
    let done = AtomicBool::new(false);
    let mut rounds = Vec::new();
    let sent: Vec<Vec<(String, FutureRecordMetadata)>> = thread::scope(|scope| {
        let senders: Vec<_> = (0..3)
            .map(|thread| {
                let (producer, done) = (&producer, &done);
                scope.spawn(move || {
                    let mut sent = Vec::new();
                    for index in 0.. {
                        if done.load(Ordering::Relaxed) {
                            break;
                        }
                        let value = format!("{thread}/{index}");
                        let record = ProducerRecord::new("out").partition(0).value(&value);
                        match producer.send(record) {
                            Ok(handle) => sent.push((value, handle)),
                            Err(error) => {
                                assert_eq!(error.kind(), ErrorKind::IllegalState, "{error}");
                                thread::yield_now();
                            }
                        }
                    }
                    sent
                })
            })
            .collect();
        for round in 0..40 {
            producer.begin_transaction().unwrap();
            thread::sleep(Duration::from_millis(3));
            if round % 4 == 3 {
                producer.abort_transaction().unwrap();
            } else {
                producer.commit_transaction().unwrap();
            }
            assert_ne!(cluster.transaction_state("billing"), Some(TransactionState::Ongoing));
            rounds.push((round % 4 != 3, cluster.end_offset("out", 0)));
        }
        done.store(true, Ordering::Relaxed);
        senders.into_iter().map(|sender| sender.join().unwrap()).collect()
    });
    let seen: std::collections::HashSet<String> = committed(&cluster, 0).into_iter().collect();
    let mut count = 0;
    for (value, handle) in sent.into_iter().flatten() {
        let Ok(metadata) = handle.get(PATIENCE) else {
            assert!(!seen.contains(&value), "{value} was not acknowledged");
            continue;
        };
        let offset = metadata.offset().unwrap();
        let round = rounds.iter().find(|(_, end)| offset < *end);
        let (is_committed, _) = round.expect("every record was within a transaction");
        assert_eq!(seen.contains(&value), *is_committed, "{value} at {offset}");
        count += usize::from(*is_committed);
    }
    assert_eq!(seen.len(), count);
    assert!(count > 0);
}

/// What came of a transaction in which one request went wrong.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Committed,
    Aborted,
    Fatal,
}

/// One transaction as a program has it: begin, send, offsets, commit; abort when that is asked for, and the same call
/// again when it ran out of time.
fn attempt(producer: &KafkaProducer, value: &str, offset: i64) -> End {
    let verdict = |error: Error| {
        let verdicts = [error.is_retriable(), error.requires_abort(), error.is_fatal()];
        assert_eq!(verdicts.iter().filter(|holds| **holds).count(), 1, "{error}");
        error
    };
    let run = || {
        producer.begin_transaction()?;
        let handle = producer.send(ProducerRecord::new("out").partition(0).value(value))?;
        producer.send_offsets_to_transaction(offsets(offset), &group())?;
        let committed = producer.commit_transaction();
        assert!(committed.is_err() || handle.succeeded(), "committed without the record");
        committed
    };
    match run().map_err(verdict) {
        Ok(()) => End::Committed,
        Err(error) if error.is_fatal() => End::Fatal,
        Err(error) => {
            assert!(error.requires_abort(), "{error}");
            match producer.abort_transaction().map_err(verdict) {
                Ok(()) => End::Aborted,
                Err(error) => {
                    assert!(error.is_fatal(), "{error}");
                    End::Fatal
                }
            }
        }
    }
}

/// Whose coordinator moves before a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moves {
    Nobody,
    OfTransaction,
    OfGroup,
}

#[test]
fn whatever_goes_wrong_ends_in_a_commit_an_abort_or_for_good() {
    let steps = [
        ApiKey::FIND_COORDINATOR,
        ApiKey::ADD_PARTITIONS_TO_TXN,
        ApiKey::ADD_OFFSETS_TO_TXN,
        ApiKey::TXN_OFFSET_COMMIT,
        ApiKey::END_TXN,
        ApiKey::PRODUCE,
    ];
    let (mut aborts, mut ends) = (0, 0);
    for version in [1, 2] {
        let cluster = cluster(version);
        cluster.move_transaction_coordinator("billing", 1).unwrap();
        cluster.move_coordinator("billing", 1).unwrap();
        let mut producer = ready(&cluster);
        assert_eq!(attempt(&producer, "first", 0), End::Committed);
        let mut expected = vec!["first".to_owned()];
        let mut coordinator = 1;
        let mut run = |what: String, inject: &dyn Fn(&MockCluster) -> kavka::mock::Fault, moves: Moves| {
            // So that they are looked for again.
            coordinator = 3 - coordinator;
            match moves {
                Moves::Nobody => {}
                Moves::OfTransaction => {
                    cluster.move_transaction_coordinator("billing", coordinator).unwrap();
                }
                Moves::OfGroup => cluster.move_coordinator("billing", coordinator).unwrap(),
            }
            let fault = inject(&cluster);
            let value = format!("{version}: {what}");
            let offset = expected.len() as i64;
            let end = attempt(&producer, &value, offset);
            assert!(fault.hits() > 0, "{value}: it never happened");
            fault.remove();
            if cluster.committed_records("out", 0).last().is_some_and(|last| last.value_str() == value) {
                assert_ne!(end, End::Aborted, "{value}");
                expected.push(value.clone());
                assert_eq!(cluster.committed("billing", "in", 0), Some(offset), "{value}");
            } else {
                assert_ne!(end, End::Committed, "{value}");
                assert_ne!(cluster.committed("billing", "in", 0), Some(offset), "{value}");
            }
            aborts += i32::from(end == End::Aborted);
            ends += i32::from(end == End::Fatal);
            if end == End::Fatal {
                producer = ready(&cluster);
            }
            // And on it goes.
            let offset = expected.len() as i64;
            let value = format!("{value}, after");
            assert_eq!(attempt(&producer, &value, offset), End::Committed, "{value}");
            expected.push(value);
            assert_eq!(cluster.last_stable_offset("out", 0), cluster.end_offset("out", 0));
        };
        let adds = [ApiKey::ADD_PARTITIONS_TO_TXN, ApiKey::ADD_OFFSETS_TO_TXN];
        for api in steps.into_iter().filter(|api| version == 1 || !adds.contains(api)) {
            let who: &[Moves] = match api {
                ApiKey::FIND_COORDINATOR => &[Moves::OfTransaction, Moves::OfGroup],
                _ => &[Moves::Nobody],
            };
            for moves in who.iter().copied() {
                for code in ErrorCode::ALL.iter().copied().filter(|code| !code.is_ok()) {
                    let inject = |cluster: &MockCluster| cluster.on(api).once().error(code);
                    run(format!("{api} {code} {moves:?}"), &inject, moves);
                }
                let mut run = |what: &str, inject: &dyn Fn(&MockCluster) -> kavka::mock::Fault| {
                    run(format!("{api} {what} {moves:?}"), inject, moves);
                };
                run("lost before", &|cluster| cluster.on(api).once().drop_before());
                run("lost after", &|cluster| cluster.on(api).once().drop_after());
                run("cut off", &|cluster| cluster.on(api).once().close_after_bytes(6));
                run("garbled", &|cluster| cluster.on(api).once().garbage());
                run("thrice", &|cluster| cluster.on(api).nth(1..=3).drop_after());
            }
        }
        assert_eq!(committed(&cluster, 0), expected, "each transaction once, in order");
    }
    assert!(aborts > 100 && ends > 10, "{aborts} aborts, {ends} ends");
}

#[test]
fn a_commit_that_may_have_been_done_never_asks_for_an_abort() {
    for version in [1, 2] {
        let cluster = cluster(version);
        let mut producer = ready(&cluster);
        let mut expected = Vec::new();
        for code in ErrorCode::ALL.iter().copied().filter(|code| !code.is_ok()) {
            if code == ErrorCode::INVALID_TXN_STATE {
                // What the coordinator says of no transaction that it has committed.
                continue;
            }
            let value = format!("{version}: {code}");
            producer.begin_transaction().unwrap();
            producer.send(ProducerRecord::new("out").partition(0).value(&value)).unwrap();
            let answers = [
                cluster.on(ApiKey::END_TXN).once().drop_after(),
                cluster.on(ApiKey::END_TXN).nth(2..=2).error(code),
            ];
            if let Err(error) = producer.commit_transaction() {
                assert!(error.is_fatal(), "{value}: {error}");
                let text = "the outcome of the commit is unknown";
                assert!(error.to_string().contains(text), "{value}: {error}");
                producer = ready(&cluster);
            }
            assert_eq!(answers.map(|fault| fault.hits()), [1, 1], "{value}");
            expected.push(value);
            assert_eq!(committed(&cluster, 0), expected);
        }
    }
}

#[test]
fn a_right_that_goes_while_the_outcome_of_a_commit_is_unknown_lets_the_commit_be_repeated() {
    for api in [ApiKey::END_TXN, ApiKey::FIND_COORDINATOR] {
        let cluster = cluster(2);
        let producer = builder(&cluster).max_block(Duration::from_millis(500)).build().unwrap();
        producer.init_transactions().unwrap();
        producer.begin_transaction().unwrap();
        send(&producer, 0, "x").get(PATIENCE).unwrap();
        cluster.on(ApiKey::END_TXN).once().drop_after();
        let from = if api == ApiKey::END_TXN { 2 } else { 1 };
        let code = ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
        let denied = cluster.on(api).nth(from..=u64::MAX).error(code);
        for _ in 0..2 {
            let error = producer.commit_transaction().unwrap_err();
            assert!(error.kind() == ErrorKind::Timeout && error.is_retriable(), "{error}");
            assert!(error.to_string().contains("TRANSACTIONAL_ID_AUTHORIZATION_FAILED"), "{error}");
            assert_illegal(producer.abort_transaction());
        }
        assert!(denied.hits() > 1);
        denied.remove();
        assert!(cluster.wait_for(PATIENCE, |_| producer.commit_transaction().is_ok()));
        assert_eq!(attempt(&producer, "y", 1), End::Committed);
        assert_eq!(committed(&cluster, 0), ["x", "y"]);
    }
}

#[test]
fn whatever_goes_wrong_with_the_initialization_ends_it_or_lets_it_be_repeated() {
    for version in [1, 2] {
        let cluster = cluster(version);
        let run = |what: String, fault: kavka::mock::Fault| {
            let producer = builder(&cluster).build().unwrap();
            let initialized = producer.init_transactions();
            assert!(fault.hits() > 0, "{what}: it never happened");
            fault.remove();
            if let Err(error) = initialized {
                assert!(!error.requires_abort(), "{what}: {error}");
                if error.is_fatal() {
                    assert!(producer.init_transactions().unwrap_err().is_fatal());
                    return;
                }
                producer.init_transactions().unwrap();
            }
            assert_eq!(attempt(&producer, "x", 0), End::Committed, "{what}");
        };
        for api in [ApiKey::INIT_PRODUCER_ID, ApiKey::FIND_COORDINATOR] {
            let on = || cluster.on(api);
            for code in ErrorCode::ALL.iter().copied().filter(|code| !code.is_ok()) {
                run(format!("{api} {code}"), on().once().error(code));
            }
            run(format!("{api} lost before"), on().once().drop_before());
            run(format!("{api} lost after"), on().once().drop_after());
            run(format!("{api} cut off"), on().once().close_after_bytes(6));
            run(format!("{api} garbled"), on().once().garbage());
            run(format!("{api} delayed"), on().once().delay(Duration::from_millis(100)));
            run(format!("{api} thrice"), on().nth(1..=3).drop_after());
        }
    }
}

#[test]
fn a_right_that_is_missing_is_asked_for_again() {
    let cluster = cluster(1);
    let denied =
        cluster.on(ApiKey::INIT_PRODUCER_ID).always().error(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    let producer = builder(&cluster).build().unwrap();
    let error = producer.init_transactions().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authorization);
    denied.remove();
    producer.init_transactions().unwrap();

    producer.begin_transaction().unwrap();
    let denied = cluster.on(ApiKey::END_TXN).always().error(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    send(&producer, 0, "x");
    assert!(producer.commit_transaction().unwrap_err().requires_abort());
    let error = producer.abort_transaction().unwrap_err();
    assert!(error.requires_abort() && error.kind() == ErrorKind::Authorization, "{error}");
    denied.remove();
    producer.abort_transaction().unwrap();
    assert_eq!(attempt(&producer, "y", 1), End::Committed);
    assert_eq!(committed(&cluster, 0), ["y"]);
}

#[test]
fn a_consumer_that_lost_its_partitions_commits_nothing() {
    for version in [1, 2] {
        let cluster = cluster(version);
        let producer = ready(&cluster);
        let mut consumer = KafkaConsumer::builder()
            .bootstrap_servers(cluster.bootstrap_servers())
            .group_id("billing")
            .auto_offset_reset(kavka::config::AutoOffsetReset::Earliest)
            .enable_auto_commit(false)
            .build()
            .unwrap();
        consumer.subscribe(["in"]).unwrap();
        cluster.append("in", 0, [("k", "v")]).unwrap();
        let records = consumer.poll(PATIENCE).unwrap();
        assert_eq!(records.len(), 1);
        let metadata = consumer.group_metadata();
        producer.begin_transaction().unwrap();
        producer.send_offsets_to_transaction(records.next_offsets(), &metadata).unwrap();
        producer.commit_transaction().unwrap();
        assert_eq!(cluster.committed("billing", "in", 0), Some(1));

        producer.begin_transaction().unwrap();
        assert!(cluster.evict_member("billing", &metadata.member_id));
        let error = producer.send_offsets_to_transaction(offsets(7), &metadata).unwrap_err();
        assert!(error.kind() == ErrorKind::CommitFailed && error.requires_abort(), "{error}");
        producer.abort_transaction().unwrap();
        assert_eq!(cluster.committed("billing", "in", 0), Some(1));
    }
}

#[test]
fn a_transaction_that_took_too_long_is_aborted_and_the_newer_kind_goes_on() {
    for version in [1, 2] {
        let cluster = cluster(version);
        let producer = ready(&cluster);
        producer.begin_transaction().unwrap();
        send(&producer, 0, "late").get(PATIENCE).unwrap();
        assert!(cluster.expire_transaction("billing"));
        let error = producer.commit_transaction().unwrap_err();
        if version == 1 {
            assert!(error.is_fatal() && error.kind() == ErrorKind::ProducerFenced, "{error}");
            continue;
        }
        assert!(error.requires_abort() && error.to_string().contains("transaction.timeout.ms"), "{error}");
        producer.abort_transaction().unwrap();
        assert_eq!(attempt(&producer, "next", 1), End::Committed);
        assert_eq!(committed(&cluster, 0), ["next"]);
    }
}

#[test]
fn a_close_is_bounded_while_the_coordinator_hangs() {
    let cluster = cluster(2);
    let producer = ready(&cluster);
    producer.begin_transaction().unwrap();
    send(&producer, 0, "x").get(PATIENCE).unwrap();
    cluster.on(ApiKey::END_TXN).always().never_answer();
    let began = Instant::now();
    let error = producer.close(Duration::from_millis(300)).unwrap_err();
    assert!(error.to_string().contains("transaction open"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5));
}

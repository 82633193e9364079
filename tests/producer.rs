//! The producer against MockCluster: faults that a real broker cannot be made to show on demand.

#![allow(clippy::disallowed_methods, reason = "a test measures with its own clock how long calls take")]

#[path = "producer/answers.rs"]
mod answers;
#[path = "producer/bounds.rs"]
mod bounds;
#[path = "producer/leaders.rs"]
mod leaders;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use kavka::mock::MockCluster;
use kavka::producer::ProducerBuilder;
use kavka::protocol::ApiKey;
use kavka::record::Batches;
use kavka::{Error, ErrorCode, ErrorKind, FutureRecordMetadata, KafkaProducer, ProducerRecord};

const PATIENCE: Duration = Duration::from_secs(20);

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

/// Sends records one by one. Without linger each goes out as soon as the IO thread sees it, so they make many
/// batches.
fn send_batches(
    producer: &KafkaProducer,
    values: impl IntoIterator<Item = String>,
) -> Vec<FutureRecordMetadata> {
    values.into_iter().map(|value| send(producer, &value)).collect()
}

fn values(cluster: &MockCluster, partition: i32) -> Vec<String> {
    cluster.records("orders", partition).iter().map(|record| record.value_str()).collect()
}

/// Epoch and base sequence of each batch in the log.
fn numbering(cluster: &MockCluster) -> Vec<(i16, i32)> {
    let batches =
        cluster.batches("orders", 0).into_iter().flat_map(|bytes| Batches::new(bytes).collect::<Vec<_>>());
    batches.map(|batch| batch.unwrap()).map(|batch| (batch.producer_epoch(), batch.base_sequence())).collect()
}

fn assert_all_written(handles: &[FutureRecordMetadata]) {
    for handle in handles {
        handle.get(PATIENCE).unwrap();
    }
}

#[track_caller]
fn assert_at_rest(producer: &KafkaProducer) {
    producer.flush(PATIENCE).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while producer.buffer_available_bytes() != producer.config().buffer_memory {
        assert!(Instant::now() < deadline, "{} bytes never came back", producer.buffer_available_bytes());
        thread::yield_now();
    }
}

#[test]
fn a_handle_tells_where_the_record_is() {
    let cluster = cluster(3);
    let producer = builder(&cluster).build().unwrap();
    let record = ProducerRecord::new("orders").key("42").value("paid").timestamp(1234).header("h", "x");
    let handle = producer.send(record).unwrap();
    let metadata = handle.get(PATIENCE).unwrap();
    assert!(handle.is_done() && handle.succeeded() && !handle.failed() && !handle.retriable());
    assert_eq!(handle.try_get().unwrap().unwrap(), metadata);
    assert_eq!((metadata.topic(), metadata.partition(), metadata.offset()), ("orders", 1, Some(0)));
    assert_eq!((metadata.timestamp(), metadata.serialized_key_size()), (1234, Some(2)));
    let record = &cluster.records("orders", 1)[0];
    assert_eq!((record.key_str(), record.value_str(), record.timestamp), ("42".into(), "paid".into(), 1234));
    assert_eq!(record.headers, [("h".to_owned(), Some("x".into()))]);
    assert_at_rest(&producer);
}

#[test]
fn callbacks_run_once_and_their_panics_are_contained() {
    let cluster = cluster(1);
    let producer = Arc::new(builder(&cluster).build().unwrap());
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = |calls: &Arc<AtomicUsize>| {
        let calls = Arc::clone(calls);
        move || calls.fetch_add(1, Ordering::SeqCst)
    };
    let handle = send(&producer, "one");
    let (on_success, on_error) = (counted(&calls), counted(&calls));
    handle
        .add_callback(move |metadata| {
            assert_eq!(metadata.topic(), "orders");
            on_success();
        })
        .add_errback(move |_| {
            on_error();
        })
        .add_both(|_| panic!("a callback that panics"));
    handle.get(PATIENCE).unwrap();
    let after = counted(&calls);
    handle.add_both(move |result| {
        result.unwrap();
        after();
    });
    // The producer goes on after the panic.
    send(&producer, "two").get(PATIENCE).unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[test]
fn a_callback_may_send_but_not_wait() {
    let cluster = cluster(1);
    let producer = Arc::new(builder(&cluster).build().unwrap());
    let (sender, receiver) = std::sync::mpsc::channel();
    let inner = Arc::clone(&producer);
    // The answer is held back so that the callback is there before it.
    cluster.on(ApiKey::PRODUCE).once().delay(Duration::from_millis(50));
    send(&producer, "one").add_callback(move |_| {
        let second = send(&inner, "two");
        let waited = second.get(PATIENCE).unwrap_err();
        let flushed = inner.flush(PATIENCE).unwrap_err();
        sender.send((second, waited, flushed)).unwrap();
    });
    let (second, waited, flushed) = receiver.recv_timeout(PATIENCE).unwrap();
    assert_eq!((waited.kind(), flushed.kind()), (ErrorKind::IllegalState, ErrorKind::IllegalState));
    assert_eq!(second.get(PATIENCE).unwrap().offset(), Some(1));
}

#[test]
fn lost_answers_double_nothing() {
    let cluster = cluster(1);
    let producer = builder(&cluster).build().unwrap();
    send(&producer, "first").get(PATIENCE).unwrap();
    let fault = cluster.on(ApiKey::PRODUCE).times(3).drop_after();
    let handles = send_batches(&producer, (0..20).map(|index| index.to_string()));
    assert_all_written(&handles);
    assert_eq!(fault.hits(), 3);
    let expected: Vec<String> =
        std::iter::once("first".to_owned()).chain((0..20).map(|index| index.to_string())).collect();
    assert_eq!(values(&cluster, 0), expected);
    assert_at_rest(&producer);
}

#[test]
fn order_is_kept_through_any_mix_of_faults() {
    let cluster = MockCluster::builder().brokers(2).topic("orders", 1).start().unwrap();
    let producer = builder(&cluster).build().unwrap();
    let mut expected = Vec::new();
    for round in 0..8 {
        let produce = || cluster.on(ApiKey::PRODUCE);
        let _ = match round {
            0 => produce().nth(2..=2).error(ErrorCode::NOT_LEADER_OR_FOLLOWER),
            1 => produce().nth(1..=3).drop_before(),
            2 => produce().nth(2..=3).drop_after(),
            3 => produce().nth(1..=1).error(ErrorCode::NOT_ENOUGH_REPLICAS),
            4 => produce().nth(3..=3).garbage(),
            5 => produce().nth(2..=2).error(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
            6 => produce().nth(1..=2).close_after_bytes(7),
            _ => produce().nth(2..=2).throttle(Duration::from_millis(50)),
        };
        let leader = cluster.leader("orders", 0).unwrap();
        let handles = send_batches(&producer, (0..40).map(|index| format!("{round}/{index}")));
        cluster.move_leader("orders", 0, 3 - leader).unwrap();
        expected.extend((0..40).map(|index| format!("{round}/{index}")));
        assert_all_written(&handles);
        cluster.clear_faults();
    }
    assert_eq!(values(&cluster, 0), expected);
    assert_at_rest(&producer);
}

#[test]
fn sequences_of_a_batch_that_may_have_been_written_are_not_used_again() {
    for loses_answers in [true, false] {
        let cluster = cluster(1);
        let producer = builder(&cluster)
            .delivery_timeout(Duration::from_millis(1_500))
            .request_timeout(Duration::from_millis(300))
            .build()
            .unwrap();
        send(&producer, "first").get(PATIENCE).unwrap();
        let on_produce = cluster.on(ApiKey::PRODUCE).always();
        let fault = match loses_answers {
            true => on_produce.drop_after(),
            // The leader has it, and gives up waiting for the replicas.
            false => on_produce.error_after(ErrorCode::REQUEST_TIMED_OUT),
        };
        let lost = send(&producer, "A");
        let error = lost.get(PATIENCE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(error.maybe_written() && error.to_string().contains("may have been written"), "{error}");
        assert_eq!((error.topic(), error.partition()), (Some("orders"), Some(0)));
        fault.remove();
        let second = send(&producer, "B").get(PATIENCE).unwrap();
        assert_eq!(values(&cluster, 0), ["first", "A", "B"]);
        assert_eq!(second.offset(), Some(2));
        let numbering = numbering(&cluster);
        assert_eq!(numbering[1], (numbering[0].0, 1));
        assert_eq!(numbering[2], (numbering[0].0 + 1, 0), "B under an epoch of its own");
        assert_at_rest(&producer);
    }
}

#[test]
fn a_new_leader_that_knows_nothing_of_what_is_in_flight_gets_it_in_order() {
    for round in 0..10 {
        let cluster = MockCluster::builder().brokers(2).topic("orders", 1).start().unwrap();
        let producer =
            builder(&cluster).batch_size(1_usize).retry_backoff(Duration::from_millis(5)).build().unwrap();
        send(&producer, "0").get(PATIENCE).unwrap();
        let leader = cluster.leader("orders", 0).unwrap();
        let slow = cluster.on(ApiKey::PRODUCE).once().delay(Duration::from_millis(50));
        let mut handles: Vec<_> = (1..10).map(|index| send(&producer, &index.to_string())).collect();
        assert!(cluster.wait_for(PATIENCE, |_| slow.hits() > 0));
        // Five are out. The old leader leads no more; the next one has lost the producer's state.
        cluster.move_leader("orders", 0, 3 - leader).unwrap();
        cluster.forget_producers("orders", 0).unwrap();
        let lost = cluster.on(ApiKey::PRODUCE).broker(3 - leader).once();
        let lost = lost.error(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
        handles.extend((10..30).map(|index| send(&producer, &index.to_string())));
        assert_all_written(&handles);
        assert_eq!(lost.hits(), 1);
        let expected: Vec<String> = (0..30).map(|index| index.to_string()).collect();
        assert_eq!(values(&cluster, 0), expected, "round {round}");
        assert_at_rest(&producer);
    }
}

#[test]
fn batches_are_split_over_several_levels_with_contiguous_sequences_and_without_a_retry() {
    let cluster = MockCluster::builder().topic("orders", 1).message_max_bytes(1_000).start().unwrap();
    // One retry: were a split one, four levels of it would be too many. Nothing else is out, which would come back.
    let producer = builder(&cluster)
        .retries(1_u32)
        .set("max.in.flight.requests.per.connection", "1")
        .batch_size(16_000_usize)
        .linger(Duration::from_secs(10))
        .build()
        .unwrap();
    let value = |index: usize| format!("{index:03}{}", "x".repeat(97));
    let handles: Vec<_> = (0..140).map(|index| send(&producer, &value(index))).collect();
    assert!(handles.iter().all(|handle| handle.is_same_batch(&handles[0])));
    producer.flush(PATIENCE).unwrap();
    // Behind it, while parts of it are on their way.
    let behind = send(&producer, "behind");
    producer.flush(PATIENCE).unwrap();
    for (offset, handle) in (0..).zip(handles.iter().chain([&behind])) {
        assert_eq!(handle.try_get().unwrap().unwrap().offset(), Some(offset));
    }
    let mut expected: Vec<String> = (0..140).map(value).collect();
    expected.push("behind".to_owned());
    assert_eq!(values(&cluster, 0), expected);
    let numbering = numbering(&cluster);
    assert!(numbering.len() > 16, "four levels: {numbering:?}");
    let mut next = 0;
    let batches =
        cluster.batches("orders", 0).into_iter().flat_map(|bytes| Batches::new(bytes).collect::<Vec<_>>());
    for batch in batches.map(Result::unwrap) {
        assert_eq!((batch.producer_epoch(), batch.base_sequence()), (0, next), "{numbering:?}");
        next += batch.record_count().unwrap() as i32;
    }
    let metrics = producer.metrics();
    assert_eq!(metrics.get("producer-metrics", "record-retry-total"), Some(0.0));
    assert!(metrics.get("producer-metrics", "batch-split-total").unwrap() >= 15.0);
    assert_at_rest(&producer);
}

#[test]
fn flush_has_one_deadline_for_all_batches_together_and_says_what_is_left() {
    let cluster = cluster(1);
    let producer = builder(&cluster)
        .batch_size(1_usize)
        .set("max.in.flight.requests.per.connection", "1")
        .build()
        .unwrap();
    send(&producer, "first").get(PATIENCE).unwrap();
    // Each is done within the time, all of them are not.
    cluster.on(ApiKey::PRODUCE).times(6).delay(Duration::from_millis(300));
    let value = "x".repeat(1_000);
    let handles: Vec<_> = (0..6).map(|_| send(&producer, &value)).collect();
    let error = producer.flush(Duration::from_millis(700)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    let left = (1..=6).find(|left| error.to_string().contains(&format!("{left} records in {left} batches")));
    assert!(left.is_some(), "{error}");
    producer.flush(PATIENCE).unwrap();
    assert!(handles.iter().all(FutureRecordMetadata::succeeded));
}

#[test]
fn lost_producer_state_is_recovered_from() {
    let cluster = cluster(1);
    let producer = builder(&cluster).build().unwrap();
    for round in 0..3 {
        let handles = send_batches(&producer, (0..10).map(|index| format!("{round}/{index}")));
        assert_all_written(&handles);
        match round {
            // What a leader says that has lost what came before.
            0 => drop(cluster.on(ApiKey::PRODUCE).once().error(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER)),
            // What brokers before 2.5 say once the producer's records have been deleted.
            1 => drop(cluster.on(ApiKey::PRODUCE).once().error(ErrorCode::UNKNOWN_PRODUCER_ID)),
            _ => cluster.forget_producers("orders", 0).unwrap(),
        }
    }
    assert_all_written(&[send(&producer, "last")]);
    let before: Vec<String> = values(&cluster, 0);
    assert_eq!(before.last().map(String::as_str), Some("last"));
    let expected: Vec<String> =
        (0..3).flat_map(|round| (0..10).map(move |index| format!("{round}/{index}"))).collect();
    assert_eq!(before[..before.len() - 1], expected);
}

#[test]
fn a_refused_batch_does_not_poison_those_that_follow() {
    let cluster = cluster(1);
    let producer = builder(&cluster).build().unwrap();
    send(&producer, "first").get(PATIENCE).unwrap();
    cluster.on(ApiKey::PRODUCE).once().error(ErrorCode::INVALID_RECORD);
    let refused = send(&producer, "refused");
    let error = refused.get(PATIENCE).unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::INVALID_RECORD), "{error}");
    assert!(!error.is_retriable() && !error.maybe_written() && refused.failed() && !refused.retriable());
    assert_all_written(&send_batches(&producer, (0..20).map(|index| index.to_string())));
    assert_eq!(values(&cluster, 0).len(), 21);
}

#[test]
fn a_silent_leader_holds_up_nobody_elses_records() {
    let cluster = MockCluster::builder().brokers(2).topic("orders", 2).start().unwrap();
    cluster.move_leader("orders", 0, 1).unwrap();
    cluster.move_leader("orders", 1, 2).unwrap();
    let producer = builder(&cluster)
        .delivery_timeout(Duration::from_millis(900))
        .request_timeout(Duration::from_millis(500))
        .build()
        .unwrap();
    let to =
        |partition| producer.send(ProducerRecord::new("orders").partition(partition).value("x")).unwrap();
    to(0).get(PATIENCE).unwrap();
    to(1).get(PATIENCE).unwrap();
    cluster.on(ApiKey::PRODUCE).broker(1).always().never_answer();
    let started = Instant::now();
    let stuck = to(0);
    for _ in 0..50 {
        to(1).get(Duration::from_millis(400)).unwrap();
    }
    let error = stuck.get(PATIENCE).unwrap_err();
    let waited = started.elapsed();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(waited >= Duration::from_millis(900) && waited < Duration::from_millis(1500), "{waited:?}");
    assert!(error.to_string().contains("last error"), "{error}");
    assert_at_rest(&producer);
}

#[test]
fn a_full_buffer_makes_senders_wait_and_then_says_so() {
    let cluster = cluster(1);
    let producer = builder(&cluster)
        .buffer_memory(64 * 1024_usize)
        .batch_size(16 * 1024_usize)
        .max_block(Duration::from_millis(300))
        .build()
        .unwrap();
    send(&producer, "first").get(PATIENCE).unwrap();
    cluster.stop_reading(1).unwrap();
    let value = "x".repeat(10_000);
    let (error, mut handles): (Error, Vec<_>) = {
        let mut handles = Vec::new();
        loop {
            match producer.send(ProducerRecord::new("orders").value(&value)) {
                Ok(handle) => handles.push(handle),
                Err(error) => break (error, handles),
            }
        }
    };
    assert_eq!(error.kind(), ErrorKind::BufferExhausted, "{error}");
    assert!(error.is_retriable() && error.to_string().contains("buffer.memory=65536"), "{error}");
    assert_eq!(
        producer.try_send(ProducerRecord::new("orders").value(&value)).unwrap_err().kind(),
        ErrorKind::BufferExhausted
    );
    let waiting = thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            loop {
                match producer.send(ProducerRecord::new("orders").value(&value)) {
                    Ok(handle) => return handle,
                    Err(error) => assert_eq!(error.kind(), ErrorKind::BufferExhausted),
                }
            }
        });
        cluster.resume_reading(1).unwrap();
        waiting.join().unwrap()
    });
    handles.push(waiting);
    assert_all_written(&handles);
    assert_at_rest(&producer);
}

#[test]
fn flush_has_one_deadline_and_may_be_called_by_many() {
    let cluster = cluster(1);
    let producer = builder(&cluster)
        .linger(Duration::from_secs(60))
        .set("delivery.timeout.ms", "120000")
        .build()
        .unwrap();
    send(&producer, "first");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let handle = send(&producer, "x");
                producer.flush(PATIENCE).unwrap();
                assert!(handle.succeeded());
            });
        }
    });
    cluster.on(ApiKey::PRODUCE).always().never_answer();
    send(&producer, "stuck");
    let started = Instant::now();
    let error = producer.flush(Duration::from_millis(200)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("1 batches"), "{error}");
    assert!(started.elapsed() < Duration::from_millis(400));
}

#[test]
fn records_linger_and_batches_fill() {
    let cluster = cluster(1);
    let producer = builder(&cluster).linger(Duration::from_millis(200)).build().unwrap();
    let handles: Vec<_> = (0..100).map(|index| send(&producer, &index.to_string())).collect();
    assert!(handles[1..].iter().all(|handle| handle.is_same_batch(&handles[0])));
    assert_all_written(&handles);
    assert_eq!(cluster.batches("orders", 0).len(), 1);
    let value = "x".repeat(1_000);
    let handles: Vec<_> = (0..100).map(|_| send(&producer, &value)).collect();
    assert_all_written(&handles);
    // 16 of these fill a batch of 16,384 bytes.
    assert_eq!(cluster.batches("orders", 0).len(), 1 + 7);
}

#[test]
fn keyless_records_reach_all_partitions_and_keys_stay_together() {
    let cluster = cluster(4);
    let producer = builder(&cluster).linger(Duration::from_millis(1)).batch_size(500_usize).build().unwrap();
    let keyless: Vec<_> = (0..4_000)
        .map(|index: u32| producer.send(ProducerRecord::new("orders").value(&index.to_string())).unwrap())
        .collect();
    assert_all_written(&keyless);
    for partition in 0..4 {
        assert!(cluster.end_offset("orders", partition) > 20, "partition {partition} was left out");
    }
    for key in ["a", "b", "c"] {
        let partitions: Vec<i32> = (0..20)
            .map(|_| producer.send(ProducerRecord::new("orders").key(key).value("x")).unwrap())
            .map(|handle| handle.get(PATIENCE).unwrap().partition())
            .collect();
        assert!(partitions.iter().all(|partition| *partition == partitions[0]), "{key}: {partitions:?}");
    }
}

#[test]
fn idempotence_that_is_refused_is_an_error_only_when_asked_for() {
    let cluster = cluster(1);
    cluster.on(ApiKey::INIT_PRODUCER_ID).always().error(ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
    let asked = builder(&cluster).enable_idempotence(true).build().unwrap();
    let error = send(&asked, "x").get(PATIENCE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authorization, "{error}");
    assert!(error.to_string().contains("enable.idempotence"), "{error}");
    let default = builder(&cluster).build().unwrap();
    send(&default, "0").get(PATIENCE).unwrap();
    let fault = cluster.on(ApiKey::PRODUCE).times(3).error(ErrorCode::NOT_LEADER_OR_FOLLOWER);
    assert_all_written(&send_batches(&default, (1..20).map(|index| index.to_string())));
    assert_eq!(fault.hits(), 3);
    let expected: Vec<String> = (0..20).map(|index| index.to_string()).collect();
    assert_eq!(values(&cluster, 0), expected, "in order, one batch at a time");
}

#[test]
fn throttled_producers_keep_quiet() {
    let cluster = cluster(1);
    let producer = builder(&cluster).build().unwrap();
    cluster.on(ApiKey::PRODUCE).once().throttle(Duration::from_millis(400));
    send(&producer, "one").get(PATIENCE).unwrap();
    let started = Instant::now();
    send(&producer, "two").get(PATIENCE).unwrap();
    assert!(started.elapsed() >= Duration::from_millis(350), "{:?}", started.elapsed());
}

#[test]
fn drop_and_close_are_bounded_whatever_the_brokers_do() {
    // Other tests have threads of their own; these are known by the client's id.
    let threads = || {
        let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        tasks
            .filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok())
            .filter(|name| name.trim_end() == "kavka-io-bound")
            .count()
    };
    for fault in ["never answers", "stops reading", "is gone"] {
        let cluster = cluster(1);
        let producer =
            builder(&cluster).client_id("bound").drop_timeout(Duration::from_millis(200)).build().unwrap();
        send(&producer, "first").get(PATIENCE).unwrap();
        assert_eq!(threads(), if cfg!(target_os = "linux") { 1 } else { 0 }, "one thread a client");
        match fault {
            "never answers" => drop(cluster.on(ApiKey::PRODUCE).always().never_answer()),
            "stops reading" => cluster.stop_reading(1).unwrap(),
            _ => cluster.kill(1).unwrap(),
        }
        let handle = send(&producer, "stuck");
        let started = Instant::now();
        drop(producer);
        assert!(started.elapsed() < Duration::from_millis(600), "{fault}: {:?}", started.elapsed());
        assert_eq!(handle.get(Duration::ZERO).unwrap_err().kind(), ErrorKind::Closed, "{fault}");
        let deadline = Instant::now() + PATIENCE;
        while threads() > 0 {
            assert!(Instant::now() < deadline, "{fault}: a thread is left behind");
            thread::yield_now();
        }
    }
}

#[test]
fn a_topic_is_created_on_first_use_where_that_is_allowed() {
    let cluster = MockCluster::builder().auto_create_topics(true).default_partitions(3).start().unwrap();
    let producer = builder(&cluster).build().unwrap();
    let outcomes: Vec<_> = thread::scope(|scope| {
        let senders: Vec<_> = (0..8)
            .map(|thread| {
                let producer = &producer;
                scope.spawn(move || {
                    (0..6)
                        .map(|index| format!("topic-{thread}-{index}"))
                        .map(|topic| producer.send(ProducerRecord::new(&topic).value("x"))?.get(PATIENCE))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
    });
    assert_eq!(outcomes.len(), 48);
    outcomes.into_iter().for_each(|outcome| assert_eq!(outcome.unwrap().offset(), Some(0)));
    let refusing = builder(&cluster)
        .allow_auto_create_topics(false)
        .max_block(Duration::from_millis(300))
        .build()
        .unwrap();
    let error = refusing.send(ProducerRecord::new("another").value("x")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownTopic, "{error}");
}

#[test]
fn partitions_and_serializers_of_the_programs_own() {
    use kavka::producer::partitioner::{PartitionInput, PartitionView};
    use kavka::serializer::{JsonSerializer, from_fn};

    let cluster = cluster(3);
    let by_length = |record: &PartitionInput<'_>, topic: &PartitionView<'_>| {
        Some(record.value.map_or(0, <[u8]>::len) as i32 % topic.partitions())
    };
    let producer = builder(&cluster)
        .key_serializer(from_fn(|key: &u16| Ok(key.to_string().into_bytes())))
        .value_serializer(JsonSerializer::<Vec<u32>>::new())
        .partitioner(by_length)
        .build()
        .unwrap();
    let metadata = producer
        .send(ProducerRecord::new("orders").key(&7_u16).value(&vec![1, 2]))
        .unwrap()
        .get(PATIENCE)
        .unwrap();
    assert_eq!(metadata.partition(), 5 % 3);
    let record = &cluster.records("orders", 2)[0];
    assert_eq!((record.key_str(), record.value_str()), ("7".to_owned(), "[1,2]".to_owned()));

    let failing = builder(&cluster)
        .value_serializer(from_fn(|_: &str| -> kavka::Result<Vec<u8>> {
            Err(Error::new(ErrorKind::Serialization, "no such luck"))
        }))
        .build()
        .unwrap();
    let error = failing.send(ProducerRecord::new("orders").value("x")).unwrap_err();
    assert_eq!((error.kind(), error.topic()), (ErrorKind::Serialization, Some("orders")));
    assert!(error.to_string().contains("value: no such luck"), "{error}");
}

#[test]
fn shared_by_threads_without_a_lock() {
    let cluster = cluster(2);
    let producer = builder(&cluster).linger(Duration::from_millis(1)).build().unwrap();
    let offsets = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let metadata = producer
                        .send(ProducerRecord::new("orders").value("x"))
                        .unwrap()
                        .get(PATIENCE)
                        .unwrap();
                    offsets.lock().unwrap().push((metadata.partition(), metadata.offset()));
                }
            });
        }
    });
    let mut offsets = offsets.into_inner().unwrap();
    offsets.sort_unstable();
    offsets.dedup();
    assert_eq!(offsets.len(), 1_600);
    assert_eq!(cluster.end_offset("orders", 0) + cluster.end_offset("orders", 1), 1_600);
}

#[test]
fn the_first_batches_of_a_partition_keep_their_order() {
    let cluster = cluster(1);
    // A leader that does not lead yet, as when the topic is being created. Kafka takes any sequence from a
    // producer that it does not know.
    let fault = cluster.on(ApiKey::PRODUCE).once().error(ErrorCode::NOT_LEADER_OR_FOLLOWER);
    let producer = builder(&cluster).batch_size(100_usize).build().unwrap();
    let expected: Vec<String> = (0..100).map(|index| index.to_string()).collect();
    assert_all_written(&send_batches(&producer, expected.clone()));
    assert_eq!(fault.hits(), 1);
    assert_eq!(values(&cluster, 0), expected);
}

#[test]
fn partitions_that_a_topic_gets_later_are_used() {
    let cluster = cluster(1);
    let producer = builder(&cluster).metadata_max_age(Duration::from_millis(100)).build().unwrap();
    producer.send(ProducerRecord::new("orders").value("x")).unwrap().get(PATIENCE).unwrap();
    let admin =
        kavka::KafkaAdminClient::builder().bootstrap_servers(cluster.bootstrap_servers()).build().unwrap();
    for (_, result) in admin.create_partitions([kavka::admin::NewPartitions::new("orders", 3)]).unwrap() {
        result.unwrap();
    }
    let deadline = Instant::now() + PATIENCE;
    while (0..3).any(|partition| cluster.end_offset("orders", partition) == 0) {
        assert!(Instant::now() < deadline, "a new partition was never used");
        producer.send(ProducerRecord::new("orders").value("x")).unwrap().get(PATIENCE).unwrap();
    }
}

#[test]
fn a_batch_that_may_have_been_written_keeps_its_number_until_that_is_known() {
    let cluster = cluster(1);
    let producer = builder(&cluster)
        .delivery_timeout(Duration::from_secs(2))
        .request_timeout(Duration::from_secs(1))
        .retry_backoff(Duration::from_millis(10))
        .retry_backoff_max(Duration::from_millis(10))
        .build()
        .unwrap();
    send(&producer, "first").get(PATIENCE).unwrap();
    // Both are written; of the one comes an error, of the other nothing.
    cluster.on(ApiKey::PRODUCE).nth(1..=1).delay(Duration::from_millis(700));
    cluster.on(ApiKey::PRODUCE).nth(1..=1).error_after(ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND);
    cluster.on(ApiKey::PRODUCE).nth(2..=2).drop_after();
    let fault = cluster.on(ApiKey::PRODUCE).nth(3..=u64::MAX).error(ErrorCode::NOT_ENOUGH_REPLICAS);
    let expires = send(&producer, "A");
    thread::sleep(Duration::from_millis(500));
    let lost = send(&producer, "B");
    let error = expires.get(PATIENCE).unwrap_err();
    assert!(error.kind() == ErrorKind::Timeout && error.maybe_written(), "{error}");
    fault.remove();
    assert_eq!(lost.get(PATIENCE).unwrap().offset(), Some(2));
    assert_eq!(send(&producer, "C").get(PATIENCE).unwrap().offset(), Some(3));
    assert_eq!(values(&cluster, 0), ["first", "A", "B", "C"]);
    assert_at_rest(&producer);
}

#[test]
fn a_close_tells_what_may_be_written() {
    let cluster = cluster(1);
    let producer = builder(&cluster).max_in_flight_requests_per_connection(1_usize).build().unwrap();
    send(&producer, "first").get(PATIENCE).unwrap();
    let fault = cluster.on(ApiKey::PRODUCE).never_answer();
    let sent = send(&producer, "sent");
    assert!(cluster.wait_for(PATIENCE, |_| fault.hits() == 1));
    let unsent = send(&producer, "unsent");
    let report = producer.close(Duration::from_millis(50)).unwrap_err();
    assert_eq!((report.records(), report.maybe_written_records(), report.batches()), (2, 1, 2));
    let errors = [sent, unsent].map(|handle| handle.get(PATIENCE).unwrap_err());
    assert_eq!(errors.each_ref().map(Error::kind), [ErrorKind::Closed; 2]);
    assert_eq!(errors.each_ref().map(Error::maybe_written), [true, false]);
    assert_eq!(values(&cluster, 0), ["first", "sent"]);
}

#[test]
fn without_retries_a_lost_answer_leaves_it_open_what_was_written() {
    let cluster = cluster(1);
    let producer = builder(&cluster).retries(0_u32).build().unwrap();
    cluster.on(ApiKey::PRODUCE).drop_after();
    let error = send(&producer, "lost").get(PATIENCE).unwrap_err();
    assert!(error.maybe_written(), "{error}");
    assert_eq!(values(&cluster, 0), ["lost"]);
}

#[test]
fn brokers_before_0_11_get_their_record_format() {
    use kavka::config::CompressionType;
    use kavka::mock::VersionTable;

    for table in [VersionTable::kafka_0_10_0(), VersionTable::kafka_0_11()] {
        let cluster = MockCluster::builder().topic("orders", 1).versions(table).start().unwrap();
        let mut expected = Vec::new();
        for codec in
            [CompressionType::None, CompressionType::Gzip, CompressionType::Snappy, CompressionType::Lz4]
        {
            let producer =
                builder(&cluster).compression_type(codec).linger(Duration::from_millis(20)).build().unwrap();
            let part: Vec<String> = (0..10).map(|index| format!("{codec} {index}")).collect();
            assert_all_written(&send_batches(&producer, part.clone()));
            expected.extend(part);
        }
        assert_eq!(values(&cluster, 0), expected);
    }
}

#[test]
fn a_duplicate_is_no_success_for_a_batch_that_was_not_sent_under_its_numbers() {
    let cluster = cluster(1);
    let producer = builder(&cluster).build().unwrap();
    send(&producer, "first").get(PATIENCE).unwrap();
    // The first answer has the batch numbered anew; what the second one says of those numbers cannot be.
    cluster.on(ApiKey::PRODUCE).nth(1..=1).error(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    cluster.on(ApiKey::PRODUCE).nth(2..=2).error(ErrorCode::DUPLICATE_SEQUENCE_NUMBER);
    let error = send(&producer, "second").get(PATIENCE).unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::DUPLICATE_SEQUENCE_NUMBER), "{error}");
    assert_eq!(values(&cluster, 0), ["first"]);
    send(&producer, "third").get(PATIENCE).unwrap();
    assert_eq!(values(&cluster, 0), ["first", "third"]);
}

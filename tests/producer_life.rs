//! A producer's surroundings, against MockCluster: what it measures, whom it asks and tells, and how it ends.

#![allow(clippy::disallowed_methods, reason = "a test measures with its own clock how long calls take")]

#[path = "producer_life/serializers.rs"]
mod serializers;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kavka::config::CompressionType;
use kavka::metrics::MetricsSnapshot;
use kavka::mock::MockCluster;
use kavka::producer::partitioner::{PartitionInput, PartitionView, Partitioner};
use kavka::producer::{Acknowledgement, OutgoingRecord, ProducerBuilder, ProducerInterceptor};
use kavka::protocol::ApiKey;
use kavka::serializer::from_fn;
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

/// Waits until the metrics are as they should be; the IO thread may record after the caller has its answer.
#[track_caller]
fn wait_for_metrics(producer: &KafkaProducer, what: impl Fn(&MetricsSnapshot) -> bool) -> MetricsSnapshot {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let metrics = producer.metrics();
        if what(&metrics) {
            return metrics;
        }
        assert!(Instant::now() < deadline, "{metrics:#?}");
        std::thread::yield_now();
    }
}

#[test]
fn metrics_tell_what_was_sent_and_where() {
    let cluster = cluster(1);
    let producer = builder(&cluster)
        .client_id("counted")
        .compression_type(CompressionType::Lz4)
        .linger(Duration::from_secs(60))
        .build()
        .unwrap();
    let before = producer.metrics();
    assert_eq!(before.get("producer-metrics", "record-send-total"), Some(0.0));
    assert!(before.get("producer-metrics", "batch-size-avg").unwrap().is_nan());
    let handles: Vec<_> = (0..50).map(|_| send(&producer, &"x".repeat(200))).collect();
    producer.flush(PATIENCE).unwrap();
    handles.iter().for_each(|handle| assert!(handle.succeeded()));
    let metrics = producer.metrics();
    let value = |name| metrics.get("producer-metrics", name).unwrap_or_else(|| panic!("{name}"));
    assert_eq!(value("record-send-total"), 50.0);
    assert_eq!(value("records-per-request-avg"), 50.0);
    assert!(value("record-send-rate") > 0.5, "50 in at most 60 s");
    assert!(value("record-size-max") > 200.0 && value("record-size-max") < 220.0);
    assert!(value("compression-rate-avg") < 0.5, "it compresses well");
    assert_eq!(value("byte-total"), value("batch-size-max"));
    assert!(value("record-queue-time-max") >= 0.0 && value("request-latency-max") > 0.0);
    assert_eq!((value("record-error-total"), value("record-retry-total")), (0.0, 0.0));
    assert_eq!(value("buffer-total-bytes"), 33_554_432.0);
    assert!(value("flush-time-ns-total") > 0.0 && value("metadata-wait-time-ns-total") > 0.0);
    assert!(value("metadata-age") < 60.0);
    assert_eq!((value("waiting-threads"), value("requests-in-flight")), (0.0, 0.0));
    assert!(value("connection-count") >= 1.0 && value("connection-creation-total") >= 1.0);
    assert!(value("request-total") >= 3.0, "metadata, producer id, produce");

    let of_topic = [("topic", "orders")];
    let topic = |name| metrics.find("producer-topic-metrics", name, &of_topic).unwrap().value();
    assert_eq!((topic("record-send-total"), topic("byte-total")), (50.0, value("byte-total")));
    let of_node = [("client-id", "counted"), ("node-id", "node-1")];
    let node = metrics.find("producer-node-metrics", "request-total", &of_node).unwrap();
    assert!(node.value() >= 1.0 && node.is_counter());

    let text = metrics.to_prometheus();
    assert!(text.contains("\nkafka_producer_record_send_total{client_id=\"counted\"} 50\n"), "{text}");
    assert!(
        text.contains("kafka_producer_topic_record_send_total{client_id=\"counted\",topic=\"orders\"} 50\n"),
        "{text}"
    );
    assert_eq!(text.matches("# TYPE kafka_producer_record_send_total counter\n").count(), 1);

    producer.close(PATIENCE).unwrap();
    assert_eq!(
        producer.metrics().get("producer-metrics", "record-send-total"),
        Some(50.0),
        "after a close, too"
    );
}

#[test]
fn metrics_tell_of_retries_errors_splits_and_throttling() {
    let cluster = MockCluster::builder().topic("orders", 1).message_max_bytes(600).start().unwrap();
    let producer = builder(&cluster).retry_backoff(Duration::from_millis(1)).build().unwrap();
    cluster.on(ApiKey::PRODUCE).times(2).error(ErrorCode::NOT_ENOUGH_REPLICAS);
    send(&producer, "retried").get(PATIENCE).unwrap();
    let metrics = wait_for_metrics(&producer, |metrics| {
        metrics.get("producer-metrics", "requests-in-flight") == Some(0.0)
    });
    assert_eq!(metrics.get("producer-metrics", "record-retry-total"), Some(2.0));
    assert_eq!(metrics.get("producer-metrics", "record-send-total"), Some(3.0), "each attempt counts");
    assert_eq!(metrics.get("producer-topic-metrics", "record-retry-total"), Some(2.0));

    cluster.on(ApiKey::PRODUCE).once().error(ErrorCode::INVALID_TIMESTAMP);
    send(&producer, "refused").get(PATIENCE).unwrap_err();
    let metrics = producer.metrics();
    assert_eq!(metrics.get("producer-metrics", "record-error-total"), Some(1.0));
    assert_eq!(metrics.get("producer-topic-metrics", "record-error-total"), Some(1.0));

    // The delay keeps the first one out while the other records fill one batch that is too large.
    cluster.on(ApiKey::PRODUCE).once().delay(Duration::from_millis(50));
    let handles: Vec<_> = (0..20).map(|_| send(&producer, &"x".repeat(100))).collect();
    handles.iter().for_each(|handle| drop(handle.get(PATIENCE).unwrap()));
    wait_for_metrics(&producer, |metrics| {
        metrics.get("producer-metrics", "batch-split-total").unwrap() >= 1.0
    });
    cluster.on(ApiKey::PRODUCE).once().throttle(Duration::from_millis(30));
    send(&producer, "throttled").get(PATIENCE).unwrap();
    wait_for_metrics(&producer, |metrics| {
        metrics.get("producer-metrics", "produce-throttle-time-max") == Some(30.0)
            && metrics.get("producer-node-metrics", "throttle-time-max") == Some(30.0)
    });
}

/// The names of the Java producer's metrics (4.x) that have a counterpart: a rate and a total, an average and a maximum.
const JAVAS: [(&str, &[&str]); 3] = [
    (
        "producer-metrics",
        &[
            "batch-size-avg/max",
            "batch-split-rate/total",
            "buffer-available-bytes",
            "buffer-exhausted-rate/total",
            "buffer-total-bytes",
            "bufferpool-wait-ratio",
            "bufferpool-wait-time-ns-total",
            "compression-rate-avg",
            "connection-close-rate/total",
            "connection-count",
            "connection-creation-rate/total",
            "failed-authentication-rate/total",
            "failed-reauthentication-rate/total",
            "flush-time-ns-total",
            "incoming-byte-rate/total",
            "metadata-age",
            "metadata-wait-time-ns-total",
            "network-io-rate/total",
            "outgoing-byte-rate/total",
            "produce-throttle-time-avg/max",
            "reauthentication-latency-avg/max",
            "record-error-rate/total",
            "record-queue-time-avg/max",
            "record-retry-rate/total",
            "record-send-rate/total",
            "record-size-avg/max",
            "records-per-request-avg",
            "request-latency-avg/max",
            "request-rate/total",
            "request-size-avg/max",
            "requests-in-flight",
            "response-rate/total",
            "successful-authentication-no-reauth-total",
            "successful-authentication-rate/total",
            "successful-reauthentication-rate/total",
            "txn-abort-time-ns-total",
            "txn-begin-time-ns-total",
            "txn-commit-time-ns-total",
            "txn-init-time-ns-total",
            "txn-send-offsets-time-ns-total",
            "waiting-threads",
        ],
    ),
    (
        "producer-node-metrics",
        &[
            "incoming-byte-rate/total",
            "outgoing-byte-rate/total",
            "request-latency-avg/max",
            "request-rate/total",
            "request-size-avg/max",
            "response-rate/total",
        ],
    ),
    (
        "producer-topic-metrics",
        &[
            "byte-rate/total",
            "compression-rate",
            "record-error-rate/total",
            "record-retry-rate/total",
            "record-send-rate/total",
        ],
    ),
];

#[test]
fn metrics_have_the_names_of_javas() {
    let cluster = cluster(1);
    let producer = builder(&cluster).build().unwrap();
    send(&producer, "x").get(PATIENCE).unwrap();
    let metrics = producer.metrics();
    for (group, names) in JAVAS {
        for name in names {
            let (first, second) = name.split_once('/').unwrap_or((name, ""));
            assert!(metrics.get(group, first).is_some(), "{group}: {first}");
            if let Some((stem, _)) = first.rsplit_once('-').filter(|_| !second.is_empty()) {
                assert!(metrics.get(group, &format!("{stem}-{second}")).is_some(), "{group}: {name}");
            }
        }
    }
    assert_eq!(metrics.get("kafka-metrics-count", "count"), Some(metrics.len() as f64));
}

#[test]
fn metrics_can_be_off() {
    let cluster = cluster(1);
    let producer = builder(&cluster).metrics_enabled(false).build().unwrap();
    send(&producer, "x").get(PATIENCE).unwrap();
    assert!(producer.metrics().is_empty());
    let error = builder(&cluster).set("metrics.num.samples", "0").build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
}

/// The partition of each acknowledged record, one sent after the other.
fn one_by_one(producer: &KafkaProducer, count: usize, value: &str) -> Vec<i32> {
    let send = |_| {
        let handle = producer.send(ProducerRecord::new("orders").value(value)).unwrap();
        handle.get(PATIENCE).unwrap().partition()
    };
    (0..count).map(send).collect()
}

#[test]
fn keyless_records_stay_with_a_partition_for_the_bytes_of_a_batch_however_many_batches_that_takes() {
    let cluster = cluster(8);
    let producer = builder(&cluster).batch_size(2_000_usize).build().unwrap();
    let partitions = one_by_one(&producer, 200, &"x".repeat(400));
    let runs: Vec<usize> = partitions.chunk_by(|a, b| a == b).map(<[i32]>::len).collect();
    // A batch of its own each: 4 of these are below 2,000 bytes, so each run but the last is 5, or 5 and 5 where
    // chance took the same partition again.
    assert!(runs.iter().rev().skip(1).all(|run| run % 4 == 0 || run % 5 == 0), "{runs:?}");
    assert!(runs.len() > 10, "{runs:?}");
    let mut reached = partitions.clone();
    reached.sort_unstable();
    reached.dedup();
    assert!(reached.len() >= 6, "{reached:?}");
}

/// How many of 3,000 keyless records go to the partitions of a broker that answers slowly. Few are out at a time, so
/// that its queue grows.
fn share_of_the_slow(adaptive: bool) -> usize {
    let cluster = MockCluster::builder().brokers(2).topic("orders", 4).start().unwrap();
    (0..4).for_each(|partition| cluster.move_leader("orders", partition, 1 + partition % 2).unwrap());
    cluster.on(ApiKey::PRODUCE).broker(2).always().delay(Duration::from_millis(10));
    let producer = builder(&cluster)
        .partitioner_adaptive_partitioning_enable(adaptive)
        .batch_size(1_000_usize)
        .linger(Duration::from_millis(1))
        .build()
        .unwrap();
    let value = "x".repeat(100);
    let mut handles = Vec::new();
    for index in 0..3_000 {
        handles.push(producer.send(ProducerRecord::new("orders").value(&value)).unwrap());
        if index % 30 == 0 {
            // No faster than the healthy broker, which is what makes the difference.
            let healthy = handles.iter().rev().find(|handle| handle.topic_partition().partition() % 2 == 0);
            healthy.inspect(|handle| drop(handle.get(PATIENCE).unwrap()));
        }
    }
    let partition = |handle: &FutureRecordMetadata| handle.get(PATIENCE).unwrap().partition();
    handles.iter().map(partition).filter(|partition| partition % 2 == 1).count()
}

#[test]
fn a_slow_broker_gets_fewer_keyless_records() {
    let (evenly, by_load) = (share_of_the_slow(false), share_of_the_slow(true));
    assert!((1_100..1_900).contains(&evenly), "{evenly} of 3,000 where load does not count");
    assert!(by_load < 1_000, "{by_load} of 3,000 where load counts");
}

#[test]
fn partitions_of_a_broker_that_takes_nothing_are_passed_over() {
    let cluster = MockCluster::builder().brokers(2).topic("orders", 4).start().unwrap();
    (0..4).for_each(|partition| cluster.move_leader("orders", partition, 1 + partition % 2).unwrap());
    let producer = builder(&cluster)
        .batch_size(300_usize)
        .set("partitioner.availability.timeout.ms", "50")
        .set("max.in.flight.requests.per.connection", "1")
        .build()
        .unwrap();
    let value = "x".repeat(200);
    one_by_one(&producer, 20, &value);
    cluster.stop_reading(2).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut in_a_row = 0;
    while in_a_row < 100 {
        assert!(Instant::now() < deadline, "it goes on being chosen");
        let handle = producer.send(ProducerRecord::new("orders").value(&value)).unwrap();
        if handle.topic_partition().partition() % 2 == 0 {
            handle.get(PATIENCE).unwrap();
            in_a_row += 1;
        } else {
            in_a_row = 0;
        }
    }
    // Once it reads again it gets records again.
    cluster.resume_reading(2).unwrap();
    producer.flush(PATIENCE).unwrap();
    while !one_by_one(&producer, 10, &value).iter().any(|partition| partition % 2 == 1) {
        assert!(Instant::now() < deadline, "it is never chosen again");
    }
}

#[test]
fn partitioners_have_names() {
    let cluster = cluster(7);
    let of = |name: &str, key: Option<&str>| {
        let producer = builder(&cluster).set("partitioner.class", name).build().unwrap();
        let send = || {
            let record = ProducerRecord::new("orders").key(&key).value("x");
            producer.send(record).unwrap().get(PATIENCE).unwrap().partition()
        };
        [send(), send(), send()]
    };
    assert_eq!(of("default", Some("abc")), [479_470_107 % 7; 3]);
    assert_eq!(of("org.apache.kafka.clients.producer.RoundRobinPartitioner", Some("abc")), [0, 1, 2]);
    assert_eq!(of("consistent", Some("123456789")), [(0xcbf4_3926_u32 % 7) as i32; 3]);
    assert_eq!(of("consistent", None), [0; 3]);
    assert_eq!(of("consistent_random", Some("123456789")), [(0xcbf4_3926_u32 % 7) as i32; 3]);
    assert_eq!(of("murmur2", Some("abc")), [479_470_107 % 7; 3]);
    assert_eq!(of("murmur2_random", Some("abc")), [479_470_107 % 7; 3]);
    let fnv1a = (0xbf9c_f968_u32 as i32).unsigned_abs() % 7;
    assert_eq!(of("fnv1a", Some("foobar")), [fnv1a as i32; 3]);
    assert_eq!(of("fnv1a_random", Some("foobar")), [fnv1a as i32; 3]);

    let error = builder(&cluster).set("partitioner", "by_luck").build().unwrap_err();
    assert!(error.to_string().contains("is not one of default, uniform_sticky, round_robin"), "{error}");
    let both = builder(&cluster)
        .set("partitioner", "round_robin")
        .partitioner(|_: &PartitionInput<'_>, _: &PartitionView<'_>| Some(0))
        .build()
        .unwrap_err();
    assert!(both.to_string().contains("a partitioner of the program's own"), "{both}");
}

#[test]
fn keys_can_be_left_out_of_the_choice() {
    let cluster = cluster(16);
    for (option, value) in [("partitioner.ignore.keys", "true"), ("partitioner.class", "uniform_sticky")] {
        let producer = builder(&cluster).batch_size(1_usize).set(option, value).build().unwrap();
        let send = |_| {
            let handle = producer.send(ProducerRecord::new("orders").key("the same").value("x")).unwrap();
            handle.get(PATIENCE).unwrap().partition()
        };
        let mut partitions: Vec<i32> = (0..60).map(send).collect();
        partitions.sort_unstable();
        partitions.dedup();
        assert!(partitions.len() > 8, "{option}: {partitions:?}");
    }
}

/// Stays with a partition for the length of a batch, and panics when it is told to.
struct Batchwise(AtomicUsize);

impl Partitioner for Batchwise {
    fn partition(&self, record: &PartitionInput<'_>, topic: &PartitionView<'_>) -> Option<i32> {
        assert_ne!(record.value, Some(&b"panic"[..]), "as told");
        Some(self.0.load(Ordering::SeqCst) as i32 % topic.partitions())
    }

    fn on_new_batch(&self, _: &PartitionInput<'_>, topic: &PartitionView<'_>, _: i32) -> i32 {
        (self.0.fetch_add(1, Ordering::SeqCst) + 1) as i32 % topic.partitions()
    }
}

#[test]
fn a_partitioner_of_the_programs_own_hears_of_new_batches_and_its_panics_are_errors() {
    let cluster = cluster(3);
    let producer = builder(&cluster)
        .partitioner(Batchwise(AtomicUsize::new(0)))
        .linger(Duration::from_secs(60))
        .batch_size(1_000_usize)
        .build()
        .unwrap();
    let value = "x".repeat(300);
    let send = |_| producer.send(ProducerRecord::new("orders").value(&value)).unwrap();
    let handles: Vec<_> = (0..9).map(send).collect();
    let error = producer.send(ProducerRecord::new("orders").value("panic")).unwrap_err();
    assert_eq!((error.kind(), error.topic()), (ErrorKind::Panic, Some("orders")));
    assert!(
        error.to_string().contains("the partitioner panicked: ") && error.to_string().contains("as told")
    );
    producer.flush(PATIENCE).unwrap();
    let partitions: Vec<i32> = handles.iter().map(|handle| handle.topic_partition().partition()).collect();
    assert_eq!(partitions, [1, 1, 1, 2, 2, 2, 0, 0, 0]);
    assert_eq!(producer.buffer_available_bytes(), producer.config().buffer_memory);
}

/// What interceptors saw, in order.
type Seen = Arc<Mutex<Vec<String>>>;

struct Spy {
    name: &'static str,
    seen: Seen,
}

impl ProducerInterceptor for Spy {
    fn on_send(&self, record: &mut OutgoingRecord<'_>) -> kavka::Result<()> {
        let value = String::from_utf8_lossy(record.value().unwrap_or_default()).into_owned();
        self.seen.lock().unwrap().push(format!("{} sends {value}", self.name));
        record.headers_mut().push("by", self.name);
        match value.as_str() {
            "fail" => Err(Error::new(ErrorKind::InvalidArgument, "the interceptor fails")),
            "panic" => panic!("the interceptor panics"),
            "elsewhere" => {
                record.set_topic("returns");
                record.set_partition(Some(1));
                record.set_key(Some(b"k".to_vec()));
                record.set_value(Some(b"moved".to_vec()));
                record.set_timestamp(7);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn on_acknowledgement(&self, acknowledgement: &Acknowledgement<'_>) {
        let outcome = match acknowledgement.result() {
            Ok(metadata) => format!("offset {:?}", metadata.offset()),
            Err(error) => format!("{:?}", error.kind()),
        };
        let (topic, partition) = (acknowledgement.topic(), acknowledgement.partition());
        let headers = acknowledgement.headers().len();
        self.seen.lock().unwrap().push(format!("{} {topic} {partition:?} {outcome} {headers}", self.name));
        assert_ne!(partition, Some(0), "panics for partition 0");
    }
}

fn take(seen: &Seen) -> Vec<String> {
    std::mem::take(&mut *seen.lock().unwrap())
}

#[test]
fn interceptors_see_and_change_records_and_their_faults_stay_theirs() {
    let cluster = MockCluster::builder().topic("orders", 2).topic("returns", 2).start().unwrap();
    let seen = Seen::default();
    let spy = |name| Spy { name, seen: Arc::clone(&seen) };
    let producer = builder(&cluster).interceptor(spy("a")).interceptor(spy("b")).build().unwrap();
    let send = |value: &str| producer.send(ProducerRecord::new("orders").partition(1).value(value)).unwrap();

    send("plain").get(PATIENCE).unwrap();
    producer.flush(PATIENCE).unwrap();
    assert_eq!(
        take(&seen),
        [
            "a sends plain",
            "b sends plain",
            "a orders Some(1) offset Some(0) 2",
            "b orders Some(1) offset Some(0) 2"
        ]
    );
    let moved = send("elsewhere").get(PATIENCE).unwrap();
    assert_eq!((moved.topic(), moved.partition(), moved.timestamp()), ("returns", 1, 7));
    let record = &cluster.records("returns", 1)[0];
    assert_eq!((record.key_str(), record.value_str()), ("k".to_owned(), "moved".to_owned()));
    producer.flush(PATIENCE).unwrap();
    take(&seen);

    for value in ["fail", "panic"] {
        send(value).get(PATIENCE).unwrap();
        let record = cluster.records("orders", 1).pop().unwrap();
        assert_eq!((record.value_str(), record.headers.len()), (value.to_owned(), 0), "as it was before");
    }
    // A panic in on_acknowledgement harms neither the record nor the other interceptors.
    let handle = producer.send(ProducerRecord::new("orders").partition(0).value("x")).unwrap();
    handle.get(PATIENCE).unwrap();
    producer.flush(PATIENCE).unwrap();
    let all = take(&seen);
    assert!(all.contains(&"b orders Some(0) offset Some(0) 2".to_owned()), "{all:?}");

    // Refused before it had a partition, and after it was sent.
    producer.send(ProducerRecord::new("bad name!").value("x")).unwrap_err();
    assert!(take(&seen).contains(&"b bad name! None InvalidArgument 2".to_owned()));
    cluster.on(ApiKey::PRODUCE).once().error(ErrorCode::INVALID_RECORD);
    send("x").get(PATIENCE).unwrap_err();
    producer.flush(PATIENCE).unwrap();
    assert!(take(&seen).contains(&"a orders Some(1) Broker 2".to_owned()));
}

#[test]
fn panics_of_serializers_are_errors_of_the_send_and_of_nothing_else() {
    let cluster = cluster(1);
    let picky = from_fn(|value: &str| match value {
        "panic" => panic!("it does not like {value}"),
        value => Ok(value.as_bytes().to_vec()),
    });
    let producer = builder(&cluster).value_serializer(picky).build().unwrap();
    let error = producer.send(ProducerRecord::new("orders").value("panic")).unwrap_err();
    assert_eq!((error.kind(), error.topic()), (ErrorKind::Panic, Some("orders")));
    assert!(error.to_string().contains("value: the serializer panicked: it does not like panic"), "{error}");
    producer.send(ProducerRecord::new("orders").value("fine")).unwrap().get(PATIENCE).unwrap();
}

#[test]
fn callbacks_of_a_partition_run_in_the_order_of_its_records() {
    let cluster = cluster(2);
    let producer =
        builder(&cluster).batch_size(200_usize).retry_backoff(Duration::from_millis(1)).build().unwrap();
    cluster.on(ApiKey::PRODUCE).nth(2..=3).error(ErrorCode::NOT_ENOUGH_REPLICAS);
    cluster.on(ApiKey::PRODUCE).nth(6..=6).drop_after();
    // Held back, so that most callbacks are there before their outcome is.
    cluster.on(ApiKey::PRODUCE).nth(1..=1).delay(Duration::from_millis(100));
    let order = Arc::new(Mutex::new(Vec::new()));
    for index in 0..500_u32 {
        let partition = index as i32 % 2;
        let order = Arc::clone(&order);
        producer
            .send(ProducerRecord::new("orders").partition(partition).value(&index.to_string()))
            .unwrap()
            .add_both(move |result| order.lock().unwrap().push((result.unwrap(), index)));
    }
    producer.flush(PATIENCE).unwrap();
    let order = order.lock().unwrap();
    assert_eq!(order.len(), 500);
    for partition in 0..2 {
        let of = order.iter().filter(|(metadata, _)| metadata.partition() == partition);
        let (offsets, sent): (Vec<_>, Vec<_>) =
            of.map(|(metadata, index)| (metadata.offset(), *index)).unzip();
        assert!(offsets.is_sorted() && sent.is_sorted(), "{offsets:?} {sent:?}");
    }
}

#[test]
fn a_close_reports_what_it_gave_up() {
    let cluster = cluster(2);
    let producer = builder(&cluster).batch_size(100_usize).build().unwrap();
    send(&producer, "known").get(PATIENCE).unwrap();
    cluster.stop_reading(1).unwrap();
    // Two batches of one record are out for each partition at most once they have been looked at; the rest waits.
    let handles: Vec<_> = (0..40).map(|index| send(&producer, &format!("{index:060}"))).collect();
    let deadline = Instant::now() + PATIENCE;
    while producer.metrics().get("producer-metrics", "requests-in-flight") != Some(5.0) {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    let began = Instant::now();
    let report = producer.close(Duration::ZERO).unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(5), "close(0) waits for nothing");
    assert_eq!((report.records(), report.batches()), (40, 40), "{report}");
    let maybe =
        handles.iter().filter(|handle| handle.try_get().unwrap().unwrap_err().maybe_written()).count();
    assert_eq!(report.maybe_written_records(), maybe as u64);
    assert!((1..=5).contains(&maybe), "{maybe} were out");
    assert!(report.to_string().contains(&format!("gave up 40 records in 40 batches, of which {maybe} may")));
    let error = Error::from(report);
    assert!(error.kind() == ErrorKind::Timeout && error.maybe_written() && !error.is_retriable());

    // All is over: every call says so at once, and a second close has nothing to report.
    producer.close(PATIENCE).unwrap();
    let refused = producer.send(ProducerRecord::new("orders").value("late")).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Closed);
    assert_eq!(producer.partitions_for("unheard-of").unwrap_err().kind(), ErrorKind::Closed);
    producer.flush(PATIENCE).unwrap();
    assert_eq!(producer.metrics().get("producer-metrics", "record-error-total"), Some(40.0));
}

#[test]
fn a_close_within_its_time_gives_up_nothing() {
    let cluster = cluster(1);
    let producer = builder(&cluster).linger(Duration::from_secs(60)).build().unwrap();
    let handles: Vec<_> = (0..100).map(|index| send(&producer, &index.to_string())).collect();
    producer.close(PATIENCE).unwrap();
    assert!(handles.iter().all(FutureRecordMetadata::succeeded));
    assert_eq!(cluster.end_offset("orders", 0), 100);
}

#[test]
fn a_leader_that_moved_is_followed_without_asking_for_metadata() {
    let cluster = MockCluster::builder().brokers(3).topic("orders", 1).start().unwrap();
    // Were it to wait for a pause or for metadata, that would show.
    let producer = builder(&cluster)
        .retry_backoff(Duration::from_secs(30))
        .retry_backoff_max(Duration::from_secs(30))
        .build()
        .unwrap();
    send(&producer, "first").get(PATIENCE).unwrap();
    for round in 0..5 {
        let leader = cluster.leader("orders", 0).unwrap();
        cluster.move_leader("orders", 0, leader % 3 + 1).unwrap();
        cluster.clear_requests();
        let handles: Vec<_> = (0..3).map(|index| send(&producer, &format!("{round}/{index}"))).collect();
        handles.iter().for_each(|handle| drop(handle.get(PATIENCE).unwrap()));
        assert_eq!(cluster.request_count(ApiKey::METADATA), 0, "round {round}");
    }
    let values: Vec<_> = cluster.records("orders", 0).iter().map(|record| record.value_str()).collect();
    let rounds = (0..5).flat_map(|round| (0..3).map(move |index| format!("{round}/{index}")));
    assert_eq!(values, std::iter::once("first".to_owned()).chain(rounds).collect::<Vec<_>>());
}

#[test]
fn a_topic_made_anew_gets_what_was_not_written_to_the_old_one() {
    let cluster =
        MockCluster::builder().brokers(3).topic("orders", 2).auto_create_topics(false).start().unwrap();
    let producer = builder(&cluster).batch_size(1_usize).build().unwrap();
    let old = cluster.topic_id("orders");
    (0..5).for_each(|index| drop(send(&producer, &index.to_string()).get(PATIENCE).unwrap()));
    cluster.delete_topic("orders").unwrap();
    // On their way while there is no such topic.
    let handles: Vec<_> = (5..10).map(|index| send(&producer, &index.to_string())).collect();
    assert!(cluster.wait_for(PATIENCE, |cluster| cluster.request_count(ApiKey::METADATA) > 2));
    cluster.create_topic("orders", 2).unwrap();
    assert_ne!(cluster.topic_id("orders"), old);
    for (offset, handle) in (0..).zip(&handles) {
        assert_eq!(handle.get(PATIENCE).unwrap().offset(), Some(offset));
    }
    let values: Vec<_> = cluster.records("orders", 0).iter().map(|record| record.value_str()).collect();
    assert_eq!(values, ["5", "6", "7", "8", "9"]);
}

#[test]
fn records_for_partitions_that_a_topic_made_anew_lacks_fail_at_once_and_by_name() {
    let cluster =
        MockCluster::builder().brokers(2).topic("orders", 4).auto_create_topics(false).start().unwrap();
    let producer = builder(&cluster).max_block(Duration::from_secs(2)).build().unwrap();
    let to = |partition: i32, value: &str| {
        producer.send(ProducerRecord::new("orders").partition(partition).value(value))
    };
    (0..4).for_each(|partition| drop(to(partition, "old").unwrap().get(PATIENCE).unwrap()));
    cluster.delete_topic("orders").unwrap();
    cluster.create_topic("orders", 2).unwrap();
    let (kept, gone) = (to(1, "kept").unwrap(), to(3, "gone").unwrap());
    assert_eq!(kept.get(PATIENCE).unwrap().offset(), Some(0));
    let error = gone.get(PATIENCE).unwrap_err();
    assert_eq!((error.kind(), error.partition()), (ErrorKind::TopicRecreated, Some(3)), "{error}");
    assert!(error.to_string().contains("made anew with 2 partitions") && !error.maybe_written(), "{error}");
    // It is known now: the send itself fails, and keys go where they belong among two.
    let error = to(3, "gone").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("the topic has 2 partitions"), "{error}");
    let keyed = producer.send(ProducerRecord::new("orders").key("abc").value("x")).unwrap();
    assert_eq!(keyed.get(PATIENCE).unwrap().partition(), 479_470_107 % 2);
    assert_eq!(producer.partitions_for("orders").unwrap(), [0, 1]);
    // Made anew once more, with the partition back.
    cluster.delete_topic("orders").unwrap();
    cluster.create_topic("orders", 4).unwrap();
    to(0, "new").unwrap().get(PATIENCE).unwrap();
    assert_eq!(to(3, "back").unwrap().get(PATIENCE).unwrap().offset(), Some(0));
    assert_eq!(cluster.end_offset("orders", 3), 1);
}

//! A producer's surroundings, against MockCluster: what it measures, whom it asks and tells, and how it ends.

#![allow(clippy::disallowed_methods, reason = "a test measures with its own clock how long calls take")]

use std::time::{Duration, Instant};

use kavka::config::CompressionType;
use kavka::metrics::MetricsSnapshot;
use kavka::mock::MockCluster;
use kavka::producer::ProducerBuilder;
use kavka::protocol::ApiKey;
use kavka::{ErrorCode, ErrorKind, FutureRecordMetadata, KafkaProducer, ProducerRecord};

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

#[test]
fn metrics_can_be_off() {
    let cluster = cluster(1);
    let producer = builder(&cluster).metrics_enabled(false).build().unwrap();
    send(&producer, "x").get(PATIENCE).unwrap();
    assert!(producer.metrics().is_empty());
    let error = builder(&cluster).set("metrics.num.samples", "0").build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
}

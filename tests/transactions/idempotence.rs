//! What an idempotent producer without a transactional id survives.

use super::*;

fn plain(cluster: &MockCluster) -> ProducerBuilder {
    KafkaProducer::builder()
        .bootstrap_servers(cluster.bootstrap_servers())
        .retry_backoff(Duration::from_millis(2))
        .reconnect_backoff(Duration::from_millis(2))
}

fn values(cluster: &MockCluster, topic: &str) -> Vec<String> {
    cluster.records(topic, 0).iter().map(|record| record.value_str()).collect()
}

#[test]
fn brokers_of_all_times_may_lose_the_producers_state() {
    for name in ["0.11", "1.1", "2.1", "2.8", "3.9", "4.3", "newest"] {
        let table = VersionTable::named(name).unwrap();
        let cluster = MockCluster::builder().topic("out", 1).versions(table).start().unwrap();
        let producer = plain(&cluster).build().unwrap();
        let mut expected = Vec::new();
        for round in 0..4 {
            for index in 0..5 {
                let value = format!("{round}/{index}");
                send(&producer, 0, &value).get(PATIENCE).unwrap();
                expected.push(value);
            }
            // Those before 2.4 then refuse all that does not begin at 0.
            cluster.forget_producers("out", 0).unwrap();
        }
        assert_eq!(values(&cluster, "out"), expected, "{name}");
    }
}

#[test]
fn a_right_that_is_granted_later_ends_the_errors() {
    let cluster = MockCluster::builder().topic("out", 1).start().unwrap();
    let denied = cluster.on(ApiKey::INIT_PRODUCER_ID).always().error(ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
    let producer = plain(&cluster).enable_idempotence(true).build().unwrap();
    for _ in 0..2 {
        let error = send(&producer, 0, "no").get(PATIENCE).unwrap_err();
        assert!(error.kind() == ErrorKind::Authorization && !error.is_fatal(), "{error}");
    }
    denied.remove();
    send(&producer, 0, "a").get(PATIENCE).unwrap();
    let denied = cluster.on(ApiKey::PRODUCE).always().error(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    let error = send(&producer, 0, "no").get(PATIENCE).unwrap_err();
    assert!(error.kind() == ErrorKind::Authorization && !error.maybe_written(), "{error}");
    denied.remove();
    send(&producer, 0, "b").get(PATIENCE).unwrap();
    assert_eq!(values(&cluster, "out"), ["a", "b"]);
    let numbers: Vec<(i16, i32)> =
        cluster.records("out", 0).iter().map(|record| (record.producer_epoch, record.sequence)).collect();
    assert_eq!(numbers, [(0, 0), (1, 0)], "the sequence of what was refused is not used again");
}

#[test]
fn memory_of_a_request_that_is_still_being_written_holds_no_other_records() {
    const BATCH: usize = 12 << 20;
    let rounds = std::env::var("KAVKA_SOAK_ROUNDS").map_or(4, |rounds| rounds.parse().unwrap());
    let mut half_written = 0;
    for round in 0..rounds {
        let cluster = MockCluster::builder()
            .topic("left", 1)
            .topic("right", 1)
            .message_max_bytes(2 * BATCH)
            .start()
            .unwrap();
        // Memory for two batches, so that it is used again at once, and batches that no socket's buffers have room for.
        let producer = plain(&cluster)
            .buffer_memory(2 * BATCH)
            .batch_size(BATCH)
            .max_request_size(2 * BATCH)
            .set("max.in.flight.requests.per.connection", "1")
            .request_timeout(Duration::from_millis(1_000))
            .delivery_timeout(Duration::from_millis(1_100))
            .build()
            .unwrap();
        let fill = |topic: &str| {
            let value = topic.repeat(50_000);
            let handles: Vec<_> = (0..2 * BATCH / value.len())
                .map_while(|_| producer.try_send(ProducerRecord::new(topic).partition(0).value(&value)).ok())
                .collect();
            handles
        };
        producer.send(ProducerRecord::new("right").value("right")).unwrap().get(PATIENCE).unwrap();
        producer.send(ProducerRecord::new("left").value("left")).unwrap().get(PATIENCE).unwrap();
        // The batch waits for a place in the pipeline, so its time is over before that of its request.
        let slow = cluster.on(ApiKey::PRODUCE).once().delay(Duration::from_millis(600));
        let first = producer.send(ProducerRecord::new("left").value("left")).unwrap();
        assert!(cluster.wait_for(PATIENCE, |_| slow.hits() == 1));
        cluster.stop_reading(1).unwrap();
        let closed = || producer.metrics().get("producer-metrics", "connection-close-total").unwrap();
        let closed_before = closed();
        let stuck = fill("left");
        first.get(PATIENCE).unwrap();
        assert!(stuck.iter().all(|handle| handle.get(PATIENCE).is_err()), "nobody reads");
        let behind = fill("right");
        half_written += i32::from(closed() == closed_before && !behind.is_empty());
        thread::sleep(Duration::from_millis(fastrand::u64(0..100)));
        cluster.resume_reading(1).unwrap();
        behind.iter().for_each(|handle| drop(handle.get(PATIENCE)));
        producer.close(PATIENCE).ok();
        for topic in ["left", "right"] {
            let values = values(&cluster, topic);
            assert!(!values.is_empty());
            for value in values {
                let is_own =
                    value.len() % topic.len() == 0 && value.starts_with(topic) && value.ends_with(topic);
                assert!(is_own, "round {round}: another topic's bytes in {topic}");
            }
        }
    }
    assert!(half_written > 0, "never was a request on its way when its batch expired");
}

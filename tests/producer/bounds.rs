//! What a producer holds and does while nothing can be done, or there is nothing to do.

use super::*;

/// How long the outage lasts.
fn outage() -> Duration {
    let asked = std::env::var("KAVKA_SOAK_SECONDS").ok().map(|seconds| seconds.parse().unwrap());
    Duration::from_secs(asked.unwrap_or(3))
}

#[test]
fn memory_is_bounded_while_all_brokers_are_down() {
    const MEMORY: usize = 1 << 20;
    const BATCH: usize = 16 << 10;
    let cluster = MockCluster::builder().brokers(3).topic("orders", 6).start().unwrap();
    let producer = builder(&cluster)
        .buffer_memory(MEMORY)
        .batch_size(BATCH)
        .request_timeout(Duration::from_millis(200))
        .delivery_timeout(Duration::from_millis(700))
        .reconnect_backoff_max(Duration::from_millis(100))
        .build()
        .unwrap();
    let first: Vec<_> = (0..6)
        .map(|partition| {
            producer.send(ProducerRecord::new("orders").partition(partition).value("first")).unwrap()
        })
        .collect();
    assert_all_written(&first);
    (1..=3).for_each(|broker| cluster.kill(broker).unwrap());
    let began = Instant::now();
    let (mut sent, mut refused, mut open) = (0_u64, 0_u64, Vec::<FutureRecordMetadata>::new());
    let mut largest = 0;
    while began.elapsed() < outage() {
        // Small ones first, then such as need a buffer of their own.
        let size = if began.elapsed() * 2 < outage() { 10 } else { 3 * BATCH };
        let value = "x".repeat(size);
        match producer.try_send(ProducerRecord::new("orders").partition((sent % 6) as i32).value(&value)) {
            Ok(handle) => {
                sent += 1;
                // One of each batch is enough to know of it.
                if !open.iter().rev().take(6).any(|other| other.is_same_batch(&handle)) {
                    open.push(handle);
                }
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::BufferExhausted, "{error}");
                refused += 1;
                open.retain(|handle| !handle.is_done());
                largest = largest.max(open.len());
                thread::sleep(Duration::from_millis(1));
            }
        }
        assert!(producer.buffer_available_bytes() <= MEMORY);
    }
    assert!(sent > 1_000 && refused > 10, "{sent} sent, {refused} refused");
    // A batch of each partition may be split between what is open and what is noted.
    assert!(largest <= MEMORY / BATCH + 6, "{largest} batches");
    let metrics = producer.metrics();
    let flying = metrics.get("producer-metrics", "requests-in-flight").unwrap();
    assert!(flying <= 0.0, "{flying} requests");
    for handle in &open {
        let error = handle.get(PATIENCE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    }
    assert_at_rest(&producer);
    (1..=3).for_each(|broker| cluster.restart(broker).unwrap());
    let deadline = Instant::now() + PATIENCE;
    while send(&producer, "after").get(PATIENCE).is_err() {
        assert!(Instant::now() < deadline, "it does not recover");
    }
    assert_at_rest(&producer);
}

#[test]
fn a_producer_that_idles_asks_for_metadata_when_it_is_due_and_for_nothing_else() {
    let cluster = MockCluster::builder().brokers(3).topic("orders", 6).start().unwrap();
    let age = Duration::from_millis(200);
    let producer = builder(&cluster).metadata_max_age(age).build().unwrap();
    for partition in 0..6 {
        producer
            .send(ProducerRecord::new("orders").partition(partition).value("x"))
            .unwrap()
            .get(PATIENCE)
            .unwrap();
    }
    let began = Instant::now();
    cluster.clear_requests();
    assert!(cluster.wait_for(PATIENCE, |cluster| cluster.request_count(ApiKey::METADATA) >= 5));
    let most = (began.elapsed().as_millis() / age.as_millis()) as usize + 1;
    let requests = cluster.requests();
    let others: Vec<_> = requests.iter().filter(|request| request.api != ApiKey::METADATA).collect();
    assert!(others.is_empty(), "{others:?}");
    assert!(requests.len() <= most, "{} in {:?}", requests.len(), began.elapsed());
}

//! Answers of an unusual kind, and requests that a broker would not understand.

use kavka::mock::VersionTable;
use kavka::record::Codec;

use super::*;

#[test]
fn a_partition_that_an_answer_leaves_out_may_be_written() {
    let cluster = cluster(2);
    let once = builder(&cluster).retries(0_u32).build().unwrap();
    let left_out = cluster.on(ApiKey::PRODUCE).partition("orders", 0).once().leave_out();
    let error = send(&once, "a").get(PATIENCE).unwrap_err();
    assert!(error.kind() == ErrorKind::Protocol && error.maybe_written(), "{error}");
    assert_eq!((left_out.hits(), values(&cluster, 0)), (1, vec!["a".to_owned()]));
    // With retries it is found to be there already.
    let producer = builder(&cluster).build().unwrap();
    cluster.on(ApiKey::PRODUCE).once().leave_out();
    assert_eq!(send(&producer, "b").get(PATIENCE).unwrap().offset(), Some(1));
    assert_eq!(values(&cluster, 0), ["a", "b"]);
}

/// A topic that takes no records without a key.
fn compacted(table: VersionTable) -> MockCluster {
    let cluster = MockCluster::builder().versions(table).start().unwrap();
    cluster.create_topic_with("orders", 1, [("cleanup.policy", "compact")]).unwrap();
    cluster
}

/// Sends records in one batch, those with a `-` without a key.
fn send_together(producer: &KafkaProducer, values: &[&str]) -> Vec<FutureRecordMetadata> {
    let record = |value: &&str| {
        let record = ProducerRecord::new("orders").value(*value);
        if value.starts_with('-') {
            producer.send(record).unwrap()
        } else {
            producer.send(record.key("k")).unwrap()
        }
    };
    let handles: Vec<_> = values.iter().map(record).collect();
    producer.flush(PATIENCE).unwrap();
    handles
}

#[test]
fn records_that_are_refused_fail_alone_and_the_others_are_sent_again() {
    for idempotent in [true, false] {
        for codec in [Codec::None, Codec::Lz4] {
            let cluster = compacted(VersionTable::newest());
            let producer = builder(&cluster)
                .enable_idempotence(idempotent)
                .set("compression.type", codec.name())
                .linger(Duration::from_secs(10))
                .build()
                .unwrap();
            let all = ["a", "-1", "b", "c", "-2", "-3", "d"];
            let called = Arc::new(Mutex::new(Vec::new()));
            let mut handles = Vec::new();
            for value in all {
                let record = ProducerRecord::new("orders").value(value);
                let handle = match value.starts_with('-') {
                    true => producer.send(record).unwrap(),
                    false => producer.send(record.key("k")).unwrap(),
                };
                let called = Arc::clone(&called);
                handle.add_both(move |result| called.lock().unwrap().push((value, result.is_ok())));
                handles.push(handle);
            }
            assert!(handles.iter().all(|handle| handle.is_same_batch(&handles[0])));
            producer.flush(PATIENCE).unwrap();
            let mut offset = 0;
            for (value, handle) in all.iter().zip(&handles) {
                let outcome = handle.get(PATIENCE);
                if value.starts_with('-') {
                    let error = outcome.unwrap_err();
                    assert_eq!(error.code(), Some(ErrorCode::INVALID_RECORD), "{error}");
                    assert!(error.to_string().contains("cannot accept message without key"), "{error}");
                    assert!(!error.maybe_written() && !error.is_retriable(), "{error}");
                } else {
                    assert_eq!(outcome.unwrap().offset(), Some(offset), "{value}");
                    offset += 1;
                }
            }
            assert_eq!(values(&cluster, 0), ["a", "b", "c", "d"]);
            let mut called = std::mem::take(&mut *called.lock().unwrap());
            called.sort_unstable();
            let mut expected = all.map(|value| (value, !value.starts_with('-')));
            expected.sort_unstable();
            assert_eq!(called, expected, "each callback once");

            // Nothing but refused ones, one alone, and the first and the last of a batch.
            assert!(send_together(&producer, &["-1", "-2"]).iter().all(FutureRecordMetadata::failed));
            assert!(send_together(&producer, &["-1"]).iter().all(FutureRecordMetadata::failed));
            let handles = send_together(&producer, &["-1", "e", "-2"]);
            assert_eq!(
                handles.iter().map(FutureRecordMetadata::succeeded).collect::<Vec<_>>(),
                [false, true, false]
            );
            let metrics = producer.metrics();
            assert_eq!(metrics.get("producer-metrics", "record-error-total"), Some(8.0));
            assert_eq!(values(&cluster, 0), ["a", "b", "c", "d", "e"]);
            assert_at_rest(&producer);
        }
    }
}

#[test]
fn order_is_kept_where_single_records_are_refused_with_several_batches_out() {
    let cluster = compacted(VersionTable::newest());
    let producer = builder(&cluster).batch_size(200_usize).linger(Duration::from_millis(1)).build().unwrap();
    let mut handles = Vec::new();
    for index in 0..2_000 {
        let value = index.to_string();
        let record = ProducerRecord::new("orders").value(&value);
        handles.push(match index % 97 {
            0 => producer.send(record).unwrap(),
            _ => producer.send(record.key("k")).unwrap(),
        });
    }
    producer.flush(PATIENCE).unwrap();
    let expected: Vec<String> =
        (0..2_000).filter(|index| index % 97 != 0).map(|index| index.to_string()).collect();
    assert_eq!(values(&cluster, 0), expected);
    assert_eq!(handles.iter().filter(|handle| handle.failed()).count(), 2_000 - expected.len());
    assert_at_rest(&producer);
}

#[test]
fn brokers_that_name_no_records_refuse_the_whole_batch() {
    let cluster = compacted(VersionTable::kafka_2_1());
    let producer = builder(&cluster).linger(Duration::from_secs(10)).build().unwrap();
    assert!(send_together(&producer, &["a", "-1", "b"]).iter().all(FutureRecordMetadata::failed));
    assert!(send_together(&producer, &["a", "b"]).iter().all(FutureRecordMetadata::succeeded));
}

#[test]
fn zstd_is_not_sent_to_brokers_that_do_not_know_it() {
    let old = MockCluster::builder()
        .topic("orders", 1)
        .versions(VersionTable::newest().with(ApiKey::PRODUCE, 3, 6))
        .start()
        .unwrap();
    for codec in Codec::ALL {
        let producer = builder(&old).set("compression.type", codec.name()).build().unwrap();
        let sent = send(&producer, codec.name()).get(PATIENCE);
        if codec == Codec::Zstd {
            let error = sent.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnsupportedVersion, "{error}");
            assert!(error.to_string().contains("compression.type") && !error.maybe_written(), "{error}");
        } else {
            sent.unwrap();
        }
    }
    assert_eq!(values(&old, 0), ["none", "gzip", "snappy", "lz4"]);
}

#[test]
fn brokers_without_producer_ids_are_an_error_only_when_idempotence_was_asked_for() {
    let table = VersionTable::newest().without(ApiKey::INIT_PRODUCER_ID);
    let cluster = MockCluster::builder().topic("orders", 1).versions(table).start().unwrap();
    let explicit = builder(&cluster).enable_idempotence(true).build().unwrap();
    for value in ["a", "b", "c"] {
        let error = send(&explicit, value).get(PATIENCE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsupportedVersion, "{error}");
        assert!(error.to_string().contains("enable.idempotence") && !error.maybe_written(), "{error}");
    }
    let default = builder(&cluster).build().unwrap();
    assert_all_written(&send_batches(&default, (0..20).map(|index| index.to_string())));
    assert_eq!(values(&cluster, 0), (0..20).map(|index| index.to_string()).collect::<Vec<_>>());
}

#[test]
fn brokers_of_all_times_and_makers_are_sent_to() {
    let names = ["0.10.0", "0.11", "1.1", "2.1", "2.8", "3.9", "4.3", "newest"];
    let tables = names.map(|name| (name, VersionTable::named(name).unwrap()));
    let others = [("msk", VersionTable::msk_serverless()), ("event hubs", VersionTable::event_hubs())];
    for (name, table) in tables.into_iter().chain(others) {
        let cluster = MockCluster::builder().topic("orders", 1).versions(table.clone()).start().unwrap();
        let producer = builder(&cluster).build().unwrap();
        cluster.on(ApiKey::PRODUCE).nth(2..=2).error(ErrorCode::NOT_LEADER_OR_FOLLOWER);
        let expected: Vec<String> = (0..50).map(|index| index.to_string()).collect();
        assert_all_written(&send_batches(&producer, expected.iter().cloned()));
        assert_eq!(values(&cluster, 0), expected, "{name}");
        let newest = cluster.requests_of(ApiKey::PRODUCE).iter().map(|request| request.version).max();
        assert_eq!(newest, table.range(ApiKey::PRODUCE).map(|range| range.max), "{name}");
    }
}

#[test]
fn compression_levels_count() {
    // Text that a better search finds more in.
    let text: String = (0..40_000_u64).map(|index| format!("{} ", index * index % 9_973)).collect();
    for (codec, low, high) in [(Codec::Gzip, 1, 9), (Codec::Zstd, 1, 19)] {
        let size = |level: i32| {
            let cluster = cluster(1);
            let name = format!("compression.{}.level", codec.name());
            let producer = builder(&cluster)
                .set("compression.type", codec.name())
                .set(&name, &level.to_string())
                .build()
                .unwrap();
            send(&producer, &text).get(PATIENCE).unwrap();
            assert_eq!(values(&cluster, 0), std::slice::from_ref(&text));
            cluster.batches("orders", 0).iter().map(|batch| batch.len()).sum::<usize>()
        };
        let (large, small) = (size(low), size(high));
        assert!(small < large, "{codec}: {small} at level {high}, {large} at level {low}");
    }
}

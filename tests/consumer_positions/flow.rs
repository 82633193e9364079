//! What is asked for how often, and what is logged how often, when something is the matter with one partition.

use super::support::logs;
use super::*;

/// How often each offset of a partition was asked for. In sessions it is named only when it has changed.
fn times_asked(cluster: &MockCluster) -> BTreeMap<i64, usize> {
    let mut times = BTreeMap::new();
    for request in cluster.requests_of(ApiKey::FETCH) {
        let request: FetchRequest = request.decode().unwrap();
        for partition in request.topics.iter().flat_map(|topic| &topic.partitions) {
            *times.entry(partition.fetch_offset).or_default() += 1;
        }
    }
    times
}

/// A batch of two records that says that there were four: the last two were compacted away.
fn compacted_at_its_end() -> Bytes {
    let mut builder = BatchBuilder::new(Vec::new(), 1 << 20);
    for value in ["0", "1"] {
        builder.try_append(0, None, Some(value.as_bytes()), &[]).unwrap();
    }
    let mut batch = builder.seal(&Compression::NONE, 2).unwrap().stamp(ProducerState::NONE).to_vec();
    batch[LAST_OFFSET_DELTA..LAST_OFFSET_DELTA + 4].copy_from_slice(&3_i32.to_be_bytes());
    let crc = crc32c::crc32c(&batch[ATTRIBUTES..]);
    batch[CRC..CRC + 4].copy_from_slice(&crc.to_be_bytes());
    batch.into()
}

/// Where a batch's header has its fields.
const CRC: usize = 17;
const ATTRIBUTES: usize = 21;
const LAST_OFFSET_DELTA: usize = 23;

#[test]
fn no_offset_is_asked_for_twice_whatever_brings_no_records() {
    for sessions in [true, false] {
        let cluster = MockCluster::builder().topic("t", 1).start().unwrap();
        cluster.append_batch("t", 0, compacted_at_its_end()).unwrap();
        assert_eq!(cluster.end_offset("t", 0), 4, "with the gap");
        for _ in 0..3 {
            cluster.append_batch("t", 0, transactional(&[10, 11])).unwrap();
            end(&cluster, ControlType::Abort);
        }
        cluster.append_batch("t", 0, compacted_at_its_end()).unwrap();
        let end_offset = cluster.end_offset("t", 0);
        let mut consumer = options(&cluster)
            .isolation_level(IsolationLevel::ReadCommitted)
            .enable_incremental_fetch_sessions(sessions)
            .max_partition_fetch_bytes(1)
            .build()
            .unwrap();
        consumer.assign([tp(0)]).unwrap();
        assert_eq!(take(&mut consumer, 4), [0, 1, 0, 1]);
        poll_until(&mut consumer, "the end is reached", |consumer| {
            consumer.position(&tp(0)).unwrap() == end_offset
        });
        assert_eq!(consumer.current_lag(&tp(0)).unwrap(), Some(0));
        fill(&cluster, 0, 7..8);
        assert_eq!(take(&mut consumer, 1), [7]);
        let times = times_asked(&cluster);
        let again: Vec<_> = times.iter().filter(|(at, times)| **at < end_offset && **times > 1).collect();
        assert!(times.len() > 5 && again.is_empty(), "sessions {sessions}: {times:?}");
    }
}

#[test]
fn a_recreated_topic_is_told_soon_and_holds_up_nothing_that_is_fetched_beside_it() {
    let cluster = MockCluster::builder().topic("t", 1).topic("other", 1).start().unwrap();
    let mut consumer = options(&cluster).fetch_max_wait(Duration::from_millis(300)).build().unwrap();
    let other = TopicPartition::new("other", 0);
    consumer.assign([tp(0), other.clone()]).unwrap();
    cluster.append("other", 0, [("", "0"), ("", "1")]).unwrap();
    fill(&cluster, 0, 0..3);
    take(&mut consumer, 5);
    cluster.delete_topic("other").unwrap();
    cluster.create_topic("other", 1).unwrap();
    cluster.append("other", 0, [("", "100")]).unwrap();
    cluster.clear_requests();
    let (mut flown, mut errors, begin) = (3, Vec::new(), Instant::now());
    while begin.elapsed() < Duration::from_secs(2) {
        fill(&cluster, 0, flown..flown + 1);
        let deadline = Instant::now() + LONG;
        loop {
            assert!(Instant::now() < deadline, "{flown} have come");
            match consumer.poll(SHORT) {
                Ok(records) if records.is_empty() => {}
                Ok(records) => {
                    assert_eq!(records.iter().map(number).collect::<Vec<_>>(), [flown]);
                    break;
                }
                Err(error) => errors.push(error.kind()),
            }
        }
        flown += 1;
    }
    assert_eq!(errors, [ErrorKind::TopicRecreated]);
    // Those that brought a record each, and few besides.
    let seconds = begin.elapsed().as_secs_f64();
    let besides = cluster.request_count(ApiKey::FETCH).saturating_sub(flown as usize)
        + cluster.request_count(ApiKey::METADATA);
    assert!((besides as f64) < 20.0 * seconds, "{besides} requests besides in {seconds} s");
    consumer.seek_to_beginning(&[other]).unwrap();
    assert_eq!(take(&mut consumer, 1), [100]);
}

#[test]
fn resets_and_corrupt_batches_are_one_line_each_in_the_log() {
    logs::record();
    let cluster = MockCluster::builder().topic("logged", 1).start().unwrap();
    let logged = TopicPartition::new("logged", 0);
    cluster.append("logged", 0, (0..10).map(|number| ("", number.to_string()))).unwrap();
    let (mut consumer, resets) = with_resets(options(&cluster));
    consumer.assign([logged.clone()]).unwrap();
    take(&mut consumer, 10);
    assert_eq!(resets.try_iter().count(), logs::lines_with("logged-0").len());
    let before = logs::lines_with("logged-0").len();
    consumer.seek(&logged, 1000).unwrap();
    take(&mut consumer, 10);
    let lines = logs::lines_with("logged-0");
    assert_eq!(lines.len(), before + 1, "{lines:?}");
    assert!(lines[before].contains("1000") && lines[before].contains('0'), "{lines:?}");

    // A batch whose checksum is wrong is fetched once more, and then told.
    let mut bad = cluster.batches("logged", 0)[0].to_vec();
    bad[CRC] ^= 1;
    cluster.append_batch("logged", 0, bad.into()).unwrap();
    let before = logs::lines_with("logged-0").len();
    assert_eq!(error_of(&mut consumer).kind(), ErrorKind::CorruptBatch);
    let lines = logs::lines_with("logged-0");
    assert!((1..=2).contains(&(lines.len() - before)), "{lines:?}");
    // Unchecked it is the program's own risk.
    let mut careless = options(&cluster).check_crcs(false).build().unwrap();
    careless.assign([logged.clone()]).unwrap();
    careless.seek(&logged, 10).unwrap();
    let deadline = Instant::now() + LONG;
    let mut read = 0;
    while read < 10 {
        assert!(Instant::now() < deadline);
        read += careless.poll(SHORT).unwrap().len();
    }
}

#[test]
fn a_watchdog_that_bites_is_one_line_in_the_log() {
    logs::record();
    let session = Duration::from_millis(600);
    let cluster = MockCluster::builder().topic("t", 1).start().unwrap();
    let mut consumer = options(&cluster)
        .group_id("watched")
        .session_timeout(session)
        .heartbeat_interval(Duration::from_millis(50))
        .build()
        .unwrap();
    consumer.subscribe(["t"]).unwrap();
    poll_until(&mut consumer, "it joined", |consumer| consumer.assignment().len() == 1);
    let id = consumer.group_metadata().member_id;
    cluster.on(ApiKey::HEARTBEAT).always().never_answer();
    let bites = || {
        let lines = logs::lines_with("group watched");
        lines.iter().filter(|line| line.contains("no heartbeat was answered")).count()
    };
    poll_until(&mut consumer, "the watchdog bites", |_| bites() == 1);
    cluster.clear_faults();
    poll_until(&mut consumer, "it joined anew", |consumer| {
        consumer.assignment().len() == 1 && consumer.group_metadata().member_id != id
    });
    assert_eq!(bites(), 1);
}

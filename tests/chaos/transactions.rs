//! Transactions while everything around them fails: each is seen as it ended, all of it or nothing, once and in order.

use kavka::config::Acks;

use super::*;

const ID: &str = "chaos";
const PARTITIONS: i32 = 3;

/// How a transaction ended as far as the program knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Committed,
    Aborted,
    /// The producer was of no further use, and a commit had been asked for.
    Unknown,
}

#[test]
fn transactions_are_seen_as_they_ended() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = env_logger::builder().is_test(true).format_timestamp_micros().try_init();
    for seed in seeds() {
        let begun = Instant::now();
        if catch_unwind(AssertUnwindSafe(|| run(seed))).is_err() {
            panic!("FAILED: KAVKA_CHAOS_SEED={seed}");
        }
        eprintln!("seed {seed}: fine after {:?}", begun.elapsed());
    }
}

fn run(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let cluster = MockCluster::builder()
        .brokers(3)
        .topic(TOPIC, PARTITIONS)
        .transaction_version(1 + i16::from(rng.bool()))
        .start()
        .unwrap();
    let done = AtomicBool::new(false);
    let ends = thread::scope(|scope| {
        let program = scope.spawn(|| transactions(&cluster, seed, &done));
        for _ in 0..60 {
            trouble(&cluster, &mut rng);
            thread::sleep(Duration::from_millis(rng.u64(2..40)));
        }
        cluster.clear_faults();
        cluster.hold_transaction_markers(false);
        (1..=3).for_each(|broker| drop(cluster.restart(broker)));
        done.store(true, Ordering::SeqCst);
        program.join().unwrap()
    });
    // What was left open ends with the next life.
    let last = ready(&cluster);
    let committed: Vec<Vec<u64>> = (0..PARTITIONS)
        .map(|partition| {
            let records = cluster.committed_records(TOPIC, partition);
            records.iter().map(|record| record.value_str().parse().unwrap()).collect()
        })
        .collect();
    drop(last);
    for (partition, seen) in committed.iter().enumerate() {
        assert!(seen.windows(2).all(|pair| pair[0] <= pair[1]), "partition {partition}: {seen:?}");
    }
    for (number, (end, sent)) in (0_u64..).zip(&ends) {
        let seen: Vec<usize> =
            committed.iter().map(|all| all.iter().filter(|value| **value == number).count()).collect();
        let is_none = seen.iter().all(|count| *count == 0);
        let is_all = seen == *sent;
        match end {
            End::Committed => assert!(is_all, "{number} was committed: {seen:?} of {sent:?}"),
            End::Aborted => assert!(is_none, "{number} was aborted: {seen:?} of {sent:?}"),
            End::Unknown => assert!(is_all || is_none, "{number}: {seen:?} of {sent:?}"),
        }
    }
    let count = |wanted| ends.iter().filter(|(end, _)| *end == wanted).count();
    eprintln!(
        "seed {seed}: {} committed, {} aborted, {} unknown",
        count(End::Committed),
        count(End::Aborted),
        count(End::Unknown)
    );
    assert!(count(End::Committed) > 0);
}

fn ready(cluster: &MockCluster) -> KafkaProducer {
    loop {
        let producer = KafkaProducer::builder()
            .bootstrap_servers(cluster.bootstrap_servers())
            .transactional_id(ID)
            .acks(Acks::All)
            .request_timeout(Duration::from_millis(400))
            .delivery_timeout(Duration::from_millis(1_500))
            .retry_backoff(Duration::from_millis(5))
            .retry_backoff_max(Duration::from_millis(50))
            .reconnect_backoff(Duration::from_millis(5))
            .reconnect_backoff_max(Duration::from_millis(50))
            .max_block(PATIENCE)
            .build()
            .unwrap();
        match producer.init_transactions() {
            Ok(()) => return producer,
            // A fault said so.
            Err(error) => assert!(!error.requires_abort() && error.kind() != ErrorKind::Timeout, "{error}"),
        }
    }
}

/// Runs transactions until it is told to end. Returns how each ended, and what it sent to each partition.
fn transactions(cluster: &MockCluster, seed: u64, done: &AtomicBool) -> Vec<(End, Vec<usize>)> {
    let mut rng = Rng::with_seed(seed ^ 0x5eed);
    let mut producer = ready(cluster);
    let mut ends = Vec::new();
    while !done.load(Ordering::SeqCst) {
        let number = ends.len().to_string();
        let mut sent = vec![0; PARTITIONS as usize];
        let to_commit = rng.u32(0..4) > 0;
        let mut asked = false;
        let mut run = || {
            producer.begin_transaction()?;
            for _ in 0..rng.usize(1..60) {
                let partition = rng.i32(0..PARTITIONS);
                producer.send(ProducerRecord::new(TOPIC).partition(partition).value(&number))?;
                sent[partition as usize] += 1;
            }
            if to_commit {
                asked = true;
                producer.commit_transaction()
            } else {
                producer.abort_transaction()
            }
        };
        let end = match run() {
            Ok(()) if to_commit => End::Committed,
            Ok(()) => End::Aborted,
            Err(error) => {
                assert_ne!(error.kind(), ErrorKind::IllegalState, "{error}");
                let lost = if error.requires_abort() { producer.abort_transaction().is_err() } else { true };
                // An error that asks for an abort says that nothing was committed, whatever becomes of the abort.
                let end = if asked && !error.requires_abort() { End::Unknown } else { End::Aborted };
                if lost {
                    producer = ready(cluster);
                }
                end
            }
        };
        ends.push((end, sent));
    }
    ends
}

fn trouble(cluster: &MockCluster, rng: &mut Rng) {
    let broker = rng.i32(1..=3);
    let codes = [
        ErrorCode::NOT_LEADER_OR_FOLLOWER,
        ErrorCode::REQUEST_TIMED_OUT,
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode::NOT_COORDINATOR,
        ErrorCode::CONCURRENT_TRANSACTIONS,
        ErrorCode::UNKNOWN_SERVER_ERROR,
        ErrorCode::INVALID_RECORD,
    ];
    let apis = [
        ApiKey::PRODUCE,
        ApiKey::END_TXN,
        ApiKey::ADD_PARTITIONS_TO_TXN,
        ApiKey::INIT_PRODUCER_ID,
        ApiKey::FIND_COORDINATOR,
        ApiKey::METADATA,
    ];
    let on = cluster.on(*choose(rng, &apis)).broker(broker);
    match rng.u32(0..14) {
        0 => drop(cluster.kill(broker)),
        1 | 2 => (1..=3).for_each(|broker| drop(cluster.restart(broker))),
        3 => drop(cluster.disconnect(broker)),
        4 => drop(cluster.move_leader(TOPIC, rng.i32(0..PARTITIONS), broker)),
        5 => drop(cluster.move_transaction_coordinator(ID, broker)),
        6 => drop(cluster.forget_producers(TOPIC, rng.i32(0..PARTITIONS))),
        7 => cluster.hold_transaction_markers(rng.bool()),
        8 => drop(cluster.expire_transaction(ID)),
        9 => drop(on.once().drop_after()),
        10 => drop(on.once().drop_before()),
        11 => drop(on.times(2).delay(Duration::from_millis(rng.u64(1..60)))),
        _ => drop(on.once().error(*choose(rng, &codes))),
    }
}

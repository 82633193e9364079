//! Topics that are deleted and made anew under an idempotent producer, while leaders move, forget the producer and lose
//! answers: nothing acknowledged of the last topic is missing, nothing is in it twice or out of order, and nothing that
//! an earlier one had acknowledged comes back.

use super::*;

#[test]
fn topics_that_are_made_anew_get_each_record_once_and_in_order() {
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

/// A record, the topic that was there when it was sent, and what became of it.
struct Numbered {
    value: String,
    partition: i32,
    life: usize,
    handle: FutureRecordMetadata,
}

fn run(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let (partitions, loses_state) = (rng.i32(1..=3), rng.bool());
    let cluster =
        MockCluster::builder().brokers(3).topic(TOPIC, partitions).auto_create_topics(false).start().unwrap();
    let ms = Duration::from_millis;
    let producer = KafkaProducer::builder()
        .bootstrap_servers(cluster.bootstrap_servers())
        .linger(ms(*choose(&mut rng, &[0, 1, 5])))
        .batch_size(*choose(&mut rng, &[100, 1_000, 16_384]))
        // A leader that has forgotten a producer takes whatever comes first: after a refusal that is not the next one,
        // if more are out.
        .max_in_flight_requests_per_connection(if loses_state { 1 } else { 5_usize })
        .request_timeout(ms(500))
        .delivery_timeout(ms(20_000))
        .retry_backoff(ms(5))
        .retry_backoff_max(ms(50))
        .reconnect_backoff(ms(5))
        .reconnect_backoff_max(ms(50))
        .metadata_max_age(ms(*choose(&mut rng, &[50, 1_000, 60_000])))
        .build()
        .unwrap();
    let (life, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    // What was acknowledged before the topic that it is in was deleted.
    let mut gone: BTreeSet<String> = BTreeSet::new();
    let sent = Mutex::new(Vec::<Numbered>::new());
    thread::scope(|scope| {
        let _ends = Ends(&stop);
        let senders: Vec<_> = (0..2)
            .map(|thread| {
                let (producer, sent, life, stop) = (&producer, &sent, &life, &stop);
                let mut rng = Rng::with_seed(seed ^ (thread + 1));
                scope.spawn(move || {
                    for index in 0..4_000 {
                        if stop.load(Ordering::SeqCst) {
                            break;
                        }
                        let (value, partition) = (format!("{thread}/{index:05}"), rng.i32(0..partitions));
                        let life = life.load(Ordering::SeqCst);
                        let record = ProducerRecord::new(TOPIC).partition(partition).value(&value);
                        let handle = producer.send(record).unwrap();
                        sent.lock().unwrap().push(Numbered { value, partition, life, handle });
                        if rng.u32(0..4) == 0 {
                            thread::sleep(Duration::from_micros(rng.u64(0..2_000)));
                        }
                    }
                })
            })
            .collect();
        for _ in 0..rng.u32(40..80) {
            thread::sleep(ms(rng.u64(1..20)));
            let broker = rng.i32(1..=3);
            let partition = rng.i32(0..partitions);
            let on = cluster.on(ApiKey::PRODUCE);
            match rng.u32(0..10) {
                0 => {
                    let acknowledged = |record: &&Numbered| record.handle.succeeded();
                    let sent = sent.lock().unwrap();
                    gone.extend(sent.iter().filter(acknowledged).map(|record| record.value.clone()));
                    drop(sent);
                    cluster.delete_topic(TOPIC).unwrap();
                    thread::sleep(ms(rng.u64(0..60)));
                    cluster.create_topic(TOPIC, partitions).unwrap();
                    life.fetch_add(1, Ordering::SeqCst);
                }
                1..=3 => drop(cluster.move_leader(TOPIC, partition, broker)),
                4 | 5 => drop(on.times(rng.u64(1..4)).error(ErrorCode::NOT_LEADER_OR_FOLLOWER)),
                6 => drop(on.times(2).delay(ms(rng.u64(1..60)))),
                // Nobody could tell a batch that was written, unheard of, from a new one where the leader has
                // forgotten the producer: it is either the one or the other.
                7 | 8 if loses_state => drop(cluster.forget_producers(TOPIC, partition)),
                _ if loses_state => drop(on.once().error(*choose(&mut rng, &LOST_STATE))),
                7 => drop(cluster.disconnect(broker)),
                8 => drop(on.once().drop_after()),
                _ => match rng.bool() {
                    true => drop(on.once().drop_before()),
                    false => drop(on.once().error_after(ErrorCode::REQUEST_TIMED_OUT)),
                },
            }
        }
        stop.store(true, Ordering::SeqCst);
        senders.into_iter().for_each(|sender| sender.join().unwrap());
    });
    cluster.clear_faults();
    let sent = sent.into_inner().unwrap();
    for Numbered { value, handle, .. } in &sent {
        if let Err(error) = handle.get(PATIENCE) {
            assert!(!error.is_fatal() && error.kind() != ErrorKind::Timeout, "{value}: {error}");
        }
    }
    let last = life.load(Ordering::SeqCst);
    for partition in 0..partitions {
        let seen: Vec<String> =
            cluster.records(TOPIC, partition).iter().map(|record| record.value_str()).collect();
        let once: BTreeSet<&String> = seen.iter().collect();
        assert_eq!(once.len(), seen.len(), "doubled: {seen:?}");
        for thread in ["0/", "1/"] {
            let own: Vec<&String> = seen.iter().filter(|value| value.starts_with(thread)).collect();
            assert!(own.is_sorted(), "out of order: {own:?}, state lost: {loses_state}");
        }
        let back: Vec<&String> = seen.iter().filter(|value| gone.contains(*value)).collect();
        assert!(back.is_empty(), "written twice: {back:?}");
        let of_the_last = |record: &&Numbered| {
            record.partition == partition && record.life == last && record.handle.succeeded()
        };
        let missing: Vec<&String> = sent
            .iter()
            .filter(of_the_last)
            .map(|record| &record.value)
            .filter(|value| !once.contains(value))
            .collect();
        assert!(missing.is_empty(), "acknowledged and not there: {missing:?}");
    }
    let failed = sent.iter().filter(|record| record.handle.failed()).count();
    eprintln!(
        "seed {seed}: {} records, {failed} failed, {last} topics made anew, state lost: {loses_state}",
        sent.len()
    );
    until("the memory comes back", || producer.buffer_available_bytes() == producer.config().buffer_memory);
}

/// What leaders say that have lost what they knew of a producer.
const LOST_STATE: [ErrorCode; 2] = [ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, ErrorCode::UNKNOWN_PRODUCER_ID];

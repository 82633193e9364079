//! Producers and group consumers while everything around them fails, by a schedule that a seed decides.
//!
//! `KAVKA_CHAOS_SEED=n` runs from another seed on, `KAVKA_CHAOS_ROUNDS=n` that many. A seed decides what is done,
//! not how threads interleave: run a failing one several times.

#![allow(clippy::disallowed_methods, reason = "a test measures with its own clock, and paces its faults")]

#[path = "chaos/anew.rs"]
mod anew;
#[path = "chaos/transactions.rs"]
mod transactions;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use kavka::config::{Assignor, AutoOffsetReset, CompressionType, GroupProtocol, IsolationLevel};
use kavka::consumer::{
    AsyncConsumerRebalanceListener, AsyncRebalanceContext, ConsumerBuilder, ConsumerRebalanceListener,
    RebalanceContext, Subscription,
};
use kavka::mock::MockCluster;
use kavka::protocol::ApiKey;
use kavka::{
    ConsumerRecord, ErrorCode, ErrorKind, FutureRecordMetadata, KafkaConsumer, KafkaProducer, ProducerRecord,
    Result, TopicPartition,
};

const TOPIC: &str = "t";
const GROUP: &str = "g";
const PATIENCE: Duration = Duration::from_secs(30);
const SEEDS: [u64; 9] = [1, 2, 3, 4, 5, 6, 7, 8, 9];

/// One test at a time: they count threads.
static ALONE: Mutex<()> = Mutex::new(());

/// Panics of threads that are not the test's own.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

#[test]
fn nothing_is_lost_doubled_or_reordered() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = env_logger::builder().is_test(true).format_timestamp_micros().try_init();
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if thread::current().name().is_some_and(|name| name.starts_with("kavka")) {
            PANICS.lock().unwrap().push(info.to_string());
        }
        report(info);
    }));
    let seeds = seeds();
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let begun = Instant::now();
                    if catch_unwind(AssertUnwindSafe(|| Round::run(seed))).is_err() {
                        eprintln!("FAILED: KAVKA_CHAOS_SEED={seed}");
                        failed.lock().unwrap().push(seed);
                    } else {
                        eprintln!("seed {seed}: fine after {:?}", begun.elapsed());
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "run again with KAVKA_CHAOS_SEED={}; failed: {failed:?}", failed[0]);
    assert_eq!(*PANICS.lock().unwrap(), Vec::<String>::new());
    assert_no_threads_left();
}

/// The seeds that are asked for, or some.
fn seeds() -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    match (number("KAVKA_CHAOS_SEED"), number("KAVKA_CHAOS_ROUNDS")) {
        (None, None) => SEEDS.to_vec(),
        (first, rounds) => (first.unwrap_or(1)..).take(rounds.unwrap_or(1) as usize).collect(),
    }
}

/// How the group's members come to agree.
#[derive(Clone, Copy)]
enum Kind {
    Eager,
    Sticky,
    Cooperative,
    Modern,
}

impl Kind {
    fn builder(self, rng: &mut Rng, is_gentle: bool) -> ConsumerBuilder {
        let ms = Duration::from_millis;
        let builder = KafkaConsumer::builder().group_id(GROUP);
        let session = if is_gentle { 20_000 } else { *choose(rng, &[400, 1500, 10_000]) };
        let interval = *choose(rng, &[20, 100]);
        let assignor = match self {
            Self::Eager => Assignor::Range,
            Self::Sticky => Assignor::Sticky,
            Self::Cooperative => Assignor::CooperativeSticky,
            // There the brokers decide on times.
            Self::Modern => return builder.group_protocol(GroupProtocol::Consumer),
        };
        let builder = builder.partition_assignment_strategy([assignor]);
        builder.session_timeout(ms(session)).heartbeat_interval(ms(interval))
    }

    /// What coordinators say to it when something is wrong.
    fn errors(self) -> &'static [(ApiKey, &'static [ErrorCode])] {
        match self {
            Self::Eager | Self::Sticky | Self::Cooperative => &GROUP_ERRORS,
            Self::Modern => &MODERN_GROUP_ERRORS,
        }
    }
}

/// All that one seed does.
struct Round {
    cluster: MockCluster,
    partitions: i32,
    kind: Kind,
    /// Faults touch neither connections nor the group's APIs, and members leave by close: each record is read
    /// exactly once.
    is_gentle: bool,
    /// Who has which partition, as the members' listeners see it.
    owners: Owners,
    /// The storm is over: members that are slow by choice give way to ones that only have to read the rest.
    calm: AtomicBool,
    done: AtomicBool,
    seen: Mutex<HashMap<(i32, i64), Vec<String>>>,
    members: AtomicU64,
}

/// What a thread sent, and what became of it.
type Sent = Vec<(String, Option<FutureRecordMetadata>)>;

impl Round {
    fn run(seed: u64) {
        let mut rng = Rng::with_seed(seed);
        let partitions = rng.i32(1..=5);
        let is_gentle = rng.u32(0..3) == 0;
        let kind = *choose(&mut rng, &KINDS);
        let session = if is_gentle { 20_000 } else { *choose(&mut rng, &[400, 1500, 10_000]) };
        let mut builder = MockCluster::builder()
            .brokers(3)
            .topic(TOPIC, partitions)
            .initial_rebalance_delay(Duration::from_millis(20))
            .session_timeouts(Duration::from_millis(50), Duration::from_secs(60))
            .consumer_group_timeouts(
                Duration::from_millis(*choose(&mut rng, &[20, 100])),
                Duration::from_millis(session),
            );
        if rng.u32(0..4) == 0 {
            // Larger batches have to be split.
            builder = builder.message_max_bytes(rng.usize(150..400));
        }
        let round = Self {
            cluster: builder.start().unwrap(),
            partitions,
            is_gentle,
            kind,
            owners: Owners::default(),
            calm: AtomicBool::new(false),
            done: AtomicBool::new(false),
            seen: Mutex::default(),
            members: AtomicU64::new(0),
        };
        let producer = round.producer(&mut rng);
        // Closed while others send by it.
        let victim = (rng.u32(0..3) == 0).then(|| round.producer(&mut rng));
        let stop = AtomicBool::new(false);
        let called_back = Arc::new(AtomicUsize::new(0));
        thread::scope(|scope| {
            // A failed check must end the other threads, too.
            let _ends = [Ends(&stop), Ends(&round.done)];
            let mut senders = Vec::new();
            for number in 0..rng.usize(2..=4) {
                let (by, seed) = (&producer, rng.u64(..));
                let (round, stop, calls) = (&round, &stop, &called_back);
                senders.push(scope.spawn(move || round.send(by, number, seed, stop, calls)));
            }
            let mut doomed = Vec::new();
            if let Some(victim) = &victim {
                for number in 10..12 {
                    let (round, stop, seed, calls) = (&round, &stop, rng.u64(..), &called_back);
                    doomed.push(scope.spawn(move || round.send(victim, number, seed, stop, calls)));
                }
            }
            let mut consumers = Vec::new();
            for seat in 0..rng.usize(1..=3) {
                let (round, seed) = (&round, rng.u64(..));
                let seat = (rng.u32(0..3) == 0).then(|| format!("seat-{seat}"));
                consumers.push(scope.spawn(move || round.consume(seed, seat)));
            }

            round.break_things(&mut rng, victim.as_ref());

            stop.store(true, Ordering::SeqCst);
            let mut sent: Vec<Sent> = senders.into_iter().map(|sender| sender.join().unwrap()).collect();
            producer.flush(PATIENCE).unwrap();
            let mut handles: usize = count(&sent);
            if let Some(victim) = &victim {
                bounded("a second close", Duration::ZERO, || victim.close(Duration::ZERO).unwrap());
            }
            let doomed: Vec<Sent> = doomed.into_iter().map(|sender| sender.join().unwrap()).collect();
            handles += count(&doomed);
            sent.extend(doomed);
            assert_eq!(called_back.load(Ordering::SeqCst), handles, "each callback runs once");
            until("the memory comes back", || {
                producer.buffer_available_bytes() == producer.config().buffer_memory
            });
            round.check_log(&sent);
            round.calm.store(true, Ordering::SeqCst);
            round.wait_for_consumers();
            round.done.store(true, Ordering::SeqCst);
            consumers.into_iter().for_each(|consumer| consumer.join().unwrap());
            bounded("close", Duration::from_secs(1), || producer.close(Duration::from_secs(1)).unwrap());
        });
        round.check_readers();
    }

    fn producer(&self, rng: &mut Rng) -> KafkaProducer {
        let ms = Duration::from_millis;
        let codecs = [
            CompressionType::None,
            CompressionType::Gzip,
            CompressionType::Snappy,
            CompressionType::Lz4,
            CompressionType::Zstd,
        ];
        let codecs: Vec<_> = codecs.into_iter().filter(|codec| codec.is_built_in()).collect();
        KafkaProducer::builder()
            .bootstrap_servers(self.cluster.bootstrap_servers())
            .linger(ms(*choose(rng, &[0, 0, 2, 10, 30])))
            .batch_size(*choose(rng, &[0, 100, 300, 1000, 16_384]))
            .max_in_flight_requests_per_connection(rng.usize(1..=5))
            .compression_type(*choose(rng, &codecs))
            .buffer_memory(*choose(rng, &[10_000, 100_000, 1 << 20]))
            .max_block(ms(*choose(rng, &[50, 3000])))
            .request_timeout(ms(500))
            .delivery_timeout(ms(*choose(rng, &[600, 1200, 20_000])))
            .retries(*choose(rng, &[1, 3, i32::MAX as u32]))
            .retry_backoff(ms(10))
            .retry_backoff_max(ms(60))
            .reconnect_backoff(ms(10))
            .reconnect_backoff_max(ms(60))
            .socket_connection_setup_timeout(ms(300))
            .metadata_max_age(ms(*choose(rng, &[100, 1000, 60_000])))
            .build()
            .unwrap()
    }

    /// Sends numbered records until it is told to stop.
    fn send(
        &self,
        producer: &KafkaProducer,
        thread: usize,
        seed: u64,
        stop: &AtomicBool,
        called_back: &Arc<AtomicUsize>,
    ) -> Sent {
        let mut rng = Rng::with_seed(seed);
        let mut sent = Sent::new();
        let way = rng.u32(0..4);
        while !stop.load(Ordering::SeqCst) && sent.len() < 1000 {
            let value = format!("{thread}/{}", sent.len());
            let key = format!("{}", rng.u32(0..20));
            let record = ProducerRecord::new(TOPIC).value(&value);
            let handle = match if way == 3 { rng.u32(0..3) } else { way } {
                0 => producer.send(record.key(&key)),
                1 => producer.send(record.partition(rng.i32(0..self.partitions))),
                _ => producer.send(record),
            };
            if let Ok(handle) = &handle {
                let calls = Arc::clone(called_back);
                handle.add_both(move |_| {
                    calls.fetch_add(1, Ordering::SeqCst);
                });
            }
            let refused = handle.as_ref().is_err_and(|error| error.kind() == ErrorKind::Closed);
            sent.push((value, handle.ok()));
            if refused {
                break;
            }
            if rng.u32(0..3) == 0 {
                thread::sleep(Duration::from_micros(rng.u64(0..15_000)));
            }
        }
        sent
    }

    /// The schedule of faults. All is well again when it returns.
    fn break_things(&self, rng: &mut Rng, victim: Option<&KafkaProducer>) {
        let steps = rng.u32(100..250);
        let closes_at = rng.u32(steps / 3..steps);
        let (mut dead, mut deaf) = (BTreeMap::new(), BTreeMap::new());
        for step in 0..steps {
            thread::sleep(Duration::from_millis(rng.u64(1..20)));
            for healed in due(&mut dead, step) {
                self.cluster.restart(healed).unwrap();
            }
            for healed in due(&mut deaf, step) {
                self.cluster.resume_reading(healed).unwrap();
            }
            let broker = rng.i32(1..=3);
            match rng.u32(0..if self.is_gentle { 8 } else { 15 }) {
                0..=2 => self.partition_error(rng),
                3 => drop(self.cluster.on(ApiKey::PRODUCE).error_after(*choose(rng, &AFTER_APPEND))),
                4 => {
                    let partition = rng.i32(0..self.partitions);
                    self.cluster.move_leader(TOPIC, partition, broker).unwrap();
                    if self.cluster.leader(TOPIC, partition).is_some_and(|leader| dead.contains_key(&leader))
                    {
                        self.cluster.restart(broker).unwrap();
                        dead.remove(&broker);
                    }
                }
                5 => {
                    let api = *choose(rng, &DATA_APIS);
                    let time = Duration::from_millis(rng.u64(0..120));
                    let fault = self.cluster.on(api).times(rng.u64(1..3));
                    drop(if rng.bool() { fault.delay(time) } else { fault.throttle(time) });
                }
                6 => self.cluster.forget_fetch_sessions(broker).unwrap(),
                7 if self.is_gentle => self.cluster.rebalance(GROUP),
                7..=8 => self.group_error(rng),
                9..=11 => self.cut(rng),
                12 => self.cluster.disconnect(broker).unwrap(),
                13 if dead.len() < 2 && rng.u32(0..3) == 0 => {
                    dead.insert(broker, step + rng.u32(2..30));
                    match rng.bool() {
                        true => self.cluster.kill(broker).unwrap(),
                        false => self.cluster.kill_without_failover(broker).unwrap(),
                    }
                }
                13 if deaf.is_empty() => {
                    deaf.insert(broker, step + rng.u32(2..20));
                    self.cluster.stop_reading(broker).unwrap();
                }
                _ => match rng.u32(0..3) {
                    0 => self.cluster.rebalance(GROUP),
                    1 => self.cluster.move_coordinator(GROUP, broker).unwrap(),
                    _ => {
                        if let Some(member) = self.cluster.group_members(GROUP).first() {
                            self.cluster.evict_member(GROUP, member);
                        }
                    }
                },
            }
            if let Some(victim) = victim.filter(|_| step == closes_at) {
                let timeout = Duration::from_millis(*choose(rng, &[0, 20, 300]));
                // What it gave up shows in the handles.
                let _ = bounded("close", timeout, || victim.close(timeout));
            }
        }
        self.cluster.clear_faults();
        for broker in 1..=3 {
            self.cluster.restart(broker).unwrap();
        }
    }

    fn partition_error(&self, rng: &mut Rng) {
        let (api, codes) = *choose(rng, &PARTITION_ERRORS);
        let from = rng.u64(1..4);
        let mut fault = self.cluster.on(api).nth(from..=from + *choose(rng, &[0, 1, 5, 20]));
        if rng.bool() && !matches!(api, ApiKey::METADATA | ApiKey::INIT_PRODUCER_ID) {
            fault = fault.partition(TOPIC, rng.i32(0..self.partitions));
        }
        fault.error(*choose(rng, codes));
    }

    fn group_error(&self, rng: &mut Rng) {
        let (api, codes) = *choose(rng, self.kind.errors());
        self.cluster.on(api).times(rng.u64(1..4)).error(*choose(rng, codes));
    }

    /// Something goes wrong with a connection in the middle of a request.
    fn cut(&self, rng: &mut Rng) {
        let api = match rng.u32(0..4) {
            0 => *choose(rng, &DATA_APIS),
            1 => ApiKey::PRODUCE,
            2 => choose(rng, self.kind.errors()).0,
            _ => ApiKey::FETCH,
        };
        let from = rng.u64(1..4);
        let fault = self.cluster.on(api).nth(from..=from + *choose(rng, &[0, 0, 1, 4]));
        match rng.u32(0..5) {
            0 => fault.drop_before(),
            1 => fault.drop_after(),
            2 => fault.close_after_bytes(rng.usize(0..60)),
            // Short answers could decode by chance, as a throttle time of days.
            3 if DATA_APIS.contains(&api) => fault.garbage(),
            _ => fault.never_answer(),
        };
    }

    /// One member after another, until all is read; with a seat of its own, if any.
    fn consume(&self, seed: u64, seat: Option<String>) {
        let mut rng = Rng::with_seed(seed);
        while !self.done.load(Ordering::SeqCst) {
            self.be_a_member(&mut rng, seat.as_deref());
        }
    }

    fn be_a_member(&self, rng: &mut Rng, seat: Option<&str>) {
        let ms = Duration::from_millis;
        let name = format!("member-{}", self.members.fetch_add(1, Ordering::SeqCst));
        let calm = self.calm.load(Ordering::SeqCst);
        let auto_commit = rng.bool();
        let mut builder = self.kind.builder(rng, self.is_gentle);
        if let Some(seat) = seat {
            builder = builder.group_instance_id(seat);
        }
        let isolation = [IsolationLevel::ReadUncommitted, IsolationLevel::ReadCommitted];
        let mut consumer = builder
            .bootstrap_servers(self.cluster.bootstrap_servers())
            .client_id(&name)
            .isolation_level(*choose(rng, &isolation))
            .auto_offset_reset(AutoOffsetReset::Earliest)
            .enable_auto_commit(auto_commit)
            .auto_commit_interval(ms(*choose(rng, &[0, 20, 200])))
            // A JoinGroup that is never answered is waited for a bit longer than this.
            .max_poll_interval(if self.is_gentle { ms(300_000) } else { ms(3000) })
            .max_poll_records(if calm { 500 } else { *choose(rng, &[1, 10, 500]) })
            .enable_incremental_fetch_sessions(rng.u32(0..4) > 0)
            .fetch_max_wait(ms(*choose(rng, &[10, 100, 400])))
            .max_partition_fetch_bytes(if calm { 1 << 20 } else { *choose(rng, &[200, 5000, 1 << 20]) })
            .fetch_max_bytes(*choose(rng, &[500, 10_000, 50 << 20]))
            .consumer_timeout(ms(30))
            .request_timeout(ms(500))
            .default_api_timeout(ms(3000))
            .drop_timeout(ms(300))
            .retry_backoff(ms(10))
            .retry_backoff_max(ms(60))
            .reconnect_backoff(ms(10))
            .reconnect_backoff_max(ms(60))
            .socket_connection_setup_timeout(ms(300))
            .metadata_max_age(ms(*choose(rng, &[100, 1000, 60_000])))
            .build()
            .unwrap();
        let assigned = Assigned {
            name: name.clone(),
            own: Arc::default(),
            owners: self.is_gentle.then(|| Arc::clone(&self.owners)),
        };
        let subscription = Subscription::topics([TOPIC]);
        let subscription = match rng.u32(0..4) {
            0 => subscription.async_listener(assigned.clone()),
            _ => subscription.listener(assigned.clone()),
        };
        consumer.subscribe_to(subscription).unwrap();
        let polls = if calm { u32::MAX } else { rng.u32(5..150) };
        // Of an iteration's last record nobody knows whether it is worked on: its members are never gentle.
        let iterates = !self.is_gentle && !calm && rng.u32(0..4) == 0;
        let mut positions: HashMap<i32, i64> = HashMap::new();
        let mut paused = BTreeSet::new();
        for poll in 0.. {
            let relieved = !calm && self.calm.load(Ordering::SeqCst);
            if relieved || self.done.load(Ordering::SeqCst) || (poll >= polls && rng.u32(0..20) == 0) {
                break;
            }
            let timeout = ms(rng.u64(0..60));
            // The commit before a rebalance is waited for five seconds.
            let polled = bounded("poll", timeout + ms(5000), || {
                let place = |record: &ConsumerRecord| (record.partition(), record.offset());
                if iterates {
                    consumer.iter().next().map_or(Ok(Vec::new()), |record| Ok(vec![place(&record?)]))
                } else {
                    Ok(consumer.poll(timeout)?.iter().map(place).collect())
                }
            });
            for gone in assigned.take_changed() {
                positions.remove(&gone);
                paused.remove(&gone);
            }
            let records = match polled {
                Ok(records) => records,
                Err(error) => {
                    assert!(is_expected(&error), "{name}: poll: {error}");
                    continue;
                }
            };
            for &(partition, offset) in &records {
                assert!(!paused.contains(&partition), "{name}: a record of {partition}, which is paused");
                assert!(assigned.has(partition), "{name}: a record of {partition}, which is not its own");
                let expected = positions.insert(partition, offset + 1);
                assert!(
                    expected.is_none_or(|expected| expected == offset),
                    "{name}: {partition}@{offset} came instead of {expected:?}"
                );
                let mut seen = self.seen.lock().unwrap();
                assert!(
                    offset == 0 || seen.contains_key(&(partition, offset - 1)),
                    "{name}: began at {partition}@{offset}, and nobody has read what is before"
                );
                seen.entry((partition, offset)).or_default().push(name.clone());
            }
            match rng.u32(0..40) {
                0 => {
                    let own = consumer.assignment();
                    consumer.pause(&own).unwrap();
                    paused.extend(own.iter().map(TopicPartition::partition));
                }
                1..=10 => {
                    let own = consumer.paused();
                    consumer.resume(&own).unwrap();
                    paused.clear();
                }
                _ => {}
            }
            let committed = match rng.u32(0..4) {
                _ if auto_commit && rng.u32(0..10) > 0 => Ok(()),
                0 if !self.is_gentle => consumer.commit_async(),
                1 if !self.is_gentle => Ok(()),
                _ if records.is_empty() => Ok(()),
                _ => bounded("commit", ms(3000), || consumer.commit()),
            };
            if let Err(error) = committed {
                assert!(is_expected(&error), "{name}: commit: {error}");
                assert!(!self.is_gentle, "{name}: commit: {error}");
            }
        }
        if self.is_gentle || rng.bool() {
            let closed = bounded("close", ms(2000), || consumer.close(ms(2000)));
            if let Err(error) = closed {
                assert!(is_expected(&error) && !self.is_gentle, "{name}: close: {error}");
            }
        } else {
            bounded("drop", ms(300), || drop(consumer));
        }
    }

    /// The log against what the producers were told.
    fn check_log(&self, sent: &[Sent]) {
        let mut log: HashMap<String, (i32, i64)> = HashMap::new();
        let mut last: HashMap<(i32, String), usize> = HashMap::new();
        let mut faults = Vec::new();
        for partition in 0..self.partitions {
            for (at, record) in self.cluster.records(TOPIC, partition).into_iter().enumerate() {
                assert_eq!(record.offset, at as i64, "the mock's log has no gaps");
                let value = record.value_str();
                let place = format!(
                    "{partition}@{} (epoch {}, sequence {})",
                    record.offset, record.producer_epoch, record.sequence
                );
                let (thread, index) = value.split_once('/').unwrap();
                let index: usize = index.parse().unwrap();
                if let Some(first) = log.insert(value.clone(), (partition, record.offset)) {
                    faults.push(format!("{value} is twice in the log: at {first:?} and {place}"));
                } else if let Some(before) = last.insert((partition, thread.to_owned()), index) {
                    if before > index {
                        faults.push(format!("{value} at {place} comes after {thread}/{before}"));
                    }
                }
            }
        }
        for (value, handle) in sent.iter().flatten() {
            let found = log.get(value);
            match handle.as_ref().map(|handle| handle.try_get()) {
                None if found.is_some() => faults.push(format!("{value} was refused and is at {found:?}")),
                None => {}
                Some(None) => faults.push(format!("{value} has no outcome")),
                Some(Some(Ok(metadata))) => {
                    let told = metadata.offset().map(|offset| (metadata.partition(), offset));
                    if told.is_none() || told.as_ref() != found {
                        faults.push(format!("{value} was acknowledged at {told:?} and is at {found:?}"));
                    }
                }
                Some(Some(Err(error))) if found.is_some() && !error.maybe_written() => {
                    faults.push(format!("{value} failed and is at {found:?}: {error}"));
                }
                Some(Some(Err(_))) => {}
            }
        }
        assert!(faults.is_empty(), "{} faults, such as {:#?}", faults.len(), &faults[..faults.len().min(10)]);
    }

    fn wait_for_consumers(&self) {
        let missing = || {
            let seen = self.seen.lock().unwrap();
            let ends =
                (0..self.partitions).map(|partition| (partition, self.cluster.end_offset(TOPIC, partition)));
            ends.flat_map(|(partition, end)| (0..end).map(move |offset| (partition, offset)))
                .filter(|place| !seen.contains_key(place))
                .collect::<Vec<_>>()
        };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = missing();
            if left.is_empty() {
                return;
            }
            let committed: Vec<_> = (0..self.partitions)
                .map(|partition| self.cluster.committed(GROUP, TOPIC, partition))
                .collect();
            assert!(
                Instant::now() < deadline,
                "{} records were never read, the first ones {:?}; committed {committed:?}; {:?} with {:?}",
                left.len(),
                &left[..left.len().min(5)],
                self.cluster.group_state(GROUP),
                self.cluster.group_members(GROUP),
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn check_readers(&self) {
        if !self.is_gentle {
            return;
        }
        let seen = self.seen.lock().unwrap();
        let twice: BTreeMap<_, _> = seen.iter().filter(|(_, readers)| readers.len() > 1).collect();
        assert!(
            twice.is_empty(),
            "{} records were read more than once though all members were closed, such as {:?}",
            twice.len(),
            twice.iter().take(5).collect::<Vec<_>>()
        );
    }
}

/// What happens to a member in such a storm.
fn is_expected(error: &kavka::Error) -> bool {
    error.is_retriable()
        // The one before it has not left in good order, and its session is longer than this one's patience.
        || error.code() == Some(ErrorCode::UNRELEASED_INSTANCE_ID)
        || matches!(
            error.kind(),
            ErrorKind::Timeout | ErrorKind::CommitFailed | ErrorKind::Connection | ErrorKind::MaxPollExceeded
        )
}

const KINDS: [Kind; 4] = [Kind::Eager, Kind::Sticky, Kind::Cooperative, Kind::Modern];

type Owners = Arc<Mutex<BTreeMap<i32, String>>>;

/// Follows what belongs to a consumer.
#[derive(Clone)]
struct Assigned {
    name: String,
    own: Arc<Mutex<(BTreeSet<i32>, BTreeSet<i32>)>>,
    /// Of all members. In a storm one that was thrown out may not know it yet, and nothing is to be said of owners.
    owners: Option<Owners>,
}

impl Assigned {
    fn take_changed(&self) -> BTreeSet<i32> {
        std::mem::take(&mut self.own.lock().unwrap().1)
    }

    fn has(&self, partition: i32) -> bool {
        self.own.lock().unwrap().0.contains(&partition)
    }

    fn lose(&self, gone: &[TopicPartition]) {
        let (own, changed) = &mut *self.own.lock().unwrap();
        for tp in gone {
            assert!(own.remove(&tp.partition()), "{}: {tp} was revoked and never assigned", self.name);
            changed.insert(tp.partition());
            if let Some(owners) = &self.owners {
                assert_eq!(owners.lock().unwrap().remove(&tp.partition()).as_ref(), Some(&self.name), "{tp}");
            }
        }
    }

    fn win(&self, new: &[TopicPartition]) {
        let (own, _) = &mut *self.own.lock().unwrap();
        for tp in new {
            assert!(own.insert(tp.partition()), "{}: {tp} was assigned twice", self.name);
            if let Some(owners) = &self.owners {
                let other = owners.lock().unwrap().insert(tp.partition(), self.name.clone());
                assert_eq!(other, None, "{tp} is given to {} as well", self.name);
            }
        }
    }
}

impl ConsumerRebalanceListener for Assigned {
    fn on_partitions_revoked(&mut self, _: &mut RebalanceContext<'_>, gone: &[TopicPartition]) -> Result<()> {
        self.lose(gone);
        Ok(())
    }

    fn on_partitions_assigned(&mut self, _: &mut RebalanceContext<'_>, new: &[TopicPartition]) -> Result<()> {
        self.win(new);
        Ok(())
    }
}

impl AsyncConsumerRebalanceListener for Assigned {
    async fn on_partitions_revoked(
        &mut self,
        _: &AsyncRebalanceContext,
        gone: &[TopicPartition],
    ) -> Result<()> {
        self.lose(gone);
        Ok(())
    }

    async fn on_partitions_assigned(
        &mut self,
        _: &AsyncRebalanceContext,
        new: &[TopicPartition],
    ) -> Result<()> {
        self.win(new);
        Ok(())
    }
}

struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn choose<'a, T>(rng: &mut Rng, from: &'a [T]) -> &'a T {
    &from[rng.usize(0..from.len())]
}

fn count(sent: &[Sent]) -> usize {
    sent.iter().flatten().filter(|(_, handle)| handle.is_some()).count()
}

fn due(broken: &mut BTreeMap<i32, u32>, step: u32) -> Vec<i32> {
    let healed: Vec<i32> = broken.iter().filter(|(_, at)| **at <= step).map(|(broker, _)| *broker).collect();
    broken.retain(|_, at| *at > step);
    healed
}

/// Calls `f`, which has to come back within its timeout and a bit.
#[track_caller]
fn bounded<T>(what: &str, timeout: Duration, f: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = f();
    let took = begun.elapsed();
    assert!(took < timeout + Duration::from_millis(1500), "{what} took {took:?} instead of {timeout:?}");
    result
}

#[track_caller]
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// No IO thread outlives its client.
fn assert_no_threads_left() {
    let names = || -> Vec<String> {
        let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return Vec::new() };
        let names = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        names.filter(|name| name.starts_with("kavka")).collect()
    };
    until("the IO threads end", || names().is_empty());
}

const AFTER_APPEND: [ErrorCode; 2] =
    [ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND, ErrorCode::REQUEST_TIMED_OUT];

const DATA_APIS: [ApiKey; 3] = [ApiKey::PRODUCE, ApiKey::FETCH, ApiKey::METADATA];

const PARTITION_ERRORS: [(ApiKey, &[ErrorCode]); 8] = [
    (ApiKey::PRODUCE, PRODUCE_ERRORS),
    (ApiKey::PRODUCE, PRODUCE_ERRORS),
    (ApiKey::PRODUCE, PRODUCE_ERRORS),
    (ApiKey::FETCH, FETCH_ERRORS),
    (ApiKey::FETCH, FETCH_ERRORS),
    (ApiKey::LIST_OFFSETS, &[ErrorCode::NOT_LEADER_OR_FOLLOWER, ErrorCode::LEADER_NOT_AVAILABLE]),
    (ApiKey::METADATA, &[ErrorCode::LEADER_NOT_AVAILABLE, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION]),
    (ApiKey::INIT_PRODUCER_ID, COORDINATOR_ERRORS),
];

const PRODUCE_ERRORS: &[ErrorCode] = &[
    ErrorCode::NOT_LEADER_OR_FOLLOWER,
    ErrorCode::REQUEST_TIMED_OUT,
    ErrorCode::NOT_ENOUGH_REPLICAS,
    ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    ErrorCode::KAFKA_STORAGE_ERROR,
    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
];

const FETCH_ERRORS: &[ErrorCode] = &[
    ErrorCode::NOT_LEADER_OR_FOLLOWER,
    ErrorCode::FENCED_LEADER_EPOCH,
    ErrorCode::UNKNOWN_LEADER_EPOCH,
    ErrorCode::OFFSET_NOT_AVAILABLE,
    ErrorCode::KAFKA_STORAGE_ERROR,
    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode::FETCH_SESSION_ID_NOT_FOUND,
    ErrorCode::INVALID_FETCH_SESSION_EPOCH,
];

const COORDINATOR_ERRORS: &[ErrorCode] = &[
    ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode::COORDINATOR_NOT_AVAILABLE,
    ErrorCode::NOT_COORDINATOR,
];

const MEMBER_ERRORS: &[ErrorCode] = &[
    ErrorCode::COORDINATOR_NOT_AVAILABLE,
    ErrorCode::NOT_COORDINATOR,
    ErrorCode::REBALANCE_IN_PROGRESS,
    ErrorCode::UNKNOWN_MEMBER_ID,
    ErrorCode::ILLEGAL_GENERATION,
];

const MODERN_GROUP_ERRORS: [(ApiKey, &[ErrorCode]); 4] = [
    (ApiKey::FIND_COORDINATOR, &[ErrorCode::COORDINATOR_NOT_AVAILABLE]),
    (
        ApiKey::CONSUMER_GROUP_HEARTBEAT,
        &[
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
            ErrorCode::NOT_COORDINATOR,
            ErrorCode::UNKNOWN_MEMBER_ID,
            ErrorCode::FENCED_MEMBER_EPOCH,
        ],
    ),
    (
        ApiKey::OFFSET_COMMIT,
        &[ErrorCode::NOT_COORDINATOR, ErrorCode::UNKNOWN_MEMBER_ID, ErrorCode::STALE_MEMBER_EPOCH],
    ),
    (ApiKey::OFFSET_FETCH, COORDINATOR_ERRORS),
];
const GROUP_ERRORS: [(ApiKey, &[ErrorCode]); 7] = [
    (ApiKey::FIND_COORDINATOR, &[ErrorCode::COORDINATOR_NOT_AVAILABLE]),
    (
        ApiKey::JOIN_GROUP,
        &[ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, ErrorCode::NOT_COORDINATOR, ErrorCode::UNKNOWN_MEMBER_ID],
    ),
    (ApiKey::SYNC_GROUP, MEMBER_ERRORS),
    (ApiKey::HEARTBEAT, MEMBER_ERRORS),
    (ApiKey::LEAVE_GROUP, &[ErrorCode::NOT_COORDINATOR, ErrorCode::UNKNOWN_MEMBER_ID]),
    (ApiKey::OFFSET_COMMIT, MEMBER_ERRORS),
    (ApiKey::OFFSET_FETCH, COORDINATOR_ERRORS),
];

//! Transactions on a real Apache Kafka: what other clients see of them, fencing, brokers that die, and exactly once
//! across processes that are killed.

#![allow(clippy::disallowed_methods, reason = "a test measures with its own clock how long calls take")]

mod support;

use std::collections::HashMap;
use std::env;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use kavka::config::{AutoOffsetReset, IsolationLevel};
use kavka::consumer::Blocked;
use kavka::producer::ProducerBuilder;
use kavka::{
    ConsumerGroupMetadata, Error, ErrorKind, KafkaAdminClient, KafkaConsumer, KafkaProducer, ProducerRecord,
    TopicPartition,
};
use support::kafka::{Cluster, unique, wait_until};
use support::peers;

const PATIENCE: Duration = Duration::from_secs(60);

fn builder(cluster: &Cluster, id: &str) -> ProducerBuilder {
    let _ = env_logger::builder().is_test(true).try_init();
    KafkaProducer::builder().bootstrap_servers(cluster.bootstrap()).transactional_id(id)
}

fn ready(cluster: &Cluster, id: &str) -> KafkaProducer {
    let producer = builder(cluster, id).build().unwrap();
    producer.init_transactions().unwrap();
    producer
}

fn reader(bootstrap: &str) -> kavka::consumer::ConsumerBuilder {
    KafkaConsumer::builder()
        .bootstrap_servers(bootstrap)
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .isolation_level(IsolationLevel::ReadCommitted)
        .enable_auto_commit(false)
}

/// All that readers of committed records see of a topic now, sorted.
fn committed(cluster: &Cluster, topic: &str) -> Vec<String> {
    let mut reader = reader(&cluster.bootstrap()).consumer_timeout(Duration::from_secs(3)).build().unwrap();
    let partitions = cluster.partitions(topic).len() as i32;
    reader.assign((0..partitions).map(|partition| TopicPartition::new(topic, partition))).unwrap();
    let ends: i64 = reader.end_offsets(&reader.assignment()).unwrap().values().sum();
    let mut seen = Vec::new();
    loop {
        let position: i64 =
            reader.assignment().iter().map(|tp| reader.position(tp).unwrap_or_default()).sum();
        if position >= ends {
            seen.sort();
            return seen;
        }
        for record in &reader.poll(Duration::from_secs(1)).unwrap() {
            seen.push(String::from_utf8(record.value().as_ref().unwrap().to_vec()).unwrap());
        }
    }
}

/// Commits and aborts, in turn, and has three other clients read what came of it.
fn commits_and_aborts_as_others_see_them(cluster: &Cluster) {
    let topic = unique("transactions");
    cluster.create_topic(&topic, 3, &[]);
    let producer = ready(cluster, &unique("id"));
    let mut expected = Vec::new();
    for round in 0..6 {
        producer.begin_transaction().unwrap();
        for index in 0..50 {
            let value = format!("{round}/{index:02}");
            producer.send(ProducerRecord::new(&topic).partition(index % 3).value(&value)).unwrap();
            if round % 2 == 0 {
                expected.push(value);
            }
        }
        if round % 2 == 0 {
            producer.commit_transaction().unwrap();
        } else {
            producer.flush(PATIENCE).unwrap();
            producer.abort_transaction().unwrap();
        }
    }
    expected.sort();
    assert_eq!(committed(cluster, &topic), expected, "kavka");

    let bootstrap = cluster.bootstrap();
    let text = |bytes: Option<Vec<u8>>| String::from_utf8(bytes.unwrap()).unwrap();
    let kcat = |isolation: &str, count| {
        let property = format!("isolation.level={isolation}");
        let read = peers::kcat_consume(&bootstrap, &topic, count, &["-X", &property]);
        let mut values: Vec<String> = read.into_iter().map(|record| text(record.value)).collect();
        values.sort();
        values
    };
    assert_eq!(kcat("read_committed", 150), expected, "kcat");
    assert_eq!(kcat("read_uncommitted", 300).len(), 300);
    let mut java =
        peers::java_console_consume(&bootstrap, &topic, 150, &["--isolation-level", "read_committed"]);
    java.sort();
    assert_eq!(java, expected, "Java");
    let script = "
import sys
from kafka import KafkaConsumer
consumer = KafkaConsumer(sys.argv[2], bootstrap_servers=sys.argv[1], auto_offset_reset='earliest',
                         isolation_level='read_committed', consumer_timeout_ms=5000)
for record in consumer:
    print(record.value.decode())
";
    let read = peers::python(script, &[&bootstrap, &topic]);
    let mut python: Vec<&str> = read.lines().collect();
    python.sort_unstable();
    assert_eq!(python, expected, "kafka-python");
}

#[test]
fn other_clients_see_exactly_the_committed_records() {
    commits_and_aborts_as_others_see_them(Cluster::shared_three());
}

#[test]
fn the_older_kind_of_transactions_works_too() {
    let cluster = Cluster::start(1, |config| {
        config.format_argument("--feature").format_argument("transaction.version=1");
    });
    commits_and_aborts_as_others_see_them(&cluster);
    offsets_go_with_the_transaction(&cluster);
    a_transaction_takes_too_long(&cluster, false);
    a_second_producer_fences_the_first(&cluster);
}

#[test]
fn brokers_before_4_0_have_transactions_too() {
    let cluster = Cluster::start(1, |config| {
        config.old();
    });
    commits_and_aborts_as_others_see_them(&cluster);
    offsets_go_with_the_transaction(&cluster);
    a_transaction_takes_too_long(&cluster, false);
    a_second_producer_fences_the_first(&cluster);
}

/// Where a broker freezes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Initialization,
    Begin,
    Sent,
    Offsets,
    Commit,
    Abort,
}

/// What a program does with one value: a transaction, again until it is committed. `at` is called before each step of
/// the first attempt.
fn write_once(
    cluster: &Cluster,
    producer: &mut KafkaProducer,
    id: &str,
    topic: &str,
    value: &str,
    at: &dyn Fn(Step),
) {
    let group = ConsumerGroupMetadata::new(id);
    let offsets = [(TopicPartition::new(topic, 0), 1_i64)];
    let mut is_first = true;
    loop {
        let at = |step| {
            if is_first {
                at(step);
            }
        };
        let run = || {
            producer.begin_transaction()?;
            at(Step::Begin);
            producer.send(ProducerRecord::new(topic).value(value))?;
            at(Step::Sent);
            producer.flush(PATIENCE)?;
            at(Step::Offsets);
            producer.send_offsets_to_transaction(offsets.clone(), &group)?;
            at(Step::Commit);
            producer.commit_transaction()
        };
        let Err(error) = run() else { return };
        is_first = false;
        if error.requires_abort() {
            match producer.abort_transaction() {
                Ok(()) => continue,
                Err(error) => assert!(error.is_fatal(), "{error}"),
            }
        }
        *producer = ready(cluster, id);
        // The last commit may have been done.
        if committed(cluster, topic).iter().any(|known| known == value) {
            return;
        }
    }
}

#[test]
fn a_plain_loop_outlives_a_freeze_longer_than_the_transaction_timeout_at_each_step() {
    for version in ["transaction.version=1", "transaction.version=2"] {
        let cluster = Cluster::start(1, |config| {
            config.format_argument("--feature").format_argument(version);
        });
        let (topic, id) = (unique("frozen"), unique("id"));
        cluster.create_topic(&topic, 1, &[]);
        let node = cluster.node_ids()[0];
        let freeze = || {
            cluster.pause(node);
            let cluster = &cluster;
            move || {
                thread::sleep(Duration::from_millis(2_500));
                cluster.resume(node);
            }
        };
        let build = || {
            builder(&cluster, &id)
                .transaction_timeout(Duration::from_secs(1))
                .request_timeout(Duration::from_secs(1))
                .build()
                .unwrap()
        };
        let mut producer = build();
        let mut expected = Vec::new();
        let steps = [Step::Initialization, Step::Begin, Step::Sent, Step::Offsets, Step::Commit, Step::Abort];
        for frozen in steps {
            let value = format!("{frozen:?}");
            thread::scope(|scope| {
                if frozen == Step::Initialization {
                    scope.spawn(freeze());
                    producer = build();
                    producer.init_transactions().unwrap();
                }
                if frozen == Step::Abort {
                    producer.begin_transaction().unwrap();
                    producer
                        .send(ProducerRecord::new(&topic).value("aborted"))
                        .unwrap()
                        .get(PATIENCE)
                        .unwrap();
                    scope.spawn(freeze());
                    if let Err(error) = producer.abort_transaction() {
                        assert!(error.is_fatal(), "{error}");
                        producer = build();
                        producer.init_transactions().unwrap();
                    }
                }
                let at = |step| {
                    if step == frozen {
                        scope.spawn(freeze());
                    }
                };
                write_once(&cluster, &mut producer, &id, &topic, &value, &at);
            });
            expected.push(value);
            let mut seen = committed(&cluster, &topic);
            seen.sort();
            expected.sort();
            assert_eq!(seen, expected, "{version}: after a freeze at {frozen:?}");
        }
    }
}

fn a_second_producer_fences_the_first(cluster: &Cluster) {
    let (topic, id) = (unique("fenced"), unique("id"));
    cluster.create_topic(&topic, 1, &[]);
    let first = ready(cluster, &id);
    first.begin_transaction().unwrap();
    first.send(ProducerRecord::new(&topic).value("first")).unwrap().get(PATIENCE).unwrap();
    let second = ready(cluster, &id);
    second.begin_transaction().unwrap();
    second.send(ProducerRecord::new(&topic).value("second")).unwrap();
    second.commit_transaction().unwrap();
    let error = first.commit_transaction().unwrap_err();
    assert!(error.is_fatal() && error.kind() == ErrorKind::ProducerFenced, "{error}");
    assert!(first.begin_transaction().unwrap_err().is_fatal());
    assert_eq!(committed(cluster, &topic), ["second"]);
}

#[test]
fn the_first_of_two_producers_with_one_id_is_fenced() {
    a_second_producer_fences_the_first(Cluster::shared_three());
}

#[test]
fn a_transaction_that_takes_too_long_is_aborted_and_readers_go_on() {
    a_transaction_takes_too_long(Cluster::shared_three(), true);
}

fn a_transaction_takes_too_long(cluster: &Cluster, is_newer: bool) {
    let (topic, id) = (unique("late"), unique("id"));
    cluster.create_topic(&topic, 1, &[]);
    let producer = builder(cluster, &id).transaction_timeout(Duration::from_millis(1500)).build().unwrap();
    producer.init_transactions().unwrap();
    producer.begin_transaction().unwrap();
    producer.send(ProducerRecord::new(&topic).value("late")).unwrap().get(PATIENCE).unwrap();
    let other = KafkaProducer::builder().bootstrap_servers(cluster.bootstrap()).build().unwrap();
    other.send(ProducerRecord::new(&topic).value("behind it")).unwrap().get(PATIENCE).unwrap();
    // The end that readers of committed records see stays before the transaction, until it is aborted.
    let mut reader = reader(&cluster.bootstrap()).build().unwrap();
    let tp = TopicPartition::new(&*topic, 0);
    reader.assign([tp.clone()]).unwrap();
    let mut seen = Vec::new();
    wait_until("the reader goes on", PATIENCE, || {
        let records = reader.poll(Duration::from_millis(500)).unwrap();
        seen.extend(records.iter().map(|record| record.value().as_ref().unwrap().to_vec()));
        !seen.is_empty()
    });
    assert_eq!(seen, [b"behind it"]);
    let error = producer.commit_transaction().unwrap_err();
    let next = if is_newer {
        assert!(error.requires_abort(), "{error}");
        producer.abort_transaction().unwrap();
        producer
    } else {
        assert!(error.is_fatal() && error.kind() == ErrorKind::ProducerFenced, "{error}");
        ready(cluster, &id)
    };
    next.begin_transaction().unwrap();
    next.send(ProducerRecord::new(&topic).value("next")).unwrap();
    next.commit_transaction().unwrap();
    assert_eq!(committed(cluster, &topic), ["behind it", "next"]);
}

const HANGING: [&str; 3] = ["KAVKA_HANGING_BOOTSTRAP", "KAVKA_HANGING_TOPIC", "KAVKA_HANGING_ID"];

/// Is the process that dies when the test starts itself: it opens a transaction and waits for its end.
fn open_a_transaction(bootstrap: &str, topic: &str, id: &str) -> Result<(), Error> {
    let producer = KafkaProducer::builder()
        .bootstrap_servers(bootstrap)
        .transactional_id(id)
        .transaction_timeout(Duration::from_secs(600))
        .build()?;
    producer.init_transactions()?;
    producer.begin_transaction()?;
    producer.send(ProducerRecord::new(topic).value("never committed"))?.get(PATIENCE)?;
    loop {
        thread::park();
    }
}

#[test]
fn a_reader_behind_the_transaction_of_a_dead_producer_says_so_until_an_admin_ends_it() {
    if let [Ok(bootstrap), Ok(topic), Ok(id)] = HANGING.map(env::var) {
        return open_a_transaction(&bootstrap, &topic, &id).unwrap();
    }
    let cluster = Cluster::shared_three();
    let (topic, id) = (unique("hanging"), unique("id"));
    cluster.create_topic(&topic, 1, &[]);
    let bootstrap = cluster.bootstrap();
    let before = KafkaProducer::builder().bootstrap_servers(&bootstrap).build().unwrap();
    before.send(ProducerRecord::new(&topic).value("before it")).unwrap().get(PATIENCE).unwrap();
    let name = "a_reader_behind_the_transaction_of_a_dead_producer_says_so_until_an_admin_ends_it";
    let mut process = Command::new(env::current_exe().unwrap())
        .args(["--exact", name])
        .envs(HANGING.into_iter().zip([bootstrap.as_str(), &topic, &id]))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the test's own binary");
    let mut reader = reader(&bootstrap).build().unwrap();
    let tp = TopicPartition::new(&*topic, 0);
    reader.assign([tp.clone()]).unwrap();
    let mut seen = 0;
    let mut held = |what: &str, reader: &mut KafkaConsumer, least: Duration| {
        wait_until(what, PATIENCE, || {
            seen += reader.poll(Duration::from_millis(100)).unwrap().len();
            let status = reader.status().unwrap();
            matches!(
                status.trouble(),
                Some((Some(_), Blocked::Held { last_stable_offset: 1, high_watermark: 2.., lasting })) if *lasting >= least
            )
        });
    };
    held("the transaction is open", &mut reader, Duration::ZERO);
    process.kill().unwrap();
    process.wait().unwrap();
    before.send(ProducerRecord::new(&topic).value("behind it")).unwrap().get(PATIENCE).unwrap();
    held("it is open still", &mut reader, Duration::from_secs(2));
    println!("{}", reader.status().unwrap());
    assert_eq!(seen, 1);

    let admin = KafkaAdminClient::builder().bootstrap_servers(&bootstrap).build().unwrap();
    admin.force_terminate_transaction(&id).unwrap();
    let began = Instant::now();
    let mut values = Vec::new();
    wait_until("the reader goes on", PATIENCE, || {
        let records = reader.poll(Duration::from_millis(100)).unwrap();
        values.extend(records.iter().map(|record| record.value().as_ref().unwrap().to_vec()));
        !values.is_empty()
    });
    println!("the reader went on after {:?}", began.elapsed());
    assert_eq!(values, [b"behind it"]);
    wait_until("nothing stands in the way", PATIENCE, || {
        reader.poll(Duration::from_millis(100)).unwrap();
        reader.status().unwrap().trouble().is_none()
    });
}

fn offsets_go_with_the_transaction(cluster: &Cluster) {
    let (input, output, group) = (unique("in"), unique("out"), unique("group"));
    cluster.create_topic(&input, 1, &[]);
    cluster.create_topic(&output, 1, &[]);
    let plain = KafkaProducer::builder().bootstrap_servers(cluster.bootstrap()).build().unwrap();
    for index in 0..10 {
        plain.send(ProducerRecord::new(&input).value(&index.to_string())).unwrap();
    }
    plain.flush(PATIENCE).unwrap();
    let producer = ready(cluster, &unique("id"));
    let mut consumer = reader(&cluster.bootstrap()).group_id(&group).max_poll_records(5).build().unwrap();
    consumer.subscribe([input.as_str()]).unwrap();
    let tp = TopicPartition::new(&*input, 0);
    let mut committed_offset = 0;
    for abort in [true, false] {
        let records = loop {
            let records = consumer.poll(Duration::from_secs(5)).unwrap();
            if !records.is_empty() {
                break records;
            }
        };
        producer.begin_transaction().unwrap();
        for record in &records {
            producer.send(ProducerRecord::new(&output).value(record.value())).unwrap();
        }
        producer.send_offsets_to_transaction(records.next_offsets(), &consumer.group_metadata()).unwrap();
        if abort {
            producer.abort_transaction().unwrap();
            consumer.seek(&tp, committed_offset).unwrap();
        } else {
            producer.commit_transaction().unwrap();
            committed_offset = records.len() as i64;
        }
        let seen = consumer.committed(&tp).unwrap().map_or(0, |committed| committed.offset);
        assert_eq!(seen, committed_offset);
    }
    assert_eq!(committed(cluster, &output).len() as i64, committed_offset);

    // A member that has left commits nothing more.
    let metadata = consumer.group_metadata();
    consumer.close(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    let error = producer.send_offsets_to_transaction([(tp.clone(), 9)], &metadata).unwrap_err();
    assert!(error.kind() == ErrorKind::CommitFailed && error.requires_abort(), "{error}");
    producer.abort_transaction().unwrap();
    // Without a member anybody may.
    producer.begin_transaction().unwrap();
    producer.send_offsets_to_transaction([(tp.clone(), 10)], &ConsumerGroupMetadata::new(&group)).unwrap();
    producer.commit_transaction().unwrap();
    let mut consumer = reader(&cluster.bootstrap()).group_id(&group).build().unwrap();
    assert_eq!(consumer.committed(&tp).unwrap().map(|committed| committed.offset), Some(10));
}

#[test]
fn offsets_are_committed_or_aborted_with_the_records() {
    offsets_go_with_the_transaction(Cluster::shared_three());
}

#[test]
fn brokers_die_in_the_middle_of_transactions() {
    let cluster = Cluster::start(3, |_| {});
    let (topic, id) = (unique("killed"), unique("id"));
    cluster.create_topic(&topic, 3, &[]);
    let producer = ready(&cluster, &id);
    let mut expected = Vec::new();
    for round in 0..2 {
        let victim = cluster.leader(&topic, round);
        producer.begin_transaction().unwrap();
        let send = |index: i32, expected: &mut Vec<String>| {
            let value = format!("{round}/{index:03}");
            producer.send(ProducerRecord::new(&topic).partition(index % 3).value(&value)).unwrap();
            expected.push(value);
        };
        let mut values = Vec::new();
        (0..100).for_each(|index| send(index, &mut values));
        cluster.kill(victim);
        (100..200).for_each(|index| send(index, &mut values));
        match producer.commit_transaction() {
            Ok(()) => expected.extend(values),
            Err(error) => {
                assert!(error.requires_abort(), "{error}");
                producer.abort_transaction().unwrap();
            }
        }
        cluster.start_node(victim);
        cluster.wait_in_sync(&topic);
    }
    assert!(!expected.is_empty());
    expected.sort();
    assert_eq!(committed(&cluster, &topic), expected);
}

/// How many times the process is killed: `KAVKA_KILLS`, 4 by default.
fn kills() -> u32 {
    env::var("KAVKA_KILLS").map_or(4, |count| count.parse().expect("KAVKA_KILLS is a number"))
}

/// How far the feeding may be ahead of the copying.
const BACKLOG: u32 = 500;

const INPUTS: [&str; 3] = ["KAVKA_COPY_BOOTSTRAP", "KAVKA_COPY_NAME", "KAVKA_COPY_RUNS"];

/// One life of the process that is killed: reads, writes and commits until it is told to end, or dies.
fn copy(bootstrap: &str, name: &str, goes_on: impl Fn() -> bool) -> Result<(), Error> {
    let producer = KafkaProducer::builder().bootstrap_servers(bootstrap).transactional_id(name).build()?;
    producer.init_transactions()?;
    let mut consumer = reader(bootstrap)
        .group_id(name)
        .max_poll_records(20)
        .session_timeout(Duration::from_secs(1))
        .heartbeat_interval(Duration::from_millis(300))
        .build()?;
    consumer.subscribe([format!("{name}-in")])?;
    let output = format!("{name}-out");
    while goes_on() {
        let records = consumer.poll(Duration::from_millis(200))?;
        if records.is_empty() {
            continue;
        }
        let transaction = producer.transaction()?;
        for record in &records {
            transaction.send(ProducerRecord::new(&output).key(record.key()).value(record.value()))?;
        }
        transaction.send_offsets(records.next_offsets(), &consumer.group_metadata())?;
        transaction.commit()?;
    }
    Ok(())
}

/// Is the process that is killed when the test below starts it; by itself it copies some records without being killed.
#[test]
fn copying_process() {
    if let [Ok(bootstrap), Ok(name), Ok(_)] = INPUTS.map(env::var) {
        // Errors end a life, too: the next one begins with what was committed.
        while let Err(error) = copy(&bootstrap, &name, || true) {
            eprintln!("{error}");
        }
        return;
    }
    let cluster = Cluster::shared_three();
    let name = unique("copied");
    cluster.create_topic(&format!("{name}-in"), 3, &[]);
    cluster.create_topic(&format!("{name}-out"), 3, &[]);
    let feeder = KafkaProducer::builder().bootstrap_servers(cluster.bootstrap()).build().unwrap();
    for number in 0..300 {
        let number = number.to_string();
        feeder.send(ProducerRecord::new(&format!("{name}-in")).key(&number).value(&number)).unwrap();
    }
    feeder.flush(PATIENCE).unwrap();
    let began = Instant::now();
    let bootstrap = cluster.bootstrap();
    let mut reader = reader(&bootstrap).build().unwrap();
    reader.subscribe([format!("{name}-out")]).unwrap();
    let done = AtomicBool::new(false);
    let seen = thread::scope(|scope| {
        let copier = scope.spawn(|| {
            copy(&bootstrap, &name, || !done.load(Ordering::Relaxed) && began.elapsed() < PATIENCE)
        });
        let mut seen = 0;
        while seen < 300 && began.elapsed() < PATIENCE {
            seen += reader.poll(Duration::from_millis(200)).unwrap().len();
        }
        done.store(true, Ordering::Relaxed);
        copier.join().unwrap().unwrap();
        seen
    });
    assert_eq!(seen, 300);
}

#[test]
fn each_input_is_in_the_output_exactly_once_however_often_the_process_is_killed() {
    let cluster = Cluster::start(3, |_| {});
    let (kills, name) = (kills(), unique("copy"));
    let (input, output) = (format!("{name}-in"), format!("{name}-out"));
    cluster.create_topic(&input, 3, &[]);
    cluster.create_topic(&output, 3, &[]);
    let bootstrap = cluster.bootstrap();
    let start = || {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "copying_process", "--nocapture"]);
        command.env(INPUTS[0], &bootstrap).env(INPUTS[1], &name).env(INPUTS[2], "1");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("the test's own binary")
    };

    let done = AtomicBool::new(false);
    let (fed, copied) = (AtomicU32::new(0), AtomicU32::new(0));
    let (seen, killed_while_busy) = thread::scope(|scope| {
        // There is always something to do, but never so much that it cannot be done in time.
        scope.spawn(|| {
            let feeder = KafkaProducer::builder().bootstrap_servers(&bootstrap).build().unwrap();
            while !done.load(Ordering::Relaxed) {
                if fed.load(Ordering::Relaxed) > copied.load(Ordering::Relaxed) + BACKLOG {
                    thread::sleep(Duration::from_millis(20));
                    continue;
                }
                for _ in 0..20 {
                    let number = fed.fetch_add(1, Ordering::Relaxed).to_string();
                    feeder.send(ProducerRecord::new(&input).key(&number).value(&number)).unwrap();
                }
                feeder.flush(PATIENCE).unwrap();
            }
        });
        let mut reader = reader(&bootstrap).build().unwrap();
        reader.subscribe([output.as_str()]).unwrap();
        let mut seen: HashMap<String, u32> = HashMap::new();
        let mut look = |seen: &mut HashMap<String, u32>, time: Duration| {
            let deadline = Instant::now() + time;
            let before = seen.len();
            while Instant::now() < deadline {
                for record in &reader.poll(Duration::from_millis(50)).unwrap() {
                    let value = String::from_utf8(record.value().as_ref().unwrap().to_vec()).unwrap();
                    *seen.entry(value).or_default() += 1;
                }
            }
            copied.store(seen.len() as u32, Ordering::Relaxed);
            seen.len() - before
        };
        let mut busy = 0;
        for _ in 0..kills {
            let mut process = start();
            // Its first sign of life, and then any moment.
            let started = Instant::now();
            while look(&mut seen, Duration::from_millis(100)) == 0 && started.elapsed() < PATIENCE {}
            busy += u32::from(started.elapsed() < PATIENCE);
            look(&mut seen, Duration::from_millis(fastrand::u64(0..1000)));
            // A SIGKILL: nothing of it gets to clean up.
            process.kill().unwrap();
            process.wait().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        let mut process = start();
        let mut moved = Instant::now();
        while seen.len() < fed.load(Ordering::Relaxed) as usize && moved.elapsed() < PATIENCE {
            if look(&mut seen, Duration::from_millis(200)) > 0 {
                moved = Instant::now();
            }
        }
        // What is double would be here by now.
        look(&mut seen, Duration::from_secs(2));
        process.kill().unwrap();
        process.wait().unwrap();
        (seen, busy)
    });

    let count = fed.load(Ordering::Relaxed);
    let mut missing = (0..count).filter(|number| !seen.contains_key(&number.to_string()));
    assert_eq!(missing.next(), None, "{} of {count} are in the output", seen.len());
    let doubled: Vec<_> = seen.iter().filter(|(_, times)| **times > 1).collect();
    assert!(doubled.is_empty(), "{doubled:?}");
    assert_eq!(killed_while_busy, kills, "each life had got something done");
    println!("{count} records, {kills} kills");

    // Another client sees the same, and in the order of the input.
    let read =
        peers::kcat_consume(&bootstrap, &output, count as usize, &["-X", "isolation.level=read_committed"]);
    let mut last: HashMap<i32, u32> = HashMap::new();
    let mut all: Vec<(i32, i64, u32)> = read
        .iter()
        .map(|record| {
            let value = std::str::from_utf8(record.value.as_deref().unwrap()).unwrap();
            (record.partition, record.offset, value.parse().unwrap())
        })
        .collect();
    all.sort_unstable();
    for (partition, offset, number) in &all {
        let before = last.insert(*partition, *number);
        assert!(
            before.is_none_or(|before| before < *number),
            "{partition}@{offset}: {before:?} before {number}"
        );
    }
    let mut numbers: Vec<u32> = all.iter().map(|(_, _, number)| *number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..count).collect::<Vec<u32>>());
}

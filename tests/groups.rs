//! Groups on a real Apache Kafka: every record is read exactly once by a group, in order, whoever comes, goes
//! or dies.

#![allow(clippy::disallowed_methods, reason = "a test measures with its own clock how long calls take")]

mod support;

use std::collections::HashMap;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use kavka::config::{AutoOffsetReset, CompressionType};
use kavka::consumer::ConsumerBuilder;
use kavka::{ErrorKind, KafkaConsumer, KafkaProducer, ProducerRecord, TopicPartition};
use support::audit::{self, Number, Seen};
use support::kafka::{Cluster, unique, wait_until};
use support::peers;

const PATIENCE: Duration = Duration::from_secs(60);

fn builder(cluster: &Cluster, group: &str) -> ConsumerBuilder {
    KafkaConsumer::builder()
        .bootstrap_servers(cluster.bootstrap())
        .group_id(group)
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .set("heartbeat.interval.ms", "300")
        .set("session.timeout.ms", "6000")
}

fn producer(cluster: &Cluster) -> KafkaProducer {
    KafkaProducer::builder()
        .bootstrap_servers(cluster.bootstrap())
        .linger(Duration::from_millis(5))
        .build()
        .unwrap()
}

/// What the members of a group have read between them.
#[derive(Clone, Default)]
struct Read(Arc<Mutex<Vec<Seen>>>);

impl Read {
    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn seen(&self) -> Vec<Seen> {
        self.0.lock().unwrap().clone()
    }

    /// Each record once, however often it was read: after a death, what was not committed is read again.
    fn distinct(&self) -> Vec<Seen> {
        let mut all: HashMap<(i32, i64), Seen> = HashMap::new();
        for seen in self.seen() {
            let known = all.entry((seen.partition, seen.offset)).or_insert(seen);
            assert_eq!(known.number, seen.number, "one offset, two records");
        }
        all.into_values().collect()
    }
}

/// Reads until `stop`, committing what it has taken down after each poll; then leaves the group.
fn member(mut consumer: KafkaConsumer, topic: &str, read: &Read, stop: &AtomicBool) {
    consumer.subscribe([topic]).unwrap();
    while !stop.load(Ordering::Relaxed) {
        let records = match consumer.poll(Duration::from_millis(200)) {
            Ok(records) => records,
            Err(error) => panic!("poll: {error}"),
        };
        let batch: Vec<Seen> = records
            .iter()
            .map(|record| Seen {
                partition: record.partition(),
                offset: record.offset(),
                number: Number::parse(record.value().as_deref().unwrap()),
            })
            .collect();
        read.0.lock().unwrap().extend(batch);
    }
    consumer.close(PATIENCE).unwrap();
}

#[test]
fn a_hundred_thousand_records_reach_each_group_exactly_once() {
    let cluster = Cluster::shared();
    let topic = unique("many");
    cluster.create_topic(&topic, 6, &[]);
    let producer = producer(cluster);
    let sent = thread::scope(|scope| {
        let sending = scope.spawn(|| audit::send_numbered(&producer, &topic, 8, 12_500));
        // One group reads along, with three members; another one reads afterwards.
        for group in [unique("along"), unique("after")] {
            let (read, stop) = (Read::default(), AtomicBool::new(false));
            thread::scope(|scope| {
                for _ in 0..3 {
                    let consumer = builder(cluster, &group).build().unwrap();
                    let (read, stop, topic) = (&read, &stop, &topic);
                    scope.spawn(move || member(consumer, topic, read, stop));
                }
                let deadline = Instant::now() + PATIENCE;
                while read.count() < 100_000 && Instant::now() < deadline {
                    thread::sleep(Duration::from_millis(20));
                }
                // A moment for what should not come.
                thread::sleep(Duration::from_millis(500));
                stop.store(true, Ordering::Relaxed);
            });
            let seen = read.seen();
            assert_eq!(seen.len(), 100_000, "{group}");
            // Each member took down its partitions in order, and nobody's twice.
            audit::check(&[], &seen);
        }
        sending.join().unwrap()
    });
    assert!(sent.iter().all(|(_, outcome)| outcome.is_ok()));
}

#[test]
fn each_codec_is_read_back() {
    let cluster = Cluster::shared();
    for codec in [CompressionType::Gzip, CompressionType::Snappy, CompressionType::Lz4, CompressionType::Zstd]
    {
        let topic = unique("codec");
        cluster.create_topic(&topic, 2, &[]);
        let producer = KafkaProducer::builder()
            .bootstrap_servers(cluster.bootstrap())
            .compression_type(codec)
            .linger(Duration::from_millis(5))
            .build()
            .unwrap();
        let sent = audit::send_numbered(&producer, &topic, 4, 2_500);
        let (read, stop) = (Read::default(), AtomicBool::new(false));
        thread::scope(|scope| {
            let consumer = builder(cluster, &unique("codec")).build().unwrap();
            scope.spawn(|| member(consumer, &topic, &read, &stop));
            wait_until("all is read", PATIENCE, || read.count() >= 10_000);
            stop.store(true, Ordering::Relaxed);
        });
        audit::check(&sent, &read.seen());
    }
}

#[test]
fn what_others_write_is_read() {
    let cluster = Cluster::shared();
    let topic = unique("others");
    cluster.create_topic(&topic, 1, &[]);
    let bootstrap = cluster.bootstrap();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let line = format!("{codec}:kcat");
        peers::kcat_produce(&bootstrap, &topic, &[&line], &["-K:", "-z", codec, "-H", "from=kcat"]);
        peers::java_console_produce(
            &bootstrap,
            &topic,
            &[&format!("{codec} java")],
            &["--compression-codec", codec],
        );
    }
    let script = "
import sys, kafka
for codec in (None, 'gzip'):
    producer = kafka.KafkaProducer(bootstrap_servers=sys.argv[1], compression_type=codec)
    producer.send(sys.argv[2], key=b'k', value=b'python', headers=[('from', b'python')])
    producer.close()";
    peers::python(script, &[&bootstrap, &topic]);
    let mut consumer =
        builder(cluster, &unique("others")).set("consumer_timeout_ms", "5000").build().unwrap();
    consumer.subscribe([&topic]).unwrap();
    let mut lines = Vec::new();
    for record in consumer.iter().take(12) {
        let record = record.unwrap();
        let text = |bytes: &Option<bytes::Bytes>| {
            bytes.as_ref().map_or("null".to_owned(), |bytes| String::from_utf8(bytes.to_vec()).unwrap())
        };
        let from = record.headers().get("from").map_or("-".to_owned(), |header| text(&header.value));
        lines.push(format!("{}={} from {from}", text(record.key()), text(record.value())));
    }
    lines.sort();
    let mut expected: Vec<String> = ["none", "gzip", "snappy", "lz4", "zstd"]
        .iter()
        .flat_map(|codec| [format!("{codec}=kcat from kcat"), format!("null={codec} java from -")])
        .chain(["k=python from python".to_owned(), "k=python from python".to_owned()])
        .collect();
    expected.sort();
    assert_eq!(lines, expected);
}

#[test]
fn members_come_and_go_while_records_flow() {
    let cluster = Cluster::shared();
    let topic = unique("flow");
    cluster.create_topic(&topic, 6, &[]);
    let group = unique("flow");
    let producer = producer(cluster);
    let (read, done, sent_count) = (Read::default(), AtomicBool::new(false), AtomicUsize::new(0));
    let sent = thread::scope(|scope| {
        let sending = scope.spawn(|| {
            audit::send_numbered_paced(&producer, &topic, 2, 15_000, |number| {
                sent_count.fetch_add(1, Ordering::Relaxed);
                if number.index % 15 == 0 {
                    thread::sleep(Duration::from_millis(5));
                }
            })
        });
        // One stays throughout; others come and leave again.
        scope.spawn(|| member(builder(cluster, &group).build().unwrap(), &topic, &read, &done));
        for round in 0..4 {
            let leave = AtomicBool::new(false);
            thread::scope(|scope| {
                for _ in 0..1 + round % 2 {
                    scope.spawn(|| member(builder(cluster, &group).build().unwrap(), &topic, &read, &leave));
                }
                let before = read.count();
                wait_until("the group reads on", PATIENCE, || {
                    read.count() > before + 500 || sending.is_finished()
                });
                leave.store(true, Ordering::Relaxed);
            });
        }
        let sent = sending.join().unwrap();
        let all = Instant::now() + PATIENCE;
        while read.distinct().len() < 30_000 && Instant::now() < all {
            thread::sleep(Duration::from_millis(100));
        }
        done.store(true, Ordering::Relaxed);
        sent
    });
    audit::check(&sent, &read.distinct());
    assert_eq!(read.distinct().len(), 30_000);
    // Members that leave in good order commit what they took down: nothing is read twice.
    assert_eq!(read.count(), 30_000);
}

/// The body of the process that the next test kills: a member of a group that prints what it owns.
#[test]
fn a_member_in_a_process_of_its_own() {
    let Ok(arguments) = std::env::var("KAVKA_TEST_MEMBER") else { return };
    let [bootstrap, topic, group] = arguments.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{arguments}")
    };
    let mut consumer = KafkaConsumer::builder()
        .bootstrap_servers(bootstrap)
        .group_id(group)
        .set("heartbeat.interval.ms", "300")
        .set("session.timeout.ms", "6000")
        .build()
        .unwrap();
    consumer.subscribe([topic]).unwrap();
    loop {
        consumer.poll(Duration::from_millis(100)).unwrap();
        println!("owns {}", consumer.assignment().len());
    }
}

#[test]
fn a_killed_members_partitions_are_taken_over_within_the_session_timeout() {
    use std::io::{BufRead, BufReader};

    let cluster = Cluster::shared();
    let (topic, group) = (unique("killed"), unique("killed"));
    cluster.create_topic(&topic, 4, &[]);
    let mut survivor = builder(cluster, &group).build().unwrap();
    survivor.subscribe([&topic]).unwrap();
    let owned = |consumer: &mut KafkaConsumer, count: usize| {
        let deadline = Instant::now() + PATIENCE;
        while consumer.assignment().len() != count {
            consumer.poll(Duration::from_millis(50)).unwrap();
            assert!(Instant::now() < deadline, "owns {:?}, not {count}", consumer.assignment());
        }
    };
    owned(&mut survivor, 4);
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_member_in_a_process_of_its_own", "--nocapture"])
        .env("KAVKA_TEST_MEMBER", format!("{} {topic} {group}", cluster.bootstrap()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(other.stdout.take().unwrap()).lines();
    owned(&mut survivor, 2);
    // The other one has its half as well.
    thread::scope(|scope| {
        let waiting = scope.spawn(|| lines.find(|line| line.as_ref().unwrap().contains("owns 2")));
        while !waiting.is_finished() {
            survivor.poll(Duration::from_millis(50)).unwrap();
        }
        waiting.join().unwrap().expect("the other member gets its share").unwrap();
    });
    other.kill().unwrap();
    other.wait().unwrap();
    let died = Instant::now();
    owned(&mut survivor, 4);
    let taken_over = died.elapsed();
    assert!(taken_over < Duration::from_secs(6 + 4), "taken over after {taken_over:?}");
    let producer = producer(cluster);
    for partition in 0..4 {
        producer.send(ProducerRecord::new(&topic).partition(partition).value("x")).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    let mut count = 0;
    while count < 4 {
        count += survivor.poll(PATIENCE).unwrap().len();
    }
    survivor.close(PATIENCE).unwrap();
}

#[test]
fn a_killed_leader_and_coordinator_stop_nobody_for_long() {
    let cluster = Cluster::start(3, |_| {});
    cluster.create_topic("orders", 6, &[("min.insync.replicas", "2")]);
    let producer = producer(&cluster);
    let (read, done, sent_count) = (Read::default(), AtomicBool::new(false), AtomicUsize::new(0));
    let sent = thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| member(builder(&cluster, "billing").build().unwrap(), "orders", &read, &done));
        }
        let killer = scope.spawn(|| {
            // Each of the three in turn, so the group's coordinator is among them.
            for (victim, after) in [(1, 3_000), (2, 9_000), (3, 15_000)] {
                wait_until("records are on their way", Duration::from_secs(120), || {
                    sent_count.load(Ordering::Relaxed) >= after
                });
                cluster.kill(victim);
                cluster.start_node(victim);
                cluster.wait_in_sync("orders");
            }
        });
        let sent = audit::send_numbered_paced(&producer, "orders", 2, 12_000, |number| {
            sent_count.fetch_add(1, Ordering::Relaxed);
            if number.index % 10 == 0 {
                thread::sleep(Duration::from_millis(10));
            }
        });
        killer.join().unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while read.distinct().len() < 24_000 && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(100));
        }
        done.store(true, Ordering::Relaxed);
        sent
    });
    assert!(sent.iter().all(|(_, outcome)| outcome.is_ok()));
    audit::check(&sent, &read.distinct());
    assert_eq!(read.distinct().len(), 24_000);
}

#[test]
fn offsets_positions_and_seeks() {
    let cluster = Cluster::shared();
    let topic = unique("offsets");
    cluster.create_topic(&topic, 2, &[]);
    let producer = producer(cluster);
    for index in 0..100 {
        let record =
            ProducerRecord::new(&topic).partition(index % 2).timestamp(1_000 + i64::from(index)).value("x");
        producer.send(record).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    let group = unique("offsets");
    let mut consumer = builder(cluster, &group).set("enable.auto.commit", "false").build().unwrap();
    let (first, second) = (TopicPartition::new(topic.as_str(), 0), TopicPartition::new(topic.as_str(), 1));
    consumer.assign([first.clone(), second.clone()]).unwrap();
    let both = [first.clone(), second.clone()];
    assert_eq!(consumer.end_offsets(&both).unwrap()[&first], 50);
    assert_eq!(consumer.beginning_offsets(&both).unwrap()[&second], 0);
    let at = consumer.offsets_for_times([(first.clone(), 1_050), (second.clone(), 9_999)]).unwrap();
    assert_eq!(at[&first].as_ref().map(|found| found.offset), Some(25));
    assert!(at[&second].is_none());
    assert_eq!(consumer.committed(&first).unwrap(), None);
    assert_eq!(consumer.position(&first).unwrap(), 0);
    consumer.seek(&first, 40).unwrap();
    consumer.pause(std::slice::from_ref(&second)).unwrap();
    let mut offsets = Vec::new();
    while offsets.len() < 10 {
        offsets.extend(
            consumer.poll(PATIENCE).unwrap().iter().map(|record| (record.partition(), record.offset())),
        );
    }
    assert_eq!(offsets, (40..50).map(|offset| (0, offset)).collect::<Vec<_>>());
    consumer.commit().unwrap();
    assert_eq!(consumer.committed(&first).unwrap().unwrap().offset, 50);
    consumer.resume(std::slice::from_ref(&second)).unwrap();
    consumer.seek_to_end(std::slice::from_ref(&second)).unwrap();
    assert_eq!(consumer.position(&second).unwrap(), 50);
    consumer.seek_to_beginning(std::slice::from_ref(&second)).unwrap();
    assert_eq!(consumer.position(&second).unwrap(), 0);
    consumer.commit_offsets([(second.clone(), 7)]).unwrap();
    consumer.close(PATIENCE).unwrap();

    let described = cluster.tool(
        "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
        &["--describe", "--group", &group],
    );
    let text = described.expect_success("describe").text();
    let committed = |partition: &str| {
        let line = text.lines().find(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.get(1) == Some(&topic.as_str()) && words.get(2) == Some(&partition)
        });
        line.unwrap_or_else(|| panic!("{text}")).split_whitespace().nth(3).unwrap().to_owned()
    };
    assert_eq!((committed("0"), committed("1")), ("50".to_owned(), "7".to_owned()));
}

#[test]
fn a_reset_that_nobody_chose_is_an_error() {
    let cluster = Cluster::shared();
    let topic = unique("none");
    cluster.create_topic(&topic, 1, &[]);
    let mut consumer =
        builder(cluster, &unique("none")).auto_offset_reset(AutoOffsetReset::None).build().unwrap();
    consumer.assign([TopicPartition::new(topic.as_str(), 0)]).unwrap();
    let error = consumer.poll(PATIENCE).unwrap_err();
    assert_eq!(
        (error.kind(), error.topic()),
        (ErrorKind::NoOffsetForPartition, Some(topic.as_str())),
        "{error}"
    );
}

#[test]
fn a_large_record_passes_small_limits() {
    let cluster = Cluster::shared();
    let topic = unique("large");
    cluster.create_topic(&topic, 1, &[("max.message.bytes", "20000000")]);
    let large = producer(cluster);
    drop(large);
    let producer = KafkaProducer::builder()
        .bootstrap_servers(cluster.bootstrap())
        .max_request_size(20_000_000_usize)
        .build()
        .unwrap();
    let value = vec![7_u8; 15_000_000];
    producer.send(ProducerRecord::new(&topic).value(&value)).unwrap().get(PATIENCE).unwrap();
    let mut consumer = builder(cluster, &unique("large"))
        .set("fetch.max.bytes", "1000")
        .set("max.partition.fetch.bytes", "1000")
        .build()
        .unwrap();
    consumer.subscribe([&topic]).unwrap();
    let record = consumer.iter().next().unwrap().unwrap();
    assert_eq!(record.value().as_ref().map(|value| value.len()), Some(15_000_000));
}

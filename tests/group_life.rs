//! Life in a group on a real Apache Kafka, in both protocols: members come and go under the eyes of an auditor,
//! beside Java's and Python's, while brokers are restarted, killed and frozen.

#![allow(clippy::disallowed_methods, reason = "a test measures with its own clock how long things take")]

mod support;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use kavka::admin::NewPartitions;
use kavka::config::{Assignor, AutoOffsetReset, GroupProtocol};
use kavka::consumer::{ConsumerBuilder, ConsumerRebalanceListener, RebalanceContext, Subscription};
use kavka::{
    ErrorKind, KafkaAdminClient, KafkaConsumer, KafkaProducer, ProducerRecord, Result, TopicPartition,
};
use support::kafka::{Cluster, tool_command, unique, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);

/// How soon a broker that is frozen is given up.
const NOTICED: Duration = Duration::from_secs(4);

/// After how long members that say nothing are thrown out, in both protocols.
const SESSION: Duration = Duration::from_secs(6);

/// How a group's members come to agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Eager,
    Cooperative,
    Modern,
}

impl Kind {
    fn builder(self, cluster: &Cluster, group: &str) -> ConsumerBuilder {
        let builder = KafkaConsumer::builder()
            .bootstrap_servers(cluster.bootstrap())
            .group_id(group)
            .auto_offset_reset(AutoOffsetReset::Earliest)
            .metadata_max_age(Duration::from_secs(1))
            .request_timeout(NOTICED);
        let classic = |builder: ConsumerBuilder, assignor: Assignor| {
            builder
                .partition_assignment_strategy([assignor])
                .set("heartbeat.interval.ms", "300")
                .session_timeout(SESSION)
        };
        match self {
            Self::Eager => classic(builder, Assignor::Range),
            Self::Cooperative => classic(builder, Assignor::CooperativeSticky),
            Self::Modern => builder.group_protocol(GroupProtocol::Consumer),
        }
    }
}

fn producer(cluster: &Cluster) -> KafkaProducer {
    KafkaProducer::builder()
        .bootstrap_servers(cluster.bootstrap())
        .linger(Duration::from_millis(5))
        .request_timeout(NOTICED)
        .build()
        .unwrap()
}

/// Who owns what, as the members' listeners tell, and which records were read.
#[derive(Default)]
struct Audit {
    owners: BTreeMap<TopicPartition, BTreeSet<u32>>,
    /// Overlaps that only a loss can excuse: the coordinator had given the member up before it knew.
    suspects: BTreeMap<(TopicPartition, u32), u32>,
    read: BTreeMap<u32, u32>,
    faults: Vec<String>,
    losses: u32,
    rebalances: u32,
    /// When somebody read something last, and the longest time in which nobody did.
    read_at: Option<Instant>,
    longest_pause: Duration,
}

#[derive(Clone, Default)]
struct Auditor(Arc<Mutex<Audit>>);

/// The listener of one member.
struct Badge {
    auditor: Auditor,
    member: u32,
}

impl Badge {
    fn release(&self, partitions: &[TopicPartition], lost: bool) -> Result<()> {
        let mut audit = self.auditor.0.lock().unwrap();
        for tp in partitions {
            audit.owners.entry(tp.clone()).or_default().remove(&self.member);
            let suspect = audit.suspects.remove(&(tp.clone(), self.member));
            if let (Some(other), false) = (suspect, lost) {
                audit.faults.push(format!("{tp} was {}'s and {other}'s at once", self.member));
            }
            audit.losses += u32::from(lost);
        }
        Ok(())
    }
}

impl ConsumerRebalanceListener for Badge {
    fn on_partitions_revoked(&mut self, _: &mut RebalanceContext<'_>, gone: &[TopicPartition]) -> Result<()> {
        self.release(gone, false)
    }

    fn on_partitions_assigned(&mut self, _: &mut RebalanceContext<'_>, new: &[TopicPartition]) -> Result<()> {
        let mut audit = self.auditor.0.lock().unwrap();
        audit.rebalances += 1;
        for tp in new {
            let owners = audit.owners.entry(tp.clone()).or_default();
            let others: Vec<u32> = owners.iter().copied().filter(|owner| *owner != self.member).collect();
            owners.insert(self.member);
            for other in others {
                audit.suspects.insert((tp.clone(), other), self.member);
            }
        }
        Ok(())
    }

    fn on_partitions_lost(&mut self, _: &mut RebalanceContext<'_>, lost: &[TopicPartition]) -> Result<()> {
        self.release(lost, true)
    }
}

impl Auditor {
    fn badge(&self, member: u32) -> Badge {
        Badge { auditor: self.clone(), member }
    }

    fn read(&self, consumer: &mut KafkaConsumer, timeout: Duration) -> Result<usize> {
        let records = consumer.poll(timeout)?;
        let mut audit = self.0.lock().unwrap();
        if !records.is_empty() {
            let now = Instant::now();
            let pause = audit.read_at.replace(now).map_or(Duration::ZERO, |before| now - before);
            audit.longest_pause = audit.longest_pause.max(pause);
        }
        for record in &records {
            let text = record.value().as_deref().map(|value| String::from_utf8_lossy(value).into_owned());
            *audit.read.entry(text.unwrap().parse().unwrap()).or_default() += 1;
        }
        Ok(records.len())
    }

    fn distinct(&self) -> usize {
        self.0.lock().unwrap().read.len()
    }

    /// Who is gone without a word owns nothing.
    fn forget(&self, member: u32) {
        let mut audit = self.0.lock().unwrap();
        for owners in audit.owners.values_mut() {
            owners.remove(&member);
        }
        audit.suspects.retain(|(_, owner), _| *owner != member);
    }

    fn check(&self, sent: u32) -> String {
        let audit = self.0.lock().unwrap();
        assert!(audit.faults.is_empty(), "{:?}", audit.faults);
        let missing: Vec<u32> = (0..sent).filter(|number| !audit.read.contains_key(number)).collect();
        assert!(missing.is_empty(), "{} records were lost, such as {:?}", missing.len(), missing.first());
        let twice = audit.read.values().filter(|count| **count > 1).count();
        format!(
            "{sent} records, {twice} of them read more than once, {} rebalances seen by members, {} partitions lost",
            audit.rebalances, audit.losses
        )
    }
}

fn seconds(default: u64) -> Duration {
    let seconds = env::var("KAVKA_SOAK_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(default))
}

/// One member after the other in one seat: each stays for a while and then closes, or is dropped.
fn seat(
    cluster: &Cluster,
    kind: Kind,
    names: (&str, &str),
    auditor: &Auditor,
    number: u32,
    stop: &AtomicBool,
) {
    let mut random = fastrand_of(number);
    let mut member = number * 10_000;
    while !stop.load(Ordering::Relaxed) {
        member += 1;
        let mut consumer = kind.builder(cluster, names.1).build().unwrap();
        let subscription = Subscription::topics([names.0]).listener(auditor.badge(member));
        consumer.subscribe_to(subscription).unwrap();
        // The first two seats see little change, so that the group always has somebody.
        let stay = if number < 2 { 15_000 } else { 1_000 + random() % 6_000 };
        let until = Instant::now() + Duration::from_millis(stay);
        while Instant::now() < until && !stop.load(Ordering::Relaxed) {
            auditor.read(&mut consumer, Duration::from_millis(100)).unwrap();
        }
        if random() % 4 == 0 && !stop.load(Ordering::Relaxed) {
            auditor.forget(member);
            drop(consumer);
        } else {
            consumer.close(PATIENCE).unwrap();
        }
        thread::sleep(Duration::from_millis(random() % 700));
    }
}

/// Numbers that differ from seat to seat.
fn fastrand_of(seed: u32) -> impl FnMut() -> u64 {
    let mut state = u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(std::process::id());
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    }
}

/// Ten members come and go while records are written; nothing is lost, and no two own a partition at once.
fn come_and_go(kind: Kind) {
    let cluster = Cluster::shared();
    let (topic, group) = (unique("soak"), unique("soak"));
    cluster.create_topic(&topic, 12, &[]);
    let (auditor, stop, sent) = (Auditor::default(), AtomicBool::new(false), AtomicU32::new(0));
    let producer = producer(cluster);
    let until = Instant::now() + seconds(9);
    thread::scope(|scope| {
        for number in 0..10 {
            let (topic, group, auditor, stop) = (&topic, &group, &auditor, &stop);
            scope.spawn(move || seat(cluster, kind, (topic, group), auditor, number, stop));
        }
        while Instant::now() < until {
            for _ in 0..20 {
                let number = sent.fetch_add(1, Ordering::Relaxed).to_string();
                producer.send(ProducerRecord::new(&topic).key(&number).value(&number)).unwrap();
            }
            thread::sleep(Duration::from_millis(20));
        }
        producer.flush(PATIENCE).unwrap();
        let all = sent.load(Ordering::Relaxed) as usize;
        let deadline = Instant::now() + PATIENCE;
        while auditor.distinct() < all && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(100));
        }
        stop.store(true, Ordering::Relaxed);
    });
    println!("{kind:?}: {}", auditor.check(sent.load(Ordering::Relaxed)));
}

#[test]
fn ten_members_come_and_go_in_the_new_protocol() {
    come_and_go(Kind::Modern);
}

#[test]
fn ten_members_come_and_go_cooperatively() {
    come_and_go(Kind::Cooperative);
}

/// A member that commits what it has read, batch by batch, until it is to leave. Returns how many commits were taken,
/// and how many refused because the group had moved on.
fn commit_by_hand(mut consumer: KafkaConsumer, auditor: &Auditor, leave: &AtomicBool) -> (u32, u32) {
    let (mut taken, mut refused) = (0, 0);
    while !leave.load(Ordering::Relaxed) {
        if auditor.read(&mut consumer, Duration::from_millis(100)).unwrap() == 0 {
            continue;
        }
        match consumer.commit() {
            Ok(()) => taken += 1,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::CommitFailed, "{error}");
                refused += 1;
            }
        }
    }
    consumer.close(PATIENCE).unwrap();
    (taken, refused)
}

/// Every two seconds a member comes or the oldest one goes. Nothing is lost, whatever becomes of commits, and the group
/// never stands still for as long as a session.
fn commit_while_members_change(kind: Kind) {
    let cluster = Cluster::shared();
    let (topic, group) = (unique("by-hand"), unique("by-hand"));
    cluster.create_topic(&topic, 6, &[]);
    let (auditor, producer, mut sent, mut number) = (Auditor::default(), producer(cluster), 0_u32, 0_u32);
    let leaving: Vec<AtomicBool> = (0..1_000).map(|_| AtomicBool::new(false)).collect();
    let (end, mut change) = (Instant::now() + seconds(12), Instant::now());
    let commits = thread::scope(|scope| {
        let (mut members, mut there) = (Vec::new(), VecDeque::new());
        while Instant::now() < end {
            if Instant::now() >= change {
                change += Duration::from_secs(2);
                if there.len() < 3 {
                    let builder = kind.builder(cluster, &group).enable_auto_commit(false);
                    let mut consumer = builder.build().unwrap();
                    let subscription = Subscription::topics([&topic]).listener(auditor.badge(number));
                    consumer.subscribe_to(subscription).unwrap();
                    let (auditor, leave) = (&auditor, &leaving[number as usize % leaving.len()]);
                    leave.store(false, Ordering::Relaxed);
                    members.push(scope.spawn(move || commit_by_hand(consumer, auditor, leave)));
                    there.push_back(leave);
                    number += 1;
                } else if let Some(oldest) = there.pop_front() {
                    oldest.store(true, Ordering::Relaxed);
                }
            }
            for _ in 0..20 {
                let number = sent.to_string();
                producer.send(ProducerRecord::new(&topic).key(&number).value(&number)).unwrap();
                sent += 1;
            }
            thread::sleep(Duration::from_millis(20));
        }
        producer.flush(PATIENCE).unwrap();
        let mut witness = kind.builder(cluster, &group).build().unwrap();
        let all: Vec<TopicPartition> =
            (0..6).map(|partition| TopicPartition::new(topic.as_str(), partition)).collect();
        wait_until(&format!("{kind:?}: all is committed"), PATIENCE, || {
            let committed = witness.committed_offsets(&all).unwrap();
            committed.values().flatten().map(|offset| offset.offset).sum::<i64>() == i64::from(sent)
        });
        there.iter().for_each(|leave| leave.store(true, Ordering::Relaxed));
        let ended = members.into_iter().map(|member| member.join().unwrap());
        ended.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
    });
    let pause = auditor.0.lock().unwrap().longest_pause;
    let seen = auditor.check(sent);
    println!("{kind:?}: {number} members, {seen}; commits {commits:?}, longest pause {pause:?}");
    assert!(pause < SESSION, "{kind:?}: nobody read for {pause:?}");
}

#[test]
fn members_that_commit_by_hand_come_and_go_every_two_seconds() {
    thread::scope(|scope| {
        for kind in [Kind::Eager, Kind::Cooperative, Kind::Modern] {
            scope.spawn(move || commit_while_members_change(kind));
        }
    });
}

/// A member that is another client, in a process of its own, and what it has read.
struct Foreigner {
    process: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Foreigner {
    fn start(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let output = process.stdout.take().unwrap();
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let sink = Arc::clone(&lines);
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(std::io::Result::ok) {
                sink.lock().unwrap().push(line);
            }
        });
        Self { process, lines }
    }

    fn java(cluster: &Cluster, topic: &str, group: &str, properties: &[&str]) -> Self {
        let bootstrap = cluster.bootstrap();
        let mut arguments =
            vec!["--bootstrap-server", &bootstrap, "--topic", topic, "--group", group, "--from-beginning"];
        for property in properties {
            arguments.extend(["--command-property", property]);
        }
        Self::start(tool_command("org.apache.kafka.tools.consumer.ConsoleConsumer", &arguments))
    }

    fn python(cluster: &Cluster, topic: &str, group: &str, assignor: &str) -> Self {
        let script = "
import sys, signal, kafka, kafka.coordinator.assignors.range as r
from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
assignors = {'range': r.RangePartitionAssignor, 'sticky': StickyPartitionAssignor, 'cooperative-sticky': CooperativeStickyAssignor}
consumer = kafka.KafkaConsumer(sys.argv[2], bootstrap_servers=sys.argv[1], group_id=sys.argv[3],
    auto_offset_reset='earliest', partition_assignment_strategy=[assignors[sys.argv[4]]],
    session_timeout_ms=6000, heartbeat_interval_ms=300, metadata_max_age_ms=1000)
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
while not stop:
    for records in consumer.poll(timeout_ms=200).values():
        for record in records:
            print(record.value.decode(), flush=True)
consumer.close()";
        let interpreter = env::var_os("KAVKA_PYTHON").expect("KAVKA_PYTHON is not set: run scripts/test");
        let mut command = Command::new(interpreter);
        command.args(["-c", script, &cluster.bootstrap(), topic, group, assignor]);
        Self::start(command)
    }

    fn read(&self) -> Vec<u32> {
        self.lines.lock().unwrap().iter().filter_map(|line| line.parse().ok()).collect()
    }

    /// Has it leave in good order.
    fn stop(mut self) -> Vec<u32> {
        let pid = rustix::process::Pid::from_raw(self.process.id() as i32).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.process.wait().unwrap();
        self.read()
    }
}

impl Drop for Foreigner {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A member of ours and one of another client share a topic, and each record is read by one of them.
fn beside(
    kind: Kind,
    start: impl FnOnce(&Cluster, &str, &str) -> Foreigner,
    ours: ConsumerBuilder,
    names: (&str, &str),
) {
    let cluster = Cluster::shared();
    let (topic, group) = names;
    cluster.create_topic(topic, 6, &[]);
    let producer = producer(cluster);
    let send = |numbers: std::ops::Range<u32>| {
        for number in numbers {
            let number = number.to_string();
            producer.send(ProducerRecord::new(topic).key(&number).value(&number)).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
    };
    let auditor = Auditor::default();
    let mut member = ours.build().unwrap();
    member.subscribe_to(Subscription::topics([topic]).listener(auditor.badge(1))).unwrap();
    let other = start(cluster, topic, group);
    let shared = Instant::now() + PATIENCE;
    while member.assignment().len() != 3 {
        auditor.read(&mut member, Duration::from_millis(50)).unwrap();
        assert!(Instant::now() < shared, "{kind:?}: {:?}", member.assignment());
    }
    send(0..600);
    let deadline = Instant::now() + PATIENCE;
    while auditor.distinct() + other.read().len() < 600 {
        auditor.read(&mut member, Duration::from_millis(50)).unwrap();
        assert!(Instant::now() < deadline, "{} and {}", auditor.distinct(), other.read().len());
    }
    let theirs = other.stop();
    assert!(!theirs.is_empty() && auditor.distinct() > 0);
    // Its partitions come over, and its offsets with them.
    let deadline = Instant::now() + PATIENCE;
    while member.assignment().len() != 6 {
        auditor.read(&mut member, Duration::from_millis(50)).unwrap();
        assert!(Instant::now() < deadline, "{:?}", member.assignment());
    }
    send(600..800);
    let deadline = Instant::now() + PATIENCE;
    while auditor.distinct() + theirs.len() < 800 && Instant::now() < deadline {
        auditor.read(&mut member, Duration::from_millis(50)).unwrap();
    }
    let mut all: Vec<u32> = theirs;
    all.extend(auditor.0.lock().unwrap().read.keys());
    all.sort_unstable();
    assert_eq!(all, (0..800).collect::<Vec<_>>(), "{kind:?}: each once");
    member.close(PATIENCE).unwrap();
}

#[test]
fn beside_javas_members_in_each_protocol() {
    let cluster = Cluster::shared();
    for (kind, property) in [
        (Kind::Modern, "group.protocol=consumer"),
        (
            Kind::Cooperative,
            "partition.assignment.strategy=org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
        ),
        (Kind::Eager, "partition.assignment.strategy=org.apache.kafka.clients.consumer.RangeAssignor"),
    ] {
        let (topic, group) = (unique("java"), unique("java"));
        let ours = kind.builder(cluster, &group);
        beside(
            kind,
            |cluster, topic, group| Foreigner::java(cluster, topic, group, &[property]),
            ours,
            (&topic, &group),
        );
    }
}

#[test]
fn beside_kafka_pythons_members() {
    let cluster = Cluster::shared();
    for (kind, assignor) in
        [(Kind::Cooperative, Assignor::CooperativeSticky), (Kind::Eager, Assignor::Sticky)]
    {
        let (topic, group) = (unique("python"), unique("python"));
        let name = assignor.as_str().to_owned();
        let ours = kind.builder(cluster, &group).partition_assignment_strategy([assignor]);
        beside(
            kind,
            |cluster, topic, group| Foreigner::python(cluster, topic, group, &name),
            ours,
            (&topic, &group),
        );
    }
}

#[test]
fn a_group_migrates_while_it_reads() {
    thread::scope(|scope| {
        for classic in [Kind::Cooperative, Kind::Eager] {
            scope.spawn(move || migrate([classic, Kind::Modern, Kind::Modern, classic]));
        }
    });
}

/// One member of each kind comes after the other, and the one before goes.
fn migrate(kinds: [Kind; 4]) {
    let cluster = Cluster::shared();
    let (topic, group) = (unique("migrate"), unique("migrate"));
    cluster.create_topic(&topic, 6, &[]);
    let producer = producer(cluster);
    let auditor = Auditor::default();
    let (mut sent, mut members): (u32, Vec<(u32, KafkaConsumer)>) = (0, Vec::new());
    for (number, kind) in (1..).zip(kinds) {
        // One more comes, and the oldest one goes once there are two.
        let mut member = kind.builder(cluster, &group).build().unwrap();
        member.subscribe_to(Subscription::topics([&topic]).listener(auditor.badge(number))).unwrap();
        members.push((number, member));
        let mut settled = |members: &mut Vec<(u32, KafkaConsumer)>, what: &str| {
            let deadline = Instant::now() + PATIENCE;
            loop {
                for (_, member) in members.iter_mut() {
                    auditor.read(member, Duration::from_millis(20)).unwrap();
                }
                let counts: Vec<usize> =
                    members.iter().map(|(_, member)| member.assignment().len()).collect();
                if counts.iter().sum::<usize>() == 6 && counts.iter().all(|count| *count > 0) {
                    break;
                }
                assert!(Instant::now() < deadline, "{kinds:?}: {what}: {counts:?}");
            }
            for _ in 0..60 {
                let number = sent.to_string();
                producer.send(ProducerRecord::new(&topic).key(&number).value(&number)).unwrap();
                sent += 1;
            }
            producer.flush(PATIENCE).unwrap();
        };
        settled(&mut members, "after one came");
        if members.len() > 1 {
            let (_, mut oldest) = members.remove(0);
            oldest.close(PATIENCE).unwrap();
            settled(&mut members, "after one went");
        }
    }
    let deadline = Instant::now() + PATIENCE;
    while auditor.distinct() < sent as usize && Instant::now() < deadline {
        for (_, member) in &mut members {
            auditor.read(member, Duration::from_millis(20)).unwrap();
        }
    }
    auditor.check(sent);
}

#[test]
fn patterns_find_new_topics_on_a_real_broker() {
    let cluster = Cluster::shared();
    let prefix = unique("pattern");
    let name = |suffix: &str| format!("{prefix}-{suffix}");
    cluster.create_topic(&name("a"), 1, &[]);
    let producer = producer(cluster);
    let subscriptions = [
        (Kind::Modern, Subscription::remote_pattern(format!("{prefix}-.*"))),
        (Kind::Modern, Subscription::pattern(format!("{prefix}-.*"))),
        (Kind::Cooperative, Subscription::pattern(format!("{prefix}-.*"))),
    ];
    let mut members = Vec::new();
    for (kind, subscription) in subscriptions {
        let mut member = kind.builder(cluster, &unique("pattern")).build().unwrap();
        member.subscribe_to(subscription).unwrap();
        members.push(member);
    }
    let all_have = |members: &mut Vec<KafkaConsumer>, count: usize| {
        let deadline = Instant::now() + PATIENCE;
        while members.iter().any(|member| member.assignment().len() != count) {
            assert!(Instant::now() < deadline, "{members:?}");
            members.iter_mut().for_each(|member| drop(member.poll(Duration::from_millis(50)).unwrap()));
        }
    };
    all_have(&mut members, 1);
    cluster.create_topic(&name("b"), 2, &[]);
    producer.send(ProducerRecord::new(name("b").as_str()).value("new")).unwrap();
    producer.flush(PATIENCE).unwrap();
    for member in &mut members {
        let deadline = Instant::now() + PATIENCE;
        while member.poll(Duration::from_millis(50)).unwrap().is_empty() {
            assert!(Instant::now() < deadline, "{member:?}");
        }
    }
    all_have(&mut members, 3);
    // Topics that match already get more partitions.
    let admin = KafkaAdminClient::builder().bootstrap_servers(cluster.bootstrap()).build().unwrap();
    for (_, outcome) in admin.create_partitions([NewPartitions::new(name("a"), 3)]).unwrap() {
        outcome.unwrap();
    }
    all_have(&mut members, 5);
    wait_until("a record in the new partition", PATIENCE, || {
        let topic = name("a");
        let more = ProducerRecord::new(topic.as_str()).partition(2).value("more");
        producer.send(more).is_ok_and(|sent| sent.get(PATIENCE).is_ok())
    });
    for member in &mut members {
        let deadline = Instant::now() + PATIENCE;
        while !member.poll(Duration::from_millis(50)).unwrap().iter().any(|record| record.partition() == 2) {
            assert!(Instant::now() < deadline, "{member:?}");
        }
    }
    let mut wrong = Kind::Modern.builder(cluster, &unique("pattern")).build().unwrap();
    wrong.subscribe_to(Subscription::remote_pattern("(")).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let error = loop {
        assert!(Instant::now() < deadline);
        if let Err(error) = wrong.poll(Duration::from_millis(50)) {
            break error;
        }
    };
    assert_eq!(error.code(), Some(kavka::ErrorCode::INVALID_REGULAR_EXPRESSION), "{error}");
}

/// Polls all of them in turn until each has so many partitions.
fn have(members: &mut [&mut KafkaConsumer], counts: &[usize]) {
    let deadline = Instant::now() + PATIENCE;
    while members.iter().zip(counts).any(|(member, count)| member.assignment().len() != *count) {
        assert!(Instant::now() < deadline, "{members:?}");
        members.iter_mut().for_each(|member| drop(member.poll(Duration::from_millis(50)).unwrap()));
    }
}

/// A static member, and where it reads.
fn fixed(kind: Kind, names: (&str, &str), seat: &str) -> KafkaConsumer {
    let mut member = kind.builder(Cluster::shared(), names.1).group_instance_id(seat).build().unwrap();
    member.subscribe([names.0]).unwrap();
    member
}

#[test]
fn static_members_come_back_to_their_seats_and_disturb_nobody() {
    for kind in [Kind::Modern, Kind::Cooperative, Kind::Eager] {
        let (topic, group) = (unique("seat"), unique("seat"));
        Cluster::shared().create_topic(&topic, 4, &[]);
        let start = |seat: &str| fixed(kind, (&topic, &group), seat);
        let (mut first, mut second) = (start("one"), start("two"));
        have(&mut [&mut first, &mut second], &[2, 2]);
        let epoch = second.group_metadata().generation_id;
        // The leader of the classic protocol is among them.
        for seat in ["one", "two"] {
            let member = if seat == "one" { &mut first } else { &mut second };
            let mine = member.assignment();
            member.close(PATIENCE).unwrap();
            *member = start(seat);
            have(&mut [&mut first, &mut second], &[2, 2]);
            let member = if seat == "one" { &first } else { &second };
            assert_eq!(member.assignment(), mine, "{kind:?}");
        }
        let now = [&first, &second].map(|member| member.group_metadata().generation_id);
        assert_eq!(now, [epoch, epoch], "{kind:?}: nobody else was disturbed");
    }
}

/// The classic protocol gives the seat to the second one and tells the first; in the new one the second waits. Nobody
/// fights for it.
#[test]
fn two_members_with_one_static_id_do_not_fight() {
    for kind in [Kind::Modern, Kind::Cooperative, Kind::Eager] {
        let (topic, group) = (unique("seat"), unique("seat"));
        Cluster::shared().create_topic(&topic, 4, &[]);
        let mut first = fixed(kind, (&topic, &group), "one");
        have(&mut [&mut first], &[4]);
        let mut second = fixed(kind, (&topic, &group), "one");
        if kind == Kind::Modern {
            let epoch = first.group_metadata().generation_id;
            let until = Instant::now() + SESSION;
            while Instant::now() < until {
                have(&mut [&mut first, &mut second], &[4, 0]);
                second.poll(Duration::from_millis(50)).unwrap();
                first.poll(Duration::from_millis(50)).unwrap();
            }
            assert_eq!(first.group_metadata().generation_id, epoch);
            first.close(PATIENCE).unwrap();
            have(&mut [&mut second], &[4]);
            continue;
        }
        have(&mut [&mut second], &[4]);
        let deadline = Instant::now() + PATIENCE;
        let error = loop {
            assert!(Instant::now() < deadline, "{kind:?}: {first:?} was not told");
            if let Err(error) = first.poll(Duration::from_millis(50)) {
                break error;
            }
        };
        assert_eq!((error.kind(), error.is_fatal()), (ErrorKind::FencedInstance, true), "{kind:?}");
        let epoch = second.group_metadata().generation_id;
        let until = Instant::now() + SESSION;
        while Instant::now() < until {
            assert_eq!(first.poll(Duration::from_millis(50)).unwrap_err().kind(), ErrorKind::FencedInstance);
            have(&mut [&mut second], &[4]);
            second.poll(Duration::from_millis(50)).unwrap();
        }
        assert_eq!(second.group_metadata().generation_id, epoch, "{kind:?}: no more rebalances");
    }
}

/// Reads in a group until told to stop, and outlasts what happens to the brokers.
fn steady(mut consumer: KafkaConsumer, auditor: &Auditor, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        auditor.read(&mut consumer, Duration::from_millis(100)).unwrap();
    }
    consumer.close(PATIENCE).unwrap();
}

/// Brokers are restarted one by one, killed, and frozen, the groups' coordinators among them; after each the groups
/// read on.
#[test]
fn groups_outlast_restarts_kills_and_pauses_of_brokers() {
    let rounds: u32 = env::var("KAVKA_ROLLS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let cluster = Cluster::start(3, |_| {});
    let topic = "orders";
    cluster.create_topic(topic, 6, &[("min.insync.replicas", "2")]);
    let kinds = [(Kind::Modern, "modern"), (Kind::Cooperative, "cooperative")];
    let auditors = kinds.map(|_| Auditor::default());
    let (stop, sent) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        for ((kind, group), auditor) in kinds.iter().zip(&auditors) {
            for number in 1..4_u32 {
                let mut builder =
                    kind.builder(&cluster, group).auto_commit_interval(Duration::from_millis(500));
                if number == 1 {
                    builder = builder.group_instance_id("seat");
                }
                let mut member = builder.build().unwrap();
                let listener = auditor.badge(number);
                member.subscribe_to(Subscription::topics([topic]).listener(listener)).unwrap();
                let stop = &stop;
                scope.spawn(move || steady(member, auditor, stop));
            }
        }
        let producer = producer(&cluster);
        let partitions: Vec<TopicPartition> =
            (0..6).map(|partition| TopicPartition::new(topic, partition)).collect();
        let mut witnesses = kinds.map(|(kind, group)| kind.builder(&cluster, group).build().unwrap());
        let mut read_on = |what: &str| {
            let begin = Instant::now();
            for _ in 0..300 {
                let number = sent.fetch_add(1, Ordering::Relaxed).to_string();
                producer.send(ProducerRecord::new(topic).key(&number).value(&number)).unwrap();
            }
            producer.flush(PATIENCE).unwrap();
            let all = sent.load(Ordering::Relaxed) as usize;
            for ((kind, _), auditor) in kinds.iter().zip(&auditors) {
                wait_until(&format!("{kind:?} has read on after {what}"), PATIENCE, || {
                    auditor.distinct() == all
                });
            }
            let read = begin.elapsed();
            for ((kind, _), witness) in kinds.iter().zip(&mut witnesses) {
                wait_until(&format!("{kind:?} has committed after {what}"), PATIENCE, || {
                    let committed = witness.committed_offsets(&partitions).unwrap();
                    committed.values().flatten().map(|offset| offset.offset).sum::<i64>() == all as i64
                });
            }
            println!("{what}: all was read {read:?} later, and committed {:?} later", begin.elapsed());
        };
        read_on("the start");
        for round in 0..rounds {
            for node in 1..4_i32 {
                if (round + node.unsigned_abs()) % 2 == 0 {
                    cluster.stop(node);
                } else {
                    cluster.kill(node);
                }
                read_on(&format!("node {node} went"));
                cluster.start_node(node);
                cluster.wait_in_sync(topic);
                read_on(&format!("node {node} came back"));
            }
            {
                let node = 1 + (round % 3) as i32;
                cluster.pause(node);
                // Longer than a session, so that whoever it coordinates has to find another one.
                thread::sleep(Duration::from_secs(7));
                read_on(&format!("node {node} froze"));
                cluster.resume(node);
                cluster.wait_in_sync(topic);
                read_on(&format!("node {node} went on"));
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    for ((kind, _), auditor) in kinds.iter().zip(&auditors) {
        println!("{kind:?}: {}", auditor.check(sent.load(Ordering::Relaxed)));
    }
}

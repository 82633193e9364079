//! Clients that were built before a fork and are used in the child.
#![cfg(unix)]
#![allow(clippy::disallowed_methods, reason = "a test is not part of the client")]
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use fork::Fork;
use kavka::config::AutoOffsetReset;
use kavka::mock::MockCluster;
use kavka::{ErrorKind, KafkaAdminClient, KafkaConsumer, KafkaProducer, ProducerRecord, TopicPartition};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(50);

/// What is done with the clients in the child: every call is refused at once, and dropping them as well.
fn in_the_child(producer: KafkaProducer, mut consumer: KafkaConsumer, admin: KafkaAdminClient) {
    let begin = Instant::now();
    let record = || ProducerRecord::new("t").value("of the child");
    // The check is made once in a while; by now it is due.
    thread::sleep(Duration::from_millis(100));
    let outcomes = [
        producer.send(record()).map(drop),
        producer.flush(LONG),
        producer.bootstrap(LONG),
        consumer.poll(LONG).map(drop),
        consumer.position(&TopicPartition::new("t", 0)).map(drop),
        consumer.status().map(drop),
        consumer.commit(),
        admin.bootstrap(LONG),
        consumer.close(LONG),
    ];
    for (number, outcome) in outcomes.into_iter().enumerate() {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::ForkedProcess, "call {number}");
    }
    drop((producer, consumer, admin));
    assert!(begin.elapsed() < LONG / 2, "{:?}", begin.elapsed());
}

#[test]
fn the_child_of_a_fork_is_told_so_and_leaves_the_parent_alone() {
    let cluster = MockCluster::builder().topic("t", 1).start().unwrap();
    let servers = cluster.bootstrap_servers();
    let producer = KafkaProducer::builder().bootstrap_servers(&servers).build().unwrap();
    let admin = KafkaAdminClient::builder().bootstrap_servers(&servers).build().unwrap();
    admin.bootstrap(LONG).unwrap();
    let mut consumer = KafkaConsumer::builder()
        .bootstrap_servers(&servers)
        .group_id("g")
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .build()
        .unwrap();
    consumer.subscribe(["t"]).unwrap();
    producer.send(ProducerRecord::new("t").value("before")).unwrap().get(LONG).unwrap();
    assert_eq!(consumer.poll(LONG).unwrap().len(), 1);
    let member = consumer.group_metadata().member_id;

    let child = match fork::fork().unwrap() {
        Fork::Child => {
            let done = catch_unwind(AssertUnwindSafe(|| in_the_child(producer, consumer, admin)));
            // The test's own threads are not here: nothing else is to run.
            std::process::exit(i32::from(done.is_err()));
        }
        Fork::Parent(child) => Pid::from_raw(child).unwrap(),
    };
    let deadline = Instant::now() + LONG;
    let status = loop {
        if let Some((_, status)) = waitpid(Some(child), WaitOptions::NOHANG).unwrap() {
            break status.exit_status();
        }
        if Instant::now() > deadline {
            kill_process(child, Signal::KILL).unwrap();
            panic!("the child hangs");
        }
        thread::sleep(SHORT);
    };
    assert_eq!(status, Some(0), "what the child found is in its output");

    producer.send(ProducerRecord::new("t").value("after")).unwrap().get(LONG).unwrap();
    assert_eq!(consumer.poll(LONG).unwrap().len(), 1);
    consumer.commit().unwrap();
    assert_eq!(cluster.group_members("g"), [member]);
    assert_eq!(cluster.records("t", 0).len(), 2, "nothing of the child");
    admin.bootstrap(LONG).unwrap();
    producer.close(LONG).unwrap();
    consumer.close(LONG).unwrap();
}

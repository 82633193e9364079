//! Two threads, each with a consumer of its own, share the partitions of a topic as a group.
//!
//! `cargo run --example consumer_group --features mock [-- --bootstrap HOST:PORT]`

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use kavka::config::AutoOffsetReset;
use kavka::{KafkaConsumer, KafkaProducer, ProducerRecord};

const TOPIC: &str = "kavka-group";
const RECORDS: usize = 1000;

fn main() -> kavka::Result<()> {
    let brokers = support::brokers()?;
    brokers.create_topic(TOPIC, 4)?;
    let producer = KafkaProducer::builder().bootstrap_servers(&brokers.servers).build()?;
    for number in 0..RECORDS {
        producer.send(ProducerRecord::new(TOPIC).key(&number.to_string()).value("work"))?;
    }
    producer.close(Duration::from_secs(30))?;

    let done = AtomicUsize::new(0);
    thread::scope(|scope| {
        let workers: Vec<_> = ["first", "second"]
            .map(|name| scope.spawn(|| work(name, &brokers.servers, &done)))
            .into_iter()
            .collect();
        for worker in workers {
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        Ok(())
    })
}

fn work(name: &str, servers: &str, done: &AtomicUsize) -> kavka::Result<()> {
    let mut consumer = KafkaConsumer::builder()
        .bootstrap_servers(servers)
        .client_id(name)
        .group_id("kavka-group")
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .build()?;
    consumer.subscribe([TOPIC])?;
    let mut mine = 0;
    // Together they read all records; which of them reads a partition may change while members come and go.
    while done.load(Ordering::Relaxed) < RECORDS {
        let records = consumer.poll(Duration::from_millis(200))?;
        mine += records.len();
        done.fetch_add(records.len(), Ordering::Relaxed);
    }
    println!("the {name} member read {mine} records of {:?}", consumer.assignment());
    consumer.close(Duration::from_secs(5))
}

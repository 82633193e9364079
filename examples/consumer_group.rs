//! Two threads, each with a consumer of its own, share the partitions of a topic as a group.
//!
//! `cargo run --example consumer_group --features mock [-- --bootstrap HOST:PORT]`

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use kavka::config::AutoOffsetReset;
use kavka::{KafkaConsumer, KafkaProducer, ProducerRecord};

const TOPIC: &str = "kavka-group";
const RECORDS: usize = 1000;

fn main() -> kavka::Result<()> {
    let brokers = support::brokers()?;
    brokers.create_topic(TOPIC, 4)?;
    let servers = &brokers.servers;
    let done = &AtomicUsize::new(0);

    thread::scope(|scope| {
        let (ready, members) = channel();
        let workers = ["first", "second"].map(|name| {
            let ready = ready.clone();
            scope.spawn(move || work(name, servers, done, &ready))
        });

        // Once each of them has its half of the partitions, there is work for both.
        for member in members.iter().take(workers.len()) {
            println!("{member}");
        }
        let producer = KafkaProducer::builder().bootstrap_servers(servers).build()?;
        for number in 0..RECORDS {
            producer.send(ProducerRecord::new(TOPIC).key(&number.to_string()).value("work"))?;
        }
        producer.close(Duration::from_secs(30))?;

        for worker in workers {
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        Ok(())
    })
}

fn work(name: &str, servers: &str, done: &AtomicUsize, ready: &Sender<String>) -> kavka::Result<()> {
    let mut consumer = KafkaConsumer::builder()
        .bootstrap_servers(servers)
        .client_id(name)
        .group_id("kavka-group")
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .build()?;
    consumer.subscribe([TOPIC])?;
    let mut mine = 0;
    let mut told = false;
    // Members come and go: each poll takes part in the group's rebalances.
    while done.load(Ordering::Relaxed) < RECORDS {
        let records = consumer.poll(Duration::from_millis(100))?;
        mine += records.len();
        done.fetch_add(records.len(), Ordering::Relaxed);
        if !told && consumer.assignment().len() == 2 {
            told = true;
            // Fails only when nobody wants to know any more.
            let _ = ready.send(format!("the {name} member has {:?}", consumer.assignment()));
        }
    }
    println!("the {name} member read {mine} records");
    consumer.close(Duration::from_secs(5))
}

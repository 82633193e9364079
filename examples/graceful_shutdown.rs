//! Ends a consumer on Ctrl-C: the poll is woken, offsets are committed, and the group is left at once.
//!
//! `cargo run --example graceful_shutdown --features mock [-- --bootstrap HOST:PORT]`
//!
//! So that it ends by itself, it sends itself the signal after the first record.

mod support;

use std::thread;
use std::time::Duration;

use kavka::config::AutoOffsetReset;
use kavka::{ErrorKind, KafkaConsumer, KafkaProducer, ProducerRecord};
use signal_hook::consts::SIGINT;

const TOPIC: &str = "kavka-shutdown";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let brokers = support::brokers()?;
    brokers.create_topic(TOPIC, 1)?;
    let producer = KafkaProducer::builder().bootstrap_servers(&brokers.servers).build()?;
    producer.send(ProducerRecord::new(TOPIC).value("hello"))?.get(Duration::from_secs(10))?;
    producer.close(Duration::from_secs(5))?;

    let mut consumer = KafkaConsumer::builder()
        .bootstrap_servers(&brokers.servers)
        .group_id("kavka-shutdown")
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .build()?;

    // A consumer is used by one thread; its waker may be used by any other.
    let waker = consumer.waker();
    let mut signals = signal_hook::iterator::Signals::new([SIGINT])?;
    thread::spawn(move || {
        for _ in signals.forever() {
            waker.wake();
        }
    });

    consumer.subscribe([TOPIC])?;
    loop {
        match consumer.poll(Duration::from_secs(60)) {
            Ok(records) => {
                for record in &records {
                    println!("offset {}: {:?}", record.offset(), record.value());
                }
                if !records.is_empty() {
                    println!("as if Ctrl-C were pressed");
                    signal_hook::low_level::raise(SIGINT)?;
                }
            }
            Err(error) if error.kind() == ErrorKind::Woken => break,
            Err(error) => return Err(error.into()),
        }
    }
    // Commits, and leaves the group: its partitions go to other members without a pause.
    consumer.close(Duration::from_secs(5))?;
    println!("closed");
    Ok(())
}

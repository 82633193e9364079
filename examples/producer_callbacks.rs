//! Sends many records without waiting, and counts the outcomes in callbacks.
//!
//! `cargo run --example producer_callbacks --features mock [-- --bootstrap HOST:PORT]`

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kavka::{KafkaProducer, ProducerRecord};

fn main() -> kavka::Result<()> {
    let brokers = support::brokers()?;
    brokers.create_topic("kavka-callbacks", 3)?;
    let producer = KafkaProducer::builder()
        .bootstrap_servers(&brokers.servers)
        // A short wait lets batches fill: fewer requests, more records a second.
        .linger(Duration::from_millis(5))
        .build()?;

    let written = Arc::new(AtomicU64::new(0));
    for number in 0..10_000_i64 {
        let count = Arc::clone(&written);
        producer
            .send(ProducerRecord::new("kavka-callbacks").key(&number).value("tick"))?
            // Callbacks run on the producer's IO thread: keep them short, and never wait in one.
            .add_callback(move |_| {
                count.fetch_add(1, Ordering::Relaxed);
            })
            .add_errback(move |error| eprintln!("record {number}: {error}"));
    }
    // Waits until every record has its outcome, and its callback has run.
    producer.close(Duration::from_secs(30))?;
    println!("{} of 10000 records were written", written.load(Ordering::Relaxed));
    Ok(())
}

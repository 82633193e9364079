//! Commits offsets by hand, after the records were worked on: at least once, whatever happens in between.
//!
//! `cargo run --example manual_commit --features mock [-- --bootstrap HOST:PORT]`

mod support;

use std::time::Duration;

use kavka::config::AutoOffsetReset;
use kavka::{KafkaConsumer, KafkaProducer, ProducerRecord};

const TOPIC: &str = "kavka-commit";

fn main() -> kavka::Result<()> {
    let brokers = support::brokers()?;
    brokers.create_topic(TOPIC, 2)?;
    let producer = KafkaProducer::builder().bootstrap_servers(&brokers.servers).build()?;
    for number in 0..100 {
        producer.send(ProducerRecord::new(TOPIC).value(&format!("job {number}")))?;
    }
    producer.close(Duration::from_secs(30))?;

    let mut consumer = KafkaConsumer::builder()
        .bootstrap_servers(&brokers.servers)
        .group_id("kavka-commit")
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .enable_auto_commit(false)
        .build()?;
    consumer.subscribe([TOPIC])?;
    let mut worked = 0;
    while worked < 100 {
        let records = consumer.poll(Duration::from_secs(1))?;
        for record in &records {
            // The work. If it fails here, nothing is committed, and the record is read again.
            let _job = record.value();
            worked += 1;
        }
        // What poll() has returned so far counts as done from now on.
        consumer.commit()?;
    }
    for partition in consumer.assignment() {
        println!("{partition}: committed {:?}", consumer.committed(&partition)?.map(|offset| offset.offset));
    }
    consumer.close(Duration::from_secs(5))
}

//! Sends and reads a struct as JSON, through serde.
//!
//! `cargo run --example json_records --features mock [-- --bootstrap HOST:PORT]`

mod support;

use std::time::Duration;

use kavka::config::AutoOffsetReset;
use kavka::serializer::JsonSerializer;
use kavka::{KafkaConsumer, KafkaProducer, ProducerRecord};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    customer: String,
    cents: u64,
}

fn main() -> kavka::Result<()> {
    let brokers = support::brokers()?;
    brokers.create_topic("kavka-json", 1)?;

    let producer = KafkaProducer::builder()
        .bootstrap_servers(&brokers.servers)
        .value_serializer(JsonSerializer::<Order>::new())
        .build()?;
    let order = Order { customer: "anna".to_owned(), cents: 640 };
    producer.send(ProducerRecord::new("kavka-json").value(&order))?.get(Duration::from_secs(10))?;
    producer.close(Duration::from_secs(5))?;

    let mut consumer = KafkaConsumer::builder()
        .bootstrap_servers(&brokers.servers)
        .group_id("kavka-json")
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .consumer_timeout(Duration::from_secs(20))
        .value_deserializer(JsonSerializer::<Order>::new())
        .build()?;
    consumer.subscribe(["kavka-json"])?;
    // What is no order in JSON is an error here, with its partition and offset.
    if let Some(record) = consumer.iter().next().transpose()? {
        println!("offset {}: {:?}", record.offset(), record.value());
    }
    consumer.close(Duration::from_secs(5))
}

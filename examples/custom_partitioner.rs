//! A partitioner and an interceptor of the program's own.
//!
//! `cargo run --example custom_partitioner --features mock [-- --bootstrap HOST:PORT]`

mod support;

use std::time::Duration;

use kavka::producer::partitioner::{PartitionInput, PartitionView, Partitioner, partition_for_key};
use kavka::producer::{Acknowledgement, OutgoingRecord, ProducerInterceptor};
use kavka::{KafkaProducer, ProducerRecord};

/// Orders of important customers have the last partition for themselves; the others share the rest.
struct ImportantFirst;

impl Partitioner for ImportantFirst {
    fn partition(&self, record: &PartitionInput<'_>, topic: &PartitionView<'_>) -> Option<i32> {
        let last = topic.partitions() - 1;
        let key = record.key.unwrap_or_default();
        // `None` would leave the choice to the producer, which knows of no reserved partition.
        Some(if key.starts_with(b"important-") { last } else { partition_for_key(key, last) })
    }
}

/// Says of each record where it came from, and tells of those that were lost.
struct Audit;

impl ProducerInterceptor for Audit {
    fn on_send(&self, record: &mut OutgoingRecord<'_>) -> kavka::Result<()> {
        record.headers_mut().push("source", "till-3");
        Ok(())
    }

    fn on_acknowledgement(&self, acknowledgement: &Acknowledgement<'_>) {
        match acknowledgement.result() {
            Ok(metadata) => println!("{} at {:?}", metadata.topic_partition(), metadata.offset()),
            Err(error) => eprintln!("lost: {error}"),
        }
    }
}

fn main() -> kavka::Result<()> {
    let brokers = support::brokers()?;
    brokers.create_topic("kavka-partitioner", 4)?;
    let producer = KafkaProducer::builder()
        .bootstrap_servers(&brokers.servers)
        .partitioner(ImportantFirst)
        .interceptor(Audit)
        .build()?;
    for customer in ["important-1", "17", "18", "important-2"] {
        producer.send(ProducerRecord::new("kavka-partitioner").key(customer).value("an order"))?;
    }
    producer.close(Duration::from_secs(30))?;
    Ok(())
}

//! How a program is tested against brokers that fail: the mock cluster injects the fault.
//!
//! `cargo run --example test_with_faults --features mock`

mod support;

use std::time::Duration;

use kavka::protocol::ApiKey;
use kavka::{ErrorCode, KafkaProducer, ProducerRecord};

fn main() -> kavka::Result<()> {
    let brokers = support::brokers()?;
    let Some(cluster) = brokers.mock else {
        println!("faults are injected into mock brokers only: run it without --bootstrap");
        return Ok(());
    };
    cluster.create_topic("orders", 1)?;
    let producer = KafkaProducer::builder().bootstrap_servers(&brokers.servers).build()?;

    // The broker writes the batch, but the connection breaks before it can say so.
    let lost = cluster.on(ApiKey::PRODUCE).drop_after();
    let ack = producer.send(ProducerRecord::new("orders").value("paid"))?;
    ack.get(Duration::from_secs(10))?;
    // The producer sent the batch again, and the broker recognised it.
    assert_eq!(lost.hits(), 1);
    assert_eq!(cluster.records("orders", 0).len(), 1);
    println!("a lost answer: sent twice, written once");

    // An error that no retry can help with reaches the program.
    cluster.on(ApiKey::PRODUCE).error(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    let ack = producer.send(ProducerRecord::new("orders").value("paid"))?;
    match ack.get(Duration::from_secs(10)) {
        Ok(_) => println!("the fault did not happen"),
        Err(error) => println!("an error of the broker: {error}"),
    }
    producer.close(Duration::from_secs(5))?;
    Ok(())
}

//! The first steps: create a topic, send records, read them back.
//!
//! ```sh
//! cargo run --example quickstart --features mock                                   # needs no Kafka
//! cargo run --example quickstart --features mock -- --bootstrap localhost:9092     # on your own
//! ```

mod support;

use std::time::Duration;

use kavka::admin::NewTopic;
use kavka::config::AutoOffsetReset;
use kavka::serializer::Utf8;
use kavka::{ErrorCode, KafkaAdminClient, KafkaConsumer, KafkaProducer, ProducerRecord};

const TOPIC: &str = "kavka-quickstart";

fn main() -> kavka::Result<()> {
    let brokers = support::brokers()?;
    let servers = &brokers.servers;
    match brokers.mock {
        Some(_) => println!("Kafka brokers for a first try run inside this program, at {servers}."),
        None => println!("Using the Kafka at {servers}."),
    }

    println!("\n1. Create a topic");
    let admin = KafkaAdminClient::builder().bootstrap_servers(servers).build()?;
    for (topic, result) in admin.create_topics([NewTopic::new(TOPIC).partitions(3)])? {
        match result {
            Ok(_) => println!("   {topic}, with 3 partitions"),
            Err(error) if error.code() == Some(ErrorCode::TOPIC_ALREADY_EXISTS) => {
                println!("   {topic} is there already");
            }
            Err(error) => return Err(error),
        }
    }

    println!("\n2. Send records");
    let producer = KafkaProducer::builder().bootstrap_servers(servers).build()?;
    let orders = [("anna", "2 coffees"), ("clara", "1 tea"), ("anna", "1 cake")];
    for (customer, order) in orders {
        // Records with the same key go to the same partition, and stay in order there.
        let ack = producer.send(ProducerRecord::new(TOPIC).key(customer).value(order))?;
        // Waiting for each record is slow, but shows where it went. Most programs keep sending.
        let written = ack.get(Duration::from_secs(10))?;
        println!("   {customer}: {order}   -> partition {}", written.partition());
    }
    producer.close(Duration::from_secs(5))?;

    println!("\n3. Read them in a group");
    let mut consumer = KafkaConsumer::builder()
        .bootstrap_servers(servers)
        .group_id("kavka-quickstart")
        // Where the group begins when it has never read the topic. The default is to wait for new records.
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .key_deserializer(Utf8)
        .value_deserializer(Utf8)
        .build()?;
    consumer.subscribe([TOPIC])?;
    let mut read = 0;
    while read < orders.len() {
        let records = consumer.poll(Duration::from_secs(2))?;
        if records.is_empty() {
            println!("   (waiting for the group to form: a few seconds on a real Kafka)");
        }
        for record in &records {
            let (customer, order) = (record.key().as_deref(), record.value().as_deref());
            println!(
                "   {}: {}   <- partition {}, offset {}",
                customer.unwrap_or("nobody"),
                order.unwrap_or("nothing"),
                record.partition(),
                record.offset()
            );
            read += 1;
        }
    }
    // Commits how far the group has read, and leaves it.
    consumer.close(Duration::from_secs(5))?;

    println!("\nThat is all it takes. More examples are beside this one.");
    Ok(())
}

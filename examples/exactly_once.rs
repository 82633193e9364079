//! Reads orders, bills them, and writes the bills: each order exactly once, however often the program dies.
//!
//! `cargo run --example exactly_once --features mock [-- --bootstrap HOST:PORT]`
//!
//! The bills and the offsets of the orders that they are for are committed in one transaction. Whoever reads only
//! committed records sees no bill of a transaction that was not finished.

mod support;

use std::time::Duration;

use kavka::config::{AutoOffsetReset, IsolationLevel};
use kavka::{Error, KafkaConsumer, KafkaProducer, ProducerRecord};

const ORDERS: &str = "kavka-orders";
const BILLS: &str = "kavka-bills";
const COUNT: usize = 1000;

fn main() -> kavka::Result<()> {
    let brokers = support::brokers()?;
    brokers.create_topic(ORDERS, 3)?;
    brokers.create_topic(BILLS, 3)?;
    let servers = &brokers.servers;

    let producer = KafkaProducer::builder().bootstrap_servers(servers).build()?;
    for number in 0..COUNT {
        producer.send(ProducerRecord::new(ORDERS).key(&number.to_string()).value("an order"))?;
    }
    producer.close(Duration::from_secs(30))?;

    // As if the program died again and again: each life bills some orders and ends in the middle of a transaction.
    let mut lives = 0;
    loop {
        lives += 1;
        match live(servers, 100 * lives) {
            Ok(true) => break,
            // A new life begins with what was committed: so this is the answer to all errors.
            Ok(false) => {}
            Err(error) => println!("life {lives} ended: {error}"),
        }
    }

    let mut reader = KafkaConsumer::builder()
        .bootstrap_servers(servers)
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .isolation_level(IsolationLevel::ReadCommitted)
        .consumer_timeout(Duration::from_secs(2))
        .build()?;
    reader.subscribe([BILLS])?;
    let mut bills: Vec<Vec<u8>> = Vec::new();
    for bill in &mut reader {
        bills.extend(bill?.key().as_ref().map(|key| key.to_vec()));
    }
    let read = bills.len();
    bills.sort_unstable();
    bills.dedup();
    println!("{COUNT} orders, {read} bills of {} orders, in {lives} lives", bills.len());
    Ok(())
}

/// One life of the program: bills orders until there are no more (true), or until it has seen `lifetime` of them.
fn live(servers: &str, lifetime: usize) -> kavka::Result<bool> {
    // The name outlives the process: the next one with it fences this one, and aborts what it left open.
    let producer = KafkaProducer::builder()
        .bootstrap_servers(servers)
        .transactional_id("kavka-billing-1")
        .linger(Duration::from_millis(5))
        .build()?;
    producer.init_transactions()?;
    let mut consumer = KafkaConsumer::builder()
        .bootstrap_servers(servers)
        .group_id("kavka-billing")
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .isolation_level(IsolationLevel::ReadCommitted)
        // The transactions commit the offsets.
        .enable_auto_commit(false)
        .max_poll_records(50)
        .build()?;
    consumer.subscribe([ORDERS])?;

    let mut seen = 0;
    let mut quiet = 0;
    while quiet < 10 {
        let orders = consumer.poll(Duration::from_millis(200))?;
        if orders.is_empty() {
            quiet += 1;
            continue;
        }
        quiet = 0;
        // Dropped on the way out, it is aborted.
        let transaction = producer.transaction()?;
        for order in &orders {
            let bill = ProducerRecord::new(BILLS).key(order.key()).value("a bill");
            transaction.send(bill)?;
            seen += 1;
            if seen == lifetime {
                // The consumer leaves its group here. A program that is killed does not, and what it had is given to
                // others when its session is over.
                return Ok(false);
            }
        }
        transaction.send_offsets(orders.next_offsets(), &consumer.group_metadata())?;
        transaction.commit().map_err(remedy)?;
    }
    Ok(true)
}

/// What the three classes of errors ask for. Here each of them ends this life, and the next one begins with what was
/// committed.
fn remedy(error: Error) -> Error {
    if error.is_fatal() {
        error.context("another instance has taken over: build a new producer")
    } else if error.requires_abort() {
        error.context("aborted: read again from the committed offsets")
    } else {
        error.context("the outcome is unknown: call commit_transaction() again, or begin a new life")
    }
}

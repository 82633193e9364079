//! Serves a producer's metrics to Prometheus, with nothing but the standard library.
//!
//! `cargo run --example metrics --features mock [-- --bootstrap HOST:PORT]`

#![allow(clippy::disallowed_methods, reason = "what stands for Prometheus here is a plain socket")]

mod support;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use kavka::{KafkaProducer, ProducerRecord};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let brokers = support::brokers()?;
    brokers.create_topic("kavka-metrics", 3)?;
    let producer = KafkaProducer::builder().bootstrap_servers(&brokers.servers).client_id("shop").build()?;
    let producer = Arc::new(producer);

    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let measured = Arc::clone(&producer);
    thread::spawn(move || {
        for scrape in listener.incoming().flatten() {
            // A scrape that breaks off is the scraper's affair.
            let _ = answer(scrape, &measured);
        }
    });

    for number in 0..1_000_i64 {
        producer.send(ProducerRecord::new("kavka-metrics").key(&number).value("tick"))?;
    }
    producer.flush(Duration::from_secs(30))?;

    // What Prometheus would do every 15 seconds.
    let mut scrape = TcpStream::connect(address)?;
    scrape.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
    let mut text = String::new();
    scrape.read_to_string(&mut text)?;
    for line in text.lines().filter(|line| line.starts_with("kafka_producer_record_send")) {
        println!("{line}");
    }
    // Or without Prometheus, one by one:
    let metrics = producer.metrics();
    println!("{} metrics; {:?} records", metrics.len(), metrics.get("producer-metrics", "record-send-total"));
    Ok(())
}

fn answer(mut scrape: TcpStream, producer: &KafkaProducer) -> io::Result<()> {
    let mut line = String::new();
    BufReader::new(&scrape).read_line(&mut line)?;
    let text = producer.metrics().to_prometheus();
    write!(scrape, "HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n\r\n{text}")
}

//! Goes through a proxy: a SOCKS or HTTP proxy by its URL, or a scheme of the program's own.
//!
//! `cargo run --example proxy --features mock [-- --bootstrap HOST:PORT] [PROXY_URL]`, with a URL such as
//! `socks5h://user:password@proxy:1080`. Without one, a scheme is added that counts connections.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::LocalBoxFuture;
use kavka::net::event_loop::Net;
use kavka::net::inet::{Address, Connector};
use kavka::net::transport::BoxStream;
use kavka::{KafkaProducer, ProducerRecord};

/// Connects as the connector below does, and counts.
struct Counting {
    below: Arc<dyn Connector>,
    count: Arc<AtomicU32>,
}

impl Connector for Counting {
    fn connect<'a>(
        &'a self,
        net: &'a Net,
        address: &'a Address,
        deadline: Instant,
    ) -> LocalBoxFuture<'a, kavka::Result<BoxStream>> {
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        println!("connection {number} goes to {address}");
        // A real one would connect to its proxy here, and speak to it over the stream.
        self.below.connect(net, address, deadline)
    }
}

fn main() -> kavka::Result<()> {
    let brokers = support::brokers()?;
    brokers.create_topic("kavka-proxied", 1)?;
    let url = std::env::args().skip(1).find(|argument| argument.contains("://"));
    let count = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&count);
    let producer = KafkaProducer::builder()
        .bootstrap_servers(&brokers.servers)
        .register_proxy("counting", move |_url, below| {
            Ok(Arc::new(Counting { below: Arc::clone(&below.connector), count: Arc::clone(&counter) }))
        })
        .proxy_url(url.unwrap_or_else(|| "counting://anywhere:1".to_owned()))
        .build()?;
    let ack = producer.send(ProducerRecord::new("kavka-proxied").value("by a detour"))?;
    println!("written at {:?}", ack.get(Duration::from_secs(30))?.offset());
    producer.close(Duration::from_secs(5))?;
    println!("{} connections went through the program's own scheme", count.load(Ordering::Relaxed));
    Ok(())
}

//! Peers and networks that break the protocol: answers that are tampered with between a client and a MockCluster, and
//! bytes that are flipped between a client and a real broker. Nothing panics, nothing hangs, memory stays bounded, and
//! the next connection heals.

#![allow(clippy::disallowed_methods, reason = "a test has peers and clocks of its own")]

mod support;

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::future::LocalBoxFuture;
use kavka::config::AutoOffsetReset;
use kavka::mock::MockCluster;
use kavka::net::event_loop::Net;
use kavka::net::inet::{Address, Connector, SocketOptions, SystemResolver, TcpConnector};
use kavka::net::transport::BoxStream;
use kavka::{KafkaConsumer, KafkaProducer, ProducerRecord, TopicPartition};
use support::kafka::{Cluster, unique};

const PATIENCE: Duration = Duration::from_secs(60);

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Connects to the link, whatever the address.
struct Through(SocketAddr);

impl Connector for Through {
    fn connect<'a>(
        &'a self,
        net: &'a Net,
        _: &'a Address,
        deadline: Instant,
    ) -> LocalBoxFuture<'a, kavka::Result<BoxStream>> {
        let tcp = TcpConnector { resolver: Arc::new(SystemResolver), options: SocketOptions::default() };
        let link: Address = self.0.to_string().parse().unwrap();
        Box::pin(async move { tcp.connect(net, &link, deadline).await })
    }
}

/// What a link does to one answer.
#[derive(Clone, Copy, Debug)]
enum Trick {
    /// Announces another length.
    Length(i32),
    /// Sends so many bytes of it and closes.
    Cut(usize),
    /// Sends it under another correlation id.
    Correlation,
    /// Sends it twice.
    Twice,
    /// Sends a frame of so many bytes, all zero, in its place.
    Zeros(usize),
    /// Fills its body with 0xff.
    Garbage,
    /// Sends it byte by byte, so slowly that it never ends.
    Drip,
    /// Sends it and nothing ever again, but keeps the connection.
    Silence,
}

/// Forwards to a broker, and plays a trick on one answer, counted over all connections.
fn tampering_link(broker: SocketAddr, trick: Trick, at: u64) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answers = Arc::new(AtomicU64::new(0));
    thread::spawn(move || {
        for client in listener.incoming() {
            let (Ok(client), Ok(broker)) = (client, TcpStream::connect(broker)) else { return };
            let (mut from, mut to) = (client.try_clone().unwrap(), broker.try_clone().unwrap());
            thread::spawn(move || {
                let _ = io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
            let answers = Arc::clone(&answers);
            thread::spawn(move || {
                let (mut broker, mut client) = (broker, client);
                let _ = answer(&mut broker, &mut client, trick, at, &answers);
                let _ = broker.shutdown(Shutdown::Both);
                let _ = client.shutdown(Shutdown::Both);
            });
        }
    });
    address
}

fn answer(
    broker: &mut TcpStream,
    client: &mut TcpStream,
    trick: Trick,
    at: u64,
    answers: &AtomicU64,
) -> io::Result<()> {
    loop {
        let mut length = [0; 4];
        broker.read_exact(&mut length)?;
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        broker.read_exact(&mut body)?;
        let mut frame = [&length[..], &body].concat();
        if answers.fetch_add(1, Ordering::SeqCst) != at {
            client.write_all(&frame)?;
            continue;
        }
        match trick {
            Trick::Length(other) => frame[..4].copy_from_slice(&other.to_be_bytes()),
            Trick::Cut(count) => {
                frame.truncate(count);
                client.write_all(&frame)?;
                return Ok(());
            }
            Trick::Correlation => frame[7] ^= 0x55,
            Trick::Twice => frame.extend_from_within(..),
            Trick::Zeros(count) => {
                frame = (count as u32).to_be_bytes().to_vec();
                frame.resize(4 + count, 0);
            }
            Trick::Garbage => frame[8..].fill(0xff),
            Trick::Drip => {
                for byte in frame.iter().cycle() {
                    client.write_all(&[*byte])?;
                    thread::sleep(ms(100));
                }
            }
            Trick::Silence => {
                while broker.read(&mut [0; 1024])? > 0 {}
                return Ok(());
            }
        }
        client.write_all(&frame)?;
    }
}

const TRICKS: [Trick; 13] = [
    Trick::Length(i32::MAX),
    Trick::Length(i32::MIN),
    Trick::Length(-1),
    Trick::Length(99_999_999),
    Trick::Cut(2),
    Trick::Cut(7),
    Trick::Correlation,
    Trick::Twice,
    Trick::Zeros(0),
    Trick::Zeros(3),
    Trick::Garbage,
    Trick::Drip,
    Trick::Silence,
];

/// The resident memory of this process.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[test]
fn a_producer_survives_every_trick_on_every_answer_and_writes_once() {
    let before = resident();
    thread::scope(|scope| {
        for trick in TRICKS {
            scope.spawn(move || {
                // The answers to ApiVersions, Metadata and InitProducerId on the way, and to Produce.
                for at in 0..7 {
                    let mock = MockCluster::builder().topic("orders", 1).start().unwrap();
                    let link = tampering_link(mock.bootstrap_servers().parse().unwrap(), trick, at);
                    let producer = KafkaProducer::builder()
                        .bootstrap_servers(mock.bootstrap_servers())
                        .connector(Through(link))
                        .request_timeout(ms(1000))
                        .socket_connection_setup_timeout(ms(1000))
                        .reconnect_backoff_max(ms(200))
                        .delivery_timeout(PATIENCE)
                        .max_block(PATIENCE)
                        .build()
                        .unwrap();
                    for number in 0..3 {
                        let sent = producer.send(ProducerRecord::new("orders").value(&format!("{number}")));
                        let ack = sent.unwrap_or_else(|error| panic!("{trick:?} at {at}: {error}"));
                        let written = ack.get(PATIENCE);
                        written.unwrap_or_else(|error| panic!("{trick:?} at {at}: {error}"));
                    }
                    let values: Vec<_> =
                        mock.records("orders", 0).iter().filter_map(|record| record.value.clone()).collect();
                    assert_eq!(values, ["0", "1", "2"], "{trick:?} at {at}");
                }
            });
        }
    });
    let grown = resident().saturating_sub(before);
    assert!(grown < 400 << 20, "the process grew by {} MiB", grown >> 20);
}

#[test]
fn a_consumer_survives_every_trick_and_reads_each_record_once() {
    thread::scope(|scope| {
        for trick in TRICKS {
            scope.spawn(move || {
                for at in [0, 2, 4, 5, 7] {
                    let mock = MockCluster::builder().topic("orders", 1).start().unwrap();
                    for number in 0..50 {
                        mock.append("orders", 0, [("", number.to_string())]).unwrap();
                    }
                    let link = tampering_link(mock.bootstrap_servers().parse().unwrap(), trick, at);
                    let mut consumer = KafkaConsumer::builder()
                        .bootstrap_servers(mock.bootstrap_servers())
                        .connector(Through(link))
                        .request_timeout(ms(1000))
                        .socket_connection_setup_timeout(ms(1000))
                        .reconnect_backoff_max(ms(200))
                        .auto_offset_reset(AutoOffsetReset::Earliest)
                        .enable_auto_commit(false)
                        // Several fetches, so that there is an answer to play a trick on.
                        .max_partition_fetch_bytes(200)
                        .fetch_max_wait(ms(100))
                        .build()
                        .unwrap();
                    consumer.assign([TopicPartition::new("orders", 0)]).unwrap();
                    let mut seen = Vec::new();
                    let end = Instant::now() + PATIENCE;
                    while seen.len() < 50 {
                        assert!(Instant::now() < end, "{trick:?} at {at}: only {} records", seen.len());
                        // What is wrong with one connection may be told; the next call goes on.
                        let Ok(records) = consumer.poll(ms(200)) else { continue };
                        seen.extend(records.iter().filter_map(|record| record.value().clone()));
                    }
                    let expected: Vec<_> = (0..50).map(|number| number.to_string()).collect();
                    assert_eq!(seen, expected, "{trick:?} at {at}");
                }
            });
        }
    });
}

/// Forwards to a broker and flips a bit now and then, in both directions, until it is told to be calm.
fn flipping_link(broker: SocketAddr, calm: Arc<AtomicBool>, flipped: Arc<AtomicU64>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for (number, client) in (0_u64..).zip(listener.incoming()) {
            let (Ok(client), Ok(broker)) = (client, TcpStream::connect(broker)) else { return };
            let pairs = [(client.try_clone().unwrap(), broker.try_clone().unwrap()), (broker, client)];
            for (side, (mut from, mut to)) in (0..).zip(pairs) {
                let (calm, flipped) = (Arc::clone(&calm), Arc::clone(&flipped));
                thread::spawn(move || {
                    let mut random = fastrand::Rng::with_seed(number * 2 + side);
                    let mut until_next = random.usize(0..4000);
                    let mut buffer = [0; 4096];
                    while let Ok(count @ 1..) = from.read(&mut buffer) {
                        let bytes = &mut buffer[..count];
                        while until_next < bytes.len() && !calm.load(Ordering::SeqCst) {
                            bytes[until_next] ^= 1 << random.u8(0..8);
                            flipped.fetch_add(1, Ordering::SeqCst);
                            until_next += random.usize(1..6_000);
                        }
                        until_next = until_next.saturating_sub(bytes.len());
                        if to.write_all(bytes).is_err() {
                            break;
                        }
                    }
                    let _ = to.shutdown(Shutdown::Both);
                    let _ = from.shutdown(Shutdown::Both);
                });
            }
        }
    });
    address
}

/// Seconds of flipping; `KAVKA_SOAK_SECONDS` makes it longer.
fn soak() -> Duration {
    let seconds = std::env::var("KAVKA_SOAK_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(8))
}

#[test]
fn flipped_bits_on_the_way_to_a_real_broker_lose_nothing_and_heal() {
    let cluster = Cluster::shared();
    let topic = unique("flipped");
    cluster.create_topic(&topic, 1, &[]);
    let (calm, flipped) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let broker = cluster.bootstrap().parse().unwrap();
    let link = flipping_link(broker, Arc::clone(&calm), Arc::clone(&flipped));
    let before = resident();
    let producer = KafkaProducer::builder()
        .bootstrap_servers(cluster.bootstrap())
        .connector(Through(link))
        .request_timeout(ms(1500))
        .reconnect_backoff_max(ms(200))
        .delivery_timeout(Duration::from_secs(5))
        .max_block(Duration::from_secs(2))
        .build()
        .unwrap();
    let mut consumer = KafkaConsumer::builder()
        .bootstrap_servers(cluster.bootstrap())
        .connector(Through(link))
        .request_timeout(ms(1500))
        .reconnect_backoff_max(ms(200))
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .enable_auto_commit(false)
        .build()
        .unwrap();
    consumer.assign([TopicPartition::new(&*topic, 0)]).unwrap();
    let end = Instant::now() + soak();
    let (mut acknowledged, mut failed, mut number) = (BTreeSet::new(), 0_u32, 0_u32);
    while Instant::now() < end {
        let mut sent = Vec::new();
        for _ in 0..20 {
            number += 1;
            let value = format!("{number}:{}", "x".repeat(100));
            match producer.send(ProducerRecord::new(&topic).value(&value)) {
                Ok(ack) => sent.push((value, ack)),
                Err(_) => failed += 1,
            }
        }
        for (value, ack) in sent {
            match ack.get(PATIENCE) {
                Ok(_) => drop(acknowledged.insert(value)),
                Err(_) => failed += 1,
            }
        }
        // Whatever comes: an error, or records. Each of them is whole, since their checksums are looked at.
        for record in consumer.poll(ms(50)).into_iter().flatten() {
            let value = record.value().clone().unwrap();
            assert!(value.ends_with(&b"x".repeat(100)), "a record was altered: {value:?}");
        }
    }
    calm.store(true, Ordering::SeqCst);
    eprintln!(
        "{} bits flipped, {} acknowledged, {failed} failed",
        flipped.load(Ordering::SeqCst),
        acknowledged.len()
    );
    assert!(flipped.load(Ordering::SeqCst) > 10);

    // The same clients, now that the network is well.
    let healed = Instant::now() + PATIENCE;
    let last = "last".to_owned();
    while producer.send(ProducerRecord::new(&topic).value(&last)).and_then(|ack| ack.get(PATIENCE)).is_err() {
        assert!(Instant::now() < healed, "the producer did not heal");
    }
    acknowledged.insert(last);
    consumer.seek_to_beginning(&[]).unwrap();
    let mut missing = acknowledged;
    while !missing.is_empty() {
        assert!(Instant::now() < healed + PATIENCE, "{} records are missing: {missing:?}", missing.len());
        for record in consumer.poll(ms(200)).into_iter().flatten() {
            missing.remove(std::str::from_utf8(record.value().as_ref().unwrap()).unwrap());
        }
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 300 << 20, "the process grew by {} MiB", grown >> 20);
}

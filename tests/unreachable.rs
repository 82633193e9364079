//! Peers that are not there, or are no Kafka broker: every call ends by its deadline with an error that names
//! the address and what is wrong with it.

#![allow(clippy::disallowed_methods, reason = "a test measures with its own clock how long calls take")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use kavka::{Error, ErrorKind, KafkaProducer, ProducerRecord};

/// A peer that answers whatever is sent to it with fixed bytes; with none it only listens.
fn peer(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut silent = Vec::new();
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            if answer.is_empty() {
                silent.push(stream);
                continue;
            }
            let mut request = [0; 1024];
            // The client may have gone already; the test looks at what it said.
            let _ = stream.read(&mut request);
            let _ = stream.write_all(answer);
        }
    });
    address
}

fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Sends one record with `max_block` of 600 ms and returns the error, checked to come in time.
fn send_to(servers: &str) -> Error {
    let producer = KafkaProducer::builder()
        .bootstrap_servers(servers)
        .max_block(Duration::from_millis(600))
        .build()
        .unwrap();
    let started = Instant::now();
    let error = producer.send(ProducerRecord::new("orders").value("x")).unwrap_err();
    let waited = started.elapsed();
    assert!(waited < Duration::from_millis(1600), "the call took {waited:?}: {error}");
    assert_eq!(error.topic(), Some("orders"), "{error}");
    let closing = Instant::now();
    producer.close(Duration::from_secs(5)).unwrap();
    assert!(closing.elapsed() < Duration::from_secs(1), "close took {:?}", closing.elapsed());
    error
}

#[track_caller]
fn assert_says(error: &Error, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

#[test]
fn closed_ports_are_all_named() {
    let (first, second) = (closed_port(), closed_port());
    let error = send_to(&format!("{first},{second}"));
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_says(&error, &[&first.to_string(), &second.to_string(), "refused"]);
}

#[test]
fn a_name_without_an_address_is_named() {
    let error = send_to("no-such-host.invalid:9092");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_says(&error, &["no-such-host.invalid:9092", "resolving"]);
}

#[test]
fn an_http_server_is_told_by_name() {
    let address = peer(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    assert_says(&send_to(&address.to_string()), &[&address.to_string(), "HTTP server"]);
}

#[test]
fn a_tls_port_is_told_by_name() {
    let address = peer(&[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x46]);
    assert_says(&send_to(&address.to_string()), &[&address.to_string(), "TLS", "security.protocol"]);
}

#[test]
fn giant_and_negative_lengths_are_refused() {
    for answer in [&[0x7f, 0xff, 0xff, 0xff, 0, 0][..], &[0xff, 0xff, 0xff, 0xff, 0, 0][..]] {
        let address = peer(answer);
        assert_says(&send_to(&address.to_string()), &[&address.to_string(), "frame of"]);
    }
}

#[test]
fn garbage_in_a_frame_is_an_error() {
    let address = peer(&[0, 0, 0, 9, 0, 0, 0, 0, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f]);
    assert_says(&send_to(&address.to_string()), &[&address.to_string()]);
}

#[test]
fn a_wrong_correlation_id_is_an_error() {
    let address = peer(&[0, 0, 0, 4, 0, 0, 0x30, 0x39]);
    assert_says(&send_to(&address.to_string()), &["correlation id"]);
}

#[test]
fn a_peer_that_hangs_up_hints_at_what_it_may_be() {
    // It closes right after its (empty looking) one byte answer.
    let address = peer(&[0]);
    assert_says(
        &send_to(&address.to_string()),
        &[&address.to_string(), "closed the connection", "api.version"],
    );
}

#[test]
fn a_silent_peer_ends_with_the_deadline() {
    let address = peer(&[]);
    let error = send_to(&address.to_string());
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

#[test]
fn bootstrap_tells_what_stands_in_the_way() {
    let address = closed_port();
    let producer = KafkaProducer::builder().bootstrap_servers(address.to_string()).build().unwrap();
    let error = producer.bootstrap(Duration::from_millis(300)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_says(&error, &[&address.to_string(), "refused", "bootstrap"]);
    assert!(!producer.bootstrap_connected());
}

#[test]
fn try_send_never_waits() {
    let producer = KafkaProducer::builder().bootstrap_servers(peer(&[]).to_string()).build().unwrap();
    let started = Instant::now();
    let error = producer.try_send(ProducerRecord::new("orders").value("x")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(started.elapsed() < Duration::from_millis(100), "{:?}", started.elapsed());
}

#[test]
fn bad_input_is_refused_before_anything_is_asked() {
    let producer = KafkaProducer::builder()
        .bootstrap_servers(closed_port().to_string())
        .max_request_size(1000_usize)
        .build()
        .unwrap();
    let kind = |topic: &str| producer.send(ProducerRecord::new(topic).value("x")).unwrap_err().kind();
    assert_eq!(kind(""), ErrorKind::InvalidArgument);
    assert_eq!(kind("no spaces please"), ErrorKind::InvalidArgument);
    assert_eq!(kind(".."), ErrorKind::InvalidArgument);
    assert_eq!(kind(&"x".repeat(250)), ErrorKind::InvalidArgument);
    let error = producer.send(ProducerRecord::new("orders").value(&vec![0_u8; 2000])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RecordTooLarge);
    assert_says(&error, &["max.request.size=1000", "orders"]);
}

#[test]
fn all_faults_of_the_options_come_at_once() {
    let error = KafkaProducer::builder()
        .bootstrap_servers("localhost:0")
        .set("linger.mss", "5")
        .set("acks", "some")
        .build()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert_says(&error, &["linger.mss", "linger.ms", "acks", "localhost:0"]);
}

#[test]
fn a_closed_producer_answers_at_once() {
    let producer = KafkaProducer::builder().bootstrap_servers(closed_port().to_string()).build().unwrap();
    producer.close(Duration::ZERO).unwrap();
    producer.close(Duration::ZERO).unwrap();
    let error = producer.send(ProducerRecord::new("orders").value("x")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
}

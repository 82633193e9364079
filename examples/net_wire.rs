//! The wire layer by hand: messages are bytes in and bytes out, so any socket will do, here a blocking one.
//!
//! `cargo run --example net_wire --features mock [-- --bootstrap HOST:PORT]`

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::Bytes;
use kavka::protocol::messages::metadata::MetadataRequestTopic;
use kavka::protocol::messages::{ApiVersionsRequest, MetadataRequest};
use kavka::protocol::{ApiKey, Request, decode_response, encode_request};

#[allow(clippy::disallowed_methods, reason = "a program of one's own connects as it likes")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let brokers = support::brokers()?;
    brokers.create_topic("kavka-wire", 3)?;
    let address = brokers.servers.split(',').next().unwrap_or_default();
    let mut socket = TcpStream::connect(address)?;

    // Version 0 is known to every broker since Kafka 0.10.
    let versions = ask(&mut socket, 1, &ApiVersionsRequest::default(), 0)?;
    let theirs = versions.api_keys.iter().find(|api| api.api_key == ApiKey::METADATA.0);
    let newest = theirs.map_or(0, |api| api.max_version);
    let version = MetadataRequest::VERSIONS.max.min(newest);

    let topic = MetadataRequestTopic { name: Some("kavka-wire".to_owned()), ..Default::default() };
    let request = MetadataRequest { topics: Some(vec![topic]), ..Default::default() };
    let metadata = ask(&mut socket, 2, &request, version)?;
    for topic in &metadata.topics {
        println!("Metadata v{version}: {:?} has {} partitions", topic.name, topic.partitions.len());
        assert_eq!(topic.partitions.len(), 3);
    }
    assert_eq!(metadata.topics.len(), 1);
    Ok(())
}

/// Writes a request and reads its answer.
fn ask<R: Request>(
    socket: &mut TcpStream,
    correlation: i32,
    request: &R,
    version: i16,
) -> Result<R::Response, Box<dyn std::error::Error>> {
    // Chunks, length first; large fields are not copied into them.
    for chunk in encode_request(correlation, Some("example"), request, version)? {
        socket.write_all(&chunk)?;
    }
    let mut length = [0; 4];
    socket.read_exact(&mut length)?;
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    socket.read_exact(&mut body)?;
    let (header, response) = decode_response::<R>(Bytes::from(body), version)?;
    assert_eq!(header.correlation_id, correlation, "a broker answers in the order of the requests");
    Ok(response)
}

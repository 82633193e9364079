//! The few requests that the test rig itself sends to a broker, spelt out byte by byte.
//!
//! The crate's own protocol code is not used: a fault in it must not make the rig fail, or agree with it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(2);
const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;
const CREATE_TOPICS: i16 = 19;
const LARGEST_ANSWER: usize = 16 << 20;

/// What a broker's Metadata answer says.
#[derive(Debug)]
pub struct Metadata {
    /// Ids of the brokers that are alive, in order.
    pub brokers: Vec<i32>,
    /// The partitions of the topic that was asked about, in order.
    pub partitions: Vec<Partition>,
}

/// One partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    pub index: i32,
    /// The leader's node id, -1 if there is none.
    pub leader: i32,
    pub replicas: Vec<i32>,
    pub in_sync: Vec<i32>,
}

/// Does the broker answer ApiVersions?
pub fn answers(address: SocketAddr) -> bool {
    call(address, API_VERSIONS, 0, &[]).is_ok_and(|answer| answer.starts_with(&[0, 0]))
}

/// Asks for the brokers, and for one topic's partitions; does not create the topic.
pub fn metadata(address: SocketAddr, topic: Option<&str>) -> io::Result<Metadata> {
    let mut body = Vec::new();
    body.extend(count(topic.iter().len()));
    topic.iter().for_each(|topic| body.extend(string(topic)));
    body.push(0);
    let answer = call(address, METADATA, 4, &body)?;
    let mut answer = Reader(&answer);
    answer.i32()?; // throttle time
    let mut brokers = answer.array(|entry| {
        let id = entry.i32()?;
        entry.string()?;
        entry.i32()?;
        entry.string()?;
        Ok(id)
    })?;
    brokers.sort_unstable();
    answer.string()?; // cluster id
    answer.i32()?; // controller
    let topics = answer.array(|entry| {
        entry.i16()?;
        entry.string()?;
        entry.take(1)?; // internal
        entry.array(|entry| {
            entry.i16()?;
            Ok(Partition {
                index: entry.i32()?,
                leader: entry.i32()?,
                replicas: entry.array(Reader::i32)?,
                in_sync: entry.array(Reader::i32)?,
            })
        })
    })?;
    let mut partitions: Vec<_> = topics.into_iter().flatten().collect();
    partitions.sort_by_key(|partition| partition.index);
    Ok(Metadata { brokers, partitions })
}

/// Creates a topic and returns the error code: 0, or 36 if it exists.
pub fn create_topic(
    address: SocketAddr,
    name: &str,
    partitions: i32,
    replicas: i16,
    configs: &[(&str, &str)],
) -> io::Result<i16> {
    let mut body = Vec::new();
    body.extend(count(1));
    body.extend(string(name));
    body.extend(partitions.to_be_bytes());
    body.extend(replicas.to_be_bytes());
    body.extend(count(0)); // no assignment by hand
    body.extend(count(configs.len()));
    for (key, value) in configs {
        body.extend(string(key));
        body.extend(string(value));
    }
    body.extend(30_000_i32.to_be_bytes());
    body.push(0);
    let answer = call(address, CREATE_TOPICS, 2, &body)?;
    let mut answer = Reader(&answer);
    answer.i32()?; // throttle time
    let codes = answer.array(|entry| {
        entry.string()?;
        let code = entry.i16()?;
        entry.string()?;
        Ok(code)
    })?;
    codes.first().copied().ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Sends one request on a connection of its own; the answer without its header.
fn call(address: SocketAddr, api: i16, version: i16, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut request = Vec::new();
    request.extend(api.to_be_bytes());
    request.extend(version.to_be_bytes());
    request.extend(1_i32.to_be_bytes());
    request.extend(string("rig"));
    request.extend(body);
    let mut link = TcpStream::connect_timeout(&address, LIMIT)?;
    link.set_read_timeout(Some(if api == CREATE_TOPICS { LIMIT * 15 } else { LIMIT }))?;
    link.set_write_timeout(Some(LIMIT))?;
    link.write_all(&[&count(request.len())[..], &request].concat())?;
    let mut size = [0; 4];
    link.read_exact(&mut size)?;
    let size = u32::from_be_bytes(size) as usize;
    if !(4..LARGEST_ANSWER).contains(&size) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut answer = vec![0; size];
    link.read_exact(&mut answer)?;
    Ok(answer.split_off(4))
}

fn count(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("a short array").to_be_bytes()
}

fn string(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a short string").to_be_bytes();
    [&length, text.as_bytes()].concat()
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, size: usize) -> io::Result<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(size).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.0 = rest;
        Ok(head)
    }

    fn i16(&mut self) -> io::Result<i16> {
        let mut bytes = [0; 2];
        bytes.copy_from_slice(self.take(2)?);
        Ok(i16::from_be_bytes(bytes))
    }

    fn i32(&mut self) -> io::Result<i32> {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(self.take(4)?);
        Ok(i32::from_be_bytes(bytes))
    }

    /// A string, null or not: skipped, since nobody here needs one.
    fn string(&mut self) -> io::Result<()> {
        let size = self.i16()?.max(0);
        self.take(usize::from(size.unsigned_abs())).map(|_| ())
    }

    fn array<T>(&mut self, mut read: impl FnMut(&mut Self) -> io::Result<T>) -> io::Result<Vec<T>> {
        (0..self.i32()?).map(|_| read(self)).collect()
    }
}

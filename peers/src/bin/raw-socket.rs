//! The floor under `kavka perf`: the same work with ready-made requests on a bare socket.
//!
//! `produce` builds its requests once and sends them over and over, five in flight; `consume` asks for one batch
//! of bytes a partition, all partitions in flight, and looks at nothing but the batches' headers; `latency` sends
//! one record at a time. One connection to one broker, which must lead every partition. Not compressed.

use std::collections::VecDeque;
use std::error::Error;
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use clap::Parser;
use kavka_peers::{Mode, Options, Report, Stopwatch, values};

type Outcome<T> = Result<T, Box<dyn Error>>;

const PRODUCE: (i16, i16) = (0, 8);
const FETCH: (i16, i16) = (1, 11);
const METADATA: (i16, i16) = (3, 4);
const IN_FLIGHT: usize = 5;
const BATCH_BYTES: usize = 1_000_000;
const FETCH_BYTES: i32 = 1 << 20;

fn main() -> Outcome<()> {
    let options = Options::parse();
    if options.compression != "none" || !options.properties.is_empty() {
        return Err("raw-socket neither compresses nor knows properties".into());
    }
    let mut link = Link::connect(&options.bootstrap)?;
    let partitions = match options.partitions {
        Some(partitions) => partitions,
        None => link.partitions(&options.topic)?,
    };
    let report = match options.mode {
        Mode::Produce => produce(&mut link, &options, partitions),
        Mode::Consume => consume(&mut link, &options, partitions),
        Mode::ConsumeGroup => Err("raw-socket knows no groups".into()),
        Mode::Transactions => Err("raw-socket knows no transactions".into()),
        Mode::Latency => latency(&mut link, &options, partitions),
    }?;
    Ok(report.print()?)
}

fn produce(link: &mut Link, options: &Options, partitions: i32) -> Outcome<Report> {
    let values = values(options.size);
    let per_batch = (options.batch_bytes.unwrap_or(BATCH_BYTES) / (options.size + 8)).max(1);
    let records: Vec<_> = values.iter().cycle().take(per_batch).collect();
    let requests: Vec<_> =
        (0..partitions).map(|partition| produce_request(options, partition, &records)).collect();
    let rounds = options.records.div_ceil(per_batch as u64);
    let stopwatch = Stopwatch::start(options.records);
    let (mut waiting, mut errors) = (0, 0);
    for (round, request) in (0..rounds).zip(requests.iter().cycle()) {
        if waiting == IN_FLIGHT {
            errors += u64::from(produce_error(link.receive()?)? != 0);
            waiting -= 1;
            stopwatch.progress(round * per_batch as u64);
        }
        link.send(request)?;
        waiting += 1;
    }
    for _ in 0..waiting {
        errors += u64::from(produce_error(link.receive()?)? != 0);
    }
    let sent = (rounds - errors) * per_batch as u64;
    Ok(stopwatch.stop(sent, sent * options.size as u64, errors * per_batch as u64))
}

fn latency(link: &mut Link, options: &Options, partitions: i32) -> Outcome<Report> {
    let values = values(options.size);
    let requests: Vec<_> =
        (0..partitions).map(|partition| produce_request(options, partition, &[&values[0]])).collect();
    let mut errors = 0;
    let mut one = |request: &[u8]| -> Outcome<bool> {
        link.send(request)?;
        Ok(produce_error(link.receive()?)? != 0)
    };
    for (_, request) in (0..options.warmup()).zip(requests.iter().cycle()) {
        one(request)?;
    }
    let mut latencies = Vec::new();
    let stopwatch = Stopwatch::start(options.records);
    for (number, request) in (0..options.records).zip(requests.iter().cycle()) {
        let began = Instant::now();
        errors += u64::from(one(request)?);
        latencies.push(began.elapsed());
        stopwatch.progress(number);
    }
    let sent = options.records - errors;
    Ok(stopwatch.stop(sent, sent * options.size as u64, errors).with_latencies(latencies))
}

fn consume(link: &mut Link, options: &Options, partitions: i32) -> Outcome<Report> {
    let stopwatch = Stopwatch::start(options.records);
    for partition in 0..partitions {
        link.send(&fetch_request(&options.topic, partition, 0))?;
    }
    let (mut records, mut bytes) = (0, 0);
    // In the order of the requests, which is that of the answers.
    let mut waiting: VecDeque<(i32, i64)> = (0..partitions).map(|partition| (partition, 0)).collect();
    while let Some((partition, mut offset)) = waiting.pop_front() {
        // The header of the answer: times, ids, the topic's name and the partition, up to the batches.
        let answer = link.receive()?;
        let mut at = 4 + 2 + 4 + 4 + 2 + options.topic.len() + 4 + 4;
        let error = i16::from_be_bytes(bytes_at(answer, at)?);
        if error != 0 {
            return Err(format!("Fetch of partition {partition}: error {error}").into());
        }
        let end = i64::from_be_bytes(bytes_at(answer, at + 2)?);
        at += 2 + 3 * 8 + 4 + 4 + 4;
        // 12 bytes before the length of a batch ends, 61 before its records begin; the last one may be cut off.
        while let Ok(length) = bytes_at(answer, at + 8).map(i32::from_be_bytes) {
            let size = 12 + usize::try_from(length)?;
            if at + size > answer.len() {
                break;
            }
            let base = i64::from_be_bytes(bytes_at(answer, at)?);
            let count = u64::try_from(i32::from_be_bytes(bytes_at(answer, at + 57)?))?;
            offset = base + i64::from(i32::from_be_bytes(bytes_at(answer, at + 23)?)) + 1;
            records += count;
            bytes += count * options.size as u64;
            at += size;
        }
        if records >= options.records {
            break;
        }
        stopwatch.progress(records);
        // At its end a partition would hold up the answers behind it.
        if offset < end {
            link.send(&fetch_request(&options.topic, partition, offset))?;
            waiting.push_back((partition, offset));
        }
    }
    if records < options.records {
        return Err(format!("the topic holds {records} records only").into());
    }
    Ok(stopwatch.stop(records, bytes, 0))
}

/// A connection to a broker.
struct Link {
    stream: BufReader<TcpStream>,
    answer: Vec<u8>,
}

impl Link {
    fn connect(address: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::with_capacity(1 << 16, stream), answer: Vec::new() })
    }

    fn send(&mut self, request: &[u8]) -> Outcome<()> {
        Ok(self.stream.get_mut().write_all(request)?)
    }

    /// The next answer without its header.
    fn receive(&mut self) -> Outcome<&[u8]> {
        let mut size = [0; 4];
        self.stream.read_exact(&mut size)?;
        self.answer.resize(usize::try_from(i32::from_be_bytes(size))?, 0);
        self.stream.read_exact(&mut self.answer)?;
        Ok(self.answer.get(4..).ok_or("an answer without a header")?)
    }

    fn partitions(&mut self, topic: &str) -> Outcome<i32> {
        let body = [&1_i32.to_be_bytes()[..], &string(topic), &[0]].concat();
        self.send(&request(METADATA, &body))?;
        let answer = self.receive()?;
        // From the end: each partition of a topic with one replica takes 26 bytes, after their count.
        let name = answer.windows(topic.len()).rposition(|bytes| bytes == topic.as_bytes());
        let count = name.ok_or("no such topic")? + topic.len() + 1;
        Ok(i32::from_be_bytes(bytes_at(answer, count)?))
    }
}

fn produce_request(options: &Options, partition: i32, values: &[&Vec<u8>]) -> Vec<u8> {
    let batch = batch(values);
    let acks: i16 = if options.acks == "all" { -1 } else { 1 };
    let body = [
        &(-1_i16).to_be_bytes()[..], // no transaction
        &acks.to_be_bytes(),
        &30_000_i32.to_be_bytes(),
        &1_i32.to_be_bytes(),
        &string(&options.topic),
        &1_i32.to_be_bytes(),
        &partition.to_be_bytes(),
        &i32::try_from(batch.len()).expect("a small batch").to_be_bytes(),
        &batch,
    ];
    request(PRODUCE, &body.concat())
}

/// The error code of a Produce answer with one partition.
fn produce_error(answer: &[u8]) -> Outcome<i16> {
    let name = u16::from_be_bytes(bytes_at(answer, 4)?);
    let error = i16::from_be_bytes(bytes_at(answer, 4 + 2 + usize::from(name) + 4 + 4)?);
    if error != 0 {
        eprintln!("Produce: error {error}");
    }
    Ok(error)
}

fn fetch_request(topic: &str, partition: i32, offset: i64) -> Vec<u8> {
    let body = [
        &(-1_i32).to_be_bytes()[..],
        &500_i32.to_be_bytes(),     // longest wait
        &1_i32.to_be_bytes(),       // fewest bytes
        &FETCH_BYTES.to_be_bytes(), // most bytes
        &[0],                       // isolation level
        &0_i32.to_be_bytes(),       // no session
        &(-1_i32).to_be_bytes(),
        &1_i32.to_be_bytes(),
        &string(topic),
        &1_i32.to_be_bytes(),
        &partition.to_be_bytes(),
        &(-1_i32).to_be_bytes(), // leader epoch unknown
        &offset.to_be_bytes(),
        &(-1_i64).to_be_bytes(),
        &FETCH_BYTES.to_be_bytes(),
        &0_i32.to_be_bytes(), // nothing forgotten
        &string(""),
    ];
    request(FETCH, &body.concat())
}

fn request((api, version): (i16, i16), body: &[u8]) -> Vec<u8> {
    let header =
        [&api.to_be_bytes()[..], &version.to_be_bytes(), &0_i32.to_be_bytes(), &string("raw-socket")];
    let whole = [&header.concat(), body].concat();
    [&i32::try_from(whole.len()).expect("a small request").to_be_bytes()[..], &whole].concat()
}

/// A record batch of version 2, not compressed, without a producer id.
fn batch(values: &[&Vec<u8>]) -> Vec<u8> {
    let mut records = Vec::new();
    for (delta, value) in (0_i64..).zip(values) {
        let mut record = vec![0, 0]; // attributes, timestamp delta
        varint(&mut record, delta);
        varint(&mut record, -1); // no key
        varint(&mut record, i64::try_from(value.len()).expect("a short value"));
        record.extend_from_slice(value);
        record.push(0); // no headers
        varint(&mut records, i64::try_from(record.len()).expect("a short record"));
        records.extend(record);
    }
    let count = i32::try_from(values.len()).expect("a small batch");
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis());
    let now = i64::try_from(now).unwrap_or(0).to_be_bytes();
    let checked = [
        &0_i16.to_be_bytes()[..], // attributes
        &(count - 1).to_be_bytes(),
        &now,
        &now,
        &(-1_i64).to_be_bytes(), // producer id, epoch, first sequence number
        &(-1_i16).to_be_bytes(),
        &(-1_i32).to_be_bytes(),
        &count.to_be_bytes(),
        &records,
    ]
    .concat();
    let length = i32::try_from(4 + 1 + 4 + checked.len()).expect("a small batch");
    let head = [
        &0_i64.to_be_bytes()[..], // base offset
        &length.to_be_bytes(),
        &(-1_i32).to_be_bytes(), // leader epoch
        &[2],
        &crc32c::crc32c(&checked).to_be_bytes(),
    ];
    [&head.concat(), &checked[..]].concat()
}

/// A zigzag varint.
fn varint(to: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        to.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    to.push(rest as u8);
}

fn string(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a short string").to_be_bytes();
    [&length, text.as_bytes()].concat()
}

fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> Outcome<[u8; N]> {
    let slice = bytes.get(at..at + N).ok_or("an answer that is cut short")?;
    Ok(slice.try_into()?)
}

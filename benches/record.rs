//! How long a record takes to be written into a batch and to be read from one.
//!
//! Time per record, all workloads, or those whose name begins with a word:
//!
//!     cargo bench --bench record
//!     cargo bench --bench record -- append
//!
//! Instructions per record of one workload (the difference of two runs, so that the set-up does not count):
//!
//!     bench=$(ls -t target/release/deps/record-* | grep -v '\.d$' | head -1)
//!     for n in 200000 400000; do
//!         valgrind --tool=callgrind --callgrind-out-file=/dev/null $bench parse-100 $n 2>&1 | grep Collected
//!     done

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kavka::record::{BatchBuilder, Batches, Codec, Compression, DecompressLimits, ProducerState};

const BATCH: usize = 16 * 1024;
const LIMITS: DecompressLimits = DecompressLimits { max_bytes: 64 << 20 };
const STATE: ProducerState = ProducerState { id: 4711, epoch: 0, base_sequence: 12345, transactional: false };

fn value(len: usize) -> Vec<u8> {
    (0..len).map(|n| b"{\"name\": \"kavka\", \"amount\": 12}"[(n + n / 31 * 7) % 31]).collect()
}

/// Fills, seals and stamps batches of `limit` bytes, one buffer for all, until `records` are written.
fn append(records: u64, size: usize, limit: usize, compression: &Compression) {
    let value = value(size);
    let mut buffer = Vec::with_capacity(limit);
    let mut written = 0;
    let mut now = 1_700_000_000_000;
    while written < records {
        let mut builder = BatchBuilder::new(buffer, limit);
        loop {
            now += i64::from(written % 8 == 0);
            if builder.try_append(now, None, Some(black_box(&value)), &[]).is_none() {
                break;
            }
            written += 1;
        }
        let batch = builder.seal(compression, 2).expect("sealed").stamp(STATE);
        buffer = Vec::from(black_box(batch).try_into_mut().expect("the only owner"));
    }
}

fn batch(size: usize, codec: Codec) -> Bytes {
    let value = value(size);
    let mut builder = BatchBuilder::new(Vec::new(), BATCH);
    let mut now = 1_700_000_000_000;
    while builder.try_append(now, None, Some(&value), &[]).is_some() {
        now += 1;
    }
    builder.seal(&codec.into(), 2).expect("sealed").stamp(STATE)
}

/// Reads one batch over and over. With `values`, each value becomes `Bytes` of its own.
fn parse(records: u64, size: usize, codec: Codec, check_crc: bool, values: bool) {
    let bytes = batch(size, codec);
    let mut read = 0;
    while read < records {
        for batch in Batches::new(black_box(&bytes).clone()) {
            let mut found = batch.expect("a batch").records(check_crc, &LIMITS).expect("records");
            while let Some(record) = found.next() {
                let record = record.expect("a record");
                black_box((record.offset, record.timestamp, record.key.is_some()));
                if values {
                    black_box(record.value.map(|value| found.bytes(value)));
                } else {
                    black_box(record.value.map(|value| found.slice(value)));
                }
                read += 1;
            }
        }
    }
}

type Workload = (String, Box<dyn Fn(u64)>);

fn workloads() -> Vec<Workload> {
    let mut all: Vec<Workload> = Vec::new();
    for size in [100, 1024] {
        let none = Compression::NONE;
        all.push((format!("append-{size}"), Box::new(move |n| append(n, size, BATCH, &none))));
        all.push((format!("append-{size}-1MiB"), Box::new(move |n| append(n, size, 1 << 20, &none))));
        all.push((format!("parse-{size}"), Box::new(move |n| parse(n, size, Codec::None, false, false))));
        all.push((format!("parse-{size}-crc"), Box::new(move |n| parse(n, size, Codec::None, true, false))));
        all.push((
            format!("parse-{size}-crc-bytes"),
            Box::new(move |n| parse(n, size, Codec::None, true, true)),
        ));
    }
    for codec in Codec::ALL.into_iter().filter(|codec| *codec != Codec::None && codec.is_available()) {
        let compression = codec.into();
        for size in [100, 1024] {
            all.push((
                format!("append-{size}-{codec}"),
                Box::new(move |n| append(n, size, BATCH, &compression)),
            ));
            all.push((
                format!("parse-{size}-{codec}"),
                Box::new(move |n| parse(n, size, codec, true, false)),
            ));
        }
    }
    all
}

fn main() {
    // Cargo passes --bench.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let count = words.get(1).map(|count| count.parse().expect("a number of records"));
    for (name, run) in workloads() {
        match (words.first(), count) {
            (Some(word), Some(count)) if *word == name => run(count),
            (_, Some(_)) => (),
            (Some(word), None) if !name.starts_with(word.as_str()) => (),
            _ => {
                let mut best = Duration::MAX;
                let records = 1_000_000;
                for _ in 0..5 {
                    let start = Instant::now();
                    run(records);
                    best = best.min(start.elapsed());
                }
                println!("{name:24} {:8.1} ns per record", best.as_nanos() as f64 / records as f64);
            }
        }
    }
}

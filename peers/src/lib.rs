//! What the yardstick programs share with each other, and in meaning with `kavka perf`: the command line, the
//! values that are sent, and the way the result is measured and printed.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use rustix::time::{ClockId, clock_gettime};

/// Untimed records before a latency measurement, unless `--warmup` says otherwise.
const LATENCY_WARMUP: u64 = 200;

/// The command line.
#[derive(Debug, Parser)]
pub struct Options {
    /// What is measured.
    pub mode: Mode,
    /// HOST:PORT of a broker.
    #[arg(long)]
    pub bootstrap: String,
    /// The topic, which must exist.
    #[arg(long)]
    pub topic: String,
    /// How many records are sent or read.
    #[arg(long)]
    pub records: u64,
    /// The size of a value in bytes.
    #[arg(long)]
    pub size: usize,
    /// Use only the first so many partitions of the topic. Defaults to all of them.
    #[arg(long)]
    pub partitions: Option<i32>,
    /// Which replicas must have a record before it counts: all or 1.
    #[arg(long, default_value = "all", value_parser = ["all", "1"])]
    pub acks: String,
    /// none, gzip, snappy, lz4 or zstd.
    #[arg(long, default_value = "none", value_parser = ["none", "gzip", "snappy", "lz4", "zstd"])]
    pub compression: String,
    /// How long a batch waits for more records.
    #[arg(long)]
    pub linger_ms: Option<u64>,
    /// The largest batch.
    #[arg(long)]
    pub batch_bytes: Option<usize>,
    /// How many records a transaction has.
    #[arg(long, default_value_t = 1000)]
    pub per_transaction: u64,
    /// Records sent before the clock starts. Defaults to 200 for latency, and to none.
    #[arg(long)]
    pub warmup: Option<u64>,
    /// A property of the client, as key=value. Comes after all others, and may be given many times.
    #[arg(long = "property", value_parser = property)]
    pub properties: Vec<(String, String)>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// From the first send to the last acknowledgement.
    Produce,
    /// From connecting, with all partitions assigned, to the last record.
    Consume,
    /// From connecting, as a member of a group, to the last record.
    ConsumeGroup,
    /// One record at a time: from the send to its acknowledgement.
    Latency,
    /// In transactions, one after the other: from the first begin to the last commit.
    Transactions,
}

impl Options {
    /// Records sent before the clock starts.
    pub fn warmup(&self) -> u64 {
        self.warmup.unwrap_or(if self.mode == Mode::Latency { LATENCY_WARMUP } else { 0 })
    }
}

fn property(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("{text} is not key=value"))?;
    Ok((key.to_owned(), value.to_owned()))
}

/// 1,024 values of text that compresses about as well as log lines do; the same in every run.
pub fn values(size: usize) -> Vec<Vec<u8>> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) % below
    };
    let words: Vec<Vec<u8>> = (0..512)
        .map(|_| (0..3 + next(8)).map(|_| b"etaoinshrdlucmfw"[next(16) as usize]).collect())
        .collect();
    (0..1024)
        .map(|_| {
            let mut value = Vec::with_capacity(size + 16);
            while value.len() < size {
                value.extend_from_slice(&words[next(512) as usize]);
                value.push(b' ');
            }
            value.truncate(size);
            value
        })
        .collect()
}

/// A running measurement.
pub struct Stopwatch {
    wall: Instant,
    cpu: Duration,
    done: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    progress: thread::JoinHandle<()>,
}

impl Stopwatch {
    /// Starts the clocks, and a thread that tells the progress on standard error.
    pub fn start(total: u64) -> Self {
        let (done, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, end) = (done.clone(), over.clone());
        let (before, after) = if io::stderr().is_terminal() { ("\r", " ") } else { ("", "\n") };
        let progress = thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                thread::park_timeout(Duration::from_secs(1));
                eprint!("{before}{} of {total} records{after}", count.load(Ordering::Relaxed));
            }
            eprint!("{}", if before.is_empty() { "" } else { "\n" });
        });
        Self { wall: Instant::now(), cpu: cpu_time(), done, over, progress }
    }

    /// Tells how far the measurement has come.
    pub fn progress(&self, done: u64) {
        self.done.store(done, Ordering::Relaxed);
    }

    /// Stops the clocks.
    pub fn stop(self, records: u64, bytes: u64, errors: u64) -> Report {
        let (seconds, cpu) = (self.wall.elapsed(), cpu_time() - self.cpu);
        self.progress(records);
        self.over.store(true, Ordering::Relaxed);
        self.progress.thread().unpark();
        self.progress.join().expect("the progress thread");
        Report { records, bytes, errors, seconds, cpu, latencies: Vec::new() }
    }
}

/// What was measured.
pub struct Report {
    records: u64,
    bytes: u64,
    errors: u64,
    seconds: Duration,
    cpu: Duration,
    latencies: Vec<Duration>,
}

impl Report {
    /// Adds the time that each record took.
    pub fn with_latencies(mut self, mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        self.latencies = latencies;
        self
    }

    /// Prints one line of JSON on standard output.
    pub fn print(&self) -> io::Result<()> {
        let Self { records, bytes, errors, seconds, cpu, latencies } = self;
        let mut line = format!(
            r#"{{"records":{records},"bytes":{bytes},"errors":{errors},"seconds":{:.6},"cpu_seconds":{:.6},"peak_rss_bytes":{}"#,
            seconds.as_secs_f64(),
            cpu.as_secs_f64(),
            peak_rss_bytes()?
        );
        if let Some(last) = latencies.len().checked_sub(1) {
            for (name, part) in [("p50", 0.5), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)] {
                let at = (latencies.len() as f64 * part).ceil() as usize;
                let micros = latencies[at.saturating_sub(1).min(last)].as_secs_f64() * 1e6;
                line.push_str(&format!(r#","{name}_us":{micros:.1}"#));
            }
        }
        writeln!(io::stdout(), "{line}}}")
    }
}

/// User and system time of this process so far.
fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

fn peak_rss_bytes() -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|text| text.parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| io::Error::other("no VmHWM in /proc/self/status"))
}

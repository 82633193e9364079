//! Clocks, memory, progress, and the line that comes out.

use std::fs;
use std::io::{Write, stderr, stdout};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use kavka::net::clock::Clock;
use serde::Serialize;

use crate::common::{Failure, Outcome};

/// The answer of a run, in the order in which it is printed.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) errors: u64,
    pub(super) seconds: f64,
    /// User and system time of the timed part; null where the system does not tell.
    pub(super) cpu_seconds: Option<f64>,
    /// The most memory that the process ever had; null where the system does not tell.
    pub(super) peak_rss_bytes: Option<u64>,
    #[serde(flatten)]
    pub(super) latency: Option<Latency>,
}

/// Times from send to acknowledgement.
#[derive(Serialize)]
pub(super) struct Latency {
    p50_us: f64,
    p99_us: f64,
    p999_us: f64,
    max_us: f64,
}

/// What has passed since the start of the timed part.
pub(super) struct Stopwatch {
    clock: Clock,
    started: Instant,
    cpu: Option<f64>,
}

/// A line on stderr, drawn a few times a second, and only for a person to see.
pub(super) struct Progress(ProgressBar);

impl Report {
    /// A report of what the stopwatch shows now.
    pub(super) fn new(watch: &Stopwatch, records: u64, bytes: u64, errors: u64) -> Self {
        Self {
            records,
            bytes,
            errors,
            seconds: watch.elapsed().as_secs_f64(),
            cpu_seconds: watch.cpu_elapsed(),
            peak_rss_bytes: None,
            latency: None,
        }
    }

    /// Prints the line, and a sentence for people; the exit code tells whether all went well.
    pub(super) fn print(mut self) -> Outcome {
        self.peak_rss_bytes = peak_rss_bytes();
        let line = serde_json::to_string(&self).map_err(|error| Failure::because(error.to_string()))?;
        let seconds = self.seconds.max(f64::MIN_POSITIVE);
        // Nobody may be there to read it; the result is what counts.
        let _ = writeln!(
            stderr(),
            "{} records in {:.3} s: {:.0} records/s, {:.1} MB/s",
            self.records,
            self.seconds,
            self.records as f64 / seconds,
            self.bytes as f64 / seconds / 1e6
        );
        writeln!(stdout(), "{line}")?;
        Ok(if self.errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Latency {
    /// Percentiles by the nearest rank, of times in nanoseconds.
    pub(super) fn of(mut nanos: Vec<u64>) -> Option<Self> {
        nanos.sort_unstable();
        let max = *nanos.last()?;
        let at = |share: f64| {
            let rank = (share * nanos.len() as f64).ceil() as usize;
            nanos.get(rank.saturating_sub(1)).copied().unwrap_or(max)
        };
        let micros = |nanos: u64| nanos as f64 / 1000.0;
        Some(Self {
            p50_us: micros(at(0.5)),
            p99_us: micros(at(0.99)),
            p999_us: micros(at(0.999)),
            max_us: micros(max),
        })
    }
}

impl Stopwatch {
    pub(super) fn start() -> Self {
        let clock = Clock::system();
        Self { clock, started: clock.now(), cpu: cpu_seconds() }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.clock.now().saturating_duration_since(self.started)
    }

    fn cpu_elapsed(&self) -> Option<f64> {
        Some(cpu_seconds()? - self.cpu?)
    }
}

impl Progress {
    /// How many records pass between two looks at the clock.
    pub(super) const EVERY: u64 = 8192;

    pub(super) fn new(total: u64) -> Self {
        let bar =
            ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(DRAWS_A_SECOND));
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} records, {per_sec}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// Looks at the number of records done; cheap enough to be called for each.
    #[inline]
    pub(super) fn at(&self, done: u64) {
        if done % Self::EVERY == 0 {
            self.show(done);
        }
    }

    pub(super) fn show(&self, done: u64) {
        self.0.set_position(done);
    }

    pub(super) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// The processor time that this process has used, in user code and in the system.
#[cfg(unix)]
fn cpu_seconds() -> Option<f64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
}

#[cfg(not(unix))]
fn cpu_seconds() -> Option<f64> {
    None
}

/// `VmHWM`, where there is a /proc.
fn peak_rss_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

const DRAWS_A_SECOND: u8 = 5;

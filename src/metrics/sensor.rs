//! What can be recorded, and what becomes of it over time.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How long back rates, averages and maxima reach: a number of samples of the same length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// How long a sample lasts.
    pub sample: Duration,
    /// How many samples count.
    pub samples: usize,
}

/// Kafka's default: two samples of 30 s.
pub const WINDOW: Window = Window { sample: Duration::from_secs(30), samples: 2 };

/// What a metric says of the values that were recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stat {
    /// The present value of a [`Gauge`] or a [`Computed`].
    Value,
    /// How many values there were since the beginning.
    Count,
    /// Their sum since the beginning.
    Total,
    /// Their sum over the window, per second.
    Rate,
    /// How many there were over the window, per second.
    OccurrenceRate,
    /// Their average over the window.
    Avg,
    /// The largest of the window.
    Max,
    /// The smallest of the window.
    Min,
    /// The sum over the window, in nanoseconds, as a part of the time that has passed: 1 is all of it.
    Ratio,
}

impl Stat {
    /// Whether it only ever grows.
    pub(super) fn is_counter(self) -> bool {
        matches!(self, Self::Count | Self::Total)
    }
}

/// What the registry reads.
pub trait Source: Send + Sync {
    /// The value of a statistic now.
    fn read(&self, stat: Stat, now: Instant) -> f64;
}

/// What can be a field of a [`sensors!`](crate::sensors) table.
pub trait Instrument: Clone {
    /// A fresh one.
    fn new(window: Window) -> Self;

    /// One that records nothing.
    fn off() -> Self;

    /// What the registry reads, for as long as the instrument lives.
    fn source(&self) -> Option<Weak<dyn Source>>;
}

/// Takes values as they happen. Cheap to clone; clones share the values.
#[derive(Clone, Default)]
pub struct Sensor(Option<Arc<Recorder>>);

struct Recorder {
    window: Window,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    samples: Vec<Sample>,
    current: usize,
    count: u64,
    sum: f64,
}

#[derive(Clone, Copy)]
struct Sample {
    start: Instant,
    last: Instant,
    count: u64,
    sum: f64,
    max: f64,
    min: f64,
}

impl Sensor {
    /// Records a value. Not a number is ignored, for it would spoil the total for good.
    #[inline]
    pub fn record(&self, value: f64, now: Instant) {
        if let Some(recorder) = &self.0 {
            recorder.record(value, now);
        }
    }

    /// Records a time, in milliseconds.
    #[inline]
    pub fn record_millis(&self, time: Duration, now: Instant) {
        self.record(time.as_secs_f64() * 1e3, now);
    }

    /// Whether records are kept, for callers that have to work for the value.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }
}

impl Recorder {
    fn record(&self, value: f64, now: Instant) {
        if value.is_nan() {
            return;
        }
        let mut state = self.state.lock();
        state.count += 1;
        state.sum += value;
        let sample = state.sample(now, self.window);
        sample.last = now;
        sample.count += 1;
        sample.sum += value;
        sample.max = sample.max.max(value);
        sample.min = sample.min.min(value);
    }
}

impl State {
    /// The sample that a value of this moment belongs to.
    fn sample(&mut self, now: Instant, window: Window) -> &mut Sample {
        let is_over = match self.samples.get(self.current) {
            Some(sample) => now.saturating_duration_since(sample.start) >= window.sample,
            None => true,
        };
        if is_over {
            // One more than count: the oldest still reaches into the window.
            let most = window.samples + 1;
            self.current = if self.samples.is_empty() { 0 } else { (self.current + 1) % most };
            match self.samples.get_mut(self.current) {
                Some(sample) => *sample = Sample::new(now),
                None => self.samples.push(Sample::new(now)),
            }
        }
        let current = self.current.min(self.samples.len() - 1);
        &mut self.samples[current]
    }

    /// Forgets the samples whose last value is too old.
    fn purge(&mut self, now: Instant, window: Window) {
        let age = window.sample.saturating_mul(u32::try_from(window.samples).unwrap_or(u32::MAX));
        for sample in &mut self.samples {
            if now.saturating_duration_since(sample.last) >= age {
                *sample = Sample::new(now);
            }
        }
    }

    /// Over how long a rate is taken: since the oldest sample began, but as if all samples but one were full, so
    /// that the first value of all does not make a rate of thousands.
    fn elapsed(&self, now: Instant, window: Window) -> Duration {
        let oldest = self.samples.iter().map(|sample| sample.start).min().unwrap_or(now);
        let elapsed = now.saturating_duration_since(oldest);
        let full = elapsed.as_nanos() / window.sample.as_nanos().max(1);
        let missing = (window.samples as u128).saturating_sub(1).saturating_sub(full);
        let missing = window.sample.saturating_mul(u32::try_from(missing).unwrap_or(u32::MAX));
        elapsed.saturating_add(missing).max(window.sample)
    }
}

impl Sample {
    fn new(start: Instant) -> Self {
        Self { start, last: start, count: 0, sum: 0.0, max: f64::NEG_INFINITY, min: f64::INFINITY }
    }
}

impl Source for Recorder {
    fn read(&self, stat: Stat, now: Instant) -> f64 {
        let mut state = self.state.lock();
        match stat {
            Stat::Count => return state.count as f64,
            Stat::Total => return state.sum,
            _ => state.purge(now, self.window),
        }
        let count: u64 = state.samples.iter().map(|sample| sample.count).sum();
        let sum = || state.samples.iter().map(|sample| sample.sum).sum::<f64>();
        let seconds = || state.elapsed(now, self.window).as_secs_f64();
        match stat {
            Stat::Rate => sum() / seconds(),
            Stat::OccurrenceRate => count as f64 / seconds(),
            Stat::Ratio => sum() / 1e9 / seconds(),
            Stat::Avg if count > 0 => sum() / count as f64,
            Stat::Max if count > 0 => {
                state.samples.iter().map(|sample| sample.max).fold(f64::NEG_INFINITY, f64::max)
            }
            Stat::Min if count > 0 => {
                state.samples.iter().map(|sample| sample.min).fold(f64::INFINITY, f64::min)
            }
            _ => f64::NAN,
        }
    }
}

impl Instrument for Sensor {
    fn new(window: Window) -> Self {
        Self(Some(Arc::new(Recorder { window, state: Mutex::default() })))
    }

    fn off() -> Self {
        Self(None)
    }

    fn source(&self) -> Option<Weak<dyn Source>> {
        let source: Weak<dyn Source> = Arc::downgrade(self.0.as_ref()?) as _;
        Some(source)
    }
}

impl fmt::Debug for Sensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.as_ref().map(|recorder| recorder.state.lock().count);
        f.debug_struct("Sensor").field("count", &count).finish()
    }
}

/// A whole number that is set, such as the connections there are. Cheap to clone; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Option<Arc<Number>>);

#[derive(Debug, Default)]
struct Number(AtomicI64);

impl Gauge {
    /// Sets it.
    pub fn set(&self, value: i64) {
        if let Some(number) = &self.0 {
            number.0.store(value, Ordering::Relaxed);
        }
    }

    /// Adds to it, or takes away.
    pub fn add(&self, change: i64) {
        if let Some(number) = &self.0 {
            number.0.fetch_add(change, Ordering::Relaxed);
        }
    }
}

impl Source for Number {
    fn read(&self, _: Stat, _: Instant) -> f64 {
        self.0.load(Ordering::Relaxed) as f64
    }
}

impl Instrument for Gauge {
    fn new(_: Window) -> Self {
        Self(Some(Arc::default()))
    }

    fn off() -> Self {
        Self(None)
    }

    fn source(&self) -> Option<Weak<dyn Source>> {
        let source: Weak<dyn Source> = Arc::downgrade(self.0.as_ref()?) as _;
        Some(source)
    }
}

/// A number that a closure finds out when the metrics are read, on the thread that reads them. NaN until the
/// closure is given. Cheap to clone.
///
/// The closure must not hold what holds this, or neither is ever freed: give it a `Weak`.
#[derive(Clone, Default)]
pub struct Computed(Option<Arc<Asked>>);

#[derive(Default)]
struct Asked(OnceLock<Box<dyn Fn(Instant) -> f64 + Send + Sync>>);

impl Computed {
    /// Gives the closure; the first one stays. It is told the time.
    pub fn set(&self, compute: impl Fn(Instant) -> f64 + Send + Sync + 'static) {
        if let Some(asked) = &self.0 {
            // A second one has no use.
            let _ = asked.0.set(Box::new(compute));
        }
    }
}

impl Source for Asked {
    fn read(&self, _: Stat, now: Instant) -> f64 {
        self.0.get().map_or(f64::NAN, |compute| compute(now))
    }
}

impl Instrument for Computed {
    fn new(_: Window) -> Self {
        Self(Some(Arc::default()))
    }

    fn off() -> Self {
        Self(None)
    }

    fn source(&self) -> Option<Weak<dyn Source>> {
        let source: Weak<dyn Source> = Arc::downgrade(self.0.as_ref()?) as _;
        Some(source)
    }
}

impl fmt::Debug for Computed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Computed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::clock::Clock;

    const TEN: Window = Window { sample: Duration::from_secs(10), samples: 2 };

    fn sensor() -> (Sensor, Arc<dyn Source>, Instant) {
        let sensor = Sensor::new(TEN);
        let source = sensor.source().and_then(|source| source.upgrade()).expect("it is on");
        (sensor, source, Clock::system().now())
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn nothing_recorded_is_no_number_and_no_rate() {
        let (_sensor, source, start) = sensor();
        for stat in [Stat::Avg, Stat::Max, Stat::Min] {
            assert!(source.read(stat, start).is_nan());
        }
        for stat in [Stat::Rate, Stat::OccurrenceRate, Stat::Count, Stat::Total, Stat::Ratio] {
            assert_eq!(source.read(stat, start), 0.0);
        }
    }

    /// The numbers are those of Kafka's `Rate` and `SampledStat` for the same events.
    #[test]
    fn a_rate_assumes_all_windows_but_one_and_at_least_one() {
        let (sensor, source, start) = sensor();
        sensor.record(30.0, start);
        // One full window is assumed before the beginning.
        assert_eq!(source.read(Stat::Rate, start), 3.0);
        assert_eq!(source.read(Stat::Rate, start + seconds(5)), 2.0);
        assert_eq!(source.read(Stat::OccurrenceRate, start + seconds(5)), 1.0 / 15.0);
        sensor.record(30.0, start + seconds(10));
        assert_eq!(source.read(Stat::Rate, start + seconds(10)), 6.0);
        assert_eq!(source.read(Stat::Rate, start + seconds(15)), 4.0);
        // The first value is too old now: 30 in the 20 s since.
        sensor.record(0.0, start + seconds(25));
        assert_eq!(source.read(Stat::Rate, start + seconds(29)), 30.0 / 19.0);
        assert_eq!(source.read(Stat::Total, start + seconds(29)), 60.0);
        assert_eq!(source.read(Stat::Count, start + seconds(29)), 3.0);
    }

    #[test]
    fn averages_and_extremes_forget_what_is_too_old() {
        let (sensor, source, start) = sensor();
        sensor.record(100.0, start);
        sensor.record(1.0, start + seconds(12));
        sensor.record(3.0, start + seconds(13));
        let at = start + seconds(14);
        assert_eq!(source.read(Stat::Avg, at), 104.0 / 3.0);
        assert_eq!((source.read(Stat::Max, at), source.read(Stat::Min, at)), (100.0, 1.0));
        let later = start + seconds(20);
        assert_eq!(source.read(Stat::Avg, later), 2.0);
        assert_eq!((source.read(Stat::Max, later), source.read(Stat::Min, later)), (3.0, 1.0));
        let quiet = start + seconds(60);
        assert!(source.read(Stat::Max, quiet).is_nan());
        assert_eq!(source.read(Stat::Rate, quiet), 0.0);
        sensor.record(-5.0, start + seconds(61));
        assert_eq!(source.read(Stat::Max, start + seconds(61)), -5.0);
    }

    #[test]
    fn samples_go_round_without_growing() {
        let (sensor, source, start) = sensor();
        for second in 0..1_000 {
            sensor.record(1.0, start + seconds(second));
            assert!(sensor.0.as_ref().is_some_and(|recorder| recorder.state.lock().samples.len() <= 3));
        }
        let rate = source.read(Stat::Rate, start + seconds(999));
        assert!((0.95..1.1).contains(&rate), "{rate}");
    }

    #[test]
    fn what_is_no_number_spoils_nothing_and_time_may_stand_still() {
        let (sensor, source, start) = sensor();
        sensor.record(f64::NAN, start);
        sensor.record(2.0, start + seconds(1));
        // Two threads may have read the clock in another order than they come here.
        sensor.record(4.0, start);
        assert_eq!(source.read(Stat::Avg, start), 3.0);
    }

    #[test]
    fn a_part_of_the_time_is_told_in_nanoseconds() {
        let (sensor, source, start) = sensor();
        sensor.record(5e9, start);
        assert_eq!(source.read(Stat::Ratio, start), 0.5);
    }

    #[test]
    fn what_is_off_records_nothing() {
        let now = Clock::system().now();
        let (sensor, gauge, computed) = (Sensor::off(), Gauge::off(), Computed::off());
        sensor.record(1.0, now);
        gauge.add(1);
        computed.set(|_| 1.0);
        assert!(sensor.source().is_none() && gauge.source().is_none() && computed.source().is_none());
        assert!(!sensor.is_on());
    }
}

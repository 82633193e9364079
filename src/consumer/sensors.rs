//! What a consumer measures of its fetches and polls.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use parking_lot::Mutex;

use super::buffer::PartitionShared;
use crate::metrics::Registry;
use crate::net::clock::Clock;
use crate::types::TopicPartition;

crate::sensors! {
    /// Of all fetches.
    pub(super) struct FetchSensors in "consumer-fetch-manager-metrics" {
        size: Sensor {
            "fetch-size-avg" = Avg, "The average number of bytes of records in an answer to a fetch.";
            "fetch-size-max" = Max, "The greatest number of bytes of records in an answer to a fetch.";
        }
        records: Sensor {
            "records-per-request-avg" = Avg, "The average number of records in an answer to a fetch.";
        }
        latency: Sensor {
            "fetch-latency-avg" = Avg, "The average time in ms from a fetch to its answer.";
            "fetch-latency-max" = Max, "The longest time in ms from a fetch to its answer.";
            "fetch-rate" = OccurrenceRate, "Fetches per second.";
            "fetch-total" = Count, "Fetches.";
        }
        throttled: Sensor {
            "fetch-throttle-time-avg" = Avg, "The average time in ms that brokers held back fetches.";
            "fetch-throttle-time-max" = Max, "The longest time in ms that a broker held back a fetch.";
        }
        consumed_bytes: Sensor {
            "bytes-consumed-rate" = Rate, "Bytes of batches per second that the program has read.";
            "bytes-consumed-total" = Total, "Bytes of batches that the program has read.";
        }
        consumed_records: Sensor {
            "records-consumed-rate" = Rate, "Records per second that the program has read.";
            "records-consumed-total" = Total, "Records that the program has read.";
        }
        lag: Sensor {
            "records-lag-max" = Max, "The greatest number of records that any partition was behind its end.";
        }
        lead: Sensor {
            "records-lead-min" = Min, "The least number of records that any partition was past its beginning.";
        }
    }
}

crate::sensors! {
    /// Of one topic.
    pub(super) struct TopicSensors in "consumer-fetch-manager-metrics" {
        size: Sensor {
            "fetch-size-avg" = Avg, "The average number of the topic's bytes in an answer to a fetch.";
            "fetch-size-max" = Max, "The greatest number of the topic's bytes in an answer to a fetch.";
        }
        records: Sensor {
            "records-per-request-avg" = Avg, "The average number of the topic's records in an answer to a fetch.";
        }
        consumed_bytes: Sensor {
            "bytes-consumed-rate" = Rate, "Bytes of the topic per second that the program has read.";
            "bytes-consumed-total" = Total, "Bytes of the topic that the program has read.";
        }
        consumed_records: Sensor {
            "records-consumed-rate" = Rate, "Records of the topic per second that the program has read.";
            "records-consumed-total" = Total, "Records of the topic that the program has read.";
        }
    }
}

crate::sensors! {
    /// Of one partition, as long as it is assigned.
    pub(super) struct PartitionSensors in "consumer-fetch-manager-metrics" {
        lag_now: Computed {
            "records-lag" = Value, "How many records the program is behind the partition's end.";
        }
        lag: Sensor {
            "records-lag-avg" = Avg, "The average number of records behind the partition's end.";
            "records-lag-max" = Max, "The greatest number of records behind the partition's end.";
        }
        lead_now: Computed {
            "records-lead" = Value, "How many records the program is past the partition's beginning.";
        }
        lead: Sensor {
            "records-lead-avg" = Avg, "The average number of records past the partition's beginning.";
            "records-lead-min" = Min, "The least number of records past the partition's beginning.";
        }
        preferred: Computed {
            "preferred-read-replica" = Value, "The replica that is fetched from instead of the leader, or -1.";
        }
    }
}

crate::sensors! {
    /// Of the program's calls.
    pub(super) struct PollSensors in "consumer-metrics" {
        between: Sensor {
            "time-between-poll-avg" = Avg, "The average time in ms from one poll to the next.";
            "time-between-poll-max" = Max, "The longest time in ms from one poll to the next.";
        }
        idle: Sensor {
            "poll-idle-ratio-avg" = Avg, "The average part of the time that the program spends inside of poll.";
        }
        commits: Sensor {
            "commit-sync-time-ns-total" = Total, "The time in ns that the program has waited for commits.";
        }
        committed: Sensor {
            "committed-time-ns-total" = Total, "The time in ns that the program has waited for committed offsets.";
        }
        last: Computed {
            "last-poll-seconds-ago" = Value, "Seconds since the last call of poll(), or -1.";
        }
    }
}

/// All sensors of a consumer's fetches. Cheap to clone; both threads record.
#[derive(Clone)]
pub(super) struct Sensors(Arc<Inner>);

struct Inner {
    registry: Registry,
    clock: Clock,
    fetch: FetchSensors,
    topics: Mutex<HashMap<Arc<str>, TopicSensors, RandomState>>,
    partitions: Mutex<HashMap<TopicPartition, PartitionSensors, RandomState>>,
}

/// What one answer to a fetch brought, topic by topic: bytes and records.
#[derive(Default)]
pub(super) struct Fetched(HashMap<Arc<str>, (u64, u64), RandomState>);

impl Fetched {
    pub(super) fn add(&mut self, topic: &Arc<str>, bytes: usize, records: u64) {
        let sum = match self.0.get_mut(topic) {
            Some(sum) => sum,
            None => self.0.entry(Arc::clone(topic)).or_default(),
        };
        sum.0 += bytes as u64;
        sum.1 += records;
    }
}

impl Sensors {
    pub(super) fn new(registry: &Registry, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            registry: registry.clone(),
            clock,
            fetch: FetchSensors::register(registry, &[]),
            topics: Mutex::default(),
            partitions: Mutex::default(),
        }))
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    fn are_on(&self) -> bool {
        self.0.fetch.size.is_on()
    }

    /// The answer to a fetch has come.
    pub(super) fn fetched(&self, fetched: &Fetched, took: Duration, throttle_ms: i32, now: Instant) {
        if !self.are_on() {
            return;
        }
        let fetch = &self.0.fetch;
        fetch.latency.record_millis(took, now);
        fetch.throttled.record(f64::from(throttle_ms), now);
        let (mut bytes, mut records) = (0, 0);
        for (topic, (topic_bytes, topic_records)) in &fetched.0 {
            self.of_topic(topic, |topic| {
                topic.size.record(*topic_bytes as f64, now);
                topic.records.record(*topic_records as f64, now);
            });
            (bytes, records) = (bytes + topic_bytes, records + topic_records);
        }
        fetch.size.record(bytes as f64, now);
        fetch.records.record(records as f64, now);
    }

    /// The program has read a chunk of a partition, or as much of it as it wanted.
    pub(super) fn consumed(
        &self,
        tp: &TopicPartition,
        shared: &Arc<PartitionShared>,
        bytes: usize,
        records: u64,
    ) {
        if !self.are_on() {
            return;
        }
        let now = self.0.clock.now();
        let (bytes, records) = (bytes as f64, records as f64);
        let fetch = &self.0.fetch;
        fetch.consumed_bytes.record(bytes, now);
        fetch.consumed_records.record(records, now);
        self.of_topic(&tp.shared_topic(), |topic| {
            topic.consumed_bytes.record(bytes, now);
            topic.consumed_records.record(records, now);
        });
        let (lag, lead) = (shared.lag(), shared.lead());
        let mut partitions = self.0.partitions.lock();
        let partition = partitions.entry(tp.clone()).or_insert_with(|| self.new_partition(tp, shared));
        if let Some(lag) = lag {
            fetch.lag.record(lag as f64, now);
            partition.lag.record(lag as f64, now);
        }
        if let Some(lead) = lead {
            fetch.lead.record(lead as f64, now);
            partition.lead.record(lead as f64, now);
        }
    }

    fn new_partition(&self, tp: &TopicPartition, shared: &Arc<PartitionShared>) -> PartitionSensors {
        let number = tp.partition().to_string();
        let tags = [("topic", tp.topic()), ("partition", number.as_str())];
        let sensors = PartitionSensors::register(&self.0.registry, &tags);
        let of = |read: fn(&PartitionShared) -> Option<i64>| {
            let shared = Arc::clone(shared);
            move |_: Instant| read(&shared).map_or(f64::NAN, |value| value as f64)
        };
        sensors.lag_now.set(of(PartitionShared::lag));
        sensors.lead_now.set(of(PartitionShared::lead));
        sensors.preferred.set(of(|shared| Some(i64::from(shared.preferred_replica()))));
        sensors
    }

    /// Forgets partitions that are not read any more.
    pub(super) fn retain(&self, assigned: impl Fn(&TopicPartition) -> bool) {
        if self.are_on() {
            self.0.partitions.lock().retain(|tp, _| assigned(tp));
        }
    }

    fn of_topic(&self, topic: &Arc<str>, record: impl FnOnce(&TopicSensors)) {
        let mut topics = self.0.topics.lock();
        let sensors = match topics.get(topic) {
            Some(sensors) => sensors,
            None => topics
                .entry(Arc::clone(topic))
                .or_insert_with(|| TopicSensors::register(&self.0.registry, &[("topic", topic)])),
        };
        record(sensors);
    }
}

/// How often the program polls, and how long it stays inside.
pub(super) struct PollTimes {
    sensors: PollSensors,
    last: Arc<Mutex<Option<Instant>>>,
    entered: Option<Instant>,
    inside: Duration,
}

impl PollTimes {
    pub(super) fn new(registry: &Registry) -> Self {
        let (sensors, last) =
            (PollSensors::register(registry, &[]), Arc::<Mutex<Option<Instant>>>::default());
        let seen = Arc::clone(&last);
        sensors.last.set(move |now| {
            let last = *seen.lock();
            last.map_or(-1.0, |last| now.saturating_duration_since(last).as_secs_f64())
        });
        Self { sensors, last, entered: None, inside: Duration::ZERO }
    }

    pub(super) fn entered(&mut self, now: Instant) {
        if !self.sensors.between.is_on() {
            return;
        }
        if let Some(before) = self.entered.replace(now) {
            let between = now.saturating_duration_since(before);
            self.sensors.between.record_millis(between, now);
            if !between.is_zero() {
                self.sensors.idle.record(self.inside.as_secs_f64() / between.as_secs_f64(), now);
            }
        }
        *self.last.lock() = Some(now);
    }

    pub(super) fn committing(&self, begin: Instant, now: Instant) {
        self.sensors.commits.record(nanos(begin, now), now);
    }

    pub(super) fn asking_for_commits(&self, begin: Instant, now: Instant) {
        self.sensors.committed.record(nanos(begin, now), now);
    }

    pub(super) fn left(&mut self, now: Instant) {
        self.inside = self.entered.map_or(Duration::ZERO, |entered| now.saturating_duration_since(entered));
    }
}

fn nanos(begin: Instant, now: Instant) -> f64 {
    now.saturating_duration_since(begin).as_nanos() as f64
}

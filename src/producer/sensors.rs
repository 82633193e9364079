//! What a producer measures.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use parking_lot::Mutex;

use super::accumulator::Accumulator;
use super::batch::Batch;
use crate::cluster::ClusterMetadata;
use crate::metrics::Registry;

crate::sensors! {
    /// Of the whole producer.
    pub(super) struct ProducerSensors in "producer-metrics" {
        records: Sensor {
            "record-send-rate" = Rate, "Records sent per second; one that is sent again counts again.";
            "record-send-total" = Total, "Records sent; one that is sent again counts again.";
            "records-per-request-avg" = Avg, "The average number of records in a produce request.";
        }
        batch_size: Sensor {
            "batch-size-avg" = Avg, "The average size of a batch in bytes, compressed.";
            "batch-size-max" = Max, "The size of the largest batch in bytes, compressed.";
            "byte-rate" = Rate, "Bytes of batches sent per second.";
            "byte-total" = Total, "Bytes of batches sent.";
        }
        compression: Sensor {
            "compression-rate-avg" = Avg, "The average of a batch's compressed size over its plain size.";
        }
        record_size: Sensor {
            "record-size-max" = Max, "The size of the largest record in bytes, plain.";
            "record-size-avg" = Avg, "The average over batches of their largest record's size in bytes, plain.";
        }
        queue_time: Sensor {
            "record-queue-time-avg" = Avg, "The average time in ms from opening a batch to sending it.";
            "record-queue-time-max" = Max, "The longest time in ms from opening a batch to sending it.";
        }
        retries: Sensor {
            "record-retry-rate" = Rate, "Records to be sent again per second.";
            "record-retry-total" = Total, "Records to be sent again.";
        }
        errors: Sensor {
            "record-error-rate" = Rate, "Records per second whose delivery failed.";
            "record-error-total" = Total, "Records whose delivery failed.";
        }
        splits: Sensor {
            "batch-split-rate" = OccurrenceRate, "Batches per second that were too large and went on in parts.";
            "batch-split-total" = Count, "Batches that were too large and went on in parts.";
        }
        throttled: Sensor {
            "produce-throttle-time-avg" = Avg, "The average time in ms that brokers held back produce requests.";
            "produce-throttle-time-max" = Max, "The longest time in ms that a broker held back a produce request.";
        }
        in_flight: Gauge {
            "requests-in-flight" = Value, "Produce requests without an answer.";
        }
        metadata_age: Computed {
            "metadata-age" = Value, "Seconds since a broker last told of the cluster.";
        }
        waiting_threads: Computed {
            "waiting-threads" = Value, "Threads that wait in send() for memory.";
        }
        buffer_total: Computed {
            "buffer-total-bytes" = Value, "buffer.memory, in bytes.";
        }
        buffer_available: Computed {
            "buffer-available-bytes" = Value, "What of buffer.memory is free, in bytes.";
        }
        buffer_wait: Sensor {
            "bufferpool-wait-ratio" = Ratio, "The part of the time that send() waited for memory.";
            "bufferpool-wait-time-ns-total" = Total, "How long send() has waited for memory, in ns.";
        }
        buffer_exhausted: Sensor {
            "buffer-exhausted-rate" = OccurrenceRate, "Records per second refused for want of memory.";
            "buffer-exhausted-total" = Count, "Records refused for want of memory.";
        }
        metadata_wait: Sensor {
            "metadata-wait-time-ns-total" = Total, "How long calls have waited for metadata, in ns.";
        }
        flush: Sensor {
            "flush-time-ns-total" = Total, "How long flush() has taken, in ns.";
        }
        txn_init: Sensor {
            "txn-init-time-ns-total" = Total, "How long init_transactions() has taken, in ns.";
        }
        txn_begin: Sensor {
            "txn-begin-time-ns-total" = Total, "How long begin_transaction() has taken, in ns.";
        }
        txn_send_offsets: Sensor {
            "txn-send-offsets-time-ns-total" = Total, "How long send_offsets_to_transaction() has taken, in ns.";
        }
        txn_commit: Sensor {
            "txn-commit-time-ns-total" = Total, "How long commit_transaction() has taken, in ns.";
        }
        txn_abort: Sensor {
            "txn-abort-time-ns-total" = Total, "How long abort_transaction() has taken, in ns.";
        }
    }
}

crate::sensors! {
    /// Of one topic.
    pub(super) struct TopicSensors in "producer-topic-metrics" {
        records: Sensor {
            "record-send-rate" = Rate, "Records sent to the topic per second.";
            "record-send-total" = Total, "Records sent to the topic.";
        }
        bytes: Sensor {
            "byte-rate" = Rate, "Bytes of batches sent to the topic per second.";
            "byte-total" = Total, "Bytes of batches sent to the topic.";
        }
        compression: Sensor {
            "compression-rate" = Avg, "The average of a batch's compressed size over its plain size.";
        }
        retries: Sensor {
            "record-retry-rate" = Rate, "Records to be sent to the topic again per second.";
            "record-retry-total" = Total, "Records to be sent to the topic again.";
        }
        errors: Sensor {
            "record-error-rate" = Rate, "Records to the topic per second whose delivery failed.";
            "record-error-total" = Total, "Records to the topic whose delivery failed.";
        }
    }
}

/// All sensors of a producer.
pub(super) struct Sensors {
    pub(super) registry: Registry,
    pub(super) producer: ProducerSensors,
    topics: Mutex<HashMap<Arc<str>, TopicSensors, RandomState>>,
}

impl Sensors {
    pub(super) fn new(registry: &Registry) -> Self {
        let producer = ProducerSensors::register(registry, &[]);
        Self { registry: registry.clone(), producer, topics: Mutex::default() }
    }

    /// Has the metrics that are asked for rather than recorded read from where they are.
    pub(super) fn watch(&self, accumulator: &Arc<Accumulator>, view: &ClusterMetadata) {
        let producer = &self.producer;
        // The accumulator holds the sensors, so they must not hold it.
        let of_memory = |read: fn(&Accumulator) -> usize| {
            let weak: Weak<Accumulator> = Arc::downgrade(accumulator);
            move |_: Instant| weak.upgrade().map_or(f64::NAN, |accumulator| read(&accumulator) as f64)
        };
        producer.waiting_threads.set(of_memory(|accumulator| accumulator.memory().waiting()));
        producer.buffer_total.set(of_memory(|accumulator| accumulator.memory().total()));
        producer.buffer_available.set(of_memory(|accumulator| accumulator.memory().available()));
        let view = view.clone();
        producer.metadata_age.set(move |now| {
            let refreshed = view.snapshot().refreshed_at();
            refreshed.map_or(f64::NAN, |at| now.saturating_duration_since(at).as_secs_f64())
        });
    }

    /// A request leaves with these batches.
    pub(super) fn sent(&self, batches: &[Batch], now: Instant) {
        if !self.producer.records.is_on() {
            return;
        }
        let mut records = 0;
        for batch in batches {
            let size = batch.bytes.len() as f64;
            let ratio = size / batch.plain_size.max(1) as f64;
            self.producer.batch_size.record(size, now);
            self.producer.compression.record(ratio, now);
            self.producer.record_size.record(batch.largest as f64, now);
            self.producer.queue_time.record_millis(now.saturating_duration_since(batch.opened), now);
            self.of_topic(&batch.handle.topic_partition().shared_topic(), |topic| {
                topic.records.record(f64::from(batch.count), now);
                topic.bytes.record(size, now);
                topic.compression.record(ratio, now);
            });
            records += batch.count;
        }
        self.producer.records.record(f64::from(records), now);
    }

    /// Records will be sent again.
    pub(super) fn retried(&self, topic: &Arc<str>, records: u32, now: Instant) {
        self.producer.retries.record(f64::from(records), now);
        self.of_topic(topic, |topic| topic.retries.record(f64::from(records), now));
    }

    /// The delivery of records failed.
    pub(super) fn failed(&self, topic: &Arc<str>, records: u32, now: Instant) {
        self.producer.errors.record(f64::from(records), now);
        self.of_topic(topic, |topic| topic.errors.record(f64::from(records), now));
    }

    fn of_topic(&self, topic: &Arc<str>, record: impl FnOnce(&TopicSensors)) {
        if !self.producer.records.is_on() {
            return;
        }
        let mut topics = self.topics.lock();
        let sensors = match topics.get(topic) {
            Some(sensors) => sensors,
            None => topics
                .entry(Arc::clone(topic))
                .or_insert_with(|| TopicSensors::register(&self.registry, &[("topic", topic)])),
        };
        record(sensors);
    }
}

/// A time in the nanoseconds that Kafka sums up.
pub(super) fn nanos(time: Duration) -> f64 {
    time.as_nanos() as f64
}

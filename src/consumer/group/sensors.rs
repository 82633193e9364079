//! What a member of a group measures, under the Java client's names.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::metrics::Registry;

crate::sensors! {
    /// Of the consumer as a member of its group.
    pub(in crate::consumer) struct GroupSensors in "consumer-coordinator-metrics" {
        commits: Sensor {
            "commit-latency-avg" = Avg, "The average time in ms that a commit takes.";
            "commit-latency-max" = Max, "The longest time in ms that a commit took.";
            "commit-rate" = OccurrenceRate, "Commits per second.";
            "commit-total" = Count, "Commits.";
        }
        heartbeats: Sensor {
            "heartbeat-response-time-max" = Max, "The longest time in ms until a heartbeat was answered.";
            "heartbeat-rate" = OccurrenceRate, "Heartbeats per second.";
            "heartbeat-total" = Count, "Heartbeats.";
        }
        joins: Sensor {
            "join-time-avg" = Avg, "The average time in ms until a JoinGroup was answered.";
            "join-time-max" = Max, "The longest time in ms until a JoinGroup was answered.";
            "join-rate" = OccurrenceRate, "JoinGroups per second.";
            "join-total" = Count, "JoinGroups.";
        }
        syncs: Sensor {
            "sync-time-avg" = Avg, "The average time in ms until a SyncGroup was answered.";
            "sync-time-max" = Max, "The longest time in ms until a SyncGroup was answered.";
            "sync-rate" = OccurrenceRate, "SyncGroups per second.";
            "sync-total" = Count, "SyncGroups.";
        }
        rebalances: Sensor {
            "rebalance-latency-avg" = Avg, "The average time in ms of a rebalance; in the classic protocol without the listener's.";
            "rebalance-latency-max" = Max, "The longest time in ms of a rebalance; in the classic protocol without the listener's.";
            "rebalance-latency-total" = Total, "The time in ms of all rebalances; in the classic protocol without the listener's.";
            "rebalance-total" = Count, "Rebalances that the member took part in.";
        }
        // Each counts 3600, so that a rate per second is one per hour.
        rebalances_hourly: Sensor {
            "rebalance-rate-per-hour" = Rate, "Rebalances per hour that the member took part in.";
        }
        failed: Sensor {
            "failed-rebalance-total" = Count, "Rebalances that the member dropped out of.";
        }
        failed_hourly: Sensor {
            "failed-rebalance-rate-per-hour" = Rate, "Rebalances per hour that the member dropped out of.";
        }
        revoked: Sensor {
            "partition-revoked-latency-avg" = Avg, "The average time in ms of a listener told of revoked partitions.";
            "partition-revoked-latency-max" = Max, "The longest time in ms of a listener told of revoked partitions.";
        }
        assigned: Sensor {
            "partition-assigned-latency-avg" = Avg, "The average time in ms of a listener told of new partitions.";
            "partition-assigned-latency-max" = Max, "The longest time in ms of a listener told of new partitions.";
        }
        lost: Sensor {
            "partition-lost-latency-avg" = Avg, "The average time in ms of a listener told of lost partitions.";
            "partition-lost-latency-max" = Max, "The longest time in ms of a listener told of lost partitions.";
        }
        assigned_partitions: Gauge {
            "assigned-partitions" = Value, "The partitions that the consumer has.";
        }
        last_heartbeat: Computed {
            "last-heartbeat-seconds-ago" = Value, "Seconds since a heartbeat was answered; -1 before the first.";
        }
        last_rebalance: Computed {
            "last-rebalance-seconds-ago" = Value, "Seconds since the last rebalance; -1 before the first.";
        }
    }
}

/// The sensors, and the moments that two of them are about.
#[derive(Debug)]
pub(in crate::consumer) struct GroupMeter {
    pub(in crate::consumer) sensors: GroupSensors,
    heartbeat_at: Arc<Mutex<Option<Instant>>>,
    rebalance_at: Arc<Mutex<Option<Instant>>>,
}

impl Default for GroupMeter {
    fn default() -> Self {
        Self { sensors: GroupSensors::off(), heartbeat_at: Arc::default(), rebalance_at: Arc::default() }
    }
}

impl GroupMeter {
    pub(in crate::consumer) fn new(registry: &Registry) -> Self {
        let meter = Self { sensors: GroupSensors::register(registry, &[]), ..Self::default() };
        let since = |moment: &Arc<Mutex<Option<Instant>>>| {
            let moment = Arc::clone(moment);
            move |now: Instant| {
                moment.lock().map_or(-1.0, |then| now.saturating_duration_since(then).as_secs_f64().floor())
            }
        };
        meter.sensors.last_heartbeat.set(since(&meter.heartbeat_at));
        meter.sensors.last_rebalance.set(since(&meter.rebalance_at));
        meter
    }

    pub(super) fn heartbeat(&self, took: Duration, now: Instant) {
        self.sensors.heartbeats.record_millis(took, now);
        *self.heartbeat_at.lock() = Some(now);
    }

    /// When the last heartbeat was answered.
    pub(in crate::consumer) fn last_heartbeat(&self) -> Option<Instant> {
        *self.heartbeat_at.lock()
    }

    pub(in crate::consumer) fn rebalance(&self, took: Duration, now: Instant) {
        self.sensors.rebalances.record_millis(took, now);
        self.sensors.rebalances_hourly.record(3600.0, now);
        *self.rebalance_at.lock() = Some(now);
    }

    pub(in crate::consumer) fn failed_rebalance(&self, now: Instant) {
        self.sensors.failed.record(1.0, now);
        self.sensors.failed_hourly.record(3600.0, now);
    }
}

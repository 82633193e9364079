//! What is measured of connections.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::manager::NodeId;
use crate::error::Result;
use crate::metrics::Registry;

crate::sensors! {
    /// What is measured of all connections of a client.
    pub struct ConnectionSensors in "-metrics" {
        open: Gauge { "connection-count" = Value, "How many connections are open."; }
        created: Sensor {
            "connection-creation-rate" = Rate, "Connections made per second.";
            "connection-creation-total" = Total, "Connections made.";
        }
        closed: Sensor {
            "connection-close-rate" = Rate, "Connections closed per second, by whichever side.";
            "connection-close-total" = Total, "Connections closed, by whichever side.";
        }
        failed: Sensor {
            "connection-failure-rate" = Rate, "Attempts to connect that failed, per second.";
            "connection-failure-total" = Total, "Attempts to connect that failed.";
        }
        logins: Sensor {
            "successful-authentication-rate" = OccurrenceRate, "Logins by SASL per second.";
            "successful-authentication-total" = Count, "Logins by SASL.";
        }
        lasting_logins: Sensor {
            "successful-authentication-no-reauth-total" = Count,
                "Logins by SASL whose session never ends, so that it need not be renewed.";
        }
        refused_logins: Sensor {
            "failed-authentication-rate" = OccurrenceRate, "Logins by SASL per second that failed.";
            "failed-authentication-total" = Count, "Logins by SASL that failed.";
        }
        renewals: Sensor {
            "successful-reauthentication-rate" = OccurrenceRate, "Sessions renewed per second (KIP-368).";
            "successful-reauthentication-total" = Count, "Sessions renewed.";
            "reauthentication-latency-avg" = Avg, "The average time that the renewal of a session took, in ms.";
            "reauthentication-latency-max" = Max, "The longest time that the renewal of a session took, in ms.";
        }
        refused_renewals: Sensor {
            "failed-reauthentication-rate" = OccurrenceRate, "Renewals of sessions per second that failed.";
            "failed-reauthentication-total" = Count, "Renewals of sessions that failed.";
        }
        network_io: Sensor {
            "network-io-rate" = OccurrenceRate, "Requests and answers per second.";
            "network-io-total" = Count, "Requests and answers.";
        }
        requests: Sensor {
            "request-rate" = OccurrenceRate, "Requests sent per second.";
            "request-total" = Count, "Requests sent.";
            "request-size-avg" = Avg, "The average size of a request in bytes.";
            "request-size-max" = Max, "The size of the largest request in bytes.";
            "outgoing-byte-rate" = Rate, "Bytes sent per second.";
            "outgoing-byte-total" = Total, "Bytes sent.";
        }
        responses: Sensor {
            "response-rate" = OccurrenceRate, "Answers received per second.";
            "response-total" = Count, "Answers received.";
            "incoming-byte-rate" = Rate, "Bytes received per second.";
            "incoming-byte-total" = Total, "Bytes received.";
        }
        latency: Sensor {
            "request-latency-avg" = Avg, "The average time from a request to its answer in ms.";
            "request-latency-max" = Max, "The longest time from a request to its answer in ms.";
        }
        throttled: Sensor {
            "throttle-time-avg" = Avg, "The average time that a broker asked to wait, in ms, of answers that did.";
            "throttle-time-max" = Max, "The longest time that a broker asked to wait, in ms.";
        }
    }
}

crate::sensors! {
    /// What is measured of the connections to one node.
    pub struct NodeSensors in "-node-metrics" {
        requests: Sensor {
            "request-rate" = OccurrenceRate, "Requests sent to the node per second.";
            "request-total" = Count, "Requests sent to the node.";
            "request-size-avg" = Avg, "The average size of a request to the node in bytes.";
            "request-size-max" = Max, "The size of the largest request to the node in bytes.";
            "outgoing-byte-rate" = Rate, "Bytes sent to the node per second.";
            "outgoing-byte-total" = Total, "Bytes sent to the node.";
        }
        responses: Sensor {
            "response-rate" = OccurrenceRate, "Answers of the node per second.";
            "response-total" = Count, "Answers of the node.";
            "incoming-byte-rate" = Rate, "Bytes received from the node per second.";
            "incoming-byte-total" = Total, "Bytes received from the node.";
        }
        latency: Sensor {
            "request-latency-avg" = Avg, "The average time from a request to the node's answer in ms.";
            "request-latency-max" = Max, "The longest time from a request to the node's answer in ms.";
        }
        throttled: Sensor {
            "throttle-time-avg" = Avg, "The average time that the node asked to wait, in ms, of answers that did.";
            "throttle-time-max" = Max, "The longest time that the node asked to wait, in ms.";
        }
    }
}

/// What the connections to one node report to; without a registry, nothing. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Meter(Option<Rc<Sensors>>);

#[derive(Debug)]
struct Sensors {
    client: ConnectionSensors,
    node: NodeSensors,
}

/// The meters of a pool's nodes.
#[derive(Default)]
pub(super) struct Meters(RefCell<Option<State>>);

struct State {
    registry: Registry,
    client: ConnectionSensors,
    nodes: HashMap<NodeId, Meter>,
}

impl Meters {
    /// The registry that is reported to; one that is off without.
    pub(super) fn registry(&self) -> Registry {
        self.0.borrow().as_ref().map_or_else(Registry::off, |state| state.registry.clone())
    }

    /// From now on connections that are made report to this registry.
    pub(super) fn report_to(&self, registry: &Registry) {
        let client = ConnectionSensors::register(registry, &[]);
        *self.0.borrow_mut() = Some(State { registry: registry.clone(), client, nodes: HashMap::new() });
    }

    /// The meter of a node.
    pub(super) fn of(&self, id: NodeId) -> Meter {
        let mut state = self.0.borrow_mut();
        let Some(State { registry, client, nodes }) = &mut *state else { return Meter(None) };
        let meter = nodes.entry(id).or_insert_with(|| {
            let node = NodeSensors::register(registry, &[("node-id", &format!("node-{id}"))]);
            Meter(Some(Rc::new(Sensors { client: client.clone(), node })))
        });
        meter.clone()
    }

    /// The node is gone: so are its metrics, once its connections are.
    pub(super) fn forget(&self, id: NodeId) {
        if let Some(state) = &mut *self.0.borrow_mut() {
            state.nodes.remove(&id);
        }
    }

    /// An attempt to connect failed.
    pub(super) fn failed(&self, now: Instant) {
        if let Some(state) = &*self.0.borrow() {
            state.client.failed.record(1.0, now);
        }
    }
}

impl Meter {
    pub(super) fn opened(&self, now: Instant) {
        if let Some(sensors) = &self.0 {
            sensors.client.created.record(1.0, now);
            sensors.client.open.add(1);
        }
    }

    pub(super) fn closed(&self, now: Instant) {
        if let Some(sensors) = &self.0 {
            sensors.client.closed.record(1.0, now);
            sensors.client.open.add(-1);
        }
    }

    /// A login; `lifetime` is that of its session, if it ends.
    pub(super) fn logged_in(&self, outcome: &Result<Option<Duration>>, now: Instant) {
        let Some(sensors) = &self.0 else { return };
        match outcome {
            Ok(lifetime) => {
                sensors.client.logins.record(1.0, now);
                if lifetime.is_none() {
                    sensors.client.lasting_logins.record(1.0, now);
                }
            }
            Err(_) => sensors.client.refused_logins.record(1.0, now),
        }
    }

    /// The renewal of a session, and how long it took.
    pub(super) fn renewed(&self, is_good: bool, took: Duration, now: Instant) {
        let Some(sensors) = &self.0 else { return };
        if is_good {
            sensors.client.renewals.record_millis(took, now);
        } else {
            sensors.client.refused_renewals.record(1.0, now);
        }
    }

    pub(super) fn sent(&self, bytes: usize, now: Instant) {
        if let Some(sensors) = &self.0 {
            sensors.client.network_io.record(1.0, now);
            sensors.client.requests.record(bytes as f64, now);
            sensors.node.requests.record(bytes as f64, now);
        }
    }

    pub(super) fn received(&self, bytes: usize, latency: Duration, now: Instant) {
        if let Some(sensors) = &self.0 {
            sensors.client.network_io.record(1.0, now);
            sensors.client.responses.record(bytes as f64, now);
            sensors.node.responses.record(bytes as f64, now);
            sensors.client.latency.record_millis(latency, now);
            sensors.node.latency.record_millis(latency, now);
        }
    }

    pub(super) fn throttled(&self, time: Duration, now: Instant) {
        if let Some(sensors) = &self.0 {
            sensors.client.throttled.record_millis(time, now);
            sensors.node.throttled.record_millis(time, now);
        }
    }
}

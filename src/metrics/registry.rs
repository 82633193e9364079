//! The list of a client's metrics.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};

use foldhash::fast::RandomState;

use parking_lot::Mutex;

use super::sensor::{Instrument, Source, Window};
use super::snapshot::{Labels, Metric, MetricsSnapshot};
use super::table::{MetricInfo, Table};
use crate::config::{Client, CommonConfig};
use crate::net::clock::Clock;

/// All metrics of one client. Cheap to clone; clones share the list.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    kind: &'static str,
    client_id: String,
    window: Window,
    is_on: bool,
    clock: Clock,
    entries: Mutex<Entries>,
}

/// All instruments, by their labels: clients with thousands of partitions register as many tables.
#[derive(Default)]
struct Entries {
    by_labels: HashMap<Arc<Labels>, Vec<Entry>, RandomState>,
    /// How many entries have ever been added.
    added: u64,
    /// How many there are, those included whose instrument is gone.
    count: usize,
    /// How many of them lived at the last sweep.
    lived: usize,
}

impl Entries {
    /// Makes room for a table: whoever registers the same again takes the place of the one before.
    fn make_room(&mut self, labels: &Arc<Labels>, table: &Table) {
        if let Some(known) = self.by_labels.get_mut(labels) {
            let is_same =
                |entry: &Entry| table.sensors.iter().any(|rows| rows.as_ptr() == entry.rows.as_ptr());
            let before = known.len();
            known.retain(|entry| entry.source.strong_count() > 0 && !is_same(entry));
            self.count -= before - known.len();
        }
        // Each entry pays for its own sweep, however many there are.
        if self.count > SWEEP.max(self.lived * 2) {
            self.by_labels.retain(|_, entries| {
                entries.retain(|entry| entry.source.strong_count() > 0);
                !entries.is_empty()
            });
            self.count = self.by_labels.values().map(Vec::len).sum();
            self.lived = self.count;
        }
    }

    fn push(&mut self, labels: Arc<Labels>, rows: &'static [MetricInfo], source: Weak<dyn Source>) {
        let number = self.added;
        self.added += 1;
        self.count += 1;
        let entry = Entry { number, labels: Arc::clone(&labels), rows, source };
        self.by_labels.entry(labels).or_default().push(entry);
    }

    /// All of them, oldest first.
    fn in_order(&self) -> Vec<Entry> {
        let mut all: Vec<Entry> = self.by_labels.values().flatten().cloned().collect();
        all.sort_unstable_by_key(|entry| entry.number);
        all
    }
}

/// Fewer entries are not worth a sweep.
const SWEEP: usize = 64;

/// An instrument and the metrics that are read from it.
#[derive(Clone)]
struct Entry {
    number: u64,
    labels: Arc<Labels>,
    rows: &'static [MetricInfo],
    source: Weak<dyn Source>,
}

/// A table that is being registered; [`sensors!`](crate::sensors) uses it.
pub struct Scope<'a> {
    registry: &'a Registry,
    labels: Arc<Labels>,
    rest: &'static [&'static [MetricInfo]],
}

impl Registry {
    /// A list without metrics, for a client of a kind (`producer`) and a name.
    pub fn new(kind: &'static str, client_id: impl Into<String>, window: Window) -> Self {
        Self::build(kind, client_id.into(), window, true)
    }

    /// A list that stays empty: what is registered with it records nothing.
    pub fn off() -> Self {
        Self::build("", String::new(), super::WINDOW, false)
    }

    /// The list of one of the three clients, as its options want it.
    pub(crate) fn for_client(client: Client, config: &CommonConfig) -> Self {
        let kind = match client {
            Client::Producer => "producer",
            Client::Consumer => "consumer",
            Client::Admin => "admin",
        };
        let window = Window { sample: config.metrics_sample_window, samples: config.metrics_num_samples };
        Self::build(kind, config.client_id.clone(), window, config.metrics_enabled)
    }

    fn build(kind: &'static str, client_id: String, window: Window, is_on: bool) -> Self {
        let entries = Mutex::default();
        Self(Arc::new(Inner { kind, client_id, window, is_on, clock: Clock::system(), entries }))
    }

    /// Begins to register a table; [`sensors!`](crate::sensors) does it.
    pub fn scope(&self, table: Table, tags: &[(&'static str, &str)]) -> Scope<'_> {
        let group = match table.group.strip_prefix('-') {
            Some(rest) => format!("{}-{rest}", self.0.kind),
            None => table.group.to_owned(),
        };
        let own = tags.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let tags = std::iter::once(("client-id", self.0.client_id.clone())).chain(own).collect();
        let labels = Arc::new(Labels { group, tags });
        self.0.entries.lock().make_room(&labels, &table);
        Scope { registry: self, labels, rest: table.sensors }
    }

    /// All metrics as they are now.
    pub fn snapshot(&self) -> MetricsSnapshot {
        let entries = self.0.entries.lock().in_order();
        let now = self.0.clock.now();
        let mut metrics = Vec::with_capacity(entries.iter().map(|entry| entry.rows.len()).sum());
        for entry in entries {
            // Read without the list's lock: a closure may do what it likes.
            let Some(source) = entry.source.upgrade() else { continue };
            metrics.extend(
                entry.rows.iter().map(|row| Metric::new(&entry.labels, row, source.read(row.stat, now))),
            );
        }
        if self.0.is_on {
            let tags = vec![("client-id", self.0.client_id.clone())];
            let labels = Arc::new(Labels { group: COUNT.0.to_owned(), tags });
            metrics.push(Metric::new(&labels, &COUNT.1, metrics.len() as f64 + 1.0));
        }
        MetricsSnapshot::new(metrics)
    }
}

/// The one metric that the registry itself has.
static COUNT: (&str, MetricInfo) = (
    "kafka-metrics-count",
    MetricInfo {
        name: "count",
        stat: super::Stat::Value,
        description: "How many metrics are registered, this one included.",
    },
);

impl Scope<'_> {
    /// The instrument of the table's next rows.
    pub fn add<I: Instrument>(&mut self) -> I {
        let Some((rows, rest)) = self.rest.split_first() else { return I::off() };
        self.rest = rest;
        if !self.registry.0.is_on {
            return I::off();
        }
        let instrument = I::new(self.registry.0.window);
        if let Some(source) = instrument.source() {
            let labels = Arc::clone(&self.labels);
            self.registry.0.entries.lock().push(labels, rows, source);
        }
        instrument
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("kind", &self.0.kind)
            .field("client_id", &self.0.client_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::WINDOW;

    crate::sensors! {
        struct Own in "own-metrics" {
            size: Sensor {
                "size-avg" = Avg, "The average size.";
                "size-total" = Total, "All sizes.";
            }
            open: Gauge { "open" = Value, "How many are open."; }
            age: Computed { "age" = Value, "How old it is."; }
        }
    }

    crate::sensors! {
        struct OfNode in "-node-metrics" {
            sent: Sensor { "sent-total" = Count, "What was sent."; }
        }
    }

    #[test]
    fn a_table_is_registered_read_and_gone_with_its_owner() {
        let registry = Registry::new("producer", "me", WINDOW);
        let now = Clock::system().now();
        let own = Own::register(&registry, &[]);
        own.size.record(4.0, now);
        own.size.record(8.0, now);
        own.open.set(3);
        own.open.add(-1);
        own.age.set(|_| 7.5);
        let node = OfNode::register(&registry, &[("node-id", "node-1")]);
        node.sent.record(1.0, now);
        let snapshot = registry.snapshot();
        assert_eq!(snapshot.get("own-metrics", "size-avg"), Some(6.0));
        assert_eq!(snapshot.get("own-metrics", "size-total"), Some(12.0));
        assert_eq!(snapshot.get("own-metrics", "open"), Some(2.0));
        assert_eq!(snapshot.get("own-metrics", "age"), Some(7.5));
        assert_eq!(snapshot.get("producer-node-metrics", "sent-total"), Some(1.0));
        assert_eq!(snapshot.get("own-metrics", "sent-total"), None);
        assert_eq!(snapshot.get("kafka-metrics-count", "count"), Some(6.0));
        let sent = snapshot.iter().find(|metric| metric.name() == "sent-total").expect("it is there");
        assert_eq!((sent.tag("client-id"), sent.tag("node-id")), (Some("me"), Some("node-1")));
        assert_eq!(sent.tags().count(), 2);

        drop(node);
        assert_eq!(registry.snapshot().get("producer-node-metrics", "sent-total"), None);
        // Registered anew before the old one is gone: there is one of each.
        let again = Own::register(&registry, &[]);
        again.open.set(9);
        let snapshot = registry.snapshot();
        assert_eq!(snapshot.iter().filter(|metric| metric.name() == "open").count(), 1);
        assert_eq!(snapshot.get("own-metrics", "open"), Some(9.0));
        drop(own);
    }

    #[test]
    fn what_is_gone_takes_no_room_however_much_comes_and_goes() {
        let registry = Registry::new("producer", "me", WINDOW);
        let own = Own::register(&registry, &[]);
        let kept: Vec<OfNode> =
            (0..500).map(|id| OfNode::register(&registry, &[("node-id", &id.to_string())])).collect();
        for id in 500..5_000 {
            drop(OfNode::register(&registry, &[("node-id", &id.to_string())]));
            // The same labels again and again, too.
            drop(OfNode::register(&registry, &[("node-id", "7000")]));
        }
        let entries = registry.0.entries.lock();
        assert!(entries.count < 1_100, "{}", entries.count);
        assert!(entries.by_labels.len() < 1_100, "{}", entries.by_labels.len());
        assert_eq!(entries.count, entries.by_labels.values().map(Vec::len).sum::<usize>());
        drop(entries);
        assert_eq!(registry.snapshot().len(), 5 + 500);
        drop((own, kept));
        assert_eq!(registry.snapshot().len(), 1);
    }

    #[test]
    fn without_metrics_nothing_is_kept() {
        let mut config = CommonConfig::default();
        config.metrics_enabled = false;
        let registry = Registry::for_client(Client::Admin, &config);
        let own = Own::register(&registry, &[]);
        own.size.record(1.0, Clock::system().now());
        assert!(registry.snapshot().is_empty());
        assert!(!Own::off().size.is_on());
    }
}

//! The values of a moment.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::prometheus;
use super::table::MetricInfo;

/// The metrics of a client, or of several, as they were when they were read.
///
/// Collect the metrics of several clients into one before a scrape: `first.metrics().into_iter()
/// .chain(second.metrics()).collect::<MetricsSnapshot>()`.
#[derive(Clone, Debug, Default)]
pub struct MetricsSnapshot(Vec<Metric>);

/// A metric and its value.
#[derive(Clone)]
pub struct Metric {
    labels: Arc<Labels>,
    info: &'static MetricInfo,
    value: f64,
}

/// What the metrics of one owner have in common.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Labels {
    pub(super) group: String,
    pub(super) tags: Vec<(&'static str, String)>,
}

impl MetricsSnapshot {
    pub(super) fn new(metrics: Vec<Metric>) -> Self {
        Self(metrics)
    }

    /// The value of the first metric of a group and name: the client's own where there are others by topic or node,
    /// in groups that mix them.
    pub fn get(&self, group: &str, name: &str) -> Option<f64> {
        self.find(group, name, &[]).map(Metric::value)
    }

    /// The first metric of a group and name that has all of these tags.
    pub fn find(&self, group: &str, name: &str, tags: &[(&str, &str)]) -> Option<&Metric> {
        self.0.iter().find(|metric| {
            metric.name() == name
                && metric.group() == group
                && tags.iter().all(|(name, value)| metric.tag(name) == Some(value))
        })
    }

    /// The metrics, in no order that can be relied on.
    pub fn iter(&self) -> std::slice::Iter<'_, Metric> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none: `metrics_enabled` is off.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Group, then name, then value, as kafka-python's `metrics()` returns them. Of metrics that differ in their
    /// tags alone the first is taken.
    pub fn to_map(&self) -> BTreeMap<&str, BTreeMap<&str, f64>> {
        let mut map = BTreeMap::<&str, BTreeMap<&str, f64>>::new();
        for metric in &self.0 {
            map.entry(metric.group()).or_default().entry(metric.name()).or_insert(metric.value);
        }
        map
    }

    /// The metrics in the text format that Prometheus scrapes.
    ///
    /// `record-send-total` of the group `producer-metrics` becomes `kafka_producer_record_send_total`, tags become
    /// labels. Serve it as `text/plain; version=0.0.4`.
    pub fn to_prometheus(&self) -> String {
        prometheus::text(&self.0)
    }
}

impl Metric {
    pub(super) fn new(labels: &Arc<Labels>, info: &'static MetricInfo, value: f64) -> Self {
        Self { labels: Arc::clone(labels), info, value }
    }

    /// The group, such as `producer-metrics`.
    pub fn group(&self) -> &str {
        &self.labels.group
    }

    /// The name, such as `record-send-rate`.
    pub fn name(&self) -> &'static str {
        self.info.name
    }

    /// What it means, with its unit.
    pub fn description(&self) -> &'static str {
        self.info.description
    }

    /// What it is about: the client's id, and a topic, partition or node.
    pub fn tags(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.labels.tags.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// The value of a tag.
    pub fn tag(&self, name: &str) -> Option<&str> {
        self.labels.tags.iter().find(|(tag, _)| *tag == name).map(|(_, value)| value.as_str())
    }

    /// The value; NaN when nothing was measured that it could tell of.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// Whether it only ever grows, as long as the client lives.
    pub fn is_counter(&self) -> bool {
        self.info.stat.is_counter()
    }
}

impl fmt::Debug for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {:?} = {}", self.group(), self.name(), self.labels.tags, self.value)
    }
}

impl IntoIterator for MetricsSnapshot {
    type Item = Metric;
    type IntoIter = std::vec::IntoIter<Metric>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a MetricsSnapshot {
    type Item = &'a Metric;
    type IntoIter = std::slice::Iter<'a, Metric>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<Metric> for MetricsSnapshot {
    fn from_iter<I: IntoIterator<Item = Metric>>(metrics: I) -> Self {
        Self(metrics.into_iter().collect())
    }
}

impl Extend<Metric> for MetricsSnapshot {
    fn extend<I: IntoIterator<Item = Metric>>(&mut self, metrics: I) {
        self.0.extend(metrics);
    }
}

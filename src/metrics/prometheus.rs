//! The text format that Prometheus scrapes (version 0.0.4).

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use super::snapshot::Metric;

/// The metrics, those of one name together.
pub(super) fn text(metrics: &[Metric]) -> String {
    let mut families = BTreeMap::<String, Vec<&Metric>>::new();
    for metric in metrics {
        families.entry(family(metric)).or_default().push(metric);
    }
    let mut text = String::new();
    for (name, metrics) in &families {
        // Writing to a string cannot fail.
        let _ = write_family(&mut text, name, metrics);
    }
    text
}

fn write_family(text: &mut String, name: &str, metrics: &[&Metric]) -> fmt::Result {
    let Some(first) = metrics.first() else { return Ok(()) };
    writeln!(text, "# HELP {name} {}", Escaped(first.description(), false))?;
    let kind = if first.is_counter() { "counter" } else { "gauge" };
    writeln!(text, "# TYPE {name} {kind}")?;
    for metric in metrics {
        text.push_str(name);
        for (index, (tag, value)) in metric.tags().enumerate() {
            text.push(if index == 0 { '{' } else { ',' });
            write!(text, "{}=\"{}\"", identifier(tag), Escaped(value, true))?;
        }
        if metric.tags().next().is_some() {
            text.push('}');
        }
        match metric.value() {
            value if value.is_nan() => text.push_str(" NaN\n"),
            f64::INFINITY => text.push_str(" +Inf\n"),
            f64::NEG_INFINITY => text.push_str(" -Inf\n"),
            value => writeln!(text, " {value}")?,
        }
    }
    Ok(())
}

/// `kafka_`, the group without its `-metrics`, and the name.
fn family(metric: &Metric) -> String {
    let group = metric.group();
    let group = group.strip_suffix("-metrics").unwrap_or(group);
    let group = group.strip_prefix("kafka-").unwrap_or(group);
    format!("kafka_{}_{}", identifier(group), identifier(metric.name()))
}

/// What Prometheus takes in names: letters, digits and underscores.
fn identifier(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// Text with the characters escaped that would end it; in labels that is the quote, too.
struct Escaped<'a>(&'a str, bool);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '"' if self.1 => f.write_str("\\\"")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::{Registry, WINDOW};
    use crate::net::clock::Clock;

    crate::sensors! {
        struct Own in "-topic-metrics" {
            sent: Sensor {
                "sent-total" = Total, "What was sent,\nwith a \\ in it.";
                "sent-max" = Max, "The \"most\".";
            }
            open: Gauge { "open.now" = Value, "Open."; }
        }
    }

    #[test]
    fn names_labels_and_values_are_what_prometheus_reads() {
        let registry = Registry::new("producer", "a \"b\"\\\n", WINDOW);
        let first = Own::register(&registry, &[("topic", "x")]);
        let second = Own::register(&registry, &[("topic", "y")]);
        first.sent.record(1.5, Clock::system().now());
        second.open.set(-4);
        let text = registry.snapshot().to_prometheus();
        let id = r#"client_id="a \"b\"\\\n""#;
        let expected = format!(
            "# HELP kafka_metrics_count_count How many metrics are registered, this one included.\n\
             # TYPE kafka_metrics_count_count gauge\n\
             kafka_metrics_count_count{{{id}}} 7\n\
             # HELP kafka_producer_topic_open_now Open.\n\
             # TYPE kafka_producer_topic_open_now gauge\n\
             kafka_producer_topic_open_now{{{id},topic=\"x\"}} 0\n\
             kafka_producer_topic_open_now{{{id},topic=\"y\"}} -4\n\
             # HELP kafka_producer_topic_sent_max The \"most\".\n\
             # TYPE kafka_producer_topic_sent_max gauge\n\
             kafka_producer_topic_sent_max{{{id},topic=\"x\"}} 1.5\n\
             kafka_producer_topic_sent_max{{{id},topic=\"y\"}} NaN\n\
             # HELP kafka_producer_topic_sent_total What was sent,\\nwith a \\\\ in it.\n\
             # TYPE kafka_producer_topic_sent_total counter\n\
             kafka_producer_topic_sent_total{{{id},topic=\"x\"}} 1.5\n\
             kafka_producer_topic_sent_total{{{id},topic=\"y\"}} 0\n"
        );
        assert_eq!(text, expected);
    }
}

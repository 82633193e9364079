//! What is known of an option, for error texts, documents and the command line.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{AdminConfig, CommonConfig, ConsumerConfig, Faults, ProducerConfig};

/// One option, as its row declares it.
#[derive(Clone, Copy, Debug)]
pub struct OptionInfo {
    /// The name of the builder's method and of the config's field.
    pub name: &'static str,
    /// The name in kafka-python, or in its style where it lacks the option.
    pub python_name: &'static str,
    /// The name in Kafka's properties files, or in their style where Kafka lacks the option.
    pub property: &'static str,
    /// What it does, as in the method's documentation.
    pub doc: &'static str,
    /// The least and the greatest value, for times in milliseconds.
    pub bounds: Option<(i64, i64)>,
    pub(super) default: fn() -> String,
}

impl OptionInfo {
    /// The default, as one would write it in a properties file; empty for none.
    pub fn default_text(&self) -> String {
        (self.default)()
    }

    /// The bounds in words, such as `1 to 17`, or `any` where there are none.
    pub fn bounds_text(&self) -> String {
        match self.bounds {
            None => "any".to_owned(),
            Some((low, i64::MAX)) => format!("at least {low}"),
            Some((low, high)) => format!("{low} to {high}"),
        }
    }

    pub(super) fn check(&self, measure: i64, faults: &mut Faults) {
        if self.bounds.is_some_and(|(low, high)| measure < low || measure > high) {
            faults.push(format!("{} ({measure}) must be {}", self.property, self.bounds_text()));
        }
    }
}

/// Which of the three clients an option is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// `KafkaProducer`.
    Producer,
    /// `KafkaConsumer`.
    Consumer,
    /// `KafkaAdminClient`.
    Admin,
}

impl Client {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Producer, Self::Consumer, Self::Admin];

    /// Every option of this client: the common ones first.
    pub fn options(self) -> impl Iterator<Item = &'static OptionInfo> {
        let own = match self {
            Self::Producer => ProducerConfig::OPTIONS,
            Self::Consumer => ConsumerConfig::OPTIONS,
            Self::Admin => AdminConfig::OPTIONS,
        };
        CommonConfig::OPTIONS.iter().chain(own)
    }

    /// A client id that no other client of the process was given.
    pub(super) fn next_id(self) -> String {
        static PRODUCERS: AtomicU64 = AtomicU64::new(1);
        static CONSUMERS: AtomicU64 = AtomicU64::new(1);
        static ADMINS: AtomicU64 = AtomicU64::new(1);
        let (name, counter) = match self {
            Self::Producer => ("producer", &PRODUCERS),
            Self::Consumer => ("consumer", &CONSUMERS),
            Self::Admin => ("admin", &ADMINS),
        };
        format!("kavka-{name}-{}", counter.fetch_add(1, Ordering::Relaxed))
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Producer => "producer",
            Self::Consumer => "consumer",
            Self::Admin => "admin client",
        })
    }
}

/// The options as a table in Markdown: method, property, kafka-python's name, default, bounds, what it does.
pub fn markdown_table<'a>(options: impl IntoIterator<Item = &'a OptionInfo>) -> String {
    let mut table = String::from(
        "| Method | Property | kafka-python | Default | Bounds | What it does |\n|---|---|---|---|---|---|\n",
    );
    for option in options {
        let default = match option.default_text() {
            text if text.is_empty() => "none".to_owned(),
            text => format!("`{text}`"),
        };
        let doc = option.doc.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
        table.push_str(&format!(
            "| `{}` | `{}` | `{}` | {default} | {} | {doc} |\n",
            option.name,
            option.property,
            option.python_name,
            option.bounds_text()
        ));
    }
    table
}

//! Arguments that several nouns have in common.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::hash::Hash;
use std::str::FromStr;
use std::time::Duration;

use kavka::{Error, ErrorKind, OffsetSpec, TopicPartition};

use super::report::Item;
use super::session::Session;
use crate::common::Outcome;

/// A length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pause(pub(super) Duration);

impl FromStr for Pause {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let factor: u64 = match unit {
            "ms" => 1,
            "" | "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => 0,
        };
        number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(factor))
            .filter(|&millis| millis > 0)
            .map(|millis| Self(Duration::from_millis(millis)))
            .ok_or_else(|| "it has to be a time such as 30s, 500ms, 2m or 1h".to_owned())
    }
}

/// `TOPIC:NUMBER`, with all digits behind the last colon: a partition, or how many there are to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TopicNumber {
    pub(super) topic: String,
    pub(super) number: i32,
}

impl FromStr for TopicNumber {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.rsplit_once(':').filter(|(topic, _)| !topic.is_empty());
        let parsed = parts.and_then(|(topic, number)| Some((topic, number.parse().ok()?)));
        match parsed {
            Some((topic, number)) if number >= 0 => Ok(Self { topic: topic.to_owned(), number }),
            _ => Err("it has to be TOPIC:NUMBER, such as orders:3".to_owned()),
        }
    }
}

/// `TOPIC:PARTITION:OFFSET`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PartitionOffset {
    pub(super) partition: TopicPartition,
    pub(super) offset: i64,
}

impl FromStr for PartitionOffset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.rsplit_once(':').and_then(|(partition, offset)| {
            let TopicNumber { topic, number } = partition.parse().ok()?;
            let offset = offset.parse().ok().filter(|offset| *offset >= 0)?;
            Some(Self { partition: TopicPartition::new(topic, number), offset })
        });
        parsed.ok_or_else(|| "it has to be TOPIC:PARTITION:OFFSET, such as orders:3:42".to_owned())
    }
}

/// `TOPIC:PARTITIONS`: one as in `orders:3`, several as in `orders:0-3` and `orders:2-`, all as in `orders:*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PartitionRange {
    pub(super) topic: String,
    first: i32,
    /// None: up to the last there is.
    last: Option<i32>,
}

impl FromStr for PartitionRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse::<i32>().ok().filter(|number| *number >= 0);
        let parsed =
            text.rsplit_once(':').filter(|(topic, _)| !topic.is_empty()).and_then(|(topic, range)| {
                let (first, last) = match range.split_once('-') {
                    None if range == "*" => (0, None),
                    None => (number(range)?, Some(number(range)?)),
                    Some((first, "")) => (number(first)?, None),
                    Some((first, last)) => (number(first)?, Some(number(last)?)),
                };
                let in_order = last.is_none_or(|last| last >= first && last - first < MOST_PARTITIONS);
                in_order.then(|| Self { topic: topic.to_owned(), first, last })
            });
        parsed.ok_or_else(|| {
            "it has to be TOPIC:PARTITIONS, such as orders:3, orders:0-3, orders:2- or orders:*".to_owned()
        })
    }
}

impl PartitionRange {
    /// All partitions of a topic.
    pub(super) fn all(topic: impl Into<String>) -> Self {
        Self { topic: topic.into(), first: 0, last: None }
    }
}

impl fmt::Display for PartitionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first, self.last) {
            (0, None) => f.write_str("*"),
            (first, None) => write!(f, "{first}-"),
            (first, Some(last)) if first == last => write!(f, "{first}"),
            (first, Some(last)) => write!(f, "{first}-{last}"),
        }
    }
}

/// The partitions that ranges stand for, each with what was said of it.
pub(super) struct Resolved<T> {
    /// In the order of the ranges, nothing twice.
    pub(super) partitions: Vec<(TopicPartition, T)>,
    /// What became of the topics of ranges that stand for none, to be added to the report on the others.
    pub(super) failures: Vec<(Item, kavka::Result<Item>)>,
}

/// Finds out which partitions ranges stand for; the cluster is asked how many there are where that is left open.
pub(super) fn resolve<T: Copy + Eq + Hash>(
    session: &Session,
    ranges: &[(PartitionRange, T)],
) -> Outcome<Resolved<T>> {
    let open: BTreeSet<&str> = ranges
        .iter()
        .filter(|(range, _)| range.last.is_none())
        .map(|(range, _)| range.topic.as_str())
        .collect();
    let mut counts: BTreeMap<&str, i32> = BTreeMap::new();
    let mut failures = Vec::new();
    let mut fail = |topic: &str, error| failures.push((Item::new().with("topic", topic), Err(error)));
    if !open.is_empty() {
        let described =
            session.wait("describing topics", |admin| admin.describe_topics(open.iter().copied()))?;
        for (name, (_, topic)) in open.into_iter().zip(described) {
            match topic {
                Ok(topic) => {
                    let last = topic.partitions.iter().map(|one| one.partition).max();
                    counts.insert(name, last.map_or(0, |last| last.saturating_add(1)));
                }
                Err(error) => fail(name, error),
            }
        }
    }
    let mut seen = HashSet::new();
    let mut partitions = Vec::new();
    for (range, said) in ranges {
        let end = match range.last {
            Some(last) => last.saturating_add(1),
            None => match counts.get(range.topic.as_str()) {
                Some(&count) if count > range.first => count,
                Some(&count) => {
                    let text = format!("there are no partitions {range}: the topic has {count}");
                    let error = Error::new(ErrorKind::InvalidArgument, text).with_topic(&range.topic);
                    fail(&range.topic, error);
                    continue;
                }
                // That is among the failures.
                None => continue,
            },
        };
        let numbers =
            (range.first..end).map(|index| (TopicPartition::new(range.topic.as_str(), index), *said));
        partitions.extend(numbers.filter(|one| seen.insert(one.clone())));
    }
    Ok(Resolved { partitions, failures })
}

/// What is looked for in a partition: a word, or a time in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spec(pub(super) OffsetSpec);

impl FromStr for Spec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let spec = match text.to_ascii_lowercase().replace('_', "-").as_str() {
            "earliest" => OffsetSpec::Earliest,
            "latest" => OffsetSpec::Latest,
            "max-timestamp" => OffsetSpec::MaxTimestamp,
            "earliest-local" => OffsetSpec::EarliestLocal,
            "latest-tiered" => OffsetSpec::LatestTiered,
            "earliest-pending-upload" => OffsetSpec::EarliestPendingUpload,
            number => match number.parse() {
                Ok(time) if time >= 0 => OffsetSpec::Timestamp(time),
                _ => {
                    return Err(
                        "it has to be earliest, latest, max-timestamp, earliest-local, latest-tiered, \
                                earliest-pending-upload, or a time in milliseconds since 1970"
                            .to_owned(),
                    );
                }
            },
        };
        Ok(Self(spec))
    }
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) key: String,
    pub(super) value: String,
}

impl FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                Ok(Self { key: key.trim().to_owned(), value: value.to_owned() })
            }
            _ => Err("it has to be KEY=VALUE".to_owned()),
        }
    }
}

/// Names for a sentence: the first few, and how many more there are.
pub(super) fn enumerate<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    match names.get(..SHOWN) {
        Some(first) if names.len() > SHOWN => {
            format!("{} and {} more", first.join(", "), names.len() - SHOWN)
        }
        _ => names.join(", "),
    }
}

const SHOWN: usize = 5;
/// A longer range is a slip of the pen.
const MOST_PARTITIONS: i32 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let table = [("30", 30_000), ("30s", 30_000), ("500ms", 500), ("2m", 120_000), ("1h", 3_600_000)];
        for (text, millis) in table {
            assert_eq!(text.parse(), Ok(Pause(Duration::from_millis(millis))), "{text}");
        }
        for text in ["", "s", "0", "-1", "1.5s", "1w", "99999999999999999999", "99999999999999999d"] {
            assert!(text.parse::<Pause>().is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_stand_behind_the_last_colon() {
        let parsed: TopicNumber = "a:b:12".parse().expect("a number");
        assert_eq!(parsed, TopicNumber { topic: "a:b".to_owned(), number: 12 });
        for text in ["orders", ":1", "orders:", "orders:-1", "orders:x"] {
            assert!(text.parse::<TopicNumber>().is_err(), "{text}");
        }
    }

    #[test]
    fn ranges_of_partitions_are_read() {
        let range = |first, last| PartitionRange { topic: "a:b".to_owned(), first, last };
        for (text, expected) in [
            ("a:b:3", range(3, Some(3))),
            ("a:b:0-3", range(0, Some(3))),
            ("a:b:2-", range(2, None)),
            ("a:b:*", range(0, None)),
        ] {
            assert_eq!(expected.to_string(), text.rsplit(':').next().expect("a range"));
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in ["orders", ":1", "orders:", "orders:3-1", "orders:-1", "orders:x", "orders:0-2000000000"]
        {
            assert!(text.parse::<PartitionRange>().is_err(), "{text}");
        }
        let offset: PartitionOffset = "a:b:3:42".parse().expect("an offset");
        assert_eq!(offset, PartitionOffset { partition: TopicPartition::new("a:b", 3), offset: 42 });
        for text in ["orders", "orders:1", "orders:1:-1", "orders:x:1", ":1:1"] {
            assert!(text.parse::<PartitionOffset>().is_err(), "{text}");
        }
    }

    #[test]
    fn specs_are_words_or_times() {
        for (text, spec) in [
            ("earliest", OffsetSpec::Earliest),
            ("MAX_TIMESTAMP", OffsetSpec::MaxTimestamp),
            ("earliest-pending-upload", OffsetSpec::EarliestPendingUpload),
            ("17", OffsetSpec::Timestamp(17)),
        ] {
            assert_eq!(text.parse(), Ok(Spec(spec)), "{text}");
        }
        assert!("-17".parse::<Spec>().is_err() && "now".parse::<Spec>().is_err());
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(enumerate(["a", "b"]), "a, b");
        assert_eq!(enumerate(1..=5), "1, 2, 3, 4, 5");
        assert_eq!(enumerate(1..=7), "1, 2, 3, 4, 5 and 2 more");
    }
}

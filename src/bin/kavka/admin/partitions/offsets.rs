//! `kavka admin partitions list-offsets`.

use std::collections::BTreeMap;
use std::str::FromStr;

use clap::Args;
use kavka::config::IsolationLevel;
use kavka::{KafkaAdminClient, OffsetSpec, TopicPartition};

use super::key_of;
use crate::admin::report::{Item, Report};
use crate::admin::session::Session;
use crate::common::Outcome;

#[derive(Args)]
pub(crate) struct ListOffsets {
    /// All partitions of a topic; several with commas, or by repeating the option.
    #[arg(
        short,
        long = "topic",
        value_name = "TOPIC",
        value_delimiter = ',',
        required_unless_present = "partitions"
    )]
    topics: Vec<String>,

    /// What is looked for in them: earliest, latest, max-timestamp, earliest-local, latest-tiered,
    /// earliest-pending-upload, or a time in milliseconds since 1970.
    #[arg(short, long, value_name = "SPEC", default_value = "latest")]
    spec: Spec,

    /// Some partitions, and what is looked for in them. PART is a number, a range such as 0-3 or 2-, or * for all;
    /// can be repeated.
    #[arg(short, long = "partition", value_name = "TOPIC:PART:SPEC")]
    partitions: Vec<Wanted>,

    /// Only up to the first open transaction.
    #[arg(long)]
    read_committed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Spec(OffsetSpec);

impl FromStr for Spec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self(match text {
            "earliest" => OffsetSpec::Earliest,
            "latest" => OffsetSpec::Latest,
            "max-timestamp" => OffsetSpec::MaxTimestamp,
            "earliest-local" => OffsetSpec::EarliestLocal,
            "latest-tiered" => OffsetSpec::LatestTiered,
            "earliest-pending-upload" => OffsetSpec::EarliestPendingUpload,
            _ => match text.parse() {
                Ok(time) if time >= 0 => OffsetSpec::Timestamp(time),
                _ => {
                    return Err("it has to be earliest, latest, max-timestamp, earliest-local, \
                                latest-tiered, earliest-pending-upload, or a time in milliseconds"
                        .to_owned());
                }
            },
        }))
    }
}

/// `TOPIC:PART:SPEC`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    topic: String,
    first: i32,
    /// `None` for all that follow.
    last: Option<i32>,
    spec: Spec,
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "it has to be TOPIC:PART:SPEC, such as orders:0:latest or orders:*:earliest".to_owned();
        let mut parts = text.rsplitn(3, ':');
        let (Some(spec), Some(part), Some(topic)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(form());
        };
        let number = |text: &str| text.parse().ok().filter(|&number: &i32| number >= 0).ok_or_else(form);
        let (first, last) = match part.split_once('-') {
            _ if part == "*" => (0, None),
            Some((first, "")) => (number(first)?, None),
            Some((first, last)) => (number(first)?, Some(number(last)?)),
            None => (number(part)?, Some(number(part)?)),
        };
        if topic.is_empty() || last.is_some_and(|last| last < first || last - first > MOST) {
            return Err(form());
        }
        Ok(Self { topic: topic.to_owned(), first, last, spec: spec.parse()? })
    }
}

/// Nobody means a range of more partitions.
const MOST: i32 = 100_000;

impl ListOffsets {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        let isolation = match self.read_committed {
            true => IsolationLevel::ReadCommitted,
            false => IsolationLevel::ReadUncommitted,
        };
        let spec = self.spec;
        let whole =
            self.topics.iter().map(|topic| Wanted { topic: topic.clone(), first: 0, last: None, spec });
        let wanted: Vec<Wanted> = whole.chain(self.partitions).collect();
        let (listed, unknown) = session.wait("listing offsets", |admin| -> kavka::Result<_> {
            let (partitions, unknown) = partitions(admin, &wanted)?;
            Ok((admin.list_partition_offsets(partitions, isolation)?, unknown))
        })?;
        let mut report = Report::results(listed.into_iter().map(|(partition, result)| {
            let item = result.map(|found| {
                Item::new()
                    .with("offset", found.offset)
                    .with("timestamp", found.timestamp)
                    .with("leader_epoch", found.leader_epoch)
            });
            (key_of(&partition), item)
        }));
        for (topic, error) in unknown {
            report.add(Item::new().with("topic", topic), Err(error));
        }
        Ok(report)
    }
}

type Partitions = (Vec<(TopicPartition, OffsetSpec)>, Vec<(String, kavka::Error)>);

/// The partitions that are meant, and the topics whose partitions could not be counted.
fn partitions(admin: &KafkaAdminClient, wanted: &[Wanted]) -> kavka::Result<Partitions> {
    let open = wanted.iter().filter(|one| one.last.is_none()).map(|one| one.topic.as_str());
    let mut topics: Vec<&str> = open.collect();
    topics.sort_unstable();
    topics.dedup();
    let mut counts = BTreeMap::new();
    let mut unknown = Vec::new();
    for (topic, result) in admin.describe_topics(topics)? {
        match result {
            Ok(known) => {
                let last = known.partitions.iter().map(|partition| partition.partition).max();
                counts.insert(topic.to_string(), last.unwrap_or(-1));
            }
            Err(error) => unknown.push((topic.to_string(), error)),
        }
    }
    let mut partitions = Vec::new();
    for one in wanted {
        let Some(last) = one.last.or_else(|| counts.get(&one.topic).copied()) else { continue };
        let numbers = (one.first..=last).map(|number| TopicPartition::new(one.topic.as_str(), number));
        partitions.extend(numbers.map(|partition| (partition, one.spec.0)));
    }
    Ok((partitions, unknown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_come_alone_in_ranges_or_all() {
        let table = [
            ("orders:3:latest", 3, Some(3), OffsetSpec::Latest),
            ("orders:1-4:earliest", 1, Some(4), OffsetSpec::Earliest),
            ("orders:2-:max-timestamp", 2, None, OffsetSpec::MaxTimestamp),
            ("orders:*:1700000000000", 0, None, OffsetSpec::Timestamp(1_700_000_000_000)),
        ];
        for (text, first, last, spec) in table {
            let expected = Wanted { topic: "orders".to_owned(), first, last, spec: Spec(spec) };
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in [
            "orders",
            "orders:1",
            ":1:latest",
            "orders:x:latest",
            "orders:4-1:latest",
            "orders:1:never",
            "orders:-1:latest",
            "orders:0:-5",
            "orders:0-2000000000:latest",
        ] {
            assert!(text.parse::<Wanted>().is_err(), "{text}");
        }
    }
}

//! `kavka admin partitions list-offsets`.

use std::str::FromStr;

use clap::Args;
use kavka::OffsetSpec;
use kavka::config::IsolationLevel;

use super::key_of;
use crate::admin::arguments::{PartitionRange, Resolved, Spec, resolve};
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

/// `TOPIC:PART:SPEC`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    range: PartitionRange,
    spec: Spec,
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "it has to be TOPIC:PART:SPEC, such as orders:0:latest or orders:*:earliest".to_owned();
        let (range, spec) = text.rsplit_once(':').ok_or_else(form)?;
        Ok(Self { range: range.parse().map_err(|_| form())?, spec: spec.parse()? })
    }
}

impl ListOffsets {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        let isolation = match self.read_committed {
            true => IsolationLevel::ReadCommitted,
            false => IsolationLevel::ReadUncommitted,
        };
        let whole = self.topics.into_iter().map(|topic| (PartitionRange::all(topic), self.spec.0));
        let some = self.partitions.into_iter().map(|wanted| (wanted.range, wanted.spec.0));
        let wanted: Vec<(PartitionRange, OffsetSpec)> = whole.chain(some).collect();
        let Resolved { partitions, failures } = resolve(session, &wanted)?;
        let listed =
            session.wait("listing offsets", |admin| admin.list_partition_offsets(partitions, isolation))?;
        let mut report = Report::results(listed.into_iter().map(|(partition, result)| {
            let item = result.map(|found| {
                Item::new()
                    .with("offset", found.offset)
                    .with("timestamp", found.timestamp)
                    .with("leader_epoch", found.leader_epoch)
            });
            (key_of(&partition), item)
        }));
        report.extend(failures);
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_come_alone_in_ranges_or_all() {
        let table = [
            ("orders:3:latest", "orders:3", OffsetSpec::Latest),
            ("orders:1-4:earliest", "orders:1-4", OffsetSpec::Earliest),
            ("orders:2-:max-timestamp", "orders:2-", OffsetSpec::MaxTimestamp),
            ("orders:*:1700000000000", "orders:*", OffsetSpec::Timestamp(1_700_000_000_000)),
        ];
        for (text, range, spec) in table {
            let expected = Wanted { range: range.parse().expect("a range"), spec: Spec(spec) };
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

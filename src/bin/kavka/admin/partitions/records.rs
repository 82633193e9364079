//! `kavka admin partitions delete-records`.

use std::str::FromStr;

use clap::Args;
use kavka::admin::RecordsToDelete;

use super::key_of;
use crate::admin::arguments::{TopicNumber, enumerate};
use crate::admin::report::{Item, Report};
use crate::admin::session::Session;
use crate::common::Outcome;

#[derive(Args)]
pub(crate) struct DeleteRecords {
    /// A partition, and the offset before which its records go; -1 for all of them; can be repeated.
    #[arg(
        short,
        long = "record",
        value_name = "TOPIC:PART:OFFSET",
        required = true,
        allow_hyphen_values = true
    )]
    records: Vec<Before>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Before {
    partition: TopicNumber,
    records: RecordsToDelete,
}

impl FromStr for Before {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.rsplit_once(':').and_then(|(partition, offset)| {
            let offset = offset.parse::<i64>().ok().filter(|&offset| offset >= -1)?;
            Some(Self { partition: partition.parse().ok()?, records: offset.into() })
        });
        parts.ok_or_else(|| "it has to be TOPIC:PART:OFFSET, such as orders:0:100".to_owned())
    }
}

impl DeleteRecords {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        let words = self.records.iter().map(|one| {
            let TopicNumber { topic, number } = &one.partition;
            match one.records {
                RecordsToDelete::BeforeOffset(offset) => format!("{topic}-{number} before offset {offset}"),
                RecordsToDelete::All => format!("all of {topic}-{number}"),
            }
        });
        session.confirm(&format!("delete the records {}", enumerate(words)))?;
        let wanted = self.records.into_iter().map(|one| {
            let partition = kavka::TopicPartition::new(one.partition.topic, one.partition.number);
            (partition, one.records)
        });
        let deleted = session.wait("deleting records", |admin| admin.delete_records(wanted))?;
        Ok(Report::results(deleted.into_iter().map(|(partition, result)| {
            (key_of(&partition), result.map(|start| Item::new().with("low_watermark", start)))
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_stands_behind_the_partition() {
        let parsed: Before = "orders:3:100".parse().expect("a partition and an offset");
        assert_eq!((parsed.partition.number, parsed.records), (3, RecordsToDelete::BeforeOffset(100)));
        assert_eq!("orders:3:-1".parse::<Before>().expect("all").records, RecordsToDelete::All);
        for text in ["orders:3", "orders:3:-2", "orders::5", "orders:3:x"] {
            assert!(text.parse::<Before>().is_err(), "{text}");
        }
    }
}

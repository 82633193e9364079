//! Where share groups stand.

use std::collections::HashMap;

use clap::Args;
use kavka::TopicPartition;

use super::offsets::{ends, key};
use crate::admin::arguments::{PartitionOffset, enumerate};
use crate::admin::report::{Item, Report};
use crate::admin::session::Session;
use crate::common::Outcome;

#[derive(Args)]
pub(crate) struct List {
    /// A share group; several with commas, or by repeating the option.
    #[arg(
        short,
        long = "group-id",
        visible_alias = "group",
        value_name = "GROUP",
        value_delimiter = ',',
        required = true
    )]
    groups: Vec<String>,
}

#[derive(Args)]
pub(crate) struct Alter {
    /// The share group.
    #[arg(short, long = "group-id", visible_alias = "group", value_name = "GROUP")]
    group: String,

    /// A partition, and the offset to begin at; can be repeated.
    #[arg(short, long = "offset", value_name = "TOPIC:PARTITION:OFFSET", required = true)]
    offsets: Vec<PartitionOffset>,
}

#[derive(Args)]
pub(crate) struct Delete {
    /// The share group.
    #[arg(short, long = "group-id", visible_alias = "group", value_name = "GROUP")]
    group: String,

    /// A topic; several with commas, or by repeating the option.
    #[arg(short, long = "topic", value_name = "TOPIC", value_delimiter = ',', required = true)]
    topics: Vec<String>,
}

impl List {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        let groups = self.groups.iter().map(String::as_str);
        let listed = session.wait("listing offsets", |admin| admin.list_share_group_offsets(groups))?;
        let found = listed.iter().filter_map(|(_, offsets)| offsets.as_ref().ok()).flatten();
        let ends = ends(session, found.map(|(partition, _)| partition.clone()))?;
        let mut report = Report::list([]);
        for (group, offsets) in listed {
            match offsets {
                Err(error) => report.add(Item::new().with("group", group), Err(error)),
                Ok(offsets) => {
                    for (partition, result) in offsets {
                        let end = ends.get(&partition).copied();
                        let item = result.map(|offset| {
                            Item::new()
                                .with("start_offset", offset.as_ref().map(|offset| offset.start_offset))
                                .with("end_offset", end)
                                .with("lag", offset.as_ref().and_then(|offset| offset.lag))
                                .with("leader_epoch", offset.and_then(|offset| offset.leader_epoch))
                        });
                        report.add(key(&group, &partition), item);
                    }
                }
            }
        }
        Ok(report)
    }
}

impl Alter {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        let offsets: Vec<(TopicPartition, i64)> =
            self.offsets.into_iter().map(|one| (one.partition, one.offset)).collect();
        session.confirm(&format!("set {} offsets of the share group {}", offsets.len(), self.group))?;
        let by_partition: HashMap<TopicPartition, i64> = offsets.iter().cloned().collect();
        let altered =
            session.wait("setting offsets", |admin| admin.alter_share_group_offsets(&self.group, offsets))?;
        Ok(Report::results(altered.into_iter().map(|(partition, result)| {
            let offset = by_partition.get(&partition).copied();
            let item = result.map(|()| Item::new().with("offset", offset).with("status", "set"));
            (key(&self.group, &partition), item)
        })))
    }
}

impl Delete {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        session.confirm(&format!(
            "delete where the share group {} stands in {}",
            self.group,
            enumerate(&self.topics)
        ))?;
        let deleted = session
            .wait("deleting offsets", |admin| admin.delete_share_group_offsets(&self.group, self.topics))?;
        Ok(Report::results(deleted.into_iter().map(|(topic, result)| {
            let key = Item::new().with("group", self.group.as_str()).with("topic", topic);
            (key, result.map(|()| Item::new().with("status", "deleted")))
        })))
    }
}

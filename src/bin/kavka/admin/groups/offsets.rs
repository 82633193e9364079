//! What groups have committed.

use std::collections::{BTreeSet, HashMap};

use clap::Args;
use kavka::admin::Results;
use kavka::config::IsolationLevel;
use kavka::{KafkaAdminClient, OffsetSpec, TopicPartition};

use crate::admin::arguments::{PartitionOffset, PartitionRange, Resolved, resolve};
use crate::admin::report::{Item, Report};
use crate::admin::session::Session;
use crate::common::Outcome;

#[derive(Args)]
pub(crate) struct Alter {
    /// The group.
    #[arg(short, long = "group-id", visible_alias = "group", value_name = "GROUP")]
    group: String,

    /// A partition, and the offset that the group is to go on with; can be repeated.
    #[arg(short, long = "offset", value_name = "TOPIC:PARTITION:OFFSET", required = true)]
    offsets: Vec<PartitionOffset>,
}

#[derive(Args)]
pub(crate) struct Delete {
    /// The group.
    #[arg(short, long = "group-id", visible_alias = "group", value_name = "GROUP")]
    group: String,

    /// Partitions: 3, 0-3, 2- or *; can be repeated.
    #[arg(short, long = "partition", value_name = "TOPIC:PARTITIONS", required = true)]
    partitions: Vec<PartitionRange>,
}

/// Where partitions end. Those that cannot be asked are missing.
pub(super) fn ends(
    session: &Session,
    partitions: impl IntoIterator<Item = TopicPartition>,
) -> Outcome<HashMap<TopicPartition, i64>> {
    let wanted: BTreeSet<TopicPartition> = partitions.into_iter().collect();
    let wanted = wanted.into_iter().map(|partition| (partition, OffsetSpec::Latest));
    let found = session.wait("looking for the ends", |admin| {
        admin.list_partition_offsets(wanted, IsolationLevel::ReadUncommitted)
    })?;
    let end =
        |(partition, result): (TopicPartition, kavka::Result<kavka::admin::PartitionOffset>)| match result {
            Ok(offset) => Some((partition, offset.offset?)),
            Err(error) => {
                log::warn!("{error}");
                None
            }
        };
    Ok(found.into_iter().filter_map(end).collect())
}

pub(super) fn key(group: &str, partition: &TopicPartition) -> Item {
    Item::new().with("group", group).with("topic", partition.topic()).with("partition", partition.partition())
}

/// A row for each partition of groups, made of what is known of it and of where it ends.
pub(super) fn table<T>(
    session: &Session,
    listed: Results<String, Results<TopicPartition, T>>,
    row: impl Fn(T, Option<i64>) -> Item,
) -> Outcome<Report> {
    let found = listed.iter().filter_map(|(_, offsets)| offsets.as_ref().ok()).flatten();
    let ends = ends(session, found.map(|(partition, _)| partition.clone()))?;
    let mut report = Report::list([]);
    for (group, offsets) in listed {
        match offsets {
            Err(error) => report.add(Item::new().with("group", group), Err(error)),
            Ok(offsets) => report.extend(offsets.into_iter().map(|(partition, result)| {
                let end = ends.get(&partition).copied();
                (key(&group, &partition), result.map(|known| row(known, end)))
            })),
        }
    }
    Ok(report)
}

pub(super) fn list(groups: &[String], session: &Session) -> Outcome<Report> {
    let listed = session.wait("listing offsets", |admin| admin.list_group_offsets(groups))?;
    table(session, listed, |committed, end| {
        let offset = committed.as_ref().map(|committed| committed.offset);
        let lag = end.zip(offset).map(|(end, offset)| end.saturating_sub(offset).max(0));
        Item::new()
            .with("offset", offset)
            .with("end_offset", end)
            .with("lag", lag)
            .with("leader_epoch", committed.as_ref().and_then(|one| one.leader_epoch))
            .with("metadata", committed.map(|committed| committed.metadata))
    })
}

impl Alter {
    /// `kind` is the kind of group that `alter` is for.
    pub(super) fn run(
        self,
        kind: &str,
        session: &Session,
        alter: impl FnOnce(
            &KafkaAdminClient,
            &str,
            Vec<(TopicPartition, i64)>,
        ) -> kavka::Result<Results<TopicPartition, ()>>,
    ) -> Outcome<Report> {
        let offsets: Vec<(TopicPartition, i64)> =
            self.offsets.into_iter().map(|one| (one.partition, one.offset)).collect();
        session.confirm(&format!("set {} offsets of the {kind} {}", offsets.len(), self.group))?;
        let by_partition: HashMap<TopicPartition, i64> = offsets.iter().cloned().collect();
        let altered = session.wait("setting offsets", |admin| alter(admin, &self.group, offsets))?;
        Ok(Report::results(altered.into_iter().map(|(partition, result)| {
            let offset = by_partition.get(&partition).copied();
            let item = result.map(|()| Item::new().with("offset", offset).with("status", "set"));
            (key(&self.group, &partition), item)
        })))
    }
}

impl Delete {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        let ranges: Vec<_> = self.partitions.into_iter().map(|range| (range, ())).collect();
        let Resolved { partitions, failures } = resolve(session, &ranges)?;
        let partitions: Vec<TopicPartition> =
            partitions.into_iter().map(|(partition, ())| partition).collect();
        if !partitions.is_empty() {
            session.confirm(&format!("delete {} offsets of the group {}", partitions.len(), self.group))?;
        }
        let deleted =
            session.wait("deleting offsets", |admin| admin.delete_group_offsets(&self.group, partitions))?;
        let mut report = Report::results(deleted.into_iter().map(|(partition, result)| {
            (key(&self.group, &partition), result.map(|()| Item::new().with("status", "deleted")))
        }));
        report.extend(failures);
        Ok(report)
    }
}

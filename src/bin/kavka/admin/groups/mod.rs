//! `kavka admin groups`.

mod describe;
mod members;
mod offsets;
mod reset;
mod share;

use clap::{Args, Subcommand};
use kavka::admin::{GroupFilter, GroupState, GroupType};

use super::arguments::enumerate;
use super::report::{Item, Report};
use super::session::Session;
use crate::common::Outcome;

/// Look at groups of all kinds, set their offsets, take members out, delete them.
#[derive(Subcommand)]
pub(crate) enum Groups {
    /// Which groups there are.
    List(List),
    /// State, members and assignments of groups, of whatever kind.
    Describe(Chosen),
    /// Delete groups without members, and their offsets.
    Delete(Chosen),
    /// What groups have committed, and how far they are behind.
    ListOffsets(Chosen),
    /// Set offsets of a group without members.
    AlterOffsets(offsets::Alter),
    /// Move a group without members to another place: by time, by a shift, to the ends.
    ResetOffsets(reset::Reset),
    /// Delete offsets of a group.
    DeleteOffsets(offsets::Delete),
    /// Take members out of a group.
    RemoveMembers(members::Remove),
    /// Where share groups stand, and how far they are behind.
    ListShareOffsets(Chosen),
    /// Set where a share group without members begins.
    AlterShareOffsets(offsets::Alter),
    /// Delete where a share group without members stands in topics.
    DeleteShareOffsets(share::Delete),
}

#[derive(Args)]
pub(crate) struct List {
    /// Groups in this state alone; several with commas, or by repeating the option.
    #[arg(long = "state", value_name = "STATE", value_delimiter = ',')]
    states: Vec<GroupState>,

    /// Groups of this kind alone: classic, consumer, share or streams; several as with --state.
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    types: Vec<GroupType>,

    /// Groups whose members use this protocol alone, such as consumer or connect; several as with --state.
    #[arg(long = "protocol", value_name = "PROTOCOL", value_delimiter = ',')]
    protocols: Vec<String>,

    /// Groups that this broker coordinates alone; several as with --state.
    #[arg(long = "broker-id", value_name = "ID", value_delimiter = ',')]
    brokers: Vec<i32>,
}

/// Groups by their ids.
#[derive(Args)]
pub(crate) struct Chosen {
    /// A group; several with commas, or by repeating the option.
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

impl Groups {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        match self {
            Self::List(list) => list.run(session),
            Self::Describe(chosen) => describe::run(&chosen.groups, session),
            Self::Delete(chosen) => chosen.delete(session),
            Self::ListOffsets(chosen) => offsets::list(&chosen.groups, session),
            Self::AlterOffsets(alter) => {
                alter.run("group", session, |admin, group, offsets| admin.alter_group_offsets(group, offsets))
            }
            Self::ResetOffsets(reset) => reset.run(session),
            Self::DeleteOffsets(delete) => delete.run(session),
            Self::RemoveMembers(remove) => remove.run(session),
            Self::ListShareOffsets(chosen) => share::list(&chosen.groups, session),
            Self::AlterShareOffsets(alter) => alter.run("share group", session, |admin, group, offsets| {
                admin.alter_share_group_offsets(group, offsets)
            }),
            Self::DeleteShareOffsets(delete) => delete.run(session),
        }
    }
}

impl List {
    fn run(self, session: &Session) -> Outcome<Report> {
        let mut filter = GroupFilter::new();
        filter = self.states.into_iter().fold(filter, GroupFilter::state);
        filter = self.types.into_iter().fold(filter, GroupFilter::group_type);
        filter = self.protocols.into_iter().fold(filter, GroupFilter::protocol_type);
        filter = self.brokers.into_iter().fold(filter, GroupFilter::broker);
        let listed = session.wait("listing groups", |admin| admin.list_groups(&filter))?;
        let mut report = Report::list([]);
        let mut groups = Vec::new();
        for (broker, result) in listed {
            match result {
                Ok(found) => groups.extend(found.into_iter().map(|group| (group, broker))),
                Err(error) => report.add(Item::new().with("coordinator", broker), Err(error)),
            }
        }
        groups.sort_by(|(a, _), (b, _)| a.group_id.cmp(&b.group_id));
        for (group, broker) in groups {
            let item = Item::new()
                .with("type", group.group_type.map(|kind| kind.to_string()))
                .with("protocol", group.protocol_type)
                .with("state", group.state.map(|state| state.to_string()))
                .with("coordinator", broker);
            report.add(Item::new().with("group", group.group_id), Ok(item));
        }
        Ok(report)
    }
}

impl Chosen {
    fn delete(self, session: &Session) -> Outcome<Report> {
        session.confirm(&format!("delete the groups {} and their offsets", enumerate(&self.groups)))?;
        let deleted = session.wait("deleting groups", |admin| admin.delete_groups(self.groups))?;
        Ok(Report::results(deleted.into_iter().map(|(group, result)| {
            (Item::new().with("group", group), result.map(|()| Item::new().with("status", "deleted")))
        })))
    }
}

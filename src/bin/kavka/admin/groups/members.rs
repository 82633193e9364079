//! Taking members out.

use clap::Args;
use kavka::admin::MemberToRemove;

use crate::admin::report::{Item, Report};
use crate::admin::session::Session;
use crate::common::Outcome;

#[derive(Args)]
#[group(id = "members", required = true, multiple = true)]
pub(crate) struct Who {
    /// A member by its id; can be repeated.
    #[arg(short, long = "member-id", value_name = "ID", allow_hyphen_values = true)]
    member_ids: Vec<String>,

    /// A static member by its own id; can be repeated.
    #[arg(short = 'i', long = "group-instance-id", value_name = "ID")]
    instance_ids: Vec<String>,

    /// All members.
    #[arg(long, conflicts_with_all = ["member_ids", "instance_ids"])]
    all: bool,
}

#[derive(Args)]
pub(crate) struct Remove {
    /// The group.
    #[arg(short, long = "group-id", visible_alias = "group", value_name = "GROUP")]
    group: String,

    #[command(flatten)]
    who: Who,

    /// Why, for the broker's log.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Remove {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        let reason = self.reason.unwrap_or_default();
        let ids = self.who.member_ids.iter().map(MemberToRemove::member_id);
        let instances = self.who.instance_ids.iter().map(MemberToRemove::group_instance_id);
        let members: Vec<MemberToRemove> = ids
            .chain(instances)
            .map(|member| if reason.is_empty() { member } else { member.reason(&reason) })
            .collect();
        let count = if self.who.all { "all".to_owned() } else { members.len().to_string() };
        session.confirm(&format!("take {count} members out of the group {}", self.group))?;
        let removed = session.wait("removing members", |admin| match self.who.all {
            true => admin.remove_all_group_members(&self.group, &reason),
            false => admin.remove_group_members(&self.group, members),
        })?;
        Ok(Report::results(removed.into_iter().map(|(member, result)| {
            let key = Item::new().with("member", member.to_string());
            (key, result.map(|()| Item::new().with("status", "removed")))
        })))
    }
}

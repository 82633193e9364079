//! Where share groups stand.

use clap::Args;

use super::offsets::table;
use crate::admin::arguments::enumerate;
use crate::admin::report::{Item, Report};
use crate::admin::session::Session;
use crate::common::Outcome;

#[derive(Args)]
pub(crate) struct Delete {
    /// The share group.
    #[arg(short, long = "group-id", visible_alias = "group", value_name = "GROUP")]
    group: String,

    /// A topic; several with commas, or by repeating the option.
    #[arg(short, long = "topic", value_name = "TOPIC", value_delimiter = ',', required = true)]
    topics: Vec<String>,
}

pub(super) fn list(groups: &[String], session: &Session) -> Outcome<Report> {
    let groups = groups.iter().map(String::as_str);
    let listed = session.wait("listing offsets", |admin| admin.list_share_group_offsets(groups))?;
    table(session, listed, |offset, end| {
        Item::new()
            .with("start_offset", offset.as_ref().map(|offset| offset.start_offset))
            .with("end_offset", end)
            .with("lag", offset.as_ref().and_then(|offset| offset.lag))
            .with("leader_epoch", offset.and_then(|offset| offset.leader_epoch))
    })
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

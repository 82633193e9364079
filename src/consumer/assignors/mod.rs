//! How the leader of a classic group shares out partitions: pure functions, whose results are Java's. So partitions
//! stay where they are when the lead passes from one client to another.

mod range;
mod round_robin;
mod sticky;

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::config::{Assignor, GroupAssignment, GroupMember, GroupTopics, LastAssignment};
use crate::error::{Error, ErrorKind, Result, printable};
use crate::types::TopicPartition;

/// Shares out the partitions of topics that exist.
///
/// # Errors
/// [`ErrorKind::IllegalState`] when an assignor of the program gives a partition away twice, or one that there
/// is not.
pub(super) fn assign(
    assignor: &Assignor,
    members: &[GroupMember],
    topics: &GroupTopics,
) -> Result<GroupAssignment> {
    let mut sorted: Vec<&GroupMember> = members.iter().collect();
    sorted.sort_by(|a, b| order(a).cmp(&order(b)));
    let mut assignment = match assignor {
        Assignor::Range => range::assign(&sorted, topics),
        Assignor::RoundRobin => round_robin::assign(&sorted, topics),
        Assignor::Sticky => sticky::assign(members, topics, false),
        Assignor::CooperativeSticky => sticky::assign(members, topics, true),
        Assignor::Custom(custom) => {
            let assignment = custom.assign(members, topics);
            check(custom.name(), &assignment, members, topics)?;
            assignment
        }
    };
    for member in members {
        assignment.entry(member.id.clone()).or_default();
    }
    Ok(assignment)
}

/// What a member tells the leader besides of its topics.
pub(super) fn user_data(
    assignor: &Assignor,
    topics: &[String],
    last: Option<&LastAssignment>,
) -> Option<Bytes> {
    match assignor {
        Assignor::Sticky => last.map(sticky::user_data::previous),
        Assignor::CooperativeSticky => Some(sticky::user_data::generation(last)),
        Assignor::Custom(custom) => custom.user_data(topics, last),
        _ => None,
    }
}

fn check(
    name: &str,
    assignment: &GroupAssignment,
    members: &[GroupMember],
    topics: &GroupTopics,
) -> Result<()> {
    let mut given = BTreeSet::new();
    for (id, share) in assignment {
        let fault = |what: &str, tp: &TopicPartition| {
            let text = format!("the assignor {name} gave member {} a partition {what}", printable(id));
            Error::new(ErrorKind::IllegalState, text).with_topic(tp.topic()).with_partition(tp.partition())
        };
        let member = members.iter().find(|member| member.id == *id);
        for tp in share {
            let count = topics.get(tp.topic()).map_or(0, |topic| topic.partitions.len());
            if !usize::try_from(tp.partition()).is_ok_and(|partition| partition < count) {
                return Err(fault("that there is not", tp));
            } else if !member.is_some_and(|member| wants(member, tp.topic())) {
                return Err(fault("of a topic that it does not want", tp));
            } else if !given.insert(tp) {
                return Err(fault("that another one has", tp));
            }
        }
    }
    Ok(())
}

/// Static members come first, by their static ids, so that a restart under another member id moves nothing.
fn order(member: &GroupMember) -> (bool, &str) {
    match &member.instance_id {
        Some(instance_id) => (false, instance_id),
        None => (true, &member.id),
    }
}

fn wants(member: &GroupMember, topic: &str) -> bool {
    member.topics.iter().any(|wanted| wanted == topic)
}

/// Whether racks make a difference: some member is where some replica is, and not all partitions are everywhere.
fn racks_matter(members: &BTreeSet<&str>, partitions: &[BTreeSet<&str>]) -> bool {
    let all: BTreeSet<&str> = partitions.iter().flatten().copied().collect();
    !members.is_disjoint(&all) && !partitions.iter().all(|racks| *racks == all)
}

#[cfg(test)]
mod tests;

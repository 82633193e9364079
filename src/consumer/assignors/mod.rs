//! How the leader of a classic group shares out partitions: pure functions, whose results are Java's.

mod range;
mod round_robin;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::Assignor;
use crate::types::TopicPartition;

/// A member of the group and the topics that it wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) id: String,
    pub(super) instance_id: Option<String>,
    pub(super) topics: Vec<String>,
}

/// The partitions of each member, by its id.
pub(super) type Assignment = BTreeMap<String, Vec<TopicPartition>>;

/// Shares out the partitions of topics that exist, given with their number of partitions.
pub(super) fn assign(
    assignor: Assignor,
    members: &[Member],
    partitions: &BTreeMap<Arc<str>, i32>,
) -> Assignment {
    let mut members: Vec<&Member> = members.iter().collect();
    members.sort_by(|a, b| order(a).cmp(&order(b)));
    let mut assignment = match assignor {
        Assignor::Range => range::assign(&members, partitions),
        Assignor::RoundRobin => round_robin::assign(&members, partitions),
    };
    for member in members {
        assignment.entry(member.id.clone()).or_default();
    }
    assignment
}

/// Static members come first, by their static ids, so that a restart under another member id moves nothing.
fn order(member: &Member) -> (bool, &str) {
    match &member.instance_id {
        Some(instance_id) => (false, instance_id),
        None => (true, &member.id),
    }
}

fn wants(member: &Member, topic: &str) -> bool {
    member.topics.iter().any(|wanted| wanted == topic)
}

#[cfg(test)]
mod tests;

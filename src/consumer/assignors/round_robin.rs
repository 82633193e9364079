//! All partitions of all topics in turn; a member that does not want a topic is passed over.

use std::sync::Arc;

use super::wants;
use crate::config::{GroupAssignment, GroupMember, GroupTopics};
use crate::types::TopicPartition;

pub(super) fn assign(members: &[&GroupMember], topics: &GroupTopics) -> GroupAssignment {
    let mut assignment = GroupAssignment::new();
    let mut turn = 0;
    for (name, topic) in topics {
        if !members.iter().any(|member| wants(member, name)) {
            continue;
        }
        for (partition, _) in (0..).zip(&topic.partitions) {
            // Somebody wants it, so the circle comes to an end.
            for member in members.iter().cycle().skip(turn).take(members.len()) {
                turn = (turn + 1) % members.len();
                if wants(member, name) {
                    let tp = TopicPartition::new(Arc::clone(name), partition);
                    assignment.entry(member.id.clone()).or_default().push(tp);
                    break;
                }
            }
        }
    }
    assignment
}

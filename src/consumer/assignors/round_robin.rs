//! All partitions of all topics in turn; a member that does not want a topic is passed over.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Assignment, Member, wants};
use crate::types::TopicPartition;

pub(super) fn assign(members: &[&Member], partitions: &BTreeMap<Arc<str>, i32>) -> Assignment {
    let mut assignment = Assignment::new();
    let mut turn = 0;
    for (topic, count) in partitions {
        if !members.iter().any(|member| wants(member, topic)) {
            continue;
        }
        for partition in 0..*count {
            // Somebody wants it, so the circle comes to an end.
            for member in members.iter().cycle().skip(turn).take(members.len()) {
                turn = (turn + 1) % members.len();
                if wants(member, topic) {
                    let tp = TopicPartition::new(Arc::clone(topic), partition);
                    assignment.entry(member.id.clone()).or_default().push(tp);
                    break;
                }
            }
        }
    }
    assignment
}

//! Each topic by itself, in contiguous ranges; the first members get one more when it does not come out even.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Assignment, Member, wants};
use crate::types::TopicPartition;

pub(super) fn assign(members: &[&Member], partitions: &BTreeMap<Arc<str>, i32>) -> Assignment {
    let mut assignment = Assignment::new();
    for (topic, count) in partitions {
        let takers: Vec<&Member> = members.iter().copied().filter(|member| wants(member, topic)).collect();
        let Ok(number) = i32::try_from(takers.len()) else { continue };
        if number == 0 {
            continue;
        }
        let (each, extra) = (count / number, count % number);
        let mut next = 0;
        for (place, member) in (0..).zip(takers) {
            let end = next + each + i32::from(place < extra);
            let range = (next..end).map(|partition| TopicPartition::new(Arc::clone(topic), partition));
            assignment.entry(member.id.clone()).or_default().extend(range);
            next = end;
        }
    }
    assignment
}

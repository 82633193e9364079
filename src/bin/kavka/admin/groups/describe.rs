//! What groups are, and who is in them.

use std::collections::BTreeMap;

use kavka::TopicPartition;
use kavka::admin::{
    AclOperation, ClassicMember, ConsumerMember, GroupDescription, ShareMember, StreamsMember, StreamsTasks,
};
use kavka::types::Node;
use serde_json::Value;

use crate::admin::report::{Item, Report};
use crate::admin::session::Session;
use crate::common::Outcome;

pub(super) fn run(groups: &[String], session: &Session) -> Outcome<Report> {
    let described = session.wait("describing groups", |admin| admin.describe_groups(groups))?;
    Ok(Report::results(
        described.into_iter().map(|(group, result)| (Item::new().with("group", group), result.map(item))),
    ))
}

fn item(group: GroupDescription) -> Item {
    let head = Item::new()
        .with("type", group.group_type().to_string())
        .with("state", group.state().to_string())
        .with("coordinator", group.coordinator().map(Node::to_string));
    match group {
        GroupDescription::Classic(group) => head
            .with("protocol", group.protocol_type)
            .with("assignor", group.protocol)
            .with("authorized_operations", operations(group.authorized_operations))
            .list("members", group.members.into_iter().map(classic)),
        GroupDescription::Consumer(group) => head
            .with("assignor", group.partition_assignor)
            .with("group_epoch", group.group_epoch)
            .with("assignment_epoch", group.assignment_epoch)
            .with("authorized_operations", operations(group.authorized_operations))
            .list("members", group.members.into_iter().map(consumer)),
        GroupDescription::Share(group) => head
            .with("assignor", group.partition_assignor)
            .with("group_epoch", group.group_epoch)
            .with("assignment_epoch", group.assignment_epoch)
            .with("authorized_operations", operations(group.authorized_operations))
            .list("members", group.members.into_iter().map(share)),
        GroupDescription::Streams(group) => head
            .with("group_epoch", group.group_epoch)
            .with("assignment_epoch", group.assignment_epoch)
            .with("topology_epoch", group.topology_epoch)
            .with("assignor", group.assignor)
            .with("topology_status", group.topology_status.to_string())
            .with("authorized_operations", operations(group.authorized_operations))
            .list(
                "subtopologies",
                group.subtopologies.into_iter().map(|part| {
                    let names = |topics: Vec<kavka::admin::InternalTopic>| {
                        topics.into_iter().map(|topic| topic.name).collect::<Vec<_>>()
                    };
                    Item::new()
                        .with("subtopology", part.id)
                        .with("source_topics", part.source_topics)
                        .with("repartition_sink_topics", part.repartition_sink_topics)
                        .with("repartition_source_topics", names(part.repartition_source_topics))
                        .with("changelog_topics", names(part.state_changelog_topics))
                }),
            )
            .list("members", group.members.into_iter().map(streams)),
        _ => head,
    }
}

fn classic(member: ClassicMember) -> Item {
    let (topics, assignment) = (member.subscribed_topics(), member.assigned_partitions());
    Item::new()
        .with("member_id", member.member_id)
        .with("instance_id", member.group_instance_id)
        .with("client_id", member.client_id)
        .with("host", member.client_host)
        .with("topics", topics)
        .with("assignment", partitions(&assignment))
}

fn consumer(member: ConsumerMember) -> Item {
    Item::new()
        .with("member_id", member.member_id)
        .with("instance_id", member.group_instance_id)
        .with("client_id", member.client_id)
        .with("host", member.client_host)
        .with("rack", member.rack)
        .with("epoch", member.member_epoch)
        .with("upgraded", member.upgraded)
        .with("topics", member.subscribed_topics)
        .with("pattern", member.subscribed_pattern)
        .with("assignment", partitions(&member.assignment))
        .with("target_assignment", member.target_assignment.as_deref().map(partitions))
}

fn share(member: ShareMember) -> Item {
    Item::new()
        .with("member_id", member.member_id)
        .with("client_id", member.client_id)
        .with("host", member.client_host)
        .with("rack", member.rack)
        .with("epoch", member.member_epoch)
        .with("topics", member.subscribed_topics)
        .with("assignment", partitions(&member.assignment))
}

fn streams(member: StreamsMember) -> Item {
    Item::new()
        .with("member_id", member.member_id)
        .with("instance_id", member.group_instance_id)
        .with("client_id", member.client_id)
        .with("host", member.client_host)
        .with("process_id", member.process_id)
        .with("epoch", member.member_epoch)
        .with("topology_epoch", member.topology_epoch)
        .with("active_tasks", tasks(&member.assignment.active))
        .with("standby_tasks", tasks(&member.assignment.standby))
        .with("warmup_tasks", tasks(&member.assignment.warmup))
        .with("target_tasks", all_tasks(&member.target_assignment))
}

fn partitions(partitions: &[TopicPartition]) -> Value {
    partitions.iter().map(|one| format!("{}:{}", one.topic(), one.partition())).collect::<Vec<_>>().into()
}

fn tasks(tasks: &BTreeMap<String, Vec<i32>>) -> Value {
    let names = tasks.iter().flat_map(|(part, all)| all.iter().map(move |index| format!("{part}_{index}")));
    names.collect::<Vec<_>>().into()
}

fn all_tasks(all: &StreamsTasks) -> Value {
    let mut names = tasks(&all.active);
    for more in [tasks(&all.standby), tasks(&all.warmup)] {
        if let (Value::Array(names), Value::Array(more)) = (&mut names, more) {
            names.extend(more);
        }
    }
    names
}

fn operations(operations: Option<Vec<AclOperation>>) -> Option<Vec<String>> {
    operations.map(|all| all.iter().map(ToString::to_string).collect())
}

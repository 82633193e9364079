//! Groups of consumers, of the new protocol (KIP-848) and of the classic one.

use super::classic::{ClassicGroupDescription, ClassicMember};
use super::{GroupState, GroupType, assigned, some_text};
use crate::admin::{
    AclOperation, Admin, At, Call, KafkaAdminClient, Results, authorized_operations, unanswered, verdict,
};
use crate::error::{Error, ErrorKind, Result};
use crate::error_code::ErrorCode;
use crate::protocol::messages::consumer_group_describe::{Assignment, DescribedGroup, Member};
use crate::protocol::messages::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse};
use crate::types::{Node, TopicPartition};

/// A group of consumers, of either protocol.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerGroupDescription {
    /// The group.
    pub group_id: String,
    /// [`Consumer`](GroupType::Consumer) or [`Classic`](GroupType::Classic).
    pub group_type: GroupType,
    /// How it fares.
    pub state: GroupState,
    /// Whether it only has offsets: its consumers assign their partitions themselves.
    pub is_simple_consumer_group: bool,
    /// The assignor in use, such as `range` or `uniform`; empty while there is none.
    pub partition_assignor: String,
    /// The members.
    pub members: Vec<ConsumerMember>,
    /// The broker that coordinates it.
    pub coordinator: Option<Node>,
    /// What this client may do with it; `None` from brokers before 2.3.
    pub authorized_operations: Option<Vec<AclOperation>>,
    /// Grows with every change of the members or of what they want (new protocol).
    pub group_epoch: Option<i32>,
    /// The group epoch that the target assignment was made for (new protocol).
    pub assignment_epoch: Option<i32>,
}

/// A consumer in a group.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerMember {
    /// The member's id.
    pub member_id: String,
    /// The static id (KIP-345), if it has one.
    pub group_instance_id: Option<String>,
    /// The rack that it is in, if it says.
    pub rack: Option<String>,
    /// The client's name for itself.
    pub client_id: String,
    /// The address that it came from.
    pub client_host: String,
    /// The topics that it is subscribed to by name.
    pub subscribed_topics: Vec<String>,
    /// The pattern that it is subscribed to (new protocol), if any.
    pub subscribed_pattern: Option<String>,
    /// The partitions that it has.
    pub assignment: Vec<TopicPartition>,
    /// The partitions that it is to have (new protocol).
    pub target_assignment: Option<Vec<TopicPartition>>,
    /// The epoch that it has reached (new protocol).
    pub member_epoch: Option<i32>,
    /// Whether it speaks the new protocol; `None` where the broker does not tell (before 4.0).
    pub upgraded: Option<bool>,
}

impl KafkaAdminClient {
    /// Describes groups of consumers, of the new protocol (KIP-848) and of the classic one. Java's
    /// `describeConsumerGroups`.
    ///
    /// # Errors
    /// For a group [`GROUP_ID_NOT_FOUND`](ErrorCode::GROUP_ID_NOT_FOUND); [`ErrorKind::Authorization`];
    /// [`ErrorKind::InvalidArgument`] when its members are no consumers.
    pub fn describe_consumer_groups(
        &self,
        groups: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Results<String, ConsumerGroupDescription>> {
        let groups: Vec<String> = groups.into_iter().map(Into::into).collect();
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        self.call(DESCRIBE, move |admin, call| async move {
            let new = admin.describe_new_consumer_groups(call, groups).await;
            let is_another = |result: &Result<_>| result.as_ref().is_err_and(is_another_kind);
            let others = new.iter().filter(|(_, result)| is_another(result)).map(|(id, _)| id.clone());
            let mut classic = admin.describe_classic_groups(call, others.collect()).await.into_iter();
            // In the order of the groups, both of them.
            let merge = |(id, result): (String, Result<ConsumerGroupDescription>)| {
                if !is_another(&result) {
                    return (id, result);
                }
                let classic = classic.next().map_or_else(|| Err(unanswered(DESCRIBE)), |(_, result)| result);
                (id, classic.and_then(of_classic))
            };
            Ok(new.into_iter().map(merge).collect())
        })
    }
}

impl Admin {
    /// Asks for groups of the new protocol alone.
    pub(super) async fn describe_new_consumer_groups(
        &self,
        call: Call,
        groups: Vec<String>,
    ) -> Results<String, ConsumerGroupDescription> {
        let request = |_: &At, group_ids| ConsumerGroupDescribeRequest {
            group_ids,
            include_authorized_operations: true,
        };
        let lines = |response: ConsumerGroupDescribeResponse| {
            response.groups.into_iter().map(|group| (group.group_id.clone(), group)).collect()
        };
        self.describe_at_coordinators(call, groups, request, lines, described).await
    }
}

/// Whether the group may be found through another API: it is of another kind, or the broker is too old for this one.
pub(super) fn is_another_kind(error: &Error) -> bool {
    error.code() == Some(ErrorCode::GROUP_ID_NOT_FOUND) || error.kind() == ErrorKind::UnsupportedVersion
}

fn described(group: DescribedGroup, coordinator: Option<Node>) -> Result<ConsumerGroupDescription> {
    let what = format!("{DESCRIBE} {}", group.group_id);
    verdict(group.error_code, group.error_message.as_deref(), &what)?;
    Ok(ConsumerGroupDescription {
        group_id: group.group_id,
        group_type: GroupType::Consumer,
        state: GroupState::from_word(&group.group_state),
        is_simple_consumer_group: false,
        partition_assignor: group.assignor_name,
        members: group.members.into_iter().map(member).collect(),
        coordinator,
        authorized_operations: authorized_operations(group.authorized_operations),
        group_epoch: Some(group.group_epoch),
        assignment_epoch: Some(group.assignment_epoch),
    })
}

fn member(member: Member) -> ConsumerMember {
    ConsumerMember {
        member_id: member.member_id,
        group_instance_id: member.instance_id,
        rack: some_text(member.rack_id),
        client_id: member.client_id,
        client_host: member.client_host,
        subscribed_topics: member.subscribed_topic_names,
        subscribed_pattern: some_text(member.subscribed_topic_regex),
        assignment: partitions(member.assignment),
        target_assignment: Some(partitions(member.target_assignment)),
        member_epoch: Some(member.member_epoch),
        upgraded: match member.member_type {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        },
    }
}

fn partitions(assignment: Assignment) -> Vec<TopicPartition> {
    let topics = assignment.topic_partitions.into_iter();
    assigned(topics.map(|topic| (topic.topic_id, topic.topic_name, topic.partitions)))
}

fn of_classic(group: ClassicGroupDescription) -> Result<ConsumerGroupDescription> {
    if !group.is_consumer_group() {
        let text = format!(
            "{DESCRIBE} {}: its members are no consumers but speak the protocol {:?}; use describe_classic_groups",
            group.group_id, group.protocol_type
        );
        return Err(Error::new(ErrorKind::InvalidArgument, text));
    }
    Ok(ConsumerGroupDescription {
        is_simple_consumer_group: group.is_simple_consumer_group(),
        group_id: group.group_id,
        group_type: GroupType::Classic,
        state: group.state,
        partition_assignor: group.protocol,
        members: group.members.into_iter().map(classic_member).collect(),
        coordinator: group.coordinator,
        authorized_operations: group.authorized_operations,
        group_epoch: None,
        assignment_epoch: None,
    })
}

fn classic_member(member: ClassicMember) -> ConsumerMember {
    ConsumerMember {
        rack: member.rack(),
        subscribed_topics: member.subscribed_topics(),
        subscribed_pattern: None,
        assignment: member.assigned_partitions(),
        target_assignment: None,
        member_epoch: None,
        upgraded: Some(false),
        member_id: member.member_id,
        group_instance_id: member.group_instance_id,
        client_id: member.client_id,
        client_host: member.client_host,
    }
}

const DESCRIBE: &str = "describe consumer group";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Uuid;
    use crate::protocol::messages::consumer_group_describe::TopicPartitions;

    #[test]
    fn members_of_the_new_protocol_are_read() {
        let assignment = Assignment {
            topic_partitions: vec![
                TopicPartitions { topic_id: Uuid::ZERO, topic_name: "b".to_owned(), partitions: vec![1, 0] },
                TopicPartitions { topic_id: Uuid::ZERO, topic_name: "a".to_owned(), partitions: vec![2] },
            ],
        };
        let group = DescribedGroup {
            group_id: "g".to_owned(),
            group_state: "Reconciling".to_owned(),
            group_epoch: 4,
            assignor_name: "uniform".to_owned(),
            members: vec![Member {
                rack_id: Some(String::new()),
                subscribed_topic_regex: Some("o.*".to_owned()),
                assignment,
                member_type: 0,
                ..Default::default()
            }],
            ..Default::default()
        };
        let group = described(group, None).expect("a group");
        assert_eq!((&group.state, group.group_epoch), (&GroupState::Reconciling, Some(4)));
        let member = group.members.first().expect("a member");
        let expected = [("a", 2), ("b", 0), ("b", 1)].map(TopicPartition::from);
        assert_eq!(member.assignment, expected);
        assert_eq!((member.rack.as_deref(), member.subscribed_pattern.as_deref()), (None, Some("o.*")));
        assert_eq!(member.upgraded, Some(false));
    }
}

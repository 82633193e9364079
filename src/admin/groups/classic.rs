//! Groups of the classic protocol, whatever their members are.

use bytes::Bytes;

use super::GroupState;
use crate::admin::{
    AclOperation, Admin, At, Call, KafkaAdminClient, Results, authorized_operations, verdict,
};
use crate::error::{Error, Result};
use crate::error_code::ErrorCode;
use crate::protocol::decode_versioned;
use crate::protocol::messages::consumer_protocol::ConsumerProtocolAssignmentTopicPartition;
use crate::protocol::messages::describe_groups::{DescribedGroup, DescribedGroupMember};
use crate::protocol::messages::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, DescribeGroupsRequest, DescribeGroupsResponse,
};
use crate::types::{Node, TopicPartition};

/// A group of the classic protocol.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassicGroupDescription {
    /// The group.
    pub group_id: String,
    /// How it fares.
    pub state: GroupState,
    /// What its members are: `consumer`, `connect`, …; empty for a group that only has offsets.
    pub protocol_type: String,
    /// What the members agreed on: for consumers the assignor, such as `range`. Empty while they have not.
    pub protocol: String,
    /// The members.
    pub members: Vec<ClassicMember>,
    /// The broker that coordinates it.
    pub coordinator: Option<Node>,
    /// What this client may do with it; `None` from brokers before 2.3.
    pub authorized_operations: Option<Vec<AclOperation>>,
}

impl ClassicGroupDescription {
    /// Whether its members are consumers, or it only has offsets.
    pub fn is_consumer_group(&self) -> bool {
        matches!(self.protocol_type.as_str(), "" | CONSUMER)
    }

    /// Whether it only has offsets: its consumers assign their partitions themselves.
    pub fn is_simple_consumer_group(&self) -> bool {
        self.protocol_type.is_empty()
    }
}

/// A member of a group of the classic protocol.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassicMember {
    /// The member's id, given by the broker.
    pub member_id: String,
    /// The static id (KIP-345), if it has one.
    pub group_instance_id: Option<String>,
    /// The client's name for itself.
    pub client_id: String,
    /// The address that it came from.
    pub client_host: String,
    /// What it told the group's leader, in its protocol's own form.
    pub metadata: Bytes,
    /// What the group's leader told it, in the protocol's own form.
    pub assignment: Bytes,
}

impl ClassicMember {
    /// The topics that a consumer is subscribed to; none for what is no consumer's metadata.
    pub fn subscribed_topics(&self) -> Vec<String> {
        self.subscription().map(|subscription| subscription.topics).unwrap_or_default()
    }

    /// The partitions that a consumer has; none for what is no consumer's assignment.
    pub fn assigned_partitions(&self) -> Vec<TopicPartition> {
        let assignment = match decode_versioned::<ConsumerProtocolAssignment>(self.assignment.clone()) {
            Ok((_, assignment)) => assignment,
            Err(_) => return Vec::new(),
        };
        let named = |topic: ConsumerProtocolAssignmentTopicPartition| {
            (crate::protocol::Uuid::ZERO, topic.topic, topic.partitions)
        };
        super::assigned(assignment.assigned_partitions.into_iter().map(named))
    }

    /// A consumer's rack, if it told the group's leader.
    pub(super) fn rack(&self) -> Option<String> {
        super::some_text(self.subscription()?.rack_id)
    }

    fn subscription(&self) -> Option<ConsumerProtocolSubscription> {
        // Members that have not been assigned anything yet have empty bytes, others those of another protocol.
        decode_versioned(self.metadata.clone()).ok().map(|(_, subscription)| subscription)
    }
}

impl KafkaAdminClient {
    /// Describes groups of the classic protocol: consumers, Kafka Connect, schema registries and others. Needs
    /// Kafka 0.9. Java's `describeClassicGroups`.
    ///
    /// # Errors
    /// For a group [`GROUP_ID_NOT_FOUND`](ErrorCode::GROUP_ID_NOT_FOUND) when it does not exist or is of another
    /// kind; [`ErrorKind::Authorization`](crate::ErrorKind::Authorization).
    pub fn describe_classic_groups(
        &self,
        groups: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Results<String, ClassicGroupDescription>> {
        let groups: Vec<String> = groups.into_iter().map(Into::into).collect();
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        self.call(DESCRIBE, move |admin, call| async move {
            Ok(admin.describe_classic_groups(call, groups).await)
        })
    }
}

impl Admin {
    pub(super) async fn describe_classic_groups(
        &self,
        call: Call,
        groups: Vec<String>,
    ) -> Results<String, ClassicGroupDescription> {
        let request = |at: &At, groups| DescribeGroupsRequest {
            groups,
            include_authorized_operations: at.version >= OPERATIONS_SINCE,
        };
        let lines = |response: DescribeGroupsResponse| {
            response.groups.into_iter().map(|group| (group.group_id.clone(), group)).collect()
        };
        self.describe_at_coordinators(call, groups, request, lines, described).await
    }
}

fn described(group: DescribedGroup, coordinator: Option<Node>) -> Result<ClassicGroupDescription> {
    let what = || format!("{DESCRIBE} {}", group.group_id);
    verdict(group.error_code, group.error_message.as_deref(), &what())?;
    let state = GroupState::from_word(&group.group_state);
    if state == GroupState::Dead {
        // So say brokers before 4.0.
        return Err(Error::from_code(ErrorCode::GROUP_ID_NOT_FOUND, what()));
    }
    let member = |member: DescribedGroupMember| ClassicMember {
        member_id: member.member_id,
        group_instance_id: member.group_instance_id,
        client_id: member.client_id,
        client_host: member.client_host,
        metadata: member.member_metadata,
        assignment: member.member_assignment,
    };
    Ok(ClassicGroupDescription {
        group_id: group.group_id,
        state,
        protocol_type: group.protocol_type,
        protocol: group.protocol_data,
        members: group.members.into_iter().map(member).collect(),
        coordinator,
        authorized_operations: authorized_operations(group.authorized_operations),
    })
}

const DESCRIBE: &str = "describe classic group";
/// The protocol type of consumers.
const CONSUMER: &str = "consumer";
/// The version of DescribeGroups that tells what the client may do (KIP-430).
const OPERATIONS_SINCE: i16 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_consumers_is_left_as_it_is() {
        let group = DescribedGroup {
            group_id: "connect".to_owned(),
            group_state: "Stable".to_owned(),
            protocol_type: "connect".to_owned(),
            members: vec![DescribedGroupMember {
                member_metadata: Bytes::from_static(b"\xff\xff\xff"),
                member_assignment: Bytes::from_static(b"{}"),
                ..Default::default()
            }],
            ..Default::default()
        };
        let group = described(group, None).expect("a group");
        assert!(!group.is_consumer_group() && !group.is_simple_consumer_group());
        let member = group.members.first().expect("a member");
        assert!(member.subscribed_topics().is_empty() && member.assigned_partitions().is_empty());
        assert_eq!(member.rack(), None);
    }

    #[test]
    fn a_dead_group_was_not_found() {
        let dead = DescribedGroup { group_id: "g".into(), group_state: "Dead".into(), ..Default::default() };
        let error = described(dead, None).expect_err("not there");
        assert_eq!(error.code(), Some(ErrorCode::GROUP_ID_NOT_FOUND));
        assert!(error.to_string().contains("classic group g"), "{error}");
    }
}

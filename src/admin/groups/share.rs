//! Share groups (KIP-932).

use super::{GroupState, assigned, some_text};
use crate::admin::{
    AclOperation, Admin, At, Call, KafkaAdminClient, Results, authorized_operations, verdict,
};
use crate::error::Result;
use crate::protocol::messages::share_group_describe::{DescribedGroup, Member};
use crate::protocol::messages::{ShareGroupDescribeRequest, ShareGroupDescribeResponse};
use crate::types::{Node, TopicPartition};

/// A share group.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareGroupDescription {
    /// The group.
    pub group_id: String,
    /// How it fares.
    pub state: GroupState,
    /// The assignor in use.
    pub partition_assignor: String,
    /// The members.
    pub members: Vec<ShareMember>,
    /// The broker that coordinates it.
    pub coordinator: Option<Node>,
    /// What this client may do with it.
    pub authorized_operations: Option<Vec<AclOperation>>,
    /// Grows with every change of the members or of what they want.
    pub group_epoch: i32,
    /// The group epoch that the assignment was made for.
    pub assignment_epoch: i32,
}

/// A share consumer in its group.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareMember {
    /// The member's id.
    pub member_id: String,
    /// The rack that it is in, if it says.
    pub rack: Option<String>,
    /// The client's name for itself.
    pub client_id: String,
    /// The address that it came from.
    pub client_host: String,
    /// The topics that it is subscribed to.
    pub subscribed_topics: Vec<String>,
    /// The partitions that it reads, which others may read as well.
    pub assignment: Vec<TopicPartition>,
    /// The epoch that it has reached.
    pub member_epoch: i32,
}

impl KafkaAdminClient {
    /// Describes share groups (KIP-932). Needs Kafka 4.1. Java's `describeShareGroups`.
    ///
    /// # Errors
    /// For a group [`GROUP_ID_NOT_FOUND`](crate::ErrorCode::GROUP_ID_NOT_FOUND) when it does not exist or is of
    /// another kind; [`ErrorKind::Authorization`](crate::ErrorKind::Authorization);
    /// [`ErrorKind::UnsupportedVersion`](crate::ErrorKind::UnsupportedVersion).
    pub fn describe_share_groups(
        &self,
        groups: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Results<String, ShareGroupDescription>> {
        let groups: Vec<String> = groups.into_iter().map(Into::into).collect();
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        self.call(
            DESCRIBE,
            move |admin, call| async move { Ok(admin.describe_share_groups(call, groups).await) },
        )
    }
}

impl Admin {
    pub(super) async fn describe_share_groups(
        &self,
        call: Call,
        groups: Vec<String>,
    ) -> Results<String, ShareGroupDescription> {
        let request =
            |_: &At, group_ids| ShareGroupDescribeRequest { group_ids, include_authorized_operations: true };
        let lines = |response: ShareGroupDescribeResponse| {
            response.groups.into_iter().map(|group| (group.group_id.clone(), group)).collect()
        };
        self.describe_at_coordinators(call, groups, request, lines, described).await
    }
}

fn described(group: DescribedGroup, coordinator: Option<Node>) -> Result<ShareGroupDescription> {
    let what = format!("{DESCRIBE} {}", group.group_id);
    verdict(group.error_code, group.error_message.as_deref(), &what)?;
    Ok(ShareGroupDescription {
        group_id: group.group_id,
        state: GroupState::from_word(&group.group_state),
        partition_assignor: group.assignor_name,
        members: group.members.into_iter().map(member).collect(),
        coordinator,
        authorized_operations: authorized_operations(group.authorized_operations),
        group_epoch: group.group_epoch,
        assignment_epoch: group.assignment_epoch,
    })
}

fn member(member: Member) -> ShareMember {
    let topics = member.assignment.topic_partitions.into_iter();
    ShareMember {
        member_id: member.member_id,
        rack: some_text(member.rack_id),
        client_id: member.client_id,
        client_host: member.client_host,
        subscribed_topics: member.subscribed_topic_names,
        assignment: assigned(topics.map(|topic| (topic.topic_id, topic.topic_name, topic.partitions))),
        member_epoch: member.member_epoch,
    }
}

const DESCRIBE: &str = "describe share group";

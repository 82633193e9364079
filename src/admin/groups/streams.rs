//! Groups of Kafka Streams (KIP-1071).

use std::collections::BTreeMap;

use super::topology::{Subtopology, TopologyDescription, TopologyStatus};
use super::{GroupState, some_text};
use crate::admin::{
    AclOperation, Admin, At, Call, KafkaAdminClient, Results, authorized_operations, verdict,
};
use crate::error::Result;
use crate::protocol::messages::streams_group_describe as message;
use crate::protocol::messages::{StreamsGroupDescribeRequest, StreamsGroupDescribeResponse};
use crate::types::Node;

/// A group of a Kafka Streams application.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamsGroupDescription {
    /// The group, which is the application's id.
    pub group_id: String,
    /// How it fares.
    pub state: GroupState,
    /// Grows with every change of the members or of the topology.
    pub group_epoch: i32,
    /// The group epoch that the target assignment was made for.
    pub assignment_epoch: i32,
    /// The epoch of the topology; `None` while the group has none.
    pub topology_epoch: Option<i32>,
    /// The parts of the topology, with their topics; empty while its source topics are missing.
    pub subtopologies: Vec<Subtopology>,
    /// The members.
    pub members: Vec<StreamsMember>,
    /// The broker that coordinates it.
    pub coordinator: Option<Node>,
    /// What this client may do with it.
    pub authorized_operations: Option<Vec<AclOperation>>,
    /// The assignor for the next assignment; `None` where the broker does not tell (before 4.4).
    pub assignor: Option<String>,
    /// The whole topology with its nodes (KIP-1331), if the broker has it.
    pub topology: Option<TopologyDescription>,
    /// Why there is a whole topology, or none.
    pub topology_status: TopologyStatus,
}

/// A member of a Kafka Streams group.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamsMember {
    /// The member's id.
    pub member_id: String,
    /// The epoch that it has reached.
    pub member_epoch: i32,
    /// The static id (KIP-345), if it has one.
    pub group_instance_id: Option<String>,
    /// The rack that it is in, if it says.
    pub rack: Option<String>,
    /// The client's name for itself.
    pub client_id: String,
    /// The address that it came from.
    pub client_host: String,
    /// The epoch of the topology that it runs.
    pub topology_epoch: i32,
    /// The process that it is part of.
    pub process_id: String,
    /// Host and port for interactive queries, if it has them.
    pub user_endpoint: Option<(String, u16)>,
    /// Its tags, for assignments that heed racks and the like.
    pub client_tags: BTreeMap<String, String>,
    /// How far its tasks' stores have got.
    pub task_offsets: Vec<TaskOffset>,
    /// The ends of its tasks' changelogs.
    pub task_end_offsets: Vec<TaskOffset>,
    /// The tasks that it has.
    pub assignment: StreamsTasks,
    /// The tasks that it is to have.
    pub target_assignment: StreamsTasks,
    /// Whether it still speaks the classic protocol.
    pub is_classic: bool,
}

/// The tasks of a member: the partitions of each subtopology, by its id.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamsTasks {
    /// Those that process records.
    pub active: BTreeMap<String, Vec<i32>>,
    /// Those that keep a copy of a store.
    pub standby: BTreeMap<String, Vec<i32>>,
    /// Those that catch up before they become active here.
    pub warmup: BTreeMap<String, Vec<i32>>,
}

/// An offset of a task's changelog.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskOffset {
    /// The subtopology.
    pub subtopology_id: String,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

impl KafkaAdminClient {
    /// Describes groups of Kafka Streams (KIP-1071), with their topologies where the broker has them. Needs
    /// Kafka 4.2. Java's `describeStreamsGroups`.
    ///
    /// # Errors
    /// For a group [`GROUP_ID_NOT_FOUND`](crate::ErrorCode::GROUP_ID_NOT_FOUND) when it does not exist or is of
    /// another kind; [`ErrorKind::Authorization`](crate::ErrorKind::Authorization);
    /// [`ErrorKind::UnsupportedVersion`](crate::ErrorKind::UnsupportedVersion).
    pub fn describe_streams_groups(
        &self,
        groups: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Results<String, StreamsGroupDescription>> {
        let groups: Vec<String> = groups.into_iter().map(Into::into).collect();
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        self.call(DESCRIBE, move |admin, call| async move {
            Ok(admin.describe_streams_groups(call, groups).await)
        })
    }
}

impl Admin {
    pub(super) async fn describe_streams_groups(
        &self,
        call: Call,
        groups: Vec<String>,
    ) -> Results<String, StreamsGroupDescription> {
        let request = |at: &At, group_ids| StreamsGroupDescribeRequest {
            group_ids,
            include_authorized_operations: true,
            include_topology_description: at.version >= TOPOLOGY_SINCE,
        };
        let lines = |response: StreamsGroupDescribeResponse| {
            response.groups.into_iter().map(|group| (group.group_id.clone(), group)).collect()
        };
        self.describe_at_coordinators(call, groups, request, lines, described).await
    }
}

fn described(group: message::DescribedGroup, coordinator: Option<Node>) -> Result<StreamsGroupDescription> {
    let what = format!("{DESCRIBE} {}", group.group_id);
    verdict(group.error_code, group.error_message.as_deref(), &what)?;
    let topology_epoch = group.topology.as_ref().map(|topology| topology.epoch);
    let subtopologies = group.topology.and_then(|topology| topology.subtopologies).unwrap_or_default();
    Ok(StreamsGroupDescription {
        group_id: group.group_id,
        state: GroupState::from_word(&group.group_state),
        group_epoch: group.group_epoch,
        assignment_epoch: group.assignment_epoch,
        topology_epoch,
        subtopologies: subtopologies.into_iter().map(Subtopology::from).collect(),
        members: group.members.into_iter().map(member).collect(),
        coordinator,
        authorized_operations: authorized_operations(group.authorized_operations),
        assignor: some_text(group.assignor_name),
        topology: group.topology_description.map(TopologyDescription::from),
        topology_status: TopologyStatus::from_code(group.topology_description_status),
    })
}

fn member(member: message::Member) -> StreamsMember {
    StreamsMember {
        member_id: member.member_id,
        member_epoch: member.member_epoch,
        group_instance_id: member.instance_id,
        rack: some_text(member.rack_id),
        client_id: member.client_id,
        client_host: member.client_host,
        topology_epoch: member.topology_epoch,
        process_id: member.process_id,
        user_endpoint: member.user_endpoint.map(|endpoint| (endpoint.host, endpoint.port)),
        client_tags: member.client_tags.into_iter().map(|tag| (tag.key, tag.value)).collect(),
        task_offsets: member.task_offsets.into_iter().map(task_offset).collect(),
        task_end_offsets: member.task_end_offsets.into_iter().map(task_offset).collect(),
        assignment: tasks(member.assignment),
        target_assignment: tasks(member.target_assignment),
        is_classic: member.is_classic,
    }
}

fn task_offset(task: message::TaskOffset) -> TaskOffset {
    TaskOffset { subtopology_id: task.subtopology_id, partition: task.partition, offset: task.offset }
}

fn tasks(assignment: message::Assignment) -> StreamsTasks {
    let map = |tasks: Vec<message::TaskIds>| {
        tasks.into_iter().map(|task| (task.subtopology_id, task.partitions)).collect()
    };
    StreamsTasks {
        active: map(assignment.active_tasks),
        standby: map(assignment.standby_tasks),
        warmup: map(assignment.warmup_tasks),
    }
}

const DESCRIBE: &str = "describe streams group";
/// The version of StreamsGroupDescribe that can carry the whole topology (KIP-1331).
const TOPOLOGY_SINCE: i16 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_without_a_topology_is_described() {
        let group = message::DescribedGroup {
            group_id: "app".to_owned(),
            group_state: "NotReady".to_owned(),
            ..Default::default()
        };
        let group = described(group, None).expect("a group");
        assert_eq!((group.state, group.topology_epoch), (GroupState::NotReady, None));
        assert_eq!(group.topology_status, TopologyStatus::NotRequested);
    }

    #[test]
    fn tasks_are_found_by_their_subtopology() {
        let task = |id: &str, partitions: &[i32]| message::TaskIds {
            subtopology_id: id.to_owned(),
            partitions: partitions.to_vec(),
        };
        let assignment = message::Assignment {
            active_tasks: vec![task("1", &[3]), task("0", &[0, 1])],
            standby_tasks: vec![task("0", &[2])],
            ..Default::default()
        };
        let tasks = tasks(assignment);
        assert_eq!(tasks.active["0"], [0, 1]);
        assert_eq!(tasks.standby["0"], [2]);
        assert!(tasks.warmup.is_empty());
    }
}

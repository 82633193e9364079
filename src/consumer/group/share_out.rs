//! The leader's part in a classic group: everybody's partitions.

use std::collections::{BTreeSet, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use futures_channel::oneshot;

use super::classic::partitions_of;
use super::coordinator::Coordinator;
use crate::config::{Assignor, GroupAssignment, GroupMember, GroupTopic, GroupTopics};
use crate::consumer::assignors;
use crate::consumer::shape::{Shape, Shapes};
use crate::error::{Error, ErrorKind, Result, printable};
use crate::error_code::ErrorCode;
use crate::net::bridge::panic_text;
use crate::protocol::messages::consumer_protocol::ConsumerProtocolAssignmentTopicPartition;
use crate::protocol::messages::join_group::JoinGroupResponseMember;
use crate::protocol::messages::sync_group::SyncGroupRequestAssignment;
use crate::protocol::messages::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, DescribeGroupsRequest, JoinGroupResponse,
};
use crate::protocol::{decode_versioned, encode_versioned};
use crate::types::TopicPartition;

impl Coordinator {
    /// Everybody's partitions, unless those of before are to stay (KIP-814), and the topics that they are of.
    pub(super) async fn share_out(
        &self,
        join: &JoinGroupResponse,
        own: &BTreeSet<Arc<str>>,
    ) -> Result<(Vec<SyncGroupRequestAssignment>, Shapes)> {
        let members = join.members.iter().map(member_of).collect::<Result<Vec<GroupMember>>>()?;
        let mut wanted = own.clone();
        wanted
            .extend(members.iter().flat_map(|member| &member.topics).map(|topic| Arc::from(topic.as_str())));
        let (topics, mut shapes) = self.topics_of(&wanted).await;
        if join.skip_assignment {
            self.find_left_out(&topics, &mut shapes).await;
            return Ok((Vec::new(), shapes));
        }
        let name = join.protocol_name.as_deref().unwrap_or_default();
        let known = &self.0.config.partition_assignment_strategy;
        let assignor = known.iter().find(|assignor| assignor.as_str() == name).cloned().ok_or_else(|| {
            let text = format!(
                "the group {} has chosen the unknown assignor \"{}\"",
                self.0.group_id,
                printable(name)
            );
            Error::new(ErrorKind::Protocol, text)
        })?;
        let ids: Vec<String> = members.iter().map(|member| member.id.clone()).collect();
        let mut assignment = assign(assignor, members, topics).await?;
        let mut shares = Vec::new();
        for member_id in ids {
            let share = assignment_of(assignment.remove(&member_id).unwrap_or_default());
            let assignment = encode_versioned(&share, ASSIGNMENT_VERSION)?;
            shares.push(SyncGroupRequestAssignment { member_id, assignment });
        }
        Ok((shares, shapes))
    }

    /// Topics with partitions that are nobody's, since they came while the leader was away or were not known when it
    /// shared out, count as changed: so the group rebalances.
    async fn find_left_out(&self, topics: &GroupTopics, shapes: &mut Shapes) {
        let shared_out = match self.shared_out().await {
            Ok(Some(shared_out)) => shared_out,
            // A rebalance is under way, which this leader will hear of.
            Ok(None) => return,
            Err(error) => {
                log::debug!("what was shared out is not known, so it is taken for complete: {error}");
                return;
            }
        };
        for (name, topic) in topics {
            let mut partitions = (0..).take(topic.partitions.len());
            if !partitions.all(|number| shared_out.contains(&TopicPartition::new(Arc::clone(name), number))) {
                shapes.insert(Arc::clone(name), Shape::default());
            }
        }
    }

    /// The partitions of all members, as the coordinator knows them; `None` while they change.
    async fn shared_out(&self) -> Result<Option<HashSet<TopicPartition>>> {
        let request =
            |_| DescribeGroupsRequest { groups: vec![self.0.group_id.clone()], ..Default::default() };
        let timeout = self.0.config.common.request_timeout;
        let response = self.request(i16::MAX, timeout, request).await?;
        let group = response.groups.into_iter().find(|group| group.group_id == self.0.group_id);
        let group = group.ok_or_else(|| self.error(ErrorCode::GROUP_ID_NOT_FOUND, "DescribeGroups"))?;
        if !group.error_code.is_ok() {
            return Err(self.error(group.error_code, "DescribeGroups"));
        }
        if group.group_state != STABLE {
            return Ok(None);
        }
        let mut all = HashSet::new();
        for member in group.members.into_iter().filter(|member| !member.member_assignment.is_empty()) {
            let (_, share) = decode_versioned::<ConsumerProtocolAssignment>(member.member_assignment)?;
            all.extend(partitions_of(share));
        }
        Ok(Some(all))
    }

    /// Those of the topics that exist, with their partitions, and what all of them are compared with later.
    async fn topics_of(&self, wanted: &BTreeSet<Arc<str>>) -> (GroupTopics, Shapes) {
        let cluster = &self.0.cluster;
        cluster.set_topics(wanted.iter().cloned());
        if !wanted.iter().all(|topic| cluster.snapshot().topic(topic).is_some()) {
            // A topic that is still unknown then has no partitions to share out; when it appears, the group
            // is asked to join again.
            while let Err(error) = cluster.update().await {
                log::debug!("metadata for the assignment: {error}");
            }
        }
        let view = cluster.snapshot();
        let racks = |replicas: &[i32]| -> Vec<String> {
            replicas.iter().filter_map(|id| view.broker(*id)?.rack.clone()).collect()
        };
        let topic = |name: &Arc<str>| {
            let partitions = &view.topic(name)?.partitions;
            let partitions = partitions.iter().map(|partition| racks(&partition.replicas)).collect();
            Some((Arc::clone(name), GroupTopic { partitions }))
        };
        let with_racks = !self.0.config.client_rack.is_empty();
        let shape = |name: &Arc<str>| (Arc::clone(name), Shape::of(&view, name, with_racks));
        (wanted.iter().filter_map(topic).collect(), wanted.iter().map(shape).collect())
    }
}

/// Runs the assignor on a thread of its own: large groups take a while, and one of the program's may do anything.
async fn assign(
    assignor: Assignor,
    members: Vec<GroupMember>,
    topics: GroupTopics,
) -> Result<GroupAssignment> {
    let (sender, receiver) = oneshot::channel();
    let name = assignor.as_str().to_owned();
    let failed = |why: String| Error::new(ErrorKind::Panic, format!("the assignor {name} {why}"));
    thread::Builder::new()
        .name("kavka-assign".to_owned())
        .spawn(move || {
            let work = AssertUnwindSafe(|| assignors::assign(&assignor, &members, &topics));
            let outcome = catch_unwind(work).map_err(|panic| panic_text(&*panic));
            // The asker may have given up by now.
            let _ = sender.send(outcome);
        })
        .map_err(|error| {
            Error::new(ErrorKind::Connection, "the system grants no thread for the assignment")
                .with_source(error)
        })?;
    match receiver.await {
        Ok(Ok(assignment)) => assignment,
        Ok(Err(panic)) => Err(failed(format!("panicked: {panic}"))),
        Err(_) => Err(failed("was dropped".to_owned())),
    }
}

fn member_of(member: &JoinGroupResponseMember) -> Result<GroupMember> {
    let (_, subscription) = decode_versioned::<ConsumerProtocolSubscription>(member.metadata.clone())?;
    let owned = subscription.owned_partitions.into_iter().flat_map(|topic| {
        let name: Arc<str> = Arc::from(topic.topic);
        let partitions = topic.partitions.into_iter();
        partitions.map(move |partition| TopicPartition::new(Arc::clone(&name), partition))
    });
    Ok(GroupMember {
        id: member.member_id.clone(),
        instance_id: member.group_instance_id.clone(),
        rack: subscription.rack_id.filter(|rack| !rack.is_empty()),
        topics: subscription.topics,
        owned: owned.collect(),
        generation: Some(subscription.generation_id).filter(|generation| *generation >= 0),
        user_data: subscription.user_data,
    })
}

fn assignment_of(mut partitions: Vec<TopicPartition>) -> ConsumerProtocolAssignment {
    partitions.sort_unstable();
    let mut assignment = ConsumerProtocolAssignment::default();
    let topics = &mut assignment.assigned_partitions;
    for tp in partitions {
        match topics.last_mut() {
            Some(last) if last.topic == tp.topic() => last.partitions.push(tp.partition()),
            _ => topics.push(ConsumerProtocolAssignmentTopicPartition {
                topic: tp.topic().to_owned(),
                partitions: vec![tp.partition()],
            }),
        }
    }
    assignment
}

const ASSIGNMENT_VERSION: i16 = 0;
/// The state of a group whose members have what they are to have.
const STABLE: &str = "Stable";

//! ConsumerGroupHeartbeat and ConsumerGroupDescribe (KIP-848).

use std::collections::BTreeSet;

use super::{Cx, Handled, Handler};
use crate::error_code::ErrorCode;
use crate::mock::group::consumer::{Catalogue, ConsumerGroup, ConsumerMember, Place, Sender};
use crate::protocol::Uuid;
use crate::protocol::messages::consumer_group_describe::{
    Assignment, DescribedGroup, Member, TopicPartitions,
};
use crate::protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
};

impl Handler for ConsumerGroupHeartbeatRequest {
    async fn handle(self, cx: &Cx) -> Handled<ConsumerGroupHeartbeatResponse> {
        let checked = cx.check_group(&self.group_id).map_err(|code| (code, code.message().to_owned()));
        let outcome = checked.and_then(|()| {
            let mut state = cx.state();
            let (now, limits) = (cx.cluster.net.now(), state.settings.consumer_groups.clone());
            let catalogue = state.catalogue();
            let from = Sender {
                client_id: cx.client_id.clone(),
                host: cx.host.clone(),
                new_id: Uuid::random(cx.cluster.net.random_bytes()).to_string(),
            };
            if self.member_epoch != 0 && !state.groups.contains_key(&self.group_id) {
                return Err((ErrorCode::GROUP_ID_NOT_FOUND, format!("Group {} not found.", self.group_id)));
            }
            let group = state.groups.entry(self.group_id.clone()).or_default();
            group.consumer_heartbeat(self, from, catalogue, &limits, now)
        });
        cx.cluster.group_timers.notify();
        cx.cluster.changed();
        Handled::Answer(outcome.unwrap_or_else(|(error_code, text)| ConsumerGroupHeartbeatResponse {
            error_code,
            error_message: Some(text),
            ..Default::default()
        }))
    }
}

impl Handler for ConsumerGroupDescribeRequest {
    async fn handle(self, cx: &Cx) -> Handled<ConsumerGroupDescribeResponse> {
        let groups = self.group_ids.into_iter().map(|group_id| {
            let mut answer = DescribedGroup { group_id, ..Default::default() };
            if let Err(code) = cx.check_group(&answer.group_id) {
                answer.error_code = code;
                return answer;
            }
            let state = cx.state();
            let Some(modern) = state.groups.get(&answer.group_id).and_then(|group| group.modern.as_ref())
            else {
                answer.error_code = ErrorCode::GROUP_ID_NOT_FOUND;
                answer.error_message = Some(format!("Group {} is not a consumer group.", answer.group_id));
                return answer;
            };
            answer.group_state = modern.state().name().to_owned();
            answer.group_epoch = modern.epoch;
            answer.assignment_epoch = modern.target_epoch;
            answer.assignor_name = modern.assignor();
            let catalogue = state.catalogue();
            answer.members =
                modern.members.iter().map(|(id, member)| describe(modern, id, member, &catalogue)).collect();
            answer
        });
        Handled::Answer(ConsumerGroupDescribeResponse { groups: groups.collect(), ..Default::default() })
    }
}

fn describe(group: &ConsumerGroup, id: &str, member: &ConsumerMember, catalogue: &Catalogue) -> Member {
    Member {
        member_id: id.to_owned(),
        instance_id: member.instance_id.clone(),
        rack_id: member.rack_id.clone(),
        member_epoch: member.epoch,
        client_id: member.client_id.clone(),
        client_host: member.host.clone(),
        subscribed_topic_names: member.topics.iter().cloned().collect(),
        subscribed_topic_regex: member.regex.clone(),
        assignment: by_topic(&member.assigned, catalogue),
        target_assignment: group.target.get(id).map(|target| by_topic(target, catalogue)).unwrap_or_default(),
        member_type: if member.classic.is_some() { 0 } else { 1 },
    }
}

fn by_topic(places: &BTreeSet<Place>, catalogue: &Catalogue) -> Assignment {
    let topics = catalogue.iter().filter_map(|(name, (id, _))| {
        let partitions: Vec<i32> =
            places.iter().filter(|(topic, _)| topic == id).map(|(_, partition)| *partition).collect();
        (!partitions.is_empty()).then(|| TopicPartitions {
            topic_id: *id,
            topic_name: name.clone(),
            partitions,
        })
    });
    Assignment { topic_partitions: topics.collect() }
}

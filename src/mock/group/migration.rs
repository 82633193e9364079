//! A group between the two protocols: members of the classic one in a group of the new one, and the way back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::protocol::messages::consumer_protocol::ConsumerProtocolAssignmentTopicPartition;
use crate::protocol::messages::join_group::JoinGroupRequestProtocol;
use crate::protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, ConsumerProtocolAssignment,
    ConsumerProtocolSubscription, JoinGroupRequest, JoinGroupResponse, SyncGroupResponse,
};
use crate::protocol::{decode_versioned, encode_versioned};

use super::consumer::{Catalogue, ConsumerGroup, ConsumerMember, Limits, Place, Progress, Refusal, Sender};
use super::member::{Member, rebalance_timeout, refuse_join, refuse_sync, timeout};
use super::{Group, GroupState, Joiner};

/// What a member of the classic protocol has said that the new one has no place for.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClassicFace {
    pub(crate) protocols: Vec<JoinGroupRequestProtocol>,
    pub(super) session_timeout: Duration,
}

/// The type of classic groups that can migrate.
const CONSUMER: &str = "consumer";

impl Group {
    /// A heartbeat of the new protocol: the group becomes one of it, if it is not one already.
    pub(crate) fn consumer_heartbeat(
        &mut self,
        request: ConsumerGroupHeartbeatRequest,
        from: Sender,
        catalogue: Catalogue,
        limits: &Limits,
        now: Instant,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refusal> {
        if self.modern.is_none() {
            if request.member_epoch != 0 {
                return Err((ErrorCode::UNKNOWN_MEMBER_ID, "The group has no such member.".to_owned()));
            }
            self.upgrade(&catalogue)?;
        }
        let Some(modern) = &mut self.modern else {
            return Err((ErrorCode::GROUP_ID_NOT_FOUND, String::new()));
        };
        modern.catalogue = catalogue;
        let outcome = modern.heartbeat(request, from, limits, now);
        self.maybe_downgrade(now);
        outcome
    }

    /// The classic members become members of the new kind of group, with the partitions that they have.
    fn upgrade(&mut self, catalogue: &Catalogue) -> Result<(), Refusal> {
        if !self.members.is_empty() && self.protocol_type != CONSUMER {
            let text = "The group has members of another kind.".to_owned();
            return Err((ErrorCode::GROUP_ID_NOT_FOUND, text));
        }
        let mut modern = ConsumerGroup { epoch: self.generation, ..ConsumerGroup::default() };
        modern.target_epoch = self.generation;
        for mut member in std::mem::take(&mut self.members) {
            if let Some((_, reply)) = member.joining.take() {
                refuse_join(reply, ErrorCode::REBALANCE_IN_PROGRESS, &member.id);
            }
            if let Some(reply) = member.syncing.take() {
                refuse_sync(reply, ErrorCode::REBALANCE_IN_PROGRESS);
            }
            let subscription = subscription_of(&member.protocols);
            let assigned = assigned_places(member.assignment, catalogue);
            modern.target.insert(member.id.clone(), assigned.clone());
            let known = ConsumerMember {
                instance_id: member.instance_id,
                client_id: member.client_id,
                host: member.host,
                topics: subscription.topics.into_iter().collect(),
                rack_id: subscription.rack_id,
                epoch: self.generation,
                assigned,
                rebalance_timeout: member.rebalance_timeout,
                session_deadline: Some(member.session_deadline),
                classic: Some(ClassicFace {
                    protocols: member.protocols,
                    session_timeout: member.session_timeout,
                }),
                ..ConsumerMember::default()
            };
            modern.members.insert(member.id, known);
        }
        let offsets = std::mem::take(&mut self.offsets);
        *self = Self { modern: Some(Box::new(modern)), offsets, ..Self::default() };
        Ok(())
    }

    /// The last member of the new protocol is gone: those of the classic one go on by themselves.
    pub(super) fn maybe_downgrade(&mut self, now: Instant) {
        let only_classic = self.modern.as_ref().is_some_and(|modern| {
            !modern.members.is_empty() && modern.members.values().all(|member| member.classic.is_some())
        });
        if !only_classic {
            return;
        }
        let Some(modern) = self.modern.take() else { return };
        self.state = GroupState::Stable;
        self.generation = modern.epoch;
        self.protocol_type = CONSUMER.to_owned();
        for (id, member) in modern.members {
            let Some(face) = member.classic else { continue };
            self.members.push(Member {
                id,
                instance_id: member.instance_id,
                client_id: member.client_id,
                host: member.host,
                protocols: face.protocols,
                assignment: encode_assignment(&member.assigned, &modern.catalogue),
                session_timeout: face.session_timeout,
                rebalance_timeout: member.rebalance_timeout,
                session_deadline: member.session_deadline.unwrap_or(now),
                joining: None,
                syncing: None,
            });
        }
        self.protocol = self.vote();
        self.force_rebalance(now);
    }
}

impl ConsumerGroup {
    /// A member of the classic protocol joins: it is answered at once, the coordinator being the leader.
    pub(super) fn classic_join(
        &mut self,
        request: JoinGroupRequest,
        joiner: &Joiner,
        now: Instant,
    ) -> Result<JoinGroupResponse, (ErrorCode, String)> {
        let refused = |code| (code, request.member_id.clone());
        if request.protocol_type != CONSUMER || request.protocols.is_empty() {
            return Err(refused(ErrorCode::INCONSISTENT_GROUP_PROTOCOL));
        }
        let mut id = request.member_id.clone();
        match request.group_instance_id.as_ref().and_then(|instance| self.holder_of(instance)) {
            Some(holder) if id.is_empty() => {
                id.clone_from(&joiner.new_id);
                self.replace(&holder, &id);
            }
            Some(holder) if holder != id => return Err(refused(ErrorCode::FENCED_INSTANCE_ID)),
            Some(_) => {}
            None if id.is_empty()
                && request.group_instance_id.is_none()
                && joiner.version >= super::MEMBER_ID_REQUIRED =>
            {
                self.promised.insert(joiner.new_id.clone());
                return Err((ErrorCode::MEMBER_ID_REQUIRED, joiner.new_id.clone()));
            }
            None if id.is_empty() => id.clone_from(&joiner.new_id),
            None => {}
        }
        let promised = self.promised.remove(&id) || id == joiner.new_id;
        if !promised && !self.members.contains_key(&id) {
            return Err(refused(ErrorCode::UNKNOWN_MEMBER_ID));
        }
        let subscription = subscription_of(&request.protocols);
        let owned = owned_places(&subscription, &self.catalogue);
        let topics: BTreeSet<String> = subscription.topics.into_iter().collect();
        let session_timeout = timeout(request.session_timeout_ms);
        let known = self.members.contains_key(&id);
        let member = self.members.entry(id.clone()).or_default();
        let changed = !known || member.topics != topics;
        member.topics = topics;
        member.regex = None;
        member.rack_id = subscription.rack_id;
        member.instance_id = request.group_instance_id;
        (member.client_id, member.host) = (joiner.client_id.clone(), joiner.host.clone());
        member.rebalance_timeout = rebalance_timeout(request.rebalance_timeout_ms, session_timeout);
        member.session_deadline = Some(now + session_timeout);
        let protocol_name = request.protocols.first().map(|protocol| protocol.name.clone());
        member.classic = Some(ClassicFace { protocols: request.protocols, session_timeout });
        self.changed |= changed;
        self.go_on(&id, Some(&owned), now);
        let generation_id = self.members.get(&id).map_or(-1, |member| member.epoch);
        Ok(JoinGroupResponse {
            generation_id,
            protocol_type: Some(CONSUMER.to_owned()),
            protocol_name,
            member_id: id,
            ..Default::default()
        })
    }

    pub(super) fn classic_sync(
        &self,
        member_id: &str,
        generation: i32,
    ) -> Result<SyncGroupResponse, ErrorCode> {
        let member = self.classic_member(member_id, generation)?;
        let face = member.classic.as_ref();
        Ok(SyncGroupResponse {
            protocol_type: Some(CONSUMER.to_owned()),
            protocol_name: face.and_then(|face| face.protocols.first()).map(|protocol| protocol.name.clone()),
            assignment: encode_assignment(&member.assigned, &self.catalogue),
            ..Default::default()
        })
    }

    pub(super) fn classic_heartbeat(
        &mut self,
        member_id: &str,
        generation: i32,
        now: Instant,
    ) -> Result<(), ErrorCode> {
        self.classic_member(member_id, generation)?;
        let taken: BTreeMap<Place, &str> = self
            .members
            .iter()
            .flat_map(|(id, member)| {
                member.assigned.iter().chain(&member.revoking).map(move |place| (*place, id.as_str()))
            })
            .collect();
        let target = self.target.get(member_id);
        let waits = target.is_some_and(|target| {
            target.iter().any(|place| taken.get(place).is_some_and(|holder| *holder != member_id))
        });
        let epoch = self.epoch;
        let Some(member) = self.members.get_mut(member_id) else { return Err(ErrorCode::UNKNOWN_MEMBER_ID) };
        if let Some(face) = &member.classic {
            member.session_deadline = Some(now + face.session_timeout);
        }
        let behind = match member.progress {
            Progress::Unrevoked => true,
            Progress::Unreleased => member.epoch < epoch || !waits,
            Progress::Stable => member.epoch < epoch,
        };
        if behind { Err(ErrorCode::REBALANCE_IN_PROGRESS) } else { Ok(()) }
    }

    pub(super) fn classic_leave(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
    ) -> Result<(), ErrorCode> {
        let id = match instance_id.and_then(|instance| self.holder_of(instance)) {
            Some(holder) if member_id.is_empty() || holder == member_id => holder,
            Some(_) => return Err(ErrorCode::FENCED_INSTANCE_ID),
            None => member_id.to_owned(),
        };
        if self.remove(&id) { Ok(()) } else { Err(ErrorCode::UNKNOWN_MEMBER_ID) }
    }

    fn classic_member(&self, member_id: &str, generation: i32) -> Result<&ConsumerMember, ErrorCode> {
        let member = self.members.get(member_id).filter(|member| member.classic.is_some());
        let member = member.ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if member.epoch == generation { Ok(member) } else { Err(ErrorCode::ILLEGAL_GENERATION) }
    }
}

/// What a member says of itself, by the protocol that it likes best.
pub(super) fn subscription_of(protocols: &[JoinGroupRequestProtocol]) -> ConsumerProtocolSubscription {
    let metadata = protocols.first().map(|protocol| protocol.metadata.clone()).unwrap_or_default();
    decode_versioned(metadata).map(|(_, subscription)| subscription).unwrap_or_default()
}

fn owned_places(subscription: &ConsumerProtocolSubscription, catalogue: &Catalogue) -> BTreeSet<Place> {
    let owned = subscription.owned_partitions.iter();
    owned.flat_map(|topic| places_of(&topic.topic, &topic.partitions, catalogue)).collect()
}

fn assigned_places(assignment: Bytes, catalogue: &Catalogue) -> BTreeSet<Place> {
    let decoded = decode_versioned::<ConsumerProtocolAssignment>(assignment);
    let topics = decoded.map(|(_, assignment)| assignment.assigned_partitions).unwrap_or_default();
    topics.iter().flat_map(|topic| places_of(&topic.topic, &topic.partitions, catalogue)).collect()
}

fn places_of(topic: &str, partitions: &[i32], catalogue: &Catalogue) -> Vec<Place> {
    let Some((id, _)) = catalogue.get(topic) else { return Vec::new() };
    partitions.iter().map(|partition| (*id, *partition)).collect()
}

fn encode_assignment(assigned: &BTreeSet<Place>, catalogue: &Catalogue) -> Bytes {
    let mut assignment = ConsumerProtocolAssignment::default();
    for (name, (id, _)) in catalogue {
        let partitions: Vec<i32> =
            assigned.iter().filter(|(topic, _)| topic == id).map(|(_, partition)| *partition).collect();
        if !partitions.is_empty() {
            assignment
                .assigned_partitions
                .push(ConsumerProtocolAssignmentTopicPartition { topic: name.clone(), partitions });
        }
    }
    encode_versioned(&assignment, 0).unwrap_or_default()
}

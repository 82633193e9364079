//! Groups, as a coordinator runs them: no IO and no clock in here. The classic protocol is in this file, that of
//! KIP-848 in [`consumer`], and groups that migrate from one to the other in [`migration`].
//!
//! Every request gets its answer through a sender, at once or when the rebalance has got that far. Time comes in
//! with each call; [`Group::expire`] does what is due and [`Group::next_deadline`] says when to call it.

pub(crate) mod consumer;
mod member;
mod migration;
mod remote_assignors;
mod transactional;

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_channel::oneshot::Sender;

use crate::error_code::ErrorCode;
use crate::protocol::messages::join_group::JoinGroupResponseMember;
use crate::protocol::messages::{JoinGroupRequest, JoinGroupResponse, SyncGroupRequest, SyncGroupResponse};

use consumer::ConsumerGroup;
use member::{Member, rebalance_timeout, refuse_join, refuse_sync, timeout};

/// A group's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum GroupState {
    /// No members.
    #[default]
    Empty,
    /// Members are joining.
    PreparingRebalance,
    /// The leader is working out the assignment.
    CompletingRebalance,
    /// Everybody has an assignment.
    Stable,
    /// KIP-848: a new assignment is due.
    Assigning,
    /// KIP-848: members are on their way to what they are to have.
    Reconciling,
}

impl GroupState {
    /// Kafka's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
        }
    }
}

/// A group.
#[derive(Debug, Default)]
pub(crate) struct Group {
    /// Set in a group of the new protocol, which has none of the rest but the offsets.
    pub(crate) modern: Option<Box<ConsumerGroup>>,
    pub(crate) state: GroupState,
    pub(crate) generation: i32,
    pub(crate) protocol_type: String,
    pub(crate) protocol: Option<String>,
    pub(crate) leader: Option<String>,
    /// In the order in which they joined.
    pub(crate) members: Vec<Member>,
    /// Members that were given an id and have yet to use it (KIP-394), with the end of their patience.
    pending: HashMap<String, Instant>,
    pub(crate) offsets: BTreeMap<(String, i32), Committed>,
    /// Offsets of open transactions, by producer id.
    pending_offsets: BTreeMap<i64, BTreeMap<(String, i32), Committed>>,
    /// When the join phase ends, whoever is missing.
    join_deadline: Option<Instant>,
    /// Before this the join phase does not end: others may come (`group.initial.rebalance.delay.ms`).
    join_not_before: Option<Instant>,
    /// When the members that have not synced are thrown out.
    sync_deadline: Option<Instant>,
}

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: String,
}

/// Who joins, besides of what the request says.
pub(crate) struct Joiner {
    pub(crate) version: i16,
    pub(crate) client_id: String,
    pub(crate) host: String,
    /// The id of a new member.
    pub(crate) new_id: String,
    pub(crate) initial_delay: Duration,
}

/// The first version that lets a new member join only with an id that it was given before (KIP-394).
const MEMBER_ID_REQUIRED: i16 = 4;
/// The first version in which the leader may be told to leave the assignment as it is (KIP-814).
const SKIP_ASSIGNMENT: i16 = 9;

impl Group {
    /// The state, in either protocol.
    pub(crate) fn state(&self) -> GroupState {
        self.modern.as_ref().map_or(self.state, |modern| modern.state())
    }

    /// The generation, or the epoch of the new protocol.
    pub(crate) fn epoch(&self) -> i32 {
        self.modern.as_ref().map_or(self.generation, |modern| modern.epoch)
    }

    /// The members' ids; those of the classic protocol in the order in which they joined.
    pub(crate) fn member_ids(&self) -> Vec<String> {
        match &self.modern {
            Some(modern) => modern.members.keys().cloned().collect(),
            None => self.members.iter().map(|member| member.id.clone()).collect(),
        }
    }

    /// Whether it has no members.
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.modern.as_ref().is_none_or(|modern| modern.members.is_empty())
    }

    /// A member, old or new, joins.
    pub(crate) fn join(
        &mut self,
        request: JoinGroupRequest,
        joiner: Joiner,
        now: Instant,
        reply: Sender<JoinGroupResponse>,
    ) {
        if self.modern.as_ref().is_some_and(|modern| modern.members.is_empty()) {
            (self.generation, self.modern) = (self.epoch(), None);
        }
        if let Some(modern) = &mut self.modern {
            match modern.classic_join(request, &joiner, now) {
                // A member whose connection is gone comes back or times out.
                Ok(response) => drop(reply.send(response)),
                Err((code, id)) => refuse_join(reply, code, &id),
            }
            return;
        }
        let member_id = request.member_id.clone();
        if let Err(code) = self.try_join(request, joiner, now, reply) {
            let (code, reply) = *code;
            refuse_join(reply, code, &member_id);
        }
        self.go_on(now);
    }

    fn try_join(
        &mut self,
        request: JoinGroupRequest,
        joiner: Joiner,
        now: Instant,
        reply: Sender<JoinGroupResponse>,
    ) -> Result<(), Box<(ErrorCode, Sender<JoinGroupResponse>)>> {
        if !self.accepts(&request) {
            return Err(Box::new((ErrorCode::INCONSISTENT_GROUP_PROTOCOL, reply)));
        }
        let known = self.members.iter().position(|member| member.id == request.member_id);
        if let Some(instance) = &request.group_instance_id {
            let holder = self.members.iter().position(|member| member.instance_id.as_ref() == Some(instance));
            if request.member_id.is_empty() {
                match holder {
                    Some(at) => self.replace_static(at, request, joiner, now, reply),
                    None => self.add(request, joiner, now, reply),
                }
                return Ok(());
            }
            match holder {
                None => return Err(Box::new((ErrorCode::UNKNOWN_MEMBER_ID, reply))),
                Some(at) if Some(at) != known => {
                    return Err(Box::new((ErrorCode::FENCED_INSTANCE_ID, reply)));
                }
                Some(_) => {}
            }
        } else if request.member_id.is_empty() {
            if joiner.version >= MEMBER_ID_REQUIRED {
                self.pending.insert(joiner.new_id.clone(), now + timeout(request.session_timeout_ms));
                refuse_join(reply, ErrorCode::MEMBER_ID_REQUIRED, &joiner.new_id);
            } else {
                self.add(request, joiner, now, reply);
            }
            return Ok(());
        } else if self.pending.contains_key(&request.member_id) {
            let joiner = Joiner { new_id: request.member_id.clone(), ..joiner };
            self.add(request, joiner, now, reply);
            return Ok(());
        }
        match known {
            None => Err(Box::new((ErrorCode::UNKNOWN_MEMBER_ID, reply))),
            Some(at) => {
                self.rejoin(at, request, &joiner, now, reply);
                Ok(())
            }
        }
    }

    /// Whether the protocols have one in common with those of all members.
    fn accepts(&self, request: &JoinGroupRequest) -> bool {
        if request.protocols.is_empty() || request.protocol_type.is_empty() {
            return false;
        }
        let others: Vec<&Member> =
            self.members.iter().filter(|member| member.id != request.member_id).collect();
        others.is_empty()
            || (self.protocol_type == request.protocol_type
                && request.protocols.iter().any(|wanted| {
                    others.iter().all(|other| other.protocols.iter().any(|one| one.name == wanted.name))
                }))
    }

    fn add(
        &mut self,
        request: JoinGroupRequest,
        joiner: Joiner,
        now: Instant,
        reply: Sender<JoinGroupResponse>,
    ) {
        self.pending.remove(&joiner.new_id);
        let was_empty = self.members.is_empty();
        if was_empty {
            self.protocol_type.clone_from(&request.protocol_type);
        }
        let session_timeout = timeout(request.session_timeout_ms);
        self.members.push(Member {
            id: joiner.new_id,
            instance_id: request.group_instance_id,
            client_id: joiner.client_id,
            host: joiner.host,
            protocols: request.protocols,
            assignment: Bytes::new(),
            session_timeout,
            rebalance_timeout: rebalance_timeout(request.rebalance_timeout_ms, session_timeout),
            session_deadline: now + session_timeout,
            joining: Some((joiner.version, reply)),
            syncing: None,
        });
        if self.state == GroupState::Empty && !joiner.initial_delay.is_zero() {
            self.join_not_before = Some(now + joiner.initial_delay);
        }
        self.rebalance(now);
    }

    fn rejoin(
        &mut self,
        at: usize,
        request: JoinGroupRequest,
        joiner: &Joiner,
        now: Instant,
        reply: Sender<JoinGroupResponse>,
    ) {
        let is_leader = self.leader.as_deref() == Some(&request.member_id);
        let Some(member) = self.members.get_mut(at) else { return };
        member.touch(now);
        let changed = member.protocols != request.protocols;
        let again = match self.state {
            GroupState::CompletingRebalance => !changed,
            GroupState::Stable => !changed && !is_leader,
            _ => false,
        };
        if again {
            // The answer was lost on its way, most likely.
            return self.answer_join(at, joiner.version, reply, false);
        }
        member.update(request);
        member.wait_to_join(joiner.version, reply);
        self.rebalance(now);
    }

    /// A static member comes back without its id (KIP-345): it gets a new one, the old one is fenced.
    fn replace_static(
        &mut self,
        at: usize,
        request: JoinGroupRequest,
        joiner: Joiner,
        now: Instant,
        reply: Sender<JoinGroupResponse>,
    ) {
        let Some(member) = self.members.get_mut(at) else { return };
        let old_id = std::mem::replace(&mut member.id, joiner.new_id.clone());
        if let Some((_, waiting)) = member.joining.take() {
            refuse_join(waiting, ErrorCode::FENCED_INSTANCE_ID, &old_id);
        }
        if let Some(waiting) = member.syncing.take() {
            refuse_sync(waiting, ErrorCode::FENCED_INSTANCE_ID);
        }
        member.update(request);
        member.touch(now);
        let was_leader = self.leader.as_deref() == Some(&old_id);
        if was_leader {
            self.leader = Some(joiner.new_id);
        }
        // Whatever else it says of itself, as in Kafka.
        if self.state == GroupState::Stable && self.vote() == self.protocol {
            let skip = was_leader && joiner.version >= SKIP_ASSIGNMENT;
            if was_leader && !skip {
                // Old clients would assign anew as leaders, so they are told that the leader is somebody else.
                self.answer_join_as_follower(at, old_id, reply);
            } else {
                self.answer_join(at, joiner.version, reply, skip);
            }
            return;
        }
        if let Some(member) = self.members.get_mut(at) {
            member.wait_to_join(joiner.version, reply);
        }
        self.rebalance(now);
    }

    /// Begins a rebalance, or goes on with the one under way.
    fn rebalance(&mut self, now: Instant) {
        if self.state == GroupState::CompletingRebalance {
            for waiting in self.members.iter_mut().filter_map(|member| member.syncing.take()) {
                refuse_sync(waiting, ErrorCode::REBALANCE_IN_PROGRESS);
            }
        }
        if self.state != GroupState::PreparingRebalance {
            self.state = GroupState::PreparingRebalance;
            self.sync_deadline = None;
            let patience = self.members.iter().map(|member| member.rebalance_timeout).max();
            self.join_deadline = Some(now + patience.unwrap_or_default());
        }
    }

    /// Ends the join phase when everybody is there.
    fn go_on(&mut self, now: Instant) {
        if self.state != GroupState::PreparingRebalance
            || self.join_not_before.is_some_and(|moment| now < moment)
        {
            return;
        }
        let all_here = self.pending.is_empty() && self.members.iter().all(|member| member.joining.is_some());
        if all_here || self.join_deadline.is_some_and(|deadline| now >= deadline) {
            self.end_join(now);
        }
    }

    fn end_join(&mut self, now: Instant) {
        self.members.retain(|member| member.joining.is_some() || member.instance_id.is_some());
        self.join_deadline = None;
        self.join_not_before = None;
        self.generation += 1;
        if self.members.is_empty() {
            self.state = GroupState::Empty;
            self.protocol = None;
            self.leader = None;
            return;
        }
        self.state = GroupState::CompletingRebalance;
        self.protocol = self.vote();
        let stays = |leader: &String| {
            self.members.iter().any(|member| member.id == *leader && member.joining.is_some())
        };
        if !self.leader.as_ref().is_some_and(stays) {
            let first = self.members.iter().find(|member| member.joining.is_some());
            self.leader = first.or(self.members.first()).map(|member| member.id.clone());
        }
        let patience = self.members.iter().map(|member| member.rebalance_timeout).max();
        self.sync_deadline = Some(now + patience.unwrap_or_default());
        for at in 0..self.members.len() {
            let Some(member) = self.members.get_mut(at) else { continue };
            member.assignment = Bytes::new();
            member.touch(now);
            if let Some((version, reply)) = member.joining.take() {
                self.answer_join(at, version, reply, false);
            }
        }
    }

    /// The protocol that most members prefer among those that all have.
    fn vote(&self) -> Option<String> {
        let common = |name: &str| {
            self.members.iter().all(|member| member.protocols.iter().any(|protocol| protocol.name == name))
        };
        let mut votes: Vec<(&str, usize)> = Vec::new();
        for member in &self.members {
            let names = member.protocols.iter().map(|protocol| protocol.name.as_str());
            let Some(choice) = names.into_iter().find(|name| common(name)) else { continue };
            match votes.iter_mut().find(|(name, _)| *name == choice) {
                Some((_, count)) => *count += 1,
                None => votes.push((choice, 1)),
            }
        }
        let most = votes.iter().map(|(_, count)| *count).max()?;
        votes.iter().find(|(_, count)| *count == most).map(|(name, _)| (*name).to_owned())
    }

    fn answer_join(&self, at: usize, version: i16, reply: Sender<JoinGroupResponse>, skip_assignment: bool) {
        let Some(member) = self.members.get(at) else { return };
        let mut response = self.joined(member);
        response.skip_assignment = skip_assignment && version >= SKIP_ASSIGNMENT;
        if self.leader.as_ref() == Some(&member.id) {
            response.members = self
                .members
                .iter()
                .map(|member| JoinGroupResponseMember {
                    member_id: member.id.clone(),
                    group_instance_id: member.instance_id.clone(),
                    metadata: self.metadata_of(member),
                })
                .collect();
        }
        // A member whose connection is gone comes back or times out.
        let _ = reply.send(response);
    }

    fn answer_join_as_follower(&self, at: usize, leader: String, reply: Sender<JoinGroupResponse>) {
        let Some(member) = self.members.get(at) else { return };
        let _ = reply.send(JoinGroupResponse { leader, ..self.joined(member) });
    }

    fn joined(&self, member: &Member) -> JoinGroupResponse {
        JoinGroupResponse {
            generation_id: self.generation,
            protocol_type: Some(self.protocol_type.clone()),
            protocol_name: Some(self.protocol.clone().unwrap_or_default()),
            leader: self.leader.clone().unwrap_or_default(),
            member_id: member.id.clone(),
            ..Default::default()
        }
    }

    /// What a member said of itself under the protocol that was chosen.
    pub(crate) fn metadata_of(&self, member: &Member) -> Bytes {
        let chosen = member.protocols.iter().find(|protocol| Some(&protocol.name) == self.protocol.as_ref());
        chosen.map(|protocol| protocol.metadata.clone()).unwrap_or_default()
    }

    /// A member asks for its assignment; the leader brings everybody's.
    pub(crate) fn sync(&mut self, request: SyncGroupRequest, now: Instant, reply: Sender<SyncGroupResponse>) {
        if let Some(modern) = &self.modern {
            match modern.classic_sync(&request.member_id, request.generation_id) {
                Ok(response) => drop(reply.send(response)),
                Err(code) => refuse_sync(reply, code),
            }
            return;
        }
        let at =
            match self.check(&request.member_id, request.group_instance_id.as_deref(), request.generation_id)
            {
                Ok(at) => at,
                Err(code) => return refuse_sync(reply, code),
            };
        let differs = |theirs: &Option<String>, ours: Option<&String>| {
            theirs.as_ref().is_some_and(|theirs| Some(theirs) != ours)
        };
        if differs(&request.protocol_type, Some(&self.protocol_type))
            || differs(&request.protocol_name, self.protocol.as_ref())
        {
            return refuse_sync(reply, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        let is_leader = self.leader.as_ref() == Some(&request.member_id);
        let Some(member) = self.members.get_mut(at) else { return };
        member.touch(now);
        match self.state {
            GroupState::Empty | GroupState::Assigning | GroupState::Reconciling => {
                refuse_sync(reply, ErrorCode::UNKNOWN_MEMBER_ID);
            }
            GroupState::PreparingRebalance => refuse_sync(reply, ErrorCode::REBALANCE_IN_PROGRESS),
            GroupState::Stable => {
                let assignment = member.assignment.clone();
                let _ = reply.send(self.synced(assignment));
            }
            GroupState::CompletingRebalance => {
                if let Some(older) = member.syncing.replace(reply) {
                    refuse_sync(older, ErrorCode::REBALANCE_IN_PROGRESS);
                }
                if !is_leader {
                    return;
                }
                for given in request.assignments {
                    if let Some(member) = self.members.iter_mut().find(|member| member.id == given.member_id)
                    {
                        member.assignment = given.assignment;
                    }
                }
                self.state = GroupState::Stable;
                self.sync_deadline = None;
                for at in 0..self.members.len() {
                    let Some(member) = self.members.get_mut(at) else { continue };
                    if let Some(reply) = member.syncing.take() {
                        member.touch(now);
                        let assignment = member.assignment.clone();
                        let _ = reply.send(self.synced(assignment));
                    }
                }
            }
        }
    }

    fn synced(&self, assignment: Bytes) -> SyncGroupResponse {
        SyncGroupResponse {
            protocol_type: Some(self.protocol_type.clone()),
            protocol_name: self.protocol.clone(),
            assignment,
            ..Default::default()
        }
    }

    /// A sign of life.
    pub(crate) fn heartbeat(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
        now: Instant,
    ) -> Result<(), ErrorCode> {
        if let Some(modern) = &mut self.modern {
            return modern.classic_heartbeat(member_id, generation, now);
        }
        let at = self.check(member_id, instance_id, generation)?;
        if let Some(member) = self.members.get_mut(at) {
            member.touch(now);
        }
        match self.state {
            GroupState::PreparingRebalance => Err(ErrorCode::REBALANCE_IN_PROGRESS),
            _ => Ok(()),
        }
    }

    /// Takes a member out.
    pub(crate) fn leave(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        now: Instant,
    ) -> Result<(), ErrorCode> {
        if let Some(modern) = &mut self.modern {
            return modern.classic_leave(member_id, instance_id);
        }
        if self.pending.remove(member_id).is_some() {
            self.go_on(now);
            return Ok(());
        }
        let at = match instance_id {
            Some(instance) if member_id.is_empty() => {
                self.members.iter().position(|member| member.instance_id.as_deref() == Some(instance))
            }
            _ => Some(self.find(member_id, instance_id)?),
        };
        self.remove(at.ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?, now);
        self.go_on(now);
        Ok(())
    }

    fn remove(&mut self, at: usize, now: Instant) {
        let mut gone = self.members.remove(at);
        if let Some((_, reply)) = gone.joining.take() {
            refuse_join(reply, ErrorCode::UNKNOWN_MEMBER_ID, &gone.id);
        }
        if let Some(reply) = gone.syncing.take() {
            refuse_sync(reply, ErrorCode::UNKNOWN_MEMBER_ID);
        }
        self.rebalance(now);
    }

    /// The member, if id, static id and generation are right.
    fn check(&self, member_id: &str, instance_id: Option<&str>, generation: i32) -> Result<usize, ErrorCode> {
        let at = self.find(member_id, instance_id)?;
        if generation == self.generation { Ok(at) } else { Err(ErrorCode::ILLEGAL_GENERATION) }
    }

    fn find(&self, member_id: &str, instance_id: Option<&str>) -> Result<usize, ErrorCode> {
        if let Some(instance) = instance_id {
            let holder = self.members.iter().find(|member| member.instance_id.as_deref() == Some(instance));
            match holder {
                None => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
                Some(holder) if holder.id != member_id => return Err(ErrorCode::FENCED_INSTANCE_ID),
                Some(_) => {}
            }
        }
        self.members.iter().position(|member| member.id == member_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)
    }

    /// Whether the sender may commit: a member of this generation, or nobody while there are no members.
    pub(crate) fn check_commit(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
        now: Instant,
    ) -> Result<(), ErrorCode> {
        if let Some(modern) = &self.modern {
            return modern.check_commit(member_id, generation);
        }
        if generation < 0 && self.members.is_empty() {
            return Ok(());
        }
        let at = self.check(member_id, instance_id, generation)?;
        if let Some(member) = self.members.get_mut(at) {
            member.touch(now);
        }
        match self.state {
            GroupState::CompletingRebalance => Err(ErrorCode::REBALANCE_IN_PROGRESS),
            _ => Ok(()),
        }
    }

    /// Whether a member is subscribed to a topic by name.
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        let classic = |member: &Member| {
            let subscription = migration::subscription_of(&member.protocols);
            subscription.topics.iter().any(|name| name == topic)
        };
        match &self.modern {
            Some(modern) => modern.members.values().any(|member| member.topics.contains(topic)),
            None => self.members.iter().any(classic),
        }
    }

    /// Forgets what was committed for a topic that is deleted.
    pub(crate) fn forget_topic(&mut self, topic: &str) {
        self.offsets.retain(|(name, _), _| name != topic);
        self.pending_offsets.values_mut().for_each(|pending| pending.retain(|(name, _), _| name != topic));
    }

    /// Another broker has become the coordinator: those who wait have to ask there.
    pub(crate) fn moved(&mut self) {
        // Only the old one knew of those that were given an id and had yet to join with it.
        self.pending.clear();
        for member in &mut self.members {
            if let Some((_, reply)) = member.joining.take() {
                refuse_join(reply, ErrorCode::NOT_COORDINATOR, &member.id);
            }
            if let Some(reply) = member.syncing.take() {
                refuse_sync(reply, ErrorCode::NOT_COORDINATOR);
            }
        }
    }

    /// Throws a member out, as if its session had timed out.
    pub(crate) fn evict(&mut self, member_id: &str, now: Instant) -> bool {
        if let Some(modern) = &mut self.modern {
            let removed = modern.remove(member_id);
            self.maybe_downgrade(now);
            return removed;
        }
        let at = self.members.iter().position(|member| member.id == member_id);
        if let Some(at) = at {
            self.remove(at, now);
            self.go_on(now);
        }
        at.is_some()
    }

    /// Begins a rebalance though nobody asked for one.
    pub(crate) fn force_rebalance(&mut self, now: Instant) {
        if let Some(modern) = &mut self.modern {
            modern.epoch += 1;
            return;
        }
        if !self.members.is_empty() {
            self.rebalance(now);
        }
    }

    /// When [`expire`](Self::expire) has something to do next.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        if let Some(modern) = &self.modern {
            return modern.next_deadline();
        }
        let sessions = self.members.iter().filter(|member| !member.is_waiting());
        let sessions = sessions.map(|member| member.session_deadline);
        let phases = [self.sync_deadline, self.join_not_before.or(self.join_deadline)];
        sessions.chain(self.pending.values().copied()).chain(phases.into_iter().flatten()).min()
    }

    /// Does what is due. Returns whether anything was.
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        if self.next_deadline().is_none_or(|deadline| now < deadline) {
            return false;
        }
        if let Some(modern) = &mut self.modern {
            let expired = modern.expire(now);
            self.maybe_downgrade(now);
            return expired;
        }
        if self.join_not_before.is_some_and(|moment| now >= moment) {
            self.join_not_before = None;
        }
        self.pending.retain(|_, deadline| now < *deadline);
        let late_sync = self.sync_deadline.is_some_and(|deadline| now >= deadline);
        if late_sync {
            self.sync_deadline = None;
        }
        // Chosen before anybody is thrown out: that ends the waiting of the others.
        let late = |member: &&Member| !member.is_waiting() && (now >= member.session_deadline || late_sync);
        let late: Vec<String> = self.members.iter().filter(late).map(|member| member.id.clone()).collect();
        for id in late {
            if let Some(at) = self.members.iter().position(|member| member.id == id) {
                self.remove(at, now);
            }
        }
        if late_sync && self.state == GroupState::CompletingRebalance {
            self.rebalance(now);
        }
        self.go_on(now);
        true
    }
}

#[cfg(test)]
mod consumer_tests;
#[cfg(test)]
mod tests;

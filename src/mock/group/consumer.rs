//! The consumer group protocol of KIP-848, as a coordinator runs it: no IO and no clock in here.
//!
//! Each heartbeat moves its sender on: it may change what it wants, says which partitions it has given up, and is
//! told what it may own now. A partition is given to a member only when no other one has it any more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;
use crate::protocol::messages::consumer_group_heartbeat::{
    Assignment, ConsumerGroupHeartbeatRequestTopicPartitions, ConsumerGroupHeartbeatResponseTopicPartitions,
};
use crate::protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

use super::GroupState;
use super::migration::ClassicFace;
use super::remote_assignors::{self, Subscriber};

/// A partition of a topic, by the topic's id.
pub(crate) type Place = (Uuid, i32);

/// The topics that there are, with their ids and numbers of partitions.
pub(crate) type Catalogue = BTreeMap<String, (Uuid, i32)>;

/// Why a heartbeat is turned down, in the broker's words.
pub(crate) type Refusal = (ErrorCode, String);

/// Who sends a heartbeat, besides of what it says.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) client_id: String,
    pub(crate) host: String,
    /// The id of a member that brings none.
    pub(crate) new_id: String,
}

/// What the coordinator is set up with.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) heartbeat_interval: Duration,
    pub(crate) session_timeout: Duration,
    pub(crate) max_size: usize,
}

/// A group of the new protocol.
#[derive(Debug, Default)]
pub(crate) struct ConsumerGroup {
    /// Raised by whatever changes who gets what.
    pub(crate) epoch: i32,
    /// The epoch that the target was computed in.
    pub(crate) target_epoch: i32,
    pub(crate) members: BTreeMap<String, ConsumerMember>,
    pub(crate) target: BTreeMap<String, BTreeSet<Place>>,
    pub(crate) catalogue: Catalogue,
    /// Ids that classic members were given and have yet to use (KIP-394).
    pub(super) promised: BTreeSet<String>,
    /// The topics that some member wants, as they were when the target was computed.
    pub(super) seen: Catalogue,
    /// Somebody is new, or wants something else: the epoch is about to be raised.
    pub(super) changed: bool,
}

/// How far a member is on its way to its target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Progress {
    #[default]
    Stable,
    /// It has yet to say that it gave partitions up.
    Unrevoked,
    /// Others have yet to give up what it will get.
    Unreleased,
}

/// A member of a group of the new protocol.
#[derive(Debug, Default)]
pub(crate) struct ConsumerMember {
    pub(crate) instance_id: Option<String>,
    pub(crate) rack_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) host: String,
    pub(crate) topics: BTreeSet<String>,
    pub(crate) regex: Option<String>,
    pub(crate) assignor: Option<String>,
    /// -2 for a static member that is away.
    pub(crate) epoch: i32,
    pub(super) previous_epoch: i32,
    pub(super) progress: Progress,
    pub(crate) assigned: BTreeSet<Place>,
    pub(super) revoking: BTreeSet<Place>,
    pub(super) rebalance_timeout: Duration,
    pub(super) session_deadline: Option<Instant>,
    pub(super) revoke_deadline: Option<Instant>,
    /// What a member that speaks the classic protocol has said besides, while the group migrates.
    pub(crate) classic: Option<ClassicFace>,
}

const LEAVE: i32 = -1;
const LEAVE_FOR_A_WHILE: i32 = -2;

impl ConsumerGroup {
    pub(crate) fn state(&self) -> GroupState {
        if self.members.is_empty() {
            GroupState::Empty
        } else if self.epoch > self.target_epoch {
            GroupState::Assigning
        } else if self.members.values().any(|member| !self.is_settled(member)) {
            GroupState::Reconciling
        } else {
            GroupState::Stable
        }
    }

    fn is_settled(&self, member: &ConsumerMember) -> bool {
        member.progress == Progress::Stable && (member.epoch == self.target_epoch || member.epoch < 0)
    }

    /// The assignor that most members want; `uniform` when nobody says.
    pub(crate) fn assignor(&self) -> String {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for name in self.members.values().filter_map(|member| member.assignor.as_deref()) {
            *votes.entry(name).or_default() += 1;
        }
        let most = votes.iter().max_by_key(|(_, count)| **count);
        most.map_or_else(|| remote_assignors::UNIFORM.to_owned(), |(name, _)| (*name).to_owned())
    }

    /// A member joins, keeps itself up, or leaves.
    pub(crate) fn heartbeat(
        &mut self,
        request: ConsumerGroupHeartbeatRequest,
        from: Sender,
        limits: &Limits,
        now: Instant,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refusal> {
        check_form(&request)?;
        if request.member_epoch < 0 {
            return self.leave(&request);
        }
        let known = self.members.contains_key(&request.member_id);
        if !known && self.members.len() >= limits.max_size {
            return Err((
                ErrorCode::GROUP_MAX_SIZE_REACHED,
                "The consumer group has reached its size.".into(),
            ));
        }
        let id = self.enter(&request, from)?;
        let before = self.members.get(&id).map(|member| member.assigned.clone()).unwrap_or_default();
        let (epoch, full) = (request.member_epoch, is_full(&request));
        let owned = request.topic_partitions.as_deref().map(places);
        self.changed |= self.update(&id, request, limits, now);
        self.go_on(&id, owned.as_ref(), now);
        let member = self.members.get(&id).ok_or((ErrorCode::UNKNOWN_MEMBER_ID, String::new()))?;
        let told = epoch == 0 || full || member.assigned != before;
        Ok(ConsumerGroupHeartbeatResponse {
            member_id: Some(id),
            member_epoch: member.epoch,
            heartbeat_interval_ms: i32::try_from(limits.heartbeat_interval.as_millis()).unwrap_or(i32::MAX),
            assignment: told.then(|| Assignment { topic_partitions: by_topic(&member.assigned) }),
            ..Default::default()
        })
    }

    /// The member that the request comes from, made anew if it joins.
    fn enter(&mut self, request: &ConsumerGroupHeartbeatRequest, from: Sender) -> Result<String, Refusal> {
        let joins = request.member_epoch == 0;
        let id = if request.member_id.is_empty() { from.new_id } else { request.member_id.clone() };
        let holder = request.instance_id.as_ref().and_then(|instance| self.holder_of(instance));
        match (&request.instance_id, holder) {
            (Some(instance), None) if !joins => {
                return Err((ErrorCode::UNKNOWN_MEMBER_ID, format!("Instance id {instance} is unknown.")));
            }
            (Some(instance), Some(holder)) if holder != id => {
                if !joins {
                    let text = format!("Static member {id} with instance id {instance} was fenced.");
                    return Err((ErrorCode::FENCED_INSTANCE_ID, text));
                }
                let away =
                    |member: &ConsumerMember| member.epoch == LEAVE_FOR_A_WHILE || member.classic.is_some();
                if !self.members.get(&holder).is_some_and(away) {
                    let text = format!("Instance id {instance} is owned by {holder}.");
                    return Err((ErrorCode::UNRELEASED_INSTANCE_ID, text));
                }
                self.replace(&holder, &id);
            }
            _ => {}
        }
        if !self.members.contains_key(&id) {
            if !joins {
                return Err((
                    ErrorCode::UNKNOWN_MEMBER_ID,
                    format!("Member {id} is not a member of the group."),
                ));
            }
            self.members.insert(id.clone(), ConsumerMember::default());
            self.changed = true;
        }
        let Some(member) = self.members.get_mut(&id) else {
            return Err((ErrorCode::UNKNOWN_MEMBER_ID, String::new()));
        };
        let lost_answer = request.member_epoch == member.previous_epoch
            && request
                .topic_partitions
                .as_deref()
                .is_some_and(|owned| places(owned).is_subset(&member.assigned));
        if !joins && request.member_epoch != member.epoch && !lost_answer {
            let text = format!("Epoch {} is not {}: rejoin.", request.member_epoch, member.epoch);
            return Err((ErrorCode::FENCED_MEMBER_EPOCH, text));
        }
        if joins {
            member.classic = None;
        }
        (member.client_id, member.host) = (from.client_id, from.host);
        Ok(id)
    }

    pub(super) fn holder_of(&self, instance: &str) -> Option<String> {
        let found = self.members.iter().find(|(_, member)| member.instance_id.as_deref() == Some(instance));
        found.map(|(id, _)| id.clone())
    }

    /// A static member is back under another member id, and gets what it had.
    pub(super) fn replace(&mut self, old: &str, new: &str) {
        if let Some(mut member) = self.members.remove(old) {
            (member.epoch, member.previous_epoch, member.progress) = (0, 0, Progress::Stable);
            member.revoking.clear();
            self.members.insert(new.to_owned(), member);
        }
        if let Some(target) = self.target.remove(old) {
            self.target.insert(new.to_owned(), target);
        }
    }

    /// Takes over what the member says of itself. Returns whether it wants something else now.
    fn update(
        &mut self,
        id: &str,
        request: ConsumerGroupHeartbeatRequest,
        limits: &Limits,
        now: Instant,
    ) -> bool {
        let Some(member) = self.members.get_mut(id) else { return false };
        member.session_deadline = Some(now + limits.session_timeout);
        if let Ok(timeout) = u64::try_from(request.rebalance_timeout_ms) {
            member.rebalance_timeout = Duration::from_millis(timeout);
        }
        let mut changed = false;
        if request.instance_id.is_some() {
            member.instance_id = request.instance_id;
        }
        if let Some(rack) = request.rack_id {
            changed |= member.rack_id.replace(rack.clone()) != Some(rack);
        }
        if let Some(topics) = request.subscribed_topic_names {
            let topics: BTreeSet<String> = topics.into_iter().collect();
            changed |= std::mem::replace(&mut member.topics, topics.clone()) != topics;
        }
        if let Some(regex) = request.subscribed_topic_regex {
            let regex = Some(regex).filter(|regex| !regex.is_empty());
            changed |= std::mem::replace(&mut member.regex, regex.clone()) != regex;
        }
        if let Some(assignor) = request.server_assignor {
            changed |= member.assignor.replace(assignor.clone()) != Some(assignor);
        }
        changed
    }

    /// Computes the target if it is old, and brings one member closer to it.
    pub(super) fn go_on(&mut self, id: &str, owned: Option<&BTreeSet<Place>>, now: Instant) {
        let seen = self.wanted();
        if std::mem::take(&mut self.changed) || seen != self.seen {
            self.seen = seen;
            self.epoch += 1;
        }
        if self.epoch > self.target_epoch {
            self.target = self.share_out();
            self.target_epoch = self.epoch;
        }
        self.reconcile(id, owned, now);
    }

    /// The topics that somebody wants.
    fn wanted(&self) -> Catalogue {
        let all = self.catalogue.iter();
        all.filter(|(name, _)| self.members.values().any(|member| member.wants(name)))
            .map(|(name, topic)| (name.clone(), *topic))
            .collect()
    }

    fn share_out(&self) -> BTreeMap<String, BTreeSet<Place>> {
        let mut subscribers: Vec<Subscriber> = self
            .members
            .iter()
            .map(|(id, member)| Subscriber {
                id: id.clone(),
                instance_id: member.instance_id.clone(),
                topics: self
                    .seen
                    .iter()
                    .filter(|(name, _)| member.wants(name))
                    .map(|(_, topic)| topic.0)
                    .collect(),
                had: self.target.get(id).unwrap_or(&member.assigned).clone(),
            })
            .collect();
        // Static members first, so that a restart moves nothing.
        subscribers.sort_by(|a, b| a.order().cmp(&b.order()));
        let topics: Vec<(Uuid, i32)> = self.seen.values().copied().collect();
        remote_assignors::assign(&self.assignor(), &subscribers, &topics)
    }

    fn reconcile(&mut self, id: &str, owned: Option<&BTreeSet<Place>>, now: Instant) {
        let target = self.target.get(id).cloned().unwrap_or_default();
        let taken: BTreeSet<Place> = self
            .members
            .values()
            .flat_map(|member| member.assigned.iter().chain(&member.revoking).copied())
            .collect();
        let target_epoch = self.target_epoch;
        let Some(member) = self.members.get_mut(id) else { return };
        let holds = |given_up: &BTreeSet<Place>| owned.is_none_or(|owned| !owned.is_disjoint(given_up));
        let mut epoch = member.epoch;
        match member.progress {
            Progress::Stable if member.epoch == target_epoch => return,
            Progress::Unrevoked if holds(&member.revoking) => return,
            Progress::Unrevoked => epoch += 1,
            _ => {}
        }
        let keeps: BTreeSet<Place> = member.assigned.intersection(&target).copied().collect();
        let revoking: BTreeSet<Place> = member.assigned.difference(&keeps).copied().collect();
        if !revoking.is_empty() && holds(&revoking) {
            member.revoke_deadline = Some(now + member.rebalance_timeout);
            member.progress = Progress::Unrevoked;
            (member.assigned, member.revoking) = (keeps, revoking);
            member.advance(epoch);
            return;
        }
        // What it has just given up itself is free again.
        let mine = std::mem::take(&mut member.revoking);
        let free = |place: &Place| !taken.contains(place) || mine.contains(place) || revoking.contains(place);
        let missing: Vec<Place> = target.difference(&keeps).copied().collect();
        let waits = missing.iter().any(|place| !free(place));
        member.assigned = keeps;
        member.assigned.extend(missing.into_iter().filter(free));
        member.progress = if waits { Progress::Unreleased } else { Progress::Stable };
        member.revoke_deadline = None;
        member.advance(target_epoch);
    }

    fn leave(
        &mut self,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refusal> {
        let unknown =
            || (ErrorCode::UNKNOWN_MEMBER_ID, format!("Member {} is not in the group.", request.member_id));
        let id = match &request.instance_id {
            None => request.member_id.clone(),
            Some(instance) => {
                let holder = self.holder_of(instance).ok_or_else(unknown)?;
                if holder != request.member_id {
                    return Err((ErrorCode::FENCED_INSTANCE_ID, format!("{instance} is another one's.")));
                }
                holder
            }
        };
        let member = self.members.get_mut(&id).ok_or_else(unknown)?;
        if request.member_epoch == LEAVE_FOR_A_WHILE {
            member.epoch = LEAVE_FOR_A_WHILE;
            member.progress = Progress::Stable;
            member.revoke_deadline = None;
            member.revoking.clear();
        } else {
            self.remove(&id);
        }
        Ok(ConsumerGroupHeartbeatResponse {
            member_id: Some(id),
            member_epoch: request.member_epoch,
            ..Default::default()
        })
    }

    /// Takes a member out. Returns whether it was there.
    pub(crate) fn remove(&mut self, id: &str) -> bool {
        let removed = self.members.remove(id).is_some();
        if removed {
            self.target.remove(id);
            self.epoch += 1;
        }
        removed
    }

    /// Whether the sender may commit (or read commits, which takes the same).
    pub(crate) fn check_commit(&self, member_id: &str, epoch: i32) -> Result<(), ErrorCode> {
        if epoch < 0 && self.members.is_empty() {
            return Ok(());
        }
        match self.members.get(member_id) {
            None => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            Some(member) if member.epoch == epoch => Ok(()),
            Some(member) if member.classic.is_some() => Err(ErrorCode::ILLEGAL_GENERATION),
            Some(_) => Err(ErrorCode::STALE_MEMBER_EPOCH),
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let members = self.members.values();
        members.flat_map(|member| [member.session_deadline, member.revoke_deadline]).flatten().min()
    }

    /// Throws out who has not been heard of, or does not give up its partitions. Returns whether anybody was.
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        let late = |deadline: Option<Instant>| deadline.is_some_and(|deadline| now >= deadline);
        let gone: Vec<String> = self
            .members
            .iter()
            .filter(|(_, member)| late(member.session_deadline) || late(member.revoke_deadline))
            .map(|(id, _)| id.clone())
            .collect();
        for id in &gone {
            self.remove(id);
        }
        !gone.is_empty()
    }
}

impl ConsumerMember {
    pub(super) fn wants(&self, topic: &str) -> bool {
        self.topics.contains(topic)
            || self
                .regex
                .as_deref()
                .is_some_and(|regex| compile(regex).is_some_and(|regex| regex.is_match(topic)))
    }

    fn advance(&mut self, epoch: i32) {
        self.previous_epoch = std::mem::replace(&mut self.epoch, epoch);
    }
}

/// Brokers match whole names.
pub(crate) fn compile(regex: &str) -> Option<regex_lite::Regex> {
    regex_lite::Regex::new(&format!("^(?:{regex})$")).ok()
}

fn check_form(request: &ConsumerGroupHeartbeatRequest) -> Result<(), Refusal> {
    let invalid = |text: &str| Err((ErrorCode::INVALID_REQUEST, text.to_owned()));
    let empty = |text: &Option<String>| text.as_deref() == Some("");
    if request.group_id.is_empty() || empty(&request.instance_id) || empty(&request.rack_id) {
        return invalid("GroupId, InstanceId and RackId can't be empty.");
    }
    match request.member_epoch {
        0 => {
            let names = request.subscribed_topic_names.as_ref().is_some_and(|names| !names.is_empty());
            let regex = request.subscribed_topic_regex.as_ref().is_some_and(|regex| !regex.is_empty());
            if request.rebalance_timeout_ms == -1 {
                return invalid("RebalanceTimeoutMs must be provided in first request.");
            } else if request.topic_partitions.as_ref().is_none_or(|owned| !owned.is_empty()) {
                return invalid("TopicPartitions must be empty when (re-)joining.");
            } else if !names && !regex {
                return invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be set.");
            }
        }
        LEAVE_FOR_A_WHILE if request.instance_id.is_none() => return invalid("InstanceId can't be null."),
        1.. | LEAVE | LEAVE_FOR_A_WHILE if request.member_id.is_empty() => {
            return invalid("MemberId can't be empty.");
        }
        1.. | LEAVE | LEAVE_FOR_A_WHILE => {}
        _ => return invalid("MemberEpoch is invalid."),
    }
    if let Some(assignor) = request.server_assignor.as_deref() {
        if !remote_assignors::NAMES.contains(&assignor) {
            let text = format!("ServerAssignor {assignor} is not supported.");
            return Err((ErrorCode::UNSUPPORTED_ASSIGNOR, text));
        }
    }
    if let Some(regex) = request.subscribed_topic_regex.as_deref() {
        if compile(regex).is_none() {
            let text = format!("SubscribedTopicRegex `{regex}` is not a valid regular expression.");
            return Err((ErrorCode::INVALID_REGULAR_EXPRESSION, text));
        }
    }
    Ok(())
}

/// A request that says everything gets an answer that says everything.
fn is_full(request: &ConsumerGroupHeartbeatRequest) -> bool {
    let wants = request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some();
    request.rebalance_timeout_ms != -1 && wants && request.topic_partitions.is_some()
}

fn places(topics: &[ConsumerGroupHeartbeatRequestTopicPartitions]) -> BTreeSet<Place> {
    let of_topic = |topic: &ConsumerGroupHeartbeatRequestTopicPartitions| {
        let id = topic.topic_id;
        topic.partitions.iter().map(move |partition| (id, *partition)).collect::<Vec<_>>()
    };
    topics.iter().flat_map(of_topic).collect()
}

fn by_topic(places: &BTreeSet<Place>) -> Vec<ConsumerGroupHeartbeatResponseTopicPartitions> {
    let mut topics: Vec<ConsumerGroupHeartbeatResponseTopicPartitions> = Vec::new();
    for (topic_id, partition) in places {
        match topics.last_mut() {
            Some(last) if last.topic_id == *topic_id => last.partitions.push(*partition),
            _ => topics.push(ConsumerGroupHeartbeatResponseTopicPartitions {
                topic_id: *topic_id,
                partitions: vec![*partition],
            }),
        }
    }
    topics
}

//! The classic group protocol: JoinGroup, SyncGroup, Heartbeat, LeaveGroup.
//!
//! A rebalance starts only from the caller's `poll()`, since its listeners run there; everything that has to
//! go on meanwhile (waiting for the group, heartbeats, watching the time between two polls) runs on the IO
//! thread. Each join begins a new life of the member, and tasks of an old one end by themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::coordinator::Coordinator;
use crate::consumer::assignors;
use crate::consumer::event::{Event, Joined};
use crate::error::{Error, ErrorKind, Result};
use crate::error_code::ErrorCode;
use crate::net::manager::NodeId;
use crate::protocol::messages::consumer_protocol::ConsumerProtocolAssignmentTopicPartition;
use crate::protocol::messages::join_group::JoinGroupRequestProtocol;
use crate::protocol::messages::leave_group::MemberIdentity;
use crate::protocol::messages::sync_group::SyncGroupRequestAssignment;
use crate::protocol::messages::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, HeartbeatRequest, JoinGroupRequest,
    JoinGroupResponse, LeaveGroupRequest, SyncGroupRequest,
};
use crate::protocol::{decode_versioned, encode_versioned};
use crate::types::TopicPartition;

/// What the group knows this consumer as.
#[derive(Debug)]
pub(in crate::consumer) struct Member {
    /// Given by the coordinator; empty before.
    pub(super) id: String,
    /// -1 outside of the group.
    pub(super) generation: i32,
    /// Counts the times that the member has begun anew.
    life: u64,
    /// The coordinator may be holding a JoinGroup of this member.
    joining: bool,
}

impl Default for Member {
    fn default() -> Self {
        Self { id: String::new(), generation: -1, life: 0, joining: false }
    }
}

/// What one attempt to join led to.
enum Attempt {
    Joined(Joined),
    /// The coordinator wants another attempt.
    Again,
}

impl Coordinator {
    /// Joins the group, or joins it again; the outcome comes as an event with this number.
    pub(in crate::consumer) fn join(&self, number: u64, topics: Vec<Arc<str>>) {
        let life = self.new_life();
        self.0.member.borrow_mut().joining = true;
        let this = self.clone();
        self.0.cluster.net().spawn(async move {
            let outcome = this.join_until_done(&topics, life).await;
            if !this.lives(life) {
                return;
            }
            this.0.member.borrow_mut().joining = false;
            if outcome.is_ok() {
                this.start_life(life);
            }
            this.0.events.send(Event::Joined(number, outcome));
        });
    }

    /// Leaves the group. A static member keeps its seat, unless `give_up_seat`.
    ///
    /// # Errors
    /// What became of the request; the member counts as gone in any case.
    pub(in crate::consumer) async fn leave(&self, reason: &str, give_up_seat: bool) -> Result<()> {
        let joining = self.0.member.borrow().joining;
        self.new_life();
        let id = {
            let mut member = self.0.member.borrow_mut();
            (member.generation, member.joining) = (-1, false);
            std::mem::take(&mut member.id)
        };
        if id.is_empty() || (self.0.config.group_instance_id.is_some() && !give_up_seat) {
            return Ok(());
        }
        self.send_leave(id, reason, joining).await
    }

    /// Waits until the commits that were asked for before have ended.
    pub(in crate::consumer) async fn commits_settled(&self) {
        drop(self.0.commits.take().await);
    }

    async fn send_leave(&self, id: String, reason: &str, joining: bool) -> Result<()> {
        // While the coordinator holds a JoinGroup, nothing behind it on that connection is looked at.
        let connection = match self.node() {
            Some(node) if joining => self.0.cluster.manager().connection(NodeId::Broker(node)).await?,
            _ => self.connection().await?,
        };
        let version = connection.pick_version::<LeaveGroupRequest>(i16::MAX)?;
        let mut request = LeaveGroupRequest { group_id: self.0.group_id.clone(), ..Default::default() };
        if version < 3 {
            request.member_id = id;
        } else {
            let group_instance_id = self.0.config.group_instance_id.clone();
            let reason = Some(reason.to_owned());
            request.members = vec![MemberIdentity { member_id: id, group_instance_id, reason }];
        }
        let timeout = self.0.config.common.request_timeout;
        let response = connection.send_at(&request, version, timeout).await?;
        let members = response.members.iter().map(|member| member.error_code);
        for code in std::iter::once(response.error_code).chain(members) {
            // Who is not a member any more has left.
            if !code.is_ok() && code != ErrorCode::UNKNOWN_MEMBER_ID {
                return Err(self.error(code, "LeaveGroup"));
            }
        }
        Ok(())
    }

    /// The member is out of the group. The coordinator gives it a new id when it joins again, unless
    /// `keeps_id`.
    pub(super) fn lost(&self, keeps_id: bool, error: Option<Error>) {
        let generation = {
            let mut member = self.0.member.borrow_mut();
            if member.generation < 0 {
                return;
            }
            if !keeps_id {
                member.id.clear();
            }
            std::mem::replace(&mut member.generation, -1)
        };
        self.new_life();
        self.0.events.send(Event::MemberLost(generation, error));
    }

    fn new_life(&self) -> u64 {
        let mut member = self.0.member.borrow_mut();
        member.life += 1;
        member.life
    }

    fn lives(&self, life: u64) -> bool {
        self.0.member.borrow().life == life
    }

    async fn join_until_done(&self, topics: &[Arc<str>], life: u64) -> Result<Joined> {
        let mut failures = 0;
        let mut tries = 0;
        loop {
            match self.join_once(topics, life).await {
                Ok(Attempt::Joined(joined)) => return Ok(joined),
                Ok(Attempt::Again) => {
                    // Once or twice is how joining works; more often it would be a tight loop.
                    tries += 1;
                    failures = u32::saturating_sub(tries, 2);
                }
                Err(error) if error.is_retriable() => {
                    log::debug!("{error}");
                    failures += 1;
                }
                Err(error) => return Err(error),
            }
            if failures > 0 {
                self.0.cluster.net().sleep(self.backoff(failures)).await;
            }
            if !self.lives(life) {
                return Err(Error::new(ErrorKind::IllegalState, "the join is not wanted any more"));
            }
        }
    }

    async fn join_once(&self, topics: &[Arc<str>], life: u64) -> Result<Attempt> {
        let member_id = self.0.member.borrow().id.clone();
        let protocols = self.protocols(topics)?;
        let config = &self.0.config;
        let request = |_| JoinGroupRequest {
            group_id: self.0.group_id.clone(),
            session_timeout_ms: millis(config.session_timeout),
            rebalance_timeout_ms: millis(config.max_poll_interval),
            member_id: member_id.clone(),
            group_instance_id: config.group_instance_id.clone(),
            protocol_type: PROTOCOL_TYPE.to_owned(),
            protocols,
            reason: None,
        };
        // The answer comes when all members have joined, which may take the whole rebalance timeout.
        let patience = config.max_poll_interval.saturating_add(Duration::from_secs(5));
        let patience = patience.max(config.common.request_timeout);
        let response = self.request(i16::MAX, patience, request).await?;
        if !self.lives(life) {
            if member_id.is_empty() && response.error_code.is_ok() && config.group_instance_id.is_none() {
                // Nobody else knows of this member; without this the group would wait for it.
                let _ = self.send_leave(response.member_id, "the join is not wanted any more", false).await;
            }
            return Ok(Attempt::Again);
        }
        match response.error_code {
            ErrorCode::NONE => {}
            ErrorCode::MEMBER_ID_REQUIRED => {
                self.0.member.borrow_mut().id = response.member_id;
                return Ok(Attempt::Again);
            }
            code => return self.refused(code, "JoinGroup"),
        }
        {
            let mut member = self.0.member.borrow_mut();
            member.id.clone_from(&response.member_id);
            member.generation = response.generation_id;
        }
        let is_leader = response.leader == response.member_id;
        let assignments = if is_leader && !response.skip_assignment {
            self.share_out(&response, topics).await?
        } else {
            Vec::new()
        };
        self.sync(response, is_leader, assignments).await
    }

    async fn sync(
        &self,
        join: JoinGroupResponse,
        is_leader: bool,
        assignments: Vec<SyncGroupRequestAssignment>,
    ) -> Result<Attempt> {
        let config = &self.0.config;
        let request = |_| SyncGroupRequest {
            group_id: self.0.group_id.clone(),
            generation_id: join.generation_id,
            member_id: join.member_id.clone(),
            group_instance_id: config.group_instance_id.clone(),
            protocol_type: Some(PROTOCOL_TYPE.to_owned()),
            protocol_name: join.protocol_name.clone(),
            assignments,
        };
        let patience = config.max_poll_interval.saturating_add(Duration::from_secs(5));
        let response = self.request(i16::MAX, patience.max(config.common.request_timeout), request).await?;
        if !response.error_code.is_ok() {
            return self.refused(response.error_code, "SyncGroup");
        }
        let partitions = if response.assignment.is_empty() {
            Vec::new()
        } else {
            let (_, assignment) = decode_versioned::<ConsumerProtocolAssignment>(response.assignment)?;
            partitions_of(assignment)
        };
        let (generation, member_id) = (join.generation_id, join.member_id);
        log::info!(
            "group {}: member {member_id} of generation {generation} has {partitions:?}",
            self.0.group_id
        );
        Ok(Attempt::Joined(Joined { generation, member_id, is_leader, partitions }))
    }

    /// What a code in the course of a rebalance leads to.
    fn refused(&self, code: ErrorCode, what: &str) -> Result<Attempt> {
        log::info!("group {}: {what}: {code}", self.0.group_id);
        match code {
            ErrorCode::UNKNOWN_MEMBER_ID => {
                let mut member = self.0.member.borrow_mut();
                member.id.clear();
                member.generation = -1;
                Ok(Attempt::Again)
            }
            ErrorCode::ILLEGAL_GENERATION | ErrorCode::REBALANCE_IN_PROGRESS => {
                self.0.member.borrow_mut().generation = -1;
                Ok(Attempt::Again)
            }
            code => {
                let moved = self.has_moved(code);
                let error = self.error(code, what);
                let again = moved || code.is_retriable() || code == ErrorCode::UNKNOWN_SERVER_ERROR;
                Err(if again { error.with_retriable(true) } else { error })
            }
        }
    }

    fn protocols(&self, topics: &[Arc<str>]) -> Result<Vec<JoinGroupRequestProtocol>> {
        let rack = &self.0.config.client_rack;
        let subscription = ConsumerProtocolSubscription {
            topics: topics.iter().map(|topic| topic.to_string()).collect(),
            rack_id: (!rack.is_empty()).then(|| rack.clone()),
            ..ConsumerProtocolSubscription::default()
        };
        let metadata = encode_versioned(&subscription, SUBSCRIPTION_VERSION)?;
        let assignors = self.0.config.partition_assignment_strategy.iter();
        Ok(assignors
            .map(|assignor| JoinGroupRequestProtocol {
                name: assignor.as_str().to_owned(),
                metadata: metadata.clone(),
            })
            .collect())
    }

    /// The leader's part: everybody's partitions.
    async fn share_out(
        &self,
        join: &JoinGroupResponse,
        own: &[Arc<str>],
    ) -> Result<Vec<SyncGroupRequestAssignment>> {
        let name = join.protocol_name.as_deref().unwrap_or_default();
        let known = &self.0.config.partition_assignment_strategy;
        let assignor = known.iter().copied().find(|assignor| assignor.as_str() == name).ok_or_else(|| {
            let text = format!("the group {} has chosen the unknown assignor {name:?}", self.0.group_id);
            Error::new(ErrorKind::Protocol, text)
        })?;
        let mut members = Vec::new();
        for member in &join.members {
            let (_, subscription) =
                decode_versioned::<ConsumerProtocolSubscription>(member.metadata.clone())?;
            members.push(assignors::Member {
                id: member.member_id.clone(),
                instance_id: member.group_instance_id.clone(),
                topics: subscription.topics,
            });
        }
        let partitions = self.partition_counts(&members, own).await;
        let mut assignment = assignors::assign(assignor, &members, &partitions);
        let mut shares = Vec::new();
        for member in members {
            let share = assignment_of(assignment.remove(&member.id).unwrap_or_default());
            shares.push(SyncGroupRequestAssignment {
                member_id: member.id,
                assignment: encode_versioned(&share, ASSIGNMENT_VERSION)?,
            });
        }
        Ok(shares)
    }

    /// The topics that exist, with their number of partitions.
    async fn partition_counts(
        &self,
        members: &[assignors::Member],
        own: &[Arc<str>],
    ) -> BTreeMap<Arc<str>, i32> {
        let cluster = &self.0.cluster;
        let mut topics: BTreeSet<Arc<str>> = own.iter().cloned().collect();
        topics
            .extend(members.iter().flat_map(|member| &member.topics).map(|topic| Arc::from(topic.as_str())));
        cluster.set_topics(topics.iter().cloned());
        if !topics.iter().all(|topic| cluster.snapshot().topic(topic).is_some()) {
            // A topic that is still unknown then has no partitions to share out; when it appears, the group
            // is asked to join again.
            while let Err(error) = cluster.update().await {
                log::debug!("metadata for the assignment: {error}");
            }
        }
        let view = cluster.snapshot();
        let count = |topic: Arc<str>| {
            let count = i32::try_from(view.topic(&topic)?.partitions.len()).ok()?;
            Some((topic, count))
        };
        topics.into_iter().filter_map(count).collect()
    }

    /// What runs for as long as the member lives.
    fn start_life(&self, life: u64) {
        let net = self.0.cluster.net();
        net.spawn(self.clone().heartbeat(life));
        net.spawn(self.clone().watch_polls(life));
    }

    async fn heartbeat(self, life: u64) {
        let net = self.0.cluster.net().clone();
        let config = &self.0.config;
        let mut last_answer = net.now();
        let mut pause = config.heartbeat_interval;
        let mut failures = 0;
        let mut told = false;
        loop {
            net.sleep(pause).await;
            if !self.lives(life) {
                return;
            }
            let timeout = config.session_timeout.min(config.common.request_timeout);
            let expiry = last_answer + config.session_timeout;
            let answer = net.until(expiry, self.send_heartbeat(timeout)).await;
            if !self.lives(life) {
                return;
            }
            let code = match answer {
                Some(Ok(code)) => code,
                Some(Err(error)) if !error.is_retriable() => return self.lost(false, Some(error)),
                Some(Err(error)) => {
                    log::debug!("group {}: heartbeat: {error}", self.0.group_id);
                    failures += 1;
                    pause = self.backoff(failures).min(config.heartbeat_interval);
                    continue;
                }
                None => {
                    log::warn!(
                        "group {}: no heartbeat was answered for {:?}; the member begins anew",
                        self.0.group_id,
                        config.session_timeout
                    );
                    self.forget("no heartbeat was answered");
                    return self.lost(false, None);
                }
            };
            pause = config.heartbeat_interval;
            match code {
                ErrorCode::NONE => (last_answer, failures) = (net.now(), 0),
                ErrorCode::REBALANCE_IN_PROGRESS => {
                    (last_answer, failures) = (net.now(), 0);
                    if !std::mem::replace(&mut told, true) {
                        let generation = self.0.member.borrow().generation;
                        self.0.events.send(Event::RejoinNeeded(generation));
                    }
                }
                ErrorCode::ILLEGAL_GENERATION => return self.lost(true, None),
                ErrorCode::UNKNOWN_MEMBER_ID => return self.lost(false, None),
                code => {
                    let moved = self.has_moved(code);
                    if !moved && !code.is_retriable() && code != ErrorCode::UNKNOWN_SERVER_ERROR {
                        return self.lost(false, Some(self.error(code, "Heartbeat")));
                    }
                    failures += 1;
                    pause = self.backoff(failures).min(config.heartbeat_interval);
                }
            }
        }
    }

    async fn send_heartbeat(&self, timeout: Duration) -> Result<ErrorCode> {
        let response = self
            .request(i16::MAX, timeout, |_| {
                let member = self.0.member.borrow();
                HeartbeatRequest {
                    group_id: self.0.group_id.clone(),
                    generation_id: member.generation,
                    member_id: member.id.clone(),
                    group_instance_id: self.0.config.group_instance_id.clone(),
                }
            })
            .await?;
        Ok(response.error_code)
    }

    /// Leaves the group when the program has had control for too long without asking for more (KIP-62).
    async fn watch_polls(self, life: u64) {
        let net = self.0.cluster.net().clone();
        let limit = self.0.config.max_poll_interval;
        let tick = (limit / 8).clamp(MIN_TICK, Duration::from_secs(1));
        let mut seen = 0;
        let mut since = net.now();
        loop {
            net.sleep(tick).await;
            if !self.lives(life) {
                return;
            }
            let activity = self.0.events.shared().activity();
            // An even number: the program is inside of poll(), where waiting does not count.
            if activity != seen || activity % 2 == 0 {
                (seen, since) = (activity, net.now());
                continue;
            }
            if net.now().saturating_duration_since(since) < limit {
                continue;
            }
            let text = format!(
                "more than {limit:?} between two calls of poll(): the member has left group {} and joins again; \
                 raise max.poll.interval.ms, or lower max.poll.records",
                self.0.group_id
            );
            log::warn!("{text}");
            let id = self.0.member.borrow().id.clone();
            self.lost(false, Some(Error::new(ErrorKind::MaxPollExceeded, text)));
            if self.0.config.group_instance_id.is_none() {
                if let Err(error) = self.send_leave(id, "max.poll.interval.ms has passed", false).await {
                    log::debug!("{error}");
                }
            }
            return;
        }
    }
}

fn partitions_of(assignment: ConsumerProtocolAssignment) -> Vec<TopicPartition> {
    let mut all = Vec::new();
    for topic in assignment.assigned_partitions {
        let name: Arc<str> = Arc::from(topic.topic);
        all.extend(
            topic.partitions.into_iter().map(|partition| TopicPartition::new(Arc::clone(&name), partition)),
        );
    }
    all
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

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

const PROTOCOL_TYPE: &str = "consumer";

/// Java's of today. Older readers take the fields that they know.
const SUBSCRIPTION_VERSION: i16 = 3;
const ASSIGNMENT_VERSION: i16 = 0;

/// The time between two polls is looked at no more often than this.
const MIN_TICK: Duration = Duration::from_millis(10);

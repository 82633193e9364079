//! The classic group protocol: JoinGroup, SyncGroup, Heartbeat, LeaveGroup.
//!
//! A rebalance starts only from the caller's `poll()`, since its listeners run there; everything that has to
//! go on meanwhile (waiting for the group, heartbeats, watching the time between two polls) runs on the IO
//! thread. Members whose assignors are all cooperative keep what they have while they join (KIP-429); the others
//! come with empty hands.

use std::sync::Arc;
use std::time::Duration;

use super::coordinator::Coordinator;
use super::member::Wanted;
use crate::config::{Assignor, LastAssignment};
use crate::consumer::assignors;
use crate::consumer::event::{Event, JoinOutcome, Joined};
use crate::consumer::shape::Shapes;
use crate::error::{Error, ErrorKind, Result, printable};
use crate::error_code::ErrorCode;
use crate::net::manager::NodeId;
use crate::protocol::messages::consumer_protocol::ConsumerProtocolSubscriptionTopicPartition;
use crate::protocol::messages::join_group::JoinGroupRequestProtocol;
use crate::protocol::messages::leave_group::MemberIdentity;
use crate::protocol::messages::sync_group::SyncGroupRequestAssignment;
use crate::protocol::messages::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, HeartbeatRequest, JoinGroupRequest,
    JoinGroupResponse, LeaveGroupRequest, SyncGroupRequest,
};
use crate::protocol::{decode_versioned, encode_versioned};
use crate::types::TopicPartition;

/// What one attempt to join led to.
enum Attempt {
    Joined(Joined),
    /// The coordinator wants another attempt.
    Again,
    /// The coordinator does not know the member any more, and so not what it still has.
    Lost,
}

impl Coordinator {
    pub(super) async fn join_classic(self, number: u64, wanted: Wanted, life: u64) {
        let outcome = self.join_until_done(&wanted, life).await;
        if !self.lives(life) {
            return;
        }
        self.0.member.borrow_mut().joining = false;
        if matches!(outcome, JoinOutcome::Joined(_)) {
            self.start_life(life);
        }
        self.0.events.send(Event::Joined(number, outcome));
    }

    /// Leaves. Tries until it is done; the caller bounds the wait.
    pub(super) async fn send_leave(&self, id: String, reason: &str, joining: bool) -> Result<()> {
        let mut failures = 0;
        loop {
            match self.try_leave(&id, reason, joining).await {
                Err(error) if error.is_retriable() => {
                    log::debug!("{error}");
                    failures += 1;
                    self.0.cluster.net().sleep(self.backoff(failures)).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn try_leave(&self, id: &str, reason: &str, joining: bool) -> Result<()> {
        // While the coordinator holds a JoinGroup, nothing behind it on that connection is looked at.
        let connection = match self.node() {
            Some(node) if joining => self.0.cluster.manager().connection(NodeId::Broker(node)).await?,
            _ => self.connection().await?,
        };
        let version = connection.pick_version::<LeaveGroupRequest>(i16::MAX)?;
        let mut request = LeaveGroupRequest { group_id: self.0.group_id.clone(), ..Default::default() };
        if version < 3 {
            request.member_id = id.to_owned();
        } else {
            let group_instance_id = self.0.config.group_instance_id.clone();
            let reason = Some(reason.to_owned());
            request.members = vec![MemberIdentity { member_id: id.to_owned(), group_instance_id, reason }];
        }
        let timeout = self.0.config.common.request_timeout;
        let response = connection.send_at(&request, version, timeout).await.inspect_err(|error| {
            if matches!(error.kind(), ErrorKind::Connection | ErrorKind::Timeout) {
                self.forget(error);
            }
        })?;
        let members = response.members.iter().map(|member| member.error_code);
        for code in std::iter::once(response.error_code).chain(members) {
            // Who is not a member any more has left.
            if !code.is_ok() && code != ErrorCode::UNKNOWN_MEMBER_ID {
                let moved = self.has_moved(code);
                let error = self.error(code, "LeaveGroup");
                return Err(if moved { error.with_retriable(true) } else { error });
            }
        }
        Ok(())
    }

    async fn join_until_done(&self, wanted: &Wanted, life: u64) -> JoinOutcome {
        let mut failures = 0;
        let mut tries = 0;
        loop {
            match self.join_once(wanted, life).await {
                Ok(Attempt::Joined(joined)) => return JoinOutcome::Joined(joined),
                Ok(Attempt::Lost) => return JoinOutcome::Lost,
                Ok(Attempt::Again) => {
                    // Once or twice is how joining works; more often it would be a tight loop.
                    tries += 1;
                    failures = u32::saturating_sub(tries, 2);
                }
                Err(error) if error.is_retriable() => {
                    log::debug!("{error}");
                    failures += 1;
                }
                Err(error) => return JoinOutcome::Failed(error),
            }
            if failures > 0 {
                self.0.cluster.net().sleep(self.backoff(failures)).await;
            }
            if !self.lives(life) {
                let text = "the join is not wanted any more";
                return JoinOutcome::Failed(Error::new(ErrorKind::IllegalState, text));
            }
        }
    }

    async fn join_once(&self, wanted: &Wanted, life: u64) -> Result<Attempt> {
        let member_id = self.0.member.borrow().id.clone();
        let protocols = self.protocols(wanted)?;
        let config = &self.0.config;
        let request = |_| JoinGroupRequest {
            group_id: self.0.group_id.clone(),
            session_timeout_ms: millis(config.session_timeout),
            rebalance_timeout_ms: millis(config.max_poll_interval),
            member_id: member_id.clone(),
            group_instance_id: config.group_instance_id.clone(),
            protocol_type: PROTOCOL_TYPE.to_owned(),
            protocols,
            reason: Some(cut(&wanted.reason)).filter(|reason| !reason.is_empty()),
        };
        // The answer comes when all members have joined, which may take the whole rebalance timeout.
        let patience = config.max_poll_interval.saturating_add(Duration::from_secs(5));
        let patience = patience.max(config.common.request_timeout);
        let begin = self.0.cluster.net().now();
        let response = self.held_request(patience, request).await?;
        let now = self.0.cluster.net().now();
        self.meter().sensors.joins.record_millis(now.saturating_duration_since(begin), now);
        if !self.lives(life) {
            if member_id.is_empty() && response.error_code.is_ok() && config.group_instance_id.is_none() {
                // Nobody else knows of this member; without this the group would wait for it.
                let _ = self.try_leave(&response.member_id, "the join is not wanted any more", false).await;
            }
            return Ok(Attempt::Again);
        }
        match response.error_code {
            ErrorCode::NONE => {}
            ErrorCode::MEMBER_ID_REQUIRED => {
                self.0.member.borrow_mut().id = response.member_id;
                return Ok(Attempt::Again);
            }
            code => return self.refused(code, "JoinGroup", wanted),
        }
        {
            let mut member = self.0.member.borrow_mut();
            member.id.clone_from(&response.member_id);
            member.generation = response.generation_id;
        }
        let is_leader = response.leader == response.member_id;
        let (assignments, group_topics) = if is_leader {
            self.share_out(&response, &wanted.topics).await?
        } else {
            (Vec::new(), Shapes::new())
        };
        match self.sync(response, is_leader, assignments, wanted, life).await? {
            Attempt::Joined(joined) => Ok(Attempt::Joined(Joined { group_topics, ..joined })),
            attempt => Ok(attempt),
        }
    }

    async fn sync(
        &self,
        join: JoinGroupResponse,
        is_leader: bool,
        assignments: Vec<SyncGroupRequestAssignment>,
        wanted: &Wanted,
        life: u64,
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
        let begin = self.0.cluster.net().now();
        let response = self.held_request(patience.max(config.common.request_timeout), request).await?;
        let now = self.0.cluster.net().now();
        self.meter().sensors.syncs.record_millis(now.saturating_duration_since(begin), now);
        if !response.error_code.is_ok() {
            return self.refused(response.error_code, "SyncGroup", wanted);
        }
        let partitions = if response.assignment.is_empty() {
            Vec::new()
        } else {
            let (_, assignment) = decode_versioned::<ConsumerProtocolAssignment>(response.assignment)?;
            partitions_of(assignment)
        };
        let (generation, member_id) = (join.generation_id, join.member_id);
        log::info!(
            "group {}: member {} of generation {generation} has {partitions:?}",
            self.0.group_id,
            printable(&member_id)
        );
        let cooperative = is_cooperative(&self.0.config.partition_assignment_strategy);
        self.0.member.borrow_mut().last = Some(LastAssignment { generation, partitions: partitions.clone() });
        Ok(Attempt::Joined(Joined {
            life,
            generation,
            member_id,
            is_leader,
            cooperative,
            partitions,
            group_topics: Shapes::new(),
        }))
    }

    /// What a code in the course of a rebalance leads to.
    fn refused(&self, code: ErrorCode, what: &str, wanted: &Wanted) -> Result<Attempt> {
        log::info!("group {}: {what}: {code}", self.0.group_id);
        match code {
            ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::ILLEGAL_GENERATION => {
                let mut member = self.0.member.borrow_mut();
                if code == ErrorCode::UNKNOWN_MEMBER_ID {
                    member.id.clear();
                }
                member.generation = -1;
                Ok(if wanted.owned.is_empty() { Attempt::Again } else { Attempt::Lost })
            }
            ErrorCode::REBALANCE_IN_PROGRESS => Ok(Attempt::Again),
            code => {
                let moved = self.has_moved(code);
                let error = self.error(code, what);
                let again = moved || code.is_retriable() || code == ErrorCode::UNKNOWN_SERVER_ERROR;
                Err(if again { error.with_retriable(true) } else { error })
            }
        }
    }

    fn protocols(&self, wanted: &Wanted) -> Result<Vec<JoinGroupRequestProtocol>> {
        let rack = &self.0.config.client_rack;
        let topics: Vec<String> = wanted.topics.iter().map(|topic| topic.to_string()).collect();
        let member = self.0.member.borrow();
        let assignors = self.0.config.partition_assignment_strategy.iter();
        assignors
            .map(|assignor| {
                let subscription = ConsumerProtocolSubscription {
                    topics: topics.clone(),
                    user_data: assignors::user_data(assignor, &topics, member.last.as_ref()),
                    owned_partitions: owned_by_topic(&wanted.owned),
                    generation_id: wanted.owned_generation,
                    rack_id: (!rack.is_empty()).then(|| rack.clone()),
                };
                let metadata = encode_versioned(&subscription, SUBSCRIPTION_VERSION)?;
                Ok(JoinGroupRequestProtocol { name: assignor.as_str().to_owned(), metadata })
            })
            .collect()
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
                        self.0.events.send(Event::RejoinNeeded(life));
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
        let begin = self.0.cluster.net().now();
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
        let now = self.0.cluster.net().now();
        self.meter().heartbeat(now.saturating_duration_since(begin), now);
        Ok(response.error_code)
    }
}

pub(super) fn partitions_of(assignment: ConsumerProtocolAssignment) -> Vec<TopicPartition> {
    let mut all = Vec::new();
    for topic in assignment.assigned_partitions {
        let name: Arc<str> = Arc::from(topic.topic);
        all.extend(
            topic.partitions.into_iter().map(|partition| TopicPartition::new(Arc::clone(&name), partition)),
        );
    }
    all
}

fn owned_by_topic(owned: &[TopicPartition]) -> Vec<ConsumerProtocolSubscriptionTopicPartition> {
    let mut topics: Vec<ConsumerProtocolSubscriptionTopicPartition> = Vec::new();
    for tp in owned {
        match topics.iter_mut().find(|topic| topic.topic == tp.topic()) {
            Some(topic) => topic.partitions.push(tp.partition()),
            None => topics.push(ConsumerProtocolSubscriptionTopicPartition {
                topic: tp.topic().to_owned(),
                partitions: vec![tp.partition()],
            }),
        }
    }
    topics
}

/// Whether members need not give up everything before a rebalance: when no assignor of theirs wants that.
pub(in crate::consumer) fn is_cooperative(assignors: &[Assignor]) -> bool {
    !assignors.is_empty() && assignors.iter().all(Assignor::is_cooperative)
}

/// Brokers take no more of a reason.
fn cut(reason: &str) -> String {
    reason.chars().take(MAX_REASON).collect()
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

const PROTOCOL_TYPE: &str = "consumer";

/// Java's of today. Older readers take the fields that they know.
const SUBSCRIPTION_VERSION: i16 = 3;

const MAX_REASON: usize = 255;

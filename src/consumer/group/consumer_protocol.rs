//! The consumer group protocol of KIP-848: one request, ConsumerGroupHeartbeat, by which the member joins, says
//! what it wants and has, is told what it may have, and leaves.
//!
//! The coordinator names topics by id; [`topic_ids`](super::topic_ids) finds their names. What is to change hands
//! goes to the program's thread as a [`Target`]: listeners run there, inside of `poll()`. Only when that is done
//! ([`Coordinator::reconciled`]) does the next heartbeat say so, and the coordinator gives the partitions to others.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::coordinator::Coordinator;
use super::member::Wanted;
use crate::consumer::event::{Event, JoinOutcome, Joined, Target};
use crate::consumer::shape::Shapes;
use crate::error::{Error, ErrorKind, Result, printable};
use crate::error_code::ErrorCode;
use crate::net::wakeup::Wakeup;
use crate::protocol::Uuid;
use crate::protocol::messages::consumer_group_heartbeat::{
    Assignment, ConsumerGroupHeartbeatRequestTopicPartitions,
};
use crate::protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use crate::types::TopicPartition;

/// A partition of a topic, by the topic's id.
pub(super) type Place = (Uuid, i32);

/// What the member has, and what it is to have.
#[derive(Debug, Default)]
pub(super) struct Reconciliation {
    wanted: Wanted,
    /// What it has, as far as the program's thread has got.
    owned: BTreeSet<Place>,
    /// What the coordinator wants it to have, as told last.
    target: BTreeSet<Place>,
    /// What the program's thread was asked to change to, by the number of the asking.
    offers: BTreeMap<u64, BTreeSet<Place>>,
    last_offer: u64,
    /// The names of topics that metadata was asked for by id.
    pub(super) names: HashMap<Uuid, Arc<str>>,
    /// The coordinator has yet to hear that the target is reached.
    unacknowledged: bool,
    /// Since when what the member has is not what it is to have.
    since: Option<Instant>,
    /// The coordinator may have a regular expression of this member, which outlasts a heartbeat without one.
    told_regex: bool,
    /// Rings when a heartbeat is due before its time.
    changed: Wakeup,
}

/// What one life of the member has to remember between two heartbeats.
struct Life {
    number: u64,
    life: u64,
    epoch: i32,
    joined: bool,
    /// The coordinator may have missed the last request: everything is said again.
    full: bool,
    interval: Duration,
    failures: u32,
    /// The last moment at which the coordinator said that all is well.
    alive_at: Instant,
    sent: Option<Sent>,
}

/// What the coordinator has been told already.
#[derive(PartialEq, Eq)]
struct Sent {
    topics: BTreeSet<Arc<str>>,
    regex: Option<String>,
}

/// What follows from an answer.
enum Next {
    /// The next heartbeat comes by its interval, or when something has changed.
    Wait,
    /// Another attempt, after a pause that grows.
    Retry,
    /// This life is over.
    End,
}

impl Coordinator {
    /// What the member begins with, before it has heard of the coordinator.
    pub(super) fn begin(&self, wanted: Wanted) {
        let mut member = self.0.member.borrow_mut();
        if member.id.is_empty() {
            // Made here (KIP-1082), so that an answer that is lost leaves no ghost behind.
            member.id = Uuid::random(self.0.cluster.net().random_bytes()).to_string();
        }
        let Reconciliation { names, told_regex, .. } = std::mem::take(&mut member.modern);
        member.modern = Reconciliation { wanted, names, told_regex, ..Reconciliation::default() };
    }

    /// Joins, and keeps the member in its group until its life is over.
    pub(super) async fn stay(self, number: u64, life: u64) {
        let net = self.0.cluster.net().clone();
        let mut state = Life {
            number,
            life,
            epoch: 0,
            joined: false,
            full: true,
            interval: FIRST_INTERVAL,
            failures: 0,
            alive_at: net.now(),
            sent: None,
        };
        while self.lives(life) {
            match self.beat(&mut state).await {
                Next::Wait => {
                    let changed = self.0.member.borrow().modern.changed.clone();
                    net.until(net.now() + state.interval, changed.notified()).await;
                }
                Next::Retry => {
                    state.full = true;
                    state.failures += 1;
                    net.sleep(self.backoff(state.failures)).await;
                }
                Next::End => return,
            }
        }
    }

    /// The member wants something else from now on.
    pub(in crate::consumer) fn change(&self, wanted: Wanted) {
        let mut member = self.0.member.borrow_mut();
        member.modern.wanted = wanted;
        member.modern.changed.notify();
    }

    /// The program's thread has done what it was asked for under this number.
    pub(in crate::consumer) fn reconciled(&self, life: u64, number: u64) {
        let mut member = self.0.member.borrow_mut();
        if member.life != life {
            return;
        }
        let modern = &mut member.modern;
        if let Some(owned) = modern.offers.remove(&number) {
            modern.owned = owned;
            modern.offers.retain(|later, _| *later > number);
            modern.since = (modern.owned != modern.target).then(|| self.0.cluster.net().now());
            modern.unacknowledged = true;
            modern.changed.notify();
        }
    }

    /// Says that the member leaves: for good, or as a static one for a while. Tries until it is done; the caller
    /// bounds the wait.
    pub(super) async fn send_last_heartbeat(&self, member_id: &str, comes_back: bool) -> Result<()> {
        let mut failures = 0;
        loop {
            match self.try_last_heartbeat(member_id, comes_back).await {
                Err(error) if error.is_retriable() => {
                    log::debug!("{error}");
                    failures += 1;
                    self.0.cluster.net().sleep(self.backoff(failures)).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn try_last_heartbeat(&self, member_id: &str, comes_back: bool) -> Result<()> {
        let config = &self.0.config;
        let request = |_| ConsumerGroupHeartbeatRequest {
            group_id: self.0.group_id.clone(),
            member_id: member_id.to_owned(),
            member_epoch: if comes_back { LEAVE_FOR_A_WHILE } else { LEAVE },
            instance_id: config.group_instance_id.clone(),
            ..ConsumerGroupHeartbeatRequest::default()
        };
        let code = self.request(i16::MAX, config.common.request_timeout, request).await?.error_code;
        match code {
            // Who is not a member any more has left.
            ErrorCode::NONE
            | ErrorCode::UNKNOWN_MEMBER_ID
            | ErrorCode::FENCED_MEMBER_EPOCH
            | ErrorCode::FENCED_INSTANCE_ID
            | ErrorCode::GROUP_ID_NOT_FOUND => Ok(()),
            code => {
                let moved = self.has_moved(code);
                let error = self.error(code, "leaving (ConsumerGroupHeartbeat)");
                Err(if moved { error.with_retriable(true) } else { error })
            }
        }
    }

    async fn beat(&self, state: &mut Life) -> Next {
        let net = self.0.cluster.net().clone();
        let expiry = state.alive_at + self.0.config.session_timeout;
        let answer = if state.joined {
            net.until(expiry, self.send_beat(state)).await
        } else {
            Some(self.send_beat(state).await)
        };
        if !self.lives(state.life) {
            return Next::End;
        }
        match answer {
            Some(Ok(response)) if response.error_code.is_ok() => {
                self.accept(state, response);
                self.offer(state.life).await;
                Next::Wait
            }
            Some(Ok(response)) => self.rejected(state, response.error_code, response.error_message),
            Some(Err(error)) if error.is_retriable() => {
                log::debug!("group {}: heartbeat: {error}", self.0.group_id);
                Next::Retry
            }
            Some(Err(error)) => self.give_up(state, error),
            None => {
                log::warn!(
                    "group {}: no heartbeat was answered for {:?}; the member begins anew",
                    self.0.group_id,
                    self.0.config.session_timeout
                );
                self.forget("no heartbeat was answered");
                self.lost(true, None);
                Next::End
            }
        }
    }

    async fn send_beat(&self, state: &mut Life) -> Result<ConsumerGroupHeartbeatResponse> {
        let config = &self.0.config;
        let version = self.connection().await?.pick_version::<ConsumerGroupHeartbeatRequest>(i16::MAX)?;
        let (request, sent) = {
            let mut member = self.0.member.borrow_mut();
            let id = member.id.clone();
            let modern = &mut member.modern;
            let full = state.full || state.epoch == 0;
            let sent = Sent { topics: modern.wanted.topics.clone(), regex: modern.wanted.regex.clone() };
            if version < REGEX && sent.regex.is_some() {
                let text = "the coordinator evaluates no regular expressions (it is older than Kafka 4.0): \
                            subscribe by a pattern of the client's";
                return Err(Error::new(ErrorKind::UnsupportedVersion, text));
            }
            modern.told_regex |= sent.regex.is_some();
            let told = state.sent.as_ref().filter(|_| !full);
            let mut request = ConsumerGroupHeartbeatRequest {
                group_id: self.0.group_id.clone(),
                member_id: id,
                member_epoch: state.epoch,
                instance_id: config.group_instance_id.clone(),
                ..ConsumerGroupHeartbeatRequest::default()
            };
            if full {
                let timeout = config.max_poll_interval.as_millis();
                request.rebalance_timeout_ms = i32::try_from(timeout).unwrap_or(i32::MAX);
                request.server_assignor.clone_from(&config.group_remote_assignor);
                request.rack_id = Some(config.client_rack.clone()).filter(|rack| !rack.is_empty());
            }
            if told.is_none_or(|told| told.topics != sent.topics) {
                request.subscribed_topic_names =
                    Some(sent.topics.iter().map(|topic| topic.to_string()).collect());
            }
            if told.is_none_or(|told| told.regex != sent.regex) {
                // An empty one takes the last one back.
                let none = modern.told_regex.then(String::new);
                request.subscribed_topic_regex = sent.regex.clone().or(none);
            }
            if full || std::mem::take(&mut modern.unacknowledged) {
                let owned = if state.epoch == 0 { Vec::new() } else { by_topic(&modern.owned) };
                request.topic_partitions = Some(owned);
            }
            (request, sent)
        };
        state.full = true;
        let begin = self.0.cluster.net().now();
        let response = self.request(version, config.common.request_timeout, |_| request).await?;
        let now = self.0.cluster.net().now();
        self.meter().heartbeat(now.saturating_duration_since(begin), now);
        if response.error_code.is_ok() {
            self.0.member.borrow_mut().modern.told_regex = sent.regex.is_some();
            (state.full, state.sent) = (false, Some(sent));
        }
        Ok(response)
    }

    fn accept(&self, state: &mut Life, response: ConsumerGroupHeartbeatResponse) {
        state.failures = 0;
        state.alive_at = self.0.cluster.net().now();
        state.epoch = response.member_epoch;
        if let Ok(interval) = u64::try_from(response.heartbeat_interval_ms) {
            state.interval = Duration::from_millis(interval).max(SHORTEST_INTERVAL);
        }
        self.0.events.shared().set_member_epoch(response.member_epoch);
        let mut member = self.0.member.borrow_mut();
        member.generation = response.member_epoch;
        if let Some(id) = response.member_id {
            member.id = id;
        }
        if let Some(assignment) = response.assignment {
            member.modern.set_target(assignment, state.alive_at);
        }
        if !std::mem::replace(&mut state.joined, true) {
            member.joining = false;
            let joined = Joined {
                life: state.life,
                generation: response.member_epoch,
                member_id: member.id.clone(),
                is_leader: false,
                cooperative: true,
                partitions: Vec::new(),
                group_topics: Shapes::new(),
            };
            log::info!(
                "group {}: member {} joined in epoch {}",
                self.0.group_id,
                printable(&member.id),
                response.member_epoch
            );
            drop(member);
            self.0.events.send(Event::Joined(state.number, JoinOutcome::Joined(joined)));
            self.0.cluster.net().spawn(self.clone().watch_polls(state.life));
        }
    }

    /// Asks the program's thread to change over to the target, as far as the names of its topics are known.
    async fn offer(&self, life: u64) {
        let unknown: Vec<Uuid> = {
            let member = self.0.member.borrow();
            let topics: BTreeSet<Uuid> = member.modern.target.iter().map(|place| place.0).collect();
            topics.into_iter().filter(|id| self.name_of(&member.modern, *id).is_none()).collect()
        };
        if !unknown.is_empty() {
            let names = self.names_of(unknown).await;
            if !self.lives(life) {
                return;
            }
            self.0.member.borrow_mut().modern.names.extend(names);
        }
        let mut member = self.0.member.borrow_mut();
        let named = |place: &Place| {
            let name = self.name_of(&member.modern, place.0)?;
            Some((*place, TopicPartition::new(name, place.1)))
        };
        let target: BTreeMap<Place, TopicPartition> = member.modern.target.iter().filter_map(named).collect();
        let before: BTreeSet<TopicPartition> = member
            .modern
            .owned
            .iter()
            .filter(|place| !target.contains_key(*place))
            .filter_map(|place| Some(TopicPartition::new(self.name_of(&member.modern, place.0)?, place.1)))
            .collect();
        let places: BTreeSet<Place> = target.keys().copied().collect();
        let modern = &mut member.modern;
        // Kept for when the topic is deleted, and metadata knows it no more.
        modern.names.extend(target.iter().map(|(place, tp)| (place.0, tp.shared_topic())));
        let current = modern.offers.values().next_back().unwrap_or(&modern.owned);
        if *current == places {
            return;
        }
        modern.last_offer += 1;
        let (number, since) = (modern.last_offer, modern.since.unwrap_or(self.0.cluster.net().now()));
        modern.offers.insert(number, places);
        let partitions: Vec<TopicPartition> = target.into_values().collect();
        let recreated = partitions.iter().filter(|tp| before.contains(*tp)).cloned().collect();
        self.0.events.send(Event::Target(Target { life, number, since, partitions, recreated }));
    }

    fn name_of(&self, modern: &Reconciliation, id: Uuid) -> Option<Arc<str>> {
        modern.names.get(&id).cloned().or_else(|| self.0.cluster.snapshot().topic_name(id).cloned())
    }

    fn rejected(&self, state: &Life, code: ErrorCode, words: Option<String>) -> Next {
        let words = printable(words.unwrap_or_default()).to_string();
        log::info!("group {}: ConsumerGroupHeartbeat: {code}: {words}", self.0.group_id);
        if self.has_moved(code) {
            return Next::Retry;
        }
        let what = if words.is_empty() { "heartbeat".to_owned() } else { format!("heartbeat ({words})") };
        let error = self.error(code, &what);
        match code {
            ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::FENCED_MEMBER_EPOCH | ErrorCode::GROUP_ID_NOT_FOUND
                if state.joined =>
            {
                self.lost(true, None);
                Next::End
            }
            // The coordinator still has a member of this id, in an epoch that has gone on, or has just lost it.
            ErrorCode::FENCED_MEMBER_EPOCH | ErrorCode::UNKNOWN_MEMBER_ID => {
                let id = Uuid::random(self.0.cluster.net().random_bytes());
                self.0.member.borrow_mut().id = id.to_string();
                Next::Retry
            }
            // Its predecessor may not have left in good order: its seat comes free when its session is over, which is
            // the brokers' to say.
            ErrorCode::UNRELEASED_INSTANCE_ID
                if self.0.cluster.net().now() < state.alive_at + self.0.config.common.default_api_timeout =>
            {
                Next::Retry
            }
            ErrorCode::UNRELEASED_INSTANCE_ID => {
                let text = "another member with this group.instance.id is still there: it has to leave, or each \
                            needs an id of its own";
                self.give_up(state, error.context(text))
            }
            // The program is told, and the member stays: rights can be granted.
            ErrorCode::TOPIC_AUTHORIZATION_FAILED if state.joined => {
                if state.failures == 0 {
                    self.0.events.send(Event::Failed(error));
                }
                Next::Retry
            }
            code if code.is_retriable() || code == ErrorCode::UNKNOWN_SERVER_ERROR => Next::Retry,
            _ => self.give_up(state, error),
        }
    }

    fn give_up(&self, state: &Life, error: Error) -> Next {
        let error = if error.kind() == ErrorKind::UnsupportedVersion {
            error.context("group.protocol=consumer needs a coordinator that speaks KIP-848 (group.protocol=classic works)")
        } else {
            error
        };
        if state.joined {
            self.lost(true, Some(error));
        } else {
            self.0.member.borrow_mut().joining = false;
            self.new_life();
            self.0.events.send(Event::Joined(state.number, JoinOutcome::Failed(error)));
        }
        Next::End
    }
}

impl Reconciliation {
    fn set_target(&mut self, assignment: Assignment, now: Instant) {
        let places = assignment.topic_partitions.into_iter().flat_map(|topic| {
            let id = topic.topic_id;
            topic.partitions.into_iter().map(move |partition| (id, partition))
        });
        let target: BTreeSet<Place> = places.collect();
        // Coordinators repeat it now and then, which needs no answer.
        if target == self.target {
            return;
        }
        self.target = target;
        if self.target != self.owned {
            self.since.get_or_insert(now);
        } else if self.offers.is_empty() {
            self.since = None;
            self.unacknowledged = true;
            self.changed.notify();
        }
    }
}

fn by_topic(places: &BTreeSet<Place>) -> Vec<ConsumerGroupHeartbeatRequestTopicPartitions> {
    let mut topics: Vec<ConsumerGroupHeartbeatRequestTopicPartitions> = Vec::new();
    for (topic_id, partition) in places {
        match topics.last_mut() {
            Some(last) if last.topic_id == *topic_id => last.partitions.push(*partition),
            _ => topics.push(ConsumerGroupHeartbeatRequestTopicPartitions {
                topic_id: *topic_id,
                partitions: vec![*partition],
            }),
        }
    }
    topics
}

const LEAVE: i32 = -1;
const LEAVE_FOR_A_WHILE: i32 = -2;

/// The first version with regular expressions.
const REGEX: i16 = 1;

/// Until the coordinator has said what it wants.
const FIRST_INTERVAL: Duration = Duration::from_secs(5);

/// Whatever a coordinator says, heartbeats do not follow each other faster, save when something has changed.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

//! What the brokers share: topics, leaders, groups and settings. It lives on the mock's own IO thread.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use crate::error_code::ErrorCode;
use crate::net::event_loop::Net;
use crate::net::wakeup::Wakeup;
use crate::protocol::{ApiKey, Uuid};
use crate::types::check_topic_name;

use super::access::Access;
use super::faults::Faults;
use super::fetch_session::FetchSessions;
use super::group::Group;
use super::group::consumer::{Catalogue, Limits};
use super::log::Log;
use super::requests::Observed;
use super::sasl::MockSasl;
use super::server::Gate;
use super::transactions::Transactions;
use super::versions::VersionTable;

/// The cluster, on its IO thread.
pub(crate) struct Cluster {
    pub(crate) net: Net,
    pub(crate) observed: Arc<Observed>,
    /// Rung when deadlines of groups may have come nearer.
    pub(crate) group_timers: Wakeup,
    /// Rung when a transaction has begun, or markers may be written again.
    pub(crate) transaction_timers: Wakeup,
    state: RefCell<State>,
    changes: Cell<u64>,
    waiting: RefCell<Vec<Waker>>,
}

impl Cluster {
    pub(crate) fn new(net: Net, observed: Arc<Observed>, state: State) -> Self {
        Self {
            net,
            observed,
            group_timers: Wakeup::new(),
            transaction_timers: Wakeup::new(),
            state: RefCell::new(state),
            changes: Cell::new(0),
            waiting: RefCell::default(),
        }
    }

    /// The state; not to be held over an await.
    pub(crate) fn state(&self) -> RefMut<'_, State> {
        self.state.borrow_mut()
    }

    /// Tells those who wait for records, and the test, that something has changed.
    pub(crate) fn changed(&self) {
        self.changes.set(self.changes.get() + 1);
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        waiting.into_iter().for_each(Waker::wake);
        self.observed.changed();
    }

    /// How often something has changed.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.get()
    }

    /// Waits until there were more changes than `seen`.
    pub(crate) async fn change_after(&self, seen: u64) {
        poll_fn(|cx| {
            if self.changes.get() != seen {
                return Poll::Ready(());
            }
            self.waiting.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// What can be set before the start.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) auto_create_topics: bool,
    pub(crate) default_partitions: i32,
    pub(crate) default_replication_factor: Option<i16>,
    pub(crate) message_max_bytes: usize,
    pub(crate) max_request_bytes: usize,
    pub(crate) initial_rebalance_delay: Duration,
    pub(crate) min_session_timeout: Duration,
    pub(crate) max_session_timeout: Duration,
    pub(crate) max_fetch_sessions: usize,
    pub(crate) consumer_groups: Limits,
    pub(crate) max_transaction_timeout: Duration,
    /// The level of the feature `transaction.version`.
    pub(crate) transaction_version: i16,
    pub(crate) cluster_id: String,
    /// Who may log in; `None` lets everybody in without.
    pub(crate) sasl: Option<MockSasl>,
}

pub(crate) struct State {
    pub(crate) settings: Settings,
    pub(crate) brokers: BTreeMap<i32, Broker>,
    pub(crate) topics: BTreeMap<String, Topic>,
    pub(crate) groups: BTreeMap<String, Group>,
    /// Coordinators of groups that were moved by hand.
    pub(crate) coordinators: HashMap<String, i32>,
    pub(crate) transactions: Transactions,
    /// Coordinators of transactional ids that were moved by hand.
    pub(crate) transaction_coordinators: HashMap<String, i32>,
    /// Decided transactions wait with their markers.
    pub(crate) hold_markers: bool,
    pub(crate) access: Access,
    pub(crate) faults: Faults,
    pub(crate) connections: u64,
}

pub(crate) struct Broker {
    pub(crate) id: i32,
    /// The port it listens on; it keeps it when it is restarted.
    pub(crate) port: u16,
    /// What Metadata says instead of the real address.
    pub(crate) advertised: Option<(String, u16)>,
    /// Leaders and epochs that it is wrong about.
    pub(crate) misinformed: HashMap<(String, i32), (i32, i32)>,
    pub(crate) rack: Option<String>,
    pub(crate) alive: bool,
    pub(crate) versions: VersionTable,
    pub(crate) gate: Rc<Gate>,
    /// Ends the listener.
    pub(crate) listening: Option<Rc<Wakeup>>,
    /// Ends connections, each its own.
    pub(crate) connections: Vec<Rc<Wakeup>>,
    pub(crate) sessions: FetchSessions,
    /// Holds the port while the broker is down.
    pub(crate) _reservation: Option<socket2::Socket>,
}

impl Broker {
    /// Host and port as clients are told.
    pub(crate) fn endpoint(&self) -> (String, u16) {
        self.advertised.clone().unwrap_or_else(|| ("127.0.0.1".to_owned(), self.port))
    }
}

#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) id: Uuid,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) configs: BTreeMap<String, String>,
}

#[derive(Debug)]
pub(crate) struct Partition {
    /// -1 when no replica is alive.
    pub(crate) leader: i32,
    pub(crate) leader_epoch: i32,
    pub(crate) replicas: Vec<i32>,
    pub(crate) log: Log,
}

impl Partition {
    /// Makes a broker the leader, in a new epoch.
    pub(crate) fn lead(&mut self, broker: i32) {
        self.leader = broker;
        self.leader_epoch = self.leader_epoch.saturating_add(1);
        self.log.begin_epoch(self.leader_epoch);
    }

    /// Whether the client's leader epoch is the present one; -1 goes unchecked (KIP-320).
    pub(crate) fn check_epoch(&self, epoch: i32) -> Result<(), ErrorCode> {
        match epoch {
            -1 => Ok(()),
            _ if epoch < self.leader_epoch => Err(ErrorCode::FENCED_LEADER_EPOCH),
            _ if epoch > self.leader_epoch => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
            _ => Ok(()),
        }
    }
}

impl State {
    /// The brokers that are up.
    pub(crate) fn alive(&self) -> impl Iterator<Item = &Broker> {
        self.brokers.values().filter(|broker| broker.alive)
    }

    pub(crate) fn is_alive(&self, broker: i32) -> bool {
        self.brokers.get(&broker).is_some_and(|broker| broker.alive)
    }

    pub(crate) fn next_connection(&mut self) -> u64 {
        self.connections += 1;
        self.connections
    }

    pub(crate) fn controller(&self) -> i32 {
        self.alive().next().map_or(-1, |broker| broker.id)
    }

    pub(crate) fn topic_name(&self, id: Uuid) -> Option<&str> {
        self.topics.iter().find(|(_, topic)| topic.id == id).map(|(name, _)| name.as_str())
    }

    /// All topics, as coordinators of groups see them.
    pub(crate) fn catalogue(&self) -> Catalogue {
        let topics = self.topics.iter();
        topics
            .map(|(name, topic)| {
                (name.clone(), (topic.id, i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX)))
            })
            .collect()
    }

    pub(crate) fn partition(&self, topic: &str, partition: i32) -> Option<&Partition> {
        self.topics.get(topic)?.partitions.get(usize::try_from(partition).ok()?)
    }

    pub(crate) fn partition_mut(&mut self, topic: &str, partition: i32) -> Option<&mut Partition> {
        self.topics.get_mut(topic)?.partitions.get_mut(usize::try_from(partition).ok()?)
    }

    /// A partition that `broker` leads; `epoch` is the one that the client believes in.
    pub(crate) fn led(
        &mut self,
        broker: i32,
        topic: &str,
        partition: i32,
        epoch: i32,
    ) -> Result<&mut Partition, ErrorCode> {
        let partition = self.partition_mut(topic, partition).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        partition.check_epoch(epoch)?;
        if partition.leader != broker {
            return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER);
        }
        Ok(partition)
    }

    /// A partition that `broker` may be read from: its leader, or a replica of a broker with a rack (KIP-392).
    pub(crate) fn readable(
        &mut self,
        broker: i32,
        topic: &str,
        partition: i32,
        epoch: i32,
    ) -> Result<&mut Partition, ErrorCode> {
        let has_rack = self.brokers.get(&broker).is_some_and(|broker| broker.rack.is_some());
        let follows = |partition: &Partition| partition.replicas.contains(&broker);
        if has_rack && self.partition(topic, partition).is_some_and(follows) {
            let partition =
                self.partition_mut(topic, partition).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
            partition.check_epoch(epoch)?;
            return Ok(partition);
        }
        self.led(broker, topic, partition, epoch)
    }

    /// The replica in a client's rack that its leader sends it to, if the leader is in another one (KIP-392).
    pub(crate) fn preferred_replica(
        &self,
        broker: i32,
        topic: &str,
        partition: i32,
        rack: &str,
    ) -> Option<i32> {
        let partition = self.partition(topic, partition).filter(|partition| partition.leader == broker)?;
        let in_rack = |id: &i32| {
            let broker = self.brokers.get(id).filter(|broker| broker.alive);
            broker.is_some_and(|broker| broker.rack.as_deref() == Some(rack))
        };
        if rack.is_empty() || in_rack(&broker) {
            return None;
        }
        partition.replicas.iter().copied().find(in_rack)
    }

    /// Creates a topic; -1 stands for the default in both numbers.
    pub(crate) fn create_topic(
        &mut self,
        name: &str,
        partitions: i32,
        replication_factor: i16,
        configs: BTreeMap<String, String>,
        id: Uuid,
    ) -> Result<(), (ErrorCode, String)> {
        check_topic_name(name).map_err(|error| (ErrorCode::INVALID_TOPIC_EXCEPTION, error.to_string()))?;
        if self.topics.contains_key(name) {
            return Err((ErrorCode::TOPIC_ALREADY_EXISTS, format!("Topic '{name}' already exists.")));
        }
        let partitions = if partitions == -1 { self.settings.default_partitions } else { partitions };
        if !(1..=MAX_PARTITIONS).contains(&partitions) {
            return Err((
                ErrorCode::INVALID_PARTITIONS,
                format!("{partitions} partitions: 1 to {MAX_PARTITIONS} are possible"),
            ));
        }
        let brokers: Vec<i32> = self.brokers.keys().copied().collect();
        let factor = match replication_factor {
            -1 => self.settings.default_replication_factor.unwrap_or(3).min(brokers.len() as i16),
            factor => factor,
        };
        if factor < 1 || usize::from(factor.unsigned_abs()) > brokers.len() {
            return Err((
                ErrorCode::INVALID_REPLICATION_FACTOR,
                format!("replication factor {factor} with {} brokers", brokers.len()),
            ));
        }
        let first = self.topics.len();
        let replicas = |index: usize| -> Vec<i32> {
            let from = brokers.iter().cycle().skip((first + index) % brokers.len());
            from.take(factor.unsigned_abs().into()).copied().collect()
        };
        let replicas = (0..partitions.unsigned_abs() as usize).map(replicas).collect();
        self.insert_topic(name, replicas, configs, id);
        Ok(())
    }

    /// Adds a topic with the given replicas for each partition.
    pub(crate) fn insert_topic(
        &mut self,
        name: &str,
        replicas: Vec<Vec<i32>>,
        configs: BTreeMap<String, String>,
        id: Uuid,
    ) {
        let partitions = replicas.into_iter().map(|replicas| self.new_partition(replicas)).collect();
        self.topics.insert(name.to_owned(), Topic { id, partitions, configs });
    }

    fn new_partition(&self, replicas: Vec<i32>) -> Partition {
        let leader = replicas.iter().copied().find(|broker| self.is_alive(*broker)).unwrap_or(-1);
        let mut log = Log::default();
        log.begin_epoch(0);
        Partition { leader, leader_epoch: 0, replicas, log }
    }

    /// Raises the number of partitions of a topic.
    pub(crate) fn add_partitions(&mut self, name: &str, count: i32) -> Result<(), (ErrorCode, String)> {
        let Some(topic) = self.topics.get(name) else {
            return Err((ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, format!("there is no topic {name}")));
        };
        let present = topic.partitions.len();
        let factor = topic.partitions.first().map_or(1, |partition| partition.replicas.len());
        let wanted = usize::try_from(count).unwrap_or(0);
        if wanted <= present || count > MAX_PARTITIONS {
            return Err((
                ErrorCode::INVALID_PARTITIONS,
                format!("the topic has {present} partitions, which cannot become {count}"),
            ));
        }
        let brokers: Vec<i32> = self.brokers.keys().copied().collect();
        for index in present..wanted {
            let replicas = brokers.iter().cycle().skip(index % brokers.len()).take(factor).copied().collect();
            let partition = self.new_partition(replicas);
            if let Some(topic) = self.topics.get_mut(name) {
                topic.partitions.push(partition);
            }
        }
        Ok(())
    }

    /// Deletes a topic and what groups have committed for it.
    pub(crate) fn delete_topic(&mut self, name: &str) -> bool {
        for group in self.groups.values_mut() {
            group.forget_topic(name);
        }
        self.topics.remove(name).is_some()
    }

    /// Gives partitions of dead leaders to a living replica.
    pub(crate) fn elect(&mut self) {
        let alive: Vec<i32> = self.alive().map(|broker| broker.id).collect();
        for partition in self.topics.values_mut().flat_map(|topic| &mut topic.partitions) {
            if alive.contains(&partition.leader) {
                continue;
            }
            match partition.replicas.iter().copied().find(|broker| alive.contains(broker)) {
                Some(leader) => partition.lead(leader),
                None => partition.leader = -1,
            }
        }
    }

    /// The coordinator of a group: as it was moved, or by the group's hash, or the next broker that is up.
    pub(crate) fn coordinator(&self, group: &str) -> Option<&Broker> {
        self.coordinating(group, self.coordinators.get(group))
    }

    /// The coordinator of a transactional id, found likewise.
    pub(crate) fn transaction_coordinator(&self, id: &str) -> Option<&Broker> {
        self.coordinating(id, self.transaction_coordinators.get(id))
    }

    fn coordinating(&self, key: &str, moved: Option<&i32>) -> Option<&Broker> {
        if let Some(moved) = moved.and_then(|id| self.brokers.get(id)) {
            if moved.alive {
                return Some(moved);
            }
        }
        let hash = key.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        let count = self.brokers.len();
        let first = (hash as usize).checked_rem(count)?;
        self.brokers.values().cycle().skip(first).take(count).find(|broker| broker.alive)
    }

    /// A broker is about to go: members that wait for it to answer will ask the next coordinator.
    pub(crate) fn give_up_groups(&mut self, broker: i32) {
        let led: Vec<String> =
            self.groups.keys().filter(|id| self.check_coordinator(broker, id).is_ok()).cloned().collect();
        for id in led {
            if let Some(group) = self.groups.get_mut(&id) {
                group.moved();
            }
        }
    }

    /// Whether `broker` coordinates the group.
    pub(crate) fn check_coordinator(&self, broker: i32, group: &str) -> Result<(), ErrorCode> {
        match self.coordinator(group) {
            Some(coordinator) if coordinator.id == broker => Ok(()),
            _ => Err(ErrorCode::NOT_COORDINATOR),
        }
    }

    /// Whether `broker` coordinates the transactional id.
    pub(crate) fn check_transaction_coordinator(&self, broker: i32, id: &str) -> Result<(), ErrorCode> {
        match self.transaction_coordinator(id) {
            Some(coordinator) if coordinator.id == broker => Ok(()),
            _ => Err(ErrorCode::NOT_COORDINATOR),
        }
    }

    /// Whether a broker and its cluster raise the producer's epoch with each transaction (transaction version 2).
    pub(crate) fn raises_epochs(&self, broker: i32) -> bool {
        let versions = self.brokers.get(&broker).map(|broker| &broker.versions);
        let range = versions.and_then(|versions| versions.range(ApiKey::END_TXN));
        self.settings.transaction_version >= 2 && range.is_some_and(|range| range.max >= 5)
    }

    /// A topic's option, or the cluster's default for it.
    pub(crate) fn max_message_bytes(&self, topic: &str) -> usize {
        self.config(topic, "max.message.bytes")
            .and_then(|value| value.parse().ok())
            .unwrap_or(self.settings.message_max_bytes)
    }

    pub(crate) fn stamps_append_time(&self, topic: &str) -> bool {
        self.config(topic, "message.timestamp.type").is_some_and(|value| value == "LogAppendTime")
    }

    pub(crate) fn is_compacted(&self, topic: &str) -> bool {
        self.config(topic, "cleanup.policy").is_some_and(|value| value.contains("compact"))
    }

    fn config(&self, topic: &str, name: &str) -> Option<&String> {
        self.topics.get(topic)?.configs.get(name)
    }
}

/// More would only be a mistake: logs are in memory.
const MAX_PARTITIONS: i32 = 100_000;

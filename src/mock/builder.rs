//! Building a [`MockCluster`].

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::net::bridge::IoThread;
use crate::net::clock::{Clock, FAR};
use crate::net::event_loop::Net;
use crate::protocol::Uuid;

use super::MockCluster;
use super::access::Access;
use super::faults::Faults;
use super::fetch_session::FetchSessions;
use super::group::consumer::Limits;
use super::requests::Observed;
use super::sasl::MockSasl;
use super::server::{self, Gate};
use super::state::{Broker, Cluster, Settings, State};
use super::transactions::{self, Transactions};
use super::versions::VersionTable;

/// Sets up a [`MockCluster`].
#[derive(Clone, Debug)]
#[must_use]
pub struct MockClusterBuilder {
    brokers: i32,
    racks: Vec<String>,
    topics: Vec<(String, i32)>,
    versions: VersionTable,
    settings: Settings,
}

impl Default for MockClusterBuilder {
    fn default() -> Self {
        Self {
            brokers: 1,
            racks: Vec::new(),
            topics: Vec::new(),
            versions: VersionTable::newest(),
            settings: Settings {
                auto_create_topics: true,
                default_partitions: 1,
                default_replication_factor: None,
                message_max_bytes: 1_048_588,
                max_request_bytes: 104_857_600,
                initial_rebalance_delay: Duration::ZERO,
                min_session_timeout: Duration::from_millis(1),
                max_session_timeout: Duration::from_secs(1800),
                max_fetch_sessions: 1000,
                sasl: None,
                consumer_groups: Limits {
                    heartbeat_interval: Duration::from_secs(5),
                    session_timeout: Duration::from_secs(45),
                    max_size: usize::MAX,
                },
                max_transaction_timeout: Duration::from_secs(900),
                transaction_version: 2,
                cluster_id: "kavka-mock-cluster-000".to_owned(),
            },
        }
    }
}

impl MockClusterBuilder {
    /// How many brokers there are; their ids begin at 1. Defaults to 1.
    pub fn brokers(mut self, brokers: i32) -> Self {
        self.brokers = brokers;
        self
    }

    /// Puts the brokers in racks, the first in the first; when there are more brokers than racks it goes round.
    /// Leaders then send consumers of another rack to a replica in theirs, and replicas serve them (KIP-392).
    /// Defaults to none.
    pub fn racks<'a>(mut self, racks: impl IntoIterator<Item = &'a str>) -> Self {
        self.racks = racks.into_iter().map(str::to_owned).collect();
        self
    }

    /// Creates a topic at the start.
    pub fn topic(mut self, name: impl Into<String>, partitions: i32) -> Self {
        self.topics.push((name.into(), partitions));
        self
    }

    /// Whether asking for the metadata of an unknown topic creates it. Defaults to true, as in Kafka.
    pub fn auto_create_topics(mut self, create: bool) -> Self {
        self.settings.auto_create_topics = create;
        self
    }

    /// How many partitions a topic gets when nobody says. Defaults to 1.
    pub fn default_partitions(mut self, partitions: i32) -> Self {
        self.settings.default_partitions = partitions;
        self
    }

    /// How many replicas a partition gets when nobody says. Defaults to 3, or as many as there are brokers.
    pub fn default_replication_factor(mut self, factor: i16) -> Self {
        self.settings.default_replication_factor = Some(factor);
        self
    }

    /// The largest batch in bytes that is taken. Defaults to 1,048,588, as in Kafka.
    pub fn message_max_bytes(mut self, bytes: usize) -> Self {
        self.settings.message_max_bytes = bytes;
        self
    }

    /// How long the first rebalance of an empty group waits for more members. Defaults to zero; Kafka's own
    /// default is 3 s.
    pub fn initial_rebalance_delay(mut self, delay: Duration) -> Self {
        self.settings.initial_rebalance_delay = delay;
        self
    }

    /// The bounds of session timeouts. Defaults to 1 ms and 30 minutes; Kafka's lower one is 6 s.
    pub fn session_timeouts(mut self, min: Duration, max: Duration) -> Self {
        self.settings.min_session_timeout = min;
        self.settings.max_session_timeout = max;
        self
    }

    /// What members of groups of the new protocol (KIP-848) are told: when to send heartbeats, and after how long
    /// without one they are thrown out. Defaults to 5 s and 45 s, as in Kafka.
    pub fn consumer_group_timeouts(
        mut self,
        heartbeat_interval: Duration,
        session_timeout: Duration,
    ) -> Self {
        self.settings.consumer_groups.heartbeat_interval = heartbeat_interval;
        self.settings.consumer_groups.session_timeout = session_timeout;
        self
    }

    /// How many members a group of the new protocol (KIP-848) may have. Defaults to any number.
    pub fn consumer_group_max_size(mut self, members: usize) -> Self {
        self.settings.consumer_groups.max_size = members;
        self
    }

    /// How many fetch sessions a broker keeps; beyond, clients fetch without one. Defaults to 1000.
    pub fn max_fetch_sessions(mut self, sessions: usize) -> Self {
        self.settings.max_fetch_sessions = sessions;
        self
    }

    /// The largest timeout that a transactional producer may ask for. Defaults to 15 minutes, as in Kafka.
    pub fn max_transaction_timeout(mut self, timeout: Duration) -> Self {
        self.settings.max_transaction_timeout = timeout;
        self
    }

    /// The level of the feature `transaction.version`: with 2, partitions join a transaction with the first record
    /// and each transaction raises the producer's epoch (KIP-890); with less, producers add them first. Brokers
    /// whose [`versions`](Self::versions) are too old for 2 do without. Defaults to 2.
    pub fn transaction_version(mut self, level: i16) -> Self {
        self.settings.transaction_version = level;
        self
    }

    /// The id of the cluster.
    pub fn cluster_id(mut self, id: impl Into<String>) -> Self {
        self.settings.cluster_id = id.into();
        self
    }

    /// Has clients log in with SASL, as brokers with `SASL_PLAINTEXT` do. Defaults to no login.
    pub fn sasl(mut self, sasl: MockSasl) -> Self {
        self.settings.sasl = Some(sasl);
        self
    }

    /// What all brokers offer; [`MockCluster::set_versions`] changes it for one. Defaults to the newest.
    pub fn versions(mut self, versions: VersionTable) -> Self {
        self.versions = versions;
        self
    }

    /// Starts the brokers.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a number or name that cannot be, [`ErrorKind::Connection`] when the
    /// system grants no port or thread.
    pub fn start(self) -> Result<MockCluster> {
        if !(1..=MAX_BROKERS).contains(&self.brokers) {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("{} brokers: 1 to {MAX_BROKERS} are possible", self.brokers),
            ));
        }
        let mut reserved = Vec::new();
        for _ in 0..self.brokers {
            reserved.push(server::reserve()?);
        }
        let ports = reserved.iter().map(|(port, _)| *port).collect();
        let observed = Arc::new(Observed::default());
        let seen = Arc::clone(&observed);
        let io = IoThread::start("kavka-mock", Clock::system(), move |net| self.build(net, seen, reserved))?;
        Ok(MockCluster { io, observed, ports })
    }

    fn build(
        self,
        net: &Net,
        observed: Arc<Observed>,
        reserved: Vec<(u16, Option<socket2::Socket>)>,
    ) -> Result<Rc<Cluster>> {
        let mut racks = self.racks.iter().cycle();
        let brokers = (1..).zip(reserved).map(|(id, (port, reservation))| {
            let broker = Broker {
                id,
                port,
                advertised: None,
                misinformed: HashMap::new(),
                rack: racks.next().cloned(),
                alive: true,
                versions: self.versions.clone(),
                gate: Rc::new(Gate::default()),
                listening: None,
                connections: Vec::new(),
                sessions: FetchSessions::default(),
                _reservation: reservation,
            };
            (id, broker)
        });
        let mut state = State {
            settings: self.settings,
            brokers: brokers.collect(),
            topics: BTreeMap::new(),
            groups: BTreeMap::new(),
            coordinators: HashMap::new(),
            access: Access::default(),
            faults: Faults::default(),
            transactions: Transactions::new(999),
            transaction_coordinators: HashMap::new(),
            hold_markers: false,
            connections: 0,
        };
        for (name, partitions) in self.topics {
            let id = Uuid::random(net.random_bytes());
            state.create_topic(&name, partitions, -1, BTreeMap::new(), id).map_err(|(code, message)| {
                Error::new(ErrorKind::InvalidArgument, message).with_code(code).with_topic(name)
            })?;
        }
        let ids: Vec<i32> = state.brokers.keys().copied().collect();
        let cluster = Rc::new(Cluster::new(net.clone(), observed, state));
        for id in ids {
            server::listen(&cluster, id)?;
        }
        net.spawn(keep_group_time(Rc::clone(&cluster)));
        net.spawn(transactions::keep_time(Rc::clone(&cluster)));
        Ok(cluster)
    }
}

const MAX_BROKERS: i32 = 250;

/// Does what is due in groups: expired sessions, ends of rebalances.
async fn keep_group_time(cluster: Rc<Cluster>) {
    loop {
        let now = cluster.net.now();
        let (next, expired) = {
            let mut state = cluster.state();
            let expired =
                state.groups.values_mut().filter_map(|group| group.expire(now).then_some(())).count();
            (state.groups.values().filter_map(|group| group.next_deadline()).min(), expired > 0)
        };
        if expired {
            cluster.changed();
        }
        let deadline = next.unwrap_or(now + FAR);
        // Woken or due, the next look tells.
        let _ = cluster.net.until(deadline, cluster.group_timers.notified()).await;
    }
}

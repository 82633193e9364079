//! Kafka brokers inside the process, for tests and first steps.
//!
//! [`MockCluster`] runs brokers on real loopback ports, so any client of any language can talk to it. They keep
//! real logs, with Kafka's sequence checks, leader epochs, topic ids, groups and transactions, and they fail on
//! demand. It is a test double: nothing is stored on disk and nothing is ever cleaned up, all replicas are one and
//! the same log, there is no TLS, and ACLs, quotas and SCRAM credentials of the admin API are kept and not acted on.
//! [`VersionTable::newest`] lists what is served.
//!
//! ```
//! use kavka::mock::MockCluster;
//! use kavka::protocol::ApiKey;
//! use kavka::ErrorCode;
//!
//! let cluster = MockCluster::builder().brokers(3).topic("orders", 6).start()?;
//! println!("connect to {}", cluster.bootstrap_servers());
//!
//! // The second produce request to partition 0 is turned down once.
//! let fault = cluster.on(ApiKey::PRODUCE).partition("orders", 0).nth(2..=2).error(ErrorCode::NOT_ENOUGH_REPLICAS);
//! assert_eq!(fault.hits(), 0);
//!
//! cluster.kill(1)?;
//! assert_eq!(cluster.leader("orders", 0), Some(2));
//! assert_eq!(cluster.end_offset("orders", 0), 0);
//! # Ok::<(), kavka::Error>(())
//! ```

mod access;
mod builder;
mod control;
mod fault_builder;
mod faults;
mod fetch_session;
mod group;
mod handlers;
mod log;
mod producers;
mod records;
mod requests;
mod sasl;
mod server;
mod state;
mod transactions;
mod versions;

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::net::bridge::{IoThread, Remote};
use crate::protocol::{ApiKey, Uuid};
use crate::record::{BatchBuilder, Compression, ProducerState};

pub use builder::MockClusterBuilder;
pub use fault_builder::{Fault, FaultBuilder};
pub use group::GroupState;
pub use records::MockRecord;
pub use requests::MockRequest;
pub use sasl::MockSasl;
pub use transactions::TransactionState;
pub use versions::VersionTable;

use group::Committed;
use requests::Observed;
use state::{Cluster, State};

/// A cluster of Kafka brokers in this process; dropping it stops them.
///
/// All methods may be called from any thread. Those that change the cluster have taken effect when they return.
pub struct MockCluster {
    io: IoThread<Rc<Cluster>>,
    observed: Arc<Observed>,
    ports: Vec<u16>,
}

/// Longer than any of the short works that the IO thread is given takes.
const PATIENCE: Duration = Duration::from_secs(30);

impl MockCluster {
    /// A builder, for more than the defaults.
    pub fn builder() -> MockClusterBuilder {
        MockClusterBuilder::default()
    }

    /// Starts one broker that creates topics on demand.
    ///
    /// # Errors
    /// [`ErrorKind::Connection`] when the system grants no port or thread.
    pub fn start() -> Result<Self> {
        Self::builder().start()
    }

    /// The addresses of all brokers, as `bootstrap.servers` takes them.
    pub fn bootstrap_servers(&self) -> String {
        let addresses: Vec<String> = self.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        addresses.join(",")
    }

    /// The address of one broker; the first one is 1.
    pub fn broker_address(&self, broker: i32) -> Option<String> {
        let at = usize::try_from(broker).ok()?.checked_sub(1)?;
        self.ports.get(at).map(|port| format!("127.0.0.1:{port}"))
    }

    /// Creates a topic.
    ///
    /// # Errors
    /// The broker's error code: the topic exists, its name or the number of partitions is not valid.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<()> {
        self.create_topic_with(name, partitions, [])
    }

    /// Creates a topic with options such as `message.timestamp.type` or `max.message.bytes`.
    ///
    /// # Errors
    /// As [`create_topic`](Self::create_topic).
    pub fn create_topic_with<'a>(
        &self,
        name: &str,
        partitions: i32,
        configs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<()> {
        let name = name.to_owned();
        let configs: BTreeMap<String, String> =
            configs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        self.change(move |cluster| {
            let id = Uuid::random(cluster.net.random_bytes());
            let created = cluster.state().create_topic(&name, partitions, -1, configs, id);
            created.map_err(|(code, message)| {
                Error::new(ErrorKind::Broker, message).with_code(code).with_topic(name)
            })
        })
    }

    /// Deletes a topic with its records, and what groups have committed for it.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownTopic`].
    pub fn delete_topic(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.change(
            move |cluster| {
                if cluster.state().delete_topic(&name) { Ok(()) } else { Err(unknown_topic(&name)) }
            },
        )
    }

    /// The names of all topics.
    pub fn topics(&self) -> Vec<String> {
        self.look(|state| state.topics.keys().cloned().collect())
    }

    /// The id of a topic.
    pub fn topic_id(&self, name: &str) -> Option<Uuid> {
        let name = name.to_owned();
        self.look(move |state| state.topics.get(&name).map(|topic| topic.id))
    }

    /// How many partitions a topic has; 0 when it does not exist.
    pub fn partitions(&self, topic: &str) -> i32 {
        let topic = topic.to_owned();
        self.look(move |state| state.topics.get(&topic).map_or(0, |topic| topic.partitions.len() as i32))
    }

    /// The records of a partition, in order; none when it does not exist.
    pub fn records(&self, topic: &str, partition: i32) -> Vec<MockRecord> {
        self.partition(topic, partition, |partition| partition.log.records())
    }

    /// The records of a partition that readers of committed ones see: those below the last stable offset that belong
    /// to no aborted transaction.
    pub fn committed_records(&self, topic: &str, partition: i32) -> Vec<MockRecord> {
        self.partition(topic, partition, |partition| partition.log.committed_records())
    }

    /// The batches of a partition as they lie in its log.
    pub fn batches(&self, topic: &str, partition: i32) -> Vec<Bytes> {
        self.partition(topic, partition, |partition| partition.log.batches())
    }

    /// Appends records to a partition as if a producer had sent them in one batch. Returns the offset of the
    /// first one.
    ///
    /// ```
    /// # use kavka::mock::MockCluster;
    /// let cluster = MockCluster::builder().topic("orders", 1).start()?;
    /// assert_eq!(cluster.append("orders", 0, [("42", "paid"), ("43", "open")])?, 0);
    /// assert_eq!(cluster.records("orders", 0)[1].value_str(), "open");
    /// # Ok::<(), kavka::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when there is no such partition, or no record.
    pub fn append<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        &self,
        topic: &str,
        partition: i32,
        records: impl IntoIterator<Item = (K, V)>,
    ) -> Result<i64> {
        let now = self.remote().clock().unix_millis();
        let mut builder = BatchBuilder::new(Vec::new(), usize::MAX);
        for (key, value) in records {
            // Refused are only records beyond Kafka's 2 GiB.
            builder.try_append(now, Some(key.as_ref()), Some(value.as_ref()), &[]);
        }
        if builder.is_empty() {
            return Err(Error::new(ErrorKind::InvalidArgument, "nothing to append"));
        }
        self.append_batch(topic, partition, builder.seal(&Compression::NONE, 2)?.stamp(ProducerState::NONE))
    }

    /// Appends a batch of version 2 to a partition as it is: neither checksum nor contents nor sequence are
    /// checked, so that tests of consumers can have damaged, control and compacted batches. What the header says of
    /// transactions is believed: it opens and ends them in the partition. Returns the offset that it was given.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when there is no such partition, or not even a header.
    pub fn append_batch(&self, topic: &str, partition: i32, batch: Bytes) -> Result<i64> {
        let appended = self.with_partition(topic, partition, move |partition| {
            partition.log.append_unchecked(&batch, partition.leader_epoch)
        })?;
        appended.map_err(|code| {
            Error::new(ErrorKind::InvalidArgument, "not one whole batch of version 2").with_code(code)
        })
    }

    /// The offset behind the last record of a partition; 0 when there is no such partition.
    pub fn end_offset(&self, topic: &str, partition: i32) -> i64 {
        self.partition(topic, partition, |partition| partition.log.end_offset())
    }

    /// The offset of the first record of a partition; 0 when there is no such partition.
    pub fn start_offset(&self, topic: &str, partition: i32) -> i64 {
        self.partition(topic, partition, |partition| partition.log.start_offset())
    }

    /// The offset below which all transactions are decided; 0 when there is no such partition.
    pub fn last_stable_offset(&self, topic: &str, partition: i32) -> i64 {
        self.partition(topic, partition, |partition| partition.log.last_stable_offset())
    }

    /// The broker that leads a partition, if one does.
    pub fn leader(&self, topic: &str, partition: i32) -> Option<i32> {
        self.partition(topic, partition, |partition| Some(partition.leader).filter(|leader| *leader >= 0))
    }

    /// The leader epoch of a partition, if it exists.
    pub fn leader_epoch(&self, topic: &str, partition: i32) -> Option<i32> {
        self.partition(topic, partition, |partition| Some(partition.leader_epoch))
    }

    /// What a group has committed for a partition.
    pub fn committed(&self, group: &str, topic: &str, partition: i32) -> Option<i64> {
        let (group, key) = (group.to_owned(), (topic.to_owned(), partition));
        self.look(move |state| state.groups.get(&group)?.offsets.get(&key).map(|committed| committed.offset))
    }

    /// Commits an offset for a group, whoever its members are.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when there is no such partition.
    pub fn commit(&self, group: &str, topic: &str, partition: i32, offset: i64) -> Result<()> {
        let (group, topic) = (group.to_owned(), topic.to_owned());
        self.change(move |cluster| {
            let mut state = cluster.state();
            if state.partition(&topic, partition).is_none() {
                return Err(no_partition(&topic, partition));
            }
            let committed = Committed { offset, leader_epoch: -1, metadata: String::new() };
            state.groups.entry(group).or_default().offsets.insert((topic, partition), committed);
            Ok(())
        })
    }

    /// The state of a group; `None` when there is no such group.
    pub fn group_state(&self, group: &str) -> Option<GroupState> {
        let group = group.to_owned();
        self.look(move |state| state.groups.get(&group).map(|group| group.state()))
    }

    /// The generation of a group, or its epoch in the new protocol; -1 when there is no such group.
    pub fn group_generation(&self, group: &str) -> i32 {
        let group = group.to_owned();
        self.look(move |state| state.groups.get(&group).map_or(-1, |group| group.epoch()))
    }

    /// The ids of a group's members, in the order in which they joined.
    pub fn group_members(&self, group: &str) -> Vec<String> {
        let group = group.to_owned();
        self.look(move |state| state.groups.get(&group).map(|group| group.member_ids()).unwrap_or_default())
    }

    /// The broker that coordinates a group, if one is up.
    pub fn coordinator(&self, group: &str) -> Option<i32> {
        let group = group.to_owned();
        self.look(move |state| state.coordinator(&group).map(|broker| broker.id))
    }

    /// The state of a transactional id; `None` when no producer had it yet.
    pub fn transaction_state(&self, transactional_id: &str) -> Option<TransactionState> {
        let id = transactional_id.to_owned();
        self.look(move |state| state.transactions.get(&id).map(|known| known.state))
    }

    /// The producer id and epoch of a transactional id; `None` when no producer had it yet.
    pub fn transactional_producer(&self, transactional_id: &str) -> Option<(i64, i16)> {
        let id = transactional_id.to_owned();
        self.look(move |state| {
            state.transactions.get(&id).map(|known| (known.producer.id, known.producer.epoch))
        })
    }

    /// The broker that coordinates a transactional id, if one is up.
    pub fn transaction_coordinator(&self, transactional_id: &str) -> Option<i32> {
        let id = transactional_id.to_owned();
        self.look(move |state| state.transaction_coordinator(&id).map(|broker| broker.id))
    }

    /// Injects faults into requests of one API, or of all with `None`. See [`FaultBuilder`].
    pub fn on(&self, api: impl Into<Option<ApiKey>>) -> FaultBuilder<'_> {
        FaultBuilder::new(self, api.into())
    }

    /// All requests that were read, oldest first. At most 100,000 are kept, and 64 MiB of their bytes.
    pub fn requests(&self) -> Vec<MockRequest> {
        self.observed.requests(|_| true)
    }

    /// The requests of one API, oldest first.
    pub fn requests_of(&self, api: ApiKey) -> Vec<MockRequest> {
        self.observed.requests(|request| request.api == api)
    }

    /// How many requests of one API were read.
    pub fn request_count(&self, api: ApiKey) -> usize {
        self.observed.count(|request| request.api == api)
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.observed.clear();
    }

    /// Waits until a condition holds. It is looked at again after every request and every change of the
    /// cluster. Returns whether it came to hold in time.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use kavka::mock::MockCluster;
    /// let cluster = MockCluster::builder().topic("orders", 1).start()?;
    /// assert!(cluster.wait_for(Duration::from_secs(1), |cluster| cluster.leader("orders", 0) == Some(1)));
    /// # Ok::<(), kavka::Error>(())
    /// ```
    #[must_use]
    pub fn wait_for(&self, timeout: Duration, mut condition: impl FnMut(&Self) -> bool) -> bool {
        let deadline = self.remote().clock().deadline(timeout);
        loop {
            let seen = self.observed.changes();
            if condition(self) {
                return true;
            }
            if !self.observed.wait_for_change(seen, deadline) {
                return condition(self);
            }
        }
    }

    fn remote(&self) -> &Remote<Rc<Cluster>> {
        self.io.remote()
    }

    /// Runs something on the IO thread and waits for it. Unlike [`IoThread::run`] this is fine on the IO thread
    /// of a client: the mock's is another one.
    fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Rc<Cluster>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let answer = self.remote().ask(move |cluster| {
            let result = work(&cluster);
            async move { result }
        });
        match answer.recv_deadline(self.remote().clock().deadline(PATIENCE)) {
            Ok(result) => result,
            Err(_) => Err(self.remote().gone()),
        }
    }

    fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Rc<Cluster>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.call(move |cluster| {
            let result = work(cluster);
            cluster.changed();
            result
        })
    }

    fn look<T: Default + Send + 'static>(&self, look: impl FnOnce(&State) -> T + Send + 'static) -> T {
        self.call(move |cluster| Ok(look(&cluster.state()))).unwrap_or_else(|error| {
            ::log::error!("MockCluster: {error}");
            T::default()
        })
    }

    fn partition<T: Default + Send + 'static>(
        &self,
        topic: &str,
        partition: i32,
        look: impl FnOnce(&state::Partition) -> T + Send + 'static,
    ) -> T {
        let topic = topic.to_owned();
        self.look(move |state| state.partition(&topic, partition).map(look).unwrap_or_default())
    }

    fn with_partition<T: Send + 'static>(
        &self,
        topic: &str,
        partition: i32,
        change: impl FnOnce(&mut state::Partition) -> T + Send + 'static,
    ) -> Result<T> {
        let topic = topic.to_owned();
        self.change(move |cluster| {
            let mut state = cluster.state();
            state.partition_mut(&topic, partition).map(change).ok_or_else(|| no_partition(&topic, partition))
        })
    }

    fn with_broker(
        &self,
        broker: i32,
        change: impl FnOnce(&mut state::Broker) + Send + 'static,
    ) -> Result<()> {
        self.change(move |cluster| match cluster.state().brokers.get_mut(&broker) {
            Some(broker) => {
                change(broker);
                Ok(())
            }
            None => Err(no_broker(broker)),
        })
    }
}

impl Drop for MockCluster {
    fn drop(&mut self) {
        // So that its ports are free and its connections closed when the next test looks.
        self.io.shutdown(Duration::from_secs(5));
    }
}

impl fmt::Debug for MockCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockCluster")
            .field("bootstrap_servers", &self.bootstrap_servers())
            .finish_non_exhaustive()
    }
}

fn check_broker(cluster: &Cluster, broker: i32) -> Result<()> {
    if cluster.state().brokers.contains_key(&broker) { Ok(()) } else { Err(no_broker(broker)) }
}

fn no_broker(broker: i32) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("there is no broker {broker}; the first one is 1"))
}

fn no_partition(topic: &str, partition: i32) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("there is no partition {topic}-{partition}"))
}

fn unknown_topic(name: &str) -> Error {
    Error::new(ErrorKind::UnknownTopic, format!("there is no topic {name}")).with_topic(name)
}

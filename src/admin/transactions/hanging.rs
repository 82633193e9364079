//! Transactions that are open in a partition, and that no coordinator will ever end.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::describe::TransactionDescription;
use super::list::TransactionFilter;
use super::producers::ProducerState;
use super::state::TransactionState;
use crate::admin::partitions::of_partition;
use crate::admin::{Admin, At, Call, KafkaAdminClient, Route, metadata_request};
use crate::error::{Error, ErrorKind, Result};
use crate::error_code::ErrorCode;
use crate::protocol::messages::MetadataResponse;
use crate::protocol::messages::metadata::{MetadataRequestTopic, MetadataResponsePartition};
use crate::types::TopicPartition;

/// A transaction that hangs: readers of committed records stop at its first record.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HangingTransaction {
    /// The partition.
    pub topic_partition: TopicPartition,
    /// The producer id.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// The epoch of the coordinator that ended the producer's last transaction here; -1 for none.
    pub coordinator_epoch: i32,
    /// The offset of its first record.
    pub start_offset: i64,
    /// When its producer wrote last, in milliseconds since 1970.
    pub last_timestamp: i64,
    /// How long ago that was, by this machine's clock.
    pub age: Duration,
    /// The transactional id, if a coordinator still knows one for the producer id.
    pub transactional_id: Option<String>,
}

/// Where to look for hanging transactions: in all partitions, unless something is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HangingTransactionFilter {
    topics: Vec<String>,
    partitions: Vec<TopicPartition>,
    brokers: Vec<i32>,
    max_transaction_timeout: Duration,
}

impl HangingTransactionFilter {
    /// In all partitions of the cluster.
    pub fn new() -> Self {
        Self {
            topics: Vec::new(),
            partitions: Vec::new(),
            brokers: Vec::new(),
            max_transaction_timeout: MAX_TRANSACTION_TIMEOUT,
        }
    }

    /// In the partitions of this topic; can be repeated.
    #[must_use]
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topics.push(topic.into());
        self
    }

    /// In this partition; can be repeated.
    #[must_use]
    pub fn partition(mut self, partition: impl Into<TopicPartition>) -> Self {
        self.partitions.push(partition.into());
        self
    }

    /// In partitions that this broker leads, or one of several.
    #[must_use]
    pub fn broker(mut self, id: i32) -> Self {
        self.brokers.push(id);
        self
    }

    /// The brokers' `transaction.max.timeout.ms`: a younger transaction does not hang. Defaults to 15 minutes, as
    /// with brokers.
    #[must_use]
    pub fn max_transaction_timeout(mut self, timeout: Duration) -> Self {
        self.max_transaction_timeout = timeout;
        self
    }

    fn has(&self, partition: &TopicPartition, leader: i32) -> bool {
        let named = self.topics.is_empty() && self.partitions.is_empty()
            || self.topics.iter().any(|topic| topic == partition.topic())
            || self.partitions.contains(partition);
        named && (self.brokers.is_empty() || self.brokers.contains(&leader))
    }

    fn names(&self) -> Option<HashSet<&str>> {
        if self.topics.is_empty() && self.partitions.is_empty() {
            return None;
        }
        let topics = self.topics.iter().map(String::as_str);
        Some(topics.chain(self.partitions.iter().map(TopicPartition::topic)).collect())
    }
}

impl Default for HangingTransactionFilter {
    fn default() -> Self {
        Self::new()
    }
}

impl KafkaAdminClient {
    /// Finds transactions that hang: open in a partition for longer than any may be, while no coordinator has them
    /// under way. Readers of committed records stop there until
    /// [`abort_transaction`](Self::abort_transaction) ends them. Needs Kafka 3.0.
    ///
    /// kafka-python's call of this name lists what coordinators have under way for too long; that is
    /// [`list_transactions`](Self::list_transactions) with
    /// [`running_longer_than`](TransactionFilter::running_longer_than) here. This is what Kafka's own tool does.
    ///
    /// ```no_run
    /// use kavka::KafkaAdminClient;
    /// use kavka::admin::HangingTransactionFilter;
    ///
    /// let admin = KafkaAdminClient::builder().bootstrap_servers("localhost:9092").build()?;
    /// for hanging in admin.find_hanging_transactions(&HangingTransactionFilter::new())? {
    ///     println!("{} since offset {}", hanging.topic_partition, hanging.start_offset);
    ///     admin.abort_transaction(&(&hanging).into())?;
    /// }
    /// # Ok::<(), kavka::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::UnknownTopic`]; what stands in the way of asking a partition's leader, or a coordinator: an
    /// answer in part could call a transaction hanging that is none.
    pub fn find_hanging_transactions(
        &self,
        filter: &HangingTransactionFilter,
    ) -> Result<Vec<HangingTransaction>> {
        let filter = filter.clone();
        self.call(FIND, move |admin, call| async move { admin.find_hanging(call, &filter).await })
    }
}

impl Admin {
    async fn find_hanging(
        &self,
        call: Call,
        filter: &HangingTransactionFilter,
    ) -> Result<Vec<HangingTransaction>> {
        let partitions = self.partitions_to_search(call, filter).await?;
        let now = self.cluster.net().clock().unix_millis();
        let mut open = Vec::new();
        for (partition, producers) in self.describe_producers(call, partitions, None).await {
            let old = producers?
                .into_iter()
                .filter_map(|producer| too_old(&partition, producer, now, filter.max_transaction_timeout));
            open.extend(old);
        }
        if open.is_empty() {
            return Ok(open);
        }
        let producer_ids: HashSet<i64> = open.iter().map(|one| one.producer_id).collect();
        let listing =
            TransactionFilter { producer_ids: producer_ids.into_iter().collect(), ..Default::default() };
        let mut ids = HashSet::new();
        for (_, listed) in self.list_transactions(call, &listing).await? {
            ids.extend(listed?.into_iter().map(|one| one.transactional_id));
        }
        let mut known: HashMap<i64, TransactionDescription> = HashMap::new();
        for (_, described) in self.describe_transactions(call, ids.into_iter().collect()).await {
            match described {
                Ok(transaction) => drop(known.insert(transaction.producer_id, transaction)),
                // It has just been forgotten.
                Err(error) if error.code() == Some(ErrorCode::TRANSACTIONAL_ID_NOT_FOUND) => {}
                Err(error) => return Err(error),
            }
        }
        open.retain_mut(|one| {
            let transaction = known.get(&one.producer_id);
            one.transactional_id = transaction.map(|transaction| transaction.transactional_id.clone());
            !transaction.is_some_and(|transaction| is_under_way(one, transaction))
        });
        open.sort_by(|a, b| (&a.topic_partition, a.start_offset).cmp(&(&b.topic_partition, b.start_offset)));
        Ok(open)
    }

    async fn partitions_to_search(
        &self,
        call: Call,
        filter: &HangingTransactionFilter,
    ) -> Result<Vec<TopicPartition>> {
        let names = filter.names();
        let topics = names.as_ref().map(|names| {
            let topic = |name: &&str| MetadataRequestTopic {
                name: Some((*name).to_owned()),
                ..MetadataRequestTopic::default()
            };
            names.iter().map(topic).collect::<Vec<_>>()
        });
        let request = |at: &At| Ok(metadata_request(at.version, topics.clone()));
        let response: MetadataResponse = self.ask_one(call, Route::Any, request, |_| Ok(())).await?;
        let mut partitions = Vec::new();
        for topic in response.topics {
            let name = topic.name.unwrap_or_default();
            if names.as_ref().is_some_and(|names| !names.contains(name.as_str())) {
                continue;
            }
            if !topic.error_code.is_ok() {
                return Err(Error::from_code(topic.error_code, FIND).with_topic(name));
            }
            let wanted = |one: &MetadataResponsePartition| {
                let partition = TopicPartition::new(name.as_str(), one.partition_index);
                filter.has(&partition, one.leader_id).then_some(partition)
            };
            partitions.extend(topic.partitions.iter().filter_map(wanted));
        }
        let missing = filter
            .partitions
            .iter()
            .find(|partition| filter.brokers.is_empty() && !partitions.contains(partition));
        match missing {
            Some(partition) => {
                let error =
                    Error::new(ErrorKind::UnknownTopic, format!("{FIND}: there is no such partition"));
                Err(of_partition(error, partition))
            }
            None => Ok(partitions),
        }
    }
}

/// The open transaction of a producer that has not written for longer than a transaction may last.
fn too_old(
    partition: &TopicPartition,
    producer: ProducerState,
    now: i64,
    limit: Duration,
) -> Option<HangingTransaction> {
    let last_timestamp = producer.last_timestamp?;
    let age = Duration::from_millis(u64::try_from(now.saturating_sub(last_timestamp)).unwrap_or(0));
    let start_offset = producer.current_transaction_start_offset?;
    (age > limit).then(|| HangingTransaction {
        topic_partition: partition.clone(),
        producer_id: producer.producer_id,
        producer_epoch: i16::try_from(producer.producer_epoch).unwrap_or(i16::MAX),
        coordinator_epoch: producer.coordinator_epoch,
        start_offset,
        last_timestamp,
        age,
        transactional_id: None,
    })
}

/// Whether the coordinator has this very transaction under way, so that it will be ended.
fn is_under_way(open: &HangingTransaction, known: &TransactionDescription) -> bool {
    let is_open = !matches!(
        known.state,
        TransactionState::Empty
            | TransactionState::CompleteCommit
            | TransactionState::CompleteAbort
            | TransactionState::Dead
    );
    is_open && known.topic_partitions.contains(&open.topic_partition)
}

const FIND: &str = "find hanging transactions";
/// The brokers' default of `transaction.max.timeout.ms`.
const MAX_TRANSACTION_TIMEOUT: Duration = Duration::from_secs(15 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    fn producer(last_timestamp: Option<i64>, start: Option<i64>) -> ProducerState {
        ProducerState {
            producer_id: 7,
            producer_epoch: 1,
            last_sequence: 3,
            last_timestamp,
            coordinator_epoch: 0,
            current_transaction_start_offset: start,
        }
    }

    #[test]
    fn only_what_is_open_for_too_long_may_hang() {
        let partition = TopicPartition::new("t", 0);
        let limit = Duration::from_secs(60);
        let look = |producer| too_old(&partition, producer, 100_000, limit);
        assert_eq!(look(producer(Some(30_000), Some(5))).map(|one| one.age), Some(Duration::from_secs(70)));
        for young_or_done in [
            producer(Some(50_000), Some(5)),
            producer(Some(30_000), None),
            producer(None, Some(5)),
            producer(Some(200_000), Some(5)),
        ] {
            assert_eq!(look(young_or_done), None);
        }
    }

    #[test]
    fn what_its_coordinator_has_under_way_does_not_hang() {
        let partition = TopicPartition::new("t", 0);
        let open = too_old(&partition, producer(Some(0), Some(5)), 100_000, Duration::ZERO).expect("old");
        let known = |state, topic_partitions: Vec<TopicPartition>| TransactionDescription {
            transactional_id: "id".to_owned(),
            coordinator_id: 1,
            state,
            producer_id: 7,
            producer_epoch: 1,
            transaction_timeout: Duration::from_secs(60),
            transaction_start_time: None,
            topic_partitions,
        };
        assert!(is_under_way(&open, &known(TransactionState::Ongoing, vec![partition.clone()])));
        assert!(is_under_way(&open, &known(TransactionState::PrepareAbort, vec![partition.clone()])));
        assert!(!is_under_way(&open, &known(TransactionState::Ongoing, Vec::new())));
        assert!(!is_under_way(&open, &known(TransactionState::CompleteAbort, vec![partition])));
    }
}

//! What a consumer can ask of the cluster and its logs, whatever is assigned.

use std::collections::HashMap;
use std::time::Duration;

use super::client::KafkaConsumer;
use super::core::Core;
use super::offsets::list_offsets;
use crate::cluster::{ClusterMetadata, GRACE};
use crate::error::Result;
use crate::types::{OffsetAndTimestamp, OffsetSpec, TopicPartition};

impl<K, V> KafkaConsumer<K, V> {
    /// Waits until the cluster's brokers are known, for programs that want to know at the start whether they can be
    /// reached. Without it, the first call that needs them connects.
    ///
    /// ```
    /// use std::time::Duration;
    /// use kavka::KafkaConsumer;
    /// # let cluster = kavka::mock::MockCluster::start()?;
    /// # let servers = cluster.bootstrap_servers();
    ///
    /// let mut consumer = KafkaConsumer::builder().bootstrap_servers(servers).build()?;
    /// consumer.bootstrap(Duration::from_secs(10))?;
    /// assert!(consumer.bootstrap_connected());
    /// # Ok::<(), kavka::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout), with the failure of each address;
    /// [`ErrorKind::Authentication`](crate::ErrorKind::Authentication).
    pub fn bootstrap(&mut self, timeout: Duration) -> Result<()> {
        self.core.check_open()?;
        let deadline = self.core.clock.deadline(timeout);
        self.core.io.run(deadline + GRACE, "bootstrap", move |io| async move {
            io.cluster.within(deadline, "bootstrap", io.cluster.bootstrap()).await
        })
    }

    /// Whether the cluster's brokers are known.
    pub fn bootstrap_connected(&self) -> bool {
        self.core.view.snapshot().version() > 0
    }

    /// What the consumer knows of the cluster.
    pub fn cluster(&self) -> &ClusterMetadata {
        &self.core.view
    }

    /// The names of all topics of the cluster that may be seen, sorted, without Kafka's own.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout).
    pub fn topics(&mut self) -> Result<Vec<String>> {
        self.topics_timeout(self.core.default_timeout())
    }

    /// As [`topics`](Self::topics), waiting at most `timeout`.
    ///
    /// # Errors
    /// As [`topics`](Self::topics).
    pub fn topics_timeout(&mut self, timeout: Duration) -> Result<Vec<String>> {
        self.core.check_open()?;
        self.refresh_all(timeout)?;
        let view = self.core.view.snapshot();
        let mut names: Vec<String> = view
            .topics()
            .filter(|topic| !topic.is_internal && topic.error.is_ok())
            .map(|topic| topic.name.to_string())
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The numbers of a topic's partitions; empty when there is no such topic. Looks into the cluster when the
    /// topic is not known yet; never creates it.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout).
    pub fn partitions_for_topic(&mut self, topic: &str) -> Result<Vec<i32>> {
        self.partitions_for_topic_timeout(topic, self.core.default_timeout())
    }

    /// As [`partitions_for_topic`](Self::partitions_for_topic), waiting at most `timeout`.
    ///
    /// # Errors
    /// As [`partitions_for_topic`](Self::partitions_for_topic).
    pub fn partitions_for_topic_timeout(&mut self, topic: &str, timeout: Duration) -> Result<Vec<i32>> {
        self.core.check_open()?;
        let find = |core: &Core| {
            let view = core.view.snapshot();
            let count = view.topic(topic).map_or(0, |topic| topic.partitions.len());
            (0..i32::try_from(count).unwrap_or(i32::MAX)).collect::<Vec<_>>()
        };
        let known = find(&self.core);
        if !known.is_empty() {
            return Ok(known);
        }
        self.refresh_all(timeout)?;
        Ok(find(&self.core))
    }

    /// Looks at all topics of the cluster once.
    fn refresh_all(&self, timeout: Duration) -> Result<()> {
        let deadline = self.core.clock.deadline(timeout);
        self.core.io.run(deadline + GRACE, "metadata of all topics", move |io| async move {
            io.refresh_all(deadline).await
        })
    }

    /// For each partition the first record that is not older than the time, in milliseconds since 1970; `None`
    /// when all are older.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a negative time,
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout),
    /// [`ErrorKind::UnsupportedVersion`](crate::ErrorKind::UnsupportedVersion) from brokers before 0.10.1.
    pub fn offsets_for_times(
        &mut self,
        times: impl IntoIterator<Item = (TopicPartition, i64)>,
    ) -> Result<HashMap<TopicPartition, Option<OffsetAndTimestamp>>> {
        self.offsets_for_times_timeout(times, self.core.default_timeout())
    }

    /// As [`offsets_for_times`](Self::offsets_for_times), waiting at most `timeout`.
    ///
    /// # Errors
    /// As [`offsets_for_times`](Self::offsets_for_times).
    pub fn offsets_for_times_timeout(
        &mut self,
        times: impl IntoIterator<Item = (TopicPartition, i64)>,
        timeout: Duration,
    ) -> Result<HashMap<TopicPartition, Option<OffsetAndTimestamp>>> {
        self.list_offsets_timeout(
            times.into_iter().map(|(tp, time)| (tp, OffsetSpec::Timestamp(time))),
            timeout,
        )
    }

    /// The offset of the oldest record of each partition.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout), and what the brokers say.
    pub fn beginning_offsets(
        &mut self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, i64>> {
        self.beginning_offsets_timeout(partitions, self.core.default_timeout())
    }

    /// As [`beginning_offsets`](Self::beginning_offsets), waiting at most `timeout`.
    ///
    /// # Errors
    /// As [`beginning_offsets`](Self::beginning_offsets).
    pub fn beginning_offsets_timeout(
        &mut self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<HashMap<TopicPartition, i64>> {
        self.ends(partitions, OffsetSpec::Earliest, timeout)
    }

    /// The offset behind the newest record of each partition; with `read_committed` behind the newest one that
    /// is decided.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout), and what the brokers say.
    pub fn end_offsets(&mut self, partitions: &[TopicPartition]) -> Result<HashMap<TopicPartition, i64>> {
        self.end_offsets_timeout(partitions, self.core.default_timeout())
    }

    /// As [`end_offsets`](Self::end_offsets), waiting at most `timeout`.
    ///
    /// # Errors
    /// As [`end_offsets`](Self::end_offsets).
    pub fn end_offsets_timeout(
        &mut self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<HashMap<TopicPartition, i64>> {
        self.ends(partitions, OffsetSpec::Latest, timeout)
    }

    /// Looks up a place of each partition's log: by time, its ends, and those that Kafka has names for, such as the
    /// record with the greatest timestamp (KIP-734) and the oldest one that is not in tiered storage (KIP-405).
    /// `None` where there is none.
    ///
    /// ```
    /// use kavka::types::OffsetSpec;
    /// # use kavka::{KafkaConsumer, TopicPartition};
    /// # let cluster = kavka::mock::MockCluster::builder().topic("orders", 1).start()?;
    /// # cluster.append("orders", 0, [("1", "a"), ("2", "b")])?;
    /// # let mut consumer =
    /// #     KafkaConsumer::builder().bootstrap_servers(cluster.bootstrap_servers()).build()?;
    /// let orders = TopicPartition::new("orders", 0);
    /// let newest = consumer.list_offsets([(orders.clone(), OffsetSpec::MaxTimestamp)])?;
    /// println!("{:?}", newest[&orders].map(|newest| newest.timestamp));
    /// # assert!(newest[&orders].is_some());
    /// # Ok::<(), kavka::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a negative time,
    /// [`ErrorKind::UnsupportedVersion`](crate::ErrorKind::UnsupportedVersion) from brokers that do not know the place,
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout).
    pub fn list_offsets(
        &mut self,
        places: impl IntoIterator<Item = (TopicPartition, OffsetSpec)>,
    ) -> Result<HashMap<TopicPartition, Option<OffsetAndTimestamp>>> {
        self.list_offsets_timeout(places, self.core.default_timeout())
    }

    /// As [`list_offsets`](Self::list_offsets), waiting at most `timeout`.
    ///
    /// # Errors
    /// As [`list_offsets`](Self::list_offsets).
    pub fn list_offsets_timeout(
        &mut self,
        places: impl IntoIterator<Item = (TopicPartition, OffsetSpec)>,
        timeout: Duration,
    ) -> Result<HashMap<TopicPartition, Option<OffsetAndTimestamp>>> {
        self.core.check_open()?;
        let wanted: Vec<(TopicPartition, OffsetSpec)> = places.into_iter().collect();
        for (tp, spec) in &wanted {
            spec.code().map_err(|error| error.with_topic(tp.topic()).with_partition(tp.partition()))?;
        }
        let deadline = self.core.clock.deadline(timeout);
        self.core.io.run(deadline + GRACE, "looking up offsets", move |io| async move {
            let search = list_offsets(&io.cluster, &io.config, wanted);
            io.cluster.within(deadline, "looking up offsets", search).await
        })
    }

    fn ends(
        &mut self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
        timeout: Duration,
    ) -> Result<HashMap<TopicPartition, i64>> {
        let wanted = partitions.iter().map(|tp| (tp.clone(), spec));
        let found = self.list_offsets_timeout(wanted, timeout)?;
        Ok(found.into_iter().filter_map(|(tp, found)| Some((tp, found?.offset))).collect())
    }
}

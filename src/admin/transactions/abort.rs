//! Ending a transaction that hangs.

use super::hanging::HangingTransaction;
use crate::admin::partitions::of_partition;
use crate::admin::{At, Item, KafkaAdminClient, Route, unanswered, verdict};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::messages::write_txn_markers::{WritableTxnMarker, WritableTxnMarkerTopic};
use crate::protocol::messages::{WriteTxnMarkersRequest, WriteTxnMarkersResponse};
use crate::types::TopicPartition;

/// An open transaction of a producer in a partition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AbortTransactionSpec {
    /// The partition.
    pub topic_partition: TopicPartition,
    /// The producer id.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// The coordinator's epoch; -1 when it is not known.
    pub coordinator_epoch: i32,
}

impl AbortTransactionSpec {
    /// The transaction that a producer has open in a partition.
    pub fn new(topic_partition: impl Into<TopicPartition>, producer_id: i64, producer_epoch: i16) -> Self {
        let topic_partition = topic_partition.into();
        Self { topic_partition, producer_id, producer_epoch, coordinator_epoch: -1 }
    }

    /// The epoch of the coordinator that ended the producer's last transaction in the partition.
    #[must_use]
    pub fn coordinator_epoch(mut self, epoch: i32) -> Self {
        self.coordinator_epoch = epoch;
        self
    }
}

impl From<&HangingTransaction> for AbortTransactionSpec {
    fn from(hanging: &HangingTransaction) -> Self {
        Self::new(hanging.topic_partition.clone(), hanging.producer_id, hanging.producer_epoch)
            .coordinator_epoch(hanging.coordinator_epoch)
    }
}

impl KafkaAdminClient {
    /// Writes the mark of an abort into one partition, past the coordinator: for transactions that hang. To end one
    /// that its coordinator knows, use [`fence_producers`](Self::fence_producers). Needs Kafka 3.0.
    ///
    /// # Errors
    /// [`ErrorKind::Authorization`], [`ErrorKind::UnknownTopic`],
    /// [`INVALID_PRODUCER_EPOCH`](crate::ErrorCode::INVALID_PRODUCER_EPOCH) or [`ErrorKind::ProducerFenced`] for an
    /// older epoch than the partition knows,
    /// [`TRANSACTION_COORDINATOR_FENCED`](crate::ErrorCode::TRANSACTION_COORDINATOR_FENCED).
    pub fn abort_transaction(&self, spec: &AbortTransactionSpec) -> Result<()> {
        let spec = spec.clone();
        self.call(ABORT, move |admin, call| async move {
            let items = vec![Item::new(Route::Leader(spec.topic_partition.clone()), spec)];
            let request = |_: &At, specs: &[&AbortTransactionSpec]| {
                let markers = specs.iter().map(|spec| marker(spec)).collect();
                Ok(WriteTxnMarkersRequest { markers })
            };
            let read = |_: &At, response: WriteTxnMarkersResponse, specs: &[&AbortTransactionSpec]| {
                specs.iter().map(|spec| aborted(&response, spec)).collect()
            };
            // A second mark changes nothing.
            let results = admin.ask(call, items, request, read).await;
            results.into_iter().next().map_or_else(|| Err(unanswered(ABORT)), |(_, result)| result)
        })
    }
}

fn marker(spec: &AbortTransactionSpec) -> WritableTxnMarker {
    WritableTxnMarker {
        producer_id: spec.producer_id,
        producer_epoch: spec.producer_epoch,
        transaction_result: false,
        topics: vec![WritableTxnMarkerTopic {
            name: spec.topic_partition.topic().to_owned(),
            partition_indexes: vec![spec.topic_partition.partition()],
        }],
        coordinator_epoch: spec.coordinator_epoch,
        ..Default::default()
    }
}

fn aborted(response: &WriteTxnMarkersResponse, spec: &AbortTransactionSpec) -> Result<()> {
    let partition = &spec.topic_partition;
    let what = format!("{ABORT} of producer id {}", spec.producer_id);
    let markers = response.markers.iter().filter(|marker| marker.producer_id == spec.producer_id);
    let answer = markers
        .flat_map(|marker| &marker.topics)
        .filter(|topic| topic.name == partition.topic())
        .flat_map(|topic| &topic.partitions)
        .find(|answer| answer.partition_index == partition.partition());
    let result =
        answer.ok_or_else(|| unanswered(&what)).and_then(|answer| verdict(answer.error_code, None, &what));
    result.map_err(|error: Error| {
        let error = of_partition(error, partition);
        // For a producer the kind says that it must end; here it is about another one.
        if error.kind() == ErrorKind::ProducerFenced { error.with_retriable(false) } else { error }
    })
}

const ABORT: &str = "abort transaction";

//! InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn, EndTxn and WriteTxnMarkers.

use std::time::Duration;

use super::{Cx, Handled, Handler};
use crate::error_code::ErrorCode;
use crate::mock::log::Marker;
use crate::mock::state::State;
use crate::mock::transactions::{Moment, Part, Producer};
use crate::protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopic,
    AddPartitionsToTxnTopicResult, AddPartitionsToTxnTransaction,
};
use crate::protocol::messages::write_txn_markers::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use crate::protocol::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    EndTxnRequest, EndTxnResponse, InitProducerIdRequest, InitProducerIdResponse, WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
};

impl Cx {
    /// The injected error, or that another broker coordinates the transactional id.
    pub(super) fn check_transaction(&self, id: &str) -> Result<(), ErrorCode> {
        self.check()?;
        if id.is_empty() {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        self.state().check_transaction_coordinator(self.broker, id)
    }

    pub(super) fn moment(&self) -> Moment {
        Moment { now: self.cluster.net.now(), unix_ms: self.cluster.net.clock().unix_millis() }
    }

    /// A transaction was decided, or may have been: its markers are due.
    fn settle(&self) {
        self.state().write_markers(self.cluster.net.clock().unix_millis());
        self.cluster.transaction_timers.notify();
        self.cluster.changed();
    }
}

/// Old versions know but one code for a producer that was fenced.
fn in_version(code: ErrorCode, version: i16, tells_fenced: i16) -> ErrorCode {
    if code == ErrorCode::PRODUCER_FENCED && version < tells_fenced {
        return ErrorCode::INVALID_PRODUCER_EPOCH;
    }
    code
}

impl Handler for InitProducerIdRequest {
    async fn handle(self, cx: &Cx) -> Handled<InitProducerIdResponse> {
        let result = init(&self, cx);
        cx.settle();
        Handled::Answer(match result {
            Ok(producer) => InitProducerIdResponse {
                producer_id: producer.id,
                producer_epoch: producer.epoch,
                ..Default::default()
            },
            Err(code) => InitProducerIdResponse {
                error_code: in_version(code, cx.version, 4),
                producer_epoch: -1,
                ..Default::default()
            },
        })
    }
}

fn init(request: &InitProducerIdRequest, cx: &Cx) -> Result<Producer, ErrorCode> {
    let Some(id) = &request.transactional_id else {
        cx.check()?;
        // Kafka gives a producer without a transactional id a new id each time.
        return Ok(Producer { id: cx.state().transactions.new_producer_id(), epoch: 0 });
    };
    cx.check_transaction(id)?;
    let mut state = cx.state();
    let timeout = Duration::from_millis(u64::try_from(request.transaction_timeout_ms).unwrap_or(0));
    if timeout.is_zero() || timeout > state.settings.max_transaction_timeout {
        return Err(ErrorCode::INVALID_TRANSACTION_TIMEOUT);
    }
    let expected = (request.producer_id >= 0)
        .then_some(Producer { id: request.producer_id, epoch: request.producer_epoch });
    let raise_epochs = state.settings.transaction_version >= 2;
    state.transactions.init(id, timeout, expected, raise_epochs)
}

impl Handler for AddPartitionsToTxnRequest {
    fn partitions(&self, _: &State, _: i32) -> Vec<(String, i32)> {
        let topics = self.transactions.iter().flat_map(|transaction| &transaction.topics);
        let topics = topics.chain(&self.v3_and_below_topics);
        topics.flat_map(|topic| topic.partitions.iter().map(|index| (topic.name.clone(), *index))).collect()
    }

    async fn handle(self, cx: &Cx) -> Handled<AddPartitionsToTxnResponse> {
        let mut response = AddPartitionsToTxnResponse::default();
        if cx.version >= BATCHED {
            if let Err(code) = cx.check() {
                response.error_code = code;
                return Handled::Answer(response);
            }
            let added = self.transactions.into_iter().map(|transaction| AddPartitionsToTxnResult {
                transactional_id: transaction.transactional_id.clone(),
                topic_results: add_partitions(cx, &transaction),
            });
            response.results_by_transaction = added.collect();
        } else {
            let transaction = AddPartitionsToTxnTransaction {
                transactional_id: self.v3_and_below_transactional_id,
                producer_id: self.v3_and_below_producer_id,
                producer_epoch: self.v3_and_below_producer_epoch,
                verify_only: false,
                topics: self.v3_and_below_topics,
            };
            response.results_by_topic_v3_and_below = add_partitions(cx, &transaction);
        }
        cx.settle();
        Handled::Answer(response)
    }
}

/// The first version that is for brokers, on behalf of many producers.
const BATCHED: i16 = 4;

fn add_partitions(cx: &Cx, request: &AddPartitionsToTxnTransaction) -> Vec<AddPartitionsToTxnTopicResult> {
    let producer = Producer { id: request.producer_id, epoch: request.producer_epoch };
    let id = &request.transactional_id;
    let allowed = cx.check_transaction(id);
    let moment = cx.moment();
    let mut state = cx.state();
    let each = |judge: &mut dyn FnMut(&str, i32) -> ErrorCode| {
        let topic = |topic: &AddPartitionsToTxnTopic| AddPartitionsToTxnTopicResult {
            name: topic.name.clone(),
            results_by_partition: topic
                .partitions
                .iter()
                .map(|index| AddPartitionsToTxnPartitionResult {
                    partition_index: *index,
                    partition_error_code: in_version(judge(&topic.name, *index), cx.version, 2),
                })
                .collect(),
        };
        request.topics.iter().map(topic).collect()
    };
    if let Err(code) = allowed {
        return each(&mut |_, _| code);
    }
    let bad = |state: &State, topic: &str, index: i32| match cx.check_partition(topic, index) {
        Err(code) => Some(code),
        Ok(()) if state.partition(topic, index).is_none() => Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        Ok(()) => None,
    };
    let mut parts = Vec::new();
    let mut any_bad = false;
    for topic in &request.topics {
        for index in &topic.partitions {
            any_bad |= bad(&state, &topic.name, *index).is_some();
            parts.push(Part::Partition(topic.name.clone(), *index));
        }
    }
    if any_bad {
        // All or none.
        return each(&mut |topic, index| {
            bad(&state, topic, index).unwrap_or(ErrorCode::OPERATION_NOT_ATTEMPTED)
        });
    }
    if request.verify_only {
        return each(&mut |topic, index| {
            let part = Part::Partition(topic.to_owned(), index);
            state.transactions.verify(id, producer, &part).err().unwrap_or_default()
        });
    }
    let code = state.transactions.add(id, producer, parts, cx.version > BATCHED, moment).err();
    each(&mut |_, _| code.unwrap_or_default())
}

impl Handler for AddOffsetsToTxnRequest {
    async fn handle(self, cx: &Cx) -> Handled<AddOffsetsToTxnResponse> {
        let producer = Producer { id: self.producer_id, epoch: self.producer_epoch };
        let id = &self.transactional_id;
        let added = cx.check_transaction(id).and_then(|()| {
            let moment = cx.moment();
            cx.state().transactions.add(id, producer, [Part::Group(self.group_id.clone())], false, moment)
        });
        cx.settle();
        let error_code = in_version(added.err().unwrap_or_default(), cx.version, 2);
        Handled::Answer(AddOffsetsToTxnResponse { error_code, ..Default::default() })
    }
}

impl Handler for EndTxnRequest {
    async fn handle(self, cx: &Cx) -> Handled<EndTxnResponse> {
        let producer = Producer { id: self.producer_id, epoch: self.producer_epoch };
        let id = &self.transactional_id;
        let ended = cx.check_transaction(id).and_then(|()| {
            let mut state = cx.state();
            let raise_epoch = cx.version >= RAISES_EPOCHS && state.raises_epochs(cx.broker);
            state.transactions.end(id, producer, self.committed, raise_epoch)
        });
        cx.settle();
        let mut response = EndTxnResponse::default();
        match ended {
            Ok(next) => (response.producer_id, response.producer_epoch) = (next.id, next.epoch),
            Err(code) => response.error_code = in_version(code, cx.version, 2),
        }
        Handled::Answer(response)
    }
}

/// The first version of EndTxn that raises the producer's epoch (KIP-890).
const RAISES_EPOCHS: i16 = 5;

impl Handler for WriteTxnMarkersRequest {
    fn partitions(&self, _: &State, _: i32) -> Vec<(String, i32)> {
        let topics = self.markers.iter().flat_map(|marker| &marker.topics);
        topics
            .flat_map(|topic| topic.partition_indexes.iter().map(|index| (topic.name.clone(), *index)))
            .collect()
    }

    async fn handle(self, cx: &Cx) -> Handled<WriteTxnMarkersResponse> {
        let now_ms = cx.cluster.net.clock().unix_millis();
        let mut response = WriteTxnMarkersResponse::default();
        for one in self.markers {
            let marker = Marker {
                commit: one.transaction_result,
                producer_id: one.producer_id,
                producer_epoch: one.producer_epoch,
                coordinator_epoch: one.coordinator_epoch,
            };
            let mut answer = WritableTxnMarkerResult { producer_id: one.producer_id, topics: Vec::new() };
            for topic in one.topics {
                let written = topic.partition_indexes.iter().map(|index| {
                    let written = cx.check_partition(&topic.name, *index).and_then(|()| {
                        let mut state = cx.state();
                        let partition = state.led(cx.broker, &topic.name, *index, -1)?;
                        let leader_epoch = partition.leader_epoch;
                        partition.log.end_transaction(marker, leader_epoch, now_ms)
                    });
                    let error_code = written.err().unwrap_or_default();
                    WritableTxnMarkerPartitionResult { partition_index: *index, error_code }
                });
                let partitions = written.collect();
                answer.topics.push(WritableTxnMarkerTopicResult { name: topic.name, partitions });
            }
            response.markers.push(answer);
        }
        cx.cluster.changed();
        Handled::Answer(response)
    }
}

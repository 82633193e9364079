//! Produce.

use super::{Cx, Handled, Handler};
use crate::error_code::ErrorCode;
use crate::mock::log::{AppendRules, Appended};
use crate::mock::state::State;
use crate::mock::transactions::{Part, Producer};
use crate::protocol::ApiKey;
use crate::protocol::messages::produce::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceData,
    PartitionProduceResponse, TopicProduceData, TopicProduceResponse,
};
use crate::protocol::messages::{ProduceRequest, ProduceResponse};
use crate::record::{Batch, Batches, Codec, DecompressLimits};

/// The first version whose batches may be compressed with zstd (KIP-110).
const ZSTD: i16 = 7;

/// The first version that names topics by id.
const TOPIC_IDS: i16 = 13;

/// The first version that tells the leader to one who asked another broker (KIP-951).
const LEADER_HINTS: i16 = 10;

/// The first version that knows the code of transactions that have to be aborted.
const ABORTABLE: i16 = 11;

/// The first version whose records add their partition to the transaction (KIP-890).
const ADDS_PARTITIONS: i16 = 12;

impl Handler for ProduceRequest {
    fn partitions(&self, state: &State, _: i32) -> Vec<(String, i32)> {
        let mut all = Vec::new();
        for topic in &self.topic_data {
            let name = name_of(state, topic).unwrap_or_default();
            all.extend(topic.partition_data.iter().map(|partition| (name.clone(), partition.index)));
        }
        all
    }

    async fn handle(self, cx: &Cx) -> Handled<ProduceResponse> {
        let mut response = ProduceResponse::default();
        let mut failed = false;
        let mut leaders = Vec::new();
        for topic in self.topic_data {
            let name =
                if cx.version >= TOPIC_IDS { name_of(&cx.state(), &topic) } else { Some(topic.name.clone()) };
            let mut answer = TopicProduceResponse {
                name: topic.name,
                topic_id: topic.topic_id,
                partition_responses: Vec::with_capacity(topic.partition_data.len()),
            };
            for partition in topic.partition_data {
                let index = partition.index;
                let result = match &name {
                    None => Err(ErrorCode::UNKNOWN_TOPIC_ID.into()),
                    Some(_) if !(-1..=1).contains(&self.acks) => Err(ErrorCode::INVALID_REQUIRED_ACKS.into()),
                    Some(name) => append(cx, name, partition, self.transactional_id.as_deref()),
                };
                let state = cx.state();
                let known = name.as_ref().and_then(|name| state.partition(name, index));
                let mut line = PartitionProduceResponse { index, base_offset: -1, ..Default::default() };
                line.error_message = None;
                match result {
                    Ok(appended) => {
                        line.base_offset = appended.base_offset;
                        line.log_append_time_ms = appended.append_time;
                        line.log_start_offset = known.map_or(-1, |partition| partition.log.start_offset());
                    }
                    Err(Refused { code, records }) => {
                        failed = true;
                        line.error_code = code;
                        line.record_errors = records;
                        let hint = known.filter(|_| cx.version >= LEADER_HINTS);
                        if let (ErrorCode::NOT_LEADER_OR_FOLLOWER, Some(partition)) = (code, hint) {
                            line.current_leader = LeaderIdAndEpoch {
                                leader_id: partition.leader,
                                leader_epoch: partition.leader_epoch,
                            };
                            leaders.push(partition.leader);
                        }
                    }
                }
                if !name.as_ref().is_some_and(|name| cx.plan.leaves_out(name, index)) {
                    answer.partition_responses.push(line);
                }
            }
            response.responses.push(answer);
        }
        cx.cluster.changed();
        if self.acks == 0 {
            // The only way to tell of an error to one who does not want to hear of it.
            return if failed { Handled::Close } else { Handled::Silent };
        }
        leaders.sort_unstable();
        leaders.dedup();
        let state = cx.state();
        response.node_endpoints = leaders
            .into_iter()
            .filter_map(|leader| state.brokers.get(&leader))
            .map(|broker| {
                let (host, port) = broker.endpoint();
                NodeEndpoint { node_id: broker.id, host, port: port.into(), rack: broker.rack.clone() }
            })
            .collect();
        Handled::Answer(response)
    }
}

fn name_of(state: &State, topic: &TopicProduceData) -> Option<String> {
    if topic.topic_id.is_zero() {
        return Some(topic.name.clone());
    }
    state.topic_name(topic.topic_id).map(str::to_owned)
}

fn append(
    cx: &Cx,
    topic: &str,
    data: PartitionProduceData,
    transactional_id: Option<&str>,
) -> Result<Appended, Refused> {
    cx.check_partition(topic, data.index)?;
    let now_ms = cx.cluster.net.clock().unix_millis();
    let mut state = cx.state();
    let state = &mut *state;
    let max_batch_bytes = state.max_message_bytes(topic);
    let append_time = state.stamps_append_time(topic).then_some(now_ms);
    let unknown_producer = unknown_producer(state, cx.broker);
    state.led(cx.broker, topic, data.index, -1)?;
    let records = data.records.unwrap_or_default();
    if let Some(Ok(batch)) = Batches::new(records.clone()).next() {
        if cx.version < ZSTD && batch.codec().is_ok_and(|codec| codec == Codec::Zstd) {
            return Err(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE.into());
        }
        if state.is_compacted(topic) {
            let records = keyless(&batch);
            if !records.is_empty() {
                return Err(Refused { code: ErrorCode::INVALID_RECORD, records });
            }
        }
        if batch.is_transactional() {
            let producer = Producer { id: batch.producer_id(), epoch: batch.producer_epoch() };
            admit(cx, state, transactional_id, producer, topic, data.index)?;
        }
    }
    let partition = state.led(cx.broker, topic, data.index, -1)?;
    let rules = AppendRules {
        leader_epoch: partition.leader_epoch,
        max_batch_bytes,
        append_time,
        legacy: cx.version < 3,
        unknown_producer,
        now_ms,
    };
    let appended = partition.log.append(&records, rules)?;
    cx.plan.late_error_of(topic, data.index).map_or(Ok(appended), |code| Err(code.into()))
}

/// Why a batch is not appended, and which of its records are to blame (KIP-467).
struct Refused {
    code: ErrorCode,
    records: Vec<BatchIndexAndErrorMessage>,
}

impl From<ErrorCode> for Refused {
    fn from(code: ErrorCode) -> Self {
        Self { code, records: Vec::new() }
    }
}

/// The records that a compacted topic does not take.
fn keyless(batch: &Batch) -> Vec<BatchIndexAndErrorMessage> {
    let limits = DecompressLimits { max_bytes: 1 << 30 };
    let Ok(mut records) = batch.records(false, &limits) else { return Vec::new() };
    let mut refused = Vec::new();
    for index in 0.. {
        let Some(Ok(record)) = records.next() else { break };
        if record.key.is_none() {
            let text = "Compacted topic cannot accept message without key.".to_owned();
            refused.push(BatchIndexAndErrorMessage {
                batch_index: index,
                batch_index_error_message: Some(text),
            });
        }
    }
    refused
}

/// What brokers of old say to a producer whose state they have lost; those since 2.4 let it go on.
fn unknown_producer(state: &State, broker: i32) -> Option<ErrorCode> {
    let versions = &state.brokers.get(&broker)?.versions;
    match versions.range(ApiKey::PRODUCE)?.max {
        ..5 => Some(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER),
        5..8 => Some(ErrorCode::UNKNOWN_PRODUCER_ID),
        _ => None,
    }
}

/// Has the coordinator say whether records may join a transaction; once one of them is in the log, the others may.
fn admit(
    cx: &Cx,
    state: &mut State,
    transactional_id: Option<&str>,
    producer: Producer,
    topic: &str,
    index: i32,
) -> Result<(), ErrorCode> {
    let Some(id) = transactional_id else { return Err(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED) };
    let log = state.partition(topic, index).map(|partition| &partition.log);
    let is_open = |log: &crate::mock::log::Log| {
        let mut producers = log.producers().iter();
        producers.any(|(id, known)| {
            id == producer.id && known.epoch == producer.epoch && known.open_since.is_some()
        })
    };
    if log.is_some_and(is_open) {
        return Ok(());
    }
    let part = Part::Partition(topic.to_owned(), index);
    let admitted = if cx.version >= ADDS_PARTITIONS {
        state.transactions.add(id, producer, [part], true, cx.moment())
    } else {
        state.transactions.verify(id, producer, &part)
    };
    cx.cluster.transaction_timers.notify();
    admitted.map_err(|code| match code {
        ErrorCode::PRODUCER_FENCED => ErrorCode::INVALID_PRODUCER_EPOCH,
        // The older versions have to be told of something that they try again after.
        ErrorCode::CONCURRENT_TRANSACTIONS if cx.version < ADDS_PARTITIONS => ErrorCode::NOT_ENOUGH_REPLICAS,
        ErrorCode::TRANSACTION_ABORTABLE if cx.version < ABORTABLE => ErrorCode::INVALID_TXN_STATE,
        code => code,
    })
}

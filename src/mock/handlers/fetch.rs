//! Fetch.

use std::time::Duration;

use bytes::Bytes;

use super::{Cx, Handled, Handler};
use crate::error_code::ErrorCode;
use crate::mock::fetch_session::{Opened, TopicKey, Wanted};
use crate::mock::log::to_legacy;
use crate::mock::state::State;
use crate::protocol::Uuid;
use crate::protocol::messages::fetch::{
    AbortedTransaction, EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
};
use crate::protocol::messages::{FetchRequest, FetchResponse};
use crate::record::{Batch, Batches, Codec};

/// The first version that takes batches as they are.
const CURRENT_FORMAT: i16 = 4;
/// The first version with sessions.
const SESSIONS: i16 = 7;
/// The first version whose clients know zstd (KIP-110).
const ZSTD: i16 = 10;
/// The first version that may be sent to another replica (KIP-392).
const REPLICAS: i16 = 11;
/// The first version that tells of diverging epochs and of the leader.
const HINTS: i16 = 12;
/// The first version that names topics by id.
const TOPIC_IDS: i16 = 13;
/// The first version that tells where the leader is (KIP-951).
const ENDPOINTS: i16 = 16;

/// The isolation level of readers that want no records of open and aborted transactions.
const READ_COMMITTED: i8 = 1;

/// One look at all partitions.
struct Look {
    answers: Vec<(TopicKey, PartitionData)>,
    bytes: usize,
    /// Something that the client has to know at once.
    urgent: bool,
}

impl Handler for FetchRequest {
    fn partitions(&self, state: &State, broker: i32) -> Vec<(String, i32)> {
        let mut all = Vec::new();
        for topic in &self.topics {
            let key = TopicKey { name: topic.topic.clone(), id: topic.topic_id };
            let name = name_of(state, &key).unwrap_or_default();
            all.extend(topic.partitions.iter().map(|one| (name.clone(), one.partition)));
        }
        let session = state.brokers.get(&broker).into_iter();
        for wanted in session.flat_map(|broker| broker.sessions.partitions(self.session_id)) {
            let name = name_of(state, &wanted.topic).unwrap_or_default();
            let partition = (name, wanted.fetch.partition);
            if !all.contains(&partition) {
                all.push(partition);
            }
        }
        all
    }

    async fn handle(self, cx: &Cx) -> Handled<FetchResponse> {
        let refused = |error_code| Handled::Answer(FetchResponse { error_code, ..Default::default() });
        if let Some(code) = cx.plan.error().filter(|code| is_of_the_session(*code)) {
            return refused(code);
        }
        let opened = match open(&self, cx) {
            Ok(opened) => opened,
            Err(code) => return refused(code),
        };
        let wait = Duration::from_millis(u64::try_from(self.max_wait_ms).unwrap_or(0));
        let deadline = cx.cluster.net.clock().deadline(wait);
        let min_bytes = usize::try_from(self.min_bytes).unwrap_or(0);
        let look = loop {
            let seen = cx.cluster.changes();
            let look = look(&self, cx, &opened);
            let enough = look.bytes >= min_bytes || look.urgent || opened.partitions.is_empty();
            if enough || cx.cluster.net.now() >= deadline {
                break look;
            }
            // Whether data or time came, one more look tells.
            let _ = cx.cluster.net.until(deadline, cx.cluster.change_after(seen)).await;
        };
        Handled::Answer(answer(cx, &opened, look.answers))
    }
}

/// Errors that stand for the whole answer, not for partitions.
fn is_of_the_session(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::FETCH_SESSION_ID_NOT_FOUND
            | ErrorCode::INVALID_FETCH_SESSION_EPOCH
            | ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR
    )
}

fn open(request: &FetchRequest, cx: &Cx) -> Result<Opened, ErrorCode> {
    let mut state = cx.state();
    let max = if cx.version < SESSIONS { 0 } else { state.settings.max_fetch_sessions };
    let broker = state.brokers.get_mut(&cx.broker).ok_or(ErrorCode::UNKNOWN_SERVER_ERROR)?;
    broker.sessions.open(request, cx.version >= TOPIC_IDS, max)
}

fn name_of(state: &State, key: &TopicKey) -> Option<String> {
    if key.id.is_zero() { Some(key.name.clone()) } else { state.topic_name(key.id).map(str::to_owned) }
}

fn look(request: &FetchRequest, cx: &Cx, opened: &Opened) -> Look {
    let mut state = cx.state();
    let mut left = usize::try_from(request.max_bytes).unwrap_or(0);
    let mut look = Look { answers: Vec::with_capacity(opened.partitions.len()), bytes: 0, urgent: false };
    for wanted in &opened.partitions {
        let mut data = PartitionData {
            partition_index: wanted.fetch.partition,
            high_watermark: -1,
            aborted_transactions: None,
            records: Some(Bytes::new()),
            ..Default::default()
        };
        match read(&mut state, cx, request, wanted, left, look.bytes == 0, &mut data) {
            Ok(chunks) => {
                let size: usize = chunks.iter().map(Bytes::len).sum();
                left = left.saturating_sub(size);
                look.bytes += size;
                look.urgent |=
                    data.diverging_epoch != EpochEndOffset::default() || data.preferred_read_replica != -1;
                let records = match chunks.as_slice() {
                    _ if cx.version < CURRENT_FORMAT => to_legacy(&chunks),
                    [one] => one.clone(),
                    many => Bytes::from(many.concat()),
                };
                data.records = Some(if cx.plan.damages_records { damaged(&records) } else { records });
            }
            Err(code) => {
                look.urgent = true;
                data.error_code = code;
            }
        }
        look.answers.push((wanted.topic.clone(), data));
    }
    look
}

fn damaged(records: &[u8]) -> Bytes {
    let mut records = records.to_vec();
    if let Some(last) = records.last_mut() {
        *last ^= 1;
    }
    records.into()
}

fn read(
    state: &mut State,
    cx: &Cx,
    request: &FetchRequest,
    wanted: &Wanted,
    left: usize,
    first: bool,
    data: &mut PartitionData,
) -> Result<Vec<Bytes>, ErrorCode> {
    let name = name_of(state, &wanted.topic).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?;
    let fetch = &wanted.fetch;
    cx.check_partition(&name, fetch.partition)?;
    if cx.version >= TOPIC_IDS && wanted.topic.id == Uuid::ZERO {
        return Err(ErrorCode::UNKNOWN_TOPIC_ID);
    }
    if let Some(partition) = state.partition(&name, fetch.partition) {
        if cx.version >= HINTS && partition.leader != cx.broker {
            data.current_leader =
                LeaderIdAndEpoch { leader_id: partition.leader, leader_epoch: partition.leader_epoch };
        }
    }
    let elsewhere = if cx.version >= REPLICAS {
        state.preferred_replica(cx.broker, &name, fetch.partition, &request.rack_id)
    } else {
        None
    };
    let epoch = fetch.current_leader_epoch;
    let partition = if cx.version >= REPLICAS {
        state.readable(cx.broker, &name, fetch.partition, epoch)?
    } else {
        state.led(cx.broker, &name, fetch.partition, epoch)?
    };
    let log = &partition.log;
    data.high_watermark = log.end_offset();
    data.last_stable_offset = log.last_stable_offset();
    data.log_start_offset = log.start_offset();
    if cx.version >= HINTS && fetch.last_fetched_epoch >= 0 {
        let (epoch, end_offset) = log.end_of_epoch(fetch.last_fetched_epoch);
        if epoch < fetch.last_fetched_epoch || end_offset < fetch.fetch_offset {
            data.diverging_epoch = EpochEndOffset { epoch, end_offset };
            return Ok(Vec::new());
        }
    }
    if fetch.fetch_offset < log.start_offset() || fetch.fetch_offset > log.end_offset() {
        data.high_watermark = -1;
        data.last_stable_offset = -1;
        data.log_start_offset = -1;
        return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
    }
    if let Some(replica) = elsewhere {
        data.preferred_read_replica = replica;
        return Ok(Vec::new());
    }
    let of_partition = usize::try_from(fetch.partition_max_bytes).unwrap_or(0);
    let is_committed_only = request.isolation_level == READ_COMMITTED;
    let below = if is_committed_only { log.last_stable_offset() } else { log.end_offset() };
    // The first batch of an answer is given whatever its size, so that a consumer gets on (KIP-74).
    let chunks = log.read(fetch.fetch_offset, below, of_partition.min(left), first);
    let is_zstd = |batch: &Batch| batch.codec().is_ok_and(|codec| codec == Codec::Zstd);
    let batches = chunks.iter().flat_map(|chunk| Batches::new(chunk.clone())).flatten();
    if cx.version < ZSTD && batches.into_iter().any(|batch| is_zstd(&batch)) {
        return Err(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
    }
    if is_committed_only {
        let aborted = log.aborted(fetch.fetch_offset, below).map(|aborted| AbortedTransaction {
            producer_id: aborted.producer_id,
            first_offset: aborted.first_offset,
        });
        data.aborted_transactions = Some(aborted.collect());
    }
    Ok(chunks)
}

fn answer(cx: &Cx, opened: &Opened, mut answers: Vec<(TopicKey, PartitionData)>) -> FetchResponse {
    let mut state = cx.state();
    if let Some(broker) = state.brokers.get_mut(&cx.broker) {
        broker.sessions.close(opened, &mut answers);
    }
    let mut response = FetchResponse::default();
    if cx.version >= SESSIONS {
        response.session_id = opened.session_id;
    }
    let mut leaders = Vec::new();
    for (topic, data) in answers {
        if cx.version >= ENDPOINTS && data.error_code == ErrorCode::NOT_LEADER_OR_FOLLOWER {
            leaders.push(data.current_leader.leader_id);
        }
        match response.responses.last_mut() {
            Some(last) if last.topic == topic.name && last.topic_id == topic.id => last.partitions.push(data),
            _ => response.responses.push(FetchableTopicResponse {
                topic: topic.name,
                topic_id: topic.id,
                partitions: vec![data],
            }),
        }
    }
    leaders.sort_unstable();
    leaders.dedup();
    let endpoints = leaders.into_iter().filter_map(|leader| state.brokers.get(&leader)).map(|broker| {
        let (host, port) = broker.endpoint();
        NodeEndpoint { node_id: broker.id, host, port: port.into(), rack: broker.rack.clone() }
    });
    response.node_endpoints = endpoints.collect();
    response
}

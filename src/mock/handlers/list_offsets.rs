//! ListOffsets and OffsetForLeaderEpoch.

use super::{Cx, Handled, Handler};
use crate::error_code::ErrorCode;
use crate::mock::state::State;
use crate::protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use crate::protocol::messages::offset_for_leader_epoch::{EpochEndOffset, OffsetForLeaderTopicResult};
use crate::protocol::messages::{
    ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
};

/// The isolation level for which the log ends where transactions are undecided.
const READ_COMMITTED: i8 = 1;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
/// Of the tiers that the mock does not have.
const TIERED: [i64; 2] = [-5, -6];

impl Handler for ListOffsetsRequest {
    fn partitions(&self, _: &State, _: i32) -> Vec<(String, i32)> {
        let mut all = Vec::new();
        for topic in &self.topics {
            all.extend(topic.partitions.iter().map(|one| (topic.name.clone(), one.partition_index)));
        }
        all
    }

    async fn handle(self, cx: &Cx) -> Handled<ListOffsetsResponse> {
        let mut response = ListOffsetsResponse::default();
        for topic in self.topics {
            let mut answer = ListOffsetsTopicResponse { name: topic.name.clone(), ..Default::default() };
            for wanted in topic.partitions {
                let mut line = ListOffsetsPartitionResponse {
                    partition_index: wanted.partition_index,
                    ..Default::default()
                };
                match look_up(cx, &topic.name, &wanted, self.isolation_level == READ_COMMITTED) {
                    Err(code) => line.error_code = code,
                    Ok((offset, _, _)) if cx.version == 0 => {
                        line.old_style_offsets =
                            Some(offset).filter(|offset| *offset >= 0).into_iter().collect();
                    }
                    Ok((offset, timestamp, epoch)) => {
                        line.offset = offset;
                        line.timestamp = timestamp;
                        line.leader_epoch = if cx.version >= 4 { epoch } else { -1 };
                    }
                }
                answer.partitions.push(line);
            }
            response.topics.push(answer);
        }
        Handled::Answer(response)
    }
}

/// Offset, timestamp and leader epoch; -1 for each where there is none.
fn look_up(
    cx: &Cx,
    topic: &str,
    wanted: &ListOffsetsPartition,
    committed_only: bool,
) -> Result<(i64, i64, i32), ErrorCode> {
    cx.check_partition(topic, wanted.partition_index)?;
    let mut state = cx.state();
    let partition = state.led(cx.broker, topic, wanted.partition_index, wanted.current_leader_epoch)?;
    let log = &partition.log;
    let end = if committed_only { log.last_stable_offset() } else { log.end_offset() };
    let found = match wanted.timestamp {
        LATEST => return Ok((end, -1, partition.leader_epoch)),
        EARLIEST | EARLIEST_LOCAL => {
            return Ok((log.start_offset(), -1, log.epoch_at(log.start_offset())));
        }
        MAX_TIMESTAMP => log.latest_timestamp(),
        tiered if TIERED.contains(&tiered) => None,
        timestamp if timestamp >= 0 => log.offset_for_time(timestamp),
        _ => return Err(ErrorCode::INVALID_REQUEST),
    };
    let found = found.filter(|(offset, _)| *offset < end);
    Ok(found.map_or((-1, -1, -1), |(offset, timestamp)| (offset, timestamp, log.epoch_at(offset))))
}

impl Handler for OffsetForLeaderEpochRequest {
    fn partitions(&self, _: &State, _: i32) -> Vec<(String, i32)> {
        let mut all = Vec::new();
        for topic in &self.topics {
            all.extend(topic.partitions.iter().map(|one| (topic.topic.clone(), one.partition)));
        }
        all
    }

    async fn handle(self, cx: &Cx) -> Handled<OffsetForLeaderEpochResponse> {
        let mut response = OffsetForLeaderEpochResponse::default();
        for topic in self.topics {
            let mut answer = OffsetForLeaderTopicResult { topic: topic.topic.clone(), ..Default::default() };
            for wanted in topic.partitions {
                let mut state = cx.state();
                let end = cx.check_partition(&topic.topic, wanted.partition).and_then(|()| {
                    let epoch = wanted.current_leader_epoch;
                    let partition = state.led(cx.broker, &topic.topic, wanted.partition, epoch)?;
                    Ok(partition.log.end_of_epoch(wanted.leader_epoch))
                });
                let (leader_epoch, end_offset) = end.unwrap_or((-1, -1));
                answer.partitions.push(EpochEndOffset {
                    error_code: end.err().unwrap_or_default(),
                    partition: wanted.partition,
                    leader_epoch,
                    end_offset,
                });
            }
            response.topics.push(answer);
        }
        Handled::Answer(response)
    }
}

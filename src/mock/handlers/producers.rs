//! DescribeTransactions, ListTransactions and DescribeProducers (KIP-664).

use std::time::Duration;

use super::{Cx, Handled, Handler};
use crate::error_code::ErrorCode;
use crate::mock::group::consumer::compile;
use crate::mock::state::State;
use crate::mock::transactions::{Transaction, TransactionState};
use crate::protocol::messages::describe_producers::{PartitionResponse, ProducerState, TopicResponse};
use crate::protocol::messages::describe_transactions::{TopicData, TransactionState as Described};
use crate::protocol::messages::list_transactions::TransactionState as Listed;
use crate::protocol::messages::{
    DescribeProducersRequest, DescribeProducersResponse, DescribeTransactionsRequest,
    DescribeTransactionsResponse, ListTransactionsRequest, ListTransactionsResponse,
};

impl Handler for DescribeTransactionsRequest {
    async fn handle(self, cx: &Cx) -> Handled<DescribeTransactionsResponse> {
        let states = self.transactional_ids.into_iter().map(|id| {
            let allowed = cx.check_transaction(&id);
            let state = cx.state();
            let mut answer = Described { transactional_id: id, ..Default::default() };
            match (allowed, state.transactions.get(&answer.transactional_id)) {
                (Err(code), _) => answer.error_code = code,
                (Ok(()), None) => answer.error_code = ErrorCode::TRANSACTIONAL_ID_NOT_FOUND,
                (Ok(()), Some(known)) => describe(known, &mut answer),
            }
            answer
        });
        Handled::Answer(DescribeTransactionsResponse {
            transaction_states: states.collect(),
            ..Default::default()
        })
    }
}

fn describe(known: &Transaction, answer: &mut Described) {
    answer.transaction_state = known.state.name().to_owned();
    answer.transaction_timeout_ms = i32::try_from(known.timeout.as_millis()).unwrap_or(i32::MAX);
    answer.transaction_start_time_ms = known.started_ms;
    answer.producer_id = known.producer.id;
    answer.producer_epoch = known.producer.epoch;
    for (topic, index) in &known.partitions {
        match answer.topics.last_mut() {
            Some(last) if last.topic == *topic => last.partitions.push(*index),
            _ => answer.topics.push(TopicData { topic: topic.clone(), partitions: vec![*index] }),
        }
    }
}

impl Handler for ListTransactionsRequest {
    async fn handle(self, cx: &Cx) -> Handled<ListTransactionsResponse> {
        let mut response = ListTransactionsResponse::default();
        if let Err(code) = cx.check() {
            response.error_code = code;
            return Handled::Answer(response);
        }
        let (known, unknown): (Vec<String>, Vec<String>) =
            self.state_filters.into_iter().partition(|name| TransactionState::named(name).is_some());
        response.unknown_state_filters = unknown;
        let pattern = self.transactional_id_pattern.filter(|pattern| !pattern.is_empty());
        let pattern = pattern.map(|pattern| compile(&pattern));
        if matches!(pattern, Some(None)) {
            response.error_code = ErrorCode::INVALID_REGULAR_EXPRESSION;
            return Handled::Answer(response);
        }
        let pattern = pattern.flatten();
        let now_ms = cx.cluster.net.clock().unix_millis();
        let longer = u64::try_from(self.duration_filter).ok().map(Duration::from_millis);
        let state = cx.state();
        let all = state.transactions.iter().filter(|(id, one)| {
            let lasts = u64::try_from(now_ms - one.started_ms).map(Duration::from_millis).unwrap_or_default();
            state.check_transaction_coordinator(cx.broker, id).is_ok()
                && (known.is_empty() || known.iter().any(|name| name == one.state.name()))
                && (self.producer_id_filters.is_empty()
                    || self.producer_id_filters.contains(&one.producer.id))
                && pattern.as_ref().is_none_or(|pattern| pattern.is_match(id))
                && longer.is_none_or(|longer| one.state == TransactionState::Ongoing && lasts > longer)
        });
        response.transaction_states = all
            .map(|(id, one)| Listed {
                transactional_id: id.clone(),
                producer_id: one.producer.id,
                transaction_state: one.state.name().to_owned(),
            })
            .collect();
        Handled::Answer(response)
    }
}

impl Handler for DescribeProducersRequest {
    fn partitions(&self, _: &State, _: i32) -> Vec<(String, i32)> {
        let mut all = Vec::new();
        for topic in &self.topics {
            all.extend(topic.partition_indexes.iter().map(|index| (topic.name.clone(), *index)));
        }
        all
    }

    async fn handle(self, cx: &Cx) -> Handled<DescribeProducersResponse> {
        let topics = self.topics.into_iter().map(|topic| {
            let partitions = topic.partition_indexes.iter().map(|index| {
                let mut answer = PartitionResponse { partition_index: *index, ..Default::default() };
                answer.error_message = None;
                match active_producers(cx, &topic.name, *index) {
                    Ok(active) => answer.active_producers = active,
                    Err(code) => answer.error_code = code,
                }
                answer
            });
            TopicResponse { partitions: partitions.collect(), name: topic.name.clone() }
        });
        Handled::Answer(DescribeProducersResponse { topics: topics.collect(), ..Default::default() })
    }
}

fn active_producers(cx: &Cx, topic: &str, index: i32) -> Result<Vec<ProducerState>, ErrorCode> {
    cx.check_partition(topic, index)?;
    let mut state = cx.state();
    let log = &state.led(cx.broker, topic, index, -1)?.log;
    let mut active: Vec<ProducerState> = log
        .producers()
        .iter()
        .map(|(id, known)| ProducerState {
            producer_id: id,
            producer_epoch: known.epoch.into(),
            last_sequence: known.last_sequence(),
            last_timestamp: known.last_timestamp,
            coordinator_epoch: known.coordinator_epoch,
            current_txn_start_offset: known.open_since.unwrap_or(-1),
        })
        .collect();
    active.sort_unstable_by_key(|producer| producer.producer_id);
    Ok(active)
}

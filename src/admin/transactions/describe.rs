//! What coordinators know of transactions.

use std::time::Duration;

use super::TransactionState;
use crate::admin::{Admin, At, Call, Item, KafkaAdminClient, Results, Route, unanswered, verdict};
use crate::error::Result;
use crate::protocol::messages::describe_transactions::TransactionState as Described;
use crate::protocol::messages::{DescribeTransactionsRequest, DescribeTransactionsResponse};
use crate::types::TopicPartition;

/// The transaction of a transactional id.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionDescription {
    /// The id.
    pub transactional_id: String,
    /// The broker that coordinates it.
    pub coordinator_id: i32,
    /// How it fares.
    pub state: TransactionState,
    /// The producer id.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// After this time the coordinator aborts it.
    pub transaction_timeout: Duration,
    /// When it began, in milliseconds since 1970, while it is open.
    pub transaction_start_time: Option<i64>,
    /// The partitions that are part of it.
    pub topic_partitions: Vec<TopicPartition>,
}

impl KafkaAdminClient {
    /// Describes the transactions of transactional ids. Needs Kafka 3.0.
    ///
    /// # Errors
    /// For an id [`TRANSACTIONAL_ID_NOT_FOUND`](crate::ErrorCode::TRANSACTIONAL_ID_NOT_FOUND),
    /// [`ErrorKind::Authorization`](crate::ErrorKind::Authorization),
    /// [`ErrorKind::UnsupportedVersion`](crate::ErrorKind::UnsupportedVersion).
    pub fn describe_transactions(
        &self,
        transactional_ids: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Results<String, TransactionDescription>> {
        let ids: Vec<String> = transactional_ids.into_iter().map(Into::into).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.call(
            DESCRIBE,
            move |admin, call| async move { Ok(admin.describe_transactions(call, ids).await) },
        )
    }
}

impl Admin {
    pub(super) async fn describe_transactions(
        &self,
        call: Call,
        ids: Vec<String>,
    ) -> Results<String, TransactionDescription> {
        let items = ids.into_iter().map(|id| Item::new(Route::TransactionalId(id.clone()), id)).collect();
        let request = |_: &At, ids: &[&String]| {
            let transactional_ids = ids.iter().map(|id| (*id).clone()).collect();
            Ok(DescribeTransactionsRequest { transactional_ids })
        };
        let read = |at: &At, response: DescribeTransactionsResponse, ids: &[&String]| {
            let coordinator = at.broker().unwrap_or(-1);
            ids.iter().map(|id| described(&response, id, coordinator)).collect()
        };
        self.ask(call, items, request, read).await
    }
}

fn described(
    response: &DescribeTransactionsResponse,
    id: &str,
    coordinator_id: i32,
) -> Result<TransactionDescription> {
    let what = format!("{DESCRIBE} {id}");
    let answer: Option<&Described> =
        response.transaction_states.iter().find(|answer| answer.transactional_id == id);
    let answer = answer.ok_or_else(|| unanswered(&what))?;
    verdict(answer.error_code, None, &what)?;
    let mut topic_partitions = Vec::new();
    for topic in &answer.topics {
        let partitions = topic.partitions.iter();
        topic_partitions.extend(partitions.map(|index| TopicPartition::new(topic.topic.as_str(), *index)));
    }
    topic_partitions.sort_unstable();
    Ok(TransactionDescription {
        transactional_id: id.to_owned(),
        coordinator_id,
        state: TransactionState::from_word(&answer.transaction_state),
        producer_id: answer.producer_id,
        producer_epoch: answer.producer_epoch,
        transaction_timeout: Duration::from_millis(u64::try_from(answer.transaction_timeout_ms).unwrap_or(0)),
        transaction_start_time: Some(answer.transaction_start_time_ms).filter(|&time| time >= 0),
        topic_partitions,
    })
}

const DESCRIBE: &str = "describe transaction";

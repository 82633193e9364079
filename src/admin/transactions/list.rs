//! Which transactional ids there are.

use std::time::Duration;

use super::TransactionState;
use crate::admin::{Admin, At, Call, KafkaAdminClient, Results, verdict};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::messages::list_transactions::TransactionState as Listed;
use crate::protocol::messages::{ListTransactionsRequest, ListTransactionsResponse};

/// A transactional id, as its coordinator lists it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionListing {
    /// The id.
    pub transactional_id: String,
    /// The producer id that it has now.
    pub producer_id: i64,
    /// How its transaction fares.
    pub state: TransactionState,
}

/// Which transactions to list: all, unless something is said.
///
/// ```
/// use std::time::Duration;
/// use kavka::admin::{TransactionFilter, TransactionState};
///
/// let long = TransactionFilter::new()
///     .state(TransactionState::Ongoing)
///     .running_longer_than(Duration::from_secs(900));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionFilter {
    pub(super) states: Vec<TransactionState>,
    pub(super) producer_ids: Vec<i64>,
    pub(super) duration: Option<Duration>,
    pub(super) pattern: Option<String>,
    pub(super) brokers: Vec<i32>,
}

impl TransactionFilter {
    /// All transactions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Transactions in this state, or in one of several.
    #[must_use]
    pub fn state(mut self, state: TransactionState) -> Self {
        self.states.push(state);
        self
    }

    /// Transactions of this producer id, or of one of several.
    #[must_use]
    pub fn producer_id(mut self, id: i64) -> Self {
        self.producer_ids.push(id);
        self
    }

    /// Transactions that are open for longer than this (KIP-994). Needs Kafka 3.8.
    #[must_use]
    pub fn running_longer_than(mut self, duration: Duration) -> Self {
        self.duration = Some(duration);
        self
    }

    /// Transactional ids that this regular expression matches as a whole, in RE2's syntax (KIP-1152). Needs
    /// Kafka 4.1.
    #[must_use]
    pub fn transactional_id_pattern(mut self, pattern: impl Into<String>) -> Self {
        self.pattern = Some(pattern.into());
        self
    }

    /// Transactions that this broker coordinates, or one of several.
    #[must_use]
    pub fn broker(mut self, id: i32) -> Self {
        self.brokers.push(id);
        self
    }

    fn message(&self) -> ListTransactionsRequest {
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        ListTransactionsRequest {
            state_filters: self.states.iter().map(ToString::to_string).collect(),
            producer_id_filters: self.producer_ids.clone(),
            duration_filter: self.duration.map_or(-1, millis),
            transactional_id_pattern: self.pattern.clone().filter(|pattern| !pattern.is_empty()),
        }
    }
}

impl KafkaAdminClient {
    /// Lists the transactional ids of every broker; one that cannot be asked has an error in the place of its ids.
    /// Needs Kafka 3.0.
    ///
    /// # Errors
    /// For a broker [`ErrorKind::UnsupportedVersion`] when it is too old for the filter,
    /// [`ErrorKind::InvalidArgument`] for a state that it does not know,
    /// [`INVALID_REGULAR_EXPRESSION`](crate::ErrorCode::INVALID_REGULAR_EXPRESSION). A client sees the ids that it
    /// may describe.
    pub fn list_transactions(
        &self,
        filter: &TransactionFilter,
    ) -> Result<Results<i32, Vec<TransactionListing>>> {
        let filter = filter.clone();
        self.call(LIST, move |admin, call| async move { admin.list_transactions(call, &filter).await })
    }
}

impl Admin {
    pub(super) async fn list_transactions(
        &self,
        call: Call,
        filter: &TransactionFilter,
    ) -> Result<Results<i32, Vec<TransactionListing>>> {
        let items = self.each_broker(call, &filter.brokers).await?;
        let items = items.into_iter().map(|item| match filter {
            _ if filter.pattern.is_some() => item.needs(PATTERN_SINCE, "listing transactions by a pattern"),
            _ if filter.duration.is_some() => item.needs(DURATION_SINCE, "listing transactions by duration"),
            _ => item,
        });
        let read = |_: &At, response: ListTransactionsResponse, _: &[&i32]| vec![listed(response)];
        Ok(self.ask(call, items.collect(), |_, _| Ok(filter.message()), read).await)
    }
}

fn listed(response: ListTransactionsResponse) -> Result<Vec<TransactionListing>> {
    verdict(response.error_code, None, LIST)?;
    if !response.unknown_state_filters.is_empty() {
        let names = response.unknown_state_filters.join(", ");
        let text = format!("{LIST}: the broker knows no state {names}");
        return Err(Error::new(ErrorKind::InvalidArgument, text));
    }
    let listing = |one: Listed| TransactionListing {
        transactional_id: one.transactional_id,
        producer_id: one.producer_id,
        state: TransactionState::from_word(&one.transaction_state),
    };
    let mut all: Vec<TransactionListing> = response.transaction_states.into_iter().map(listing).collect();
    all.sort_by(|a, b| a.transactional_id.cmp(&b.transactional_id));
    Ok(all)
}

const LIST: &str = "list transactions";
/// The version of ListTransactions that knows durations (KIP-994).
const DURATION_SINCE: i16 = 1;
/// The version of ListTransactions that knows patterns (KIP-1152).
const PATTERN_SINCE: i16 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_the_broker_does_not_know_is_no_empty_list() {
        let response = ListTransactionsResponse {
            unknown_state_filters: vec!["Sleeping".to_owned()],
            ..Default::default()
        };
        let error = listed(response).expect_err("an unknown state");
        assert!(error.to_string().contains("Sleeping"), "{error}");
    }

    #[test]
    fn nothing_said_is_nothing_filtered() {
        let message = TransactionFilter::new().transactional_id_pattern("").message();
        assert_eq!((message.duration_filter, message.transactional_id_pattern), (-1, None));
    }
}

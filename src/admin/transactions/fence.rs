//! Taking a transactional id away from whoever uses it.

use crate::admin::{At, Item, KafkaAdminClient, Results, Route, unanswered, verdict};
use crate::error::Result;
use crate::protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};

/// What a transactional id has become; a producer with an older epoch is refused.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProducerIdAndEpoch {
    /// The producer id.
    pub producer_id: i64,
    /// The epoch.
    pub producer_epoch: i16,
}

impl KafkaAdminClient {
    /// Fences the producers that use transactional ids, and aborts their open transactions. Needs Kafka 0.11.
    ///
    /// ```no_run
    /// use kavka::KafkaAdminClient;
    ///
    /// let admin = KafkaAdminClient::builder().bootstrap_servers("localhost:9092").build()?;
    /// for (id, fenced) in admin.fence_producers(["billing-1"])? {
    ///     println!("{id} is at epoch {} now", fenced?.producer_epoch);
    /// }
    /// # Ok::<(), kavka::Error>(())
    /// ```
    ///
    /// # Errors
    /// For an id [`ErrorKind::Authorization`](crate::ErrorKind::Authorization),
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) while its transaction is being ended.
    pub fn fence_producers(
        &self,
        transactional_ids: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Results<String, ProducerIdAndEpoch>> {
        let ids: Vec<String> = transactional_ids.into_iter().map(Into::into).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.call(FENCE, move |admin, call| async move {
            let items = ids.into_iter().map(|id| Item::new(Route::TransactionalId(id.clone()), id)).collect();
            let request = |at: &At, ids: &[&String]| {
                Ok(InitProducerIdRequest {
                    transactional_id: ids.first().map(|id| (*id).clone()),
                    // How long the coordinator may take to note the new epoch down.
                    transaction_timeout_ms: at.timeout_ms().max(1),
                    ..Default::default()
                })
            };
            let read = |_: &At, response: InitProducerIdResponse, ids: &[&String]| {
                let what = ids.first().map_or_else(|| FENCE.to_owned(), |id| format!("{FENCE} of {id}"));
                vec![verdict(response.error_code, None, &what).map(|()| ProducerIdAndEpoch {
                    producer_id: response.producer_id,
                    producer_epoch: response.producer_epoch,
                })]
            };
            // Fenced twice is fenced. Each request is for one id, in every version.
            Ok(admin.ask(call.one_by_one_before(i16::MAX), items, request, read).await)
        })
    }

    /// Aborts the transaction of a transactional id whatever became of its producer, even one that an outside
    /// coordinator has prepared (KIP-939). Java's `forceTerminateTransaction`, and like it done by
    /// [`fence_producers`](Self::fence_producers).
    ///
    /// # Errors
    /// As [`fence_producers`](Self::fence_producers).
    pub fn force_terminate_transaction(&self, transactional_id: impl Into<String>) -> Result<()> {
        let results = self.fence_producers([transactional_id.into()])?;
        results.into_iter().next().map_or_else(|| Err(unanswered(FENCE)), |(_, result)| result.map(drop))
    }
}

const FENCE: &str = "fence the producer";

//! Forgetting nodes that are gone for ever.

use crate::admin::{At, KafkaAdminClient, Route, verdict};
use crate::error::Result;
use crate::protocol::messages::{
    UnregisterBrokerRequest, UnregisterBrokerResponse, UnregisterControllerRequest,
    UnregisterControllerResponse,
};

impl KafkaAdminClient {
    /// Has a KRaft cluster forget a broker that will not come back. Needs Kafka 2.8 with KRaft.
    ///
    /// A broker that runs registers again.
    ///
    /// # Errors
    /// [`BROKER_ID_NOT_REGISTERED`](crate::ErrorCode::BROKER_ID_NOT_REGISTERED),
    /// [`ErrorKind::Authorization`](crate::ErrorKind::Authorization),
    /// [`ErrorKind::UnsupportedVersion`](crate::ErrorKind::UnsupportedVersion); after
    /// [`ErrorKind::Connection`](crate::ErrorKind::Connection) it may have been done.
    pub fn unregister_broker(&self, broker_id: i32) -> Result<()> {
        self.call(BROKER, move |admin, call| async move {
            let judge = |answer: &UnregisterBrokerResponse| {
                verdict(answer.error_code, answer.error_message.as_deref(), BROKER)
            };
            let request = |_: &At| Ok(UnregisterBrokerRequest { broker_id });
            let asked = admin.ask_one(call.never_twice(), Route::Any, request, judge).await;
            asked.map(drop).map_err(|error| error.with_node(broker_id))
        })
    }

    /// Has a KRaft cluster forget a controller that will not come back. Needs Kafka 4.4.
    ///
    /// # Errors
    /// As [`unregister_broker`](Self::unregister_broker), with
    /// [`CONTROLLER_ID_NOT_REGISTERED`](crate::ErrorCode::CONTROLLER_ID_NOT_REGISTERED).
    pub fn unregister_controller(&self, controller_id: i32) -> Result<()> {
        self.call(CONTROLLER, move |admin, call| async move {
            let judge = |answer: &UnregisterControllerResponse| {
                verdict(answer.error_code, answer.error_message.as_deref(), CONTROLLER)
            };
            let request = |_: &At| Ok(UnregisterControllerRequest { controller_id });
            let asked = admin.ask_one(call.never_twice(), Route::Any, request, judge).await;
            asked.map(drop).map_err(|error| error.with_node(controller_id))
        })
    }
}

const BROKER: &str = "unregister the broker";
const CONTROLLER: &str = "unregister the controller";

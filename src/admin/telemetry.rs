//! Telemetry: which metrics the cluster wants from its clients (KIP-714).
//!
//! What is wanted is said by subscriptions, which are options of a
//! [`ConfigResource::client_metrics`](super::ConfigResource::client_metrics).
//!
//! ```no_run
//! use kavka::admin::{ConfigResource, ConfigResourceType};
//!
//! let admin = kavka::KafkaAdminClient::builder().bootstrap_servers("localhost:9092").build()?;
//! let latencies = ConfigResource::client_metrics("latencies")
//!     .set("metrics", "org.apache.kafka.producer.request.latency")
//!     .set("interval.ms", "30000");
//! for (_, result) in admin.alter_configs([latencies])? {
//!     result?;
//! }
//! println!("{:?}", admin.list_config_resources([ConfigResourceType::ClientMetrics])?);
//! println!("brokers know this client as {}", admin.client_instance_id()?);
//! # Ok::<(), kavka::Error>(())
//! ```

use super::{At, KafkaAdminClient, Route, verdict};
use crate::error::Result;
use crate::protocol::Uuid;
use crate::protocol::messages::{GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse};

impl KafkaAdminClient {
    /// The id by which brokers tell this client from others in its metrics (KIP-714): they choose it when they
    /// are first asked. Java's `clientInstanceId`. Needs Kafka 3.7, and a broker with a plug-in for telemetry.
    ///
    /// ```
    /// # let cluster = kavka::mock::MockCluster::start()?;
    /// # let admin = kavka::KafkaAdminClient::builder().bootstrap_servers(cluster.bootstrap_servers()).build()?;
    /// let id = admin.client_instance_id()?;
    /// assert_eq!(admin.client_instance_id()?, id, "it stays");
    /// # Ok::<(), kavka::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedVersion`](crate::ErrorKind::UnsupportedVersion) from a broker without such a
    /// plug-in, [`ErrorKind::Timeout`](crate::ErrorKind::Timeout).
    pub fn client_instance_id(&self) -> Result<Uuid> {
        self.call(ASK, |admin, call| async move {
            if let Some(id) = admin.instance_id.get() {
                return Ok(*id);
            }
            let request = |_: &At| Ok(GetTelemetrySubscriptionsRequest { client_instance_id: Uuid::ZERO });
            let judge = |answer: &GetTelemetrySubscriptionsResponse| verdict(answer.error_code, None, ASK);
            let answer = admin.ask_one(call, Route::Any, request, judge).await?;
            // Of two calls at the same time the first one's answer counts.
            Ok(*admin.instance_id.get_or_init(|| answer.client_instance_id))
        })
    }
}

const ASK: &str = "ask for the client instance id";

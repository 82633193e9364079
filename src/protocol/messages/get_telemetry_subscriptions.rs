//! GetTelemetrySubscriptions, key 71.

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// Asks which metrics the cluster wants from this client (KIP-714).
    request GetTelemetrySubscriptionsRequest(71, 0, flexible 0+) -> GetTelemetrySubscriptionsResponse {
        client_instance_id: Uuid,
    }

    /// The answer to [`GetTelemetrySubscriptionsRequest`].
    response GetTelemetrySubscriptionsResponse(71, 0, flexible 0+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        client_instance_id: Uuid,
        subscription_id: i32,
        accepted_compression_types: Vec<i8>,
        push_interval_ms: i32,
        telemetry_max_bytes: i32,
        delta_temporality: bool,
        requested_metrics: Vec<String>,
    }
}

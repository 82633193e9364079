//! GetTelemetrySubscriptions

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// TODO.
    request GetTelemetrySubscriptionsRequest(71, 0, flexible 0+) -> GetTelemetrySubscriptionsResponse {
        client_instance_id: Uuid,
    }

    /// TODO.
    response GetTelemetrySubscriptionsResponse(71, 0, flexible 0+) {
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

//! PushTelemetry

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// TODO.
    request PushTelemetryRequest(72, 0, flexible 0+) -> PushTelemetryResponse {
        client_instance_id: Uuid,
        subscription_id: i32,
        terminating: bool,
        compression_type: i8,
        metrics: Bytes,
    }

    /// TODO.
    response PushTelemetryResponse(72, 0, flexible 0+) {
        throttle_time_ms: i32,
        error_code: ErrorCode,
    }
}

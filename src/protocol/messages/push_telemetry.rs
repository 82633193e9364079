//! PushTelemetry, key 72.

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// Sends the client's metrics (KIP-714).
    request PushTelemetryRequest(72, 0, flexible 0+) -> PushTelemetryResponse {
        client_instance_id: Uuid,
        subscription_id: i32,
        terminating: bool,
        compression_type: i8,
        metrics: Bytes,
    }

    /// The answer to [`PushTelemetryRequest`].
    response PushTelemetryResponse(72, 0, flexible 0+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        error_code: ErrorCode,
    }
}

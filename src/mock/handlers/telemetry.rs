//! GetTelemetrySubscriptions: every client gets an id, and nobody wants its metrics (KIP-714).

use super::{Cx, Handled, Handler};
use crate::protocol::Uuid;
use crate::protocol::messages::{GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse};

impl Handler for GetTelemetrySubscriptionsRequest {
    async fn handle(self, cx: &Cx) -> Handled<GetTelemetrySubscriptionsResponse> {
        let known = Some(self.client_instance_id).filter(|id| !id.is_zero());
        Handled::Answer(GetTelemetrySubscriptionsResponse {
            error_code: cx.check().err().unwrap_or_default(),
            client_instance_id: known.unwrap_or_else(|| Uuid::random(cx.cluster.net.random_bytes())),
            push_interval_ms: FIVE_MINUTES,
            telemetry_max_bytes: 1 << 20,
            ..GetTelemetrySubscriptionsResponse::default()
        })
    }
}

/// Kafka's default.
const FIVE_MINUTES: i32 = 300_000;

//! InitProducerId, for producers without a transactional id.

use super::{Cx, Handled, Handler};
use crate::error_code::ErrorCode;
use crate::protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};

impl Handler for InitProducerIdRequest {
    async fn handle(self, cx: &Cx) -> Handled<InitProducerIdResponse> {
        let refused = |error_code| {
            Handled::Answer(InitProducerIdResponse { error_code, producer_epoch: -1, ..Default::default() })
        };
        if let Err(code) = cx.check() {
            return refused(code);
        }
        if self.transactional_id.is_some_and(|id| !id.is_empty()) {
            // Final, so that a producer says so at once instead of trying for ever.
            return refused(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
        }
        let mut state = cx.state();
        // Kafka gives a producer without a transactional id a new id each time.
        state.next_producer_id += 1;
        let producer_id = state.next_producer_id;
        Handled::Answer(InitProducerIdResponse { producer_id, producer_epoch: 0, ..Default::default() })
    }
}

//! AddOffsetsToTxn

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request AddOffsetsToTxnRequest(25, 0-4, flexible 3+) -> AddOffsetsToTxnResponse {
        transactional_id: String,
        producer_id: i64,
        producer_epoch: i16,
        group_id: String,
    }

    /// TODO.
    response AddOffsetsToTxnResponse(25, 0-4, flexible 3+) {
        throttle_time_ms: i32,
        error_code: ErrorCode,
    }
}

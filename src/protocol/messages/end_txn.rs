//! EndTxn

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request EndTxnRequest(26, 0-5, flexible 3+) -> EndTxnResponse {
        transactional_id: String,
        producer_id: i64,
        producer_epoch: i16,
        committed: bool,
    }

    /// TODO.
    response EndTxnResponse(26, 0-5, flexible 3+) {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        producer_id: i64 [5+, ignorable] = -1,
        producer_epoch: i16 [5+, ignorable] = -1,
    }
}

//! InitProducerId

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request InitProducerIdRequest(22, 0-5, unstable 6, flexible 2+) -> InitProducerIdResponse {
        transactional_id: Option<String> = empty,
        transaction_timeout_ms: i32,
        producer_id: i64 [3+] = -1,
        producer_epoch: i16 [3+] = -1,
        enable_2_pc: bool [6+],
        keep_prepared_txn: bool [6+],
    }

    /// TODO.
    response InitProducerIdResponse(22, 0-5, unstable 6, flexible 2+) {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        producer_id: i64 = -1,
        producer_epoch: i16,
        ongoing_txn_producer_id: i64 [6+] = -1,
        ongoing_txn_producer_epoch: i16 [6+] = -1,
    }
}

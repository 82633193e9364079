//! WriteTxnMarkers, key 27.

use crate::error_code::ErrorCode;

messages! {
    /// Writes the end of transactions into partitions. Coordinators send it, and admins that abort a
    /// hanging transaction (KIP-664).
    request WriteTxnMarkersRequest(27, 0-2, flexible 1+) -> WriteTxnMarkersResponse {
        markers: Vec<WritableTxnMarker>,
    }

    /// An item of [`WriteTxnMarkersRequest::markers`].
    struct WritableTxnMarker {
        /// The producer id; -1 for none.
        producer_id: i64,
        /// The producer's epoch; -1 for none.
        producer_epoch: i16,
        transaction_result: bool,
        topics: Vec<WritableTxnMarkerTopic>,
        coordinator_epoch: i32,
        transaction_version: i8 [2+, ignorable],
    }

    /// An item of [`WritableTxnMarker::topics`].
    struct WritableTxnMarkerTopic {
        name: String,
        partition_indexes: Vec<i32>,
    }

    /// The answer to [`WriteTxnMarkersRequest`].
    response WriteTxnMarkersResponse(27, 0-2, flexible 1+) {
        markers: Vec<WritableTxnMarkerResult>,
    }

    /// An item of [`WriteTxnMarkersResponse::markers`].
    struct WritableTxnMarkerResult {
        /// The producer id; -1 for none.
        producer_id: i64,
        topics: Vec<WritableTxnMarkerTopicResult>,
    }

    /// An item of [`WritableTxnMarkerResult::topics`].
    struct WritableTxnMarkerTopicResult {
        name: String,
        partitions: Vec<WritableTxnMarkerPartitionResult>,
    }

    /// An item of [`WritableTxnMarkerTopicResult::partitions`].
    struct WritableTxnMarkerPartitionResult {
        partition_index: i32,
        error_code: ErrorCode,
    }
}

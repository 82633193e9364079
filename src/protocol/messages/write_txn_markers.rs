//! WriteTxnMarkers

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request WriteTxnMarkersRequest(27, 0-2, flexible 1+) -> WriteTxnMarkersResponse {
        markers: Vec<WritableTxnMarker>,
    }

    /// A part.
    struct WritableTxnMarker {
        producer_id: i64,
        producer_epoch: i16,
        transaction_result: bool,
        topics: Vec<WritableTxnMarkerTopic>,
        coordinator_epoch: i32,
        transaction_version: i8 [2+, ignorable],
    }

    /// A part.
    struct WritableTxnMarkerTopic {
        name: String,
        partition_indexes: Vec<i32>,
    }

    /// TODO.
    response WriteTxnMarkersResponse(27, 0-2, flexible 1+) {
        markers: Vec<WritableTxnMarkerResult>,
    }

    /// A part.
    struct WritableTxnMarkerResult {
        producer_id: i64,
        topics: Vec<WritableTxnMarkerTopicResult>,
    }

    /// A part.
    struct WritableTxnMarkerTopicResult {
        name: String,
        partitions: Vec<WritableTxnMarkerPartitionResult>,
    }

    /// A part.
    struct WritableTxnMarkerPartitionResult {
        partition_index: i32,
        error_code: ErrorCode,
    }
}

//! Metadata

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// TODO.
    request MetadataRequest(3, 0-13, flexible 9+) -> MetadataResponse {
        topics: Option<Vec<MetadataRequestTopic>> [null 1+] = empty,
        allow_auto_topic_creation: bool [4+] = true,
        include_cluster_authorized_operations: bool [8-10],
        include_topic_authorized_operations: bool [8+],
    }

    /// A part.
    struct MetadataRequestTopic {
        topic_id: Uuid [10+, ignorable],
        name: Option<String> [null 10+] = empty,
    }

    /// TODO.
    response MetadataResponse(3, 0-13, flexible 9+) {
        throttle_time_ms: i32 [3+, ignorable],
        brokers: Vec<MetadataResponseBroker>,
        cluster_id: Option<String> [2+, ignorable],
        controller_id: i32 [1+, ignorable] = -1,
        topics: Vec<MetadataResponseTopic>,
        cluster_authorized_operations: i32 [8-10] = -2147483648,
        error_code: ErrorCode [13+, ignorable],
    }

    /// A part.
    struct MetadataResponseBroker {
        node_id: i32,
        host: String,
        port: i32,
        rack: Option<String> [1+, ignorable],
    }

    /// A part.
    struct MetadataResponseTopic {
        error_code: ErrorCode,
        name: Option<String> [null 12+] = empty,
        topic_id: Uuid [10+, ignorable],
        is_internal: bool [1+, ignorable],
        partitions: Vec<MetadataResponsePartition>,
        topic_authorized_operations: i32 [8+] = -2147483648,
    }

    /// A part.
    struct MetadataResponsePartition {
        error_code: ErrorCode,
        partition_index: i32,
        leader_id: i32,
        leader_epoch: i32 [7+, ignorable] = -1,
        replica_nodes: Vec<i32>,
        isr_nodes: Vec<i32>,
        offline_replicas: Vec<i32> [5+, ignorable],
    }
}

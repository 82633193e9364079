//! Metadata, key 3.

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// Asks for brokers, topics, partitions and their leaders.
    request MetadataRequest(3, 0-13, flexible 9+) -> MetadataResponse {
        /// The topics; null (in version 0: none) for all.
        topics: Option<Vec<MetadataRequestTopic>> [null 1+] = empty,
        allow_auto_topic_creation: bool [4+] = true,
        include_cluster_authorized_operations: bool [8-10],
        include_topic_authorized_operations: bool [8+],
    }

    /// An item of [`MetadataRequest::topics`].
    struct MetadataRequestTopic {
        topic_id: Uuid [10+, ignorable],
        name: Option<String> [null 10+] = empty,
    }

    /// The answer to [`MetadataRequest`].
    response MetadataResponse(3, 0-13, flexible 9+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32 [3+, ignorable],
        brokers: Vec<MetadataResponseBroker>,
        /// The id of the cluster.
        cluster_id: Option<String> [2+, ignorable],
        /// The id of the controller, or of a random broker on clusters with KRaft; -1 for unknown.
        controller_id: i32 [1+, ignorable] = -1,
        topics: Vec<MetadataResponseTopic>,
        /// What the client may do with the cluster, as a bit for each operation; `i32::MIN` when that was
        /// not asked for.
        cluster_authorized_operations: i32 [8-10] = -2147483648,
        error_code: ErrorCode [13+, ignorable],
    }

    /// An item of [`MetadataResponse::brokers`].
    struct MetadataResponseBroker {
        node_id: i32,
        host: String,
        port: i32,
        /// The rack, if the broker has one.
        rack: Option<String> [1+, ignorable],
    }

    /// An item of [`MetadataResponse::topics`].
    struct MetadataResponseTopic {
        error_code: ErrorCode,
        name: Option<String> [null 12+] = empty,
        topic_id: Uuid [10+, ignorable],
        /// Whether it is one of Kafka's own topics.
        is_internal: bool [1+, ignorable],
        partitions: Vec<MetadataResponsePartition>,
        /// What the client may do with the topic, as a bit for each operation; `i32::MIN` when that was not
        /// asked for.
        topic_authorized_operations: i32 [8+] = -2147483648,
    }

    /// An item of [`MetadataResponseTopic::partitions`].
    struct MetadataResponsePartition {
        error_code: ErrorCode,
        partition_index: i32,
        leader_id: i32,
        /// The epoch of the leader; -1 for unknown.
        leader_epoch: i32 [7+, ignorable] = -1,
        /// The ids of all brokers that have a replica.
        replica_nodes: Vec<i32>,
        /// The ids of the brokers that are in sync.
        isr_nodes: Vec<i32>,
        /// The ids of the brokers whose replicas are offline.
        offline_replicas: Vec<i32> [5+, ignorable],
    }
}

//! DescribeCluster, key 60.

use crate::error_code::ErrorCode;

messages! {
    /// Asks for the brokers or controllers of the cluster (KIP-700, KIP-919).
    request DescribeClusterRequest(60, 0-2, flexible 0+) -> DescribeClusterResponse {
        include_cluster_authorized_operations: bool,
        /// 1 for brokers, 2 for controllers.
        endpoint_type: i8 [1+] = 1,
        include_fenced_brokers: bool [2+],
    }

    /// The answer to [`DescribeClusterRequest`].
    response DescribeClusterResponse(60, 0-2, flexible 0+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String>,
        /// 1 for brokers, 2 for controllers.
        endpoint_type: i8 [1+] = 1,
        /// The id of the cluster.
        cluster_id: String,
        /// The id of the controller, or of a random broker on clusters with KRaft; -1 for unknown.
        controller_id: i32 = -1,
        brokers: Vec<DescribeClusterBroker>,
        /// What the client may do with the cluster, as a bit for each operation; `i32::MIN` when that was
        /// not asked for.
        cluster_authorized_operations: i32 = -2147483648,
    }

    /// An item of [`DescribeClusterResponse::brokers`].
    struct DescribeClusterBroker {
        broker_id: i32,
        host: String,
        port: i32,
        /// The rack, if the broker has one.
        rack: Option<String>,
        is_fenced: bool [2+],
    }
}

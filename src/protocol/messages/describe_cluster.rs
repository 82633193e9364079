//! DescribeCluster

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request DescribeClusterRequest(60, 0-2, flexible 0+) -> DescribeClusterResponse {
        include_cluster_authorized_operations: bool,
        endpoint_type: i8 [1+] = 1,
        include_fenced_brokers: bool [2+],
    }

    /// TODO.
    response DescribeClusterResponse(60, 0-2, flexible 0+) {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<String>,
        endpoint_type: i8 [1+] = 1,
        cluster_id: String,
        controller_id: i32 = -1,
        brokers: Vec<DescribeClusterBroker>,
        cluster_authorized_operations: i32 = -2147483648,
    }

    /// A part.
    struct DescribeClusterBroker {
        broker_id: i32,
        host: String,
        port: i32,
        rack: Option<String>,
        is_fenced: bool [2+],
    }
}

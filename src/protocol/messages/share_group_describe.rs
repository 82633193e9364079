//! ShareGroupDescribe

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// TODO.
    request ShareGroupDescribeRequest(77, 1, flexible 0+) -> ShareGroupDescribeResponse {
        group_ids: Vec<String>,
        include_authorized_operations: bool,
    }

    /// TODO.
    response ShareGroupDescribeResponse(77, 1, flexible 0+) {
        throttle_time_ms: i32,
        groups: Vec<DescribedGroup>,
    }

    /// A part.
    struct DescribedGroup {
        error_code: ErrorCode,
        error_message: Option<String>,
        group_id: String,
        group_state: String,
        group_epoch: i32,
        assignment_epoch: i32,
        assignor_name: String,
        members: Vec<Member>,
        authorized_operations: i32 = -2147483648,
    }

    /// A part.
    struct Member {
        member_id: String,
        rack_id: Option<String>,
        member_epoch: i32,
        client_id: String,
        client_host: String,
        subscribed_topic_names: Vec<String>,
        assignment: Assignment,
    }

    /// A part.
    struct Assignment {
        topic_partitions: Vec<TopicPartitions>,
    }

    /// A part.
    struct TopicPartitions {
        topic_id: Uuid,
        topic_name: String,
        partitions: Vec<i32>,
    }
}

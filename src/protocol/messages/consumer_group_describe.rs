//! ConsumerGroupDescribe

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// TODO.
    request ConsumerGroupDescribeRequest(69, 0-1, flexible 0+) -> ConsumerGroupDescribeResponse {
        group_ids: Vec<String>,
        include_authorized_operations: bool,
    }

    /// TODO.
    response ConsumerGroupDescribeResponse(69, 0-1, flexible 0+) {
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
        instance_id: Option<String>,
        rack_id: Option<String>,
        member_epoch: i32,
        client_id: String,
        client_host: String,
        subscribed_topic_names: Vec<String>,
        subscribed_topic_regex: Option<String>,
        assignment: Assignment,
        target_assignment: Assignment,
        member_type: i8 [1+, ignorable] = -1,
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

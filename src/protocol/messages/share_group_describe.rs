//! ShareGroupDescribe, key 77.

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// Asks for the state of share groups (KIP-932).
    request ShareGroupDescribeRequest(77, 1, flexible 0+) -> ShareGroupDescribeResponse {
        group_ids: Vec<String>,
        include_authorized_operations: bool,
    }

    /// The answer to [`ShareGroupDescribeRequest`].
    response ShareGroupDescribeResponse(77, 1, flexible 0+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        groups: Vec<DescribedGroup>,
    }

    /// An item of [`ShareGroupDescribeResponse::groups`].
    struct DescribedGroup {
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String>,
        group_id: String,
        group_state: String,
        group_epoch: i32,
        assignment_epoch: i32,
        assignor_name: String,
        members: Vec<Member>,
        /// What the client may do with it, as a bit for each operation; `i32::MIN` when that was not asked
        /// for.
        authorized_operations: i32 = -2147483648,
    }

    /// An item of [`DescribedGroup::members`].
    struct Member {
        /// The member id.
        member_id: String,
        /// The rack of the client; empty or null for none.
        rack_id: Option<String>,
        member_epoch: i32,
        client_id: String,
        /// The address that the client came from.
        client_host: String,
        subscribed_topic_names: Vec<String>,
        assignment: Assignment,
    }

    /// What [`Member::assignment`] holds.
    struct Assignment {
        topic_partitions: Vec<TopicPartitions>,
    }

    /// An item of [`Assignment::topic_partitions`].
    struct TopicPartitions {
        topic_id: Uuid,
        topic_name: String,
        partitions: Vec<i32>,
    }
}

//! What consumers of classic groups tell each other.

use bytes::Bytes;

messages! {
    /// TODO.
    data ConsumerProtocolSubscription(0-3) {
        topics: Vec<String>,
        user_data: Option<Bytes>,
        owned_partitions: Vec<ConsumerProtocolSubscriptionTopicPartition> [1+, ignorable],
        generation_id: i32 [2+, ignorable] = -1,
        rack_id: Option<String> [3+, ignorable],
    }

    /// A part.
    struct ConsumerProtocolSubscriptionTopicPartition {
        topic: String,
        partitions: Vec<i32>,
    }

    /// TODO.
    data ConsumerProtocolAssignment(0-3) {
        assigned_partitions: Vec<ConsumerProtocolAssignmentTopicPartition>,
        user_data: Option<Bytes>,
    }

    /// A part.
    struct ConsumerProtocolAssignmentTopicPartition {
        topic: String,
        partitions: Vec<i32>,
    }
}

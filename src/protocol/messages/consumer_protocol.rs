//! What consumers of classic groups tell each other.

use bytes::Bytes;

messages! {
    /// What a consumer tells the leader of its classic group: what it wants, and what it has.
    data ConsumerProtocolSubscription(0-3) {
        topics: Vec<String>,
        /// Bytes of the assignor.
        user_data: Option<Bytes>,
        owned_partitions: Vec<ConsumerProtocolSubscriptionTopicPartition> [1+, ignorable],
        /// The generation that the member belongs to.
        generation_id: i32 [2+, ignorable] = -1,
        /// The rack of the client; empty or null for none.
        rack_id: Option<String> [3+, ignorable],
    }

    /// An item of [`ConsumerProtocolSubscription::owned_partitions`].
    struct ConsumerProtocolSubscriptionTopicPartition {
        topic: String,
        partitions: Vec<i32>,
    }

    /// What the leader of a classic group tells a consumer: the partitions that it gets.
    data ConsumerProtocolAssignment(0-3) {
        assigned_partitions: Vec<ConsumerProtocolAssignmentTopicPartition>,
        /// Bytes of the assignor.
        user_data: Option<Bytes>,
    }

    /// An item of [`ConsumerProtocolAssignment::assigned_partitions`].
    struct ConsumerProtocolAssignmentTopicPartition {
        topic: String,
        partitions: Vec<i32>,
    }
}

//! What a group is, and how it fares.

use crate::admin::words::word_enum;

word_enum! {
    /// The protocol that a group's members speak. Brokers before 3.8 do not tell.
    GroupType {
        /// JoinGroup and SyncGroup: consumers' old protocol, Kafka Connect, schema registries and others.
        Classic = "classic",
        /// Consumers' new protocol (KIP-848).
        Consumer = "consumer",
        /// Share consumers (KIP-932).
        Share = "share",
        /// Kafka Streams (KIP-1071).
        Streams = "streams",
    }

    /// How a group fares.
    GroupState {
        /// Members are joining (classic).
        PreparingRebalance = "PreparingRebalance",
        /// The leader works out the assignment (classic).
        CompletingRebalance = "CompletingRebalance",
        /// All members have their assignment.
        Stable = "Stable",
        /// It is gone, or was never there.
        Dead = "Dead",
        /// It has no members, but perhaps offsets.
        Empty = "Empty",
        /// The coordinator works out an assignment (consumer and streams).
        Assigning = "Assigning",
        /// Members move to a new assignment (consumer and streams).
        Reconciling = "Reconciling",
        /// Topics that the topology needs are missing (streams).
        NotReady = "NotReady",
    }
}

//! What a consumer is doing, and why nothing is coming: what [`KafkaConsumer::status`](super::KafkaConsumer::status)
//! returns.

mod gather;
mod words;

pub(super) use gather::Fetched;

use std::time::Duration;

use crate::config::GroupProtocol;
use crate::error::Error;
use crate::types::TopicPartition;

/// Where a consumer stands. Its text says the same in words, a line for the cluster, the group and each partition.
///
/// The times are those that have passed until the call.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConsumerStatus {
    /// The client's id.
    pub client_id: String,
    /// The cluster's id, as far as it is known.
    pub cluster_id: Option<String>,
    /// How old the newest metadata is; `None` before there is any.
    pub metadata_age: Option<Duration>,
    /// Why the last look at the cluster failed, if it did.
    pub metadata_error: Option<Error>,
    /// The consumer as a member of its group; `None` without a group id.
    pub group: Option<GroupStatus>,
    /// The assigned partitions, sorted.
    pub partitions: Vec<PartitionStatus>,
    /// Why there are no partitions; `None` when there are.
    pub blocked: Option<Blocked>,
}

impl ConsumerStatus {
    /// The first reason why nothing comes that is not [normal](Blocked::is_normal), and its partition, if it has
    /// one.
    pub fn trouble(&self) -> Option<(Option<&TopicPartition>, &Blocked)> {
        let whole = self.blocked.as_ref().map(|blocked| (None, blocked));
        let each = self.partitions.iter();
        let each = each.filter_map(|one| Some((Some(&one.partition), one.blocked.as_ref()?)));
        whole.into_iter().chain(each).find(|(_, blocked)| !blocked.is_normal())
    }
}

/// Where a consumer stands in its group.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GroupStatus {
    /// The group.
    pub group_id: String,
    /// The protocol that is spoken.
    pub protocol: GroupProtocol,
    /// What the member is doing.
    pub state: MemberState,
    /// How long the join or the rebalance has been under way, if one is.
    pub rebalancing_for: Option<Duration>,
    /// The member's id; empty outside of the group.
    pub member_id: String,
    /// The id of a static member (KIP-345).
    pub group_instance_id: Option<String>,
    /// The generation, in the new protocol the member's epoch; -1 outside of the group.
    pub generation: i32,
    /// The node id of the coordinator, if it is known at the moment.
    pub coordinator: Option<i32>,
    /// Why the coordinator cannot be reached, if that has failed and not succeeded since.
    pub coordinator_error: Option<Error>,
    /// How long ago the last heartbeat was answered; `None` before the first.
    pub last_heartbeat: Option<Duration>,
}

/// What a member of a group is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MemberState {
    /// Not a member: nothing is subscribed, or no poll has come yet.
    Unjoined,
    /// It waits for the group to let it in, or for a rebalance to end.
    Joining,
    /// The group is rebalancing, and the program has to call `poll()` for its part of it.
    RebalanceWaitsForPoll,
    /// It is a member.
    Stable,
    /// It was one, and is out; the next `poll()` joins again.
    Lost,
    /// Another member has taken the static id, so it does not join again.
    Fenced,
}

/// Where a consumer stands in a partition.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PartitionStatus {
    /// The partition.
    pub partition: TopicPartition,
    /// The leader's node id, unless there is none now.
    pub leader: Option<i32>,
    /// The node that is fetched from: the leader, or a nearer replica (KIP-392).
    pub fetched_from: Option<i32>,
    /// The offset of the next record for the program, once it is known.
    pub position: Option<i64>,
    /// How many offsets there are from the position to the end of what can be read, as the last fetch told.
    pub lag: Option<i64>,
    /// The offset of the oldest record, as the last fetch told.
    pub log_start_offset: Option<i64>,
    /// The offset behind the newest record that all in-sync replicas have, as the last fetch told.
    pub high_watermark: Option<i64>,
    /// The offset of the first record whose transaction is still open, or else the high watermark, as the last
    /// fetch told. It is the end for `read_committed`.
    pub last_stable_offset: Option<i64>,
    /// How many fetched pieces wait for the program.
    pub buffered: usize,
    /// How long ago a broker last answered a fetch of this partition; `None` before the first answer at this
    /// position.
    pub last_fetch: Option<Duration>,
    /// Why nothing is coming; `None` while records are on their way.
    pub blocked: Option<Blocked>,
}

/// Why nothing is coming, of a partition or of the consumer as a whole.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Blocked {
    /// Neither `subscribe()` nor `assign()` was called.
    NothingSelected,
    /// No broker has told of the cluster yet. The error of the last attempt, if one has failed.
    NoCluster {
        /// Why.
        error: Option<Error>,
    },
    /// There are no partitions yet: the group has to give some, see [`GroupStatus::state`], or the next `poll()`
    /// has to take them.
    NotAssigned,
    /// The group has given this member no partitions: it has more members than partitions.
    NoPartitions,
    /// Paused by the program.
    Paused,
    /// Records were fetched and wait for the next `poll()`.
    WaitingForProgram,
    /// The position is being looked up: what the group has committed, or by `auto_offset_reset`.
    AwaitingPosition,
    /// There is no position, and `auto_offset_reset` is `none`, or the topic was created anew: the program has
    /// to seek.
    NoPosition,
    /// The topic or the partition does not exist, as far as the cluster knows.
    UnknownTopic {
        /// Since when, if it was there before.
        lasting: Option<Duration>,
    },
    /// The topic may not be read, or the group not be joined.
    Unauthorized {
        /// What the broker said.
        error: Error,
    },
    /// The partition has no leader: its replicas are down, or an election is under way.
    NoLeader,
    /// There is no connection to the node that is to be fetched from.
    Unreachable {
        /// The node.
        node: i32,
        /// What became of the last attempt, if one has failed.
        error: Option<Error>,
    },
    /// The node takes requests and does not answer in time.
    NoAnswer {
        /// The node.
        node: i32,
        /// For how long the fetch has been under way.
        lasting: Duration,
    },
    /// The node has asked to be left alone for a while, because of a quota.
    Throttled {
        /// The node.
        node: i32,
        /// For how long still.
        left: Duration,
    },
    /// The broker answers fetches with an error. They go on, unless only the program can mend it, by a seek.
    Refused {
        /// The error.
        error: Error,
        /// Since when.
        lasting: Duration,
    },
    /// After a change of the leader, whether the position is still in its log is being looked up (KIP-320).
    Validating,
    /// What was fetched of other partitions and not read yet is all that `buffer_memory` allows.
    BufferFull {
        /// The bytes that wait for the program.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// With `read_committed`: a transaction is open, and nothing from its first record on can be read before it
    /// ends. Its producer may be dead: the transaction ends with its timeout, or by
    /// [`force_terminate_transaction`](crate::KafkaAdminClient::force_terminate_transaction) of the admin client, whose
    /// [`describe_producers`](crate::KafkaAdminClient::describe_producers) tells the producer.
    Held {
        /// The first record of the transaction.
        last_stable_offset: i64,
        /// The end of the log.
        high_watermark: i64,
        /// For how long, as far as this consumer has seen it.
        lasting: Duration,
    },
    /// All that there is has been read.
    AtEnd,
}

impl Blocked {
    /// Whether nothing is wrong: the partition is paused or read up to its end, or it is the program's turn.
    pub fn is_normal(&self) -> bool {
        matches!(self, Self::Paused | Self::WaitingForProgram | Self::AtEnd)
    }
}

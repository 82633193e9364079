//! The controllers of a KRaft cluster: who votes, who leads, who lags behind (KIP-595, KIP-853).
//!
//! The mock cluster has no controllers, so this runs on a real one:
//!
//! ```no_run
//! let admin = kavka::KafkaAdminClient::builder().bootstrap_servers("localhost:9092").build()?;
//! let quorum = admin.describe_metadata_quorum()?;
//! println!("controller {} leads; {} vote", quorum.leader_id, quorum.voters.len());
//! # Ok::<(), kavka::Error>(())
//! ```

use std::collections::BTreeMap;

use super::{At, KafkaAdminClient, Route, unanswered, verdict};
use crate::error::Result;
use crate::protocol::Uuid;
use crate::protocol::messages::add_raft_voter::Listener;
use crate::protocol::messages::describe_quorum::{
    DescribeQuorumRequestPartitionData, DescribeQuorumRequestTopicData, DescribeQuorumResponsePartitionData,
    ReplicaState,
};
use crate::protocol::messages::{
    AddRaftVoterRequest, AddRaftVoterResponse, DescribeQuorumRequest, DescribeQuorumResponse,
    RemoveRaftVoterRequest, RemoveRaftVoterResponse,
};

/// The quorum that keeps the cluster's metadata.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumInfo {
    /// The active controller.
    pub leader_id: i32,
    /// Grows with every election.
    pub leader_epoch: i32,
    /// The offset of the metadata log up to which a majority has it.
    pub high_watermark: i64,
    /// The controllers that vote, by their ids.
    pub voters: Vec<QuorumReplica>,
    /// The nodes that follow without a vote, by their ids: brokers, and controllers that are not added yet.
    pub observers: Vec<QuorumReplica>,
    /// Where the voters are; empty from brokers before 3.9.
    pub nodes: BTreeMap<i32, Vec<QuorumEndpoint>>,
}

/// A node with a copy of the metadata log.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumReplica {
    /// The node.
    pub replica_id: i32,
    /// The id of its metadata directory (KIP-853); `None` from brokers before 3.9.
    pub directory_id: Option<Uuid>,
    /// The end of its copy.
    pub log_end_offset: i64,
    /// When the leader last heard from it, in milliseconds since 1970, if it did.
    pub last_fetch_timestamp: Option<i64>,
    /// When it last had everything, in milliseconds since 1970, if it did.
    pub last_caught_up_timestamp: Option<i64>,
}

/// Where a voter is reached. Java's `RaftVoterEndpoint`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QuorumEndpoint {
    /// The name of the listener, such as `CONTROLLER`.
    pub listener: String,
    /// The host name or address.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl QuorumEndpoint {
    /// A listener and its address.
    pub fn new(listener: impl Into<String>, host: impl Into<String>, port: u16) -> Self {
        Self { listener: listener.into(), host: host.into(), port }
    }
}

impl KafkaAdminClient {
    /// Describes the quorum of controllers (KIP-595). Needs Kafka 3.3 with KRaft.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout), [`ErrorKind::Authorization`](crate::ErrorKind),
    /// [`ErrorKind::UnsupportedVersion`](crate::ErrorKind::UnsupportedVersion) on a cluster with ZooKeeper.
    pub fn describe_metadata_quorum(&self) -> Result<QuorumInfo> {
        self.call(DESCRIBE, |admin, call| async move {
            let partition = DescribeQuorumRequestPartitionData { partition_index: 0 };
            let topic = DescribeQuorumRequestTopicData {
                topic_name: METADATA_TOPIC.to_owned(),
                partitions: vec![partition],
            };
            let request = |_: &At| Ok(DescribeQuorumRequest { topics: vec![topic.clone()] });
            let judge = |response: &DescribeQuorumResponse| {
                verdict(response.error_code, response.error_message.as_deref(), DESCRIBE)?;
                let log = log_of(response)?;
                verdict(log.error_code, log.error_message.as_deref(), DESCRIBE)
            };
            let response = admin.ask_one(call, Route::Any, request, judge).await?;
            let log = log_of(&response)?;
            let endpoint = |listener: &crate::protocol::messages::describe_quorum::Listener| {
                QuorumEndpoint::new(&listener.name, &listener.host, listener.port)
            };
            let nodes = response.nodes.iter();
            Ok(QuorumInfo {
                leader_id: log.leader_id,
                leader_epoch: log.leader_epoch,
                high_watermark: log.high_watermark,
                voters: replicas(&log.current_voters),
                observers: replicas(&log.observers),
                nodes: nodes
                    .map(|node| (node.node_id, node.listeners.iter().map(endpoint).collect()))
                    .collect(),
            })
        })
    }

    /// Gives a controller a vote (KIP-853): the node with this id and metadata directory, reached at these
    /// addresses. Needs Kafka 3.9 and a quorum that is not set up with `controller.quorum.voters`.
    ///
    /// # Errors
    /// [`DUPLICATE_VOTER`](crate::ErrorCode::DUPLICATE_VOTER),
    /// [`ErrorKind::UnsupportedVersion`](crate::ErrorKind::UnsupportedVersion),
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout), [`ErrorKind::Authorization`](crate::ErrorKind); after
    /// [`ErrorKind::Connection`](crate::ErrorKind::Connection) it may have been done.
    pub fn add_raft_voter(
        &self,
        voter_id: i32,
        directory_id: Uuid,
        endpoints: impl IntoIterator<Item = QuorumEndpoint>,
    ) -> Result<()> {
        let listener = |endpoint: QuorumEndpoint| Listener {
            name: endpoint.listener,
            host: endpoint.host,
            port: endpoint.port,
        };
        let listeners: Vec<Listener> = endpoints.into_iter().map(listener).collect();
        self.call(ADD, move |admin, call| async move {
            let cluster_id = admin.cluster.snapshot().cluster_id().map(str::to_owned);
            let request = |at: &At| {
                Ok(AddRaftVoterRequest {
                    cluster_id: cluster_id.clone(),
                    timeout_ms: at.timeout_ms(),
                    voter_id,
                    voter_directory_id: directory_id,
                    listeners: listeners.clone(),
                    ack_when_committed: true,
                })
            };
            let judge = |answer: &AddRaftVoterResponse| {
                verdict(answer.error_code, answer.error_message.as_deref(), ADD)
            };
            let asked = admin.ask_one(call.never_twice(), Route::Any, request, judge).await;
            asked.map(drop).map_err(|error| error.with_node(voter_id))
        })
    }

    /// Takes the vote of a controller away (KIP-853). Needs what [`add_raft_voter`](Self::add_raft_voter) needs.
    ///
    /// # Errors
    /// As [`add_raft_voter`](Self::add_raft_voter), with
    /// [`VOTER_NOT_FOUND`](crate::ErrorCode::VOTER_NOT_FOUND).
    pub fn remove_raft_voter(&self, voter_id: i32, directory_id: Uuid) -> Result<()> {
        self.call(REMOVE, move |admin, call| async move {
            let cluster_id = admin.cluster.snapshot().cluster_id().map(str::to_owned);
            let request = |_: &At| {
                Ok(RemoveRaftVoterRequest {
                    cluster_id: cluster_id.clone(),
                    voter_id,
                    voter_directory_id: directory_id,
                })
            };
            let judge = |answer: &RemoveRaftVoterResponse| {
                verdict(answer.error_code, answer.error_message.as_deref(), REMOVE)
            };
            let asked = admin.ask_one(call.never_twice(), Route::Any, request, judge).await;
            asked.map(drop).map_err(|error| error.with_node(voter_id))
        })
    }
}

fn log_of(response: &DescribeQuorumResponse) -> Result<&DescribeQuorumResponsePartitionData> {
    let topic = response.topics.iter().find(|topic| topic.topic_name == METADATA_TOPIC);
    let partition = topic.and_then(|topic| topic.partitions.first());
    partition.ok_or_else(|| unanswered(DESCRIBE))
}

fn replicas(states: &[ReplicaState]) -> Vec<QuorumReplica> {
    let some_time = |time: i64| Some(time).filter(|&time| time >= 0);
    let replica = |state: &ReplicaState| QuorumReplica {
        replica_id: state.replica_id,
        directory_id: Some(state.replica_directory_id).filter(|id| !id.is_zero()),
        log_end_offset: state.log_end_offset,
        last_fetch_timestamp: some_time(state.last_fetch_timestamp),
        last_caught_up_timestamp: some_time(state.last_caught_up_timestamp),
    };
    let mut replicas: Vec<QuorumReplica> = states.iter().map(replica).collect();
    replicas.sort_unstable_by_key(|replica| (replica.replica_id, replica.directory_id));
    replicas
}

/// The log of the cluster's metadata.
const METADATA_TOPIC: &str = "__cluster_metadata";
const DESCRIBE: &str = "describe the metadata quorum";
const ADD: &str = "add the voter";
const REMOVE: &str = "remove the voter";

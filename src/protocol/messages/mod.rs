//! The messages, one file an API.
//!
//! The tables state Kafka's facts: names, types, versions, tags and defaults. `tests/schemas.rs` compares them
//! with the schemas that Kafka ships.
#![allow(missing_docs, reason = "most fields say all by their names, which are Kafka's")]

pub mod add_offsets_to_txn;
pub mod add_partitions_to_txn;
pub mod add_raft_voter;
pub mod alter_client_quotas;
pub mod alter_configs;
pub mod alter_partition_reassignments;
pub mod alter_replica_log_dirs;
pub mod alter_share_group_offsets;
pub mod alter_user_scram_credentials;
pub mod api_versions;
pub mod consumer_group_describe;
pub mod consumer_group_heartbeat;
pub mod consumer_protocol;
pub mod control_record;
pub mod create_acls;
pub mod create_delegation_token;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_acls;
pub mod delete_groups;
pub mod delete_records;
pub mod delete_share_group_offsets;
pub mod delete_topics;
pub mod describe_acls;
pub mod describe_client_quotas;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_delegation_token;
pub mod describe_groups;
pub mod describe_log_dirs;
pub mod describe_producers;
pub mod describe_quorum;
pub mod describe_share_group_offsets;
pub mod describe_topic_partitions;
pub mod describe_transactions;
pub mod describe_user_scram_credentials;
pub mod elect_leaders;
pub mod end_txn;
pub mod expire_delegation_token;
pub mod fetch;
pub mod find_coordinator;
pub mod get_telemetry_subscriptions;
pub mod heartbeat;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod join_group;
pub mod leave_group;
pub mod list_config_resources;
pub mod list_groups;
pub mod list_offsets;
pub mod list_partition_reassignments;
pub mod list_transactions;
pub mod metadata;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod produce;
pub mod push_telemetry;
pub mod remove_raft_voter;
pub mod renew_delegation_token;
pub mod sasl_authenticate;
pub mod sasl_handshake;
pub mod share_acknowledge;
pub mod share_fetch;
pub mod share_group_describe;
pub mod share_group_heartbeat;
pub mod streams_group_describe;
pub mod streams_group_heartbeat;
pub mod streams_group_topology_description_update;
pub mod sync_group;
pub mod txn_offset_commit;
pub mod unregister_broker;
pub mod unregister_controller;
pub mod update_features;
pub mod write_txn_markers;

pub use add_offsets_to_txn::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};
pub use add_partitions_to_txn::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse};
pub use add_raft_voter::{AddRaftVoterRequest, AddRaftVoterResponse};
pub use alter_client_quotas::{AlterClientQuotasRequest, AlterClientQuotasResponse};
pub use alter_configs::{AlterConfigsRequest, AlterConfigsResponse};
pub use alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
};
pub use alter_replica_log_dirs::{AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse};
pub use alter_share_group_offsets::{AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse};
pub use alter_user_scram_credentials::{AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse};
pub use api_versions::{ApiVersionsRequest, ApiVersionsResponse};
pub use consumer_group_describe::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse};
pub use consumer_group_heartbeat::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
pub use consumer_protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription};
pub use control_record::{ControlRecordTypeSchema, EndTxnMarker};
pub use create_acls::{CreateAclsRequest, CreateAclsResponse};
pub use create_delegation_token::{CreateDelegationTokenRequest, CreateDelegationTokenResponse};
pub use create_partitions::{CreatePartitionsRequest, CreatePartitionsResponse};
pub use create_topics::{CreateTopicsRequest, CreateTopicsResponse};
pub use delete_acls::{DeleteAclsRequest, DeleteAclsResponse};
pub use delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
pub use delete_records::{DeleteRecordsRequest, DeleteRecordsResponse};
pub use delete_share_group_offsets::{DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsResponse};
pub use delete_topics::{DeleteTopicsRequest, DeleteTopicsResponse};
pub use describe_acls::{DescribeAclsRequest, DescribeAclsResponse};
pub use describe_client_quotas::{DescribeClientQuotasRequest, DescribeClientQuotasResponse};
pub use describe_cluster::{DescribeClusterRequest, DescribeClusterResponse};
pub use describe_configs::{DescribeConfigsRequest, DescribeConfigsResponse};
pub use describe_delegation_token::{DescribeDelegationTokenRequest, DescribeDelegationTokenResponse};
pub use describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
pub use describe_log_dirs::{DescribeLogDirsRequest, DescribeLogDirsResponse};
pub use describe_producers::{DescribeProducersRequest, DescribeProducersResponse};
pub use describe_quorum::{DescribeQuorumRequest, DescribeQuorumResponse};
pub use describe_share_group_offsets::{DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsResponse};
pub use describe_topic_partitions::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};
pub use describe_transactions::{DescribeTransactionsRequest, DescribeTransactionsResponse};
pub use describe_user_scram_credentials::{
    DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse,
};
pub use elect_leaders::{ElectLeadersRequest, ElectLeadersResponse};
pub use end_txn::{EndTxnRequest, EndTxnResponse};
pub use expire_delegation_token::{ExpireDelegationTokenRequest, ExpireDelegationTokenResponse};
pub use fetch::{FetchRequest, FetchResponse};
pub use find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
pub use get_telemetry_subscriptions::{GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse};
pub use heartbeat::{HeartbeatRequest, HeartbeatResponse};
pub use incremental_alter_configs::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};
pub use init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
pub use join_group::{JoinGroupRequest, JoinGroupResponse};
pub use leave_group::{LeaveGroupRequest, LeaveGroupResponse};
pub use list_config_resources::{ListConfigResourcesRequest, ListConfigResourcesResponse};
pub use list_groups::{ListGroupsRequest, ListGroupsResponse};
pub use list_offsets::{ListOffsetsRequest, ListOffsetsResponse};
pub use list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};
pub use list_transactions::{ListTransactionsRequest, ListTransactionsResponse};
pub use metadata::{MetadataRequest, MetadataResponse};
pub use offset_commit::{OffsetCommitRequest, OffsetCommitResponse};
pub use offset_delete::{OffsetDeleteRequest, OffsetDeleteResponse};
pub use offset_fetch::{OffsetFetchRequest, OffsetFetchResponse};
pub use offset_for_leader_epoch::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
pub use produce::{ProduceRequest, ProduceResponse};
pub use push_telemetry::{PushTelemetryRequest, PushTelemetryResponse};
pub use remove_raft_voter::{RemoveRaftVoterRequest, RemoveRaftVoterResponse};
pub use renew_delegation_token::{RenewDelegationTokenRequest, RenewDelegationTokenResponse};
pub use sasl_authenticate::{SaslAuthenticateRequest, SaslAuthenticateResponse};
pub use sasl_handshake::{SaslHandshakeRequest, SaslHandshakeResponse};
pub use share_acknowledge::{ShareAcknowledgeRequest, ShareAcknowledgeResponse};
pub use share_fetch::{ShareFetchRequest, ShareFetchResponse};
pub use share_group_describe::{ShareGroupDescribeRequest, ShareGroupDescribeResponse};
pub use share_group_heartbeat::{ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse};
pub use streams_group_describe::{StreamsGroupDescribeRequest, StreamsGroupDescribeResponse};
pub use streams_group_heartbeat::{StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse};
pub use streams_group_topology_description_update::{
    StreamsGroupTopologyDescriptionUpdateRequest, StreamsGroupTopologyDescriptionUpdateResponse,
};
pub use sync_group::{SyncGroupRequest, SyncGroupResponse};
pub use txn_offset_commit::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};
pub use unregister_broker::{UnregisterBrokerRequest, UnregisterBrokerResponse};
pub use unregister_controller::{UnregisterControllerRequest, UnregisterControllerResponse};
pub use update_features::{UpdateFeaturesRequest, UpdateFeaturesResponse};
pub use write_txn_markers::{WriteTxnMarkersRequest, WriteTxnMarkersResponse};

use super::schema::Schema;

/// Calls a macro with all messages.
macro_rules! with_all_messages {
    ($callback:ident) => {
        $callback! {
            ProduceRequest, ProduceResponse;
            FetchRequest, FetchResponse;
            ListOffsetsRequest, ListOffsetsResponse;
            MetadataRequest, MetadataResponse;
            OffsetCommitRequest, OffsetCommitResponse;
            OffsetFetchRequest, OffsetFetchResponse;
            FindCoordinatorRequest, FindCoordinatorResponse;
            JoinGroupRequest, JoinGroupResponse;
            HeartbeatRequest, HeartbeatResponse;
            LeaveGroupRequest, LeaveGroupResponse;
            SyncGroupRequest, SyncGroupResponse;
            DescribeGroupsRequest, DescribeGroupsResponse;
            ListGroupsRequest, ListGroupsResponse;
            SaslHandshakeRequest, SaslHandshakeResponse;
            ApiVersionsRequest, ApiVersionsResponse;
            CreateTopicsRequest, CreateTopicsResponse;
            DeleteTopicsRequest, DeleteTopicsResponse;
            DeleteRecordsRequest, DeleteRecordsResponse;
            InitProducerIdRequest, InitProducerIdResponse;
            OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse;
            AddPartitionsToTxnRequest, AddPartitionsToTxnResponse;
            AddOffsetsToTxnRequest, AddOffsetsToTxnResponse;
            EndTxnRequest, EndTxnResponse;
            WriteTxnMarkersRequest, WriteTxnMarkersResponse;
            TxnOffsetCommitRequest, TxnOffsetCommitResponse;
            DescribeAclsRequest, DescribeAclsResponse;
            CreateAclsRequest, CreateAclsResponse;
            DeleteAclsRequest, DeleteAclsResponse;
            DescribeConfigsRequest, DescribeConfigsResponse;
            AlterConfigsRequest, AlterConfigsResponse;
            AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse;
            DescribeLogDirsRequest, DescribeLogDirsResponse;
            SaslAuthenticateRequest, SaslAuthenticateResponse;
            CreatePartitionsRequest, CreatePartitionsResponse;
            CreateDelegationTokenRequest, CreateDelegationTokenResponse;
            RenewDelegationTokenRequest, RenewDelegationTokenResponse;
            ExpireDelegationTokenRequest, ExpireDelegationTokenResponse;
            DescribeDelegationTokenRequest, DescribeDelegationTokenResponse;
            DeleteGroupsRequest, DeleteGroupsResponse;
            ElectLeadersRequest, ElectLeadersResponse;
            IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse;
            AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse;
            ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse;
            OffsetDeleteRequest, OffsetDeleteResponse;
            DescribeClientQuotasRequest, DescribeClientQuotasResponse;
            AlterClientQuotasRequest, AlterClientQuotasResponse;
            DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse;
            AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse;
            DescribeQuorumRequest, DescribeQuorumResponse;
            UpdateFeaturesRequest, UpdateFeaturesResponse;
            DescribeClusterRequest, DescribeClusterResponse;
            DescribeProducersRequest, DescribeProducersResponse;
            UnregisterBrokerRequest, UnregisterBrokerResponse;
            DescribeTransactionsRequest, DescribeTransactionsResponse;
            ListTransactionsRequest, ListTransactionsResponse;
            ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse;
            ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse;
            GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse;
            PushTelemetryRequest, PushTelemetryResponse;
            ListConfigResourcesRequest, ListConfigResourcesResponse;
            DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse;
            ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse;
            ShareGroupDescribeRequest, ShareGroupDescribeResponse;
            ShareFetchRequest, ShareFetchResponse;
            ShareAcknowledgeRequest, ShareAcknowledgeResponse;
            AddRaftVoterRequest, AddRaftVoterResponse;
            RemoveRaftVoterRequest, RemoveRaftVoterResponse;
            StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse;
            StreamsGroupDescribeRequest, StreamsGroupDescribeResponse;
            DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsResponse;
            AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse;
            DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsResponse;
            StreamsGroupTopologyDescriptionUpdateRequest, StreamsGroupTopologyDescriptionUpdateResponse;
            UnregisterControllerRequest, UnregisterControllerResponse;
            ConsumerProtocolSubscription, ConsumerProtocolAssignment;
            ControlRecordTypeSchema, EndTxnMarker;
        }
    };
}
#[cfg(any(fuzzing, test))]
pub(crate) use with_all_messages;

macro_rules! schemas {
    ($($($name:ident),*;)*) => {
        /// The schemas of all messages, in the order of their keys, each request before its response.
        pub const ALL: &[&Schema] = &[$($(<$name as super::Message>::SCHEMA,)*)*];
    };
}

with_all_messages!(schemas);

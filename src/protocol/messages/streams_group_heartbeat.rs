//! StreamsGroupHeartbeat, key 88.

use crate::error_code::ErrorCode;

messages! {
    /// Joins, keeps up and leaves a streams group (KIP-1071).
    request StreamsGroupHeartbeatRequest(88, 0-1, flexible 0+) -> StreamsGroupHeartbeatResponse {
        group_id: String,
        /// The member id.
        member_id: String,
        /// 0 to join, -1 to leave, -2 to leave for a while as a static member; otherwise the epoch that the
        /// coordinator gave.
        member_epoch: i32,
        endpoint_information_epoch: i32,
        /// The static id of the member (KIP-345), if it has one.
        instance_id: Option<String>,
        /// The rack of the client; empty or null for none.
        rack_id: Option<String>,
        /// How long the member may take in a rebalance, in milliseconds.
        rebalance_timeout_ms: i32 = -1,
        topology: Option<Topology>,
        active_tasks: Option<Vec<StreamsGroupHeartbeatRequestTaskIds>>,
        standby_tasks: Option<Vec<StreamsGroupHeartbeatRequestTaskIds>>,
        warmup_tasks: Option<Vec<StreamsGroupHeartbeatRequestTaskIds>>,
        process_id: Option<String>,
        user_endpoint: Option<StreamsGroupHeartbeatRequestEndpoint>,
        client_tags: Option<Vec<KeyValue>>,
        task_offsets: Option<Vec<TaskOffset>>,
        task_end_offsets: Option<Vec<TaskOffset>>,
        shutdown_application: bool,
    }

    /// What [`StreamsGroupHeartbeatRequest::topology`] holds.
    struct Topology {
        epoch: i32,
        subtopologies: Vec<Subtopology>,
    }

    /// An item of [`Topology::subtopologies`].
    struct Subtopology {
        subtopology_id: String,
        source_topics: Vec<String>,
        source_topic_regex: Vec<String>,
        state_changelog_topics: Vec<TopicInfo>,
        repartition_sink_topics: Vec<String>,
        repartition_source_topics: Vec<TopicInfo>,
        copartition_groups: Vec<CopartitionGroup>,
    }

    /// An item of [`Subtopology::state_changelog_topics`].
    struct TopicInfo {
        name: String,
        partitions: i32,
        replication_factor: i16,
        topic_configs: Vec<KeyValue>,
    }

    /// An item of [`Subtopology::copartition_groups`].
    struct CopartitionGroup {
        source_topics: Vec<i16>,
        source_topic_regex: Vec<i16>,
        repartition_source_topics: Vec<i16>,
    }

    /// An item of [`StreamsGroupHeartbeatRequest::active_tasks`].
    struct StreamsGroupHeartbeatRequestTaskIds {
        subtopology_id: String,
        partitions: Vec<i32>,
    }

    /// What [`StreamsGroupHeartbeatRequest::user_endpoint`] holds.
    struct StreamsGroupHeartbeatRequestEndpoint {
        host: String,
        port: u16,
    }

    /// An item of [`StreamsGroupHeartbeatRequest::client_tags`].
    struct KeyValue {
        key: String,
        value: String,
    }

    /// An item of [`StreamsGroupHeartbeatRequest::task_offsets`].
    struct TaskOffset {
        subtopology_id: String,
        partition: i32,
        offset: i64,
    }

    /// The answer to [`StreamsGroupHeartbeatRequest`].
    response StreamsGroupHeartbeatResponse(88, 0-1, flexible 0+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String>,
        /// The member id.
        member_id: String,
        member_epoch: i32,
        heartbeat_interval_ms: i32,
        acceptable_recovery_lag_legacy: i32 [0],
        task_offset_interval_ms: i32,
        acceptable_recovery_lag: i64 [1+, ignorable] = -1,
        status: Option<Vec<Status>> = empty,
        active_tasks: Option<Vec<StreamsGroupHeartbeatResponseTaskIds>>,
        standby_tasks: Option<Vec<StreamsGroupHeartbeatResponseTaskIds>>,
        warmup_tasks: Option<Vec<StreamsGroupHeartbeatResponseTaskIds>>,
        topology_description_required: bool [1+],
        endpoint_information_epoch: i32,
        partitions_by_user_endpoint: Option<Vec<EndpointToPartitions>>,
    }

    /// An item of [`StreamsGroupHeartbeatResponse::status`].
    struct Status {
        status_code: i8,
        status_detail: String,
    }

    /// An item of [`StreamsGroupHeartbeatResponse::active_tasks`].
    struct StreamsGroupHeartbeatResponseTaskIds {
        subtopology_id: String,
        partitions: Vec<i32>,
    }

    /// An item of [`StreamsGroupHeartbeatResponse::partitions_by_user_endpoint`].
    struct EndpointToPartitions {
        user_endpoint: StreamsGroupHeartbeatResponseEndpoint,
        active_partitions: Vec<TopicPartition>,
        standby_partitions: Vec<TopicPartition>,
    }

    /// What [`EndpointToPartitions::user_endpoint`] holds.
    struct StreamsGroupHeartbeatResponseEndpoint {
        host: String,
        port: u16,
    }

    /// An item of [`EndpointToPartitions::active_partitions`].
    struct TopicPartition {
        topic: String,
        partitions: Vec<i32>,
    }
}

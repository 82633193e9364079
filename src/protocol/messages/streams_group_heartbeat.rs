//! StreamsGroupHeartbeat

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request StreamsGroupHeartbeatRequest(88, 0-1, flexible 0+) -> StreamsGroupHeartbeatResponse {
        group_id: String,
        member_id: String,
        member_epoch: i32,
        endpoint_information_epoch: i32,
        instance_id: Option<String>,
        rack_id: Option<String>,
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

    /// A part.
    struct Topology {
        epoch: i32,
        subtopologies: Vec<Subtopology>,
    }

    /// A part.
    struct Subtopology {
        subtopology_id: String,
        source_topics: Vec<String>,
        source_topic_regex: Vec<String>,
        state_changelog_topics: Vec<TopicInfo>,
        repartition_sink_topics: Vec<String>,
        repartition_source_topics: Vec<TopicInfo>,
        copartition_groups: Vec<CopartitionGroup>,
    }

    /// A part.
    struct TopicInfo {
        name: String,
        partitions: i32,
        replication_factor: i16,
        topic_configs: Vec<KeyValue>,
    }

    /// A part.
    struct CopartitionGroup {
        source_topics: Vec<i16>,
        source_topic_regex: Vec<i16>,
        repartition_source_topics: Vec<i16>,
    }

    /// A part.
    struct StreamsGroupHeartbeatRequestTaskIds {
        subtopology_id: String,
        partitions: Vec<i32>,
    }

    /// A part.
    struct StreamsGroupHeartbeatRequestEndpoint {
        host: String,
        port: u16,
    }

    /// A part.
    struct KeyValue {
        key: String,
        value: String,
    }

    /// A part.
    struct TaskOffset {
        subtopology_id: String,
        partition: i32,
        offset: i64,
    }

    /// TODO.
    response StreamsGroupHeartbeatResponse(88, 0-1, flexible 0+) {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<String>,
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

    /// A part.
    struct Status {
        status_code: i8,
        status_detail: String,
    }

    /// A part.
    struct StreamsGroupHeartbeatResponseTaskIds {
        subtopology_id: String,
        partitions: Vec<i32>,
    }

    /// A part.
    struct EndpointToPartitions {
        user_endpoint: StreamsGroupHeartbeatResponseEndpoint,
        active_partitions: Vec<TopicPartition>,
        standby_partitions: Vec<TopicPartition>,
    }

    /// A part.
    struct StreamsGroupHeartbeatResponseEndpoint {
        host: String,
        port: u16,
    }

    /// A part.
    struct TopicPartition {
        topic: String,
        partitions: Vec<i32>,
    }
}

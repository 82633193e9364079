//! StreamsGroupDescribe

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request StreamsGroupDescribeRequest(89, 0-1, flexible 0+) -> StreamsGroupDescribeResponse {
        group_ids: Vec<String>,
        include_authorized_operations: bool,
        include_topology_description: bool [1+],
    }

    /// TODO.
    response StreamsGroupDescribeResponse(89, 0-1, flexible 0+) {
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
        topology: Option<Topology>,
        members: Vec<Member>,
        authorized_operations: i32 = -2147483648,
        topology_description: Option<TopologyDescription> [1+],
        topology_description_status: i8 [1+],
        assignor_name: Option<String> [1+, ignorable],
    }

    /// A part.
    struct Topology {
        epoch: i32,
        subtopologies: Option<Vec<Subtopology>>,
    }

    /// A part.
    struct Subtopology {
        subtopology_id: String,
        source_topics: Vec<String>,
        repartition_sink_topics: Vec<String>,
        state_changelog_topics: Vec<TopicInfo>,
        repartition_source_topics: Vec<TopicInfo>,
    }

    /// A part.
    struct TopicInfo {
        name: String,
        partitions: i32,
        replication_factor: i16,
        topic_configs: Vec<KeyValue>,
    }

    /// A part.
    struct KeyValue {
        key: String,
        value: String,
    }

    /// A part.
    struct Member {
        member_id: String,
        member_epoch: i32,
        instance_id: Option<String>,
        rack_id: Option<String>,
        client_id: String,
        client_host: String,
        topology_epoch: i32,
        process_id: String,
        user_endpoint: Option<Endpoint>,
        client_tags: Vec<KeyValue>,
        task_offsets: Vec<TaskOffset>,
        task_end_offsets: Vec<TaskOffset>,
        assignment: Assignment,
        target_assignment: Assignment,
        is_classic: bool,
    }

    /// A part.
    struct Endpoint {
        host: String,
        port: u16,
    }

    /// A part.
    struct TaskOffset {
        subtopology_id: String,
        partition: i32,
        offset: i64,
    }

    /// A part.
    struct Assignment {
        active_tasks: Vec<TaskIds>,
        standby_tasks: Vec<TaskIds>,
        warmup_tasks: Vec<TaskIds>,
    }

    /// A part.
    struct TaskIds {
        subtopology_id: String,
        partitions: Vec<i32>,
    }

    /// A part.
    struct TopologyDescription {
        subtopologies: Vec<TopologyDescriptionSubtopology>,
        global_stores: Vec<TopologyDescriptionGlobalStore>,
    }

    /// A part.
    struct TopologyDescriptionSubtopology {
        subtopology_id: String,
        nodes: Vec<TopologyDescriptionNode>,
    }

    /// A part.
    struct TopologyDescriptionNode {
        name: String,
        node_type: i8,
        source_topics: Vec<String>,
        sink_topic: Option<String>,
        stores: Vec<String>,
        successors: Vec<String>,
    }

    /// A part.
    struct TopologyDescriptionGlobalStore {
        source: TopologyDescriptionNode,
        processor: TopologyDescriptionNode,
    }
}

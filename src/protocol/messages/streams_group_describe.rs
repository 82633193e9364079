//! StreamsGroupDescribe, key 89.

use crate::error_code::ErrorCode;

messages! {
    /// Asks for the state of streams groups (KIP-1071).
    request StreamsGroupDescribeRequest(89, 0-1, flexible 0+) -> StreamsGroupDescribeResponse {
        group_ids: Vec<String>,
        include_authorized_operations: bool,
        include_topology_description: bool [1+],
    }

    /// The answer to [`StreamsGroupDescribeRequest`].
    response StreamsGroupDescribeResponse(89, 0-1, flexible 0+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        groups: Vec<DescribedGroup>,
    }

    /// An item of [`StreamsGroupDescribeResponse::groups`].
    struct DescribedGroup {
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String>,
        group_id: String,
        group_state: String,
        group_epoch: i32,
        assignment_epoch: i32,
        topology: Option<Topology>,
        members: Vec<Member>,
        /// What the client may do with it, as a bit for each operation; `i32::MIN` when that was not asked
        /// for.
        authorized_operations: i32 = -2147483648,
        topology_description: Option<TopologyDescription> [1+],
        topology_description_status: i8 [1+],
        assignor_name: Option<String> [1+, ignorable],
    }

    /// What [`DescribedGroup::topology`] holds.
    struct Topology {
        epoch: i32,
        subtopologies: Option<Vec<Subtopology>>,
    }

    /// An item of [`Topology::subtopologies`].
    struct Subtopology {
        subtopology_id: String,
        source_topics: Vec<String>,
        repartition_sink_topics: Vec<String>,
        state_changelog_topics: Vec<TopicInfo>,
        repartition_source_topics: Vec<TopicInfo>,
    }

    /// An item of [`Subtopology::state_changelog_topics`].
    struct TopicInfo {
        name: String,
        partitions: i32,
        replication_factor: i16,
        topic_configs: Vec<KeyValue>,
    }

    /// An item of [`TopicInfo::topic_configs`].
    struct KeyValue {
        key: String,
        value: String,
    }

    /// An item of [`DescribedGroup::members`].
    struct Member {
        /// The member id.
        member_id: String,
        member_epoch: i32,
        /// The static id of the member (KIP-345), if it has one.
        instance_id: Option<String>,
        /// The rack of the client; empty or null for none.
        rack_id: Option<String>,
        client_id: String,
        /// The address that the client came from.
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

    /// What [`Member::user_endpoint`] holds.
    struct Endpoint {
        host: String,
        port: u16,
    }

    /// An item of [`Member::task_offsets`].
    struct TaskOffset {
        subtopology_id: String,
        partition: i32,
        offset: i64,
    }

    /// What [`Member::assignment`] holds.
    struct Assignment {
        active_tasks: Vec<TaskIds>,
        standby_tasks: Vec<TaskIds>,
        warmup_tasks: Vec<TaskIds>,
    }

    /// An item of [`Assignment::active_tasks`].
    struct TaskIds {
        subtopology_id: String,
        partitions: Vec<i32>,
    }

    /// What [`DescribedGroup::topology_description`] holds.
    struct TopologyDescription {
        subtopologies: Vec<TopologyDescriptionSubtopology>,
        global_stores: Vec<TopologyDescriptionGlobalStore>,
    }

    /// An item of [`TopologyDescription::subtopologies`].
    struct TopologyDescriptionSubtopology {
        subtopology_id: String,
        nodes: Vec<TopologyDescriptionNode>,
    }

    /// An item of [`TopologyDescriptionSubtopology::nodes`].
    struct TopologyDescriptionNode {
        name: String,
        node_type: i8,
        source_topics: Vec<String>,
        sink_topic: Option<String>,
        stores: Vec<String>,
        successors: Vec<String>,
    }

    /// An item of [`TopologyDescription::global_stores`].
    struct TopologyDescriptionGlobalStore {
        source: TopologyDescriptionNode,
        processor: TopologyDescriptionNode,
    }
}

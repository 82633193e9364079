//! StreamsGroupTopologyDescriptionUpdate

use crate::error_code::ErrorCode;

messages! {
    /// TODO.
    request StreamsGroupTopologyDescriptionUpdateRequest(93, 0, flexible 0+) -> StreamsGroupTopologyDescriptionUpdateResponse {
        group_id: String,
        member_id: String,
        topology_epoch: i32,
        topology_description: TopologyDescription,
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

    /// TODO.
    response StreamsGroupTopologyDescriptionUpdateResponse(93, 0, flexible 0+) {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<String>,
    }
}

//! StreamsGroupTopologyDescriptionUpdate, key 93.

use crate::error_code::ErrorCode;

messages! {
    /// Tells the group coordinator what the topology of a streams application looks like.
    request StreamsGroupTopologyDescriptionUpdateRequest(93, 0, flexible 0+) -> StreamsGroupTopologyDescriptionUpdateResponse {
        group_id: String,
        /// The member id.
        member_id: String,
        topology_epoch: i32,
        topology_description: TopologyDescription,
    }

    /// What [`StreamsGroupTopologyDescriptionUpdateRequest::topology_description`] holds.
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

    /// The answer to [`StreamsGroupTopologyDescriptionUpdateRequest`].
    response StreamsGroupTopologyDescriptionUpdateResponse(93, 0, flexible 0+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String>,
    }
}

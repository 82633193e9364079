//! What a Kafka Streams application is made of.

use std::collections::BTreeMap;

use crate::admin::words::code_enum;
use crate::protocol::messages::streams_group_describe as message;

/// A part of a topology that runs as tasks of its own, with its topics.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subtopology {
    /// Its id.
    pub id: String,
    /// The topics that it reads.
    pub source_topics: Vec<String>,
    /// The repartition topics that it writes.
    pub repartition_sink_topics: Vec<String>,
    /// The changelogs of its stores.
    pub state_changelog_topics: Vec<InternalTopic>,
    /// The repartition topics that it reads.
    pub repartition_source_topics: Vec<InternalTopic>,
}

/// A topic that belongs to an application.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InternalTopic {
    /// The name.
    pub name: String,
    /// The number of partitions, if a certain one is needed.
    pub partitions: Option<i32>,
    /// The number of replicas, if it is not the brokers' default.
    pub replication_factor: Option<i16>,
    /// The topic's options.
    pub configs: BTreeMap<String, String>,
}

code_enum! {
    /// Whether a group's description has the whole topology (KIP-1331).
    TopologyStatus {
        /// It was not asked for, or the broker is too old to have it.
        NotRequested = 0 "NOT_REQUESTED",
        /// The group's members have not told it.
        NotStored = 1 "NOT_STORED",
        /// The broker could not get it; its log says why.
        Error = 2 "ERROR",
        /// It is there.
        Available = 3 "AVAILABLE",
    }

    /// What a node of a topology does.
    TopologyNodeKind {
        /// Reads topics.
        Source = 1 "SOURCE",
        /// Works on records.
        Processor = 2 "PROCESSOR",
        /// Writes a topic.
        Sink = 3 "SINK",
    }
}

/// A whole topology.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopologyDescription {
    /// Its parts.
    pub subtopologies: Vec<TopologySubgraph>,
    /// The stores that every member has a copy of.
    pub global_stores: Vec<GlobalStore>,
}

/// The nodes of a subtopology.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopologySubgraph {
    /// The subtopology's id.
    pub id: String,
    /// Its nodes.
    pub nodes: Vec<TopologyNode>,
}

/// A node of a topology.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopologyNode {
    /// The name.
    pub name: String,
    /// What it does.
    pub kind: TopologyNodeKind,
    /// The topics that a source reads; none if they are found by a pattern.
    pub source_topics: Vec<String>,
    /// The topic that a sink writes; none if it is chosen for each record.
    pub sink_topic: Option<String>,
    /// The stores of a processor.
    pub stores: Vec<String>,
    /// The nodes that come after it, by name.
    pub successors: Vec<String>,
}

/// A store that every member has a copy of, and what fills it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobalStore {
    /// The source.
    pub source: TopologyNode,
    /// The processor.
    pub processor: TopologyNode,
}

impl From<message::Subtopology> for Subtopology {
    fn from(part: message::Subtopology) -> Self {
        let topics = |topics: Vec<message::TopicInfo>| topics.into_iter().map(InternalTopic::from).collect();
        Self {
            id: part.subtopology_id,
            source_topics: part.source_topics,
            repartition_sink_topics: part.repartition_sink_topics,
            state_changelog_topics: topics(part.state_changelog_topics),
            repartition_source_topics: topics(part.repartition_source_topics),
        }
    }
}

impl From<message::TopicInfo> for InternalTopic {
    fn from(topic: message::TopicInfo) -> Self {
        Self {
            name: topic.name,
            partitions: Some(topic.partitions).filter(|&count| count > 0),
            replication_factor: Some(topic.replication_factor).filter(|&factor| factor > 0),
            configs: topic.topic_configs.into_iter().map(|config| (config.key, config.value)).collect(),
        }
    }
}

impl From<message::TopologyDescription> for TopologyDescription {
    fn from(topology: message::TopologyDescription) -> Self {
        let part = |part: message::TopologyDescriptionSubtopology| TopologySubgraph {
            id: part.subtopology_id,
            nodes: part.nodes.into_iter().map(TopologyNode::from).collect(),
        };
        let store = |store: message::TopologyDescriptionGlobalStore| GlobalStore {
            source: store.source.into(),
            processor: store.processor.into(),
        };
        Self {
            subtopologies: topology.subtopologies.into_iter().map(part).collect(),
            global_stores: topology.global_stores.into_iter().map(store).collect(),
        }
    }
}

impl From<message::TopologyDescriptionNode> for TopologyNode {
    fn from(node: message::TopologyDescriptionNode) -> Self {
        Self {
            name: node.name,
            kind: TopologyNodeKind::from_code(node.node_type),
            source_topics: node.source_topics,
            sink_topic: node.sink_topic,
            stores: node.stores,
            successors: node.successors,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_stands_for_no_number_in_particular() {
        let topic = InternalTopic::from(message::TopicInfo { name: "t".into(), ..Default::default() });
        assert_eq!((topic.partitions, topic.replication_factor), (None, None));
    }

    #[test]
    fn nodes_of_a_kind_that_is_unknown_survive() {
        let node =
            TopologyNode::from(message::TopologyDescriptionNode { node_type: 9, ..Default::default() });
        assert_eq!(node.kind, TopologyNodeKind::Unknown(9));
    }
}

//! Who answers for what.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::LocalBoxFuture;

use super::{At, Call, Item};
use crate::admin::partitions::of_partition;
use crate::admin::{Admin, Results};
use crate::cluster::{COORDINATORS_IN_BATCHES_SINCE, CoordinatorType};
use crate::error::{Error, ErrorKind, Result};
use crate::error_code::ErrorCode;
use crate::net::manager::NodeId;
use crate::protocol::messages::metadata::MetadataRequestTopic;
use crate::protocol::messages::{FindCoordinatorResponse, MetadataRequest, MetadataResponse};
use crate::types::{Node, TopicPartition};

/// Who answers for an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::admin) enum Route {
    /// Any broker.
    Any,
    /// The controller. With KRaft, metadata names some broker in its place: each of them hands requests on.
    Controller,
    /// This broker, or with `bootstrap.controllers` this controller.
    Broker(i32),
    /// The coordinator of a group.
    Group(String),
    /// The coordinator of a transactional id.
    TransactionalId(String),
    /// The leader of a partition.
    Leader(TopicPartition),
}

impl Admin {
    /// The nodes that these routes lead to, as far as one look can tell.
    pub(super) async fn resolve(
        &self,
        call: Call,
        routes: &[(usize, &Route)],
        avoid: Option<NodeId>,
    ) -> Vec<(usize, Result<NodeId>)> {
        let mut found = Vec::with_capacity(routes.len());
        let (mut groups, mut ids, mut leaders) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        for &(at, route) in routes {
            match route {
                Route::Any => found.push((at, self.any(avoid))),
                Route::Controller => found.push((at, self.controller(avoid))),
                Route::Broker(id) => found.push((at, self.broker(call, *id).await)),
                Route::Group(id) => groups.entry(id.clone()).or_insert_with(Vec::new).push(at),
                Route::TransactionalId(id) => ids.entry(id.clone()).or_insert_with(Vec::new).push(at),
                Route::Leader(partition) => leaders.push((at, partition)),
            }
        }
        for (kind, wanted) in [(CoordinatorType::Group, groups), (CoordinatorType::Transaction, ids)] {
            if wanted.is_empty() {
                continue;
            }
            for (id, node) in self.coordinators(call, kind, wanted.keys().cloned().collect()).await {
                let indexes = wanted.get(&id).into_iter().flatten();
                found.extend(indexes.map(|&at| (at, node.clone())));
            }
        }
        if !leaders.is_empty() {
            found.extend(self.leaders(call, leaders).await);
        }
        found
    }

    fn any(&self, avoid: Option<NodeId>) -> Result<NodeId> {
        if self.to_controllers() {
            return self.controller(avoid);
        }
        self.cluster.manager().choose(&[], avoid, false).ok_or_else(|| {
            Error::new(ErrorKind::Configuration, "bootstrap.servers is empty: name a broker as host:port")
        })
    }

    fn controller(&self, avoid: Option<NodeId>) -> Result<NodeId> {
        match self.cluster.snapshot().controller() {
            Some(id) => Ok(NodeId::Broker(id)),
            None if self.to_controllers() => {
                Err(Error::from_code(ErrorCode::NOT_CONTROLLER, "no active controller is known"))
            }
            // None is elected now, or the broker is too old to tell: others may know.
            None => self.any(avoid),
        }
    }

    async fn broker(&self, call: Call, id: i32) -> Result<NodeId> {
        if self.cluster.snapshot().broker(id).is_none() {
            // It may have joined since the brokers were last asked for.
            let known = self.brokers(call).await?;
            if !known.iter().any(|node| node.id == id) {
                let ids: Vec<String> = known.iter().map(|node| node.id.to_string()).collect();
                let text = format!(
                    "{}: node {id} is not part of the cluster; its nodes are {}",
                    call.what,
                    ids.join(", ")
                );
                return Err(Error::new(ErrorKind::Connection, text).with_node(id).with_retriable(false));
            }
        }
        Ok(NodeId::Broker(id))
    }

    /// All brokers of the cluster as of now; with `bootstrap.controllers` all controllers.
    ///
    /// A boxed future, as those of all look-ups that calls make and that are calls themselves.
    pub(in crate::admin) fn brokers(&self, call: Call) -> LocalBoxFuture<'_, Result<Vec<Node>>> {
        Box::pin(async move {
            if self.to_controllers() {
                self.cluster.update().await?;
                let mut nodes: Vec<Node> = self.cluster.snapshot().brokers().cloned().collect();
                nodes.sort_unstable_by_key(|node| node.id);
                return Ok(nodes);
            }
            let request = |at: &At| Ok(metadata_request(at.version, Some(Vec::new())));
            let response: MetadataResponse = self.ask_one(call, Route::Any, request, |_| Ok(())).await?;
            let mut nodes = self.learn(&response);
            nodes.sort_unstable_by_key(|node| node.id);
            Ok(nodes)
        })
    }

    /// These brokers, or all that there are, each to be asked itself.
    pub(in crate::admin) async fn each_broker(&self, call: Call, ids: &[i32]) -> Result<Vec<Item<i32>>> {
        let mut ids: Vec<i32> = match ids {
            [] => self.brokers(call).await?.into_iter().map(|node| node.id).collect(),
            ids => ids.to_vec(),
        };
        ids.sort_unstable();
        ids.dedup();
        Ok(ids.into_iter().map(|id| Item::new(Route::Broker(id), id)).collect())
    }

    /// Makes the brokers of an answer reachable.
    fn learn(&self, response: &MetadataResponse) -> Vec<Node> {
        let brokers = response.brokers.iter();
        let nodes: Vec<Node> = brokers
            .filter_map(|broker| {
                Node::from_answer(broker.node_id, &broker.host, broker.port, broker.rack.as_deref())
            })
            .collect();
        nodes.iter().for_each(|node| self.cluster.add_broker(node.clone()));
        nodes
    }

    fn coordinators(
        &self,
        call: Call,
        kind: CoordinatorType,
        ids: Vec<String>,
    ) -> LocalBoxFuture<'_, Results<String, NodeId>> {
        let items: Vec<Item<String>> = ids.into_iter().map(|id| Item::new(Route::Any, id)).collect();
        let request = move |at: &At, ids: &[&String]| {
            at.need(kind.min_version(), "looking for the coordinator of a transactional id")?;
            Ok(kind.request(at.version, ids.iter().map(|id| id.as_str())))
        };
        let read = move |at: &At, response: FindCoordinatorResponse, ids: &[&String]| {
            let found = |id: &&String| {
                self.cluster.learn_coordinator(kind, at.version, &response, id).map(NodeId::Broker)
            };
            ids.iter().map(found).collect()
        };
        let call = call.one_by_one_before(COORDINATORS_IN_BATCHES_SINCE);
        Box::pin(async move {
            if self.to_controllers() {
                return items.into_iter().map(|item| (item.key, Err(brokers_only(call)))).collect();
            }
            self.ask(call, items, request, read).await
        })
    }

    async fn leaders(
        &self,
        call: Call,
        partitions: Vec<(usize, &TopicPartition)>,
    ) -> Vec<(usize, Result<NodeId>)> {
        let names: BTreeSet<&str> = partitions.iter().map(|(_, partition)| partition.topic()).collect();
        let topics = |version: i16| {
            let topic = |name: &&str| MetadataRequestTopic {
                name: Some((*name).to_owned()),
                ..MetadataRequestTopic::default()
            };
            metadata_request(version, Some(names.iter().map(topic).collect()))
        };
        let asked = if self.to_controllers() {
            Err(brokers_only(call))
        } else {
            // Boxed: asking for the leaders is a call with a route of its own.
            let ask: LocalBoxFuture<'_, Result<MetadataResponse>> =
                Box::pin(self.ask_one(call, Route::Any, |at| Ok(topics(at.version)), |_| Ok(())));
            ask.await
        };
        let response = match asked {
            Ok(response) => response,
            Err(error) => return partitions.into_iter().map(|(at, _)| (at, Err(error.clone()))).collect(),
        };
        self.learn(&response);
        let leader = |(at, partition): (usize, &TopicPartition)| {
            let node = leader_of(&response, partition)
                .map_err(|code| of_partition(Error::from_code(code, call.what), partition));
            (at, node)
        };
        partitions.into_iter().map(leader).collect()
    }
}

fn leader_of(response: &MetadataResponse, partition: &TopicPartition) -> Result<NodeId, ErrorCode> {
    let topic = response.topics.iter().find(|topic| topic.name.as_deref() == Some(partition.topic()));
    let topic = topic.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    topic.error_code.ok()?;
    let partition = topic.partitions.iter().find(|known| known.partition_index == partition.partition());
    let partition = partition.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    if partition.leader_id < 0 {
        return Err(ErrorCode::LEADER_NOT_AVAILABLE);
    }
    Ok(NodeId::Broker(partition.leader_id))
}

/// A request for topics that creates none; for no topics with an empty list, for all with none.
pub(in crate::admin) fn metadata_request(
    version: i16,
    topics: Option<Vec<MetadataRequestTopic>>,
) -> MetadataRequest {
    let topics = match topics {
        // Older versions create what they are asked for, if the broker allows it: not if it is asked for all.
        Some(topics) if version < NO_AUTO_CREATE_SINCE && !topics.is_empty() => None,
        topics => topics,
    };
    // Version 0 has no null list; there the empty one means all.
    let topics = topics.or_else(|| (version == 0).then(Vec::new));
    MetadataRequest {
        topics,
        allow_auto_topic_creation: version < NO_AUTO_CREATE_SINCE,
        ..MetadataRequest::default()
    }
}

fn brokers_only(call: Call) -> Error {
    let text = format!(
        "{}: controllers do not answer this: build the client with bootstrap.servers instead of \
         bootstrap.controllers",
        call.what
    );
    Error::new(ErrorKind::IllegalState, text)
}

/// The version of Metadata that can forbid to create what it asks for.
const NO_AUTO_CREATE_SINCE: i16 = 4;

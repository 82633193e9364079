//! The cluster as a whole: its nodes, what they speak, and the registrations of those that are gone.
//!
//! ```
//! use kavka::admin::KafkaAdminClient;
//! use kavka::protocol::ApiKey;
//! # let cluster = kavka::mock::MockCluster::builder().brokers(3).start()?;
//! # let servers = cluster.bootstrap_servers();
//!
//! let admin = KafkaAdminClient::builder().bootstrap_servers(servers).build()?;
//! let cluster = admin.describe_cluster()?;
//! println!("{:?} has {} brokers", cluster.cluster_id, cluster.brokers.len());
//! let broker = admin.broker_api_versions(cluster.brokers[0].id)?;
//! println!("{} speaks Fetch {:?}", broker.release().unwrap_or("?"), broker.versions.get(ApiKey::FETCH));
//! # Ok::<(), kavka::Error>(())
//! ```

mod registrations;
mod versions;

use std::collections::BTreeSet;

pub use versions::BrokerApiVersions;

use super::{
    AclOperation, Admin, At, Call, KafkaAdminClient, Route, authorized_operations, metadata_request, verdict,
};
use crate::error::{ErrorKind, Result};
use crate::protocol::messages::{
    DescribeClusterRequest, DescribeClusterResponse, MetadataRequest, MetadataResponse,
};
use crate::types::Node;

/// The nodes of a cluster.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterDescription {
    /// The cluster's id; `None` from brokers before 0.10.1.
    pub cluster_id: Option<String>,
    /// The node id of the controller, or of some broker on clusters with KRaft; `None` while there is none. With
    /// `bootstrap.controllers` the active controller.
    pub controller_id: Option<i32>,
    /// The brokers, by their ids; with `bootstrap.controllers` the controllers.
    pub brokers: Vec<Node>,
    /// The ids of those brokers that are registered, but fenced: started and not ready yet, or gone (KIP-1073).
    /// Empty unless they were asked for.
    pub fenced: BTreeSet<i32>,
    /// What this client may do with the cluster (KIP-430); `None` from brokers before 2.3.
    pub authorized_operations: Option<Vec<AclOperation>>,
}

impl KafkaAdminClient {
    /// Describes the cluster (KIP-700). Brokers before 2.8 are asked for their metadata instead.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`], with the failure of each address; [`ErrorKind::Authorization`].
    pub fn describe_cluster(&self) -> Result<ClusterDescription> {
        self.call(DESCRIBE, |admin, call| async move {
            match admin.describe_cluster(call, false).await {
                Err(error) if error.kind() == ErrorKind::UnsupportedVersion => {
                    admin.cluster_of_metadata(call).await
                }
                described => described,
            }
        })
    }

    /// As [`describe_cluster`](Self::describe_cluster), with the brokers that are fenced (KIP-1073). Needs Kafka
    /// 4.0.
    ///
    /// # Errors
    /// As [`describe_cluster`](Self::describe_cluster), and [`ErrorKind::UnsupportedVersion`].
    pub fn describe_cluster_with_fenced(&self) -> Result<ClusterDescription> {
        self.call(DESCRIBE, |admin, call| async move { admin.describe_cluster(call, true).await })
    }
}

impl Admin {
    async fn describe_cluster(&self, call: Call, include_fenced_brokers: bool) -> Result<ClusterDescription> {
        let request = |at: &At| {
            if include_fenced_brokers {
                at.need(2, "telling of fenced brokers (KIP-1073)")?;
            }
            Ok(DescribeClusterRequest {
                include_cluster_authorized_operations: true,
                endpoint_type: if self.to_controllers() { CONTROLLERS } else { BROKERS },
                include_fenced_brokers,
            })
        };
        let judge = |answer: &DescribeClusterResponse| {
            verdict(answer.error_code, answer.error_message.as_deref(), DESCRIBE)
        };
        let response = self.ask_one(call, Route::Any, request, judge).await?;
        let fenced = response.brokers.iter().filter(|broker| broker.is_fenced);
        Ok(ClusterDescription {
            cluster_id: Some(response.cluster_id),
            controller_id: Some(response.controller_id).filter(|&id| id >= 0),
            fenced: fenced.map(|broker| broker.broker_id).collect(),
            brokers: in_order(response.brokers.iter().filter_map(|node| {
                Node::from_answer(node.broker_id, &node.host, node.port, node.rack.as_deref())
            })),
            authorized_operations: authorized_operations(response.cluster_authorized_operations),
        })
    }

    async fn cluster_of_metadata(&self, call: Call) -> Result<ClusterDescription> {
        let request = |at: &At| {
            Ok(MetadataRequest {
                // The versions that have it; later brokers know DescribeCluster.
                include_cluster_authorized_operations: (8..=10).contains(&at.version),
                ..metadata_request(at.version, Some(Vec::new()))
            })
        };
        let response: MetadataResponse = self.ask_one(call, Route::Any, request, |_| Ok(())).await?;
        Ok(ClusterDescription {
            cluster_id: response.cluster_id,
            controller_id: Some(response.controller_id).filter(|&id| id >= 0),
            fenced: BTreeSet::new(),
            brokers: in_order(response.brokers.iter().filter_map(|node| {
                Node::from_answer(node.node_id, &node.host, node.port, node.rack.as_deref())
            })),
            authorized_operations: authorized_operations(response.cluster_authorized_operations),
        })
    }
}

fn in_order(nodes: impl Iterator<Item = Node>) -> Vec<Node> {
    let mut nodes: Vec<Node> = nodes.collect();
    nodes.sort_unstable_by_key(|node| node.id);
    nodes
}

const DESCRIBE: &str = "describe the cluster";

/// What DescribeCluster is asked for.
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

//! The cluster as a whole.

use super::{Admin, At, Call, KafkaAdminClient, Route, metadata_request, node_of, verdict};
use crate::error::{ErrorKind, Result};
use crate::protocol::messages::{DescribeClusterRequest, DescribeClusterResponse, MetadataResponse};
use crate::types::Node;

/// The brokers of a cluster.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterDescription {
    /// The cluster's id; `None` from brokers before 0.10.1.
    pub cluster_id: Option<String>,
    /// The node id of the controller, or of some broker on clusters with KRaft; `None` while there is none.
    pub controller_id: Option<i32>,
    /// The brokers, by their ids.
    pub brokers: Vec<Node>,
}

impl KafkaAdminClient {
    /// Describes the cluster (KIP-700). Brokers before 2.8 are asked for their metadata instead.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`], with the failure of each address; [`ErrorKind::Authorization`].
    pub fn describe_cluster(&self) -> Result<ClusterDescription> {
        self.call(DESCRIBE, |admin, call| async move {
            let mut cluster = match admin.describe_cluster(call).await {
                Err(error) if error.kind() == ErrorKind::UnsupportedVersion => {
                    admin.cluster_of_metadata(call).await?
                }
                described => described?,
            };
            cluster.brokers.sort_unstable_by_key(|broker| broker.id);
            Ok(cluster)
        })
    }
}

impl Admin {
    async fn describe_cluster(&self, call: Call) -> Result<ClusterDescription> {
        let response: DescribeClusterResponse = self
            .ask_one(
                call,
                Route::Any,
                |_| Ok(DescribeClusterRequest::default()),
                |answer: &DescribeClusterResponse| {
                    verdict(answer.error_code, answer.error_message.as_deref(), DESCRIBE)
                },
            )
            .await?;
        Ok(ClusterDescription {
            cluster_id: Some(response.cluster_id),
            controller_id: Some(response.controller_id).filter(|&id| id >= 0),
            brokers: response
                .brokers
                .into_iter()
                .filter_map(|node| node_of(node.broker_id, &node.host, node.port, node.rack.as_deref()))
                .collect(),
        })
    }

    async fn cluster_of_metadata(&self, call: Call) -> Result<ClusterDescription> {
        let request = |at: &At| Ok(metadata_request(at.version, Some(Vec::new())));
        let response: MetadataResponse = self.ask_one(call, Route::Any, request, |_| Ok(())).await?;
        Ok(ClusterDescription {
            cluster_id: response.cluster_id,
            controller_id: Some(response.controller_id).filter(|&id| id >= 0),
            brokers: response
                .brokers
                .into_iter()
                .filter_map(|node| node_of(node.node_id, &node.host, node.port, node.rack.as_deref()))
                .collect(),
        })
    }
}

const DESCRIBE: &str = "describe the cluster";

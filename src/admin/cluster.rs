//! The cluster as a whole.

use super::{Admin, KafkaAdminClient, verdict};
use crate::error::{ErrorKind, Result};
use crate::protocol::messages::{DescribeClusterRequest, MetadataRequest};
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
        self.run(self.default_timeout(), "describe cluster", |admin, _| async move {
            let mut cluster = match admin.describe_cluster().await {
                Err(error) if error.kind() == ErrorKind::UnsupportedVersion => {
                    admin.cluster_of_metadata().await?
                }
                described => described?,
            };
            cluster.brokers.sort_unstable_by_key(|broker| broker.id);
            Ok(cluster)
        })
    }
}

impl Admin {
    async fn describe_cluster(&self) -> Result<ClusterDescription> {
        let response = self.to_any(|_| Ok(DescribeClusterRequest::default())).await?;
        verdict(response.error_code, response.error_message.as_deref(), "describe cluster")?;
        let broker = |id, host, port, rack| Some(Node { id, host, port: u16::try_from(port).ok()?, rack });
        Ok(ClusterDescription {
            cluster_id: Some(response.cluster_id),
            controller_id: Some(response.controller_id).filter(|&id| id >= 0),
            brokers: response
                .brokers
                .into_iter()
                .filter_map(|node| broker(node.broker_id, node.host, node.port, node.rack))
                .collect(),
        })
    }

    async fn cluster_of_metadata(&self) -> Result<ClusterDescription> {
        // Version 0 cannot ask for no topics: there, the empty list means all.
        let request = |_| Ok(MetadataRequest { topics: Some(Vec::new()), ..MetadataRequest::default() });
        let response = self.to_any(request).await?;
        let broker = |id, host, port, rack| Some(Node { id, host, port: u16::try_from(port).ok()?, rack });
        Ok(ClusterDescription {
            cluster_id: response.cluster_id,
            controller_id: Some(response.controller_id).filter(|&id| id >= 0),
            brokers: response
                .brokers
                .into_iter()
                .filter_map(|node| broker(node.node_id, node.host, node.port, node.rack))
                .collect(),
        })
    }
}

//! What controllers say of themselves, in the words of metadata (KIP-919).

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::error_code::ErrorCode;
use crate::net::connection::Connection;
use crate::protocol::messages::metadata::MetadataResponseBroker;
use crate::protocol::messages::{DescribeClusterRequest, MetadataResponse};

/// Asks a controller for all controllers.
pub(super) async fn describe(connection: &Connection, timeout: Duration) -> Result<MetadataResponse> {
    let version = connection.pick_version::<DescribeClusterRequest>(i16::MAX)?;
    if version < CONTROLLERS_SINCE {
        let text = "controllers can be asked from Kafka 3.7 on: use bootstrap.servers";
        return Err(Error::new(ErrorKind::UnsupportedVersion, text));
    }
    let request = DescribeClusterRequest { endpoint_type: CONTROLLERS, ..DescribeClusterRequest::default() };
    let response = connection.send_at(&request, version, timeout).await?;
    match response.error_code {
        code if code.is_ok() => {}
        ErrorCode::MISMATCHED_ENDPOINT_TYPE | ErrorCode::UNSUPPORTED_ENDPOINT_TYPE => {
            let text = format!(
                "node {} is a broker: bootstrap.controllers is for the addresses of controllers",
                connection.node()
            );
            return Err(Error::new(ErrorKind::Configuration, text).with_code(response.error_code));
        }
        code => return Err(Error::from_code(code, "describe cluster")),
    }
    let controllers = response.brokers.into_iter().map(|node| MetadataResponseBroker {
        node_id: node.broker_id,
        host: node.host,
        port: node.port,
        rack: node.rack,
    });
    Ok(MetadataResponse {
        brokers: controllers.collect(),
        cluster_id: Some(response.cluster_id),
        controller_id: response.controller_id,
        ..MetadataResponse::default()
    })
}

/// The version of DescribeCluster that tells of controllers.
const CONTROLLERS_SINCE: i16 = 1;

/// What DescribeCluster calls them.
const CONTROLLERS: i8 = 2;

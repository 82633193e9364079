//! What brokers speak.

use crate::admin::{Admin, At, Call, Item, KafkaAdminClient, Results, Route, verdict};
use crate::error::Result;
use crate::net::versions::ApiVersions;
use crate::protocol::ApiKey;
use crate::protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};

/// What a broker speaks.
#[derive(Clone, Debug)]
pub struct BrokerApiVersions {
    /// The versions of each API.
    pub versions: ApiVersions,
}

impl BrokerApiVersions {
    /// The newest release that a broker with these APIs can be, such as `4.1`; `None` for one older than 2.4 or
    /// unlike any. A guess: brokers do not tell their release. kafka-python's `get_broker_version_data`.
    pub fn release(&self) -> Option<&'static str> {
        let has =
            |(api, version): (ApiKey, i16)| self.versions.get(api).is_some_and(|range| range.max >= version);
        MARKS.iter().find(|(_, api, version)| has((*api, *version))).map(|(release, _, _)| *release)
    }
}

impl KafkaAdminClient {
    /// The APIs and versions that a broker speaks.
    ///
    /// # Errors
    /// [`ErrorKind::Connection`](crate::ErrorKind::Connection) for a broker that is not part of the cluster,
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout).
    pub fn broker_api_versions(&self, broker_id: i32) -> Result<BrokerApiVersions> {
        self.call(VERSIONS, move |admin, call| async move {
            let response = admin.api_versions(call, Route::Broker(broker_id), None).await?;
            Ok(BrokerApiVersions { versions: ApiVersions::from_response(&response) })
        })
    }

    /// The APIs and versions that each broker of the cluster speaks. Java has a tool for it, kafka-python's
    /// `api_versions` tells of one broker.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) when the cluster could not be reached, and for a broker
    /// that does not answer.
    pub fn api_versions(&self) -> Result<Results<i32, BrokerApiVersions>> {
        self.call(VERSIONS, move |admin, call| async move {
            let item = |node: crate::types::Node| Item::new(Route::Broker(node.id), node.id);
            let items = admin.brokers(call).await?.into_iter().map(item).collect();
            let read = |_: &At, response: ApiVersionsResponse, _: &[&i32]| {
                let judged = verdict(response.error_code, None, VERSIONS);
                vec![judged.map(|()| BrokerApiVersions { versions: ApiVersions::from_response(&response) })]
            };
            let results = admin.ask(call, items, |_, _| Ok(request()), read).await;
            Ok(results
                .into_iter()
                .map(|(id, result)| (id, result.map_err(|error| error.with_node(id))))
                .collect())
        })
    }
}

impl Admin {
    /// What a node says of itself, in at least the version that a feature needs.
    pub(in crate::admin) async fn api_versions(
        &self,
        call: Call,
        route: Route,
        needs: Option<(i16, &'static str)>,
    ) -> Result<ApiVersionsResponse> {
        let judge = |response: &ApiVersionsResponse| verdict(response.error_code, None, call.what);
        let request = |at: &At| {
            needs.map_or(Ok(()), |(version, feature)| at.need(version, feature))?;
            Ok(request())
        };
        self.ask_one(call, route, request, judge).await
    }
}

fn request() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: "kavka".to_owned(),
        client_software_version: env!("CARGO_PKG_VERSION").to_owned(),
        ..ApiVersionsRequest::default()
    }
}

/// The newest release first: what it was the first to offer, to all its clients. As the schemas of the releases
/// have it.
const MARKS: &[(&str, ApiKey, i16)] = &[
    ("4.4", ApiKey::UNREGISTER_CONTROLLER, 0),
    ("4.3", ApiKey::DESCRIBE_LOG_DIRS, 5),
    ("4.2", ApiKey::LIST_OFFSETS, 11),
    ("4.1", ApiKey::LIST_TRANSACTIONS, 2),
    ("4.0", ApiKey::LIST_OFFSETS, 10),
    ("3.9", ApiKey::LIST_OFFSETS, 9),
    ("3.8", ApiKey::LIST_GROUPS, 5),
    ("3.7", ApiKey::DESCRIBE_CLUSTER, 1),
    ("3.6", ApiKey::ADD_PARTITIONS_TO_TXN, 4),
    ("3.5", ApiKey::LIST_OFFSETS, 8),
    ("3.3", ApiKey::DESCRIBE_LOG_DIRS, 4),
    ("3.2", ApiKey::JOIN_GROUP, 9),
    ("3.1", ApiKey::METADATA, 12),
    ("3.0", ApiKey::LIST_OFFSETS, 7),
    ("2.8", ApiKey::DESCRIBE_CLUSTER, 0),
    ("2.7", ApiKey::DESCRIBE_USER_SCRAM_CREDENTIALS, 0),
    ("2.6", ApiKey::DESCRIBE_CLIENT_QUOTAS, 0),
    ("2.5", ApiKey::OFFSET_FETCH, 7),
    ("2.4", ApiKey::OFFSET_DELETE, 0),
];

const VERSIONS: &str = "ask for API versions";

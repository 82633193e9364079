//! Which resources have options.

use super::{ConfigResource, ConfigResourceType};
use crate::admin::{At, KafkaAdminClient, Route, verdict};
use crate::error::Result;
use crate::protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};

impl KafkaAdminClient {
    /// The resources of these types that have options, sorted; of all types without any (KIP-1142).
    ///
    /// Needs Kafka 4.1; for [`ClientMetrics`](ConfigResourceType::ClientMetrics) alone, Java's
    /// `listClientMetricsResources`, 3.7.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout), [`ErrorKind::Authorization`](crate::ErrorKind),
    /// [`ErrorKind::UnsupportedVersion`](crate::ErrorKind::UnsupportedVersion).
    pub fn list_config_resources(
        &self,
        resource_types: impl IntoIterator<Item = ConfigResourceType>,
    ) -> Result<Vec<ConfigResource>> {
        let types: Vec<ConfigResourceType> = resource_types.into_iter().collect();
        self.call(LIST, move |admin, call| async move {
            let request = |at: &At| {
                if types != [ConfigResourceType::ClientMetrics] {
                    at.need(1, "listing other resources than client metrics (KIP-1142)")?;
                }
                let codes = types.iter().map(|kind| kind.code()).filter(|_| at.version >= 1);
                Ok(ListConfigResourcesRequest { resource_types: codes.collect() })
            };
            let judge = |response: &ListConfigResourcesResponse| verdict(response.error_code, None, LIST);
            let response = admin.ask_one(call, Route::Any, request, judge).await?;
            let resources = response.config_resources.into_iter().map(|found| ConfigResource {
                resource_type: ConfigResourceType::from_code(found.resource_type),
                name: found.resource_name,
            });
            let mut resources: Vec<ConfigResource> = resources.collect();
            resources.sort_unstable();
            Ok(resources)
        })
    }
}

const LIST: &str = "list config resources";

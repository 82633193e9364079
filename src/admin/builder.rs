//! How an admin client is made.

use std::cell::OnceCell;

use super::{Admin, KafkaAdminClient};
use crate::cluster::{Cluster, ClusterMetadata};
use crate::config::tables::*;
use crate::config::{AdminConfig, Client, Faults};
use crate::error::Result;
use crate::metrics::Registry;
use crate::net::bridge::IoThread;
use crate::net::chain::{self, network_methods};
use crate::net::clock::Clock;
use crate::net::manager::Manager;

/// Options of an admin client, by methods or by Kafka's property names; see [`KafkaAdminClient::builder`].
#[must_use = "nothing is connected before build()"]
#[derive(Default)]
pub struct AdminBuilder {
    config: AdminConfig,
    faults: Faults,
}

impl AdminBuilder {
    common_options!(builder_methods!(CommonConfig));
    admin_options!(builder_methods!(AdminConfig));
    string_methods!();
    network_methods!();

    /// Starts the client's IO thread. Connects when the first call needs it.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration), with every fault of the options at once.
    pub fn build(mut self) -> Result<KafkaAdminClient> {
        let connector = chain::prepare(&self.config.common, &mut self.faults);
        let config = self.config.finish(self.faults)?;
        let clock = Clock::system();
        let view = ClusterMetadata::default();
        let metrics = Registry::for_client(Client::Admin, &config.common);
        let io = IoThread::start(format!("kavka-io-{}", config.common.client_id), clock, {
            let (config, view, metrics) = (config.clone(), view.clone(), metrics.clone());
            move |net| {
                let manager =
                    Manager::with_connector(net, &config.common, &config.common.client_id, connector);
                manager.report_to(&metrics);
                let cluster = if config.bootstrap_controllers.is_empty() {
                    // An admin client asks for topics by requests of its own, which create none.
                    Cluster::new(manager, &config.common, false, view)?
                } else {
                    Cluster::of_controllers(manager, &config.common, &config.bootstrap_controllers, view)?
                };
                Ok(Admin { cluster, config, instance_id: OnceCell::new() })
            }
        })?;
        Ok(KafkaAdminClient::new(config, clock, view, metrics, io))
    }
}

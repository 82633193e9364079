//! The admin client's options.

use super::{Address, Client, CommonConfig, Faults};

/// The options that only the admin client has.
macro_rules! admin_options {
    ($callback:ident!($($args:tt)*)) => {
        $callback! {
            [$($args)*]

            /// The controllers of a KRaft cluster, to be talked to instead of brokers (KIP-919): `host:port` each.
            /// For what has to work while brokers cannot, such as the quorum and the registrations of brokers. Not
            /// together with `bootstrap_servers`; needs Kafka 3.7. Kafka's own: kafka-python does not have it.
            /// Defaults to none.
            bootstrap_controllers: Vec<String> = Vec::new(), "bootstrap.controllers", "bootstrap_controllers";
        }
    };
}
pub(crate) use admin_options;

admin_options!(emit_struct!(
    /// The options of an admin client.
    AdminConfig,
    /// The options that all clients have.
    common: CommonConfig
));
client_config!(AdminConfig, Client::Admin);

impl AdminConfig {
    /// Reports values out of their bounds, and options that contradict each other.
    pub fn check(&self, faults: &mut Faults) {
        self.common.check(faults);
        self.check_bounds(faults);
        if self.bootstrap_controllers.is_empty() {
            return;
        }
        for controller in &self.bootstrap_controllers {
            if let Err(error) = controller.parse::<Address>() {
                faults.push(error.to_string().replacen("bootstrap.servers", "bootstrap.controllers", 1));
            }
        }
        if self.common.is_explicit("bootstrap_servers") {
            faults.push("bootstrap.servers and bootstrap.controllers exclude each other: leave one out");
        }
    }

    fn settle(&mut self) {
        self.common.settle(Client::Admin);
    }
}

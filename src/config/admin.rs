//! The admin client's options.

use super::{Client, CommonConfig, Faults, OptionInfo};

/// The options that only the admin client has: none so far, as in kafka-python.
#[allow(unused_macros, reason = "for the clients' builders")]
macro_rules! admin_options {
    ($callback:ident!($($args:tt)*)) => {};
}
pub(crate) use admin_options;

/// The options of an admin client.
#[derive(Clone, Debug, Default)]
pub struct AdminConfig {
    /// The options that all clients have.
    pub common: CommonConfig,
}
client_config!(AdminConfig, Client::Admin);

impl AdminConfig {
    /// The options that only the admin client has.
    pub const OPTIONS: &'static [OptionInfo] = &[];

    /// Reports values out of their bounds, and options that contradict each other.
    pub fn check(&self, faults: &mut Faults) {
        self.common.check(faults);
    }

    fn set_own(&mut self, _key: &str, _value: &str) -> Option<Result<(), String>> {
        None
    }

    fn settle(&mut self) {
        self.common.settle(Client::Admin);
    }
}

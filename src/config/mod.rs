//! The clients' options.
//!
//! Each option is declared once, as a row of a table: field, type, default, Kafka's property name,
//! kafka-python's name, bounds. From the same rows come the config structs, the builders' methods, the string
//! form (`.set("linger.ms", "5")`, properties files), the checks, and the lists that documents are made from.
//!
//! Values are typed: a time is a [`Duration`](std::time::Duration) in Rust and whole milliseconds in strings; a
//! size is a number of bytes. A builder collects every fault and reports all of them in one error.

#[macro_use]
mod table;
mod admin;
mod argument;
mod assignor;
mod common;
mod consumer;
mod credentials;
mod enums;
mod faults;
mod hooks;
mod info;
mod jaas;
mod known;
mod login;
mod offset_reset;
mod producer;
mod properties;
mod server;
mod value;

#[cfg(test)]
mod tests;

pub use admin::AdminConfig;
pub use argument::Argument;
pub use assignor::{
    Assignor, GroupAssignment, GroupMember, GroupTopic, GroupTopics, LastAssignment, PartitionAssignor,
};
pub use common::CommonConfig;
pub use consumer::ConsumerConfig;
pub use credentials::{
    AwsCredentials, AwsCredentialsProvider, Credentials, CredentialsProvider, OAuthToken, OAuthTokenProvider,
    Provider,
};
pub use enums::{
    Acks, CompressionType, DnsLookup, GroupProtocol, HostnameCheck, IsolationLevel, PartitionerClass,
    RecoveryStrategy, SaslMechanism, SecurityProtocol, SslBackend, StoreType, TlsVersion,
};
pub use faults::Faults;
pub use hooks::Hooks;
pub use info::{Client, OptionInfo, markdown_table};
#[cfg(feature = "json")]
pub(crate) use known::nearest;
pub use login::{
    Assertion, Aws, Extensions, Grant, Kerberos, Login, Oidc, TokenSource, Unsecured, UserPassword,
};
pub use offset_reset::AutoOffsetReset;
pub use producer::ProducerConfig;
pub use properties::Properties;
pub use server::Address;
pub use value::{BrokerVersion, OptionValue, Secret, SecretBytes};

/// The tables, and what builders make of them.
#[allow(unused_imports, reason = "each client's builder takes the tables that it needs")]
pub(crate) mod tables {
    pub(crate) use super::admin::admin_options;
    pub(crate) use super::common::common_options;
    pub(crate) use super::consumer::consumer_options;
    pub(crate) use super::producer::producer_options;
    pub(crate) use super::rows::*;
    pub(crate) use super::table::{builder_methods, string_methods};
}

/// The names that the rows of the tables use.
mod rows {
    pub(crate) use std::path::PathBuf;
    pub(crate) use std::time::Duration;

    pub(crate) use super::assignor::Assignor;
    pub(crate) use super::credentials::{
        AwsCredentialsProvider, CredentialsProvider, OAuthTokenProvider, Provider,
    };
    pub(crate) use super::enums::{
        Acks, CompressionType, DnsLookup, GroupProtocol, HostnameCheck, IsolationLevel, PartitionerClass,
        RecoveryStrategy, SaslMechanism, SecurityProtocol, SslBackend, StoreType, TlsVersion,
    };
    pub(crate) use super::offset_reset::AutoOffsetReset;
    pub(crate) use super::value::{BrokerVersion, Secret, SecretBytes};
}

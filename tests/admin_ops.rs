//! Groups, access, quotas, transactions and tokens on a real Apache Kafka: what kavka does and sees is what Kafka's
//! own tools and kafka-python see. Faults, and brokers that lack something, on the mock.

#[path = "admin_ops/faults.rs"]
mod faults;
#[path = "admin_ops/groups.rs"]
mod groups;
#[path = "admin_ops/offsets.rs"]
mod offsets;
#[path = "admin_ops/raw.rs"]
mod raw;
#[path = "admin_ops/security.rs"]
mod security;
mod support;
#[path = "admin_ops/transactions.rs"]
mod transactions;

use std::sync::OnceLock;
use std::time::Duration;

use kavka::{ErrorCode, KafkaAdminClient};
use support::kafka::Cluster;

const PATIENCE: Duration = Duration::from_secs(60);

fn admin(servers: &str) -> KafkaAdminClient {
    KafkaAdminClient::builder().bootstrap_servers(servers).build().expect("valid options")
}

/// Each item's outcome: `None` for success.
fn codes<K, T>(results: &[(K, kavka::Result<T>)]) -> Vec<Option<ErrorCode>> {
    results
        .iter()
        .map(|(_, result)| result.as_ref().err().map(|error| error.code().unwrap_or_default()))
        .collect()
}

/// The only result.
#[track_caller]
fn only<K: std::fmt::Debug, T: std::fmt::Debug>(results: Vec<(K, kavka::Result<T>)>) -> kavka::Result<T> {
    assert_eq!(results.len(), 1, "{results:?}");
    results.into_iter().next().expect("one").1
}

/// One broker with logins, access control and delegation tokens, and where nobody hinders transactions that hang.
fn secure() -> &'static Cluster {
    static SECURE: OnceLock<Cluster> = OnceLock::new();
    SECURE.get_or_init(|| {
        Cluster::start(1, |config| {
            config
                .listener("CLIENT", "SASL_PLAINTEXT")
                .set("listener.name.client.sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512")
                .set(
                    "listener.name.client.plain.sasl.jaas.config",
                    "org.apache.kafka.common.security.plain.PlainLoginModule required user_root=\"secret\";",
                )
                .set("listener.name.client.scram-sha-256.sasl.jaas.config", SCRAM)
                .set("listener.name.client.scram-sha-512.sasl.jaas.config", SCRAM)
                .set("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer")
                .set("super.users", "User:ANONYMOUS;User:root")
                .set("delegation.token.secret.key", "a secret of the brokers")
                .set("transaction.partition.verification.enable", false);
        })
    })
}

const SCRAM: &str = "org.apache.kafka.common.security.scram.ScramLoginModule required;";

//! What the examples share: where their brokers come from.
#![allow(dead_code, reason = "each example uses a part of it")]

use kavka::admin::NewTopic;
use kavka::mock::MockCluster;
use kavka::{ErrorCode, KafkaAdminClient};

/// The brokers of an example.
pub(crate) struct Brokers {
    /// For `bootstrap_servers`.
    pub(crate) servers: String,
    /// The brokers inside this process, unless a real Kafka was named. They live as long as this does.
    pub(crate) mock: Option<MockCluster>,
}

/// The Kafka that `--bootstrap HOST:PORT` names; without it, brokers inside this process.
pub(crate) fn brokers() -> kavka::Result<Brokers> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => {}
        [option, servers] if option == "--bootstrap" => {
            return Ok(Brokers { servers: servers.clone(), mock: None });
        }
        _ => {
            eprintln!("usage: [-- --bootstrap HOST:PORT]");
            std::process::exit(2);
        }
    }
    let mock = MockCluster::start()?;
    Ok(Brokers { servers: mock.bootstrap_servers(), mock: Some(mock) })
}

impl Brokers {
    /// Creates a topic, unless it is there already.
    pub(crate) fn create_topic(&self, name: &str, partitions: i32) -> kavka::Result<()> {
        let admin = KafkaAdminClient::builder().bootstrap_servers(&self.servers).build()?;
        for (_, result) in admin.create_topics([NewTopic::new(name).partitions(partitions)])? {
            match result {
                Err(error) if error.code() != Some(ErrorCode::TOPIC_ALREADY_EXISTS) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

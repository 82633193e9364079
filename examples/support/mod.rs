//! What the examples share: where their brokers come from.
#![allow(dead_code, reason = "each example uses a part of it")]

use kavka::admin::NewTopic;
use kavka::mock::MockCluster;
use kavka::{ErrorCode, KafkaAdminClient};

/// The brokers of an example.
pub struct Brokers {
    /// For `bootstrap_servers`.
    pub servers: String,
    /// The brokers inside this process, unless a real Kafka was named. They live as long as this does.
    pub mock: Option<MockCluster>,
}

/// The Kafka that `--bootstrap HOST:PORT` names; without it, brokers inside this process.
pub fn brokers() -> kavka::Result<Brokers> {
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), arguments.next()) {
            ("-b" | "--bootstrap", Some(servers)) => return Ok(Brokers { servers, mock: None }),
            _ => {
                eprintln!("usage: [-- --bootstrap HOST:PORT]");
                std::process::exit(2);
            }
        }
    }
    let mock = MockCluster::start()?;
    Ok(Brokers { servers: mock.bootstrap_servers(), mock: Some(mock) })
}

impl Brokers {
    /// Creates a topic, unless it is there already.
    pub fn create_topic(&self, name: &str, partitions: i32) -> kavka::Result<()> {
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

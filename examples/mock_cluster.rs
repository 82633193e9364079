//! Runs mock brokers for other programs to talk to, until standard input ends. The lines `kill 1` and `restart 1`
//! there do that to a broker.
//!
//! `cargo run --example mock_cluster --features mock -- [brokers] [versions] [topic:partitions]…`, where
//! `versions` is one of the names of [`VersionTable::named`], such as `newest` or `2.1`.

use std::io::BufRead;

use kavka::mock::{MockCluster, VersionTable};

fn main() -> kavka::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let brokers = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1);
    let versions = arguments.next().unwrap_or_else(|| "newest".to_owned());
    let Some(table) = VersionTable::named(&versions) else {
        return Err(kavka::Error::new(kavka::ErrorKind::InvalidArgument, format!("no versions {versions}")));
    };
    let mut builder = MockCluster::builder().brokers(brokers).versions(table);
    for topic in arguments {
        let (name, partitions) = topic.split_once(':').unwrap_or((&topic, "1"));
        builder = builder.topic(name, partitions.parse().unwrap_or(1));
    }
    let cluster = builder.start()?;
    println!("{}", cluster.bootstrap_servers());
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let done = match line.split_once(' ').map(|(verb, broker)| (verb, broker.parse().unwrap_or(0))) {
            Some(("kill", broker)) => cluster.kill(broker),
            Some(("restart", broker)) => cluster.restart(broker),
            _ => {
                println!("kill or restart, and a broker");
                Ok(())
            }
        };
        if let Err(error) = done {
            println!("{error}");
        }
    }
    for topic in cluster.topics() {
        for partition in 0..cluster.partitions(&topic) {
            println!("{topic}-{partition}: {} records", cluster.records(&topic, partition).len());
        }
    }
    Ok(())
}

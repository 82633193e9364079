//! Runs mock brokers for other programs to talk to, until standard input ends.
//!
//! `cargo run --example mock_cluster --features mock -- [brokers] [topic:partitions]…`

use std::io::Read;

use kavka::mock::MockCluster;

fn main() -> kavka::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let brokers = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut builder = MockCluster::builder().brokers(brokers);
    for topic in arguments {
        let (name, partitions) = topic.split_once(':').unwrap_or((&topic, "1"));
        builder = builder.topic(name, partitions.parse().unwrap_or(1));
    }
    let cluster = builder.start()?;
    println!("{}", cluster.bootstrap_servers());
    // Nothing is expected there: its end is the sign to stop.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    for topic in cluster.topics() {
        for partition in 0..cluster.partitions(&topic) {
            println!("{topic}-{partition}: {} records", cluster.records(&topic, partition).len());
        }
    }
    Ok(())
}

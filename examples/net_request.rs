//! The networking layer alone: one IO thread, one pool of connections, one typed request.
//!
//! For programs that build a client of their own. `cargo run --example net_request --features mock
//! [-- --bootstrap HOST:PORT]`

mod support;

use std::time::Duration;

use kavka::config::CommonConfig;
use kavka::net::bridge::IoThread;
use kavka::net::clock::Clock;
use kavka::net::manager::{Manager, NodeId};
use kavka::protocol::messages::MetadataRequest;

fn main() -> kavka::Result<()> {
    let brokers = support::brokers()?;
    let Some(address) = brokers.servers.split(',').next().map(str::parse).transpose()? else {
        return Ok(());
    };

    // What is built here lives on the IO thread and never leaves it.
    let clock = Clock::system();
    let io = IoThread::start("example-io", clock, move |net| {
        let manager = Manager::new(net, &CommonConfig::default(), "example")?;
        manager.set_node(NodeId::Bootstrap(0), address);
        Ok(manager)
    })?;

    // The closure runs there, too; its value comes back to this thread. The manager connects, finds the version
    // that both sides know, and matches the answer to the request.
    let deadline = clock.deadline(Duration::from_secs(10));
    let metadata = io.run(deadline, "metadata", |manager| async move {
        let request = MetadataRequest { topics: None, ..MetadataRequest::default() };
        manager.send(NodeId::Bootstrap(0), &request).await
    })?;

    println!("cluster {:?}, {} topics", metadata.cluster_id, metadata.topics.len());
    for broker in metadata.brokers {
        println!("broker {} at {}:{}", broker.node_id, broker.host, broker.port);
    }
    io.shutdown(Duration::from_secs(5));
    Ok(())
}

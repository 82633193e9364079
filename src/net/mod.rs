//! The networking layer that the three clients share, public for programs that build their own client on it.
//!
//! One thread runs an event loop, and everything that talks to a broker is a straight-line `async fn` on it; the
//! program's threads call in by a bridge and block. No async runtime is needed.
//!
//! | from below | does |
//! |---|---|
//! | [`clock`], [`event_loop`], [`wakeup`] | tasks, timers and sockets of one thread, and signals to it |
//! | [`inet`], [`proxy`] ([`socks5`], [`http_connect`]), [`tls`] | a stream to an address; [`chain`] puts together what the options ask for |
//! | [`transport`] | frames on a stream, and a queue before it |
//! | [`connection`], [`versions`] | requests, answers, versions, and the login ([`sasl`]) of one connection |
//! | [`manager`], [`backoff`] | the pool: which node is where, pauses after failures |
//! | [`bridge`], [`helper`] | from other threads to the loop, and from the loop to threads that may block |
//! | [`meter`] | what is measured |
//!
//! What one can build on it, each with an example in the repository:
//!
//! | to | start with | example |
//! |---|---|---|
//! | send any request, typed, with versions, timeouts and reconnects looked after | [`Manager`](manager::Manager) in an [`IoThread`](bridge::IoThread) | `net_request` |
//! | send requests that are bytes or JSON | [`Connection::send_bytes`](connection::Connection::send_bytes) and `protocol::json` | the command `kavka api` |
//! | know the cluster, too: leaders, metadata | [`Cluster`](crate::cluster::Cluster) | the command `kavka api` |
//! | run a protocol of one's own on the loop | [`chain::connector`], [`Transport`](transport::Transport) | `net_protocol` |
//! | go through a proxy of one's own | the builders' `register_proxy`, [`inet::Connector`] | `proxy` |
//! | log in by a mechanism of one's own | [`sasl::Mechanism`], [`connection::LoginOptions`] | |
//! | use the messages alone, on any socket | [`protocol`](crate::protocol) | `net_wire` |
//!
//! ```
//! use std::time::Duration;
//! use kavka::config::CommonConfig;
//! use kavka::net::bridge::IoThread;
//! use kavka::net::clock::Clock;
//! use kavka::net::manager::{Manager, NodeId};
//! use kavka::protocol::messages::DescribeClusterRequest;
//! # let cluster = kavka::mock::MockCluster::start()?;
//! # let address = cluster.bootstrap_servers().parse()?;
//!
//! // What is built in the closure lives on the IO thread and never leaves it.
//! let io = IoThread::start("my-io", Clock::system(), move |net| {
//!     let manager = Manager::new(net, &CommonConfig::default(), "my-client")?;
//!     manager.set_node(NodeId::Bootstrap(0), address);
//!     Ok(manager)
//! })?;
//! let deadline = Clock::system().deadline(Duration::from_secs(10));
//! let described = io.run(deadline, "describe the cluster", |manager| async move {
//!     manager.send(NodeId::Bootstrap(0), &DescribeClusterRequest::default()).await
//! })?;
//! assert_eq!(described.brokers.len(), 1);
//! # Ok::<(), kavka::Error>(())
//! ```
//!
//! Time, sockets, names and randomness are reached through [`event_loop::Net`] and [`clock::Clock`] alone.

pub mod backoff;
pub mod bridge;
pub mod chain;
pub mod clock;
pub mod connection;
pub mod event_loop;
pub mod helper;
pub mod http_connect;
pub mod inet;
pub mod manager;
pub mod meter;
pub(crate) mod process;
pub mod proxy;
pub mod sasl;
pub mod socks5;
pub mod tls;
pub mod transport;
pub mod versions;
pub mod wakeup;

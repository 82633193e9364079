//! The networking layer that the three clients share, public for programs that build their own client on it.
//!
//! From below: [`event_loop`] runs tasks, timers and sockets on one thread; [`inet`] turns names into sockets;
//! [`proxy`] and [`tls`] go on top of those, and [`chain`] puts all of it together;
//! [`transport`] moves frames; [`connection`] matches answers to requests; [`manager`] is the pool of
//! connections; [`bridge`] lets other threads call in.

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
pub mod proxy;
pub mod sasl;
pub mod socks5;
pub mod tls;
pub mod transport;
pub mod versions;
pub mod wakeup;

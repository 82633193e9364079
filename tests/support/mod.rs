//! What the integration tests share.
// Each test binary compiles all of this and uses its own part of it, and what is `pub` here is so for the
// test beside it. Waiting for another process means clocks and sleeps, which kavka's own code may not use.
#![allow(dead_code, unreachable_pub, clippy::disallowed_methods)]

#[cfg(feature = "real-kafka")]
pub mod audit;
#[cfg(feature = "real-kafka")]
pub mod certificates;
#[cfg(feature = "real-kafka")]
pub mod kafka;
#[cfg(feature = "real-kafka")]
pub mod kdc;
pub mod logs;
#[cfg(all(feature = "real-kafka", feature = "oidc"))]
pub mod openid;
pub mod outages;
#[cfg(feature = "real-kafka")]
pub mod peers;
#[cfg(feature = "real-kafka")]
pub mod process;
#[cfg(feature = "real-kafka")]
pub mod wire;

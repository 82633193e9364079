//! The consumer: records out of partitions, alone or as a member of a group.
//!
//! Two sides and one channel between them. The program's side is plain structs used through `&mut self`: which
//! partitions, where in them, what to hand out next ([`subscription`](self), `core`). The IO thread's side
//! fetches ahead, keeps the member in its group and commits. What it finds out comes as events by one channel,
//! so that `poll()` waits in one place, with one deadline.

mod assignors;
mod async_listener;
mod buffer;
mod builder;
mod chunks;
mod client;
mod commits;
mod core;
mod event;
mod failure;
mod fetcher;
mod group;
mod interceptor;
mod io;
mod listener;
mod lookups;
mod membership;
mod offsets;
mod pattern;
mod poll;
mod positions;
#[cfg(test)]
mod races;
mod reader;
mod record;
mod reset;
mod sensors;
mod session;
mod shape;
mod status;
mod subscribe;
mod subscription;
mod waker;

pub use async_listener::{AsyncConsumerRebalanceListener, AsyncRebalanceContext};
pub use builder::ConsumerBuilder;
pub use client::{CloseOptions, GroupMembership, KafkaConsumer};
pub use failure::{DeserializationFailure, RecordPart};
pub use interceptor::ConsumerInterceptor;
pub use listener::{ConsumerRebalanceListener, RebalanceContext};
pub use pattern::SubscriptionPattern;
pub use poll::Iter;
pub use record::{ConsumerRecord, ConsumerRecords};
pub use reset::{PositionReset, ResetCause};
pub use status::{Blocked, ConsumerStatus, GroupStatus, MemberState, PartitionStatus};
pub use subscribe::Subscription;
pub use waker::ConsumerWaker;

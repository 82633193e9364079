//! What to subscribe to, and whom to tell of it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::async_listener::AsyncConsumerRebalanceListener;
use super::listener::{ConsumerRebalanceListener, Listener};
use super::pattern::{SubscriptionPattern, TopicPattern};
use super::subscription::Selection;
use crate::error::Result;
use crate::types::check_topic_name;

/// What a consumer subscribes to, for [`KafkaConsumer::subscribe_to`](super::KafkaConsumer::subscribe_to).
///
/// ```
/// use kavka::consumer::Subscription;
/// use kavka::KafkaConsumer;
/// # let cluster = kavka::mock::MockCluster::builder().topic("orders-eu", 3).start()?;
/// # let servers = cluster.bootstrap_servers();
///
/// let mut consumer = KafkaConsumer::builder().bootstrap_servers(servers).group_id("billing").build()?;
/// consumer.subscribe_to(Subscription::pattern("orders-.*"))?;
/// # Ok::<(), kavka::Error>(())
/// ```
#[must_use = "give it to subscribe_to()"]
pub struct Subscription {
    selection: Result<Selection>,
    listener: Option<Listener>,
}

impl Subscription {
    /// These topics.
    pub fn topics<T: AsRef<str>>(topics: impl IntoIterator<Item = T>) -> Self {
        let name = |topic: T| -> Result<Arc<str>> {
            check_topic_name(topic.as_ref())?;
            Ok(Arc::from(topic.as_ref()))
        };
        let topics: Result<BTreeSet<Arc<str>>> = topics.into_iter().map(name).collect();
        Self { selection: topics.map(Selection::Topics), listener: None }
    }

    /// All topics whose whole name matches a regular expression, those that are yet to come too. The client looks
    /// at it: in the syntax of the `regex-lite` crate, and again whenever the metadata is refreshed
    /// (`metadata_max_age`). Kafka's own topics are left out, unless `exclude_internal_topics` is off.
    pub fn pattern(pattern: impl AsRef<str>) -> Self {
        let pattern = TopicPattern::new(pattern.as_ref());
        Self {
            selection: pattern.map(|pattern| Selection::Pattern(pattern, BTreeSet::new())),
            listener: None,
        }
    }

    /// As [`pattern`](Self::pattern), but the group's coordinator looks at it, so that this client need not know
    /// all topics of the cluster. Needs `group_protocol=consumer` and Kafka 4.0.
    pub fn remote_pattern(pattern: impl Into<SubscriptionPattern>) -> Self {
        let pattern: SubscriptionPattern = pattern.into();
        Self { selection: Ok(Selection::Remote(pattern.as_str().to_owned())), listener: None }
    }

    /// Whom to tell of rebalances.
    pub fn listener(mut self, listener: impl ConsumerRebalanceListener + 'static) -> Self {
        self.listener = Some(Listener::Sync(Box::new(listener)));
        self
    }

    /// Whom to tell of rebalances, by `async` methods.
    pub fn async_listener(mut self, listener: impl AsyncConsumerRebalanceListener) -> Self {
        self.listener = Some(Listener::Async(Box::new(listener)));
        self
    }

    pub(super) fn into_parts(self) -> Result<(Selection, Option<Listener>)> {
        Ok((self.selection?, self.listener))
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("selection", &self.selection).finish_non_exhaustive()
    }
}

//! Where a partition stands, for the program to see why nothing is coming.

use std::time::{Duration, Instant};

use super::super::event::Slot;
use super::super::status::{Blocked, Fetched};
use super::{Fetcher, Fetching};
use crate::config::IsolationLevel;
use crate::error::{Error, ErrorKind};
use crate::error_code::ErrorCode;
use crate::net::manager::NodeId;
use crate::types::TopicPartition;

/// What the last answer told of a partition's log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log {
    high_watermark: i64,
    last_stable_offset: i64,
    at: Instant,
    /// Since when the last stable offset has been where it is, below the high watermark.
    held_since: Option<Instant>,
}

impl Log {
    pub(super) fn new(
        high_watermark: i64,
        last_stable_offset: i64,
        before: Option<Self>,
        now: Instant,
    ) -> Self {
        let same = before.filter(|before| before.last_stable_offset == last_stable_offset);
        let held = last_stable_offset < high_watermark;
        let held_since = held.then(|| same.and_then(|before| before.held_since).unwrap_or(now));
        Self { high_watermark, last_stable_offset, at: now, held_since }
    }
}

impl Fetcher {
    pub(in crate::consumer) fn look(&self, slot: Slot, tp: &TopicPartition) -> Fetched {
        let now = self.0.cluster.net().now();
        let partitions = self.0.partitions.borrow();
        let fetching = partitions.get(&slot.index).filter(|partition| partition.tp == *tp);
        let leader = self.0.cluster.leader(tp.topic(), tp.partition()).map(|(node, _)| node);
        let node = fetching.map_or(leader, |partition| self.node_of(partition, now));
        let log = fetching.and_then(|partition| partition.log);
        let leaders = self.0.leaders.borrow();
        let answered_at = node.and_then(|node| leaders.get(&node)?.answered_at);
        let blocked = self.obstacle(tp, node, now);
        let blocked = blocked.or_else(|| self.why_not(fetching?, node?, now));
        Fetched {
            leader,
            node,
            high_watermark: log.map(|log| log.high_watermark),
            last_stable_offset: log.map(|log| log.last_stable_offset),
            last_fetch: log.map(|log| {
                // Within a session, an answer leaves out what has nothing new.
                let asked = fetching.is_some_and(|partition| !partition.paused && !partition.resting);
                let at = answered_at.filter(|_| asked).map_or(log.at, |at| at.max(log.at));
                now.saturating_duration_since(at)
            }),
            blocked,
        }
    }

    /// What stands between the client and the node.
    fn obstacle(&self, tp: &TopicPartition, node: Option<i32>, now: Instant) -> Option<Blocked> {
        let (cluster, manager) = (&self.0.cluster, self.0.cluster.manager());
        let view = cluster.snapshot();
        if view.version() == 0 {
            return Some(Blocked::NoCluster { error: cluster.obstacle() });
        }
        if let Some(topic) = view.topic(tp.topic()) {
            if topic.error == ErrorCode::TOPIC_AUTHORIZATION_FAILED {
                let error = Error::from_code(topic.error, "metadata").with_topic(tp.topic());
                return Some(Blocked::Unauthorized { error });
            }
        }
        if view.partition(tp.topic(), tp.partition()).is_none() {
            return Some(Blocked::UnknownTopic { lasting: None });
        }
        let Some(node) = node else { return Some(Blocked::NoLeader) };
        let id = NodeId::Broker(node);
        let Some(connection) = manager.connected(id) else {
            let unknown = || {
                let text = "the cluster's metadata names it as the leader, and does not say where it is";
                manager.address(id).is_none().then(|| Error::new(ErrorKind::Connection, text))
            };
            let error = manager.refusal(id).or_else(|| manager.last_error(id)).or_else(unknown);
            return Some(Blocked::Unreachable { node, error });
        };
        let until = connection.throttled_until()?;
        Some(Blocked::Throttled { node, left: until.saturating_duration_since(now) })
    }

    /// Why nothing comes of a partition whose node can be reached.
    fn why_not(&self, partition: &Fetching, node: i32, now: Instant) -> Option<Blocked> {
        if partition.validating {
            return Some(Blocked::Validating);
        }
        if let Some(trouble) = partition.shared.trouble() {
            let is_unknown = trouble.is_unknown();
            let (error, lasting) = (trouble.error, now.saturating_duration_since(trouble.since));
            return Some(match error.kind() {
                _ if is_unknown => Blocked::UnknownTopic { lasting: Some(lasting) },
                ErrorKind::Authorization => Blocked::Unauthorized { error },
                _ => Blocked::Refused { error, lasting },
            });
        }
        if partition.resting {
            // What it rests for waits for the program to come by.
            return Some(Blocked::WaitingForProgram);
        }
        if self.0.budget.is_full() {
            let (bytes, limit) = self.0.budget.waiting();
            return Some(Blocked::BufferFull { bytes, limit });
        }
        let asked = self.0.leaders.borrow().get(&node).and_then(|leader| leader.asked_at);
        let lasting = asked.map(|at| now.saturating_duration_since(at)).unwrap_or_default();
        if lasting > self.0.config.fetch_max_wait + ANSWER_GRACE {
            return Some(Blocked::NoAnswer { node, lasting });
        }
        let log = partition.log?;
        let committed = self.0.config.isolation_level == IsolationLevel::ReadCommitted;
        let end = if committed { log.last_stable_offset } else { log.high_watermark };
        if partition.offset < end {
            return None;
        }
        Some(match log.held_since.filter(|_| committed) {
            Some(since) => Blocked::Held {
                last_stable_offset: log.last_stable_offset,
                high_watermark: log.high_watermark,
                lasting: now.saturating_duration_since(since),
            },
            None => Blocked::AtEnd,
        })
    }
}

/// How much later than it was asked for an answer may come and not be worth mentioning.
const ANSWER_GRACE: Duration = Duration::from_millis(500);

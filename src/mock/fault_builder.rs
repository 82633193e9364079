//! How tests say what goes wrong.

use std::fmt;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::error_code::ErrorCode;
use crate::net::bridge::Remote;
use crate::protocol::ApiKey;

use super::MockCluster;
use super::faults::{Action, Outcome, Rule};
use super::state::Cluster;

/// Says which requests a fault meets; the last call says what happens to them. Begun by [`MockCluster::on`].
///
/// Unless told otherwise the fault happens once. Requests are counted from the moment at which the fault was
/// made, and only those that match API, broker and partition. Several faults may meet one request.
///
/// ```
/// use std::time::Duration;
/// use kavka::ErrorCode;
/// use kavka::mock::MockCluster;
/// use kavka::protocol::ApiKey;
///
/// let cluster = MockCluster::start()?;
/// cluster.on(ApiKey::FETCH).broker(1).always().delay(Duration::from_millis(20));
/// let lost = cluster.on(ApiKey::PRODUCE).nth(2..=3).drop_after();
/// cluster.on(ApiKey::HEARTBEAT).error(ErrorCode::REBALANCE_IN_PROGRESS);
/// assert_eq!(lost.hits(), 0);
/// # Ok::<(), kavka::Error>(())
/// ```
#[must_use = "the last call says what goes wrong"]
pub struct FaultBuilder<'a> {
    cluster: &'a MockCluster,
    api: Option<ApiKey>,
    broker: Option<i32>,
    partition: Option<(String, i32)>,
    nth: RangeInclusive<u64>,
}

impl<'a> FaultBuilder<'a> {
    pub(super) fn new(cluster: &'a MockCluster, api: Option<ApiKey>) -> Self {
        Self { cluster, api, broker: None, partition: None, nth: 1..=1 }
    }

    /// Only requests to one broker.
    pub fn broker(mut self, broker: i32) -> Self {
        self.broker = Some(broker);
        self
    }

    /// Only requests that name one partition; an error code is given to this partition alone.
    pub fn partition(mut self, topic: impl Into<String>, partition: i32) -> Self {
        self.partition = Some((topic.into(), partition));
        self
    }

    /// Only some of the requests, counted from 1.
    pub fn nth(mut self, nth: RangeInclusive<u64>) -> Self {
        self.nth = nth;
        self
    }

    /// Only the next request. This is the default.
    pub fn once(self) -> Self {
        self.nth(1..=1)
    }

    /// The next `count` requests.
    pub fn times(self, count: u64) -> Self {
        self.nth(1..=count)
    }

    /// All requests, until the fault is removed.
    pub fn always(self) -> Self {
        self.nth(1..=u64::MAX)
    }

    /// Answers with an error code; the request is not applied. Where answers are given a partition, each one
    /// gets the code, or the one that was chosen.
    pub fn error(self, code: ErrorCode) -> Fault {
        self.add(Action::Error(code))
    }

    /// Appends the records of a produce request and answers with an error code all the same, as leaders do when
    /// replicas do not follow in time. Other APIs are not touched.
    pub fn error_after(self, code: ErrorCode) -> Fault {
        self.add(Action::ErrorAfter(code))
    }

    /// Applies a produce request and leaves its partitions, or the one that was chosen, out of the answer, as no broker
    /// should. Other APIs are not touched.
    pub fn leave_out(self) -> Fault {
        self.add(Action::LeaveOut)
    }

    /// Handles the request later. Other requests of the connection wait, as in Kafka.
    pub fn delay(self, delay: Duration) -> Fault {
        self.add(Action::Delay(delay))
    }

    /// Answers with a throttle time, as for an exhausted quota (KIP-219). The broker itself goes on reading, so
    /// that a test can see whether the client keeps to it.
    pub fn throttle(self, throttle: Duration) -> Fault {
        self.add(Action::Throttle(throttle))
    }

    /// Answers a fetch with records whose last byte is another one, as a bad wire does. The log stays as it is, and
    /// other APIs are not touched.
    pub fn damage_records(self) -> Fault {
        self.add(Action::DamageRecords)
    }

    /// Closes the connection without applying the request.
    pub fn drop_before(self) -> Fault {
        self.add(Action::DropBefore)
    }

    /// Applies the request, then closes the connection instead of answering.
    pub fn drop_after(self) -> Fault {
        self.add(Action::Outcome(Outcome::Drop))
    }

    /// Applies the request, sends the first bytes of the answer (the length counts as four), then closes.
    pub fn close_after_bytes(self, bytes: usize) -> Fault {
        self.add(Action::Outcome(Outcome::CutAfter(bytes)))
    }

    /// Applies the request and answers with a frame of the right length and correlation id, full of noise.
    pub fn garbage(self) -> Fault {
        self.add(Action::Outcome(Outcome::Garbage))
    }

    /// Applies the request and never answers it, nor anything after it on the connection, which stays open.
    pub fn never_answer(self) -> Fault {
        self.add(Action::Outcome(Outcome::NeverAnswer))
    }

    fn add(self, action: Action) -> Fault {
        let hits = Arc::new(AtomicU64::new(0));
        let rule = Rule {
            api: self.api,
            broker: self.broker,
            partition: self.partition,
            nth: self.nth,
            action,
            seen: 0,
            hits: Arc::clone(&hits),
            id: 0,
        };
        let id = self.cluster.change(move |cluster| Ok(cluster.state().faults.add(rule)));
        Fault { hits, id: id.unwrap_or(0), remote: self.cluster.remote().clone() }
    }
}

/// A fault that was injected. Dropping this leaves it in place.
pub struct Fault {
    hits: Arc<AtomicU64>,
    id: u64,
    remote: Remote<Rc<Cluster>>,
}

impl Fault {
    /// How many requests it has met.
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// Takes it away.
    pub fn remove(self) {
        let id = self.id;
        let done = self.remote.ask(move |cluster| {
            cluster.state().faults.remove(id);
            async { Ok(()) }
        });
        // Fails only when the cluster is gone, and the fault with it.
        let _ = done.recv();
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault").field("hits", &self.hits()).finish_non_exhaustive()
    }
}

//! What the brokers were asked: the log of requests that tests look at.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};

use crate::protocol::{ApiKey, Request, decode_request};

/// A request that a broker of a [`MockCluster`](super::MockCluster) has read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MockRequest {
    /// The API.
    pub api: ApiKey,
    /// The version of the request.
    pub version: i16,
    /// The broker that was asked.
    pub broker: i32,
    /// When it was read, on the monotonic clock.
    pub time: Instant,
    /// The name that the client gave itself.
    pub client_id: Option<String>,
    /// The number of the connection, counted over the whole cluster.
    pub connection: u64,
    frame: Option<Bytes>,
}

impl MockRequest {
    pub(crate) fn new(
        api: ApiKey,
        version: i16,
        broker: i32,
        time: Instant,
        client_id: Option<String>,
        connection: u64,
        frame: Bytes,
    ) -> Self {
        Self { api, version, broker, time, client_id, connection, frame: Some(frame) }
    }

    /// The request itself; `None` when it is of another API, or so old that its bytes were dropped.
    pub fn decode<R: Request>(&self) -> Option<R> {
        if R::API_KEY != self.api {
            return None;
        }
        let (_, request) = decode_request::<R>(self.frame.clone()?, self.version).ok()?;
        Some(request)
    }

    fn size(&self) -> usize {
        self.frame.as_ref().map_or(0, Bytes::len)
    }
}

/// What threads outside of the mock's own may look at without asking it.
#[derive(Default)]
pub(crate) struct Observed {
    requests: Mutex<Log>,
    changes: Mutex<u64>,
    change: Condvar,
}

#[derive(Default)]
struct Log {
    requests: VecDeque<MockRequest>,
    bytes: usize,
    /// How many of the oldest have lost their bytes.
    stripped: usize,
}

/// How many requests are remembered.
const MAX_REQUESTS: usize = 100_000;

/// How many bytes of requests are remembered; beyond, the oldest ones lose theirs.
const MAX_BYTES: usize = 64 << 20;

impl Observed {
    pub(crate) fn push(&self, request: MockRequest) {
        let mut log = self.requests.lock();
        let log = &mut *log;
        log.bytes += request.size();
        log.requests.push_back(request);
        while log.bytes > MAX_BYTES && log.stripped < log.requests.len() {
            if let Some(oldest) = log.requests.get_mut(log.stripped) {
                log.bytes -= oldest.size();
                oldest.frame = None;
            }
            log.stripped += 1;
        }
        if log.requests.len() > MAX_REQUESTS {
            if let Some(oldest) = log.requests.pop_front() {
                log.bytes -= oldest.size();
            }
            log.stripped = log.stripped.saturating_sub(1);
        }
    }

    pub(crate) fn requests(&self, keep: impl Fn(&MockRequest) -> bool) -> Vec<MockRequest> {
        self.requests.lock().requests.iter().filter(|request| keep(request)).cloned().collect()
    }

    pub(crate) fn count(&self, keep: impl Fn(&MockRequest) -> bool) -> usize {
        self.requests.lock().requests.iter().filter(|request| keep(request)).count()
    }

    pub(crate) fn clear(&self) {
        *self.requests.lock() = Log::default();
    }

    pub(crate) fn changed(&self) {
        *self.changes.lock() += 1;
        self.change.notify_all();
    }

    pub(crate) fn changes(&self) -> u64 {
        *self.changes.lock()
    }

    /// Waits until there were more changes than `seen`; false when the deadline came first.
    pub(crate) fn wait_for_change(&self, seen: u64, deadline: Instant) -> bool {
        let mut changes = self.changes.lock();
        while *changes == seen {
            if self.change.wait_until(&mut changes, deadline).timed_out() {
                return *changes != seen;
            }
        }
        true
    }
}

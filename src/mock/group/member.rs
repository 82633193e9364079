//! A member of a group, and the answers it waits for.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_channel::oneshot::Sender;

use crate::error_code::ErrorCode;
use crate::protocol::messages::join_group::JoinGroupRequestProtocol;
use crate::protocol::messages::{JoinGroupRequest, JoinGroupResponse, SyncGroupResponse};

/// A member.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) host: String,
    pub(crate) protocols: Vec<JoinGroupRequestProtocol>,
    pub(crate) assignment: Bytes,
    pub(super) session_timeout: Duration,
    pub(super) rebalance_timeout: Duration,
    pub(super) session_deadline: Instant,
    pub(super) joining: Option<(i16, Sender<JoinGroupResponse>)>,
    pub(super) syncing: Option<Sender<SyncGroupResponse>>,
}

impl Member {
    /// Whether it waits for an answer: then it need not show signs of life.
    pub(super) fn is_waiting(&self) -> bool {
        self.joining.is_some() || self.syncing.is_some()
    }

    pub(super) fn touch(&mut self, now: Instant) {
        self.session_deadline = now + self.session_timeout;
    }

    pub(super) fn update(&mut self, request: JoinGroupRequest) {
        self.session_timeout = timeout(request.session_timeout_ms);
        self.rebalance_timeout = rebalance_timeout(request.rebalance_timeout_ms, self.session_timeout);
        self.protocols = request.protocols;
    }

    pub(super) fn wait_to_join(&mut self, version: i16, reply: Sender<JoinGroupResponse>) {
        if let Some((_, older)) = self.joining.replace((version, reply)) {
            refuse_join(older, ErrorCode::REBALANCE_IN_PROGRESS, &self.id);
        }
    }
}

pub(super) fn timeout(ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// JoinGroup below version 1 has no rebalance timeout.
pub(super) fn rebalance_timeout(ms: i32, session_timeout: Duration) -> Duration {
    if ms < 0 { session_timeout } else { timeout(ms) }
}

pub(super) fn refuse_join(reply: Sender<JoinGroupResponse>, error_code: ErrorCode, member_id: &str) {
    let member_id = member_id.to_owned();
    let _ = reply.send(JoinGroupResponse { error_code, member_id, ..Default::default() });
}

pub(super) fn refuse_sync(reply: Sender<SyncGroupResponse>, error_code: ErrorCode) {
    let _ = reply.send(SyncGroupResponse { error_code, ..Default::default() });
}

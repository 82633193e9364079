//! JoinGroup, SyncGroup, Heartbeat and LeaveGroup.

use std::time::Duration;

use futures_channel::oneshot;

use super::{Cx, Handled, Handler};
use crate::error_code::ErrorCode;
use crate::mock::group::Joiner;
use crate::protocol::Uuid;
use crate::protocol::messages::leave_group::{MemberIdentity, MemberResponse};
use crate::protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    LeaveGroupResponse, SyncGroupRequest, SyncGroupResponse,
};

impl Handler for JoinGroupRequest {
    async fn handle(self, cx: &Cx) -> Handled<JoinGroupResponse> {
        let member_id = self.member_id.clone();
        let refused = |error_code| {
            Handled::Answer(JoinGroupResponse {
                error_code,
                member_id: member_id.clone(),
                ..Default::default()
            })
        };
        if let Err(code) = check_join(&self, cx) {
            return refused(code);
        }
        let name = self.group_instance_id.as_deref().unwrap_or(&cx.client_id);
        let new_id = format!("{name}-{}", Uuid::random(cx.cluster.net.random_bytes()));
        let (sender, answer) = oneshot::channel();
        {
            let mut state = cx.state();
            let joiner = Joiner {
                version: cx.version,
                client_id: cx.client_id.clone(),
                host: cx.host.clone(),
                new_id,
                initial_delay: state.settings.initial_rebalance_delay,
            };
            let now = cx.cluster.net.now();
            let catalogue = state.catalogue();
            let group = state.groups.entry(self.group_id.clone()).or_default();
            if let Some(modern) = &mut group.modern {
                modern.catalogue = catalogue;
            }
            group.join(self, joiner, now, sender);
        }
        cx.cluster.group_timers.notify();
        cx.cluster.changed();
        match answer.await {
            Ok(response) => Handled::Answer(response),
            Err(_) => refused(ErrorCode::NOT_COORDINATOR),
        }
    }
}

fn check_join(request: &JoinGroupRequest, cx: &Cx) -> Result<(), ErrorCode> {
    if request.group_id.is_empty() {
        return Err(ErrorCode::INVALID_GROUP_ID);
    }
    cx.check_group(&request.group_id)?;
    let state = cx.state();
    let timeout = Duration::from_millis(u64::try_from(request.session_timeout_ms).unwrap_or(0));
    let bounds = state.settings.min_session_timeout..=state.settings.max_session_timeout;
    if !bounds.contains(&timeout) {
        return Err(ErrorCode::INVALID_SESSION_TIMEOUT);
    }
    if !state.groups.contains_key(&request.group_id) && !request.member_id.is_empty() {
        return Err(ErrorCode::UNKNOWN_MEMBER_ID);
    }
    Ok(())
}

impl Handler for SyncGroupRequest {
    async fn handle(self, cx: &Cx) -> Handled<SyncGroupResponse> {
        let refused = |error_code| Handled::Answer(SyncGroupResponse { error_code, ..Default::default() });
        if let Err(code) = cx.check_group(&self.group_id) {
            return refused(code);
        }
        let (sender, answer) = oneshot::channel();
        {
            let mut state = cx.state();
            let now = cx.cluster.net.now();
            let Some(group) = state.groups.get_mut(&self.group_id) else {
                return refused(ErrorCode::UNKNOWN_MEMBER_ID);
            };
            group.sync(self, now, sender);
        }
        cx.cluster.group_timers.notify();
        cx.cluster.changed();
        match answer.await {
            Ok(response) => Handled::Answer(response),
            Err(_) => refused(ErrorCode::NOT_COORDINATOR),
        }
    }
}

impl Handler for HeartbeatRequest {
    async fn handle(self, cx: &Cx) -> Handled<HeartbeatResponse> {
        let result = cx.check_group(&self.group_id).and_then(|()| {
            let mut state = cx.state();
            let group = state.groups.get_mut(&self.group_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
            let instance = self.group_instance_id.as_deref();
            group.heartbeat(&self.member_id, instance, self.generation_id, cx.cluster.net.now())
        });
        let error_code = result.err().unwrap_or_default();
        Handled::Answer(HeartbeatResponse { error_code, ..Default::default() })
    }
}

impl Handler for LeaveGroupRequest {
    async fn handle(self, cx: &Cx) -> Handled<LeaveGroupResponse> {
        let mut response = LeaveGroupResponse::default();
        let members = if cx.version >= 3 {
            self.members
        } else {
            vec![MemberIdentity { member_id: self.member_id, ..Default::default() }]
        };
        if let Err(code) = cx.check_group(&self.group_id) {
            response.error_code = code;
            return Handled::Answer(response);
        }
        {
            let mut state = cx.state();
            let now = cx.cluster.net.now();
            for member in members {
                let instance = member.group_instance_id.as_deref();
                let left = match state.groups.get_mut(&self.group_id) {
                    Some(group) => group.leave(&member.member_id, instance, now),
                    None => Err(ErrorCode::UNKNOWN_MEMBER_ID),
                };
                let error_code = left.err().unwrap_or_default();
                if cx.version >= 3 {
                    response.members.push(MemberResponse {
                        member_id: member.member_id,
                        group_instance_id: member.group_instance_id,
                        error_code,
                    });
                } else {
                    response.error_code = error_code;
                }
            }
        }
        cx.cluster.group_timers.notify();
        cx.cluster.changed();
        Handled::Answer(response)
    }
}

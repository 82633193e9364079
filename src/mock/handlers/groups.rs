//! FindCoordinator, DescribeGroups, ListGroups and DeleteGroups.

use super::{Cx, Handled, Handler};
use crate::error_code::ErrorCode;
use crate::mock::group::{Group, GroupState};
use crate::mock::state::State;
use crate::protocol::messages::delete_groups::DeletableGroupResult;
use crate::protocol::messages::describe_groups::{DescribedGroup, DescribedGroupMember};
use crate::protocol::messages::find_coordinator::Coordinator;
use crate::protocol::messages::list_groups::ListedGroup;
use crate::protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    FindCoordinatorRequest, FindCoordinatorResponse, ListGroupsRequest, ListGroupsResponse,
};

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

impl Handler for FindCoordinatorRequest {
    async fn handle(self, cx: &Cx) -> Handled<FindCoordinatorResponse> {
        let mut response = FindCoordinatorResponse::default();
        let state = cx.state();
        if cx.version >= 4 {
            let keys = self.coordinator_keys.into_iter();
            response.coordinators = keys.map(|key| find(&state, cx, self.key_type, key)).collect();
        } else {
            let found = find(&state, cx, self.key_type, self.key);
            response.error_code = found.error_code;
            response.error_message = found.error_message;
            response.node_id = found.node_id;
            response.host = found.host;
            response.port = found.port;
        }
        Handled::Answer(response)
    }
}

fn find(state: &State, cx: &Cx, key_type: i8, key: String) -> Coordinator {
    let mut answer = Coordinator { key, node_id: -1, port: -1, error_message: None, ..Default::default() };
    let found = match cx.plan.error() {
        Some(code) => Err((code, code.message())),
        None if key_type == TRANSACTION => state
            .transaction_coordinator(&answer.key)
            .ok_or((ErrorCode::COORDINATOR_NOT_AVAILABLE, ErrorCode::COORDINATOR_NOT_AVAILABLE.message())),
        None if key_type != GROUP => {
            Err((ErrorCode::INVALID_REQUEST, "the mock has coordinators of groups and transactions only"))
        }
        None if answer.key.is_empty() => {
            Err((ErrorCode::INVALID_GROUP_ID, ErrorCode::INVALID_GROUP_ID.message()))
        }
        None => state
            .coordinator(&answer.key)
            .ok_or((ErrorCode::COORDINATOR_NOT_AVAILABLE, ErrorCode::COORDINATOR_NOT_AVAILABLE.message())),
    };
    match found {
        Ok(broker) => {
            let (host, port) = broker.endpoint();
            (answer.node_id, answer.host, answer.port) = (broker.id, host, port.into());
        }
        Err((code, message)) => {
            answer.error_code = code;
            answer.error_message = Some(message.to_owned());
        }
    }
    answer
}

impl Handler for DescribeGroupsRequest {
    async fn handle(self, cx: &Cx) -> Handled<DescribeGroupsResponse> {
        let groups = self.groups.into_iter().map(|group_id| {
            let mut answer = DescribedGroup { group_id, ..Default::default() };
            if let Err(code) = cx.check_group(&answer.group_id) {
                answer.error_code = code;
                return answer;
            }
            let state = cx.state();
            let classic = |group: &&Group| group.modern.is_none();
            let Some(group) = state.groups.get(&answer.group_id).filter(classic) else {
                answer.group_state = "Dead".to_owned();
                if cx.version >= 6 {
                    answer.error_code = ErrorCode::GROUP_ID_NOT_FOUND;
                    answer.error_message = Some(format!("Group {} not found.", answer.group_id));
                }
                return answer;
            };
            answer.group_state = group.state.name().to_owned();
            answer.protocol_type.clone_from(&group.protocol_type);
            if group.state == GroupState::Stable {
                answer.protocol_data = group.protocol.clone().unwrap_or_default();
            }
            answer.members = group
                .members
                .iter()
                .map(|member| DescribedGroupMember {
                    member_id: member.id.clone(),
                    group_instance_id: member.instance_id.clone(),
                    client_id: member.client_id.clone(),
                    client_host: member.host.clone(),
                    member_metadata: group.metadata_of(member),
                    member_assignment: member.assignment.clone(),
                })
                .collect();
            answer
        });
        Handled::Answer(DescribeGroupsResponse { groups: groups.collect(), ..Default::default() })
    }
}

impl Handler for ListGroupsRequest {
    async fn handle(self, cx: &Cx) -> Handled<ListGroupsResponse> {
        let mut response = ListGroupsResponse::default();
        if let Err(code) = cx.check() {
            response.error_code = code;
            return Handled::Answer(response);
        }
        let state = cx.state();
        let wanted = |filter: &[String], value: &str| {
            filter.is_empty() || filter.iter().any(|one| one.eq_ignore_ascii_case(value))
        };
        response.groups = state
            .groups
            .iter()
            .filter(|(id, _)| state.check_coordinator(cx.broker, id).is_ok())
            .filter(|(_, group)| wanted(&self.states_filter, group.state().name()))
            .filter(|(_, group)| wanted(&self.types_filter, type_of(group)))
            .map(|(id, group)| ListedGroup {
                group_id: id.clone(),
                protocol_type: if group.modern.is_some() {
                    "consumer".to_owned()
                } else {
                    group.protocol_type.clone()
                },
                group_state: group.state().name().to_owned(),
                group_type: type_of(group).to_owned(),
            })
            .collect();
        Handled::Answer(response)
    }
}

fn type_of(group: &Group) -> &'static str {
    if group.modern.is_some() { "consumer" } else { "classic" }
}

impl Handler for DeleteGroupsRequest {
    async fn handle(self, cx: &Cx) -> Handled<DeleteGroupsResponse> {
        let results = self.groups_names.into_iter().map(|group_id| {
            let deleted = cx.check_group(&group_id).and_then(|()| {
                let mut state = cx.state();
                match state.groups.get(&group_id) {
                    None => Err(ErrorCode::GROUP_ID_NOT_FOUND),
                    Some(group) if !group.is_empty() => Err(ErrorCode::NON_EMPTY_GROUP),
                    Some(_) => {
                        state.groups.remove(&group_id);
                        Ok(())
                    }
                }
            });
            let error_code = deleted.err().unwrap_or_default();
            DeletableGroupResult { group_id, error_code, error_message: None }
        });
        Handled::Answer(DeleteGroupsResponse { results: results.collect(), ..Default::default() })
    }
}

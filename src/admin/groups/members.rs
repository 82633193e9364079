//! Taking members out of their group.

use std::fmt;

use super::classic::ClassicGroupDescription;
use crate::admin::{Admin, At, Call, Item, KafkaAdminClient, Results, Route, unanswered, verdict};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::messages::leave_group::{MemberIdentity, MemberResponse};
use crate::protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

/// A member that is to leave its group.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemberToRemove {
    member_id: String,
    group_instance_id: Option<String>,
    reason: Option<String>,
}

impl MemberToRemove {
    /// The member with this id.
    pub fn member_id(id: impl Into<String>) -> Self {
        Self { member_id: id.into(), group_instance_id: None, reason: None }
    }

    /// The member with this static id (KIP-345), which does not leave when it stops. Needs Kafka 2.4.
    pub fn group_instance_id(id: impl Into<String>) -> Self {
        Self { member_id: String::new(), group_instance_id: Some(id.into()), reason: None }
    }

    /// Why, for the broker's log (KIP-800).
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    fn is(&self, answer: &MemberResponse) -> bool {
        match &self.group_instance_id {
            Some(id) => answer.group_instance_id.as_ref() == Some(id),
            None => answer.member_id == self.member_id,
        }
    }

    fn identity(&self) -> MemberIdentity {
        let why = self.reason.as_deref().map_or(String::new(), |reason| format!(": {reason}"));
        // Brokers refuse longer ones.
        let reason = format!("the member was removed by an admin{why}").chars().take(MAX_REASON).collect();
        MemberIdentity {
            member_id: self.member_id.clone(),
            group_instance_id: self.group_instance_id.clone(),
            reason: Some(reason),
        }
    }
}

impl fmt::Display for MemberToRemove {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.group_instance_id.as_ref().unwrap_or(&self.member_id))
    }
}

impl KafkaAdminClient {
    /// Takes members out of a group. Those that still run join again at once; static members that are gone for
    /// good free their partitions. Needs Kafka 0.9. Java's `removeMembersFromConsumerGroup`.
    ///
    /// Members of the new protocol (KIP-848) cannot be removed: they are unknown here.
    ///
    /// # Errors
    /// For a member [`UNKNOWN_MEMBER_ID`](crate::ErrorCode::UNKNOWN_MEMBER_ID), or of the whole group
    /// [`ErrorKind::Authorization`]; [`ErrorKind::UnsupportedVersion`] for a static id on brokers before 2.4.
    pub fn remove_group_members(
        &self,
        group: impl Into<String>,
        members: impl IntoIterator<Item = MemberToRemove>,
    ) -> Result<Results<MemberToRemove, ()>> {
        let group = group.into();
        let members: Vec<MemberToRemove> = members.into_iter().collect();
        if members.is_empty() {
            return Ok(Vec::new());
        }
        self.call(REMOVE, move |admin, call| async move {
            Ok(admin.remove_group_members(call, &group, members).await)
        })
    }

    /// Takes all members out of a group of the classic protocol, as
    /// [`remove_group_members`](Self::remove_group_members). `reason` is for the broker's log.
    ///
    /// # Errors
    /// As [`describe_classic_groups`](Self::describe_classic_groups) and
    /// [`remove_group_members`](Self::remove_group_members).
    pub fn remove_all_group_members(
        &self,
        group: impl Into<String>,
        reason: impl Into<String>,
    ) -> Result<Results<MemberToRemove, ()>> {
        let (group, reason) = (group.into(), reason.into());
        self.call(REMOVE, move |admin, call| async move {
            let described = admin.describe_classic_groups(call, vec![group.clone()]).await;
            let described =
                described.into_iter().next().map_or_else(|| Err(unanswered(REMOVE)), |(_, one)| one)?;
            let members = all_members(described, &reason);
            if members.is_empty() {
                return Ok(Vec::new());
            }
            Ok(admin.remove_group_members(call, &group, members).await)
        })
    }
}

impl Admin {
    async fn remove_group_members(
        &self,
        call: Call,
        group: &str,
        members: Vec<MemberToRemove>,
    ) -> Results<MemberToRemove, ()> {
        let item = |member: MemberToRemove| {
            let is_static = member.group_instance_id.is_some();
            let item = Item::new(Route::Group(group.to_owned()), member);
            if is_static { item.needs(STATIC_SINCE, "removing a static member") } else { item }
        };
        let request = |at: &At, members: &[&MemberToRemove]| {
            let mut request = LeaveGroupRequest { group_id: group.to_owned(), ..Default::default() };
            if at.version < STATIC_SINCE {
                request.member_id = members.iter().map(|member| member.member_id.as_str()).collect();
            } else {
                request.members = members.iter().map(|member| member.identity()).collect();
            }
            Ok(request)
        };
        let what = format!("{REMOVE} of group {group}");
        let read = |at: &At, response: LeaveGroupResponse, members: &[&MemberToRemove]| {
            let removed = |member: &&MemberToRemove| {
                verdict(response.error_code, None, &what)?;
                if at.version < STATIC_SINCE {
                    return Ok(());
                }
                let answer = response.members.iter().find(|answer| member.is(answer));
                verdict(answer.ok_or_else(|| unanswered(&what))?.error_code, None, &what)
            };
            members.iter().map(removed).collect()
        };
        let unusable =
            members.iter().any(|member| member.member_id.is_empty() && member.group_instance_id.is_none());
        if unusable {
            let text = format!("{what}: a member id is empty");
            let error = Error::new(ErrorKind::InvalidArgument, text);
            return members.into_iter().map(|member| (member, Err(error.clone()))).collect();
        }
        let items = members.into_iter().map(item).collect();
        self.ask(call.never_twice().one_by_one_before(STATIC_SINCE), items, request, read).await
    }
}

fn all_members(group: ClassicGroupDescription, reason: &str) -> Vec<MemberToRemove> {
    let member = |member: super::ClassicMember| {
        // A static member that comes back meanwhile has a new id, and is still meant.
        let one = match member.group_instance_id {
            Some(id) => MemberToRemove::group_instance_id(id),
            None => MemberToRemove::member_id(member.member_id),
        };
        if reason.is_empty() { one } else { one.reason(reason) }
    };
    group.members.into_iter().map(member).collect()
}

const REMOVE: &str = "remove a member";
/// The version of LeaveGroup that takes several members, and static ones (KIP-345).
const STATIC_SINCE: i16 = 3;
/// Java cuts reasons at this length.
const MAX_REASON: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_an_end() {
        let identity = MemberToRemove::member_id("m1").reason("x".repeat(1000)).identity();
        assert_eq!(identity.reason.map(|reason| reason.chars().count()), Some(255));
    }

    #[test]
    fn answers_are_told_apart_by_the_id_that_was_asked_with() {
        let answer = MemberResponse {
            member_id: "m1-uuid".to_owned(),
            group_instance_id: Some("till-7".to_owned()),
            ..Default::default()
        };
        assert!(MemberToRemove::group_instance_id("till-7").is(&answer));
        assert!(MemberToRemove::member_id("m1-uuid").is(&answer));
        assert!(!MemberToRemove::group_instance_id("till-8").is(&answer));
    }
}

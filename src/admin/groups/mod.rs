//! Groups: list, describe and delete them, and take members out.
//!
//! Four kinds of groups live in a cluster ([`GroupType`]), and each is described by an API of its own. Whoever does
//! not know the kind asks [`describe_groups`](super::KafkaAdminClient::describe_groups), which finds out.
//!
//! ```
//! use kavka::KafkaAdminClient;
//! use kavka::admin::{GroupFilter, GroupState};
//! # let cluster = kavka::mock::MockCluster::builder().topic("orders", 1).start()?;
//! # let servers = cluster.bootstrap_servers();
//!
//! let admin = KafkaAdminClient::builder().bootstrap_servers(servers).build()?;
//! # admin.alter_group_offsets("billing", [(("orders", 0), 0)])?;
//! let mut unused = Vec::new();
//! for (_broker, groups) in admin.list_groups(&GroupFilter::new().state(GroupState::Empty))? {
//!     unused.extend(groups?.into_iter().map(|group| group.group_id));
//! }
//! for (group, result) in admin.delete_groups(&unused)? {
//!     println!("{group}: {result:?}");
//! }
//! # assert_eq!(unused, ["billing"]);
//! # Ok::<(), kavka::Error>(())
//! ```

mod classic;
mod consumer;
mod describe;
mod kind;
mod list;
mod members;
mod share;
mod streams;
mod topology;

pub use classic::{ClassicGroupDescription, ClassicMember};
pub use consumer::{ConsumerGroupDescription, ConsumerMember};
pub use describe::GroupDescription;
pub use kind::{GroupState, GroupType};
pub use list::{GroupFilter, GroupListing};
pub use members::MemberToRemove;
pub use share::{ShareGroupDescription, ShareMember};
pub use streams::{StreamsGroupDescription, StreamsMember, StreamsTasks, TaskOffset};
pub use topology::{
    GlobalStore, InternalTopic, Subtopology, TopologyDescription, TopologyNode, TopologyNodeKind,
    TopologyStatus, TopologySubgraph,
};

use super::{Admin, At, Call, Item, KafkaAdminClient, Results, Route, unanswered, verdict};
use crate::error::Result;
use crate::protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse};
use crate::protocol::{Request, Uuid};
use crate::types::{Node, TopicPartition};

impl KafkaAdminClient {
    /// Deletes groups of any kind, with their offsets. Needs Kafka 1.1, and groups without members. Java's
    /// `deleteConsumerGroups`, `deleteShareGroups` and `deleteStreamsGroups`.
    ///
    /// ```
    /// use kavka::KafkaAdminClient;
    /// use kavka::ErrorCode;
    /// # let cluster = kavka::mock::MockCluster::start()?;
    /// # let servers = cluster.bootstrap_servers();
    ///
    /// let admin = KafkaAdminClient::builder().bootstrap_servers(servers).build()?;
    /// let results = admin.delete_groups(["nobody"])?;
    /// let error = results[0].1.as_ref().expect_err("there is no such group");
    /// assert_eq!(error.code(), Some(ErrorCode::GROUP_ID_NOT_FOUND));
    /// # Ok::<(), kavka::Error>(())
    /// ```
    ///
    /// # Errors
    /// For a group [`NON_EMPTY_GROUP`](crate::ErrorCode::NON_EMPTY_GROUP),
    /// [`GROUP_ID_NOT_FOUND`](crate::ErrorCode::GROUP_ID_NOT_FOUND),
    /// [`ErrorKind::Authorization`](crate::ErrorKind::Authorization). After
    /// [`ErrorKind::Connection`](crate::ErrorKind::Connection) it may be gone all the same.
    pub fn delete_groups(
        &self,
        groups: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Results<String, ()>> {
        let groups: Vec<String> = groups.into_iter().map(Into::into).collect();
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        self.call(DELETE, move |admin, call| async move { Ok(admin.delete_groups(call, groups).await) })
    }
}

impl Admin {
    async fn delete_groups(&self, call: Call, groups: Vec<String>) -> Results<String, ()> {
        let request = |_: &At, groups: &[&String]| {
            Ok(DeleteGroupsRequest { groups_names: groups.iter().map(|group| (*group).clone()).collect() })
        };
        let read = |_: &At, response: DeleteGroupsResponse, groups: &[&String]| {
            let deleted = |group: &&String| {
                let answer = response.results.iter().find(|answer| answer.group_id == **group);
                let answer = answer.ok_or_else(|| unanswered(DELETE))?;
                let what = format!("{DELETE} {group}");
                verdict(answer.error_code, answer.error_message.as_deref(), &what)
            };
            groups.iter().map(deleted).collect()
        };
        self.ask(call.never_twice(), at_coordinators(groups), request, read).await
    }
}

impl Admin {
    /// Asks for groups at their coordinators, and reads each one's line of the answer. `lines` has them with the
    /// groups' ids.
    async fn describe_at_coordinators<R: Request, L, D>(
        &self,
        call: Call,
        groups: Vec<String>,
        request: impl Fn(&At, Vec<String>) -> R,
        lines: impl Fn(R::Response) -> Vec<(String, L)>,
        described: impl Fn(L, Option<Node>) -> Result<D>,
    ) -> Results<String, D> {
        let request = |at: &At, groups: &[&String]| {
            Ok(request(at, groups.iter().map(|&group| group.clone()).collect()))
        };
        let read = |at: &At, response: R::Response, groups: &[&String]| {
            let mut lines = lines(response);
            let coordinator = at.broker().and_then(|id| self.cluster.snapshot().broker(id).cloned());
            let found = |group: &&String| {
                let index = lines.iter().position(|(id, _)| id == *group);
                let line = index.map(|index| lines.swap_remove(index).1);
                described(line.ok_or_else(|| unanswered(call.what))?, coordinator.clone())
            };
            groups.iter().map(found).collect()
        };
        self.ask(call, at_coordinators(groups), request, read).await
    }
}

/// Groups, each to be asked for at its coordinator.
fn at_coordinators(groups: Vec<String>) -> Vec<Item<String>> {
    groups.into_iter().map(|group| Item::new(Route::Group(group.clone()), group)).collect()
}

/// The partitions of an assignment, in order.
fn assigned(topics: impl IntoIterator<Item = (Uuid, String, Vec<i32>)>) -> Vec<TopicPartition> {
    let mut all = Vec::new();
    for (id, name, partitions) in topics {
        // The name of a topic that was just deleted may be missing.
        let name = if name.is_empty() { id.to_string() } else { name };
        let first = TopicPartition::new(name, 0);
        all.extend(partitions.into_iter().map(|one| TopicPartition::new(first.shared_topic(), one)));
    }
    all.sort_unstable();
    all
}

/// Text that may be missing: empty and null are the same.
fn some_text(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

const DELETE: &str = "delete group";

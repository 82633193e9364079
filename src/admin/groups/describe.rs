//! Groups of whatever kind.

use std::collections::HashMap;

use super::classic::ClassicGroupDescription;
use super::consumer::{ConsumerGroupDescription, is_another_kind};
use super::share::ShareGroupDescription;
use super::streams::StreamsGroupDescription;
use super::{GroupState, GroupType};
use crate::admin::{Admin, Call, KafkaAdminClient, Results, unanswered};
use crate::error::{Error, ErrorKind, Result};
use crate::types::Node;

/// A group, as what it turned out to be.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupDescription {
    /// A group of the classic protocol.
    Classic(ClassicGroupDescription),
    /// A group of consumers of the new protocol (KIP-848).
    Consumer(ConsumerGroupDescription),
    /// A share group (KIP-932).
    Share(ShareGroupDescription),
    /// A group of Kafka Streams (KIP-1071).
    Streams(StreamsGroupDescription),
}

impl GroupDescription {
    /// The group.
    pub fn group_id(&self) -> &str {
        match self {
            Self::Classic(group) => &group.group_id,
            Self::Consumer(group) => &group.group_id,
            Self::Share(group) => &group.group_id,
            Self::Streams(group) => &group.group_id,
        }
    }

    /// Its kind.
    pub fn group_type(&self) -> GroupType {
        match self {
            Self::Classic(_) => GroupType::Classic,
            Self::Consumer(_) => GroupType::Consumer,
            Self::Share(_) => GroupType::Share,
            Self::Streams(_) => GroupType::Streams,
        }
    }

    /// How it fares.
    pub fn state(&self) -> &GroupState {
        match self {
            Self::Classic(group) => &group.state,
            Self::Consumer(group) => &group.state,
            Self::Share(group) => &group.state,
            Self::Streams(group) => &group.state,
        }
    }

    /// The broker that coordinates it.
    pub fn coordinator(&self) -> Option<&Node> {
        match self {
            Self::Classic(group) => group.coordinator.as_ref(),
            Self::Consumer(group) => group.coordinator.as_ref(),
            Self::Share(group) => group.coordinator.as_ref(),
            Self::Streams(group) => group.coordinator.as_ref(),
        }
    }

    /// How many members it has.
    pub fn member_count(&self) -> usize {
        match self {
            Self::Classic(group) => group.members.len(),
            Self::Consumer(group) => group.members.len(),
            Self::Share(group) => group.members.len(),
            Self::Streams(group) => group.members.len(),
        }
    }
}

impl KafkaAdminClient {
    /// Describes groups of any kind: the kind is found out. Needs Kafka 0.9.
    ///
    /// ```
    /// use std::time::Duration;
    /// use kavka::admin::{GroupDescription, GroupState};
    /// use kavka::{KafkaAdminClient, KafkaConsumer};
    /// # let cluster = kavka::mock::MockCluster::builder().topic("orders", 2).start()?;
    /// # let servers = cluster.bootstrap_servers();
    ///
    /// let mut consumer =
    ///     KafkaConsumer::builder().bootstrap_servers(&servers).group_id("billing").build()?;
    /// consumer.subscribe(["orders"])?;
    /// while consumer.assignment().is_empty() {
    ///     consumer.poll(Duration::from_millis(100))?;
    /// }
    ///
    /// let admin = KafkaAdminClient::builder().bootstrap_servers(&servers).build()?;
    /// for (group, result) in admin.describe_groups(["billing"])? {
    ///     let described = result?;
    ///     println!("{group}: {} with {} members", described.state(), described.member_count());
    ///     if let GroupDescription::Classic(described) = described {
    ///         assert_eq!(described.members[0].assigned_partitions().len(), 2);
    ///     }
    /// }
    /// # Ok::<(), kavka::Error>(())
    /// ```
    ///
    /// # Errors
    /// For a group [`GROUP_ID_NOT_FOUND`](crate::ErrorCode::GROUP_ID_NOT_FOUND), [`ErrorKind::Authorization`].
    pub fn describe_groups(
        &self,
        groups: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Results<String, GroupDescription>> {
        let groups: Vec<String> = groups.into_iter().map(Into::into).collect();
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        self.call(DESCRIBE, move |admin, call| async move { Ok(admin.describe_groups(call, groups).await) })
    }
}

impl Admin {
    async fn describe_groups(&self, call: Call, groups: Vec<String>) -> Results<String, GroupDescription> {
        let mut known: HashMap<String, Result<GroupDescription>> = HashMap::new();
        let mut open = groups.clone();
        for kind in [GroupType::Consumer, GroupType::Classic, GroupType::Share, GroupType::Streams] {
            if open.is_empty() {
                break;
            }
            let asked = std::mem::take(&mut open);
            for (group, result) in self.describe_groups_of(call, kind, asked).await {
                match result {
                    Err(error) if is_another_kind(&error) => {
                        open.push(group.clone());
                        let better = |old: &Result<_>| says_more(&error, old.as_ref().err());
                        if known.get(&group).is_none_or(better) {
                            known.insert(group, Err(error));
                        }
                    }
                    result => {
                        known.insert(group, result);
                    }
                }
            }
        }
        let result = |group: String| {
            let result = known.get(&group).cloned().unwrap_or_else(|| Err(unanswered(DESCRIBE)));
            (group, result)
        };
        groups.into_iter().map(result).collect()
    }

    async fn describe_groups_of(
        &self,
        call: Call,
        kind: GroupType,
        groups: Vec<String>,
    ) -> Results<String, GroupDescription> {
        match kind {
            GroupType::Consumer => {
                as_groups(self.describe_new_consumer_groups(call, groups).await, GroupDescription::Consumer)
            }
            GroupType::Share => {
                as_groups(self.describe_share_groups(call, groups).await, GroupDescription::Share)
            }
            GroupType::Streams => {
                as_groups(self.describe_streams_groups(call, groups).await, GroupDescription::Streams)
            }
            _ => as_groups(self.describe_classic_groups(call, groups).await, GroupDescription::Classic),
        }
    }
}

fn as_groups<T>(
    results: Results<String, T>,
    wrap: impl Fn(T) -> GroupDescription,
) -> Results<String, GroupDescription> {
    results.into_iter().map(|(group, result)| (group, result.map(&wrap))).collect()
}

/// Of two reasons for not finding a group, that the broker does not know it is better than that it lacks an API.
fn says_more(new: &Error, old: Option<&Error>) -> bool {
    let lacks = |error: &Error| error.kind() == ErrorKind::UnsupportedVersion;
    old.is_some_and(lacks) && !lacks(new)
}

const DESCRIBE: &str = "describe group";

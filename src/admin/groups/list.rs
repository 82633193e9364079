//! Which groups there are.

use super::{GroupState, GroupType};
use crate::admin::{Admin, At, Call, KafkaAdminClient, Results, verdict};
use crate::error::Result;
use crate::protocol::messages::list_groups::ListedGroup;
use crate::protocol::messages::{ListGroupsRequest, ListGroupsResponse};

/// A group, as its coordinator lists it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupListing {
    /// The group.
    pub group_id: String,
    /// What its members call their protocol: `consumer` for consumers of both protocols, `share`, `streams`,
    /// `connect`, …; empty for a group that only has offsets.
    pub protocol_type: String,
    /// How it fares; `None` from brokers before 2.6.
    pub state: Option<GroupState>,
    /// Its kind; `None` from brokers before 3.8, where all groups are classic ones.
    pub group_type: Option<GroupType>,
}

impl GroupListing {
    /// Whether it only has offsets: its consumers assign their partitions themselves.
    pub fn is_simple_consumer_group(&self) -> bool {
        self.protocol_type.is_empty()
    }
}

/// Which groups to list; all, unless something is said.
///
/// ```
/// use kavka::admin::{GroupFilter, GroupState, GroupType};
///
/// let filter = GroupFilter::new().state(GroupState::Empty).group_type(GroupType::Classic);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupFilter {
    states: Vec<GroupState>,
    types: Vec<GroupType>,
    protocols: Vec<String>,
    brokers: Vec<i32>,
}

impl GroupFilter {
    /// All groups.
    pub fn new() -> Self {
        Self::default()
    }

    /// Groups in this state, or in one of several. Needs Kafka 2.6.
    #[must_use]
    pub fn state(mut self, state: GroupState) -> Self {
        self.states.push(state);
        self
    }

    /// Groups of this kind, or of one of several. Needs Kafka 3.8.
    #[must_use]
    pub fn group_type(mut self, group_type: GroupType) -> Self {
        self.types.push(group_type);
        self
    }

    /// Groups whose members use this protocol, such as `consumer` or `connect`, or one of several.
    #[must_use]
    pub fn protocol_type(mut self, protocol_type: impl Into<String>) -> Self {
        self.protocols.push(protocol_type.into());
        self
    }

    /// Groups that this broker coordinates, or one of several.
    #[must_use]
    pub fn broker(mut self, id: i32) -> Self {
        self.brokers.push(id);
        self
    }

    fn has(&self, group: &GroupListing) -> bool {
        self.protocols.is_empty() || self.protocols.contains(&group.protocol_type)
    }
}

impl KafkaAdminClient {
    /// Lists the groups of every broker; one that cannot be asked has an error in the place of its groups. Needs
    /// Kafka 0.9.
    ///
    /// ```
    /// use kavka::admin::{GroupFilter, KafkaAdminClient};
    /// # let cluster = kavka::mock::MockCluster::start()?;
    /// # let servers = cluster.bootstrap_servers();
    ///
    /// let admin = KafkaAdminClient::builder().bootstrap_servers(servers).build()?;
    /// for (broker, groups) in admin.list_groups(&GroupFilter::new())? {
    ///     for group in groups? {
    ///         println!("broker {broker}: {} ({:?})", group.group_id, group.state);
    ///     }
    /// }
    /// # Ok::<(), kavka::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout), with the failure of each address; for a broker
    /// [`ErrorKind::UnsupportedVersion`](crate::ErrorKind::UnsupportedVersion) when it is too old for the filter.
    /// A client that may not describe the cluster sees the groups that it may describe.
    pub fn list_groups(&self, filter: &GroupFilter) -> Result<Results<i32, Vec<GroupListing>>> {
        let filter = filter.clone();
        self.call(LIST, move |admin, call| async move { admin.list_groups(call, &filter).await })
    }
}

impl Admin {
    async fn list_groups(&self, call: Call, filter: &GroupFilter) -> Result<Results<i32, Vec<GroupListing>>> {
        let items = self.each_broker(call, &filter.brokers).await?;
        let items = items.into_iter().map(|item| match filter {
            _ if !filter.types.is_empty() => item.needs(TYPES_SINCE, "listing groups of a kind"),
            _ if !filter.states.is_empty() => item.needs(STATES_SINCE, "listing groups in a state"),
            _ => item,
        });
        let request = |_: &At, _: &[&i32]| {
            Ok(ListGroupsRequest {
                states_filter: filter.states.iter().map(ToString::to_string).collect(),
                types_filter: filter.types.iter().map(ToString::to_string).collect(),
            })
        };
        let read = |at: &At, response: ListGroupsResponse, _: &[&i32]| {
            let groups = verdict(response.error_code, None, LIST).map(|()| {
                let groups = response.groups.into_iter().map(|group| listing(at.version, group));
                groups.filter(|group| filter.has(group)).collect::<Vec<_>>()
            });
            // One item a node.
            vec![groups]
        };
        Ok(self.ask(call, items.collect(), request, read).await)
    }
}

fn listing(version: i16, group: ListedGroup) -> GroupListing {
    GroupListing {
        group_id: group.group_id,
        protocol_type: group.protocol_type,
        state: (version >= STATES_SINCE).then(|| GroupState::from_word(&group.group_state)),
        group_type: (version >= TYPES_SINCE).then(|| GroupType::from_word(&group.group_type)),
    }
}

const LIST: &str = "list groups";
/// The version of ListGroups that knows states (KIP-518).
const STATES_SINCE: i16 = 4;
/// The version of ListGroups that knows kinds (KIP-848).
const TYPES_SINCE: i16 = 5;

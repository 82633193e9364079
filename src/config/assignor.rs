//! Assignors: how the partitions of a classic group are shared out.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;

use super::value::OptionValue;
use crate::types::TopicPartition;
use crate::{Error, ErrorKind};

/// How the partitions of a group are shared out (classic group protocol). The member that leads the group runs it.
#[derive(Clone)]
#[non_exhaustive]
pub enum Assignor {
    /// Each topic by itself, in contiguous ranges.
    Range,
    /// All partitions of all topics in turn.
    RoundRobin,
    /// As even as it gets, and then moving as few partitions as that takes (KIP-54). All members stop while the
    /// group rebalances.
    Sticky,
    /// As [`Sticky`](Self::Sticky), but only the partitions that move stop (KIP-429). Incremental only when it is the
    /// only one in the list; beside others, as on the way from one to the other, members stop as usual.
    CooperativeSticky,
    /// The program's own.
    Custom(Arc<dyn PartitionAssignor>),
}

impl Assignor {
    /// The assignors that have a name in strings.
    pub const ALL: &'static [Self] = &[Self::Range, Self::RoundRobin, Self::Sticky, Self::CooperativeSticky];

    /// An assignor of the program.
    pub fn custom(assignor: impl PartitionAssignor) -> Self {
        Self::Custom(Arc::new(assignor))
    }

    /// The name on the wire, and in strings and properties files.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Range => "range",
            Self::RoundRobin => "roundrobin",
            Self::Sticky => "sticky",
            Self::CooperativeSticky => "cooperative-sticky",
            Self::Custom(assignor) => assignor.name(),
        }
    }

    /// Whether it hands a partition on only after its owner has given it up, so that the others need not stop.
    pub fn is_cooperative(&self) -> bool {
        match self {
            Self::CooperativeSticky => true,
            Self::Custom(assignor) => assignor.is_cooperative(),
            _ => false,
        }
    }

    const fn java_name(&self) -> &'static str {
        match self {
            Self::Range => "org.apache.kafka.clients.consumer.RangeAssignor",
            Self::RoundRobin => "org.apache.kafka.clients.consumer.RoundRobinAssignor",
            Self::Sticky => "org.apache.kafka.clients.consumer.StickyAssignor",
            Self::CooperativeSticky => "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
            Self::Custom(_) => "",
        }
    }
}

impl PartialEq for Assignor {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Assignor {}

impl fmt::Display for Assignor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Assignor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl OptionValue for Assignor {
    fn parse(text: &str) -> Result<Self, String> {
        let plain = |text: &str| text.to_ascii_lowercase().replace('_', "-");
        let word = plain(text);
        let known =
            Self::ALL.iter().find(|known| plain(known.as_str()) == word || plain(known.java_name()) == word);
        known.cloned().ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(Self::as_str).collect();
            format!("is not one of {}", names.join(", "))
        })
    }

    fn show(&self) -> String {
        self.as_str().to_owned()
    }
}

impl FromStr for Assignor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        <Self as OptionValue>::parse(text)
            .map_err(|fault| Error::new(ErrorKind::Configuration, format!("\"{text}\" {fault}")))
    }
}

/// A member of a classic group, as its leader sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupMember {
    /// The member id.
    pub id: String,
    /// The static id (KIP-345), if it has one.
    pub instance_id: Option<String>,
    /// The rack (KIP-881), if it has one.
    pub rack: Option<String>,
    /// The topics that it wants.
    pub topics: Vec<String>,
    /// The partitions that it still has: none of a member that gave all up before it joined.
    pub owned: Vec<TopicPartition>,
    /// The generation that `owned` is of, if the member told.
    pub generation: Option<i32>,
    /// What [`PartitionAssignor::user_data`] gave.
    pub user_data: Option<Bytes>,
}

/// A topic that exists, as the leader of a classic group sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupTopic {
    /// The racks of the replicas of each partition, as far as they are known.
    pub partitions: Vec<Vec<String>>,
}

impl GroupTopic {
    /// A topic of which no racks are known.
    pub fn without_racks(partitions: usize) -> Self {
        Self { partitions: vec![Vec::new(); partitions] }
    }
}

/// The topics that exist, by name.
pub type GroupTopics = BTreeMap<Arc<str>, GroupTopic>;

/// Who gets what, by member id. A member without an entry gets nothing.
pub type GroupAssignment = BTreeMap<String, Vec<TopicPartition>>;

/// What a member was given last, and in which generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastAssignment {
    /// The generation.
    pub generation: i32,
    /// The partitions.
    pub partitions: Vec<TopicPartition>,
}

/// An assignor of the program's own; see [`Assignor::custom`].
///
/// The methods are pure functions: what an assignor wants to remember goes from member to leader as `user_data`.
/// They run on a thread of their own, and a panic in [`assign`](Self::assign) becomes an error of `poll()`.
///
/// ```
/// use kavka::config::{Assignor, GroupAssignment, GroupMember, GroupTopics, PartitionAssignor};
/// use kavka::{KafkaConsumer, TopicPartition};
/// # let cluster = kavka::mock::MockCluster::builder().topic("orders", 3).start()?;
/// # let servers = cluster.bootstrap_servers();
///
/// /// Everything to the member whose id comes first.
/// struct OneForAll;
///
/// impl PartitionAssignor for OneForAll {
///     fn name(&self) -> &str {
///         "one-for-all"
///     }
///
///     fn assign(&self, members: &[GroupMember], topics: &GroupTopics) -> GroupAssignment {
///         let all = topics.iter().flat_map(|(name, topic)| {
///             (0..topic.partitions.len()).map(move |number| TopicPartition::new(name.clone(), number as i32))
///         });
///         let first = members.iter().map(|member| &member.id).min();
///         first.map(|id| (id.clone(), all.collect())).into_iter().collect()
///     }
/// }
///
/// let consumer = KafkaConsumer::builder()
///     .bootstrap_servers(servers)
///     .group_id("billing")
///     .partition_assignment_strategy([Assignor::custom(OneForAll)])
///     .build()?;
/// # Ok::<(), kavka::Error>(())
/// ```
pub trait PartitionAssignor: Send + Sync + 'static {
    /// The name on the wire. All members of a group need one in common.
    fn name(&self) -> &str;

    /// Whether [`assign`](Self::assign) gives a partition to nobody while another member still owns it, so that
    /// members need not give up everything before a rebalance (KIP-429). Defaults to `false`.
    fn is_cooperative(&self) -> bool {
        false
    }

    /// What the leader is told of this member, besides of its topics. Defaults to nothing.
    fn user_data(&self, topics: &[String], last: Option<&LastAssignment>) -> Option<Bytes> {
        let _ = (topics, last);
        None
    }

    /// Shares out the partitions. Each may go to one member that wants its topic; what breaks that is an error.
    fn assign(&self, members: &[GroupMember], topics: &GroupTopics) -> GroupAssignment;
}

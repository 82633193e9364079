//! Topics and their partitions in full, at once or a page at a time.

use futures_util::future::join;

use super::{TopicRef, some_id, with_name};
use crate::admin::{
    AclOperation, Admin, At, Call, KafkaAdminClient, Results, Route, authorized_operations, metadata_request,
    verdict,
};
use crate::error::{Error, Result};
use crate::error_code::ErrorCode;
use crate::protocol::Uuid;
use crate::protocol::messages::describe_topic_partitions::{
    DescribeTopicPartitionsRequestCursor, DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic, TopicRequest,
};
use crate::protocol::messages::metadata::MetadataResponsePartition;
use crate::protocol::messages::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, MetadataRequest, MetadataResponse,
};

/// A topic, as a broker knows it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// The name.
    pub name: String,
    /// The id (KIP-516); `None` from brokers before 2.8.
    pub id: Option<Uuid>,
    /// Whether it is one of Kafka's own.
    pub is_internal: bool,
    /// The partitions, in order.
    pub partitions: Vec<PartitionDescription>,
    /// What this client may do with the topic (KIP-430); `None` from brokers before 2.3.
    pub authorized_operations: Option<Vec<AclOperation>>,
}

/// A partition, as a broker knows it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionDescription {
    /// The number of the partition.
    pub partition: i32,
    /// The leader's node id, unless there is none now.
    pub leader: Option<i32>,
    /// Grows with every change of the leader; `None` where the broker does not tell (KIP-320).
    pub leader_epoch: Option<i32>,
    /// All replicas, the preferred leader first.
    pub replicas: Vec<i32>,
    /// The replicas in sync.
    pub isr: Vec<i32>,
    /// The replicas that cannot be reached.
    pub offline_replicas: Vec<i32>,
    /// The replicas that may lead although they are not in sync, since they have all that was acknowledged
    /// (KIP-966); `None` where that was not asked for or the cluster does not keep it.
    pub eligible_leader_replicas: Option<Vec<i32>>,
    /// The replicas that were eligible last (KIP-966); `None` as above.
    pub last_known_elr: Option<Vec<i32>>,
}

/// A page of [`describe_topic_partitions`](KafkaAdminClient::describe_topic_partitions).
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct TopicPartitionsPage {
    /// The topics, in the order of their names. One that does not fit the page comes with its first partitions,
    /// and again on the next page.
    pub topics: Results<String, TopicDescription>,
    /// Where the next page begins; `None` on the last one.
    pub next_cursor: Option<TopicPartitionCursor>,
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPartitionCursor {
    /// The first topic.
    pub topic: String,
    /// Its first partition.
    pub partition: i32,
}

impl KafkaAdminClient {
    /// Describes topics, by names or by ids (which needs Kafka 3.1).
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout), with the failure of each address; for a topic that does
    /// not exist [`ErrorKind::UnknownTopic`](crate::ErrorKind::UnknownTopic).
    pub fn describe_topics(
        &self,
        topics: impl IntoIterator<Item = impl Into<TopicRef>>,
    ) -> Result<Results<TopicRef, TopicDescription>> {
        let topics: Vec<TopicRef> = topics.into_iter().map(Into::into).collect();
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        self.call(DESCRIBE, move |admin, call| async move { Ok(admin.describe_topics(call, topics).await) })
    }

    /// Describes one page of topics and their partitions, with the replicas that are eligible to lead (KIP-966).
    /// Needs Kafka 3.8.
    ///
    /// A page holds at most `response_partition_limit` partitions, and the broker's own limit
    /// (`max.request.partition.size.limit`, 2000); it begins at `cursor`, the first one with `None`. No topics
    /// stand for all of them.
    ///
    /// ```
    /// # let cluster = kavka::mock::MockCluster::builder().topic("orders", 5).start()?;
    /// # let admin = kavka::KafkaAdminClient::builder().bootstrap_servers(cluster.bootstrap_servers()).build()?;
    /// let mut cursor = None;
    /// let mut partitions = 0;
    /// loop {
    ///     let page = admin.describe_topic_partitions(["orders"], 2, cursor)?;
    ///     for (_, topic) in page.topics {
    ///         partitions += topic?.partitions.len();
    ///     }
    ///     cursor = page.next_cursor;
    ///     if cursor.is_none() {
    ///         break;
    ///     }
    /// }
    /// assert_eq!(partitions, 5);
    /// # Ok::<(), kavka::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout),
    /// [`ErrorKind::UnsupportedVersion`](crate::ErrorKind::UnsupportedVersion); for a topic that does not exist
    /// [`ErrorKind::UnknownTopic`](crate::ErrorKind::UnknownTopic).
    pub fn describe_topic_partitions(
        &self,
        topics: impl IntoIterator<Item = impl Into<String>>,
        response_partition_limit: i32,
        cursor: Option<TopicPartitionCursor>,
    ) -> Result<TopicPartitionsPage> {
        let topics: Vec<String> = topics.into_iter().map(Into::into).collect();
        self.call(PAGE, move |admin, call| async move {
            let request = |_: &At| {
                let cursor = cursor.as_ref().map(|cursor| DescribeTopicPartitionsRequestCursor {
                    topic_name: cursor.topic.clone(),
                    partition_index: cursor.partition,
                });
                Ok(DescribeTopicPartitionsRequest {
                    topics: topics.iter().map(|name| TopicRequest { name: name.clone() }).collect(),
                    response_partition_limit,
                    cursor,
                })
            };
            let response: DescribeTopicPartitionsResponse =
                admin.ask_one(call, Route::Any, request, |_| Ok(())).await?;
            Ok(TopicPartitionsPage {
                topics: response.topics.into_iter().map(on_page).collect(),
                next_cursor: response.next_cursor.map(|cursor| TopicPartitionCursor {
                    topic: cursor.topic_name,
                    partition: cursor.partition_index,
                }),
            })
        })
    }
}

impl Admin {
    /// Names and ids go in requests of their own: brokers pass over the names when they see an id.
    pub(super) async fn describe_topics(
        &self,
        call: Call,
        topics: Vec<TopicRef>,
    ) -> Results<TopicRef, TopicDescription> {
        let is_id = |topic: &TopicRef| matches!(topic, TopicRef::Id(_));
        let kinds: Vec<bool> = topics.iter().map(is_id).collect();
        let (ids, names): (Vec<TopicRef>, Vec<TopicRef>) = topics.into_iter().partition(is_id);
        let (ids, names) = join(self.describe_some(call, ids), self.describe_some(call, names)).await;
        let (mut ids, mut names) = (ids.into_iter(), names.into_iter());
        kinds.into_iter().filter_map(|is_id| if is_id { ids.next() } else { names.next() }).collect()
    }

    async fn describe_some(&self, call: Call, topics: Vec<TopicRef>) -> Results<TopicRef, TopicDescription> {
        if topics.is_empty() {
            return Vec::new();
        }
        let items = topics.into_iter().map(|topic| topic.item(Route::Any, BY_ID_SINCE)).collect();
        let request = |at: &At, topics: &[&TopicRef]| {
            let wanted = topics.iter().map(|topic| topic.to_describe()).collect();
            Ok(MetadataRequest {
                include_topic_authorized_operations: at.version >= AUTHORIZED_OPERATIONS_SINCE,
                ..metadata_request(at.version, Some(wanted))
            })
        };
        let read = |_: &At, response: MetadataResponse, topics: &[&TopicRef]| {
            topics.iter().map(|topic| described(&response, topic)).collect()
        };
        let results = self.ask(call, items, request, read).await;
        results.into_iter().map(with_name).collect()
    }
}

fn described(response: &MetadataResponse, topic: &TopicRef) -> Result<TopicDescription> {
    let answer = response.topics.iter().find(|answer| topic.is(answer.name.as_deref(), answer.topic_id));
    // Old brokers were asked for all topics: there, one that is left out does not exist.
    let answer = answer.ok_or_else(|| Error::from_code(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, DESCRIBE))?;
    verdict(answer.error_code, None, DESCRIBE)?;
    Ok(TopicDescription {
        name: answer.name.clone().unwrap_or_default(),
        id: some_id(answer.topic_id),
        is_internal: answer.is_internal,
        partitions: in_order(answer.partitions.iter().map(partition)),
        authorized_operations: authorized_operations(answer.topic_authorized_operations),
    })
}

fn partition(answer: &MetadataResponsePartition) -> PartitionDescription {
    PartitionDescription {
        partition: answer.partition_index,
        leader: Some(answer.leader_id).filter(|&id| id >= 0),
        leader_epoch: Some(answer.leader_epoch).filter(|&epoch| epoch >= 0),
        replicas: answer.replica_nodes.clone(),
        isr: answer.isr_nodes.clone(),
        offline_replicas: answer.offline_replicas.clone(),
        eligible_leader_replicas: None,
        last_known_elr: None,
    }
}

fn on_page(answer: DescribeTopicPartitionsResponseTopic) -> (String, Result<TopicDescription>) {
    let name = answer.name.unwrap_or_default();
    let description = TopicDescription {
        name: name.clone(),
        id: some_id(answer.topic_id),
        is_internal: answer.is_internal,
        partitions: in_order(answer.partitions.into_iter().map(partition_on_page)),
        authorized_operations: authorized_operations(answer.topic_authorized_operations),
    };
    let result = verdict(answer.error_code, None, PAGE).map(|()| description);
    let result = result.map_err(|error| error.with_topic(&name));
    (name, result)
}

fn partition_on_page(answer: DescribeTopicPartitionsResponsePartition) -> PartitionDescription {
    PartitionDescription {
        partition: answer.partition_index,
        leader: Some(answer.leader_id).filter(|&id| id >= 0),
        leader_epoch: Some(answer.leader_epoch).filter(|&epoch| epoch >= 0),
        replicas: answer.replica_nodes,
        isr: answer.isr_nodes,
        offline_replicas: answer.offline_replicas,
        eligible_leader_replicas: answer.eligible_leader_replicas,
        last_known_elr: answer.last_known_elr,
    }
}

fn in_order(partitions: impl Iterator<Item = PartitionDescription>) -> Vec<PartitionDescription> {
    let mut partitions: Vec<PartitionDescription> = partitions.collect();
    partitions.sort_unstable_by_key(|partition| partition.partition);
    partitions
}

const DESCRIBE: &str = "describe topics";
const PAGE: &str = "describe topic partitions";
/// The version of Metadata that takes ids alone; 10 and 11 have the field but refuse it.
const BY_ID_SINCE: i16 = 12;
/// The version of Metadata that tells what the client may do.
const AUTHORIZED_OPERATIONS_SINCE: i16 = 8;

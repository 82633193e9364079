//! Looks up offsets in the log: beginning, end, by time.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::join_all;

use crate::cluster::Cluster;
use crate::config::ConsumerConfig;
use crate::error::{Error, Result};
use crate::error_code::ErrorCode;
use crate::net::backoff::Backoff;
use crate::net::manager::NodeId;
use crate::protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsTopic,
};
use crate::protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};
use crate::types::{OffsetAndTimestamp, OffsetSpec, TopicPartition};

/// Asks the leaders, again and again until all have answered; the caller bounds the wait. `None` for a time
/// that is later than all records.
///
/// # Errors
/// What another try will not mend, such as missing rights.
pub(super) async fn list_offsets(
    cluster: &Cluster,
    config: &ConsumerConfig,
    wanted: Vec<(TopicPartition, OffsetSpec)>,
) -> Result<HashMap<TopicPartition, Option<OffsetAndTimestamp>>> {
    let backoff = Backoff { initial: config.common.retry_backoff, max: config.common.retry_backoff_max };
    let mut found = HashMap::new();
    let mut open = wanted;
    let mut failures = 0;
    loop {
        let mut by_leader: BTreeMap<i32, Vec<(TopicPartition, OffsetSpec)>> = BTreeMap::new();
        let mut left = Vec::new();
        for (tp, spec) in open {
            if cluster.leader(tp.topic(), tp.partition()).is_none() {
                cluster.topic(tp.topic()).await?;
            }
            match cluster.leader(tp.topic(), tp.partition()) {
                Some((leader, _)) => by_leader.entry(leader).or_default().push((tp, spec)),
                None => left.push((tp, spec)),
            }
        }
        let asks = by_leader.into_iter().map(|(leader, asked)| ask(cluster, config, leader, asked));
        for (asked, answer) in join_all(asks).await {
            match answer {
                Ok(answer) => collect(asked, answer, &mut found, &mut left)?,
                Err(error) if error.is_retriable() => {
                    log::debug!("ListOffsets: {error}");
                    left.extend(asked);
                }
                Err(error) => return Err(error),
            }
        }
        if left.is_empty() {
            return Ok(found);
        }
        open = left;
        failures += 1;
        cluster.request_update();
        cluster.net().sleep(backoff.after(failures, cluster.net().random())).await;
    }
}

type Asked = Vec<(TopicPartition, OffsetSpec)>;

async fn ask(
    cluster: &Cluster,
    config: &ConsumerConfig,
    leader: i32,
    asked: Asked,
) -> (Asked, Result<ListOffsetsResponse>) {
    let answer = try_ask(cluster, config, leader, &asked).await;
    (asked, answer)
}

async fn try_ask(
    cluster: &Cluster,
    config: &ConsumerConfig,
    leader: i32,
    asked: &Asked,
) -> Result<ListOffsetsResponse> {
    let connection = cluster.manager().connection(NodeId::Broker(leader)).await?;
    let version = connection.pick_version::<ListOffsetsRequest>(i16::MAX)?;
    let mut topics: Vec<ListOffsetsTopic> = Vec::new();
    for (tp, spec) in asked {
        if version < spec.min_version() {
            let text = format!("looking up {spec:?} needs ListOffsets {}", spec.min_version());
            return Err(Error::from_code(ErrorCode::UNSUPPORTED_VERSION, text).with_node(leader));
        }
        let epoch = cluster.leader(tp.topic(), tp.partition()).and_then(|(_, epoch)| epoch);
        let partition = ListOffsetsPartition {
            partition_index: tp.partition(),
            current_leader_epoch: epoch.unwrap_or(-1),
            timestamp: spec.code()?,
            ..ListOffsetsPartition::default()
        };
        match topics.iter_mut().find(|topic| topic.name == tp.topic()) {
            Some(topic) => topic.partitions.push(partition),
            None => {
                topics.push(ListOffsetsTopic { name: tp.topic().to_owned(), partitions: vec![partition] })
            }
        }
    }
    let request = ListOffsetsRequest {
        replica_id: -1,
        isolation_level: if version < 2 { 0 } else { config.isolation_level.code() },
        topics,
        timeout_ms: i32::try_from(config.common.request_timeout.as_millis()).unwrap_or(i32::MAX),
    };
    connection.send_at(&request, version, config.common.request_timeout).await
}

fn collect(
    asked: Asked,
    answer: ListOffsetsResponse,
    found: &mut HashMap<TopicPartition, Option<OffsetAndTimestamp>>,
    left: &mut Asked,
) -> Result<()> {
    let answers: HashMap<(String, i32), ListOffsetsPartitionResponse> = answer
        .topics
        .into_iter()
        .flat_map(|topic| {
            let name = topic.name;
            topic.partitions.into_iter().map(move |answer| ((name.clone(), answer.partition_index), answer))
        })
        .collect();
    for (tp, spec) in asked {
        match answers.get(&(tp.topic().to_owned(), tp.partition())) {
            Some(answer) if answer.error_code.is_ok() => drop(found.insert(tp, place(answer))),
            Some(answer)
                if !answer.error_code.is_retriable()
                    && answer.error_code != ErrorCode::UNKNOWN_SERVER_ERROR =>
            {
                return Err(Error::from_code(answer.error_code, "ListOffsets")
                    .with_topic(tp.topic())
                    .with_partition(tp.partition()));
            }
            _ => left.push((tp, spec)),
        }
    }
    Ok(())
}

fn place(answer: &ListOffsetsPartitionResponse) -> Option<OffsetAndTimestamp> {
    let offset = match answer.old_style_offsets.first() {
        Some(offset) => *offset,
        None => answer.offset,
    };
    let leader_epoch = Some(answer.leader_epoch).filter(|epoch| *epoch >= 0);
    (offset >= 0).then_some(OffsetAndTimestamp { offset, timestamp: answer.timestamp, leader_epoch })
}

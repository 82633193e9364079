//! Electing leaders.

use super::{by_topic, name};
use crate::admin::words::code_enum;
use crate::admin::{At, Item, KafkaAdminClient, Results, Route, unanswered, verdict};
use crate::error::Result;
use crate::error_code::ErrorCode;
use crate::protocol::messages::elect_leaders::{PartitionResult, TopicPartitions};
use crate::protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};
use crate::types::TopicPartition;

code_enum! {
    /// Who is to lead.
    ElectionType {
        /// The first replica of the list, if it is in sync.
        Preferred = 0 "PREFERRED",
        /// Any replica, if none is in sync: records may be lost (KIP-460).
        Unclean = 1 "UNCLEAN",
    }
}

/// What came of an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Election {
    /// The partition has another leader.
    Held,
    /// The partition is led as it is to be already.
    NotNeeded,
}

impl KafkaAdminClient {
    /// Has the controller elect the leaders of partitions (KIP-183, KIP-460), of all that need it with `None`.
    ///
    /// Needs Kafka 2.2, and 2.4 for unclean elections. As in kafka-python, a partition that needs no election is
    /// no error; it is one in Java.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout), [`ErrorKind::Authorization`](crate::ErrorKind); for a
    /// partition [`PREFERRED_LEADER_NOT_AVAILABLE`](ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE) or
    /// [`ELIGIBLE_LEADERS_NOT_AVAILABLE`](ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE).
    pub fn elect_leaders(
        &self,
        election_type: ElectionType,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<Results<TopicPartition, Election>> {
        let partitions = partitions.map(<[TopicPartition]>::to_vec);
        self.call(ELECT, move |admin, call| async move {
            let request = |at: &At, partitions: Option<&[&TopicPartition]>| {
                if election_type != ElectionType::Preferred {
                    at.need(1, "an unclean election (KIP-460)")?;
                }
                let topic = |(topic, partitions): (&str, Vec<(i32, ())>)| TopicPartitions {
                    topic: topic.to_owned(),
                    partitions: partitions.into_iter().map(|(partition, ())| partition).collect(),
                };
                let topics = partitions.map(|partitions| {
                    let topics = by_topic(partitions.iter().map(|partition| (*partition, ())));
                    topics.into_iter().map(topic).collect()
                });
                Ok(ElectLeadersRequest {
                    election_type: election_type.code(),
                    topic_partitions: topics,
                    timeout_ms: at.timeout_ms(),
                })
            };
            let results = match partitions {
                Some(partitions) => {
                    let item = |partition| Item::new(Route::Controller, partition);
                    let items = partitions.into_iter().map(item).collect();
                    let read = |_: &At, response: ElectLeadersResponse, wanted: &[&TopicPartition]| {
                        wanted.iter().map(|partition| elected(&response, partition)).collect()
                    };
                    admin.ask(call, items, |at, some| request(at, Some(some)), read).await
                }
                None => {
                    let judge = |response: &ElectLeadersResponse| verdict(response.error_code, None, ELECT);
                    let response =
                        admin.ask_one(call, Route::Controller, |at| request(at, None), judge).await?;
                    all_elected(response)
                }
            };
            Ok(results.into_iter().map(name).collect())
        })
    }
}

fn elected(response: &ElectLeadersResponse, partition: &TopicPartition) -> Result<Election> {
    verdict(response.error_code, None, ELECT)?;
    let topics = response.replica_election_results.iter().filter(|topic| topic.topic == partition.topic());
    let answer = topics
        .flat_map(|topic| &topic.partition_result)
        .find(|answer| answer.partition_id == partition.partition());
    answer.ok_or_else(|| unanswered(ELECT)).and_then(outcome)
}

fn all_elected(response: ElectLeadersResponse) -> Results<TopicPartition, Election> {
    let mut all = Vec::new();
    for topic in response.replica_election_results {
        for answer in &topic.partition_result {
            all.push((TopicPartition::new(topic.topic.as_str(), answer.partition_id), outcome(answer)));
        }
    }
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    all
}

fn outcome(answer: &PartitionResult) -> Result<Election> {
    if answer.error_code == ErrorCode::ELECTION_NOT_NEEDED {
        return Ok(Election::NotNeeded);
    }
    verdict(answer.error_code, answer.error_message.as_deref(), ELECT).map(|()| Election::Held)
}

const ELECT: &str = "elect leaders";

//! Whether a position is still in the log after a leader has changed (KIP-320).
//!
//! From Fetch 12 on the leader looks itself, in each fetch. Older ones are asked where the epoch of the last
//! record that was fetched ends in their log, before anything is fetched from them. Nothing but their answer moves a
//! position: while there is none, the partition waits.

use std::collections::{BTreeMap, HashMap};

use super::super::event::{Event, FetchFailure, Slot};
use super::super::session::Key;
use super::{Fetcher, Sent};
use crate::error::Error;
use crate::net::connection::Connection;
use crate::protocol::messages::OffsetForLeaderEpochRequest;
use crate::protocol::messages::fetch::LeaderIdAndEpoch;
use crate::protocol::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderPartition, OffsetForLeaderTopic,
};

impl Fetcher {
    /// Validates those of the partitions that have to be. Returns whether there were any: the plan is out of date
    /// then.
    ///
    /// # Errors
    /// What became of the request.
    pub(super) async fn validate(
        &self,
        node: i32,
        connection: &Connection,
        sent: &HashMap<Key, Sent>,
    ) -> Result<bool, Error> {
        // Before, only brokers may ask.
        let version = connection.pick_version::<OffsetForLeaderEpochRequest>(i16::MAX);
        let Some(version) = version.ok().filter(|version| *version >= FIRST_FOR_CLIENTS) else {
            return Ok(false);
        };
        let mut asked = BTreeMap::new();
        {
            let mut partitions = self.0.partitions.borrow_mut();
            for (key, Sent { slot, offset, .. }) in sent {
                let Some(partition) = partitions.get_mut(&slot.index) else { continue };
                let leader = self.0.cluster.leader(partition.tp.topic(), partition.tp.partition());
                let Some(leader_epoch) = leader.and_then(|(_, epoch)| epoch) else { continue };
                if partition.slot == *slot
                    && partition.offset == *offset
                    && partition.last_epoch >= 0
                    && partition.validated_in != leader_epoch
                {
                    partition.validating = true;
                    asked.insert(key.clone(), (*slot, *offset, partition.last_epoch, leader_epoch));
                }
            }
        }
        if asked.is_empty() {
            return Ok(false);
        }
        let mut topics: Vec<OffsetForLeaderTopic> = Vec::new();
        for ((topic, partition), (_, _, leader_epoch, current_leader_epoch)) in &asked {
            let partition = OffsetForLeaderPartition {
                partition: *partition,
                current_leader_epoch: *current_leader_epoch,
                leader_epoch: *leader_epoch,
            };
            match topics.last_mut() {
                Some(last) if *last.topic == **topic => last.partitions.push(partition),
                _ => topics
                    .push(OffsetForLeaderTopic { topic: topic.to_string(), partitions: vec![partition] }),
            }
        }
        let request = OffsetForLeaderEpochRequest { replica_id: -1, topics };
        let response = connection.send_at(&request, version, self.0.config.common.request_timeout).await;
        for (slot, ..) in asked.values() {
            if let Some(partition) = self.0.partitions.borrow_mut().get_mut(&slot.index) {
                partition.validating = false;
            }
        }
        let response = response?;
        let mut answers: HashMap<(String, i32), EpochEndOffset> = HashMap::new();
        for topic in response.topics {
            for end in topic.partitions {
                answers.insert((topic.topic.clone(), end.partition), end);
            }
        }
        for ((topic, number), (slot, offset, _, leader_epoch)) in asked {
            let answer = answers.remove(&(topic.to_string(), number));
            self.validated(node, slot, offset, leader_epoch, answer);
        }
        Ok(true)
    }

    fn validated(
        &self,
        node: i32,
        slot: Slot,
        offset: i64,
        leader_epoch: i32,
        answer: Option<EpochEndOffset>,
    ) {
        let mut partitions = self.0.partitions.borrow_mut();
        let Some(partition) = partitions
            .get_mut(&slot.index)
            .filter(|partition| partition.slot == slot && partition.offset == offset)
        else {
            return;
        };
        let Some(end) = answer else { return self.retry_later(partition) };
        if !end.error_code.is_ok() {
            return self.failed(node, partition, end.error_code, &LeaderIdAndEpoch::default());
        }
        if end.end_offset >= offset && end.leader_epoch >= 0 {
            partition.validated_in = leader_epoch;
            partition.failures = 0;
            return;
        }
        partition.resting = true;
        let failure = FetchFailure::Diverged { end_offset: end.end_offset, leader_epoch: end.leader_epoch };
        self.0.events.send(Event::FetchFailed(slot, failure));
    }
}

/// The first version that clients may use without rights on the cluster.
const FIRST_FOR_CLIENTS: i16 = 3;

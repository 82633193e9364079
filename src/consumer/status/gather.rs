//! Puts a status together from what both threads know.

use std::sync::Arc;
use std::time::Duration;

use super::{Blocked, ConsumerStatus, GroupStatus, MemberState, PartitionStatus};
use crate::consumer::core::Core;
use crate::consumer::event::Slot;
use crate::consumer::io::ConsumerIo;
use crate::consumer::subscription::{PartitionState, Phase, Selection};
use crate::error::{Error, Result};
use crate::error_code::ErrorCode;
use crate::types::TopicPartition;

/// What the IO thread knows of a partition.
#[derive(Debug, Default)]
pub(in crate::consumer) struct Fetched {
    pub(in crate::consumer) leader: Option<i32>,
    pub(in crate::consumer) node: Option<i32>,
    pub(in crate::consumer) high_watermark: Option<i64>,
    pub(in crate::consumer) last_stable_offset: Option<i64>,
    pub(in crate::consumer) last_fetch: Option<Duration>,
    pub(in crate::consumer) blocked: Option<Blocked>,
}

/// What the IO thread knows of the rest.
struct Io {
    metadata_error: Option<Error>,
    no_cluster: Option<Blocked>,
    /// What is wrong with all of the topics.
    topics: Option<Blocked>,
    coordinator: Option<i32>,
    coordinator_error: Option<Error>,
    partitions: Vec<Fetched>,
}

impl Core {
    pub(in crate::consumer) fn status(&mut self) -> Result<ConsumerStatus> {
        self.check_open()?;
        self.drain();
        self.flush();
        let mut all: Vec<(Slot, TopicPartition)> =
            self.subscription.iter().map(|(slot, partition)| (slot, partition.tp.clone())).collect();
        all.sort_unstable_by(|one, other| one.1.cmp(&other.1));
        let (asked, topics) = (all.clone(), self.subscription.selection.topics());
        let topics: Vec<Arc<str>> = topics.into_iter().collect();
        let deadline = self.clock.deadline(PATIENCE);
        let io =
            self.io.run(deadline, "the IO thread does not answer, for the status", move |io| async move {
                Ok(io.look(&asked, &topics))
            })?;
        let now = self.clock.now();
        let view = self.view.snapshot();
        let fetched = io.partitions.iter();
        let partitions: Vec<PartitionStatus> = all
            .iter()
            .zip(fetched)
            .filter_map(|((_, tp), fetched)| Some(partition_status(self.subscription.get(tp).ok()?, fetched)))
            .collect();
        let group = self.group_status(&io);
        let blocked = if partitions.is_empty() { self.without_partitions(&io, group.as_ref()) } else { None };
        Ok(ConsumerStatus {
            client_id: self.config.common.client_id.clone(),
            cluster_id: view.cluster_id().map(str::to_owned),
            metadata_age: view.refreshed_at().map(|at| now.saturating_duration_since(at)),
            metadata_error: io.metadata_error,
            group,
            partitions,
            blocked,
        })
    }

    fn group_status(&self, io: &Io) -> Option<GroupStatus> {
        let group_id = self.config.group_id.clone()?;
        let now = self.clock.now();
        let metadata = self.group_metadata();
        let state = self.group.state();
        let ago = |at| now.saturating_duration_since(at);
        Some(GroupStatus {
            group_id,
            protocol: self.config.group_protocol,
            state,
            rebalancing_for: self.group.rebalancing_since.map(ago),
            member_id: metadata.member_id,
            group_instance_id: metadata.group_instance_id,
            generation: metadata.generation_id,
            coordinator: io.coordinator,
            coordinator_error: io.coordinator_error.clone(),
            last_heartbeat: self.shared.meter.last_heartbeat().map(ago),
        })
    }

    /// Why nothing is assigned.
    fn without_partitions(&self, io: &Io, group: Option<&GroupStatus>) -> Option<Blocked> {
        if self.subscription.selection == Selection::Nothing {
            return Some(Blocked::NothingSelected);
        }
        let refused = self.errors.iter().find(|error| error.kind() == crate::ErrorKind::Authorization);
        let refused = refused.map(|error| Blocked::Unauthorized { error: error.clone() });
        let of_cluster = io.no_cluster.clone().or(refused).or_else(|| io.topics.clone());
        let is_member = group.is_some_and(|group| group.state == MemberState::Stable);
        let given = if is_member { Blocked::NoPartitions } else { Blocked::NotAssigned };
        Some(of_cluster.unwrap_or(given))
    }
}

fn partition_status(partition: &PartitionState, fetched: &Fetched) -> PartitionStatus {
    let (shared, ready) = (&partition.shared, partition.phase == Phase::Ready);
    let buffered = shared.chunks();
    let blocked = if partition.paused {
        Some(Blocked::Paused)
    } else if ready && buffered > 0 {
        Some(Blocked::WaitingForProgram)
    } else if partition.phase == Phase::Stuck {
        Some(Blocked::NoPosition)
    } else if ready {
        fetched.blocked.clone()
    } else {
        Some(fetched.blocked.clone().unwrap_or(Blocked::AwaitingPosition))
    };
    PartitionStatus {
        partition: partition.tp.clone(),
        leader: fetched.leader,
        fetched_from: fetched.node,
        position: ready.then(|| partition.position()),
        lag: partition.lag(),
        log_start_offset: shared.log_start(),
        high_watermark: fetched.high_watermark,
        last_stable_offset: fetched.last_stable_offset,
        buffered,
        last_fetch: fetched.last_fetch,
        blocked,
    }
}

impl ConsumerIo {
    fn look(&self, partitions: &[(Slot, TopicPartition)], topics: &[Arc<str>]) -> Io {
        let metadata_error = self.cluster.last_error();
        let known = self.cluster.snapshot().version() > 0;
        let group = self.group().ok();
        Io {
            no_cluster: (!known).then(|| Blocked::NoCluster { error: self.cluster.obstacle() }),
            metadata_error,
            topics: self.trouble_with(topics),
            coordinator: group.and_then(|group| group.node()),
            coordinator_error: group.and_then(|group| group.trouble()),
            partitions: partitions.iter().map(|(slot, tp)| self.fetcher.look(*slot, tp)).collect(),
        }
    }

    /// Why none of the topics can be read, as far as metadata tells.
    fn trouble_with(&self, topics: &[Arc<str>]) -> Option<Blocked> {
        let view = self.cluster.snapshot();
        let mut worst = None;
        for name in topics {
            match view.topic(name) {
                Some(topic) if topic.error == ErrorCode::TOPIC_AUTHORIZATION_FAILED => {
                    let error = Error::from_code(topic.error, "metadata").with_topic(&**name);
                    worst = Some(Blocked::Unauthorized { error });
                }
                Some(topic) if !topic.partitions.is_empty() => return None,
                _ => worst = worst.or(Some(Blocked::UnknownTopic { lasting: None })),
            }
        }
        worst
    }
}

/// The IO thread waits for nothing, so it answers at once.
const PATIENCE: Duration = Duration::from_secs(5);

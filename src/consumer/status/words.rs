//! A status in words.

use std::fmt;
use std::time::Duration;

use super::{Blocked, ConsumerStatus, GroupStatus, MemberState, PartitionStatus};

impl fmt::Display for ConsumerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.client_id)?;
        match (&self.cluster_id, self.metadata_age) {
            (Some(id), _) => write!(f, "cluster {id}")?,
            (None, Some(_)) => f.write_str("cluster known")?,
            (None, None) => f.write_str("cluster not known yet")?,
        }
        if let Some(age) = self.metadata_age {
            write!(f, ", metadata of {} ago", Time(age))?;
        }
        if let Some(error) = &self.metadata_error {
            write!(f, ", the last look at it failed: {error}")?;
        }
        if let Some(group) = &self.group {
            write!(f, "\n{group}")?;
        }
        if let Some(blocked) = &self.blocked {
            write!(f, "\nno partitions: {blocked}")?;
        }
        self.partitions.iter().try_for_each(|partition| write!(f, "\n{partition}"))
    }
}

impl fmt::Display for GroupStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "group {} ({}): {}", self.group_id, self.protocol, self.state)?;
        if let Some(time) = self.rebalancing_for {
            write!(f, " for {}", Time(time))?;
        }
        if !self.member_id.is_empty() {
            write!(f, ", member {} of generation {}", self.member_id, self.generation)?;
        }
        if let Some(instance) = &self.group_instance_id {
            write!(f, ", static id {instance}")?;
        }
        match self.coordinator {
            Some(node) => write!(f, ", coordinator {node}")?,
            None => f.write_str(", no coordinator")?,
        }
        if let Some(error) = &self.coordinator_error {
            write!(f, " (cannot be reached: {error})")?;
        }
        match self.last_heartbeat {
            Some(ago) => write!(f, ", last heartbeat {} ago", Time(ago)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for MemberState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unjoined => "not joined",
            Self::Joining => "joining",
            Self::RebalanceWaitsForPoll => "a rebalance waits for poll()",
            Self::Stable => "stable",
            Self::Lost => "dropped out, to be joined again by poll()",
            Self::Fenced => "fenced by another member with the same static id",
        })
    }
}

impl fmt::Display for PartitionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.partition)?;
        match self.position {
            Some(position) => write!(f, "position {position}")?,
            None => f.write_str("no position")?,
        }
        if let Some(lag) = self.lag {
            write!(f, ", lag {lag}")?;
        }
        if let Some(end) = self.high_watermark {
            write!(f, ", high watermark {end}")?;
        }
        if let Some(stable) = self.last_stable_offset.filter(|stable| Some(*stable) != self.high_watermark) {
            write!(f, ", last stable offset {stable}")?;
        }
        match (self.leader, self.fetched_from) {
            (Some(leader), Some(node)) if node != leader => {
                write!(f, ", leader {leader}, fetched from {node}")?;
            }
            (Some(leader), _) => write!(f, ", leader {leader}")?,
            (None, _) => f.write_str(", no leader")?,
        }
        if let Some(ago) = self.last_fetch {
            write!(f, ", last fetch {} ago", Time(ago))?;
        }
        match &self.blocked {
            Some(blocked) => write!(f, ": {blocked}"),
            None => f.write_str(": being fetched"),
        }
    }
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingSelected => f.write_str("neither subscribe() nor assign() was called"),
            Self::NoCluster { error: Some(error) } => write!(f, "no broker has been reached yet: {error}"),
            Self::NoCluster { error: None } => f.write_str("no broker has been reached yet"),
            Self::NotAssigned => f.write_str("none are assigned yet"),
            Self::NoPartitions => f.write_str("the group has more members than partitions"),
            Self::Paused => f.write_str("paused"),
            Self::WaitingForProgram => f.write_str("records wait for poll()"),
            Self::AwaitingPosition => f.write_str("the position is being looked up"),
            Self::NoPosition => f.write_str("there is no position, and no policy to find one: seek"),
            Self::UnknownTopic { lasting: Some(time) } => {
                write!(f, "the topic or partition has been unknown for {}", Time(*time))
            }
            Self::UnknownTopic { lasting: None } => f.write_str("the topic or partition does not exist"),
            Self::Unauthorized { error } => write!(f, "not authorized: {error}"),
            Self::NoLeader => f.write_str("the partition has no leader"),
            Self::Unreachable { node, error: Some(error) } => {
                write!(f, "node {node} cannot be reached: {error}")
            }
            Self::Unreachable { node, error: None } => write!(f, "there is no connection to node {node} yet"),
            Self::NoAnswer { node, lasting } => {
                write!(f, "node {node} has not answered a fetch for {}", Time(*lasting))
            }
            Self::Throttled { node, left } => {
                write!(f, "throttled by node {node} for another {}", Time(*left))
            }
            Self::Refused { error, lasting } => write!(f, "refused for {}: {error}", Time(*lasting)),
            Self::Validating => f.write_str("the position is being compared with the new leader's log"),
            Self::BufferFull { bytes, limit } => {
                write!(
                    f,
                    "other partitions' records fill buffer.memory ({bytes} of {limit} bytes): call poll()"
                )
            }
            Self::Held { last_stable_offset, high_watermark, lasting } => write!(
                f,
                "held at the last stable offset {last_stable_offset} below the high watermark {high_watermark} for \
                 {}, by a transaction that is open",
                Time(*lasting)
            ),
            Self::AtEnd => f.write_str("read up to the end"),
        }
    }
}

/// A time that people read.
struct Time(Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            0..=59 => write!(f, "{:.1} s", self.0.as_secs_f64()),
            seconds @ 60..=3599 => write!(f, "{} min {} s", seconds / 60, seconds % 60),
            seconds => write!(f, "{} h {} min", seconds / 3600, seconds % 3600 / 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use crate::config::GroupProtocol;
    use crate::error::ErrorKind;
    use crate::types::TopicPartition;

    #[test]
    fn a_status_reads_as_sentences() {
        let status = ConsumerStatus {
            client_id: "c".to_owned(),
            cluster_id: Some("k".to_owned()),
            metadata_age: Some(Duration::from_millis(1250)),
            metadata_error: None,
            group: Some(GroupStatus {
                group_id: "g".to_owned(),
                protocol: GroupProtocol::Classic,
                state: MemberState::Stable,
                rebalancing_for: None,
                member_id: "m".to_owned(),
                group_instance_id: None,
                generation: 3,
                coordinator: Some(2),
                coordinator_error: None,
                last_heartbeat: Some(Duration::from_secs(3)),
            }),
            partitions: vec![PartitionStatus {
                partition: TopicPartition::new("t", 0),
                leader: Some(1),
                fetched_from: Some(1),
                position: Some(7),
                lag: Some(0),
                log_start_offset: Some(0),
                high_watermark: Some(12),
                last_stable_offset: Some(7),
                buffered: 0,
                last_fetch: Some(Duration::from_millis(100)),
                blocked: Some(Blocked::Held {
                    last_stable_offset: 7,
                    high_watermark: 12,
                    lasting: Duration::from_secs(75),
                }),
            }],
            blocked: None,
        };
        let text = "c: cluster k, metadata of 1.2 s ago\n\
                    group g (classic): stable, member m of generation 3, coordinator 2, last heartbeat 3.0 s ago\n\
                    t-0: position 7, lag 0, high watermark 12, last stable offset 7, leader 1, last fetch 0.1 s ago: \
                    held at the last stable offset 7 below the high watermark 12 for 1 min 15 s, by a transaction that \
                    is open";
        assert_eq!(status.to_string(), text);
        assert!(matches!(status.trouble(), Some((Some(_), Blocked::Held { .. }))));
        let error = Some(Error::new(ErrorKind::Connection, "refused"));
        let text = Blocked::Unreachable { node: 4, error }.to_string();
        assert_eq!(text, "node 4 cannot be reached: refused");
    }
}

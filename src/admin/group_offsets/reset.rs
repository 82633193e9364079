//! Moving a group to another place in its partitions.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::list::GroupOffsetsSpec;
use crate::admin::partitions::of_partition;
use crate::admin::{Admin, Call, KafkaAdminClient, PartitionOffset, Results, unanswered};
use crate::config::IsolationLevel;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{OffsetAndMetadata, OffsetSpec, TopicPartition};

/// Where to move a group's offset to.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OffsetReset {
    /// To an offset that is looked up: the first, the last, that of a time, … A time behind the newest record
    /// stands for the end.
    Spec(OffsetSpec),
    /// To this offset.
    Offset(i64),
    /// By so many records, forward or (negative) back.
    ShiftBy(i64),
    /// To the first record that is not older than this.
    ByDuration(Duration),
    /// To where it is; to the end where nothing is committed.
    Current,
}

impl From<OffsetSpec> for OffsetReset {
    fn from(spec: OffsetSpec) -> Self {
        Self::Spec(spec)
    }
}

impl From<i64> for OffsetReset {
    fn from(offset: i64) -> Self {
        Self::Offset(offset)
    }
}

/// A partition, and what becomes of it.
type Plan = (TopicPartition, OffsetReset);

impl KafkaAdminClient {
    /// Moves a group without members to other places in partitions, and returns the new offsets. Whatever was asked
    /// for, they lie between the first record and the end of the partition. Needs Kafka 0.10.1.
    ///
    /// ```
    /// use kavka::types::OffsetSpec;
    /// use kavka::{KafkaAdminClient, KafkaProducer, ProducerRecord};
    /// # let cluster = kavka::mock::MockCluster::builder().topic("orders", 1).start()?;
    /// # let servers = cluster.bootstrap_servers();
    /// # let producer = KafkaProducer::builder().bootstrap_servers(&servers).build()?;
    /// # for value in ["a", "b", "c"] {
    /// #     producer.send(ProducerRecord::new("orders").value(value))?;
    /// # }
    /// # producer.close(std::time::Duration::from_secs(5))?;
    ///
    /// let admin = KafkaAdminClient::builder().bootstrap_servers(&servers).build()?;
    /// let results = admin.reset_group_offsets("billing", [(("orders", 0), OffsetSpec::Latest)])?;
    /// for (partition, offset) in results {
    ///     println!("{partition} goes on at {}", offset?);
    /// }
    /// # assert_eq!(cluster.committed("billing", "orders", 0), Some(3));
    /// # Ok::<(), kavka::Error>(())
    /// ```
    ///
    /// # Errors
    /// For a partition as [`alter_group_offsets`](Self::alter_group_offsets);
    /// [`ErrorKind::NoOffsetForPartition`] for a shift where nothing is committed.
    pub fn reset_group_offsets(
        &self,
        group: impl Into<String>,
        partitions: impl IntoIterator<Item = (impl Into<TopicPartition>, impl Into<OffsetReset>)>,
    ) -> Result<Results<TopicPartition, i64>> {
        self.reset(group.into(), collect(partitions), true)
    }

    /// Says where [`reset_group_offsets`](Self::reset_group_offsets) would move the group to, and moves nothing.
    ///
    /// # Errors
    /// As [`reset_group_offsets`](Self::reset_group_offsets).
    pub fn plan_group_offsets(
        &self,
        group: impl Into<String>,
        partitions: impl IntoIterator<Item = (impl Into<TopicPartition>, impl Into<OffsetReset>)>,
    ) -> Result<Results<TopicPartition, i64>> {
        self.reset(group.into(), collect(partitions), false)
    }

    fn reset(&self, group: String, plans: Vec<Plan>, commit: bool) -> Result<Results<TopicPartition, i64>> {
        if plans.is_empty() {
            return Ok(Vec::new());
        }
        self.call(RESET, move |admin, call| async move {
            let mut results = admin.resolve_resets(call, &group, plans).await;
            if !commit {
                return Ok(results);
            }
            let commits = results.iter().filter_map(|(partition, offset)| {
                Some((partition.clone(), OffsetAndMetadata::new(*offset.as_ref().ok()?)))
            });
            let commits: Vec<_> = commits.collect();
            let mut committed = match commits.is_empty() {
                true => Vec::new().into_iter(),
                false => admin.alter_group_offsets(call, &group, commits).await.into_iter(),
            };
            for (_, result) in results.iter_mut().filter(|(_, result)| result.is_ok()) {
                let outcome = committed.next().map_or_else(|| Err(unanswered(RESET)), |(_, outcome)| outcome);
                if let Err(error) = outcome {
                    *result = Err(error);
                }
            }
            Ok(results)
        })
    }
}

fn collect(
    partitions: impl IntoIterator<Item = (impl Into<TopicPartition>, impl Into<OffsetReset>)>,
) -> Vec<Plan> {
    partitions.into_iter().map(|(partition, reset)| (partition.into(), reset.into())).collect()
}

/// What is known of a partition when its new offset is worked out.
#[derive(Default)]
struct Known {
    first: Option<Result<i64>>,
    end: Option<Result<i64>>,
    /// The offset that was looked up; none when there is no such record.
    found: Option<Result<Option<i64>>>,
    committed: Option<Result<Option<i64>>>,
}

impl Admin {
    async fn resolve_resets(
        &self,
        call: Call,
        group: &str,
        plans: Vec<Plan>,
    ) -> Results<TopicPartition, i64> {
        let now = self.cluster.net().clock().unix_millis();
        let mut known: BTreeMap<TopicPartition, Known> = BTreeMap::new();
        let all: BTreeSet<&TopicPartition> = plans.iter().map(|(partition, _)| partition).collect();
        let ends = |spec| all.iter().map(move |partition| ((*partition).clone(), spec)).collect();
        for (partition, result) in self.offsets_at(call, ends(OffsetSpec::Earliest)).await {
            known.entry(partition).or_default().first = Some(result.map(Option::unwrap_or_default));
        }
        for (partition, result) in self.offsets_at(call, ends(OffsetSpec::Latest)).await {
            known.entry(partition).or_default().end = Some(result.map(Option::unwrap_or_default));
        }
        let wanted =
            plans.iter().filter_map(|(partition, reset)| Some((partition.clone(), look_up(*reset, now)?)));
        for (partition, result) in self.offsets_at(call, wanted.collect()).await {
            known.entry(partition).or_default().found = Some(result);
        }
        let committed: Vec<TopicPartition> = plans
            .iter()
            .filter(|(_, reset)| matches!(reset, OffsetReset::ShiftBy(_) | OffsetReset::Current))
            .map(|(partition, _)| partition.clone())
            .collect();
        if !committed.is_empty() {
            let spec = GroupOffsetsSpec::new(group).partitions(committed.iter().cloned());
            let answer = self.group_offsets(call, vec![spec]).await.into_iter().next();
            match answer.map_or_else(|| Err(unanswered(RESET)), |(_, offsets)| offsets) {
                Ok(offsets) => {
                    for (partition, result) in offsets {
                        let offset = result.map(|committed| committed.map(|committed| committed.offset));
                        known.entry(partition).or_default().committed = Some(offset);
                    }
                }
                Err(error) => {
                    for partition in committed {
                        known.entry(partition).or_default().committed = Some(Err(error.clone()));
                    }
                }
            }
        }
        let resolve = |(partition, reset): Plan| {
            let none = Known::default();
            let result = resolve(reset, known.get(&partition).unwrap_or(&none), group)
                .map_err(|error| of_partition(error, &partition));
            (partition, result)
        };
        plans.into_iter().map(resolve).collect()
    }

    /// Looks offsets up at the partitions' leaders; none where there is no such record.
    async fn offsets_at(
        &self,
        call: Call,
        wanted: Vec<(TopicPartition, OffsetSpec)>,
    ) -> Results<TopicPartition, Option<i64>> {
        if wanted.is_empty() {
            return Vec::new();
        }
        let results = self.partition_offsets(call, wanted, IsolationLevel::ReadUncommitted).await;
        let offset =
            |(partition, result): (_, Result<PartitionOffset>)| (partition, result.map(|found| found.offset));
        results.into_iter().map(offset).collect()
    }
}

/// The offset that has to be looked up, beside the first and the last.
fn look_up(reset: OffsetReset, now: i64) -> Option<OffsetSpec> {
    match reset {
        OffsetReset::Spec(OffsetSpec::Earliest | OffsetSpec::Latest) => None,
        OffsetReset::Spec(spec) => Some(spec),
        OffsetReset::ByDuration(age) => {
            let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
            Some(OffsetSpec::Timestamp(now.saturating_sub(age).max(0)))
        }
        OffsetReset::Offset(_) | OffsetReset::ShiftBy(_) | OffsetReset::Current => None,
    }
}

fn resolve(reset: OffsetReset, known: &Known, group: &str) -> Result<i64> {
    let missing = || Err(unanswered(RESET));
    let first = known.first.clone().unwrap_or_else(missing)?;
    let end = known.end.clone().unwrap_or_else(missing)?;
    let committed = || known.committed.clone().unwrap_or_else(|| Err(unanswered(RESET)));
    let offset = match reset {
        OffsetReset::Spec(OffsetSpec::Earliest) => first,
        OffsetReset::Spec(OffsetSpec::Latest) => end,
        OffsetReset::Spec(_) | OffsetReset::ByDuration(_) => {
            known.found.clone().unwrap_or_else(|| Err(unanswered(RESET)))?.unwrap_or(end)
        }
        OffsetReset::Offset(offset) => offset,
        OffsetReset::Current => committed()?.unwrap_or(end),
        OffsetReset::ShiftBy(by) => {
            let none = || {
                let text = format!(
                    "{RESET} {group}: nothing is committed here that could be moved by {by}; name an offset instead"
                );
                Error::new(ErrorKind::NoOffsetForPartition, text)
            };
            committed()?.ok_or_else(none)?.saturating_add(by)
        }
    };
    Ok(offset.clamp(first, end.max(first)))
}

const RESET: &str = "reset offsets of group";

#[cfg(test)]
mod tests {
    use super::*;

    fn known(found: Option<i64>, committed: Option<i64>) -> Known {
        Known {
            first: Some(Ok(10)),
            end: Some(Ok(20)),
            found: Some(Ok(found)),
            committed: Some(Ok(committed)),
        }
    }

    #[test]
    fn every_reset_ends_within_the_partition() {
        let table = [
            (OffsetReset::Spec(OffsetSpec::Earliest), 10),
            (OffsetReset::Spec(OffsetSpec::Latest), 20),
            (OffsetReset::Spec(OffsetSpec::Timestamp(5)), 13),
            (OffsetReset::ByDuration(Duration::from_secs(1)), 13),
            (OffsetReset::Offset(12), 12),
            (OffsetReset::Offset(5), 10),
            (OffsetReset::Offset(500), 20),
            (OffsetReset::ShiftBy(-3), 12),
            (OffsetReset::ShiftBy(i64::MIN), 10),
            (OffsetReset::ShiftBy(i64::MAX), 20),
            (OffsetReset::Current, 15),
        ];
        for (reset, expected) in table {
            assert_eq!(resolve(reset, &known(Some(13), Some(15)), "g").ok(), Some(expected), "{reset:?}");
        }
    }

    #[test]
    fn what_is_not_there_has_a_stand_in_or_an_error() {
        let known = known(None, None);
        assert_eq!(resolve(OffsetReset::Spec(OffsetSpec::Timestamp(5)), &known, "g").ok(), Some(20));
        assert_eq!(resolve(OffsetReset::Current, &known, "g").ok(), Some(20));
        let error = resolve(OffsetReset::ShiftBy(1), &known, "g").expect_err("nothing to shift");
        assert_eq!(error.kind(), ErrorKind::NoOffsetForPartition);
    }

    #[test]
    fn durations_reach_back_from_now() {
        let look = |age| look_up(OffsetReset::ByDuration(age), 10_000);
        assert_eq!(look(Duration::from_secs(3)), Some(OffsetSpec::Timestamp(7_000)));
        assert_eq!(look(Duration::from_secs(3_000)), Some(OffsetSpec::Timestamp(0)));
        assert_eq!(look(Duration::MAX), Some(OffsetSpec::Timestamp(0)));
    }
}

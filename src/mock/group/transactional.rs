//! Offsets that a group is given as a part of transactions (KIP-98, KIP-447).

use std::time::Instant;

use super::{Committed, Group};
use crate::error_code::ErrorCode;

impl Group {
    /// Whether the sender may commit in a transaction: a member of this generation, or somebody who does not say
    /// that he is one. Unlike a commit outside of transactions it may come while a rebalance is under way.
    pub(crate) fn check_transactional_commit(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
        now: Instant,
    ) -> Result<(), ErrorCode> {
        if generation < 0 && member_id.is_empty() && instance_id.is_none() {
            return Ok(());
        }
        match self.check_commit(member_id, instance_id, generation, now) {
            Err(ErrorCode::REBALANCE_IN_PROGRESS) => Ok(()),
            checked => checked,
        }
    }

    /// Keeps an offset until the producer's transaction ends.
    pub(crate) fn commit_in_transaction(
        &mut self,
        producer_id: i64,
        topic: &str,
        partition: i32,
        committed: Committed,
    ) {
        let pending = self.pending_offsets.entry(producer_id).or_default();
        pending.insert((topic.to_owned(), partition), committed);
    }

    /// Whether an open transaction may still change what is committed for a partition.
    pub(crate) fn is_unstable(&self, topic: &str, partition: i32) -> bool {
        let key = (topic.to_owned(), partition);
        self.pending_offsets.values().any(|pending| pending.contains_key(&key))
    }

    /// A producer's transaction has ended.
    pub(crate) fn end_transaction(&mut self, producer_id: i64, commit: bool) {
        let pending = self.pending_offsets.remove(&producer_id);
        if commit {
            self.offsets.extend(pending.into_iter().flatten());
        }
    }
}

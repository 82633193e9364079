//! Faults that tests inject, and what they make of a request.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::error_code::ErrorCode;
use crate::protocol::ApiKey;

/// The rules, in the order in which they were made.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Vec<Rule>,
    next_id: u64,
}

/// When something goes wrong, and what.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) api: Option<ApiKey>,
    pub(crate) broker: Option<i32>,
    pub(crate) partition: Option<(String, i32)>,
    /// Which of the matching requests, counted from 1.
    pub(crate) nth: RangeInclusive<u64>,
    pub(crate) action: Action,
    pub(crate) seen: u64,
    pub(crate) hits: Arc<AtomicU64>,
    pub(crate) id: u64,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    Error(ErrorCode),
    ErrorAfter(ErrorCode),
    Delay(Duration),
    Throttle(Duration),
    DamageRecords,
    LeaveOut,
    DropBefore,
    Outcome(Outcome),
}

/// What becomes of the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Outcome {
    #[default]
    Answer,
    Drop,
    CutAfter(usize),
    Garbage,
    NeverAnswer,
}

/// All that goes wrong with one request.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    errors: Vec<(Option<(String, i32)>, ErrorCode)>,
    /// Errors that are told although the request was applied.
    late_errors: Vec<(Option<(String, i32)>, ErrorCode)>,
    /// What the answer does not mention.
    left_out: Vec<Option<(String, i32)>>,
    pub(crate) delay: Duration,
    pub(crate) throttle: Duration,
    pub(crate) damages_records: bool,
    pub(crate) drop_before: bool,
    pub(crate) outcome: Outcome,
}

impl Faults {
    pub(crate) fn add(&mut self, mut rule: Rule) -> u64 {
        self.next_id += 1;
        rule.id = self.next_id;
        self.rules.push(rule);
        self.next_id
    }

    pub(crate) fn remove(&mut self, id: u64) {
        self.rules.retain(|rule| rule.id != id);
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What goes wrong with a request that touches these partitions.
    pub(crate) fn plan(&mut self, api: ApiKey, broker: i32, partitions: &[(String, i32)]) -> Plan {
        let mut plan = Plan::default();
        for rule in &mut self.rules {
            if rule.api.is_some_and(|wanted| wanted != api)
                || rule.broker.is_some_and(|wanted| wanted != broker)
                || rule.partition.as_ref().is_some_and(|wanted| !partitions.contains(wanted))
            {
                continue;
            }
            rule.seen += 1;
            if !rule.nth.contains(&rule.seen) {
                continue;
            }
            rule.hits.fetch_add(1, Ordering::Relaxed);
            match rule.action {
                Action::Error(code) => plan.errors.push((rule.partition.clone(), code)),
                Action::ErrorAfter(code) => plan.late_errors.push((rule.partition.clone(), code)),
                Action::Delay(delay) => plan.delay += delay,
                Action::Throttle(throttle) => plan.throttle = throttle,
                Action::LeaveOut => plan.left_out.push(rule.partition.clone()),
                Action::DamageRecords => plan.damages_records = true,
                Action::DropBefore => plan.drop_before = true,
                Action::Outcome(outcome) => plan.outcome = outcome,
            }
        }
        plan
    }
}

impl Plan {
    /// The error that the whole request is answered with.
    pub(crate) fn error(&self) -> Option<ErrorCode> {
        self.errors.iter().find(|(partition, _)| partition.is_none()).map(|(_, code)| *code)
    }

    /// The error that one partition is answered with.
    pub(crate) fn error_of(&self, topic: &str, partition: i32) -> Option<ErrorCode> {
        find(&self.errors, topic, partition)
    }

    /// The error that one partition is answered with although the request was applied to it.
    pub(crate) fn late_error_of(&self, topic: &str, partition: i32) -> Option<ErrorCode> {
        find(&self.late_errors, topic, partition)
    }

    /// Whether the answer does not mention a partition.
    pub(crate) fn leaves_out(&self, topic: &str, partition: i32) -> bool {
        self.left_out.iter().any(|wanted| touches(wanted, topic, partition))
    }
}

fn touches(wanted: &Option<(String, i32)>, topic: &str, partition: i32) -> bool {
    match wanted {
        None => true,
        Some((name, index)) => name == topic && *index == partition,
    }
}

fn find(errors: &[(Option<(String, i32)>, ErrorCode)], topic: &str, partition: i32) -> Option<ErrorCode> {
    errors.iter().find(|(wanted, _)| touches(wanted, topic, partition)).map(|(_, code)| *code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(action: Action, nth: RangeInclusive<u64>) -> Rule {
        Rule {
            api: Some(ApiKey::FETCH),
            broker: Some(2),
            partition: None,
            nth,
            action,
            seen: 0,
            hits: Arc::default(),
            id: 0,
        }
    }

    #[test]
    fn rules_count_only_what_they_match() {
        let mut faults = Faults::default();
        let second = rule(Action::Error(ErrorCode::NOT_COORDINATOR), 2..=2);
        let hits = Arc::clone(&second.hits);
        let id = faults.add(second);
        assert_eq!(faults.plan(ApiKey::FETCH, 1, &[]).error(), None);
        assert_eq!(faults.plan(ApiKey::PRODUCE, 2, &[]).error(), None);
        assert_eq!(faults.plan(ApiKey::FETCH, 2, &[]).error(), None);
        assert_eq!(faults.plan(ApiKey::FETCH, 2, &[]).error(), Some(ErrorCode::NOT_COORDINATOR));
        assert_eq!(faults.plan(ApiKey::FETCH, 2, &[]).error(), None);
        assert_eq!(hits.load(Ordering::Relaxed), 1);
        faults.remove(id);
        assert!(faults.is_empty());
    }

    #[test]
    fn a_partition_has_its_own_errors() {
        let mut faults = Faults::default();
        let mut one = rule(Action::Error(ErrorCode::CORRUPT_MESSAGE), 1..=u64::MAX);
        one.partition = Some(("t".to_owned(), 1));
        faults.add(one);
        let plan = faults.plan(ApiKey::FETCH, 2, &[("t".to_owned(), 1)]);
        assert_eq!((plan.error(), plan.error_of("t", 0)), (None, None));
        assert_eq!(plan.error_of("t", 1), Some(ErrorCode::CORRUPT_MESSAGE));
    }
}

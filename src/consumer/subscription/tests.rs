//! The rules by which positions move.

use super::*;
use crate::config::AutoOffsetReset;
use crate::consumer::reset::ResetCause;
use crate::protocol::Uuid;

fn state(policy: AutoOffsetReset, partitions: i32) -> SubscriptionState {
    let mut state = SubscriptionState::new(ResetPolicy::of(policy));
    state.set_partitions((0..partitions).map(|partition| TopicPartition::new("t", partition)));
    state
}

fn slot(state: &SubscriptionState, partition: i32) -> Slot {
    let tp = TopicPartition::new("t", partition);
    state.iter().find(|(_, state)| state.tp == tp).expect("assigned").0
}

fn begin_at(state: &mut SubscriptionState, partition: i32, offset: i64) {
    state.seek(&TopicPartition::new("t", partition), &offset.into()).expect("assigned");
}

#[test]
fn without_a_group_the_policy_decides() {
    let mut earliest = state(AutoOffsetReset::Earliest, 1);
    let (asks, errors) = earliest.take_unresolved(false);
    assert_eq!((asks.len(), errors.len()), (1, 0));
    assert_eq!(asks[0].spec, Some(OffsetSpec::Earliest));
    assert!(earliest.take_unresolved(false).0.is_empty(), "asked once");
    earliest.reset_to(asks[0].slot, 7, Some(2));
    let partition = earliest.get(&asks[0].tp).expect("assigned");
    assert_eq!((partition.phase, partition.position()), (Phase::Ready, 7));

    let mut none = state(AutoOffsetReset::None, 1);
    let (asks, errors) = none.take_unresolved(false);
    assert!(asks.is_empty());
    assert_eq!(errors[0].kind(), ErrorKind::NoOffsetForPartition);
    assert!(none.take_unresolved(false).1.is_empty(), "told once");
}

#[test]
fn a_seek_makes_earlier_answers_worthless() {
    let mut state = state(AutoOffsetReset::Latest, 1);
    let (asks, _) = state.take_unresolved(true);
    begin_at(&mut state, 0, 5);
    state.committed_is(asks[0].slot, Some(&100.into()), false).expect("dropped");
    state.reset_to(asks[0].slot, 200, None);
    state.out_of_range(asks[0].slot).expect("dropped");
    assert!(state.at(asks[0].slot).is_none());
    assert_eq!(state.positions()[&asks[0].tp].offset, 5);
}

#[test]
fn positions_follow_records_and_gaps() {
    let mut state = state(AutoOffsetReset::Latest, 1);
    begin_at(&mut state, 0, 5);
    let slot = slot(&state, 0);
    let partition = state.at(slot).expect("present");
    partition.delivered(6);
    assert_eq!(partition.position(), 7);
    partition.passed(10);
    partition.passed(3);
    assert_eq!(partition.position(), 10, "it never goes back");
}

#[test]
fn what_was_done_before_a_seek_is_not_committed_after_it() {
    let mut state = state(AutoOffsetReset::Latest, 1);
    begin_at(&mut state, 0, 5);
    let read = slot(&state, 0);
    state.at(read).expect("present").delivered(9);
    state.settle();
    let tp = TopicPartition::new("t", 0);
    assert_eq!(state.committable()[&tp].offset, 10);
    begin_at(&mut state, 0, 3);
    assert_eq!(state.committable()[&tp].offset, 3);
    state.seek_to(&tp, OffsetSpec::Earliest).expect("assigned");
    state.settle();
    assert!(state.committable().is_empty(), "nobody knows yet where that is");
    let (asks, _) = state.take_unresolved(true);
    state.settle();
    state.reset_to(asks[0].slot, 1, None);
    assert_eq!(state.committable()[&tp].offset, 1);
}

#[test]
fn only_what_was_asked_past_is_committed_automatically() {
    let mut state = state(AutoOffsetReset::Latest, 2);
    let (asks, _) = state.take_unresolved(true);
    for ask in &asks {
        state.committed_is(ask.slot, Some(&10.into()), false).expect("a position");
    }
    assert!(state.committable().is_empty(), "nothing new");
    let first = slot(&state, 0);
    state.at(first).expect("present").delivered(10);
    assert!(state.committable().is_empty(), "the program may still work on it");
    assert_eq!(state.positions()[&asks[0].tp].offset, 11, "an explicit commit covers it");
    state.settle();
    let committable = state.committable();
    assert_eq!(committable.len(), 1);
    assert_eq!(committable[&asks[0].tp].offset, 11);
    state.commit_done(&committable);
    assert!(state.committable().is_empty());
}

#[test]
fn an_automatic_commit_does_not_take_an_explicit_one_back() {
    let mut state = state(AutoOffsetReset::Latest, 1);
    begin_at(&mut state, 0, 5);
    state.settle();
    let first = slot(&state, 0);
    state.at(first).expect("present").delivered(5);
    let explicit = state.positions();
    state.commit_done(&explicit);
    assert!(state.committable().is_empty(), "the group has 6, and 5 is what an iteration has asked past");
    begin_at(&mut state, 0, 2);
    state.settle();
    assert_eq!(state.committable()[&TopicPartition::new("t", 0)].offset, 2, "a seek back is committed");
}

#[test]
fn out_of_range_resets_or_is_an_error() {
    let mut earliest = state(AutoOffsetReset::Earliest, 1);
    begin_at(&mut earliest, 0, 5);
    let old = slot(&earliest, 0);
    earliest.out_of_range(old).expect("reset");
    assert_eq!(earliest.take_unresolved(true).0[0].spec, Some(OffsetSpec::Earliest));

    let mut none = state(AutoOffsetReset::None, 1);
    begin_at(&mut none, 0, 5);
    let old = slot(&none, 0);
    let error = none.out_of_range(old).expect_err("no policy");
    assert_eq!((error.kind(), error.offset()), (ErrorKind::OffsetOutOfRange, Some(5)));
    none.out_of_range(old).expect("told once");
}

#[test]
fn partitions_that_stay_keep_their_place() {
    let mut state = state(AutoOffsetReset::Latest, 2);
    begin_at(&mut state, 1, 9);
    let kept = slot(&state, 1);
    state.take_changes();
    state.set_partitions([TopicPartition::new("t", 1), TopicPartition::new("u", 0)]);
    assert_eq!(slot(&state, 1), kept);
    assert!(state.at(kept).is_some_and(|partition| partition.position() == 9));
    assert!(state.get(&TopicPartition::new("t", 0)).is_err());
    assert!(matches!(state.take_changes()[..], [Change::Remove(_)]));
}

#[test]
fn a_batch_is_reported_as_corrupt_the_second_time() {
    let mut state = state(AutoOffsetReset::Latest, 1);
    begin_at(&mut state, 0, 5);
    let first = slot(&state, 0);
    assert!(!state.corrupt(first));
    state.refetch(first);
    let second = slot(&state, 0);
    assert_ne!(first, second);
    assert!(state.corrupt(second));
    assert_eq!(state.positions()[&TopicPartition::new("t", 0)].offset, 5);
    state.refetch(second);
    let third = slot(&state, 0);
    assert!(!state.corrupt(third), "and then from the start");
}

#[test]
fn what_was_only_fetched_ahead_may_be_truncated() {
    for policy in [AutoOffsetReset::None, AutoOffsetReset::Earliest] {
        let mut state = state(policy, 1);
        begin_at(&mut state, 0, 5);
        let before = slot(&state, 0);
        state.take_changes();
        state.diverged(before, 5, 1).expect("what the program has read is in the log");
        assert_eq!(state.positions()[&TopicPartition::new("t", 0)].offset, 5);
        assert!(state.at(before).is_none(), "what was fetched is dropped");
        assert!(state.take_resets().is_empty());
        // From here on it is asked for by the epoch that the leader knows.
        let [Change::Fetch { offset: 5, leader_epoch: 1, .. }] = state.take_changes()[..] else {
            panic!("fetched again");
        };
    }
}

#[test]
fn a_truncation_below_the_position_moves_it_or_is_an_error() {
    let tp = TopicPartition::new("t", 0);
    let mut earliest = state(AutoOffsetReset::Earliest, 1);
    begin_at(&mut earliest, 0, 50);
    let old = slot(&earliest, 0);
    earliest.diverged(old, 30, 2).expect("moved");
    assert_eq!(earliest.positions()[&tp], OffsetAndMetadata::new(30).with_leader_epoch(2));
    assert_eq!(earliest.committable()[&tp].offset, 30, "what is no more is not committed");
    let told = earliest.take_resets();
    assert_eq!((told[0].cause, told[0].from, told[0].to), (ResetCause::LogTruncation, Some(50), 30));
    // A leader that knows nothing of the time of the position.
    let old = slot(&earliest, 0);
    earliest.diverged(old, -1, -1).expect("reset");
    assert_eq!(earliest.take_unresolved(true).0[0].spec, Some(OffsetSpec::Earliest));
    let again = slot(&earliest, 0);
    earliest.reset_to(again, 4, None);
    let told = earliest.take_resets();
    assert_eq!((told[0].cause, told[0].from, told[0].to), (ResetCause::LogTruncation, Some(30), 4));

    let mut none = state(AutoOffsetReset::None, 1);
    begin_at(&mut none, 0, 50);
    let old = slot(&none, 0);
    let error = none.diverged(old, 30, 2).expect_err("no policy");
    assert_eq!((error.kind(), error.offset()), (ErrorKind::LogTruncation, Some(30)));
    assert!(none.positions().is_empty());
    begin_at(&mut none, 0, 50);
    let old = slot(&none, 0);
    let error = none.diverged(old, -1, -1).expect_err("no policy");
    assert_eq!((error.kind(), error.offset()), (ErrorKind::LogTruncation, None));
}

#[test]
fn offsets_of_a_topic_that_is_no_more_are_refused_until_there_are_new_ones() {
    let id = |byte: u8| Uuid([byte; 16]);
    let tp = TopicPartition::new("t", 0);
    let mut state = state(AutoOffsetReset::Earliest, 1);
    begin_at(&mut state, 0, 50);
    state.get(&tp).expect("assigned").shared.set_topic_id(id(1));
    state.check_topic(&tp, Some(id(1))).expect("the same topic");
    state.check_topic(&tp, None).expect("unknown for a moment");
    let early = state.check_topic(&tp, Some(id(2))).expect_err("the cluster knows it already");
    assert_eq!((early.kind(), early.topic_ids()), (ErrorKind::TopicRecreated, Some((id(1), id(2)))));
    let old = slot(&state, 0);
    let told = state.recreated(old, id(1), id(2)).expect_err("told");
    assert_eq!(told.topic_ids(), Some((id(1), id(2))));
    state.recreated(old, id(1), id(2)).expect("told once");
    state.check_topic(&tp, Some(id(2))).expect_err("no position in the new topic yet");
    begin_at(&mut state, 0, 0);
    state.check_topic(&tp, Some(id(2))).expect("of the new topic");
    state.check_topic(&tp, Some(id(1))).expect("told by a broker that lags behind");
}

#[test]
fn new_partitions_begin_at_their_beginning_where_that_is_wanted() {
    for (new_from_beginning, is_new, expected) in [
        (true, true, (OffsetSpec::Earliest, ResetCause::NewPartition)),
        (true, false, (OffsetSpec::Latest, ResetCause::NoCommittedOffset)),
        (false, true, (OffsetSpec::Latest, ResetCause::NoCommittedOffset)),
    ] {
        let policy = ResetPolicy { new_from_beginning, ..ResetPolicy::of(AutoOffsetReset::Latest) };
        let mut state = SubscriptionState::new(policy);
        state.set_partitions([TopicPartition::new("t", 0)]);
        let (asks, _) = state.take_unresolved(true);
        state.committed_is(asks[0].slot, None, is_new).expect("a policy");
        let (asks, _) = state.take_unresolved(true);
        state.reset_to(asks[0].slot, 3, None);
        assert_eq!((asks[0].spec, state.take_resets()[0].cause), (Some(expected.0), expected.1));
    }
}

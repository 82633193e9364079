use super::*;
use crate::net::clock::Clock;

const TIMEOUT: Duration = Duration::from_secs(60);

fn moment() -> Moment {
    Moment { now: Clock::system().now(), unix_ms: 7 }
}

fn part() -> [Part; 1] {
    [Part::Partition("t".to_owned(), 0)]
}

/// What [`State::write_markers`] does to the coordinator's side.
fn complete(transactions: &mut Transactions, id: &str) {
    let known = transactions.by_id.get_mut(id).expect("known");
    known.partitions.clear();
    known.complete();
}

#[test]
fn a_second_producer_fences_the_first() {
    let mut all = Transactions::new(999);
    let first = all.init("t", TIMEOUT, None, false).unwrap();
    assert_eq!(first.epoch, 0);
    all.add("t", first, part(), false, moment()).unwrap();
    assert_eq!(all.init("t", TIMEOUT, None, false), Err(ErrorCode::CONCURRENT_TRANSACTIONS));
    assert_eq!(all.get("t").unwrap().state, TransactionState::PrepareAbort);
    assert_eq!(all.init("t", TIMEOUT, None, false), Err(ErrorCode::CONCURRENT_TRANSACTIONS));
    complete(&mut all, "t");
    let second = all.init("t", TIMEOUT, None, false).unwrap();
    assert_eq!(second, Producer { epoch: 2, ..first }, "one epoch was used up by the fencing");
    assert_eq!(all.add("t", first, part(), false, moment()), Err(ErrorCode::PRODUCER_FENCED));
    assert_eq!(all.end("t", first, true, false), Err(ErrorCode::PRODUCER_FENCED));
    let stranger = Producer { id: 5, epoch: 2 };
    assert_eq!(all.end("t", stranger, true, false), Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING));
    assert_eq!(all.init("t", TIMEOUT, Some(first), false), Err(ErrorCode::PRODUCER_FENCED));
    let raised = all.init("t", TIMEOUT, Some(second), false).unwrap();
    assert_eq!(raised.epoch, 3);
    assert_eq!(all.init("t", TIMEOUT, Some(second), false), Ok(raised), "the answer was lost");
}

#[test]
fn ends_may_be_repeated() {
    for raise in [false, true] {
        let mut all = Transactions::new(999);
        let producer = all.init("t", TIMEOUT, None, raise).unwrap();
        assert_eq!(
            all.end("t", producer, true, raise),
            Err(ErrorCode::INVALID_TXN_STATE),
            "nothing to commit"
        );
        all.add("t", producer, part(), raise, moment()).unwrap();
        let next = all.end("t", producer, true, raise).unwrap();
        assert_eq!(next.epoch, i16::from(raise));
        assert_eq!(all.end("t", producer, true, raise), Err(ErrorCode::CONCURRENT_TRANSACTIONS));
        assert_eq!(all.end("t", producer, false, raise), Err(ErrorCode::INVALID_TXN_STATE));
        assert_eq!(all.add("t", next, part(), raise, moment()), Err(ErrorCode::CONCURRENT_TRANSACTIONS));
        complete(&mut all, "t");
        assert_eq!(all.end("t", producer, true, raise), Ok(next), "the answer was lost");
        assert_eq!(all.end("t", producer, false, raise), Err(ErrorCode::INVALID_TXN_STATE));
        if raise {
            assert_eq!(all.end("t", next, true, true), Err(ErrorCode::INVALID_TXN_STATE), "another commit");
            let after = all.end("t", next, false, true).unwrap();
            assert_eq!(after.epoch, 2, "an abort of nothing raises the epoch, too");
        }
    }
}

#[test]
fn used_up_epochs_bring_a_new_id() {
    let mut all = Transactions::new(999);
    let first = all.init("t", TIMEOUT, None, true).unwrap();
    assert!(all.set_epoch("t", i16::MAX - 1));
    let last = Producer { epoch: i16::MAX - 1, ..first };
    all.add("t", last, part(), true, moment()).unwrap();
    let next = all.end("t", last, true, true).unwrap();
    assert!(next.id != first.id && next.epoch == 0);
    complete(&mut all, "t");
    assert_eq!(all.end("t", last, true, true), Ok(next), "the answer was lost");
    all.set_epoch("t", i16::MAX - 1);
    let used_up = Producer { epoch: i16::MAX - 1, ..next };
    let third = all.init("t", TIMEOUT, Some(used_up), true).unwrap();
    assert!(third.id != next.id && third.epoch == 0);
    assert_eq!(all.init("t", TIMEOUT, Some(used_up), true), Ok(third), "the answer was lost");
}

#[test]
fn transactions_time_out() {
    let mut all = Transactions::new(999);
    let producer = all.init("t", TIMEOUT, None, false).unwrap();
    assert_eq!(all.next_deadline(), None);
    let begun = moment();
    all.add("t", producer, part(), false, begun).unwrap();
    assert_eq!(all.next_deadline(), Some(begun.now + TIMEOUT));
    assert!(!all.expire(begun.now, false));
    assert!(all.expire(begun.now + TIMEOUT, false));
    assert_eq!(all.get("t").unwrap().state, TransactionState::PrepareAbort);
    assert_eq!(all.end("t", producer, true, false), Err(ErrorCode::PRODUCER_FENCED));
    assert_eq!(all.next_deadline(), None);
}

#[test]
fn only_what_has_joined_is_part_of_it() {
    let mut all = Transactions::new(999);
    let producer = all.init("t", TIMEOUT, None, false).unwrap();
    let [one] = part();
    assert_eq!(all.verify("t", producer, &one), Err(ErrorCode::TRANSACTION_ABORTABLE));
    all.add("t", producer, part(), false, moment()).unwrap();
    assert_eq!(all.verify("t", producer, &one), Ok(()));
    let group = Part::Group("g".to_owned());
    assert_eq!(all.verify("t", producer, &group), Err(ErrorCode::TRANSACTION_ABORTABLE));
    let older = Producer { epoch: -1, ..producer };
    assert_eq!(all.verify("t", older, &one), Err(ErrorCode::PRODUCER_FENCED));
    assert_eq!(all.verify("u", producer, &one), Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING));
}

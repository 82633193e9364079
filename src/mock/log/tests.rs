use super::*;

const RULES: AppendRules = AppendRules {
    leader_epoch: 0,
    max_batch_bytes: 1 << 20,
    append_time: None,
    legacy: false,
    unknown_producer: None,
    now_ms: 5000,
};

fn batch(times: &[i64], magic: i8) -> Bytes {
    let mut builder = BatchBuilder::new(Vec::new(), usize::MAX);
    for time in times {
        builder.try_append(*time, Some(b"k"), Some(time.to_string().as_bytes()), &[]).unwrap();
    }
    builder.seal(&Compression::NONE, magic).unwrap().stamp(ProducerState::NONE)
}

fn log(batches: &[&[i64]]) -> Log {
    let mut log = Log::default();
    for times in batches {
        log.append(&batch(times, 2), RULES).unwrap();
    }
    log
}

#[test]
fn batches_get_offsets_and_are_read_whole() {
    let log = log(&[&[10, 20], &[30], &[40, 50]]);
    assert_eq!((log.start_offset(), log.end_offset()), (0, 5));
    let offsets: Vec<i64> = log.records().iter().map(|record| record.offset).collect();
    assert_eq!(offsets, [0, 1, 2, 3, 4]);
    assert_eq!(
        log.read(1, i64::MAX, usize::MAX, true).len(),
        3,
        "the batch that holds the offset comes whole"
    );
    assert_eq!(log.read(2, i64::MAX, 1, true).len(), 1, "one batch at least");
    assert_eq!(log.read(2, i64::MAX, 1, false).len(), 0);
    assert_eq!(log.read(5, i64::MAX, usize::MAX, true).len(), 0);
}

#[test]
fn offsets_are_found_by_time() {
    let mut log = log(&[&[10, 30], &[20, 25], &[28]]);
    assert_eq!(log.offset_for_time(0), Some((0, 10)));
    assert_eq!(log.offset_for_time(15), Some((1, 30)));
    assert_eq!(log.offset_for_time(31), None);
    assert_eq!(log.latest_timestamp(), Some((1, 30)));
    assert_eq!(log.delete_before(2), Ok(2));
    assert_eq!(log.offset_for_time(0), Some((2, 20)));
    assert_eq!(log.delete_before(6), Err(ErrorCode::OFFSET_OUT_OF_RANGE));
    assert_eq!(log.delete_before(-1), Ok(5));
    assert_eq!(log.records(), []);
}

#[test]
fn epochs_end_where_the_next_one_begins() {
    let mut log = Log::default();
    log.begin_epoch(0);
    log.append(&batch(&[1, 2], 2), RULES).unwrap();
    log.append(&batch(&[3], 2), AppendRules { leader_epoch: 3, ..RULES }).unwrap();
    assert_eq!(log.end_of_epoch(0), (0, 2));
    assert_eq!(log.end_of_epoch(2), (0, 2));
    assert_eq!(log.end_of_epoch(3), (3, 3));
    assert_eq!(log.end_of_epoch(4), (-1, -1));
    assert_eq!((log.epoch_at(1), log.epoch_at(2)), (0, 3));
    log.truncate(1);
    assert_eq!(log.end_offset(), 0, "batches go as a whole");
}

#[test]
fn damaged_batches_are_refused() {
    let good = batch(&[1, 2], 2);
    let mut log = Log::default();
    let damage = |at: usize, to: u8| {
        let mut bytes = good.to_vec();
        bytes[at] = to;
        Bytes::from(bytes)
    };
    let corrupt = Err(ErrorCode::CORRUPT_MESSAGE);
    assert_eq!(log.append(&damage(good.len() - 1, 7), RULES), corrupt);
    assert_eq!(log.append(&damage(16, 9), RULES), corrupt, "unknown magic");
    assert_eq!(log.append(&good.slice(..30), RULES), corrupt);
    assert_eq!(log.append(&Bytes::new(), RULES), corrupt);
    let two = Bytes::from([good.clone(), good.clone()].concat());
    assert_eq!(log.append(&two, RULES), Err(ErrorCode::INVALID_RECORD));
    let small = AppendRules { max_batch_bytes: good.len() - 1, ..RULES };
    assert_eq!(log.append(&good, small), Err(ErrorCode::MESSAGE_TOO_LARGE));
    assert_eq!(log.append(&batch(&[1], 1), RULES), Err(ErrorCode::INVALID_RECORD));
    assert_eq!(log.end_offset(), 0);
}

#[test]
fn old_formats_go_in_and_out() {
    let mut log = Log::default();
    for magic in [0, 1] {
        log.append(&batch(&[100, 200], magic), AppendRules { legacy: true, ..RULES }).unwrap();
    }
    let times: Vec<i64> = log.records().iter().map(|record| record.timestamp).collect();
    assert_eq!(times, [5000, 5000, 100, 200], "magic 0 has no timestamps of its own");
    let set = to_legacy(&log.read(0, i64::MAX, usize::MAX, true));
    let mut offsets = Vec::new();
    for message in Batches::new(set) {
        let message = message.unwrap();
        assert_eq!(message.magic(), 1);
        let records = message.records(true, &LIMITS).unwrap();
        offsets.extend(records.map(|record| record.unwrap().offset));
    }
    assert_eq!(offsets, [0, 1, 2, 3]);
}

#[test]
fn append_time_replaces_the_records_own() {
    let mut log = Log::default();
    let appended = log.append(&batch(&[1], 2), AppendRules { append_time: Some(77), ..RULES }).unwrap();
    assert_eq!(appended, Appended { base_offset: 0, append_time: 77 });
    assert_eq!(log.records()[0].timestamp, 77);
}

fn of_producer(id: i64, base_sequence: i32, transactional: bool, times: &[i64]) -> Bytes {
    let mut builder = BatchBuilder::new(Vec::new(), usize::MAX);
    for time in times {
        builder.try_append(*time, None, Some(b"v"), &[]).unwrap();
    }
    let state = ProducerState { id, epoch: 0, base_sequence, transactional };
    builder.seal(&Compression::NONE, 2).unwrap().stamp(state)
}

#[test]
fn transactions_hold_the_stable_offset_and_leave_an_index() {
    let marker =
        |commit, producer_id| Marker { commit, producer_id, producer_epoch: 0, coordinator_epoch: 0 };
    let mut log = Log::default();
    log.append(&of_producer(1, 0, true, &[10, 11]), RULES).unwrap();
    log.append(&of_producer(2, 0, true, &[12]), RULES).unwrap();
    log.append(&of_producer(3, 0, false, &[13]), RULES).unwrap();
    assert_eq!((log.last_stable_offset(), log.end_offset()), (0, 4));
    assert_eq!(log.read(0, log.last_stable_offset(), usize::MAX, true).len(), 0);
    log.end_transaction(marker(false, 1), 0, 20).unwrap();
    assert_eq!((log.last_stable_offset(), log.end_offset()), (2, 5));
    assert_eq!(log.committed_records(), []);
    log.end_transaction(marker(true, 2), 0, 20).unwrap();
    log.end_transaction(marker(true, 9), 0, 20).unwrap();
    assert_eq!((log.last_stable_offset(), log.end_offset()), (7, 7));
    let offsets: Vec<i64> = log.committed_records().iter().map(|record| record.offset).collect();
    assert_eq!(offsets, [2, 3]);
    let aborted = Aborted { producer_id: 1, first_offset: 0, last_offset: 4 };
    assert_eq!(log.aborted(4, 7).collect::<Vec<_>>(), [&aborted]);
    assert_eq!(log.aborted(5, 7).count(), 0);
    assert_eq!(log.aborted(0, 0).count(), 0);

    log.truncate(4);
    assert_eq!((log.last_stable_offset(), log.aborted(0, 9).count()), (0, 0), "as if the markers never were");
    log.end_transaction(marker(false, 1), 0, 20).unwrap();
    assert_eq!(log.last_stable_offset(), 2);
}

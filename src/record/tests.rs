use bytes::Bytes;
use proptest::prelude::*;

use super::header::{
    ATTRIBUTES, BASE_SEQUENCE, CRC, LAST_OFFSET_DELTA, LENGTH, MAGIC, PRODUCER_ID, RECORD_COUNT, put,
};
use super::*;
use crate::error::{Error, ErrorKind};

const PRODUCER: ProducerState = ProducerState { id: 77, epoch: 2, base_sequence: 9, transactional: true };
const LIMITS: DecompressLimits = DecompressLimits { max_bytes: 1 << 20 };

/// A record with everything of its own.
#[derive(Clone, Debug, PartialEq)]
struct Owned {
    offset: i64,
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

fn codecs() -> impl Iterator<Item = Codec> {
    Codec::ALL.into_iter().filter(|codec| codec.is_available())
}

fn builder(records: &[Owned], limit: usize) -> BatchBuilder {
    let mut builder = BatchBuilder::new(Vec::new(), limit);
    for (index, record) in records.iter().enumerate() {
        let headers: Vec<_> =
            record.headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect();
        let appended =
            builder.try_append(record.timestamp, record.key.as_deref(), record.value.as_deref(), &headers);
        assert_eq!(appended, Some(index as u32));
    }
    builder
}

fn batch(records: &[Owned], codec: Codec, magic: i8) -> Bytes {
    builder(records, usize::MAX).seal(&codec.into(), magic).unwrap().stamp(PRODUCER)
}

fn read(bytes: Bytes) -> Result<Vec<Owned>, RecordError> {
    let mut all = Vec::new();
    for batch in Batches::new(bytes) {
        let mut records = batch?.records(true, &LIMITS)?;
        while let Some(record) = records.next() {
            let record = record?;
            all.push(Owned {
                offset: record.offset,
                timestamp: record.timestamp,
                key: record.key.map(|key| records.bytes(key).to_vec()),
                value: record.value.map(|value| records.slice(value).to_vec()),
                headers: records
                    .headers(&record)
                    .map(|header| (header.key_str().into_owned(), header.value.map(<[u8]>::to_vec)))
                    .collect(),
            });
        }
    }
    Ok(all)
}

fn numbered(count: usize) -> Vec<Owned> {
    (0..count)
        .map(|n| Owned {
            offset: n as i64,
            timestamp: 1_000_000 + 3 * n as i64,
            key: (n % 3 != 0).then(|| format!("key {n}").into_bytes()),
            value: (n % 5 != 4).then(|| vec![n as u8; n % 70]),
            headers: Vec::new(),
        })
        .collect()
}

/// Changes a stamped batch and makes its checksum right again.
fn edited(batch: &Bytes, edit: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut bytes = batch.to_vec();
    edit(&mut bytes);
    let length = (bytes.len() - 12) as i32;
    put(&mut bytes, LENGTH, length.to_be_bytes());
    let crc = crc32c::crc32c(&bytes[ATTRIBUTES..]);
    put(&mut bytes, CRC, crc.to_be_bytes());
    Bytes::from(bytes)
}

fn reason(result: Result<Vec<Owned>, RecordError>) -> &'static str {
    match result {
        Err(RecordError::Corrupt { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

fn owned_record() -> impl Strategy<Value = Owned> {
    let bytes = || prop::option::of(prop::collection::vec(any::<u8>(), 0..200));
    let headers = prop::collection::vec((".{0,8}", bytes()), 0..4);
    // Half of the timestamps near each other, half anywhere.
    let timestamp = prop_oneof![1_700_000_000_000..1_700_000_100_000_i64, any::<i64>()];
    (timestamp, bytes(), bytes(), headers).prop_map(|(timestamp, key, value, headers)| Owned {
        offset: 0,
        timestamp,
        key,
        value,
        headers,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(mut records in prop::collection::vec(owned_record(), 1..40)) {
        for (offset, record) in records.iter_mut().enumerate() {
            record.offset = offset as i64;
        }
        for codec in codecs() {
            let bytes = batch(&records, codec, 2);
            prop_assert_eq!(&read(bytes.clone()).unwrap(), &records);
            let batch = Batches::new(bytes.clone()).next().unwrap().unwrap();
            prop_assert_eq!(ProducerState::from(&batch), PRODUCER);
            prop_assert_eq!(batch.record_count(), Some(records.len() as u32));
            prop_assert_eq!(batch.next_offset(), records.len() as i64);
            prop_assert_eq!(batch.max_timestamp(), records.iter().map(|r| r.timestamp).max().unwrap());
            prop_assert_eq!(batch.size(), bytes.len());
        }
        for record in &mut records {
            record.headers.clear();
        }
        for codec in codecs().filter(|codec| *codec != Codec::Zstd) {
            prop_assert_eq!(&read(batch(&records, codec, 1)).unwrap(), &records);
            let mut timeless = records.clone();
            timeless.iter_mut().for_each(|record| record.timestamp = -1);
            prop_assert_eq!(&read(batch(&records, codec, 0)).unwrap(), &timeless);
        }
    }

    #[test]
    fn the_limit_holds(records in prop::collection::vec(owned_record(), 1..40), limit in 0_usize..3000) {
        let mut builder = BatchBuilder::new(Vec::new(), limit);
        let mut taken = Vec::new();
        for record in records {
            let headers: Vec<_> = record.headers.iter()
                .map(|(key, value)| Header { key, value: value.as_deref() }).collect();
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            let before = builder.len();
            let bound = record_size_upper_bound(key.map(<[u8]>::len), value.map(<[u8]>::len), &headers);
            match builder.try_append(record.timestamp, key, value, &headers) {
                Some(index) => {
                    prop_assert_eq!(index as usize, taken.len());
                    prop_assert!(index == 0 || builder.len() <= limit);
                    prop_assert!(builder.len() - before <= bound);
                    taken.push(Owned { offset: i64::from(index), ..record });
                }
                None => {
                    prop_assert!(!builder.is_empty());
                    prop_assert_eq!(builder.len(), before);
                    prop_assert!(before + bound > limit);
                }
            }
        }
        let len = builder.len();
        let bytes = builder.seal(&Compression::NONE, 2).unwrap().stamp(ProducerState::NONE);
        prop_assert_eq!(bytes.len(), len);
        prop_assert_eq!(read(bytes).unwrap(), taken);
    }

    #[test]
    fn garbage_never_panics(garbage in prop::collection::vec(any::<u8>(), 0..400), magic in 0_u8..4, len in 0_i32..300) {
        let mut bytes = garbage;
        put(&mut bytes, LENGTH, len.to_be_bytes());
        put(&mut bytes, MAGIC, [magic]);
        for batch in Batches::new(Bytes::from(bytes.clone())).flatten() {
            let _ = batch.control_type();
            if let Ok(mut records) = batch.records(false, &LIMITS) {
                while let Some(Ok(record)) = records.next() {
                    records.headers(&record).for_each(drop);
                }
            }
        }
        let bytes = Bytes::from(bytes);
        let _ = split(bytes.clone());
        restamp(assign_offsets(bytes, 1, 1, Some(1)), PRODUCER);
    }
}

#[test]
fn no_flipped_byte_goes_unnoticed() {
    let records = numbered(12);
    for magic in 0..=2 {
        for codec in codecs().filter(|codec| magic == 2 || *codec != Codec::Zstd) {
            let good = batch(&records, codec, magic);
            let expected = read(good.clone()).unwrap();
            for at in 0..good.len() {
                for flip in [1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0xff] {
                    let mut bytes = good.to_vec();
                    bytes[at] ^= flip;
                    let Ok(found) = read(Bytes::from(bytes)) else { continue };
                    // What was found must be right; the checksum leaves out where in the log it is.
                    assert!(found.len() <= expected.len());
                    for (found, expected) in found.iter().zip(&expected) {
                        let found = Owned { offset: expected.offset, ..found.clone() };
                        assert_eq!(&found, expected, "{codec} {magic}: byte {at} ^ {flip}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_cut_batch_gives_what_is_whole() {
    for magic in 0..=2 {
        let one = batch(&numbered(5), Codec::None, magic);
        let whole = [&one[..], &one[..]].concat();
        for len in 0..whole.len() {
            let cut = Bytes::copy_from_slice(&whole[..len]);
            let mut batches = Batches::new(cut.clone());
            assert_eq!(batches.needs_more(), len > 0 && batches.clone().next().is_none(), "{len}");
            if magic == 2 {
                assert_eq!(batches.first_batch_size(), (len >= 12).then_some(one.len()));
                assert_eq!(batches.by_ref().count(), len / one.len());
                assert_eq!(batches.remaining(), len % one.len());
                assert_eq!(batches.needs_more(), len % one.len() != 0);
            }
            assert!(read(cut).unwrap().len() <= 10);
        }
    }
}

#[test]
fn mixed_batches_follow_each_other() {
    let records = numbered(7);
    let mut log = Vec::new();
    let mut expected = 0;
    for magic in [2, 0, 1, 2, 1] {
        for codec in codecs().filter(|codec| magic == 2 || *codec != Codec::Zstd) {
            log.extend_from_slice(&batch(&records, codec, magic));
            expected += records.len();
        }
    }
    let last = batch(&records, Codec::None, 2);
    log.extend_from_slice(&last[..last.len() - 1]);
    assert_eq!(read(Bytes::from(log)).unwrap().len(), expected);
}

#[test]
fn another_stamp_is_as_good_as_the_first() {
    let records = numbered(300);
    for count in [1, 2, 100, 300] {
        let seal = || builder(&records[..count], usize::MAX).seal(&Compression::NONE, 2).unwrap();
        for other in [ProducerState::NONE, ProducerState { epoch: 3, base_sequence: 0, ..PRODUCER }] {
            let first = seal().stamp(PRODUCER);
            let place = first.as_ptr();
            let shared = first.clone();
            let copy = restamp(shared, other);
            assert_ne!(copy.as_ptr(), place);
            assert_eq!(copy, seal().stamp(other));
            let moved = restamp(first, other);
            assert_eq!(moved.as_ptr(), place, "in place when nobody else has it");
            assert_eq!(moved, copy);
        }
    }
    let old = batch(&records, Codec::None, 1);
    assert_eq!(restamp(old.clone(), ProducerState::NONE), old);
}

#[test]
fn damage_survives_another_stamp() {
    let mut bytes = batch(&numbered(5), Codec::None, 2).to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    let again = restamp(Bytes::from(bytes), ProducerState::NONE);
    assert_eq!(reason(read(again)), "wrong checksum");
}

#[test]
fn a_batch_is_split_until_one_record_is_left() {
    for magic in 0..=2 {
        for codec in codecs().filter(|codec| magic == 2 || *codec != Codec::Zstd) {
            let mut records = numbered(9);
            records[8].value = Some(vec![1; 5000]);
            let whole = batch(&records, codec, magic);
            let expected = read(whole.clone()).unwrap();
            let mut parts = vec![whole];
            let mut found = Vec::new();
            while let Some(part) = parts.pop() {
                match split(part.clone()) {
                    Ok((left, right)) => {
                        assert_eq!((left.codec(), left.magic()), (codec, magic));
                        parts.extend([right.stamp(PRODUCER), left.stamp(PRODUCER)]);
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::RecordTooLarge);
                        found.extend(read(part).unwrap());
                    }
                }
            }
            for (offset, record) in found.iter_mut().enumerate() {
                record.offset = offset as i64;
            }
            assert_eq!(found, expected, "{codec} {magic}");
        }
    }
}

#[test]
fn headers_survive_a_split() {
    let mut records = numbered(2);
    records[1].headers = vec![("a".into(), Some(b"1".to_vec())), ("ä".into(), None)];
    let (left, right) = split(batch(&records, Codec::None, 2)).unwrap();
    assert_eq!((left.record_count(), right.record_count()), (1, 1));
    assert_eq!(read(right.stamp(PRODUCER)).unwrap()[0].headers, records[1].headers);
}

#[test]
fn the_number_of_records_must_be_right() {
    let good = batch(&numbered(5), Codec::None, 2);
    let fewer = edited(&good, |bytes| put(bytes, RECORD_COUNT, 4_i32.to_be_bytes()));
    assert_eq!(reason(read(fewer)), "more records than the header says");
    let more = edited(&good, |bytes| put(bytes, RECORD_COUNT, 6_i32.to_be_bytes()));
    assert!(reason(read(more)).contains("fewer records"));
    let negative = edited(&good, |bytes| put(bytes, RECORD_COUNT, (-1_i32).to_be_bytes()));
    assert_eq!(reason(read(negative)), "negative record count");
    let outside = edited(&good, |bytes| put(bytes, LAST_OFFSET_DELTA, 3_i32.to_be_bytes()));
    assert_eq!(reason(read(outside)), "record with an offset outside of its batch");
}

#[test]
fn good_records_come_before_the_bad_one() {
    let good = batch(&numbered(5), Codec::None, 2);
    let bad = edited(&good, |bytes| put(bytes, RECORD_COUNT, 6_i32.to_be_bytes()));
    let batch = Batches::new(bad).next().unwrap().unwrap();
    let mut records = batch.records(true, &LIMITS).unwrap();
    assert_eq!(records.by_ref().take(5).filter(Result::is_ok).count(), 5);
    assert!(records.next().unwrap().is_err());
    assert!(records.next().is_none());
}

#[test]
fn what_compaction_leaves_moves_the_position() {
    // No record left, but the batch keeps its place; with and without a codec in its attributes.
    for codec in 0..=4_u16 {
        let empty = edited(&batch(&numbered(5), Codec::None, 2), |bytes| {
            bytes.truncate(BATCH_OVERHEAD);
            put(bytes, RECORD_COUNT, 0_i32.to_be_bytes());
            put(bytes, ATTRIBUTES, codec.to_be_bytes());
        });
        let batch = Batches::new(assign_offsets(empty, 100, 1, None)).next().unwrap().unwrap();
        assert_eq!((batch.base_offset(), batch.last_offset(), batch.next_offset()), (100, 104, 105));
        assert!(batch.records(true, &LIMITS).unwrap().next().is_none());
    }
    // The last two of five gone.
    let tail = edited(&batch(&numbered(3), Codec::None, 2), |bytes| {
        put(bytes, LAST_OFFSET_DELTA, 4_i32.to_be_bytes());
    });
    let batch = Batches::new(tail.clone()).next().unwrap().unwrap();
    assert_eq!(batch.next_offset(), 5);
    assert_eq!(read(tail).unwrap().len(), 3);
}

#[test]
fn a_broker_gives_place_and_time() {
    let placed = assign_offsets(batch(&numbered(5), Codec::None, 2), 1000, 7, Some(123_456));
    let batch = Batches::new(placed.clone()).next().unwrap().unwrap();
    assert_eq!((batch.base_offset(), batch.leader_epoch()), (1000, 7));
    assert_eq!(batch.timestamp_type(), TimestampType::LogAppendTime);
    let records = read(placed).unwrap();
    assert!(records.iter().all(|record| record.timestamp == 123_456));
    assert_eq!(records.last().unwrap().offset, 1004);
}

#[test]
fn control_batches_say_what_they_are() {
    for control in [ControlType::Commit, ControlType::Abort, ControlType::Unknown(99)] {
        let bytes = control_batch(control, 77, 2, 1, 5).unwrap();
        let batch = Batches::new(bytes).next().unwrap().unwrap();
        assert!(batch.is_control() && batch.is_transactional());
        assert_eq!(batch.control_type(), Ok(Some(control)));
        assert_eq!((batch.producer_id(), batch.base_sequence()), (77, -1));
    }
    let batch = Batches::new(batch(&numbered(1), Codec::None, 2)).next().unwrap().unwrap();
    assert_eq!(batch.control_type(), Ok(None));
}

#[test]
fn old_compressed_sets_count_from_the_last_offset() {
    for codec in codecs().filter(|codec| !matches!(codec, Codec::None | Codec::Zstd)) {
        let mut bytes = batch(&numbered(5), codec, 1).to_vec();
        put(&mut bytes, 0, 104_i64.to_be_bytes());
        let bytes = Bytes::from(bytes);
        let batch = Batches::new(bytes.clone()).next().unwrap().unwrap();
        assert_eq!((batch.next_offset(), batch.record_count()), (105, None));
        let offsets: Vec<_> = read(bytes).unwrap().iter().map(|record| record.offset).collect();
        assert_eq!(offsets, [100, 101, 102, 103, 104]);
    }
}

#[test]
fn old_formats_refuse_what_they_cannot_carry() {
    let mut records = numbered(1);
    let zstd = builder(&records, 1000).seal(&Codec::Zstd.into(), 1).unwrap_err();
    assert_eq!(zstd.kind(), ErrorKind::UnsupportedCodec);
    records[0].headers.push(("trace".into(), None));
    for magic in [0, 1] {
        let headers = builder(&records, 1000).seal(&Compression::NONE, magic).unwrap_err();
        assert_eq!(headers.kind(), ErrorKind::UnsupportedVersion);
        assert!(headers.to_string().contains("headers"), "{headers}");
    }
    let magic = builder(&numbered(1), 1000).seal(&Compression::NONE, 3).unwrap_err();
    assert_eq!(magic.kind(), ErrorKind::InvalidArgument);
}

#[test]
fn an_empty_batch_is_not_sealed() {
    let error = BatchBuilder::new(Vec::new(), 100).seal(&Compression::NONE, 2).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::IllegalState);
}

#[test]
fn a_used_buffer_is_as_good_as_a_new_one() {
    let used = vec![0xaa; 4000];
    let place = used.as_ptr();
    let mut builder = BatchBuilder::new(used, 4000);
    let mut fresh = BatchBuilder::new(Vec::with_capacity(4000), 4000);
    while fresh.try_append(5, Some(b"k"), Some(b"value"), &[]).is_some() {
        builder.try_append(5, Some(b"k"), Some(b"value"), &[]).unwrap();
    }
    assert!(builder.try_append(5, Some(b"k"), Some(b"value"), &[]).is_none());
    let bytes = builder.seal(&Compression::NONE, 2).unwrap().stamp(PRODUCER);
    assert_eq!(bytes, fresh.seal(&Compression::NONE, 2).unwrap().stamp(PRODUCER));
    // The one buffer goes all the way, and comes back.
    assert_eq!(bytes.as_ptr(), place);
    let back = Vec::from(bytes.try_into_mut().unwrap());
    assert_eq!((back.as_ptr(), back.capacity()), (place, 4000));
}

#[test]
fn the_decompressed_size_is_bounded() {
    let mut records = numbered(1);
    records[0].value = Some(vec![0; 2 << 20]);
    for codec in codecs().filter(|codec| *codec != Codec::None) {
        for magic in (0..=2).filter(|magic| *magic == 2 || codec != Codec::Zstd) {
            let error = read(batch(&records, codec, magic)).unwrap_err();
            assert_eq!(error, RecordError::TooLarge { limit: 1 << 20, base_offset: 0, next_offset: 1 });
            let error = Error::from(error);
            assert_eq!((error.kind(), error.offset()), (ErrorKind::RecordTooLarge, Some(1)));
        }
    }
    // What is not compressed takes no memory of its own.
    assert_eq!(read(batch(&records, Codec::None, 2)).unwrap(), records);
}

#[test]
fn unknown_codecs_and_formats_are_named() {
    let good = batch(&numbered(3), Codec::None, 2);
    let bytes = edited(&good, |bytes| put(bytes, ATTRIBUTES, 6_u16.to_be_bytes()));
    let error = Error::from(read(bytes).unwrap_err());
    assert_eq!((error.kind(), error.offset()), (ErrorKind::UnsupportedCodec, Some(3)));
    let mut future = good.to_vec();
    future[MAGIC] = 3;
    assert_eq!(reason(read(Bytes::from(future))), "unknown magic number");
    let missing = Codec::ALL.into_iter().find(|codec| !codec.is_available());
    if let Some(codec) = missing {
        let bytes = edited(&good, |bytes| put(bytes, ATTRIBUTES, u16::from(codec.id()).to_be_bytes()));
        let error = Error::from(read(bytes).unwrap_err());
        assert_eq!(error.kind(), ErrorKind::UnsupportedCodec);
        assert!(error.to_string().contains(&format!("`{codec}`")), "{error}");
    }
}

#[test]
fn a_corrupt_batch_says_how_to_pass_it() {
    let good = assign_offsets(batch(&numbered(5), Codec::None, 2), 40, 1, None);
    let mut bad = good.to_vec();
    bad[PRODUCER_ID] ^= 1;
    bad[BASE_SEQUENCE] ^= 1;
    let error = read(Bytes::from([&good[..], &bad[..]].concat())).unwrap_err();
    let expected = RecordError::Corrupt { reason: "wrong checksum", base_offset: 40, next_offset: 45 };
    assert_eq!(error, expected);
    let error = Error::from(error);
    assert_eq!((error.kind(), error.offset()), (ErrorKind::CorruptBatch, Some(45)));
    assert!(error.to_string().contains("seek to 45"), "{error}");
    assert_eq!(read(good).unwrap().len(), 5);
}

#[test]
fn header_keys_must_be_there() {
    let mut records = numbered(1);
    records[0].key = None;
    records[0].value = None;
    records[0].headers = vec![(String::new(), None)];
    let good = batch(&records, Codec::None, 2);
    // The record ends with the header's two lengths: 0 and null. Null and null is not allowed.
    let bad = edited(&good, |bytes| {
        let at = bytes.len() - 2;
        assert_eq!(bytes[at..], [0, 1]);
        bytes[at] = 1;
    });
    assert!(reason(read(bad)).contains("damaged record"));
    let latin = edited(
        &batch(
            &{
                records[0].headers = vec![("x".into(), None)];
                records
            },
            Codec::None,
            2,
        ),
        |bytes| {
            let at = bytes.len() - 2;
            bytes[at] = 0xe4;
        },
    );
    assert_eq!(read(latin).unwrap()[0].headers, [("\u{fffd}".into(), None)]);
}

#[test]
fn readers_may_move_between_threads() {
    fn check<T: Send + Sync + 'static>() {}
    check::<Batches>();
    check::<Batch>();
    check::<Records>();
    check::<BatchBuilder>();
    check::<SealedBatch>();
}

//! Batches of other clients are read, and ours are written for them to read.
//!
//! The files in `tests/data/records` come from Kafka's Java classes, kafka-python and librdkafka, through
//! `tests/golden/records_golden.sh write`. The same script with `check` lets them read what `ours_for_others`
//! writes.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use kavka::record::{
    BatchBuilder, Batches, Codec, Compression, ControlType, DecompressLimits, Header, ProducerState,
    TimestampType,
};

const TIME: i64 = 1_500_000_000_000;

type Golden = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(String, Option<Vec<u8>>)>);

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| b'a' + (i % 26 + i / 1000 % 3) as u8).collect()
}

/// The records that every file holds.
fn golden(compressed: bool, headers: bool) -> Vec<Golden> {
    let bytes = |text: &str| Some(text.as_bytes().to_vec());
    let some = if headers {
        vec![("h1".into(), bytes("one")), ("h1".into(), None), ("ключ".into(), bytes(""))]
    } else {
        vec![]
    };
    let mut records = vec![
        (TIME, bytes("k0"), bytes("v0"), vec![]),
        (TIME + 1, None, bytes("no key"), some),
        (TIME + 300, bytes("no value"), None, vec![]),
        (TIME + 100_000, bytes(""), bytes(""), vec![]),
        (TIME + 2, None, None, vec![]),
        (TIME + 3, bytes("2000"), Some(pattern(2000)), vec![]),
        (TIME - 5, bytes("früh"), bytes("before the first"), vec![]),
    ];
    if compressed {
        records.push((TIME + 4, bytes("large"), Some(pattern(150_000)), vec![]));
    }
    records
}

/// What a file's name says: magic, codec, and what is special about it.
fn describe(path: &Path) -> (i8, Codec, String) {
    let name = path.file_stem().unwrap().to_str().unwrap();
    let mut parts = name.split('-').skip(1);
    let magic = parts.next().unwrap()[1..].parse().unwrap();
    let codec = parts.next().unwrap();
    let special = parts.collect::<Vec<_>>().join("-");
    if codec == "control" {
        (magic, Codec::None, format!("control-{special}"))
    } else {
        (magic, codec.parse().unwrap(), special)
    }
}

fn fixtures() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/records");
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn check(path: &Path) {
    let (magic, codec, special) = describe(path);
    let name = path.display();
    let expected = golden(codec != Codec::None, magic == 2);
    let append_time = special == "appendtime";
    let first = if append_time || special == "transactional" { 42 } else { 0 };
    let mut seen = 0;
    let mut batches = Batches::new(Bytes::from(fs::read(path).unwrap()));
    let mut next_offset = first;
    for batch in batches.by_ref() {
        let batch = batch.unwrap();
        assert_eq!(batch.magic(), magic, "{name}");
        assert_eq!(batch.codec().unwrap(), codec, "{name}");
        let whose = if append_time { TimestampType::LogAppendTime } else { TimestampType::CreateTime };
        assert_eq!(batch.timestamp_type(), whose, "{name}");
        if special == "transactional" {
            assert!(batch.is_transactional() && !batch.is_control());
            let producer = ProducerState { id: 4711, epoch: 3, base_sequence: 17, transactional: true };
            assert_eq!(ProducerState::from(&batch), producer, "{name}");
        }
        let mut records = batch.records(true, &DecompressLimits::default()).unwrap();
        while let Some(record) = records.next() {
            let record = record.unwrap();
            let (time, key, value, headers) = &expected[seen];
            let time = match magic {
                0 => -1,
                _ if append_time => TIME + 77,
                _ => *time,
            };
            assert_eq!(record.offset, first + seen as i64, "{name}");
            assert_eq!(record.timestamp, time, "{name} record {seen}");
            assert_eq!(record.key.map(|key| records.slice(key)), key.as_deref(), "{name} record {seen}");
            assert_eq!(record.value.map(|value| records.bytes(value)).as_deref(), value.as_deref());
            let found: Vec<_> = records
                .headers(&record)
                .map(|header| (header.key_str().into_owned(), header.value.map(<[u8]>::to_vec)))
                .collect();
            assert_eq!(&found, headers, "{name} record {seen}");
            seen += 1;
        }
        next_offset = batch.next_offset();
    }
    assert!(!batches.needs_more(), "{name}");
    assert_eq!(batches.remaining(), 0, "{name}");
    assert_eq!(seen, expected.len(), "{name}");
    // kafka-python leaves the last offset of its compressed message sets to the broker.
    if magic == 2 || codec == Codec::None || !name.to_string().contains("python") {
        assert_eq!(next_offset, first + seen as i64, "{name}");
    }
}

#[test]
fn batches_of_others_are_read() {
    let mut read = 0;
    for path in fixtures() {
        let (_, codec, special) = describe(&path);
        if codec.is_available() && !special.starts_with("control") {
            check(&path);
            read += 1;
        }
    }
    assert!(read >= 9, "only {read} files");
}

#[test]
fn transaction_markers_are_recognised() {
    for (name, control) in [("abort", ControlType::Abort), ("commit", ControlType::Commit)] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("tests/data/records/java-m2-control-{name}.bin"));
        let bytes = Bytes::from(fs::read(path).unwrap());
        let batch = Batches::new(bytes.clone()).next().unwrap().unwrap();
        assert!(batch.is_control() && batch.is_transactional());
        assert_eq!(batch.control_type().unwrap(), Some(control));
        assert_eq!((batch.base_offset(), batch.next_offset(), batch.leader_epoch()), (42, 43, 5));
        let ours = kavka::record::control_batch(control, 4711, 3, 9, TIME).unwrap();
        assert_eq!(kavka::record::assign_offsets(ours, 42, 5, None), bytes);
    }
}

#[test]
fn ours_for_others() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("records");
    fs::create_dir_all(&dir).unwrap();
    for old in fs::read_dir(&dir).unwrap() {
        fs::remove_file(old.unwrap().path()).unwrap();
    }
    let plain = ProducerState::NONE;
    let transactional = ProducerState { id: 4711, epoch: 3, base_sequence: 17, transactional: true };
    for codec in Codec::ALL.into_iter().filter(|codec| codec.is_available()) {
        for (magic, producer, special) in
            [(0, plain, ""), (1, plain, ""), (2, plain, ""), (2, transactional, "-transactional")]
        {
            if codec == Codec::Zstd && magic < 2 {
                continue;
            }
            let mut builder = BatchBuilder::new(Vec::new(), usize::MAX);
            for (time, key, value, headers) in golden(codec != Codec::None, magic == 2) {
                let headers: Vec<_> =
                    headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect();
                builder.try_append(time, key.as_deref(), value.as_deref(), &headers).unwrap();
            }
            let batch = builder.seal(&Compression::new(codec), magic).unwrap().stamp(producer);
            let path = dir.join(format!("kavka-m{magic}-{codec}{special}.bin"));
            fs::write(&path, &batch).unwrap();
            if special.is_empty() {
                check(&path);
            }
        }
    }
    println!("ours are in {}", dir.display());
}

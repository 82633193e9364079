//! Numbered records: who sent what, what was acknowledged, and whether a log holds exactly that, in order.

use std::collections::HashMap;
use std::time::Duration;

use kavka::{FutureRecordMetadata, KafkaProducer, ProducerRecord, RecordMetadata};

/// The number of a record: which thread sent it, and as its how manyth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Number {
    pub thread: u32,
    pub index: u32,
}

impl Number {
    pub fn value(self) -> String {
        format!("{}/{}", self.thread, self.index)
    }

    pub fn parse(value: &[u8]) -> Self {
        let text = std::str::from_utf8(value).expect("a numbered record is text");
        let (thread, index) = text.split_once('/').expect("a numbered record reads thread/index");
        Self { thread: thread.parse().unwrap(), index: index.parse().unwrap() }
    }
}

/// A record as it was read.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub partition: i32,
    pub offset: i64,
    pub number: Number,
}

/// Sends `each` records from each of `threads` threads, half of them with a key, and waits for all outcomes.
pub fn send_numbered(
    producer: &KafkaProducer,
    topic: &str,
    threads: u32,
    each: u32,
) -> Vec<(Number, kavka::Result<RecordMetadata>)> {
    send_numbered_paced(producer, topic, threads, each, |_| {})
}

/// As [`send_numbered`]; `pace` is called before every record of every thread.
pub fn send_numbered_paced(
    producer: &KafkaProducer,
    topic: &str,
    threads: u32,
    each: u32,
    pace: impl Fn(Number) + Sync,
) -> Vec<(Number, kavka::Result<RecordMetadata>)> {
    let pace = &pace;
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    let sent: Vec<(Number, kavka::Result<FutureRecordMetadata>)> = (0..each)
                        .map(|index| {
                            let number = Number { thread, index };
                            pace(number);
                            (number, send_one(producer, topic, number))
                        })
                        .collect();
                    let outcome = |handle: kavka::Result<FutureRecordMetadata>| {
                        handle.and_then(|handle| handle.get(Duration::from_secs(150)))
                    };
                    sent.into_iter().map(|(number, handle)| (number, outcome(handle))).collect::<Vec<_>>()
                })
            })
            .collect();
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
    })
}

fn send_one(producer: &KafkaProducer, topic: &str, number: Number) -> kavka::Result<FutureRecordMetadata> {
    let value = number.value();
    if number.index % 2 == 0 {
        producer.send(ProducerRecord::new(topic).value(&value))
    } else {
        let key = (number.index % 97).to_string();
        producer.send(ProducerRecord::new(topic).key(&key).value(&value))
    }
}

/// Checks that the log holds each acknowledged record exactly once, where its acknowledgement said, and that
/// the records of each thread are in the order of their sending within each partition.
///
/// Records that were not acknowledged may be there (once) or not.
pub fn check(sent: &[(Number, kavka::Result<RecordMetadata>)], seen: &[Seen]) {
    let mut places: HashMap<Number, &Seen> = HashMap::new();
    for record in seen {
        if let Some(other) = places.insert(record.number, record) {
            panic!("{:?} is in the log twice: {other:?} and {record:?}", record.number);
        }
    }
    for (number, outcome) in sent {
        let Ok(metadata) = outcome else { continue };
        let Some(place) = places.get(number) else {
            panic!("{number:?} was acknowledged as {metadata:?} and is not in the log");
        };
        assert_eq!(place.partition, metadata.partition(), "{number:?}");
        if let Some(offset) = metadata.offset() {
            assert_eq!(place.offset, offset, "{number:?}");
        }
    }
    let mut last: HashMap<(i32, u32), &Seen> = HashMap::new();
    let mut in_order: Vec<&Seen> = seen.iter().collect();
    in_order.sort_by_key(|record| (record.partition, record.offset));
    for record in in_order {
        let before = last.insert((record.partition, record.number.thread), record);
        if let Some(before) = before {
            assert!(before.number.index < record.number.index, "out of order: {before:?} before {record:?}");
        }
    }
}

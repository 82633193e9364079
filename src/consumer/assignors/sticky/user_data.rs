//! What members of sticky groups tell their leader in the assignor's own bytes, in Java's layout.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::config::LastAssignment;
use crate::types::TopicPartition;

/// What a member had before it gave up everything to join, and in which generation.
pub(in crate::consumer::assignors) fn previous(last: &LastAssignment) -> Bytes {
    let mut topics: Vec<(&str, Vec<i32>)> = Vec::new();
    for tp in &last.partitions {
        match topics.iter_mut().find(|(topic, _)| *topic == tp.topic()) {
            Some((_, partitions)) => partitions.push(tp.partition()),
            None => topics.push((tp.topic(), vec![tp.partition()])),
        }
    }
    let mut bytes = BytesMut::new();
    bytes.put_i32(length(topics.len()));
    for (topic, partitions) in topics {
        bytes.put_i16(i16::try_from(topic.len()).unwrap_or(i16::MAX));
        bytes.put_slice(topic.as_bytes());
        bytes.put_i32(length(partitions.len()));
        partitions.into_iter().for_each(|partition| bytes.put_i32(partition));
    }
    bytes.put_i32(last.generation);
    bytes.freeze()
}

/// The generation of what a cooperative member has, for leaders that do not look for it elsewhere.
pub(in crate::consumer::assignors) fn generation(last: Option<&LastAssignment>) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i32(last.map_or(-1, |last| last.generation));
    bytes.freeze()
}

/// The reverse of [`generation`]; -1 for what cannot be read.
pub(super) fn read_generation(data: Option<&Bytes>) -> Option<i32> {
    data.map(|data| data.clone().try_get_i32().unwrap_or(-1))
}

/// The reverse of [`previous`]. The oldest members tell no generation; what cannot be read counts as nothing.
pub(super) fn read_previous(data: Option<&Bytes>) -> (Vec<TopicPartition>, Option<i32>) {
    let Some(data) = data.filter(|data| !data.is_empty()) else { return (Vec::new(), None) };
    let mut rest = data.clone();
    match read_topics(&mut rest) {
        Some(partitions) => (partitions, rest.try_get_i32().ok()),
        None => (Vec::new(), Some(-1)),
    }
}

fn read_topics(rest: &mut Bytes) -> Option<Vec<TopicPartition>> {
    let mut all = Vec::new();
    for _ in 0..rest.try_get_i32().ok()? {
        let size = usize::try_from(rest.try_get_i16().ok()?).ok()?;
        if size > rest.len() {
            return None;
        }
        let topic: Arc<str> = Arc::from(std::str::from_utf8(&rest.split_to(size)).ok()?);
        for _ in 0..rest.try_get_i32().ok()? {
            all.push(TopicPartition::new(Arc::clone(&topic), rest.try_get_i32().ok()?));
        }
    }
    Some(all)
}

fn length(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

//! Fetch sessions (KIP-227): after a first full request a broker is told only what has changed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;
use crate::protocol::messages::fetch::{FetchPartition, FetchTopic, ForgottenTopic};

/// A partition as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) topic_id: Uuid,
    pub(super) offset: i64,
    pub(super) max_bytes: i32,
    /// The leader's epoch as far as known, or -1.
    pub(super) leader_epoch: i32,
    /// The epoch of the last record that was fetched, or -1.
    pub(super) last_epoch: i32,
}

pub(super) type Key = (Arc<str>, i32);

/// The session with one broker.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// 0 without one.
    id: i32,
    /// The number of the next request; 0 begins a session.
    epoch: i32,
    by_id: bool,
    /// What the broker knows.
    known: BTreeMap<Key, Asked>,
    /// The names of its topics by their ids.
    names: HashMap<Uuid, Arc<str>>,
    /// How many requests there were outside of a session. Brokers fill an answer in the order of the request,
    /// and within a session they change it themselves.
    alone: usize,
}

/// The session's part of a request.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) session_id: i32,
    pub(super) session_epoch: i32,
    pub(super) topics: Vec<FetchTopic>,
    pub(super) forgotten: Vec<ForgottenTopic>,
}

/// A request outside of any session.
const NO_SESSION: i32 = -1;

impl Session {
    /// What to send so that the broker looks at `wanted`. `by_id` tells whether the request names topics by
    /// their ids; `sessions` whether the broker, and the program, want sessions at all.
    pub(super) fn request(&mut self, wanted: BTreeMap<Key, Asked>, by_id: bool, sessions: bool) -> Part {
        if !sessions {
            // Each time another one comes first, so that none starves behind those with much to tell.
            let first = self.alone.checked_rem(wanted.len()).unwrap_or(0);
            let topics = topics_of(wanted.iter().skip(first).chain(wanted.iter().take(first)));
            // The answer names topics by their ids, which are looked up in what was asked for.
            let (names, alone) = (names_of(&wanted), self.alone.wrapping_add(1));
            *self = Self { known: wanted, names, alone, ..Self::default() };
            return Part { session_epoch: NO_SESSION, topics, ..Part::default() };
        }
        if by_id != self.by_id {
            // A session goes by names or by ids. This request ends the old one.
            (self.epoch, self.by_id) = (0, by_id);
        }
        let mut part = Part { session_id: self.id, session_epoch: self.epoch, ..Part::default() };
        if self.epoch == 0 {
            part.topics = topics_of(wanted.iter());
            self.names = names_of(&wanted);
        } else {
            let news = wanted.iter().filter(|(key, asked)| self.known.get(*key) != Some(*asked));
            part.topics = topics_of(news);
            let gone = self.known.iter().filter(|(key, known)| match wanted.get(*key) {
                None => true,
                Some(asked) => asked.topic_id != known.topic_id,
            });
            part.forgotten = forgotten_of(gone);
            let is_new = |topic: &FetchTopic| !self.names.contains_key(&topic.topic_id);
            if !part.forgotten.is_empty() || part.topics.iter().any(is_new) {
                self.names = names_of(&wanted);
            }
        }
        self.known = wanted;
        part
    }

    /// The topic's name of an id that the last request had.
    pub(super) fn topic_of(&self, id: Uuid) -> Option<Arc<str>> {
        self.names.get(&id).cloned()
    }

    /// Takes note of an answer. Returns whether it can be used; else everything is asked anew.
    pub(super) fn answered(&mut self, error: ErrorCode, session_id: i32) -> bool {
        if !error.is_ok() {
            if error == ErrorCode::FETCH_SESSION_ID_NOT_FOUND {
                self.id = 0;
            }
            self.epoch = 0;
            return false;
        }
        if session_id == 0 || (self.epoch > 0 && session_id != self.id) {
            // The broker keeps no session: each request is a full one.
            (self.id, self.epoch) = (0, 0);
        } else {
            self.id = session_id;
            self.epoch = self.epoch.checked_add(1).unwrap_or(1);
        }
        true
    }

    /// There is to be no session any more. The id of the one that the broker keeps, if it does.
    pub(super) fn end(&mut self) -> Option<i32> {
        let id = std::mem::take(&mut self.id);
        self.epoch = 0;
        (id != 0).then_some(id)
    }

    /// The connection is gone: the next request begins anew.
    pub(super) fn lost(&mut self) {
        self.epoch = 0;
    }
}

fn names_of(wanted: &BTreeMap<Key, Asked>) -> HashMap<Uuid, Arc<str>> {
    let mut names = HashMap::new();
    for ((topic, _), asked) in wanted {
        names.entry(asked.topic_id).or_insert_with(|| Arc::clone(topic));
    }
    names
}

fn topics_of<'a>(partitions: impl Iterator<Item = (&'a Key, &'a Asked)>) -> Vec<FetchTopic> {
    let mut topics: Vec<FetchTopic> = Vec::new();
    for ((topic, partition), asked) in partitions {
        let partition = FetchPartition {
            partition: *partition,
            current_leader_epoch: asked.leader_epoch,
            fetch_offset: asked.offset,
            last_fetched_epoch: asked.last_epoch,
            partition_max_bytes: asked.max_bytes,
            ..FetchPartition::default()
        };
        match topics.last_mut() {
            Some(last) if *last.topic == **topic && last.topic_id == asked.topic_id => {
                last.partitions.push(partition);
            }
            _ => topics.push(FetchTopic {
                topic: topic.to_string(),
                topic_id: asked.topic_id,
                partitions: vec![partition],
            }),
        }
    }
    topics
}

fn forgotten_of<'a>(partitions: impl Iterator<Item = (&'a Key, &'a Asked)>) -> Vec<ForgottenTopic> {
    let mut topics: Vec<ForgottenTopic> = Vec::new();
    for ((topic, partition), known) in partitions {
        match topics.last_mut() {
            Some(last) if *last.topic == **topic && last.topic_id == known.topic_id => {
                last.partitions.push(*partition);
            }
            _ => topics.push(ForgottenTopic {
                topic: topic.to_string(),
                topic_id: known.topic_id,
                partitions: vec![*partition],
            }),
        }
    }
    topics
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(offsets: &[(i32, i64)]) -> BTreeMap<Key, Asked> {
        let asked =
            |offset| Asked { topic_id: Uuid::ZERO, offset, max_bytes: 10, leader_epoch: 0, last_epoch: -1 };
        offsets.iter().map(|(partition, offset)| ((Arc::from("t"), *partition), asked(*offset))).collect()
    }

    fn partitions(part: &Part) -> Vec<i32> {
        part.topics.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.partition).collect()
    }

    #[test]
    fn after_the_first_request_only_changes_are_sent() {
        let mut session = Session::default();
        let full = session.request(wanted(&[(0, 1), (1, 1), (2, 1)]), false, true);
        assert_eq!((full.session_id, full.session_epoch, partitions(&full)), (0, 0, vec![0, 1, 2]));
        assert!(session.answered(ErrorCode::NONE, 9));

        let part = session.request(wanted(&[(0, 1), (1, 5), (3, 0)]), false, true);
        assert_eq!((part.session_id, part.session_epoch, partitions(&part)), (9, 1, vec![1, 3]));
        assert_eq!(part.forgotten[0].partitions, [2]);
        assert!(session.answered(ErrorCode::NONE, 9));
        let part = session.request(wanted(&[(0, 1), (1, 5), (3, 0)]), false, true);
        assert_eq!((part.session_epoch, part.topics.len(), part.forgotten.len()), (2, 0, 0));
    }

    #[test]
    fn a_lost_session_begins_anew() {
        let mut session = Session::default();
        session.request(wanted(&[(0, 1)]), false, true);
        assert!(session.answered(ErrorCode::NONE, 9));
        session.request(wanted(&[(0, 2)]), false, true);
        assert!(!session.answered(ErrorCode::FETCH_SESSION_ID_NOT_FOUND, 0));
        let full = session.request(wanted(&[(0, 2)]), false, true);
        assert_eq!((full.session_id, full.session_epoch, partitions(&full)), (0, 0, vec![0]));
        assert!(session.answered(ErrorCode::NONE, 0), "a broker that keeps no sessions");
        let full = session.request(wanted(&[(0, 2)]), false, true);
        assert_eq!((full.session_epoch, partitions(&full)), (0, vec![0]));
    }

    #[test]
    fn without_sessions_every_request_stands_alone() {
        let mut session = Session::default();
        for _ in 0..2 {
            let full = session.request(wanted(&[(0, 1)]), true, false);
            assert_eq!((full.session_id, full.session_epoch, partitions(&full)), (0, -1, vec![0]));
            assert_eq!(session.topic_of(Uuid::ZERO).as_deref(), Some("t"), "for the answer");
        }
    }

    #[test]
    fn without_sessions_each_partition_comes_first_in_turn() {
        let mut session = Session::default();
        let mut orders = Vec::new();
        for _ in 0..4 {
            orders.push(partitions(&session.request(wanted(&[(0, 1), (1, 1), (2, 1)]), false, false)));
        }
        assert_eq!(orders, [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]]);
        assert_eq!(session.end(), None);
    }

    #[test]
    fn a_topic_with_a_new_id_replaces_the_old_one() {
        let mut session = Session::default();
        let id = |byte: u8| Uuid([byte; 16]);
        let with = |topic_id| {
            let mut all = wanted(&[(0, 1)]);
            all.values_mut().for_each(|asked| asked.topic_id = topic_id);
            all
        };
        session.request(with(id(1)), true, true);
        assert!(session.answered(ErrorCode::NONE, 9));
        let part = session.request(with(id(2)), true, true);
        assert_eq!((part.topics[0].topic_id, part.forgotten[0].topic_id), (id(2), id(1)));
        assert_eq!((session.topic_of(id(1)), session.topic_of(id(2)).as_deref()), (None, Some("t")));
    }
}

//! Incremental fetch sessions (KIP-227): what a client fetches is remembered, and partitions without news are
//! left out of the answer.

use std::collections::{HashMap, VecDeque};

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;
use crate::protocol::messages::FetchRequest;
use crate::protocol::messages::fetch::{FetchPartition, PartitionData};

/// A topic as the request names it: by name below version 13, by id from then on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TopicKey {
    pub(crate) name: String,
    pub(crate) id: Uuid,
}

/// A partition to fetch.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) topic: TopicKey,
    pub(crate) fetch: FetchPartition,
}

/// The sessions of one broker.
#[derive(Debug, Default)]
pub(crate) struct FetchSessions {
    sessions: HashMap<i32, Session>,
    next_id: i32,
}

#[derive(Debug)]
struct Session {
    /// The epoch that the next request has to have.
    epoch: i32,
    by_id: bool,
    partitions: VecDeque<Known>,
}

#[derive(Debug)]
struct Known {
    wanted: Wanted,
    /// What was told last: high watermark and start of the log.
    told: Option<(i64, i64)>,
}

/// What a request turned out to be.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) partitions: Vec<Wanted>,
    /// 0 without a session.
    pub(crate) session_id: i32,
    /// Whether partitions without news are left out.
    pub(crate) incremental: bool,
}

const FINAL_EPOCH: i32 = -1;
const INITIAL_EPOCH: i32 = 0;

impl FetchSessions {
    /// Forgets all sessions.
    pub(crate) fn clear(&mut self) {
        self.sessions.clear();
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// The partitions that a session knows.
    pub(crate) fn partitions(&self, session: i32) -> impl Iterator<Item = &Wanted> {
        let known = self.sessions.get(&session).into_iter().flat_map(|session| &session.partitions);
        known.map(|known| &known.wanted)
    }

    /// Takes a request in: makes, changes or ends a session.
    pub(crate) fn open(
        &mut self,
        request: &FetchRequest,
        by_id: bool,
        max: usize,
    ) -> Result<Opened, ErrorCode> {
        let asked: Vec<Wanted> = request
            .topics
            .iter()
            .flat_map(|topic| {
                let key = TopicKey { name: topic.topic.clone(), id: topic.topic_id };
                topic.partitions.iter().map(move |fetch| Wanted { topic: key.clone(), fetch: fetch.clone() })
            })
            .collect();
        let id = request.session_id;
        if request.session_epoch == FINAL_EPOCH || request.session_epoch == INITIAL_EPOCH {
            self.sessions.remove(&id);
            if request.session_epoch == FINAL_EPOCH || asked.is_empty() || self.sessions.len() >= max {
                return Ok(Opened { partitions: asked, session_id: 0, incremental: false });
            }
            self.next_id += 1;
            let partitions =
                asked.iter().map(|wanted| Known { wanted: wanted.clone(), told: None }).collect();
            self.sessions.insert(self.next_id, Session { epoch: 1, by_id, partitions });
            return Ok(Opened { partitions: asked, session_id: self.next_id, incremental: false });
        }
        let session = self.sessions.get_mut(&id).ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
        if session.epoch != request.session_epoch {
            return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        if session.by_id != by_id {
            return Err(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
        }
        session.epoch = session.epoch.checked_add(1).unwrap_or(1);
        for topic in &request.forgotten_topics_data {
            session.partitions.retain(|known| {
                let same = known.wanted.topic.name == topic.topic && known.wanted.topic.id == topic.topic_id;
                !(same && topic.partitions.contains(&known.wanted.fetch.partition))
            });
        }
        for wanted in asked {
            let same = |known: &&mut Known| {
                known.wanted.topic == wanted.topic && known.wanted.fetch.partition == wanted.fetch.partition
            };
            match session.partitions.iter_mut().find(same) {
                Some(known) => known.wanted = wanted,
                None => session.partitions.push_back(Known { wanted, told: None }),
            }
        }
        let partitions: Vec<Wanted> = session.partitions.iter().map(|known| known.wanted.clone()).collect();
        if partitions.is_empty() {
            self.sessions.remove(&id);
            return Ok(Opened { partitions, session_id: 0, incremental: false });
        }
        Ok(Opened { partitions, session_id: id, incremental: true })
    }

    /// Notes what is about to be told, and keeps of it what is news.
    pub(crate) fn close(&mut self, opened: &Opened, answers: &mut Vec<(TopicKey, PartitionData)>) {
        let Some(session) = self.sessions.get_mut(&opened.session_id) else { return };
        answers.retain(|(topic, data)| {
            let same = |known: &Known| {
                known.wanted.topic == *topic && known.wanted.fetch.partition == data.partition_index
            };
            let Some(at) = session.partitions.iter().position(same) else { return true };
            let Some(mut known) = session.partitions.remove(at) else { return true };
            let has_records = data.records.as_ref().is_some_and(|records| !records.is_empty());
            let now = (data.high_watermark, data.log_start_offset);
            let news = has_records
                || !data.error_code.is_ok()
                || data.diverging_epoch != Default::default()
                || data.preferred_read_replica != -1
                || known.told != Some(now);
            // After an error the next answer is told whatever it says.
            known.told = data.error_code.is_ok().then_some(now);
            if has_records {
                // Others come first the next time.
                session.partitions.push_back(known);
            } else {
                session.partitions.insert(at, known);
            }
            news || !opened.incremental
        });
    }
}

//! The consumer's half on the IO thread.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::event::{Event, Events, Found};
use super::fetcher::Fetcher;
use super::group::commit::Committer;
use super::group::coordinator::Coordinator;
use super::group::to_commit::ToCommit;
use super::offsets::list_offsets;
use super::sensors::Sensors;
use super::shape::{Shape, Shapes};
use super::subscription::Unresolved;
use crate::cluster::Cluster;
use crate::config::ConsumerConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::error_code::ErrorCode;
use crate::net::wakeup::Wakeup;
use crate::types::{OffsetAndTimestamp, OffsetSpec, TopicPartition};

pub(super) struct ConsumerIo {
    pub(super) cluster: Cluster,
    pub(super) config: Rc<ConsumerConfig>,
    pub(super) events: Events,
    pub(super) fetcher: Fetcher,
    group: Option<Coordinator>,
    watched: Rc<RefCell<Watched>>,
}

/// The topics that the program has chosen, and what was seen of them last.
#[derive(Default)]
struct Watched {
    topics: BTreeSet<Arc<str>>,
    /// All topics of the cluster, for a pattern to be matched with.
    all: bool,
    /// The replicas' racks are looked at, too.
    with_racks: bool,
    shapes: Shapes,
    /// How many partitions the subscribed topics had when they were first looked at.
    at_first: BTreeMap<Arc<str>, usize>,
    /// All topics of the cluster have been looked at, so one that comes now is new as a whole.
    all_seen: bool,
    refused: BTreeSet<Arc<str>>,
}

impl Watched {
    fn look(&mut self, cluster: &Cluster) {
        let view = cluster.snapshot();
        for topic in &self.topics {
            if let Some(known) = view.topic(topic) {
                self.at_first.entry(Arc::clone(topic)).or_insert(known.partitions.len());
            }
        }
        if self.all {
            for topic in view.topics() {
                let count = if self.all_seen { 0 } else { topic.partitions.len() };
                self.at_first.entry(Arc::clone(&topic.name)).or_insert(count);
            }
            self.all_seen = true;
        }
    }

    /// Whether a partition appeared after the program had subscribed to its topic.
    fn is_new(&self, tp: &TopicPartition) -> bool {
        let before = self.at_first.get(tp.topic());
        before.is_some_and(|count| usize::try_from(tp.partition()).is_ok_and(|partition| partition >= *count))
    }
}

impl ConsumerIo {
    pub(super) fn start(cluster: Cluster, config: ConsumerConfig, events: Events, sensors: &Sensors) -> Self {
        let config = Rc::new(config);
        let fetcher = Fetcher::start(&cluster, &config, &events, sensors);
        let group = config.group_id.as_deref().map(|id| Coordinator::new(&cluster, &config, &events, id));
        let with_racks = !config.client_rack.is_empty();
        let watched = Rc::new(RefCell::new(Watched { with_racks, ..Watched::default() }));
        let changed = Wakeup::new();
        cluster.add_listener(changed.clone());
        cluster.net().spawn(watch_topics(cluster.clone(), events.clone(), Rc::clone(&watched), changed));
        if config.enable_auto_commit {
            cluster.net().spawn(remind(cluster.clone(), events.clone(), Rc::clone(&config)));
        }
        Self { cluster, config, events, fetcher, group, watched }
    }

    /// # Errors
    /// [`ErrorKind::IllegalState`] without a group id.
    pub(super) fn group(&self) -> Result<&Coordinator> {
        self.group.as_ref().ok_or_else(no_group)
    }

    /// Keeps these topics in view, and none else.
    pub(super) fn set_topics(&self, topics: BTreeSet<Arc<str>>) {
        {
            let mut watched = self.watched.borrow_mut();
            watched.refused.clear();
            watched.at_first.retain(|topic, _| topics.contains(topic));
            watched.topics.clone_from(&topics);
            watched.all = false;
            watched.shapes = shapes(&self.cluster, &watched);
            watched.look(&self.cluster);
        }
        // The caller may have looked at them before they were what they are now.
        self.events.send(Event::TopicsChanged);
        self.cluster.set_want_all(false);
        self.cluster.set_topics(topics);
    }

    /// Keeps all topics of the cluster in view.
    pub(super) fn watch_all(&self) {
        {
            let mut watched = self.watched.borrow_mut();
            watched.refused.clear();
            watched.topics.clear();
            watched.at_first.clear();
            (watched.all, watched.all_seen) = (true, false);
            watched.shapes = shapes(&self.cluster, &watched);
        }
        // The caller may have looked at them before they were what they are now.
        self.events.send(Event::TopicsChanged);
        self.cluster.set_want_all(true);
    }

    /// Looks at all topics of the cluster once, for at most until `deadline`.
    pub(super) async fn refresh_all(&self, deadline: Instant) -> Result<()> {
        self.cluster.set_want_all(true);
        let all = async {
            loop {
                match self.cluster.update().await {
                    Err(error) if error.is_retriable() => {}
                    outcome => return outcome,
                }
            }
        };
        let outcome = self.cluster.within(deadline, "metadata of all topics", all).await;
        self.cluster.set_want_all(self.watched.borrow().all);
        outcome
    }

    /// Asks for positions; the answers come as events.
    pub(super) fn resolve(&self, unresolved: Vec<Unresolved>) {
        let mut committed = Vec::new();
        let mut resets: BTreeMap<(i64, Arc<str>), (OffsetSpec, Vec<Unresolved>)> = BTreeMap::new();
        for ask in unresolved {
            match ask.spec {
                None => committed.push(ask),
                Some(spec) => {
                    let key = (spec.code().unwrap_or_default(), ask.tp.shared_topic());
                    resets.entry(key).or_insert_with(|| (spec, Vec::new())).1.push(ask);
                }
            }
        }
        let net = self.cluster.net();
        if !committed.is_empty() {
            let (events, group, watched) =
                (self.events.clone(), self.group.clone(), Rc::clone(&self.watched));
            net.spawn(async move {
                let (slots, tps): (Vec<_>, Vec<TopicPartition>) =
                    committed.into_iter().map(|ask| (ask.slot, ask.tp)).unzip();
                let answer = match group {
                    Some(group) => group.committed(&tps).await,
                    None => Ok(vec![None; tps.len()]),
                };
                let watched = watched.borrow();
                let found = answer.map(|offsets| {
                    let all = tps.iter().zip(offsets);
                    all.map(|(tp, offset)| Found { offset, is_new: watched.is_new(tp) }).collect()
                });
                events.send(Event::Committed(slots, found));
            });
        }
        // Topic by topic: one that cannot be read must not hold up the others.
        for (spec, asks) in resets.into_values() {
            let (cluster, config, events) =
                (self.cluster.clone(), Rc::clone(&self.config), self.events.clone());
            net.spawn(async move {
                let tps = asks.iter().map(|ask| ask.tp.clone()).collect();
                let found = places(&cluster, &config, tps, spec).await;
                for ask in asks {
                    let answer = match &found {
                        Err(error) => Err(error.clone()),
                        Ok(found) => match found.get(&ask.tp) {
                            Some(place) => Ok((place.offset, place.leader_epoch)),
                            None => {
                                let text = format!("the broker named no offset for {spec:?}");
                                Err(Error::new(ErrorKind::Protocol, text).with_topic(ask.tp.topic()))
                            }
                        },
                    };
                    events.send(Event::Reset(ask.slot, spec, answer));
                }
            });
        }
    }

    /// Commits in the background; the outcome comes as an event.
    pub(super) fn commit_async(&self, id: u64, offsets: Vec<ToCommit>, committer: Committer) {
        let Ok(group) = self.group() else { return };
        let (commit, events) = (group.commit(offsets, committer, false), self.events.clone());
        let timeout = self.config.common.default_api_timeout;
        let cluster = self.cluster.clone();
        let deadline = cluster.net().clock().deadline(timeout);
        self.cluster.net().spawn(async move {
            let outcome = cluster.within(deadline, "commit", commit).await;
            events.send(Event::CommitDone(id, outcome));
        });
    }
}

/// Where to begin in each partition. When all records are older than a time, that is behind them.
async fn places(
    cluster: &Cluster,
    config: &ConsumerConfig,
    tps: Vec<TopicPartition>,
    spec: OffsetSpec,
) -> Result<HashMap<TopicPartition, OffsetAndTimestamp>> {
    let ask = |tps: Vec<TopicPartition>, spec| {
        list_offsets(cluster, config, tps.into_iter().map(|tp| (tp, spec)).collect())
    };
    let mut found = HashMap::new();
    let mut older = Vec::new();
    for (tp, place) in ask(tps, spec).await? {
        match place {
            Some(place) => drop(found.insert(tp, place)),
            None => older.push(tp),
        }
    }
    if !older.is_empty() && matches!(spec, OffsetSpec::Timestamp(_)) {
        let ends = ask(older, OffsetSpec::Latest).await?;
        found.extend(ends.into_iter().filter_map(|(tp, place)| Some((tp, place?))));
    }
    Ok(found)
}

/// Tells the caller when partitions of its topics come or go, and when it may not see a topic.
async fn watch_topics(cluster: Cluster, events: Events, watched: Rc<RefCell<Watched>>, changed: Wakeup) {
    loop {
        changed.notified().await;
        let mut watched = watched.borrow_mut();
        watched.look(&cluster);
        let shapes = shapes(&cluster, &watched);
        if shapes != watched.shapes {
            watched.shapes = shapes;
            events.send(Event::TopicsChanged);
        }
        let view = cluster.snapshot();
        let is_open = |topic: &Arc<str>| view.topic(topic).is_none_or(|topic| topic.error.is_retriable());
        if watched.topics.iter().any(is_open) {
            // Nothing is fetched of a topic without partitions, so nobody else would ask before metadata is old.
            cluster.request_update();
        }
        for topic in watched.topics.clone() {
            let code = view.topic(&topic).map_or(ErrorCode::NONE, |topic| topic.error);
            let refused =
                matches!(code, ErrorCode::TOPIC_AUTHORIZATION_FAILED | ErrorCode::INVALID_TOPIC_EXCEPTION);
            if !refused {
                watched.refused.remove(&topic);
            } else if watched.refused.insert(Arc::clone(&topic)) {
                events.send(Event::Failed(Error::from_code(code, "metadata").with_topic(&*topic)));
            }
        }
    }
}

fn shapes(cluster: &Cluster, watched: &Watched) -> Shapes {
    let view = cluster.snapshot();
    let shape = |topic: &Arc<str>| (Arc::clone(topic), Shape::of(&view, topic, watched.with_racks));
    if watched.all {
        let topics = view.topics().filter(|topic| topic.error.is_ok());
        return topics.map(|topic| shape(&topic.name)).collect();
    }
    watched.topics.iter().map(shape).collect()
}

/// Makes an iterating program look at the clock in time for an automatic commit, so that it need not with every
/// record.
async fn remind(cluster: Cluster, events: Events, config: Rc<ConsumerConfig>) {
    loop {
        cluster.net().sleep(config.auto_commit_interval.max(MIN_REMINDER)).await;
        events.shared().ask_attention();
    }
}

pub(super) fn no_group() -> Error {
    Error::new(ErrorKind::IllegalState, "the consumer has no group: set group.id to commit and read offsets")
}

const MIN_REMINDER: std::time::Duration = std::time::Duration::from_millis(50);

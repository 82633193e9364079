//! How calls reach the brokers.
//!
//! A call is about items (topics, partitions, groups, brokers) and each item has a [`Route`]. The driver finds
//! out who answers for each item, asks every such node once for all of its items, all nodes at the same time,
//! and tries again, item by item, what another try can mend: a controller, coordinator or leader that has moved,
//! a connection that was lost. So a node that is dead, and an item that is refused, cost nobody else anything.
//! At the deadline the items that are left get an error that names what stood in the way.

mod at;
mod route;
mod since;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::{LocalBoxFuture, join_all};
use futures_util::stream::FuturesUnordered;

use super::{Admin, Results};
use crate::error::{Error, ErrorKind, Result};
use crate::error_code::ErrorCode;
use crate::net::backoff::Backoff;
use crate::net::connection::Connection;
use crate::net::manager::NodeId;
use crate::protocol::Request;

pub(super) use at::At;
pub(super) use route::{Route, metadata_request};

/// One call of the program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    /// What it does, for errors: `create topics`.
    pub(super) what: &'static str,
    pub(super) deadline: Instant,
    repeat: Repeat,
    one_by_one_before: i16,
    newest: i16,
    tries: u32,
}

/// Whether a request may be sent again when its answer was lost, and it may have been carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repeat {
    /// It only asks, or does the same thing when it is done twice.
    Freely,
    /// The second time it would fail, or do something else.
    Never,
}

impl Call {
    pub(super) fn new(what: &'static str, deadline: Instant) -> Self {
        Self {
            what,
            deadline,
            repeat: Repeat::Freely,
            one_by_one_before: 0,
            newest: i16::MAX,
            tries: u32::MAX,
        }
    }

    /// The request must not be sent again when its answer was lost.
    pub(super) fn never_twice(self) -> Self {
        Self { repeat: Repeat::Never, ..self }
    }

    /// Versions before this one take one item a request.
    pub(super) fn one_by_one_before(self, version: i16) -> Self {
        Self { one_by_one_before: version, ..self }
    }

    /// Uses no version of the API that is newer than this.
    pub(super) fn at_most(self, version: i16) -> Self {
        Self { newest: version, ..self }
    }

    /// Makes one try: whoever asks does the repeating.
    fn once(self) -> Self {
        Self { tries: 1, ..Self::new(self.what, self.deadline) }
    }
}

/// Something that a call is about.
#[derive(Debug)]
pub(super) struct Item<K> {
    route: Route,
    key: K,
    needs: Option<(i16, &'static str)>,
}

impl<K> Item<K> {
    pub(super) fn new(route: Route, key: K) -> Self {
        Self { route, key, needs: None }
    }

    /// What it is.
    pub(super) fn key(&self) -> &K {
        &self.key
    }

    /// The item needs this version of the API, for `feature`, the words of an error. Other items do not suffer
    /// from a broker that lacks it.
    pub(super) fn needs(self, version: i16, feature: &'static str) -> Self {
        Self { needs: Some((version, feature)), ..self }
    }
}

impl Admin {
    /// Asks for each item, at the node that its route leads to. Answers in the order of the items.
    ///
    /// `request` makes the request for some items that share a node; `read` finds each one's result in the
    /// answer, in their order.
    pub(super) async fn ask<K, R: Request, V>(
        &self,
        call: Call,
        items: Vec<Item<K>>,
        request: impl Fn(&At, &[&K]) -> Result<R>,
        read: impl Fn(&At, R::Response, &[&K]) -> Vec<Result<V>>,
    ) -> Results<K, V> {
        let mut states: Vec<State<V>> = items.iter().map(|_| State::default()).collect();
        let asked = items.iter().map(|_| Cell::new(None)).collect();
        let ask = Ask { admin: self, call, items: &items, asked, request, read, avoid: Cell::new(None) };
        let mut work: FuturesUnordered<LocalBoxFuture<'_, Step<V>>> = FuturesUnordered::new();
        work.push(Box::pin(ask.find_ways((0..items.len()).collect(), 0)));
        let drive = async {
            while let Some(step) = work.next().await {
                let mut again = Vec::new();
                for (at, result) in step.results {
                    let Some(state) = states.get_mut(at) else { continue };
                    match result {
                        Err(error) if ask.may_help(at, state, &error) => {
                            log::debug!("{}: trying again: {error}", call.what);
                            state.last_error = Some(error);
                            again.push(at);
                        }
                        result => state.result = Some(result),
                    }
                }
                for (node, indexes) in step.ways {
                    work.push(Box::pin(ask.exchange(node, indexes)));
                }
                let failures = again.iter().filter_map(|&at| states.get(at)).map(|state| state.tries).max();
                if let Some(failures) = failures {
                    work.push(Box::pin(ask.find_ways(again, failures)));
                }
            }
        };
        self.cluster.net().until(call.deadline, drive).await;
        drop(work);
        let results: Vec<Result<V>> = states
            .into_iter()
            .zip(&ask.asked)
            .map(|(state, asked)| {
                state.result.unwrap_or_else(|| Err(self.too_late(call, asked.get(), state.last_error)))
            })
            .collect();
        items.into_iter().map(|item| item.key).zip(results).collect()
    }

    /// Asks one node one question. `judge` looks for the error of the whole answer.
    pub(super) async fn ask_one<R: Request>(
        &self,
        call: Call,
        route: Route,
        request: impl Fn(&At) -> Result<R>,
        judge: impl Fn(&R::Response) -> Result<()>,
    ) -> Result<R::Response> {
        let items = vec![Item::new(route, ())];
        let read = |_: &At, response, _: &[&()]| vec![judge(&response).map(|()| response)];
        let results = self.ask(call, items, |at, _| request(at), read).await;
        results.into_iter().next().map_or_else(|| Err(unanswered(call.what)), |(_, result)| result)
    }

    /// The error of an item that had no result in time.
    fn too_late(&self, call: Call, asked: Option<NodeId>, last: Option<Error>) -> Error {
        let what = call.what;
        let Some(node) = asked else {
            let Some(last) = last else { return self.cluster.timeout(what) };
            let error = Error::new(ErrorKind::Timeout, format!("timed out: {what}: {last}"));
            return match last.code() {
                Some(code) => error.with_code(code),
                None => error,
            };
        };
        let again = match call.repeat {
            Repeat::Never => ", and may still carry it out",
            Repeat::Freely => "",
        };
        let before = last.map(|last| format!("; before that: {last}")).unwrap_or_default();
        let text = format!("timed out: {what}: node {node} has not answered{again}{before}");
        Error::new(ErrorKind::Timeout, text).with_retriable(call.repeat == Repeat::Freely)
    }
}

/// What became of an item so far.
struct State<V> {
    result: Option<Result<V>>,
    last_error: Option<Error>,
    tries: u32,
    /// Since when the item's topic has been unknown.
    unknown_since: Option<Instant>,
}

impl<V> Default for State<V> {
    fn default() -> Self {
        Self { result: None, last_error: None, tries: 0, unknown_since: None }
    }
}

/// What a piece of work brought: where to ask next, and results.
struct Step<V> {
    ways: BTreeMap<NodeId, Vec<usize>>,
    results: Vec<(usize, Result<V>)>,
}

impl<V> Step<V> {
    fn failed(indexes: &[usize], error: &Error) -> Self {
        let results = indexes.iter().map(|&at| (at, Err(error.clone()))).collect();
        Self { ways: BTreeMap::new(), results }
    }
}

/// A call on its way.
struct Ask<'a, K, Q, A> {
    admin: &'a Admin,
    call: Call,
    items: &'a [Item<K>],
    /// The node that has an item's request and has not answered it.
    asked: Vec<Cell<Option<NodeId>>>,
    request: Q,
    read: A,
    /// The node that failed last: any other is better.
    avoid: Cell<Option<NodeId>>,
}

impl<K, R, V, Q, A> Ask<'_, K, Q, A>
where
    R: Request,
    Q: Fn(&At, &[&K]) -> Result<R>,
    A: Fn(&At, R::Response, &[&K]) -> Vec<Result<V>>,
{
    /// Finds the nodes that answer for these items, after a pause that grows with the failures.
    async fn find_ways(&self, indexes: Vec<usize>, failures: u32) -> Step<V> {
        let admin = self.admin;
        let routes: Vec<(usize, &Route)> =
            indexes.iter().filter_map(|&at| Some((at, &self.items.get(at)?.route))).collect();
        if failures > 0 {
            admin.pause(failures).await;
            admin.cluster.request_update();
            if routes.iter().any(|(_, route)| matches!(route, Route::Controller)) {
                // Why that failed is told by the next try.
                let _ = admin.cluster.update().await;
            }
        }
        let mut step = Step { ways: BTreeMap::new(), results: Vec::new() };
        for (at, way) in admin.resolve(self.call.once(), &routes, self.avoid.get()).await {
            match way {
                Ok(node) => step.ways.entry(node).or_default().push(at),
                Err(error) => step.results.push((at, Err(error))),
            }
        }
        step
    }

    /// Asks one node for some items.
    async fn exchange(&self, node: NodeId, indexes: Vec<usize>) -> Step<V> {
        let connection = match self.admin.cluster.manager().connection(node).await {
            Ok(connection) => connection,
            Err(error) => {
                self.avoid.set(Some(node));
                return Step::failed(&indexes, &error);
            }
        };
        let at = match At::new::<R>(&connection, self.call.what, self.call.newest, self.time_for_broker()) {
            Ok(at) => at,
            Err(error) => return Step::failed(&indexes, &error),
        };
        let mut results = Vec::new();
        let mut wanted = Vec::new();
        for index in indexes {
            let needs = self.items.get(index).and_then(|item| item.needs);
            match needs.map_or(Ok(()), |(version, feature)| at.need(version, feature)) {
                Ok(()) => wanted.push(index),
                Err(error) => results.push((index, Err(error))),
            }
        }
        let size = if at.version < self.call.one_by_one_before { 1 } else { wanted.len().max(1) };
        let sent = wanted.chunks(size).map(|chunk| self.send(&connection, &at, chunk));
        for (chunk, outcome) in wanted.chunks(size).zip(join_all(sent).await) {
            match outcome {
                Ok(answers) => {
                    if answers.iter().any(sends_elsewhere) {
                        self.avoid.set(Some(node));
                    }
                    let mut answers = answers.into_iter();
                    results.extend(chunk.iter().map(|&index| {
                        (index, answers.next().unwrap_or_else(|| Err(unanswered(self.call.what))))
                    }));
                }
                Err(error) => {
                    self.avoid.set(Some(node));
                    results.extend(chunk.iter().map(|&index| (index, Err(error.clone()))));
                }
            }
        }
        Step { ways: BTreeMap::new(), results }
    }

    async fn send(&self, connection: &Connection, at: &At, indexes: &[usize]) -> Result<Vec<Result<V>>> {
        let keys: Vec<&K> = indexes.iter().filter_map(|&at| Some(&self.items.get(at)?.key)).collect();
        let request = (self.request)(at, &keys)?;
        connection.ready().await?;
        let answer = connection.start(&request, at.version, self.admin.config.common.request_timeout)?;
        let asked = || indexes.iter().filter_map(|&at| self.asked.get(at));
        asked().for_each(|cell| cell.set(Some(connection.node())));
        let answer = answer.await;
        asked().for_each(|cell| cell.set(None));
        match answer {
            Ok(response) => Ok((self.read)(at, response, &keys)),
            Err(error) if self.call.repeat == Repeat::Never => Err(error
                .context(format_args!("{}: it may have been carried out all the same", self.call.what))
                .with_retriable(false)),
            Err(error) => Err(error),
        }
    }

    /// What is left for the broker's own waiting: it has to answer before the request times out here.
    fn time_for_broker(&self) -> Duration {
        let left = self.call.deadline.saturating_duration_since(self.admin.cluster.net().now());
        left.min(self.admin.config.common.request_timeout)
    }

    /// Whether another try may mend the error.
    fn may_help(&self, index: usize, state: &mut State<V>, error: &Error) -> bool {
        state.tries = state.tries.saturating_add(1);
        if state.tries >= self.call.tries {
            return false;
        }
        let Some(code) = error.code() else { return error.is_retriable() };
        let led = self.items.get(index).is_some_and(|item| matches!(item.route, Route::Leader(_)));
        if error.kind() == ErrorKind::UnknownTopic {
            let now = self.admin.cluster.net().now();
            return led && now < *state.unknown_since.get_or_insert(now) + TOPIC_PATIENCE;
        }
        match code {
            ErrorCode::REQUEST_TIMED_OUT => self.call.repeat == Repeat::Freely,
            // A broker that was asked by its number will not become a replica.
            ErrorCode::NOT_LEADER_OR_FOLLOWER => led,
            _ => MENDED_BY_TIME.contains(&code),
        }
    }
}

impl Admin {
    /// Waits before another try.
    async fn pause(&self, failures: u32) {
        let common = &self.config.common;
        let backoff = Backoff { initial: common.retry_backoff, max: common.retry_backoff_max };
        let net = self.cluster.net();
        net.sleep(backoff.after(failures, net.random()).max(SHORTEST_PAUSE)).await;
    }
}

/// Whether the node says that another one is to be asked. Where any would do, it is not asked again.
fn sends_elsewhere<V>(answer: &Result<V>) -> bool {
    answer.as_ref().is_err_and(|error| error.code() == Some(ErrorCode::NOT_CONTROLLER))
}

/// The error of an item that the broker did not answer for.
pub(super) fn unanswered(what: &str) -> Error {
    Error::new(ErrorKind::Protocol, format!("{what}: the broker's answer leaves it out"))
}

/// The codes that say that somebody else is to be asked, or the same one later. Kafka calls some more codes
/// retriable, but of those the program decides.
const MENDED_BY_TIME: &[ErrorCode] = &[
    ErrorCode::LEADER_NOT_AVAILABLE,
    ErrorCode::NOT_LEADER_OR_FOLLOWER,
    ErrorCode::BROKER_NOT_AVAILABLE,
    ErrorCode::NETWORK_EXCEPTION,
    ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode::COORDINATOR_NOT_AVAILABLE,
    ErrorCode::NOT_COORDINATOR,
    ErrorCode::NOT_CONTROLLER,
    ErrorCode::CONCURRENT_TRANSACTIONS,
    ErrorCode::UNSTABLE_OFFSET_COMMIT,
    ErrorCode::FENCED_LEADER_EPOCH,
    ErrorCode::UNKNOWN_LEADER_EPOCH,
    ErrorCode::OFFSET_NOT_AVAILABLE,
    ErrorCode::THROTTLING_QUOTA_EXCEEDED,
];

/// How long a topic whose leaders are wanted may be unknown: it may be just created, and not every broker
/// knows of it yet. After that it does not exist.
const TOPIC_PATIENCE: Duration = Duration::from_secs(1);

/// Even with `retry.backoff.ms=0` tries do not follow each other without a pause.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

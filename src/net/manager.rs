//! The pool: which node is where, and the connection to each, made when it is first needed.
//!
//! Lives on the IO thread. A lost connection is made anew after a pause that grows with each failure and is
//! kept across metadata refreshes, so that a dead broker is not stormed (KIP-144); the time that a connect may
//! take grows likewise (KIP-601). What counts is not that a broker takes connections but that it answers: one
//! that closes each connection at once, or hangs, is backed off like one that is down.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_channel::oneshot;
use futures_util::future::select;

use super::backoff::Backoff;
use super::chain;
use super::connection::{Connection, ConnectionOptions, LoginOptions};
use super::event_loop::Net;
use super::inet::{Address, Connector};
use super::meter::Meters;
use super::sasl::{self, Mechanism, Peer};
use crate::config::CommonConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::metrics::Registry;
use crate::protocol::Request;

/// Who a connection goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NodeId {
    /// An entry of the bootstrap list, by its place; its broker's id is not known.
    Bootstrap(u32),
    /// A broker, by its id.
    Broker(i32),
    /// The same broker by a connection of its own, so that a heartbeat never waits behind a long fetch.
    Coordinator(i32),
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bootstrap(place) => write!(f, "bootstrap-{place}"),
            Self::Broker(id) => write!(f, "{id}"),
            Self::Coordinator(id) => write!(f, "coordinator-{id}"),
        }
    }
}

/// The connections of one client. Cheap to clone; it cannot leave the IO thread.
#[derive(Clone)]
pub struct Manager(Rc<Inner>);

struct Inner {
    net: Net,
    config: CommonConfig,
    client_id: String,
    connector: Arc<dyn Connector>,
    /// How to log in, or why nobody can.
    mechanism: RefCell<Result<Option<Arc<dyn Mechanism>>>>,
    nodes: RefCell<HashMap<NodeId, Node>>,
    next_attempt: Cell<u64>,
    /// The bootstrap server that named the brokers.
    origin: RefCell<Option<Address>>,
    meters: Meters,
}

struct Node {
    address: Address,
    connection: Option<Connection>,
    attempt: Option<Attempt>,
    /// Attempts that failed, and connections lost before they were of use, since the last answer.
    failures: u32,
    /// No attempt before this.
    not_before: Option<Instant>,
    last_error: Option<Error>,
    /// When the last warning of a failure was logged, and how many failures were not since.
    warned: Option<Instant>,
    unlogged: u32,
}

/// A connection in the making. Dropping this gives it up.
struct Attempt {
    number: u64,
    waiting: Vec<oneshot::Sender<Result<Connection>>>,
    _cancel: oneshot::Sender<()>,
}

impl Manager {
    /// A pool without nodes, connecting as the options say: by TCP, through a proxy, over TLS.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] as [`chain::connector`].
    pub fn new(net: &Net, config: &CommonConfig, client_id: &str) -> Result<Self> {
        Ok(Self::with_connector(net, config, client_id, chain::connector(config)?))
    }

    /// A pool that connects in a way of the program's own.
    pub fn with_connector(
        net: &Net,
        config: &CommonConfig,
        client_id: &str,
        connector: Arc<dyn Connector>,
    ) -> Self {
        let manager = Self(Rc::new(Inner {
            net: net.clone(),
            config: config.clone(),
            client_id: client_id.to_owned(),
            connector,
            mechanism: RefCell::new(sasl::from_config(config)),
            nodes: RefCell::default(),
            next_attempt: Cell::new(0),
            origin: RefCell::new(None),
            meters: Meters::default(),
        }));
        let weak = Rc::downgrade(&manager.0);
        let (idle, tick) = (config.connections_max_idle, config.connections_max_idle / 4);
        let sweeper = net.clone();
        net.spawn(async move {
            loop {
                sweeper.sleep(tick.max(MIN_SWEEP)).await;
                let Some(inner) = weak.upgrade() else { return };
                Self(inner).close_idle(idle);
            }
        });
        manager
    }

    /// The event loop's handle.
    pub fn net(&self) -> &Net {
        &self.0.net
    }

    /// Logs in by this mechanism from the next connection on, whatever the options say: for one of the program's own.
    pub fn log_in_with(&self, mechanism: Arc<dyn Mechanism>) {
        *self.0.mechanism.borrow_mut() = Ok(Some(mechanism));
    }

    /// Measures the connections that are made from now on: see [`meter`](super::meter).
    pub fn report_to(&self, registry: &Registry) {
        self.0.meters.report_to(registry);
    }

    /// The registry given to [`report_to`](Self::report_to); without it one that is off.
    pub fn registry(&self) -> Registry {
        self.0.meters.registry()
    }

    /// Says where a node is. A node that has moved loses its connection; an attempt to connect to it begins
    /// again at the new address.
    pub fn set_node(&self, id: NodeId, address: Address) {
        let mut nodes = self.0.nodes.borrow_mut();
        let moved = match nodes.get_mut(&id) {
            Some(node) if node.address == address => return,
            Some(node) => {
                node.address = address;
                node.failures = 0;
                node.not_before = None;
                node.last_error = None;
                if let Some(attempt) = node.attempt.take() {
                    self.begin_attempt(id, node, attempt.waiting);
                }
                node.connection.take()
            }
            None => {
                nodes.insert(id, Node::new(address));
                None
            }
        };
        drop(nodes);
        if let Some(connection) = moved {
            connection.close(Error::new(ErrorKind::Connection, "the broker has moved to another address"));
        }
    }

    /// Remembers where the brokers were learned, for the errors of those that cannot be reached.
    pub(crate) fn set_origin(&self, node: NodeId) {
        *self.0.origin.borrow_mut() = self.address(node);
    }

    /// Forgets a node and closes its connection.
    pub fn remove_node(&self, id: NodeId) {
        let node = self.0.nodes.borrow_mut().remove(&id);
        self.0.meters.forget(id);
        if let Some(connection) = node.and_then(|node| node.connection) {
            connection
                .close(Error::new(ErrorKind::Connection, "the broker is no longer part of the cluster"));
        }
    }

    /// The ids of all nodes, in order.
    pub fn nodes(&self) -> Vec<NodeId> {
        let mut ids: Vec<NodeId> = self.0.nodes.borrow().keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// Where a node is.
    pub fn address(&self, id: NodeId) -> Option<Address> {
        self.0.nodes.borrow().get(&id).map(|node| node.address.clone())
    }

    /// The connection to a node if there is one now.
    pub fn connected(&self, id: NodeId) -> Option<Connection> {
        let nodes = self.0.nodes.borrow();
        nodes.get(&id)?.connection.clone().filter(Connection::is_open)
    }

    /// The last failure to connect to a node, if it has not been connected since.
    pub fn last_error(&self, id: NodeId) -> Option<Error> {
        self.0.nodes.borrow().get(&id)?.last_error.clone()
    }

    /// Why the node has refused the client's login, as long as no other attempt is due: whoever waits for the
    /// node need not wait on (KIP-152).
    pub fn refusal(&self, id: NodeId) -> Option<Error> {
        let mut nodes = self.0.nodes.borrow_mut();
        let node = nodes.get_mut(&id)?;
        self.settle(node);
        node.refusal(self.0.net.now())
    }

    /// How long no attempt is made to connect to the node; `None` when it can be used at once.
    pub fn backoff(&self, id: NodeId) -> Option<Duration> {
        let mut nodes = self.0.nodes.borrow_mut();
        let node = nodes.get_mut(&id)?;
        self.settle(node);
        let left = node.not_before?.saturating_duration_since(self.0.net.now());
        (!left.is_zero() && node.connection.is_none()).then_some(left)
    }

    /// The connection to a node: the present one, the one being made, or a new one. Waits out the pause after
    /// failures first; callers bound the wait themselves. After a refused login it does not wait, but returns that
    /// error until the pause is over.
    ///
    /// # Errors
    /// Why the attempt failed, with the node and its address.
    pub async fn connection(&self, id: NodeId) -> Result<Connection> {
        if let Some(connection) = self.connected(id) {
            return Ok(connection);
        }
        let (sender, receiver) = oneshot::channel();
        {
            let mut nodes = self.0.nodes.borrow_mut();
            let Some(node) = nodes.get_mut(&id) else {
                let text = format!("node {id} is unknown: the cluster's metadata does not name it");
                return Err(Error::new(ErrorKind::Connection, text));
            };
            self.settle(node);
            if let Some(refusal) = node.refusal(self.0.net.now()) {
                return Err(refusal);
            }
            match &mut node.attempt {
                Some(attempt) => attempt.waiting.push(sender),
                None => self.begin_attempt(id, node, vec![sender]),
            }
        }
        let gone = || Error::new(ErrorKind::Connection, format!("node {id} was removed while connecting"));
        receiver.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Sends a request to a node and waits for the answer; connects first when needed.
    ///
    /// # Errors
    /// As [`connection`](Self::connection) and [`Connection::send`].
    pub async fn send<R: Request>(&self, id: NodeId, request: &R) -> Result<R::Response> {
        self.connection(id).await?.send(request).await
    }

    /// A node for a request that any broker can answer: one that can be used now, and of those the one that
    /// failed least, so that a node that hangs is not chosen again and again and each address gets its turn.
    ///
    /// Among equals a connected one with little in flight, and brokers that metadata has named before the
    /// bootstrap entries.
    pub fn least_loaded_node(&self) -> Option<NodeId> {
        self.choose(&[], None, false)
    }

    /// As [`least_loaded_node`](Self::least_loaded_node), but none of `tried`, rather not `avoid`, and on request the
    /// bootstrap entries before the brokers.
    pub(crate) fn choose(
        &self,
        tried: &[NodeId],
        avoid: Option<NodeId>,
        bootstrap_first: bool,
    ) -> Option<NodeId> {
        let now = self.0.net.now();
        let rank = |id: NodeId, node: &Node| {
            let (not_before, load) = match &node.connection {
                Some(connection) => (connection.throttled_until(), connection.in_flight()),
                None => (node.not_before, usize::MAX),
            };
            let wait = not_before.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
            let is_second_choice = matches!(id, NodeId::Bootstrap(_)) != bootstrap_first;
            let avoided = avoid == Some(id);
            (wait, node.failures, avoided, load, is_second_choice, self.0.net.random_below(1 << 20))
        };
        let mut nodes = self.0.nodes.borrow_mut();
        let candidates =
            nodes.iter_mut().filter(|(id, _)| !matches!(id, NodeId::Coordinator(_)) && !tried.contains(*id));
        let ranked = candidates.map(|(id, node)| {
            self.settle(node);
            (rank(*id, node), *id)
        });
        ranked.min().map(|(_, id)| id)
    }

    /// Closes every connection and gives up those in the making. The pool can be used again: the next request
    /// connects anew.
    pub fn close_all(&self, reason: &Error) {
        let mut open = Vec::new();
        let mut waiting = Vec::new();
        for node in self.0.nodes.borrow_mut().values_mut() {
            open.extend(node.connection.take());
            waiting.extend(node.attempt.take().into_iter().flat_map(|attempt| attempt.waiting));
        }
        for connection in open {
            connection.close(reason.clone());
        }
        for waiter in waiting {
            // Who gave up waiting needs no answer.
            let _ = waiter.send(Err(reason.clone()));
        }
    }

    fn begin_attempt(&self, id: NodeId, node: &mut Node, waiting: Vec<oneshot::Sender<Result<Connection>>>) {
        let number = self.0.next_attempt.get();
        self.0.next_attempt.set(number + 1);
        let (cancel, canceled) = oneshot::channel::<()>();
        node.attempt = Some(Attempt { number, waiting, _cancel: cancel });
        let work = self.clone().attempt(id, number);
        self.0.net.spawn(async move {
            select(pin!(work), canceled).await;
        });
    }

    /// Draws the conclusions from what became of a node's connection since the last look.
    fn settle(&self, node: &mut Node) {
        let Some(connection) = &node.connection else { return };
        let Some(closed_at) = connection.closed_at() else {
            if connection.answers() > 0 {
                node.failures = 0;
            }
            return;
        };
        let error = connection.error();
        let is_its_fault = error.as_ref().is_some_and(|error| {
            matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Protocol | ErrorKind::Authentication)
        });
        let lived = closed_at.saturating_duration_since(connection.opened());
        let was_of_use = connection.answers() > 0 || lived >= self.0.config.reconnect_backoff_max;
        if was_of_use {
            node.failures = 0;
        }
        if is_its_fault || !was_of_use {
            node.failures = node.failures.saturating_add(1);
            node.not_before = Some(closed_at + self.reconnect_backoff(node.failures));
            node.last_error = error;
        }
        node.connection = None;
    }

    async fn attempt(self, id: NodeId, number: u64) {
        let net = &self.0.net;
        let wait = self.0.nodes.borrow().get(&id).and_then(|node| node.not_before);
        if let Some(at) = wait {
            net.sleep_until(at).await;
        }
        let Some((address, failures)) =
            self.0.nodes.borrow().get(&id).map(|node| (node.address.clone(), node.failures))
        else {
            return;
        };
        log::debug!("{id}: connecting to {address}");
        let config = &self.0.config;
        let setup = Backoff {
            initial: config.socket_connection_setup_timeout,
            max: config.socket_connection_setup_timeout_max,
        };
        let deadline = net.clock().deadline(setup.after(failures + 1, net.random()));
        let mechanism = self.0.mechanism.borrow().clone();
        let options = ConnectionOptions {
            client_id: self.0.client_id.clone(),
            request_timeout: config.request_timeout,
            receive_message_max_bytes: config.receive_message_max_bytes,
            max_in_flight: config.max_in_flight_requests_per_connection,
            before_0_10: config.api_version.is_some_and(|version| version.is_before_0_10()),
            meter: self.0.meters.of(id),
            login: match mechanism {
                Ok(mechanism) => mechanism.map(|mechanism| LoginOptions {
                    mechanism,
                    peer: Peer { host: address.host.clone(), clock: net.clock() },
                }),
                Err(error) => return self.finish(id, number, &address, Err(error)),
            },
        };
        // A connector of the program's own may forget the deadline.
        let connecting = async {
            address.check()?;
            self.0.connector.connect(net, &address, deadline).await
        };
        let result = match net.within(deadline, || "connecting".to_owned(), connecting).await {
            Ok(stream) => Connection::open(net, id, stream, options, deadline).await,
            Err(error) => Err(error),
        };
        let result = result.map_err(|error| {
            let told = self.told_of(id, &address, &error);
            error.context(format_args!("node {id} at {address}{told}"))
        });
        self.finish(id, number, &address, result);
    }

    /// Who told of the address that cannot be reached, and what may be wrong with it.
    fn told_of(&self, id: NodeId, address: &Address, error: &Error) -> String {
        if !matches!(error.kind(), ErrorKind::Connection | ErrorKind::Timeout | ErrorKind::Dns) {
            return String::new();
        }
        if matches!(id, NodeId::Bootstrap(_)) {
            let is_zookeeper = address.port == ZOOKEEPER;
            return if is_zookeeper { " (that is ZooKeeper's port; a broker's is needed)" } else { "" }
                .to_owned();
        }
        let origin = self.0.origin.borrow();
        let Some(origin) = origin.as_ref().filter(|origin| *origin != address) else { return String::new() };
        let is_local = |address: &Address| {
            address.host == "localhost" || address.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        };
        let hint = if is_local(address) && !is_local(origin) {
            "; only programs on the broker's own machine can reach that, see its advertised.listeners"
        } else {
            ""
        };
        format!(" (advertised by the cluster that was found at {origin}{hint})")
    }

    fn finish(&self, id: NodeId, number: u64, address: &Address, result: Result<Connection>) {
        let mut nodes = self.0.nodes.borrow_mut();
        let node = nodes.get_mut(&id);
        let mine = node.and_then(|node| {
            let attempt = node.attempt.take_if(|attempt| attempt.number == number)?;
            Some((node, attempt.waiting))
        });
        let Some((node, waiting)) = mine else {
            // Given up in the very moment of its success.
            if let Ok(connection) = result {
                connection.close(Error::new(ErrorKind::Connection, "the connection is no longer needed"));
            }
            return;
        };
        match &result {
            Ok(connection) => {
                log::debug!("{id}: connected to {address}");
                node.connection = Some(connection.clone());
                node.last_error = None;
                // A connection that is lost at once must not be made again in a tight loop.
                node.not_before = Some(self.0.net.now() + self.reconnect_backoff(1));
            }
            Err(error) => {
                self.0.meters.failed(self.0.net.now());
                node.failures = node.failures.saturating_add(1);
                let pause = self.reconnect_backoff(node.failures);
                node.not_before = Some(self.0.net.now() + pause);
                // The first of a row is worth a line; those that follow say nothing new. A broker that comes and goes
                // has many firsts.
                let now = self.0.net.now();
                let recent = node.warned.is_some_and(|at| now - at < self.0.config.reconnect_backoff_max);
                if node.failures == 1 && !recent {
                    let more = match std::mem::take(&mut node.unlogged) {
                        0 => String::new(),
                        count => format!("; {count} failures before it were not logged"),
                    };
                    log::warn!("{error}; next attempt in {pause:?} or later{more}");
                    node.warned = Some(now);
                } else {
                    node.unlogged = node.unlogged.saturating_add(1);
                    log::debug!("{error}; next attempt in {pause:?} or later");
                }
                node.last_error = Some(error.clone());
            }
        }
        drop(nodes);
        for waiter in waiting {
            // Who gave up waiting needs no answer.
            let _ = waiter.send(result.clone());
        }
    }

    fn reconnect_backoff(&self, failures: u32) -> Duration {
        let config = &self.0.config;
        Backoff { initial: config.reconnect_backoff, max: config.reconnect_backoff_max }
            .after(failures, self.0.net.random())
            .max(SHORTEST_PAUSE)
    }

    fn close_idle(&self, idle: Duration) {
        let now = self.0.net.now();
        let mut unused = Vec::new();
        for (id, node) in self.0.nodes.borrow_mut().iter_mut() {
            self.settle(node);
            let is_idle = node.connection.as_ref().is_some_and(|connection| {
                connection.in_flight() == 0 && now.saturating_duration_since(connection.last_used()) >= idle
            });
            if is_idle {
                log::debug!("{id}: closed after {idle:?} without traffic");
                unused.extend(node.connection.take());
            }
        }
        for connection in unused {
            connection.close(Error::new(ErrorKind::Connection, "closed after idling"));
        }
    }
}

impl Drop for Inner {
    /// The task of a connection keeps its socket open, so whoever owns the pool has to close it.
    fn drop(&mut self) {
        for connection in self.nodes.get_mut().drain().filter_map(|(_, node)| node.connection) {
            connection.close(Error::new(ErrorKind::Closed, "the client was closed"));
        }
    }
}

impl Node {
    fn new(address: Address) -> Self {
        Self {
            address,
            connection: None,
            attempt: None,
            failures: 0,
            not_before: None,
            last_error: None,
            warned: None,
            unlogged: 0,
        }
    }

    /// Why the broker has refused the client's login, as long as no other attempt is due.
    fn refusal(&self, now: Instant) -> Option<Error> {
        let is_pausing = self.connection.is_none() && self.not_before.is_some_and(|at| at > now);
        let refused = |error: &&Error| error.kind() == ErrorKind::Authentication;
        self.last_error.as_ref().filter(refused).filter(|_| is_pausing).cloned()
    }
}

const ZOOKEEPER: u16 = 2181;

/// The idle sweep runs at most this often, however small the limit.
const MIN_SWEEP: Duration = Duration::from_millis(250);

/// Even with `reconnect.backoff.ms=0` attempts do not follow each other without a pause.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

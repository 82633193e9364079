//! The IO side of transactions: who coordinates, what has joined, and how it is ended.
//!
//! Under transaction version 2 (KIP-890) partitions and groups join with the first request that is about them, and each
//! end gives the producer a new epoch. Before, the producer adds them itself and keeps its epoch; only when sequences
//! were burnt it asks for the next one after the abort (KIP-360).

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_channel::oneshot;

use super::super::accumulator::Accumulator;
use super::super::identity::ProducerId;
use super::phase::{Operation, Phase, Run};
use super::shared::TransactionGate;
use super::verdict::{Class, class_of, error_of};
use crate::cluster::{Cluster, CoordinatorType};
use crate::config::ProducerConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::error_code::ErrorCode;
use crate::net::backoff::Backoff;
use crate::net::manager::NodeId;
use crate::net::wakeup::Wakeup;
use crate::protocol::Request;
use crate::protocol::messages::{EndTxnRequest, InitProducerIdRequest};
use crate::types::TopicPartition;

/// Runs the transactions of one producer. Cheap to clone; lives on the IO thread.
#[derive(Clone)]
pub(in crate::producer) struct Transactor(pub(super) Rc<Inner>);

pub(super) struct Inner {
    pub(super) cluster: Cluster,
    pub(super) id: String,
    config: ProducerConfig,
    pub(super) gate: Arc<TransactionGate>,
    accumulator: Arc<Accumulator>,
    producer: Cell<Option<ProducerId>>,
    /// Whether the cluster has agreed upon transaction version 2, as far as the coordinator said last.
    seen_version_2: Cell<bool>,
    /// The same, for the present transaction.
    version_2: Cell<bool>,
    /// Who coordinates, by key.
    coordinators: RefCell<HashMap<(CoordinatorType, String), i32>>,
    pub(super) current: RefCell<Current>,
    /// An operation waits until nothing is queued or in flight.
    wants_settled: Cell<bool>,
    /// Rung for the operation that is under way: something of what it waits for may have changed.
    pub(super) news: Wakeup,
    /// Why it cannot be told whether the commit that is under way has been done.
    doubt: RefCell<Option<Error>>,
    /// Callers that wait for the operation that is under way.
    waiting: RefCell<Vec<oneshot::Sender<()>>>,
}

/// The present transaction.
#[derive(Default)]
pub(super) struct Current {
    /// Partitions that have joined; not kept under transaction version 2.
    pub(super) added: HashSet<TopicPartition>,
    /// Partitions that are to join.
    pub(super) wanted: Vec<TopicPartition>,
    /// Partitions that a request which is under way adds.
    pub(super) joining: Vec<TopicPartition>,
    /// Whether partitions are being added.
    pub(super) adding: bool,
    /// Groups that have joined.
    pub(super) groups: HashSet<String>,
    /// Calls of `send_offsets_to_transaction` that are under way.
    pub(super) sending_offsets: usize,
    /// Whether the coordinator knows of the transaction.
    pub(super) begun: Begun,
    /// Sequences were burnt: the producer needs another epoch before it goes on.
    needs_epoch: bool,
}

/// Whether the coordinator has a transaction to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Begun {
    #[default]
    No,
    /// A request that would have begun it was lost on its way, or its answer.
    Maybe,
    Yes,
}

/// Whether a partition's batches may leave.
pub(in crate::producer) enum Admission {
    Granted,
    /// The partition has yet to join the transaction; the sender is woken then.
    Pending,
}

impl Transactor {
    /// `None` without a transactional id.
    pub(in crate::producer) fn new(
        cluster: &Cluster,
        config: &ProducerConfig,
        accumulator: &Arc<Accumulator>,
        gate: Option<&Arc<TransactionGate>>,
    ) -> Option<Self> {
        let (id, gate) = config.transactional_id.clone().zip(gate)?;
        Some(Self(Rc::new(Inner {
            cluster: cluster.clone(),
            id,
            config: config.clone(),
            gate: Arc::clone(gate),
            accumulator: Arc::clone(accumulator),
            producer: Cell::new(None),
            seen_version_2: Cell::new(false),
            version_2: Cell::new(false),
            coordinators: RefCell::default(),
            current: RefCell::default(),
            wants_settled: Cell::new(false),
            news: Wakeup::new(),
            doubt: RefCell::default(),
            waiting: RefCell::default(),
        })))
    }

    pub(in crate::producer) fn id(&self) -> &str {
        &self.0.id
    }

    /// The producer id and epoch; `None` before the initialization.
    pub(in crate::producer) fn producer(&self) -> Option<ProducerId> {
        self.0.producer.get()
    }

    /// The newest version of Produce that may be used: newer ones add partitions by themselves.
    pub(in crate::producer) fn produce_cap(&self) -> i16 {
        if self.0.version_2.get() { i16::MAX } else { LAST_PRODUCE_OF_VERSION_1 }
    }

    pub(super) fn is_version_2(&self) -> bool {
        self.0.version_2.get()
    }

    /// Why nothing of the transaction is to be sent any more, if so.
    pub(in crate::producer) fn lost(&self) -> Option<Error> {
        let machine = self.0.gate.machine();
        if let Some(error) = machine.error() {
            return Some(error.clone());
        }
        (machine.phase() == Phase::Busy(Operation::Abort)).then(|| {
            let text = "the transaction was aborted before the record was sent";
            Error::new(ErrorKind::TransactionAborted, text)
        })
    }

    /// Has a partition join the transaction.
    pub(in crate::producer) fn admit(&self, tp: &TopicPartition) -> Admission {
        if self.is_version_2() {
            return Admission::Granted;
        }
        let mut current = self.0.current.borrow_mut();
        if current.added.contains(tp) {
            return Admission::Granted;
        }
        if !current.wanted.contains(tp) && !current.joining.contains(tp) {
            current.wanted.push(tp.clone());
            if !std::mem::replace(&mut current.adding, true) {
                self.net().spawn(self.clone().add_partitions());
            }
        }
        Admission::Pending
    }

    /// Batches have left: from now on there is something to end.
    pub(in crate::producer) fn sent(&self) {
        if self.is_version_2() {
            self.begun(Begun::Yes);
        }
    }

    pub(super) fn begun(&self, begun: Begun) {
        let mut current = self.0.current.borrow_mut();
        current.begun = current.begun.max(begun);
    }

    /// Something has failed. `burnt` says that sequences are lost with it. Returns the error with its verdict.
    pub(in crate::producer) fn fail(&self, error: Error, burnt: bool) -> Error {
        self.0.current.borrow_mut().needs_epoch |= burnt;
        if error.kind() == ErrorKind::TransactionAborted {
            // The abort itself is under way.
            return error;
        }
        let is_fatal = error.is_fatal() && error.kind() != ErrorKind::Closed;
        let error = if is_fatal { error } else { error.with_abort_required() };
        // What the transaction says of it is said of records, too, that never left.
        let of_all = error.clone().with_maybe_written(false);
        if self.0.gate.update(|machine| machine.fail(of_all)) {
            log::info!("transactional id {}: {error}", self.0.id);
        }
        self.0.news.notify();
        self.0.accumulator.sender().notify();
        error
    }

    /// Whether an operation waits until nothing is queued or in flight.
    pub(in crate::producer) fn wants_settled(&self) -> bool {
        self.0.wants_settled.get()
    }

    /// Nothing is queued or in flight.
    pub(in crate::producer) fn settled(&self) {
        self.0.wants_settled.set(false);
        self.0.news.notify();
    }

    /// Starts an operation.
    pub(in crate::producer) fn launch(&self, run: Run) {
        let this = self.clone();
        self.net().spawn(async move {
            let operation = run.operation();
            let result = match operation {
                Operation::Initialize => this.initialize(None).await,
                Operation::Commit => this.commit().await,
                Operation::Abort => this.abort().await,
            };
            let result = result.map_err(|error| {
                log::info!("transactional id {}: {}: {error}", this.0.id, operation.name());
                match operation {
                    // Nothing is open, so there is nothing to abort: the same call may be made again.
                    Operation::Initialize if error.requires_abort() => error.with_retriable(false),
                    Operation::Commit | Operation::Abort if !error.is_fatal() => error.with_abort_required(),
                    _ => error,
                }
            });
            this.0.doubt.take();
            this.0.gate.update(|machine| machine.conclude(&run, result));
            for waiter in this.0.waiting.take() {
                // Who ran out of time asks again.
                let _ = waiter.send(());
            }
            // What is left of a transaction that failed is not to be sent.
            this.wake_sender();
        });
    }

    /// Waits for the end of a run, and says how it ended.
    pub(in crate::producer) async fn finished(&self, run: &Run) -> Result<()> {
        loop {
            if let Some(result) = run.result() {
                return result;
            }
            let (sender, receiver) = oneshot::channel();
            self.0.waiting.borrow_mut().push(sender);
            if receiver.await.is_err() {
                return Err(Error::new(ErrorKind::Closed, "the producer is closed"));
            }
        }
    }

    /// What stands in the way, for the error of a call that ran out of time.
    pub(in crate::producer) fn timeout(&self, what: &str) -> Error {
        let error = self.0.cluster.timeout(&format!("{what} of transactional id {}", self.0.id));
        match &*self.0.doubt.borrow() {
            Some(doubt) => error.context(format_args!("the commit may have been done, but {doubt}")),
            None => error,
        }
    }

    async fn commit(&self) -> Result<()> {
        self.quiet(true).await?;
        if self.0.current.borrow().begun > Begun::No {
            self.end(true).await?;
        }
        self.upgrade().await;
        self.reset();
        Ok(())
    }

    async fn abort(&self) -> Result<()> {
        self.quiet(false).await?;
        let begun = self.0.current.borrow().begun;
        if begun > Begun::No {
            self.end(false).await?;
            self.0.current.borrow_mut().begun = Begun::No;
        }
        if self.0.current.borrow().needs_epoch && !self.is_version_2() {
            self.initialize(self.0.producer.get()).await?;
        }
        self.upgrade().await;
        self.reset();
        Ok(())
    }

    /// Goes over to transaction version 2 when the cluster has agreed upon it since the transaction began. The next one
    /// gets an epoch of its own, as each will from then on: late requests of the last one would be taken for its own.
    async fn upgrade(&self) {
        if self.is_version_2() || !self.0.seen_version_2.get() {
            return;
        }
        if let Err(error) = self.initialize(self.0.producer.get()).await {
            // The transaction has ended all the same, and the older kind goes on.
            log::info!("transactional id {}: no new epoch yet for transaction version 2: {error}", self.0.id);
            self.0.seen_version_2.set(false);
        }
    }

    /// Waits until all batches have an outcome and every request that is about the transaction has ended. A commit
    /// does not wait once something has failed.
    async fn quiet(&self, commit: bool) -> Result<()> {
        let _flushing = self.0.accumulator.flush();
        self.0.wants_settled.set(true);
        self.0.accumulator.sender().notify();
        loop {
            let error = self.0.gate.machine().error().cloned();
            if let Some(error) = error.filter(|error| commit || error.is_fatal()) {
                self.0.wants_settled.set(false);
                return Err(error);
            }
            let busy = {
                let current = self.0.current.borrow();
                current.adding || current.sending_offsets > 0
            };
            if !busy && !self.0.wants_settled.get() {
                return Ok(());
            }
            self.0.news.notified().await;
        }
    }

    /// The next transaction begins with nothing.
    fn reset(&self) {
        *self.0.current.borrow_mut() = Current::default();
        self.0.version_2.set(self.0.seen_version_2.get());
    }

    /// Gets a producer id and epoch; with `expected` the epoch behind that one.
    async fn initialize(&self, expected: Option<ProducerId>) -> Result<()> {
        let timeout = self.0.config.transaction_timeout;
        let mut failures = 0;
        loop {
            let request = |version: i16| {
                // Before, the next epoch can only be had like a first one.
                let expected = expected.filter(|_| version >= 3);
                InitProducerIdRequest {
                    transactional_id: Some(self.0.id.clone()),
                    transaction_timeout_ms: i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX),
                    producer_id: expected.map_or(-1, |producer| producer.id),
                    producer_epoch: expected.map_or(-1, |producer| producer.epoch),
                    ..Default::default()
                }
            };
            match self.ask(CoordinatorType::Transaction, &self.0.id, i16::MAX, request).await {
                Ok(response) if response.error_code.is_ok() => {
                    let producer = ProducerId { id: response.producer_id, epoch: response.producer_epoch };
                    log::debug!("transactional id {}: {producer:?}", self.0.id);
                    self.0.producer.set(Some(producer));
                    self.0.version_2.set(self.0.seen_version_2.get());
                    return Ok(());
                }
                Ok(response) => {
                    let code = response.error_code;
                    let error = self.error(code, "init_transactions");
                    match class_of(code) {
                        Class::Retry => {}
                        Class::Elsewhere => self.forget(CoordinatorType::Transaction, &self.0.id),
                        _ => return Err(error),
                    }
                    self.pause(code, &mut failures).await;
                }
                Err(error) => self.pause_after(error, &mut failures).await?,
            }
        }
    }

    async fn end(&self, commit: bool) -> Result<()> {
        let what = if commit { Operation::Commit } else { Operation::Abort }.name();
        let Some(producer) = self.0.producer.get() else {
            return Err(Error::new(ErrorKind::IllegalState, "there is no producer id"));
        };
        let cap = if self.is_version_2() { i16::MAX } else { LAST_END_OF_VERSION_1 };
        let mut failures = 0;
        // A commit that has left may have been done, whatever becomes of a later attempt.
        let has_left = Cell::new(false);
        loop {
            let had_left = has_left.get();
            let request = |_| {
                has_left.set(true);
                EndTxnRequest {
                    transactional_id: self.0.id.clone(),
                    producer_id: producer.id,
                    producer_epoch: producer.epoch,
                    committed: commit,
                }
            };
            let response = match self.ask(CoordinatorType::Transaction, &self.0.id, cap, request).await {
                Ok(response) => response,
                Err(error) => {
                    let is_open = commit && has_left.get();
                    let is_refused =
                        matches!(error.kind(), ErrorKind::Authorization | ErrorKind::Authentication);
                    if is_open && is_refused {
                        self.pause_in_doubt(&error, &mut failures).await;
                    } else if let Err(error) = self.pause_after(error, &mut failures).await {
                        return Err(if is_open { in_doubt(error) } else { error });
                    }
                    continue;
                }
            };
            let code = response.error_code;
            if code.is_ok() {
                if self.is_version_2() && response.producer_id >= 0 {
                    let (id, epoch) = (response.producer_id, response.producer_epoch);
                    self.0.producer.set(Some(ProducerId { id, epoch }));
                }
                return Ok(());
            }
            match class_of(code) {
                Class::Retry => {}
                Class::Elsewhere => self.forget(CoordinatorType::Transaction, &self.0.id),
                Class::Forgotten if !commit => {
                    // The coordinator has forgotten the transaction along with the id. What is left is a new one.
                    return self.initialize(Some(producer)).await;
                }
                Class::Abort if !commit && code == ErrorCode::INVALID_TXN_STATE => {
                    if self.0.current.borrow().begun == Begun::Maybe {
                        // Nothing had come of the request that was lost.
                        return Ok(());
                    }
                    return Err(self.error(code, what).with_fatal());
                }
                _ => {
                    let error = self.error(code, what);
                    if !commit || !leaves_doubt(code, had_left) {
                        return Err(error);
                    }
                    if error.kind() != ErrorKind::Authorization {
                        return Err(in_doubt(error));
                    }
                    self.pause_in_doubt(&error, &mut failures).await;
                    continue;
                }
            }
            self.pause(code, &mut failures).await;
        }
    }

    /// One request to a coordinator, who is found first. A connection that fails makes him be looked for anew.
    ///
    /// # Errors
    /// What became of it; retriable where the same request may be sent again.
    pub(super) async fn ask<R: Request>(
        &self,
        kind: CoordinatorType,
        key: &str,
        cap: i16,
        request: impl FnOnce(i16) -> R,
    ) -> Result<R::Response> {
        let known = self.0.coordinators.borrow().get(&(kind, key.to_owned())).copied();
        let node = match known {
            Some(node) => node,
            None => {
                let node = self.0.cluster.find_coordinator(kind, key).await.map_err(retriable)?;
                self.0.coordinators.borrow_mut().insert((kind, key.to_owned()), node);
                node
            }
        };
        let lost = |error: Error| {
            self.forget(kind, key);
            self.0.cluster.request_update();
            retriable(error)
        };
        let connection =
            self.0.cluster.manager().connection(NodeId::Coordinator(node)).await.map_err(lost)?;
        if kind == CoordinatorType::Transaction {
            self.0.seen_version_2.set(connection.versions().feature("transaction.version") >= 2);
        }
        let version = connection.pick_version::<R>(cap)?;
        let timeout = self.0.config.common.request_timeout;
        connection.send_at(&request(version), version, timeout).await.map_err(|error| match error.kind() {
            ErrorKind::Connection | ErrorKind::Timeout | ErrorKind::Protocol => lost(error),
            _ => error,
        })
    }

    pub(super) fn forget(&self, kind: CoordinatorType, key: &str) {
        self.0.coordinators.borrow_mut().remove(&(kind, key.to_owned()));
    }

    pub(super) fn error(&self, code: ErrorCode, what: &str) -> Error {
        error_of(code, what, &self.0.id, self.0.config.transaction_timeout)
    }

    /// Waits before a request is sent again after a code.
    pub(super) async fn pause(&self, code: ErrorCode, failures: &mut u32) {
        log::debug!("transactional id {}: {code}, trying again", self.0.id);
        let common = &self.0.config.common;
        // The transaction before has all but ended: its markers take milliseconds.
        let is_brief = code == ErrorCode::CONCURRENT_TRANSACTIONS;
        let initial = if is_brief { common.retry_backoff.min(BRIEFLY) } else { common.retry_backoff };
        self.back_off(initial, failures).await;
    }

    /// Waits before a request is sent again that had no answer.
    ///
    /// # Errors
    /// The error itself when another attempt would not help.
    pub(super) async fn pause_after(&self, error: Error, failures: &mut u32) -> Result<()> {
        match error.code().map(class_of) {
            None if error.is_retriable() => {}
            Some(Class::Retry | Class::Elsewhere) => {}
            _ if matches!(error.kind(), ErrorKind::Authorization | ErrorKind::Authentication) => {
                return Err(error);
            }
            // Such as a broker that is too old for transactions.
            _ => return Err(error.with_fatal()),
        }
        log::debug!("transactional id {}: {error}, trying again", self.0.id);
        self.back_off(self.0.config.common.retry_backoff, failures).await;
        Ok(())
    }

    /// Waits before a commit is sent again that may have been done: the same request is all that can tell.
    async fn pause_in_doubt(&self, error: &Error, failures: &mut u32) {
        log::warn!("transactional id {}: trying again, the commit may have been done: {error}", self.0.id);
        *self.0.doubt.borrow_mut() = Some(error.clone());
        self.back_off(self.0.config.common.retry_backoff, failures).await;
    }

    async fn back_off(&self, initial: Duration, failures: &mut u32) {
        *failures += 1;
        let backoff = Backoff { initial, max: self.0.config.common.retry_backoff_max };
        self.net().sleep(backoff.after(*failures, self.net().random())).await;
    }

    /// Whether the transaction takes nothing more.
    pub(super) fn is_over(&self) -> bool {
        self.0.gate.machine().is_lost()
    }

    pub(super) fn wake_sender(&self) {
        self.0.accumulator.sender().notify();
    }

    fn net(&self) -> &crate::net::event_loop::Net {
        self.0.cluster.net()
    }

    /// Runs something that outlives its caller's patience.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + 'static) {
        self.net().spawn(work);
    }
}

/// Whether a code with which a commit is refused leaves it open whether that has been done. Only the first attempt's
/// refusal is sure, unless the coordinator has noticed that something is wrong with itself.
fn leaves_doubt(code: ErrorCode, had_left: bool) -> bool {
    match code {
        // A transaction that was committed stays so until its own producer begins another: it was aborted.
        ErrorCode::INVALID_TXN_STATE => false,
        ErrorCode::UNKNOWN_SERVER_ERROR => true,
        _ => had_left,
    }
}

/// The error of a commit that may have been done, where nobody can tell any more.
fn in_doubt(error: Error) -> Error {
    error.context("the outcome of the commit is unknown").with_fatal()
}

/// A broker that cannot be reached now can be another time, or another one can.
fn retriable(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Connection | ErrorKind::Dns | ErrorKind::Timeout | ErrorKind::Protocol => {
            error.with_retriable(true)
        }
        _ => error,
    }
}

/// Newer versions of Produce add partitions to transactions by themselves.
const LAST_PRODUCE_OF_VERSION_1: i16 = 11;

/// Newer versions of EndTxn raise the epoch.
const LAST_END_OF_VERSION_1: i16 = 4;

/// How long to wait for the end of a transaction that was decided.
pub(in crate::producer) const BRIEFLY: Duration = Duration::from_millis(20);

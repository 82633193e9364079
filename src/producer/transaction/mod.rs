//! Transactions: records to many partitions, and offsets of consumer groups, that are seen together or not at all.
//!
//! [`phase`] is the state machine and [`shared`] what the callers' threads see of it; [`driver`] and [`joining`] talk
//! to the coordinators on the IO thread, and [`verdict`] says what their codes mean.

mod driver;
mod joining;
mod phase;
mod shared;
mod verdict;

use std::fmt;
use std::time::{Duration, Instant};

pub(super) use driver::{Admission, BRIEFLY, Transactor};
pub(super) use phase::{Operation, Run, Start};
pub(super) use shared::TransactionGate;

use super::sensors::{ProducerSensors, nanos};
use super::{FutureRecordMetadata, KafkaProducer, ProducerRecord, Shared};
use crate::cluster::GRACE;
use crate::error::{Error, ErrorKind, Result};
use crate::metrics::Sensor;
use crate::net::bridge::on_io_thread;
use crate::serializer::Serializer;
use crate::types::{ConsumerGroupMetadata, OffsetAndMetadata, TopicPartition, check_topic_name};
use joining::Offsets;
use phase::Phase;

/// A transaction that is open. Dropped without [`commit`](Self::commit), it is aborted.
///
/// Made by [`KafkaProducer::transaction`]. It is for the whole producer: records that are sent through the producer
/// itself meanwhile belong to it, too.
#[must_use = "a transaction that is dropped is aborted"]
pub struct Transaction<'a, K, V> {
    producer: &'a KafkaProducer<K, V>,
    is_done: bool,
}

/// # Transactions
///
/// For a producer with a [`transactional_id`](crate::producer::ProducerBuilder::transactional_id). The errors of these calls, and
/// those of records, are of three classes and no other:
///
/// - what can be mended by trying again is tried again inside, for at most `max_block`; then the call fails with
///   [`ErrorKind::Timeout`], its outcome is unknown, and the same call is the only one that may follow: it learns the
///   outcome (KIP-588);
/// - [`requires_abort`](Error::requires_abort): the transaction is lost, and the producer goes on after an abort;
/// - [`is_fatal`](Error::is_fatal): the producer is of no further use, most often because another one with the same
///   transactional id has begun ([`ErrorKind::ProducerFenced`]). Build a new one.
///
/// Calls in the wrong order fail with [`ErrorKind::IllegalState`] and change nothing.
///
/// ```
/// use std::time::Duration;
/// use kavka::config::{AutoOffsetReset, IsolationLevel};
/// use kavka::{KafkaConsumer, KafkaProducer, ProducerRecord};
/// # let cluster = kavka::mock::MockCluster::builder().topic("orders", 1).topic("bills", 1).start()?;
/// # let servers = &cluster.bootstrap_servers();
/// # cluster.append("orders", 0, [("1", "paid"), ("2", "open")])?;
///
/// let mut consumer = KafkaConsumer::builder()
///     .bootstrap_servers(servers)
///     .group_id("billing")
///     .auto_offset_reset(AutoOffsetReset::Earliest)
///     .enable_auto_commit(false)
///     .isolation_level(IsolationLevel::ReadCommitted)
///     .build()?;
/// consumer.subscribe(["orders"])?;
/// let producer = KafkaProducer::builder().bootstrap_servers(servers).transactional_id("billing-1").build()?;
/// producer.init_transactions()?;
///
/// let orders = consumer.poll(Duration::from_secs(10))?;
/// let transaction = producer.transaction()?;
/// for order in &orders {
///     transaction.send(ProducerRecord::new("bills").value(order.value()))?;
/// }
/// transaction.send_offsets(orders.next_offsets(), &consumer.group_metadata())?;
/// transaction.commit()?;
/// # assert_eq!(cluster.committed("billing", "orders", 0), Some(2));
/// # Ok::<(), kavka::Error>(())
/// ```
impl<K, V> KafkaProducer<K, V> {
    /// Gets the producer ready for transactions, once, before the first one: it learns its producer id, fences older
    /// producers with the same transactional id, and waits for the end of what they left open.
    ///
    /// # Errors
    /// [`ErrorKind::IllegalState`] without a transactional id and when called twice, [`ErrorKind::Timeout`] after
    /// `max_block`, [`ErrorKind::Authorization`] (the call may be made again), [`ErrorKind::UnsupportedVersion`] for
    /// brokers before 0.11.
    pub fn init_transactions(&self) -> Result<()> {
        self.shared.operate(Operation::Initialize, self.shared.config.max_block)
    }

    /// Begins a transaction. All records sent from now on belong to it.
    ///
    /// [`transaction`](Self::transaction) does the same and aborts what was forgotten.
    ///
    /// # Errors
    /// [`ErrorKind::IllegalState`] when this is not the time for it, and what made the producer useless before.
    pub fn begin_transaction(&self) -> Result<()> {
        self.shared.timed(|sensors| &sensors.txn_begin, || self.shared.begin_transaction())
    }

    /// Begins a transaction that is aborted when the returned value is dropped before it was committed.
    ///
    /// # Errors
    /// As [`begin_transaction`](Self::begin_transaction).
    pub fn transaction(&self) -> Result<Transaction<'_, K, V>> {
        self.begin_transaction()?;
        Ok(Transaction { producer: self, is_done: false })
    }

    /// Commits offsets of a consumer group with the transaction: the group has them when the transaction is committed.
    /// Each is that of the next record to read, as from `ConsumerRecords::next_offsets`; the group's metadata comes
    /// from [`KafkaConsumer::group_metadata`](crate::KafkaConsumer::group_metadata), so that a consumer that has lost
    /// its partitions is found out (KIP-447). The consumer must not commit by itself.
    ///
    /// Brokers before 2.5 do not check the member: with them each input partition needs a transactional id of its own.
    ///
    /// # Errors
    /// The three classes above: an abort is required after [`ErrorKind::CommitFailed`] (the group has moved on) and
    /// [`ErrorKind::Authorization`]. After [`ErrorKind::Timeout`] the request goes on, and the commit waits for it.
    pub fn send_offsets_to_transaction<O: Into<OffsetAndMetadata>>(
        &self,
        offsets: impl IntoIterator<Item = (TopicPartition, O)>,
        group: &ConsumerGroupMetadata,
    ) -> Result<()> {
        let offsets = offsets.into_iter().map(|(tp, offset)| (tp, offset.into())).collect();
        self.shared.timed(|sensors| &sensors.txn_send_offsets, || self.shared.send_offsets(offsets, group))
    }

    /// Sends what is queued and commits the transaction. When this returns, all its records were written, and readers
    /// of committed records will see them.
    ///
    /// # Errors
    /// The three classes above. A record that could not be delivered makes the commit fail with its error, and an
    /// abort necessary.
    pub fn commit_transaction(&self) -> Result<()> {
        self.shared.operate(Operation::Commit, self.shared.config.max_block)
    }

    /// Aborts the transaction. Records that have not been sent fail with [`ErrorKind::TransactionAborted`]; readers of
    /// committed records never see the others.
    ///
    /// # Errors
    /// As [`commit_transaction`](Self::commit_transaction); when an abort is still required, make the call again.
    pub fn abort_transaction(&self) -> Result<()> {
        self.shared.operate(Operation::Abort, self.shared.config.max_block)
    }
}

impl<K, V> Transaction<'_, K, V> {
    /// As [`KafkaProducer::send`].
    ///
    /// # Errors
    /// As [`KafkaProducer::send`].
    #[inline]
    pub fn send<KT, VT>(&self, record: ProducerRecord<'_, KT, VT>) -> Result<FutureRecordMetadata>
    where
        KT: ?Sized,
        VT: ?Sized,
        K: Serializer<KT>,
        V: Serializer<VT>,
    {
        self.producer.send(record)
    }

    /// As [`KafkaProducer::send_offsets_to_transaction`].
    ///
    /// # Errors
    /// As [`KafkaProducer::send_offsets_to_transaction`].
    pub fn send_offsets<O: Into<OffsetAndMetadata>>(
        &self,
        offsets: impl IntoIterator<Item = (TopicPartition, O)>,
        group: &ConsumerGroupMetadata,
    ) -> Result<()> {
        self.producer.send_offsets_to_transaction(offsets, group)
    }

    /// As [`KafkaProducer::commit_transaction`]. When that requires an abort, it is done; when it ran out of time, call
    /// [`KafkaProducer::commit_transaction`] again to learn the outcome.
    ///
    /// # Errors
    /// As [`KafkaProducer::commit_transaction`].
    pub fn commit(mut self) -> Result<()> {
        let committed = self.producer.commit_transaction();
        self.is_done = committed.is_ok();
        committed
    }

    /// As [`KafkaProducer::abort_transaction`].
    ///
    /// # Errors
    /// As [`KafkaProducer::abort_transaction`].
    pub fn abort(mut self) -> Result<()> {
        self.is_done = true;
        self.producer.abort_transaction()
    }
}

impl<K, V> Drop for Transaction<'_, K, V> {
    /// Aborts within `drop_timeout`; what takes longer goes on in the background, and the next transaction waits for it.
    fn drop(&mut self) {
        if !self.is_done && self.producer.shared.can_abort() {
            let bound = self.producer.shared.config.common.drop_timeout;
            if let Err(error) = self.producer.shared.operate(Operation::Abort, bound) {
                log::warn!("dropped a transaction: {error}");
            }
        }
    }
}

impl<K, V> fmt::Debug for Transaction<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("producer", self.producer).finish_non_exhaustive()
    }
}

impl Shared {
    fn transactions(&self) -> Result<&TransactionGate> {
        self.transaction.as_deref().ok_or_else(|| {
            let text = "the producer has no transactional id: give it one with transactional_id()";
            Error::new(ErrorKind::IllegalState, text)
        })
    }

    fn check_caller(&self, what: &str) -> Result<()> {
        if on_io_thread() {
            let text = format!("{what} would block the IO thread: do not call it in a callback");
            return Err(Error::new(ErrorKind::IllegalState, text));
        }
        self.check_not_closed()
    }

    /// Measures a call.
    fn timed<T>(&self, sensor: fn(&ProducerSensors) -> &Sensor, call: impl FnOnce() -> T) -> T {
        let began = self.clock.now();
        let done = call();
        let now = self.clock.now();
        let took = now.saturating_duration_since(began);
        sensor(&self.accumulator.sensors().producer).record(nanos(took), now);
        done
    }

    fn can_abort(&self) -> bool {
        self.transaction.as_ref().is_some_and(|gate| gate.machine().can_abort())
    }

    fn begin_transaction(&self) -> Result<()> {
        let gate = self.transactions()?;
        self.check_caller("begin_transaction")?;
        let deadline = self.clock.deadline(self.config.max_block);
        loop {
            match gate.update(|machine| machine.begin())? {
                // An abort that nobody waited for has to end first. How it ended shows in the state.
                Some(abort) => drop(self.wait_for(&abort, deadline)?),
                None => return Ok(()),
            }
        }
    }

    /// Runs an operation, joins the one that is under way, or learns how it ended.
    fn operate(&self, operation: Operation, timeout: Duration) -> Result<()> {
        let gate = self.transactions()?;
        self.check_caller(operation.name())?;
        let sensor: fn(&ProducerSensors) -> &Sensor = match operation {
            Operation::Initialize => |sensors| &sensors.txn_init,
            Operation::Commit => |sensors| &sensors.txn_commit,
            Operation::Abort => |sensors| &sensors.txn_abort,
        };
        self.timed(sensor, || self.run_to_end(gate, operation, self.clock.deadline(timeout)))
    }

    fn run_to_end(&self, gate: &TransactionGate, operation: Operation, deadline: Instant) -> Result<()> {
        match gate.start(operation, deadline)? {
            Start::Done(result) => result,
            Start::Join(run) => self.wait_for(&run, deadline)?,
            Start::New(run) => {
                let launched = run.clone();
                self.io.post(move |sender| {
                    if let Some(transactor) = sender.transactor() {
                        transactor.launch(launched);
                    }
                });
                self.wait_for(&run, deadline)?
            }
        }
    }

    /// Waits for the end of an operation.
    ///
    /// # Errors
    /// That it did not end in time. How it ended is the value.
    fn wait_for(&self, run: &Run, deadline: Instant) -> Result<Result<()>> {
        let name = run.operation().name();
        let awaited = run.clone();
        let ended = self.io.run(deadline + GRACE, name, move |sender| async move {
            let Some(transactor) = sender.transactor() else { return Ok(Ok(())) };
            match sender.cluster().net().until(deadline, transactor.finished(&awaited)).await {
                Some(result) => Ok(result),
                None => Err(transactor.timeout(name)),
            }
        })?;
        run.told();
        Ok(ended)
    }

    fn send_offsets(&self, offsets: Offsets, group: &ConsumerGroupMetadata) -> Result<()> {
        let gate = self.transactions()?;
        self.check_caller(SEND_OFFSETS)?;
        if group.group_id.is_empty() {
            return Err(Error::new(ErrorKind::InvalidArgument, "the consumer group has no id"));
        }
        for (tp, offset) in &offsets {
            check_topic_name(tp.topic())?;
            if tp.partition() < 0 || offset.offset < 0 {
                let text = format!("{} is no offset of a partition", offset.offset);
                return Err(Error::new(ErrorKind::InvalidArgument, text)
                    .with_topic(tp.topic())
                    .with_partition(tp.partition()));
            }
        }
        let deadline = self.clock.deadline(self.config.max_block);
        let group = group.clone();
        let ended = {
            // Once it is on its way to the IO thread, the end of the transaction comes after it.
            let _inside = gate.enter()?;
            if offsets.is_empty() {
                return Ok(());
            }
            self.io.remote().ask(move |sender| {
                let sent = sender.transactor().map(|transactor| transactor.send_offsets(offsets, group));
                async move {
                    let Some((sent, transactor)) = sent.zip(sender.transactor()) else { return Ok(()) };
                    let in_time = sender.cluster().net().until(deadline, sent).await;
                    in_time.unwrap_or_else(|| Err(transactor.timeout(SEND_OFFSETS)))
                }
            })
        };
        self.io.remote().wait(&ended, deadline + GRACE, SEND_OFFSETS)
    }

    /// A record could not even be queued. A transaction without it must not be committed, unless the call was one that
    /// does not wait, or the record one that nobody could send.
    #[cold]
    pub(super) fn lose(&self, gate: &TransactionGate, error: Error, is_try: bool) -> Error {
        let is_plain =
            matches!(error.kind(), ErrorKind::InvalidArgument | ErrorKind::IllegalState | ErrorKind::Closed);
        if is_try || is_plain {
            return error;
        }
        let error = error.with_abort_required();
        gate.update(|machine| machine.fail(error.clone()));
        self.accumulator.sender().notify();
        error
    }

    /// Ends what is open before the producer is closed: an open transaction is aborted, one that is being ended is
    /// waited for.
    ///
    /// # Errors
    /// Why it may still be open, or what became of it cannot be told.
    pub(super) fn leave_transaction(&self, deadline: Instant) -> Result<()> {
        let Some(gate) = &self.transaction else { return Ok(()) };
        loop {
            let (phase, running) = {
                let machine = gate.machine();
                (machine.phase(), machine.running())
            };
            match (phase, running) {
                // What the last one that failed has left open, if so, its callers know.
                (Phase::Uninitialized | Phase::Ready | Phase::Fatal, _) => return Ok(()),
                // No transaction yet.
                (Phase::Busy(Operation::Initialize), _) => return Ok(()),
                _ if on_io_thread() => {
                    return Err(Error::new(ErrorKind::IllegalState, "a callback cannot wait for its end"));
                }
                // A commit that failed leaves something to abort.
                (_, Some(run)) => match self.wait_for(&run, deadline)? {
                    Err(error) if error.requires_abort() && run.operation() == Operation::Commit => {}
                    ended => return ended,
                },
                (_, None) => return self.run_to_end(gate, Operation::Abort, deadline),
            }
        }
    }
}

const SEND_OFFSETS: &str = "send_offsets_to_transaction";

//! What the callers' threads and the IO thread share of a transaction.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use parking_lot::{Mutex, RwLock, RwLockReadGuard};

use super::phase::{Machine, Operation, Phase, Start};
use crate::error::{Error, ErrorKind, Result};
use crate::net::bridge::on_io_thread;

/// Lets records into a transaction, and none any more once it is being ended.
pub(in crate::producer) struct TransactionGate {
    /// Held for reading while a record is appended, and for writing while a transaction is closed: what was checked is
    /// still so when the record is in its batch.
    passage: RwLock<()>,
    /// Whether the machine is in a transaction, for the hot path.
    is_open: AtomicBool,
    machine: Mutex<Machine>,
}

impl TransactionGate {
    pub(in crate::producer) fn new() -> Arc<Self> {
        Arc::new(Self {
            passage: RwLock::new(()),
            is_open: AtomicBool::new(false),
            machine: Mutex::default(),
        })
    }

    /// The state, to look at; not to be held over anything else.
    pub(in crate::producer) fn machine(&self) -> impl Deref<Target = Machine> + '_ {
        self.machine.lock()
    }

    /// Changes the state.
    pub(in crate::producer) fn update<T>(&self, change: impl FnOnce(&mut Machine) -> T) -> T {
        let mut machine = self.machine.lock();
        let done = change(&mut machine);
        self.is_open.store(machine.phase() == Phase::Open, Ordering::Release);
        done
    }

    /// Lets one record in while the guard lives.
    ///
    /// # Errors
    /// Why nothing can be sent now.
    #[inline]
    pub(in crate::producer) fn enter(&self) -> Result<RwLockReadGuard<'_, ()>> {
        let inside = if on_io_thread() {
            // Whoever holds the passage may wait for this very thread.
            self.passage.try_read_recursive().ok_or_else(|| {
                Error::new(ErrorKind::IllegalState, "the transaction takes nothing more: it is being ended")
            })?
        } else {
            self.passage.read()
        };
        if !self.is_open.load(Ordering::Acquire) {
            self.machine().check_open()?;
        }
        Ok(inside)
    }

    /// Begins an operation when no record is on its way in.
    ///
    /// # Errors
    /// As [`Machine::start`], and [`ErrorKind::Timeout`] when a `send()` of another thread does not end.
    pub(in crate::producer) fn start(&self, operation: Operation, deadline: Instant) -> Result<Start> {
        let Some(_alone) = self.passage.try_write_until(deadline) else {
            let text = format!("timed out: {}: another thread is still sending", operation.name());
            return Err(Error::new(ErrorKind::Timeout, text));
        };
        self.update(|machine| machine.start(operation))
    }
}

//! The bridge from a program's threads to the IO thread.
//!
//! [`IoThread`] owns the thread and the state `S` that lives on it. [`run`](IoThread::run) moves a closure
//! there, awaits what it returns, and hands the value to the blocked caller; [`post`](IoThread::post) does the
//! same without an answer. Values and reply senders cross the bridge, never references: the IO side shares its
//! state by `Rc`, without locks.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use parking_lot::Mutex;

use super::clock::Clock;
use super::event_loop::{EventLoop, Net};
use super::process::Process;
use super::wakeup::Wakeup;
use crate::error::{Error, ErrorKind, Result};

type Job<S> = Box<dyn FnOnce(&Net, &Rc<S>) + Send>;

/// A running IO thread with the state `S` on it.
///
/// Dropping the handle asks the thread to stop, without waiting; [`shutdown`](Self::shutdown) waits.
pub struct IoThread<S: 'static> {
    remote: Remote<S>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// A handle for calling into an IO thread. Cheap to clone, and free to outlive the thread.
pub struct Remote<S: 'static> {
    jobs: Sender<Job<S>>,
    wakeup: Wakeup,
    shared: Arc<Shared>,
    clock: Clock,
}

struct Shared {
    name: String,
    process: Process,
    /// Disconnected once the thread has ended and `failure` is set.
    ended: Receiver<()>,
    /// Why the thread ended, when it was not told to.
    failure: Mutex<Option<Error>>,
}

impl<S: 'static> IoThread<S> {
    /// Starts a thread called `name` and builds its state there.
    ///
    /// # Errors
    /// What `init` returns, or [`ErrorKind::Connection`] when the system grants no thread or no poll.
    pub fn start<F>(name: impl Into<String>, clock: Clock, init: F) -> Result<Self>
    where
        F: FnOnce(&Net) -> Result<S> + Send + 'static,
    {
        let name = name.into();
        let (jobs, inbox) = crossbeam_channel::unbounded::<Job<S>>();
        let (end, ended) = crossbeam_channel::bounded::<()>(0);
        let (started, start) = crossbeam_channel::bounded::<Result<()>>(1);
        let wakeup = Wakeup::new();
        let shared = Arc::new(Shared {
            name: name.clone(),
            process: Process::this(),
            ended,
            failure: Mutex::new(None),
        });
        let remote = Remote { jobs, wakeup: wakeup.clone(), shared: Arc::clone(&shared), clock };
        let body = move || {
            let _end = end;
            ON_IO_THREAD.set(true);
            let outcome = catch_unwind(AssertUnwindSafe(|| serve(clock, init, inbox, wakeup, &started)));
            let failure = match outcome {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error,
                Err(panic) => Error::new(ErrorKind::Closed, panic_text(&*panic))
                    .context(format!("the IO thread {} panicked", shared.name)),
            };
            log::error!("{failure}");
            *shared.failure.lock() = Some(failure);
        };
        let thread = thread::Builder::new().name(name).spawn(body).map_err(|error| {
            Error::new(ErrorKind::Connection, "the system grants no IO thread").with_source(error)
        })?;
        match start.recv() {
            Ok(Ok(())) => Ok(Self { remote, thread: Mutex::new(Some(thread)) }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(remote.gone()),
        }
    }

    /// A handle for calling into the thread.
    pub fn remote(&self) -> &Remote<S> {
        &self.remote
    }

    /// See [`Remote::run`].
    pub fn run<T, F, Fut>(&self, deadline: Instant, what: &str, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(Rc<S>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T>> + 'static,
    {
        self.remote.run(deadline, what, f)
    }

    /// See [`Remote::post`].
    pub fn post(&self, f: impl FnOnce(&Rc<S>) + Send + 'static) -> bool {
        self.remote.post(f)
    }

    /// Stops the loop, dropping its tasks, and waits at most `timeout` for the thread to end.
    ///
    /// Returns whether it has ended. On the IO thread itself this only asks.
    pub fn shutdown(&self, timeout: Duration) -> bool {
        if self.remote.shared.process.was_forked() {
            // There is no such thread here.
            return true;
        }
        self.stop();
        if on_io_thread() {
            return false;
        }
        match self.remote.shared.ended.recv_deadline(self.remote.clock.deadline(timeout)) {
            Err(RecvTimeoutError::Disconnected) => {
                if let Some(thread) = self.thread.lock().take() {
                    // A panic is already recorded as the failure.
                    let _ = thread.join();
                }
                true
            }
            _ => false,
        }
    }

    fn stop(&self) {
        self.remote.send(Box::new(|net, _| net.stop()));
    }
}

impl<S: 'static> Drop for IoThread<S> {
    fn drop(&mut self) {
        if self.remote.shared.process.was_forked() {
            // The handle is that of a thread of the parent.
            std::mem::forget(self.thread.get_mut().take());
            return;
        }
        self.stop();
    }
}

impl<S: 'static> Remote<S> {
    /// Runs `f` on the IO thread, awaits its future there, and returns its value.
    ///
    /// When the deadline passes first the caller gets an error and the work goes on; what it returns later is
    /// dropped. `what` names the call in errors.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] at the deadline, [`ErrorKind::Closed`] when the thread is gone,
    /// [`ErrorKind::ForkedProcess`] in a child of the process that it runs in,
    /// [`ErrorKind::IllegalState`] when called on the IO thread itself, and whatever the future returns.
    pub fn run<T, F, Fut>(&self, deadline: Instant, what: &str, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(Rc<S>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T>> + 'static,
    {
        if on_io_thread() {
            return Err(Error::new(
                ErrorKind::IllegalState,
                format!(
                    "{what} would block the IO thread: do not call it from a callback, hand it to another thread"
                ),
            ));
        }
        self.wait(&self.ask(f), deadline, what)
    }

    /// Waits for an answer to [`ask`](Self::ask), as [`run`](Self::run) does.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn wait<T>(&self, reply: &Receiver<Result<T>>, deadline: Instant, what: &str) -> Result<T> {
        match reply.recv_deadline(deadline) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => {
                Err(Error::new(ErrorKind::Timeout, format!("timed out: {what}")))
            }
            Err(RecvTimeoutError::Disconnected) => Err(self.gone()),
        }
    }

    /// Like [`run`](Self::run), but returns at once with the channel that the answer will come by. The channel
    /// is disconnected without an answer when the thread ends first.
    pub fn ask<T, F, Fut>(&self, f: F) -> Receiver<Result<T>>
    where
        T: Send + 'static,
        F: FnOnce(Rc<S>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T>> + 'static,
    {
        let (sender, receiver) = crossbeam_channel::bounded(1);
        self.send(Box::new(move |net, state| {
            let future = f(Rc::clone(state));
            net.spawn(async move {
                // A caller that stopped waiting is no fault of the work.
                let _ = sender.send(future.await);
            });
        }));
        receiver
    }

    /// Runs `f` on the IO thread, without an answer. Returns false when the thread is gone.
    pub fn post(&self, f: impl FnOnce(&Rc<S>) + Send + 'static) -> bool {
        self.send(Box::new(move |_, state| f(state)))
    }

    /// The clocks that the thread uses.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Whether this is the process that the thread runs in. Cheap, but a system call.
    ///
    /// # Errors
    /// [`ErrorKind::ForkedProcess`] in a child of it.
    pub fn check_process(&self) -> Result<()> {
        self.shared.process.check()
    }

    /// The error of a call that found the thread gone.
    pub fn gone(&self) -> Error {
        if let Err(forked) = self.check_process() {
            return forked;
        }
        // A thread that panics drops its callers' reply senders before it can say why.
        if !on_io_thread() {
            let _ = self.shared.ended.recv_deadline(self.clock.deadline(LAST_WORDS));
        }
        match &*self.shared.failure.lock() {
            Some(failure) => failure.clone(),
            None => Error::new(ErrorKind::Closed, format!("{} is closed", self.shared.name)),
        }
    }

    fn send(&self, job: Job<S>) -> bool {
        if self.shared.process.was_forked() {
            return false;
        }
        let sent = self.jobs.send(job).is_ok();
        self.wakeup.notify();
        sent
    }
}

impl<S: 'static> Clone for Remote<S> {
    fn clone(&self) -> Self {
        Self {
            jobs: self.jobs.clone(),
            wakeup: self.wakeup.clone(),
            shared: Arc::clone(&self.shared),
            clock: self.clock,
        }
    }
}

impl<S: 'static> fmt::Debug for Remote<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("thread", &self.shared.name).finish_non_exhaustive()
    }
}

impl<S: 'static> fmt::Debug for IoThread<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.remote.fmt(f)
    }
}

fn serve<S: 'static>(
    clock: Clock,
    init: impl FnOnce(&Net) -> Result<S>,
    inbox: Receiver<Job<S>>,
    wakeup: Wakeup,
    started: &Sender<Result<()>>,
) -> Result<()> {
    let io_error = |error| Error::new(ErrorKind::Connection, "the event loop failed").with_source(error);
    let built = EventLoop::new(clock, fastrand::u64(..))
        .map_err(io_error)
        .and_then(|event_loop| init(event_loop.net()).map(|state| (event_loop, Rc::new(state))));
    let (mut event_loop, state) = match built {
        Ok(built) => built,
        Err(error) => {
            // `start` is waiting for this very message.
            let _ = started.send(Err(error));
            return Ok(());
        }
    };
    let net = event_loop.net().clone();
    event_loop.net().spawn(async move {
        let mut run: u32 = 0;
        loop {
            match inbox.try_recv() {
                Ok(job) => {
                    job(&net, &state);
                    run = run.wrapping_add(1);
                    if run % JOBS_PER_TURN == 0 {
                        net.yield_now().await;
                    }
                }
                Err(TryRecvError::Empty) => wakeup.notified().await,
                Err(TryRecvError::Disconnected) => return net.stop(),
            }
        }
    });
    let _ = started.send(Ok(()));
    event_loop.run().map_err(io_error)
}

/// How many jobs run before other tasks, and with them the network, have their turn.
const JOBS_PER_TURN: u32 = 64;

/// How long a failed call waits for the thread to say why it ended; it is ending already.
const LAST_WORDS: Duration = Duration::from_secs(1);

thread_local! {
    static ON_IO_THREAD: Cell<bool> = const { Cell::new(false) };
}

/// Whether the caller runs on the IO thread of some client, where nothing may block.
pub fn on_io_thread() -> bool {
    ON_IO_THREAD.get()
}

/// What a panic said, as far as it said it in words.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

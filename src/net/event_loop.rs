//! The event loop of an IO thread: one mio `Poll`, one timer queue, one single-threaded executor.
//!
//! Protocol flows are `async fn`s spawned on it. They reach time, sockets, DNS and randomness only through
//! [`Net`], never directly, so that another implementation of the same handle can run them under virtual time.
//! Nothing here is visible to a program that merely uses a client.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_task::Runnable;
use crossbeam_channel::{Receiver, Sender};
use futures_util::future::{Either, LocalBoxFuture, select};
use mio::Token;
use mio::event::Source as MioSource;
use slab::Slab;

use super::clock::{Clock, FAR};
use crate::error::{Error, ErrorKind, Result};

/// The handle that tasks on the IO thread hold. Cheap to clone; it cannot leave its thread.
#[derive(Clone)]
pub struct Net(Rc<Inner>);

struct Inner {
    clock: Clock,
    registry: mio::Registry,
    sources: RefCell<Slab<Rc<Readiness>>>,
    timers: RefCell<BTreeMap<(Instant, u64), Waker>>,
    next_timer: Cell<u64>,
    tasks: RefCell<Slab<Waker>>,
    queue: Arc<RunQueue>,
    random: RefCell<fastrand::Rng>,
    stopping: Cell<bool>,
}

/// Tasks that are ready to go on; shared with whoever may wake one, on any thread.
struct RunQueue {
    runnables: Sender<Runnable>,
    waker: mio::Waker,
    /// Set while the loop sleeps in `poll`: only then does a wake-up need the system call.
    asleep: AtomicBool,
}

/// Owns the poll; lives on the IO thread and runs until told to stop.
pub(super) struct EventLoop {
    net: Net,
    poll: mio::Poll,
    events: mio::Events,
    runnables: Receiver<Runnable>,
}

/// What is known of one socket between two looks at it. mio reports edges, so readiness is remembered until a
/// call has returned `WouldBlock`.
#[derive(Default)]
struct Readiness {
    readable: Cell<bool>,
    writable: Cell<bool>,
    reader: RefCell<Option<Waker>>,
    writer: RefCell<Option<Waker>>,
}

/// A socket (or anything mio can watch) registered with the loop; dropping it takes it off.
pub struct Registered<S: MioSource> {
    net: Net,
    token: usize,
    readiness: Rc<Readiness>,
    source: RefCell<S>,
}

const WAKE: Token = Token(usize::MAX);

/// How many tasks run between two looks at the sockets, so that busy tasks cannot starve the network.
const TASKS_PER_TURN: usize = 256;

impl EventLoop {
    pub(super) fn new(clock: Clock, seed: u64) -> io::Result<Self> {
        let poll = mio::Poll::new()?;
        let waker = mio::Waker::new(poll.registry(), WAKE)?;
        let (sender, runnables) = crossbeam_channel::unbounded();
        let queue = Arc::new(RunQueue { runnables: sender, waker, asleep: AtomicBool::new(false) });
        let net = Net(Rc::new(Inner {
            clock,
            registry: poll.registry().try_clone()?,
            sources: RefCell::new(Slab::new()),
            timers: RefCell::new(BTreeMap::new()),
            next_timer: Cell::new(0),
            tasks: RefCell::new(Slab::new()),
            queue,
            random: RefCell::new(fastrand::Rng::with_seed(seed)),
            stopping: Cell::new(false),
        }));
        Ok(Self { net, poll, events: mio::Events::with_capacity(256), runnables })
    }

    pub(super) fn net(&self) -> &Net {
        &self.net
    }

    /// Runs tasks until [`Net::stop`] is called.
    pub(super) fn run(&mut self) -> io::Result<()> {
        while !self.net.0.stopping.get() {
            let more = self.run_tasks();
            if self.net.0.stopping.get() {
                break;
            }
            self.turn(more)?;
        }
        Ok(())
    }

    fn run_tasks(&mut self) -> bool {
        for _ in 0..TASKS_PER_TURN {
            match self.runnables.try_recv() {
                Ok(runnable) => {
                    runnable.run();
                }
                Err(_) => return false,
            }
        }
        true
    }

    /// One look at timers and sockets; sleeps when no task is ready.
    fn turn(&mut self, more: bool) -> io::Result<()> {
        let queue = &self.net.0.queue;
        // Announce the sleep first and look at the queue after: a task that is woken in between either is seen
        // here or sees `asleep` and rings.
        queue.asleep.store(true, Ordering::SeqCst);
        let timeout = if more || !self.runnables.is_empty() {
            Some(Duration::ZERO)
        } else {
            self.net.next_timer().map(|at| at.saturating_duration_since(self.net.now()))
        };
        let polled = self.poll.poll(&mut self.events, timeout);
        self.net.0.queue.asleep.store(false, Ordering::SeqCst);
        match polled {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &self.events {
            if event.token() == WAKE {
                continue;
            }
            let readiness = self.net.0.sources.borrow().get(event.token().0).cloned();
            if let Some(readiness) = readiness {
                if event.is_readable() || event.is_read_closed() || event.is_error() {
                    readiness.readable.set(true);
                    wake(&readiness.reader);
                }
                if event.is_writable() || event.is_write_closed() || event.is_error() {
                    readiness.writable.set(true);
                    wake(&readiness.writer);
                }
            }
        }
        self.net.fire_timers();
        Ok(())
    }
}

impl Drop for EventLoop {
    /// Drops every task on the thread it belongs to; the reply senders they hold fail their callers.
    fn drop(&mut self) {
        self.net.0.stopping.set(true);
        let mut wakers: Vec<Waker> = self.net.0.tasks.borrow_mut().drain().collect();
        wakers.drain(..).for_each(Waker::wake);
        self.net.0.timers.borrow_mut().clear();
        // Dropping a runnable drops its future, which may wake or spawn others.
        while let Ok(runnable) = self.runnables.try_recv() {
            drop(runnable);
        }
    }
}

fn wake(slot: &RefCell<Option<Waker>>) {
    let waker = slot.borrow_mut().take();
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl RunQueue {
    fn push(&self, runnable: Runnable) {
        if self.runnables.send(runnable).is_ok() && self.asleep.swap(false, Ordering::SeqCst) {
            // Fails only when the poll is gone, and then nobody is left to be woken.
            let _ = self.waker.wake();
        }
    }
}

impl Net {
    /// The monotonic time now.
    pub fn now(&self) -> Instant {
        self.0.clock.now()
    }

    /// The clocks.
    pub fn clock(&self) -> Clock {
        self.0.clock
    }

    /// Starts a task. It runs until it ends or the client is closed; its outcome is dropped.
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        self.spawn_boxed(Box::pin(future));
    }

    /// One task's machinery serves all kinds of futures: a copy for each would be a good part of the program.
    fn spawn_boxed(&self, future: LocalBoxFuture<'static, ()>) {
        if self.0.stopping.get() {
            return;
        }
        let entry = self.0.tasks.borrow_mut().insert(Waker::noop().clone());
        let guard = TaskEntry { net: self.clone(), entry };
        let queue = Arc::clone(&self.0.queue);
        let (runnable, task) = async_task::spawn_local(
            async move {
                let _guard = guard;
                future.await;
            },
            move |runnable| queue.push(runnable),
        );
        if let Some(slot) = self.0.tasks.borrow_mut().get_mut(entry) {
            *slot = runnable.waker();
        }
        task.detach();
        runnable.schedule();
    }

    /// Ends the loop after the running task.
    pub(super) fn stop(&self) {
        self.0.stopping.set(true);
    }

    /// Lets the other tasks that are ready go first.
    pub async fn yield_now(&self) {
        let mut yielded = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// Waits until `at`.
    pub fn sleep_until(&self, at: Instant) -> Sleep {
        Sleep { net: self.clone(), at, key: None }
    }

    /// Waits for `duration`.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        let now = self.now();
        self.sleep_until(now.checked_add(duration).unwrap_or(now + FAR))
    }

    /// Waits for a future, but no longer than until `deadline`. `phase` says in the error what ran out of time.
    pub async fn within<T>(
        &self,
        deadline: Instant,
        phase: impl FnOnce() -> String,
        future: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        match self.until(deadline, future).await {
            Some(result) => result,
            None => Err(Error::new(ErrorKind::Timeout, format!("timed out: {}", phase()))),
        }
    }

    /// Waits for a future until `deadline`; `None` when the time came first.
    pub async fn until<F: Future>(&self, deadline: Instant, future: F) -> Option<F::Output> {
        match select(pin!(future), self.sleep_until(deadline)).await {
            Either::Left((value, _)) => Some(value),
            Either::Right(_) => None,
        }
    }

    /// A number from 0 to 1 from the loop's seeded generator.
    pub fn random(&self) -> f64 {
        self.0.random.borrow_mut().f64()
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub fn random_below(&self, bound: usize) -> usize {
        if bound == 0 { 0 } else { self.0.random.borrow_mut().usize(0..bound) }
    }

    /// 16 random bytes, for ids.
    pub fn random_bytes(&self) -> [u8; 16] {
        self.0.random.borrow_mut().u128(..).to_be_bytes()
    }

    /// Has the loop watch a socket.
    pub fn register<S: MioSource>(&self, mut source: S) -> io::Result<Registered<S>> {
        let readiness = Rc::new(Readiness::default());
        let token = self.0.sources.borrow_mut().insert(Rc::clone(&readiness));
        let interest = mio::Interest::READABLE | mio::Interest::WRITABLE;
        if let Err(error) = self.0.registry.register(&mut source, Token(token), interest) {
            self.0.sources.borrow_mut().remove(token);
            return Err(error);
        }
        Ok(Registered { net: self.clone(), token, readiness, source: RefCell::new(source) })
    }

    fn next_timer(&self) -> Option<Instant> {
        self.0.timers.borrow().first_key_value().map(|((at, _), _)| *at)
    }

    fn fire_timers(&self) {
        let now = self.now();
        loop {
            let due = {
                let mut timers = self.0.timers.borrow_mut();
                match timers.first_entry() {
                    Some(entry) if entry.key().0 <= now => entry.remove(),
                    _ => return,
                }
            };
            due.wake();
        }
    }
}

/// Takes a task off the list of living tasks when its future is dropped.
struct TaskEntry {
    net: Net,
    entry: usize,
}

impl Drop for TaskEntry {
    fn drop(&mut self) {
        let waker = self.net.0.tasks.borrow_mut().try_remove(self.entry);
        drop(waker);
    }
}

/// A timer; dropping it takes it off the loop.
pub struct Sleep {
    net: Net,
    at: Instant,
    key: Option<(Instant, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.net.now() >= self.at {
            return Poll::Ready(());
        }
        let key = match self.key {
            Some(key) => key,
            None => {
                let id = self.net.0.next_timer.get();
                self.net.0.next_timer.set(id + 1);
                (self.at, id)
            }
        };
        self.net.0.timers.borrow_mut().insert(key, cx.waker().clone());
        self.key = Some(key);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let waker = self.net.0.timers.borrow_mut().remove(&key);
            drop(waker);
        }
    }
}

/// The two directions of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Bytes from the peer.
    Read,
    /// Bytes to the peer.
    Write,
}

impl<S: MioSource> Registered<S> {
    /// Runs `operation` when the socket is ready, again and again until it no longer says `WouldBlock`.
    pub fn poll_io<T>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut operation: impl FnMut(&mut S) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        let (ready, slot) = match direction {
            Direction::Read => (&self.readiness.readable, &self.readiness.reader),
            Direction::Write => (&self.readiness.writable, &self.readiness.writer),
        };
        while ready.get() {
            match operation(&mut self.source.borrow_mut()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready.set(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return Poll::Ready(other),
            }
        }
        *slot.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The socket itself, for options and addresses.
    pub fn with<T>(&self, f: impl FnOnce(&S) -> T) -> T {
        f(&self.source.borrow())
    }
}

impl<S: MioSource> Drop for Registered<S> {
    fn drop(&mut self) {
        self.net.0.sources.borrow_mut().try_remove(self.token);
        // Fails only for a descriptor that the system has closed already.
        let _ = self.net.0.registry.deregister(&mut *self.source.borrow_mut());
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::net::wakeup::Wakeup;

    fn run(f: impl AsyncFnOnce(Net) + 'static) -> EventLoop {
        let mut event_loop = EventLoop::new(Clock::system(), 1).unwrap();
        let net = event_loop.net().clone();
        event_loop.net().spawn(async move {
            f(net.clone()).await;
            net.stop();
        });
        event_loop.run().unwrap();
        event_loop
    }

    #[test]
    fn timers_fire_in_order_and_never_early() {
        run(async |net: Net| {
            let order = Rc::new(RefCell::new(Vec::new()));
            let start = net.now();
            for millis in [30, 10, 20, 0] {
                let (order, own) = (Rc::clone(&order), net.clone());
                net.spawn(async move {
                    own.sleep(Duration::from_millis(millis)).await;
                    assert!(own.now() >= start + Duration::from_millis(millis));
                    order.borrow_mut().push(millis);
                });
            }
            net.sleep(Duration::from_millis(60)).await;
            assert_eq!(*order.borrow(), [0, 10, 20, 30]);
        });
    }

    #[test]
    fn a_timer_that_is_dropped_leaves_nothing_behind() {
        run(async |net: Net| {
            for _ in 0..100 {
                let never = std::future::pending::<()>();
                assert!(net.until(net.now() + Duration::from_micros(10), never).await.is_none());
                let far = net.sleep(Duration::MAX);
                assert!(net.until(net.now(), far).await.is_none());
                assert_eq!(net.until(net.now() + FAR, async { 7 }).await, Some(7));
            }
            assert!(net.0.timers.borrow().is_empty());
        });
    }

    #[test]
    fn tasks_that_are_always_ready_starve_neither_timers_nor_sockets() {
        run(async |net: Net| {
            let done = Rc::new(Cell::new(false));
            for _ in 0..2 * TASKS_PER_TURN {
                let (own, done) = (net.clone(), Rc::clone(&done));
                net.spawn(async move {
                    while !done.get() {
                        own.yield_now().await;
                    }
                });
            }
            net.sleep(Duration::from_millis(5)).await;
            done.set(true);
            net.yield_now().await;
        });
    }

    #[test]
    fn wake_ups_from_other_threads_are_never_lost() {
        run(async |net: Net| {
            let there = Wakeup::new();
            let (sender, rounds) = crossbeam_channel::unbounded::<u32>();
            let ring = there.clone();
            let pinger = thread::spawn(move || {
                for round in 0..2000 {
                    sender.send(round).unwrap();
                    ring.notify();
                }
            });
            let mut seen = 0;
            while seen < 2000 {
                let round = net.until(net.now() + Duration::from_secs(10), there.notified()).await;
                assert!(round.is_some(), "no wake-up after {seen}");
                seen += rounds.try_iter().count();
            }
            pinger.join().unwrap();
        });
    }

    #[test]
    fn dropping_the_loop_drops_every_task() {
        let alive = Rc::new(());
        let event_loop = {
            let alive = Rc::clone(&alive);
            run(async move |net: Net| {
                for _ in 0..10 {
                    let (alive, own) = (Rc::clone(&alive), net.clone());
                    net.spawn(async move {
                        own.sleep(FAR).await;
                        drop(alive);
                    });
                }
                net.yield_now().await;
            })
        };
        assert!(Rc::strong_count(&alive) > 10);
        drop(event_loop);
        assert_eq!(Rc::strong_count(&alive), 1);
    }
}

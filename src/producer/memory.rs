//! The producer's memory: a bound in bytes, waiters served in order, and buffers used again.
//!
//! Buffers that wait to be used again count as free, and go when what is free is needed otherwise: what is granted and
//! what is kept are never more than the bound together. What cannot wait for memory (callbacks of records that are on
//! their way) is charged all the same; then the balance falls below zero, and nobody gets anything until it has risen.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

/// The memory of one producer. Cloning shares it.
#[derive(Clone)]
pub(super) struct Memory(Arc<Inner>);

struct Inner {
    total: usize,
    /// The capacity of the buffers that are kept.
    usual: usize,
    state: Mutex<State>,
}

struct State {
    available: isize,
    /// Those who wait, oldest first, with what they wait for.
    waiting: VecDeque<Arc<Waiter>>,
    /// Buffers that have come back; contents do not matter.
    kept: Vec<Vec<u8>>,
    closed: bool,
}

struct Waiter {
    bytes: usize,
    granted: Mutex<Grant>,
    changed: Condvar,
}

enum Grant {
    Waiting,
    /// With a buffer to use again, if there was one.
    Granted(Option<Vec<u8>>),
    Refused,
}

/// A piece of the memory, given back when dropped.
pub(super) struct Permit {
    memory: Memory,
    bytes: usize,
    buffer: Option<Vec<u8>>,
}

/// Why memory was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The deadline passed.
    TimedOut,
    /// The producer was closed.
    Closed,
}

impl Memory {
    /// `usual` is the capacity of buffers that are worth keeping.
    pub(super) fn new(total: usize, usual: usize) -> Self {
        let state =
            State { available: signed(total), waiting: VecDeque::new(), kept: Vec::new(), closed: false };
        Self(Arc::new(Inner { total, usual, state: Mutex::new(state) }))
    }

    /// How many bytes are free.
    pub(super) fn available(&self) -> usize {
        usize::try_from(self.0.state.lock().available).unwrap_or(0)
    }

    /// How many bytes there are.
    pub(super) fn total(&self) -> usize {
        self.0.total
    }

    /// How many threads wait.
    pub(super) fn waiting(&self) -> usize {
        self.0.state.lock().waiting.len()
    }

    /// Takes `bytes` if they are free and nobody waits for memory already.
    pub(super) fn try_reserve(&self, bytes: usize) -> Option<Permit> {
        let mut state = self.0.state.lock();
        if state.closed || !state.waiting.is_empty() || state.available < signed(bytes) {
            return None;
        }
        let buffer = state.take(bytes, self.0.usual);
        Some(Permit { memory: self.clone(), bytes, buffer })
    }

    /// Takes `bytes`, waiting for them until `deadline` behind those who came before.
    pub(super) fn reserve(&self, bytes: usize, deadline: Instant) -> Result<Permit, Refusal> {
        let permit = |buffer| Permit { memory: self.clone(), bytes, buffer };
        let waiter = {
            let mut state = self.0.state.lock();
            if state.closed {
                return Err(Refusal::Closed);
            }
            if state.waiting.is_empty() && state.available >= signed(bytes) {
                return Ok(permit(state.take(bytes, self.0.usual)));
            }
            let waiter =
                Arc::new(Waiter { bytes, granted: Mutex::new(Grant::Waiting), changed: Condvar::new() });
            state.waiting.push_back(Arc::clone(&waiter));
            waiter
        };
        let mut granted = waiter.granted.lock();
        while matches!(*granted, Grant::Waiting) {
            if waiter.changed.wait_until(&mut granted, deadline).timed_out() {
                break;
            }
        }
        drop(granted);
        // Under the state's lock nobody can grant any more, so the outcome is final.
        let mut state = self.0.state.lock();
        let outcome = std::mem::replace(&mut *waiter.granted.lock(), Grant::Refused);
        match outcome {
            Grant::Granted(buffer) => Ok(permit(buffer)),
            Grant::Refused => Err(Refusal::Closed),
            Grant::Waiting => {
                state.waiting.retain(|other| !Arc::ptr_eq(other, &waiter));
                // Whoever came after may need less.
                state.serve(self.0.usual);
                Err(Refusal::TimedOut)
            }
        }
    }

    /// A piece of nothing, for what is charged as it comes.
    pub(super) fn tab(&self) -> Permit {
        Permit { memory: self.clone(), bytes: 0, buffer: None }
    }

    /// Refuses everybody from now on.
    pub(super) fn close(&self) {
        let mut state = self.0.state.lock();
        state.closed = true;
        for waiter in std::mem::take(&mut state.waiting) {
            *waiter.granted.lock() = Grant::Refused;
            waiter.changed.notify_one();
        }
    }
}

impl State {
    /// Takes what may be taken, and with it a buffer that has come back.
    fn take(&mut self, bytes: usize, usual: usize) -> Option<Vec<u8>> {
        self.available -= signed(bytes);
        let buffer = if bytes >= usual { self.kept.pop() } else { None };
        self.trim(usual);
        buffer
    }

    /// Lets go of buffers for which there is no room any more.
    fn trim(&mut self, usual: usize) {
        while !self.kept.is_empty() && signed(self.kept.len().saturating_mul(usual)) > self.available {
            self.kept.pop();
        }
    }

    /// Grants what is free to the oldest waiters.
    fn serve(&mut self, usual: usize) {
        while self.waiting.front().is_some_and(|waiter| signed(waiter.bytes) <= self.available) {
            let Some(waiter) = self.waiting.pop_front() else { return };
            let buffer = self.take(waiter.bytes, usual);
            *waiter.granted.lock() = Grant::Granted(buffer);
            waiter.changed.notify_one();
        }
    }
}

impl Permit {
    /// A buffer for `capacity` bytes, which are among those that were granted.
    pub(super) fn buffer(&mut self, capacity: usize) -> Vec<u8> {
        match self.buffer.take() {
            Some(buffer) if buffer.capacity() >= capacity => buffer,
            _ => Vec::with_capacity(capacity),
        }
    }

    /// Gives a buffer back together with the permit.
    pub(super) fn keep(&mut self, buffer: Vec<u8>) {
        self.buffer = Some(buffer);
    }

    /// A piece of nothing of the same memory.
    pub(super) fn tab(&self) -> Self {
        self.memory.tab()
    }

    /// Takes more, whether or not it is free.
    pub(super) fn charge(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        let mut state = self.memory.0.state.lock();
        state.available -= signed(bytes);
        state.trim(self.memory.0.usual);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.bytes == 0 {
            return;
        }
        let usual = self.memory.0.usual;
        // Others would be more than they are counted for, or of no use.
        let buffer = self.buffer.take().filter(|buffer| buffer.capacity() == usual && usual > 0);
        let mut state = self.memory.0.state.lock();
        state.available += signed(self.bytes);
        state.kept.extend(buffer);
        state.trim(usual);
        state.serve(usual);
    }
}

/// No piece of memory is larger than half of all addresses.
fn signed(bytes: usize) -> isize {
    isize::try_from(bytes).unwrap_or(isize::MAX)
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::net::clock::Clock;

    fn soon() -> Instant {
        Clock::system().deadline(Duration::from_millis(20))
    }

    fn later() -> Instant {
        Clock::system().deadline(Duration::from_secs(20))
    }

    #[test]
    fn gives_back_exactly_what_was_taken() {
        let memory = Memory::new(100, 0);
        let first = memory.try_reserve(60).unwrap();
        assert_eq!(memory.available(), 40);
        assert!(memory.try_reserve(41).is_none());
        drop(first);
        assert_eq!(memory.available(), 100);
    }

    #[test]
    fn a_wait_ends_at_its_deadline_and_leaves_nothing_behind() {
        let memory = Memory::new(10, 0);
        let all = memory.try_reserve(10).unwrap();
        assert_eq!(memory.reserve(1, soon()).err(), Some(Refusal::TimedOut));
        drop(all);
        assert!(memory.try_reserve(10).is_some());
    }

    #[test]
    fn the_oldest_waiter_is_served_first() {
        let memory = Memory::new(10, 0);
        let all = memory.try_reserve(10).unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        // The younger one cannot be served together with the older one.
        let waiters: Vec<_> = [8, 7]
            .into_iter()
            .map(|bytes| {
                let (memory, order, waiting) =
                    (memory.clone(), Arc::clone(&order), memory.0.state.lock().waiting.len());
                let thread = thread::spawn({
                    let memory = memory.clone();
                    move || {
                        let permit = memory.reserve(bytes, later()).unwrap();
                        order.lock().push(bytes);
                        drop(permit);
                    }
                });
                while memory.0.state.lock().waiting.len() == waiting {
                    thread::yield_now();
                }
                thread
            })
            .collect();
        assert!(memory.try_reserve(0).is_none(), "nobody passes those who wait");
        drop(all);
        waiters.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(memory.available(), 10);
        assert_eq!(*order.lock(), [8, 7]);
    }

    #[test]
    fn who_waits_is_woken_at_once() {
        let memory = Memory::new(10, 0);
        let clock = Clock::system();
        let waited = (0..50).map(|_| {
            let all = memory.try_reserve(10).unwrap();
            let waiting = thread::spawn({
                let memory = memory.clone();
                move || memory.reserve(10, later()).map(|_| Clock::system().now()).unwrap()
            });
            while memory.waiting() == 0 {
                thread::yield_now();
            }
            let freed = clock.now();
            drop(all);
            waiting.join().unwrap().saturating_duration_since(freed)
        });
        // On a machine that is busy some take longer.
        assert!(waited.min().unwrap() < Duration::from_millis(10));
    }

    #[test]
    fn kept_buffers_are_within_the_bound() {
        let memory = Memory::new(100, 10);
        let kept = |memory: &Memory| memory.0.state.lock().kept.len();
        let permits: Vec<_> = (0..10).map(|_| memory.try_reserve(10).unwrap()).collect();
        for mut permit in permits {
            let buffer = permit.buffer(10);
            permit.keep(buffer);
        }
        assert_eq!((kept(&memory), memory.available()), (10, 100), "they count as free");
        // One is used again.
        let mut one = memory.try_reserve(12).unwrap();
        assert_eq!(one.buffer.as_ref().map(Vec::capacity), Some(10));
        assert_eq!((kept(&memory), memory.available()), (8, 88), "88 bytes have room for eight");
        // A larger one has no use for them, and pushes them out.
        let mut large = memory.try_reserve(65).unwrap();
        assert_eq!(large.buffer(60).capacity(), 60);
        assert_eq!((kept(&memory), memory.available()), (2, 23));
        // Buffers of another size are not kept.
        large.keep(Vec::with_capacity(60));
        one.keep(Vec::with_capacity(11));
        drop((large, one));
        assert_eq!((kept(&memory), memory.available()), (2, 100));
    }

    #[test]
    fn what_is_charged_is_missing_until_it_is_given_back() {
        let memory = Memory::new(100, 10);
        let mut tab = memory.tab();
        tab.charge(70);
        tab.charge(70);
        assert_eq!(memory.available(), 0);
        assert!(memory.try_reserve(1).is_none());
        assert_eq!(memory.reserve(1, soon()).err(), Some(Refusal::TimedOut));
        drop(tab);
        assert_eq!(memory.available(), 100);
        drop(memory.tab());
        assert_eq!(memory.available(), 100);
    }

    #[test]
    fn a_buffer_that_comes_back_goes_to_who_waits() {
        let memory = Memory::new(10, 10);
        let mut permit = memory.try_reserve(10).unwrap();
        let waiting = thread::spawn({
            let memory = memory.clone();
            move || memory.reserve(10, later()).unwrap().buffer.is_some()
        });
        while memory.waiting() == 0 {
            thread::yield_now();
        }
        permit.keep(Vec::with_capacity(10));
        drop(permit);
        assert!(waiting.join().unwrap());
    }

    #[test]
    fn closing_ends_all_waits() {
        let memory = Memory::new(1, 0);
        let _all = memory.try_reserve(1).unwrap();
        let waiting = thread::spawn({
            let memory = memory.clone();
            move || memory.reserve(1, later()).err()
        });
        while memory.0.state.lock().waiting.is_empty() {
            thread::yield_now();
        }
        memory.close();
        assert_eq!(waiting.join().unwrap(), Some(Refusal::Closed));
        assert_eq!(memory.reserve(1, later()).err(), Some(Refusal::Closed));
    }
}

//! The producer's memory: a bound in bytes, waiters served in order, and buffers used again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

/// The memory of one producer. Cloning shares it.
#[derive(Clone)]
pub(super) struct Memory(Arc<Inner>);

struct Inner {
    total: usize,
    state: Mutex<State>,
}

struct State {
    available: usize,
    /// Those who wait, oldest first, with what they wait for.
    waiting: VecDeque<Arc<Waiter>>,
    /// Buffers that have come back; contents do not matter.
    buffers: Vec<Vec<u8>>,
    closed: bool,
}

struct Waiter {
    bytes: usize,
    granted: Mutex<Grant>,
    changed: Condvar,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Grant {
    Waiting,
    Granted,
    Refused,
}

/// A piece of the memory, given back when dropped.
pub(super) struct Permit {
    memory: Memory,
    bytes: usize,
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
    pub(super) fn new(total: usize) -> Self {
        let state = State { available: total, waiting: VecDeque::new(), buffers: Vec::new(), closed: false };
        Self(Arc::new(Inner { total, state: Mutex::new(state) }))
    }

    /// How many bytes are free.
    pub(super) fn available(&self) -> usize {
        self.0.state.lock().available
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
        if state.closed || !state.waiting.is_empty() || state.available < bytes {
            return None;
        }
        state.available -= bytes;
        Some(Permit { memory: self.clone(), bytes })
    }

    /// Takes `bytes`, waiting for them until `deadline` behind those who came before.
    pub(super) fn reserve(&self, bytes: usize, deadline: Instant) -> Result<Permit, Refusal> {
        let waiter = {
            let mut state = self.0.state.lock();
            if state.closed {
                return Err(Refusal::Closed);
            }
            if state.waiting.is_empty() && state.available >= bytes {
                state.available -= bytes;
                return Ok(Permit { memory: self.clone(), bytes });
            }
            let waiter =
                Arc::new(Waiter { bytes, granted: Mutex::new(Grant::Waiting), changed: Condvar::new() });
            state.waiting.push_back(Arc::clone(&waiter));
            waiter
        };
        let mut granted = waiter.granted.lock();
        while *granted == Grant::Waiting {
            if waiter.changed.wait_until(&mut granted, deadline).timed_out() {
                break;
            }
        }
        drop(granted);
        // Under the state's lock nobody can grant any more, so the outcome is final.
        let mut state = self.0.state.lock();
        let outcome = *waiter.granted.lock();
        match outcome {
            Grant::Granted => Ok(Permit { memory: self.clone(), bytes }),
            Grant::Refused => Err(Refusal::Closed),
            Grant::Waiting => {
                state.waiting.retain(|other| !Arc::ptr_eq(other, &waiter));
                // Whoever came after may need less.
                state.serve();
                Err(Refusal::TimedOut)
            }
        }
    }

    /// A buffer for a batch of at most `capacity` bytes.
    pub(super) fn buffer(&self, capacity: usize) -> Vec<u8> {
        let recycled = self.0.state.lock().buffers.pop();
        recycled
            .filter(|buffer| buffer.capacity() >= capacity)
            .unwrap_or_else(|| Vec::with_capacity(capacity))
    }

    /// Keeps a buffer for later, if it has the usual size.
    pub(super) fn recycle(&self, buffer: Vec<u8>, usual: usize) {
        let keep = self.0.total / usual.max(1);
        if buffer.capacity() < usual || buffer.capacity() > usual.saturating_mul(2) {
            return;
        }
        let mut state = self.0.state.lock();
        if state.buffers.len() < keep {
            state.buffers.push(buffer);
        }
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
    /// Grants what is free to the oldest waiters.
    fn serve(&mut self) {
        while self.waiting.front().is_some_and(|waiter| waiter.bytes <= self.available) {
            let Some(waiter) = self.waiting.pop_front() else { return };
            self.available -= waiter.bytes;
            *waiter.granted.lock() = Grant::Granted;
            waiter.changed.notify_one();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.memory.0.state.lock();
        state.available += self.bytes;
        state.serve();
    }
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
        let memory = Memory::new(100);
        let first = memory.try_reserve(60).unwrap();
        assert_eq!(memory.available(), 40);
        assert!(memory.try_reserve(41).is_none());
        drop(first);
        assert_eq!(memory.available(), 100);
    }

    #[test]
    fn a_wait_ends_at_its_deadline_and_leaves_nothing_behind() {
        let memory = Memory::new(10);
        let all = memory.try_reserve(10).unwrap();
        assert_eq!(memory.reserve(1, soon()).err(), Some(Refusal::TimedOut));
        drop(all);
        assert!(memory.try_reserve(10).is_some());
    }

    #[test]
    fn the_oldest_waiter_is_served_first() {
        let memory = Memory::new(10);
        let all = memory.try_reserve(10).unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let waiters: Vec<_> = [8, 1]
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
        assert_eq!(order.lock().len(), 2);
    }

    #[test]
    fn closing_ends_all_waits() {
        let memory = Memory::new(1);
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

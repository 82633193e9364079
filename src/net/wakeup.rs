//! A latched wake-up between threads, or between tasks of the IO thread.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use atomic_waker::AtomicWaker;

/// Tells one waiting task that there is something to do.
///
/// Any number of [`notify`](Self::notify) calls before the task looks are one wake-up, and a call made while
/// nobody waits is remembered: the lost wake-up (check, then another thread notifies, then sleep) cannot happen.
#[derive(Clone, Debug, Default)]
pub struct Wakeup(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    pending: AtomicBool,
    waker: AtomicWaker,
}

impl Wakeup {
    /// A wake-up that nobody has asked for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Wakes the task. Costs one atomic swap when a wake-up is pending already.
    ///
    /// A plain load in front of the swap would be cheaper and wrong: it may see the old `true` while the task
    /// has already taken it and looked at the queue.
    #[inline]
    pub fn notify(&self) {
        if !self.0.pending.swap(true, Ordering::AcqRel) {
            self.0.waker.wake();
        }
    }

    /// Waits for a call of [`notify`](Self::notify), or returns at once when there was one. One task at a time.
    pub async fn notified(&self) {
        poll_fn(|cx| {
            self.0.waker.register(cx.waker());
            if self.0.pending.swap(false, Ordering::AcqRel) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::sync::atomic::AtomicUsize;
    use std::task::{Context, Wake, Waker};

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_notification_is_remembered_and_many_are_one() {
        let (wakeup, count) = (Wakeup::new(), Arc::new(Count::default()));
        let waker = Waker::from(Arc::clone(&count));
        let mut cx = Context::from_waker(&waker);
        wakeup.notify();
        wakeup.notify();
        assert!(pin!(wakeup.notified()).poll(&mut cx).is_ready());
        let mut next = pin!(wakeup.notified());
        assert!(next.as_mut().poll(&mut cx).is_pending());
        assert_eq!(count.0.load(Ordering::SeqCst), 0);
        wakeup.notify();
        wakeup.notify();
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert!(next.as_mut().poll(&mut cx).is_ready());
    }

    #[test]
    fn a_wait_that_was_given_up_loses_no_notification() {
        let wakeup = Wakeup::new();
        let mut cx = Context::from_waker(Waker::noop());
        {
            let mut given_up = pin!(wakeup.notified());
            assert!(given_up.as_mut().poll(&mut cx).is_pending());
            wakeup.notify();
        }
        assert!(pin!(wakeup.notified()).poll(&mut cx).is_ready());
    }
}

//! One task at a time, in the order in which they asked.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use futures_channel::oneshot;

/// Cheap to clone; it lives on the IO thread.
#[derive(Clone, Default)]
pub(super) struct Turn(Rc<Inner>);

#[derive(Default)]
struct Inner {
    taken: Cell<bool>,
    waiting: RefCell<VecDeque<oneshot::Sender<Guard>>>,
}

/// Whose turn it is; dropping it passes the turn on.
pub(super) struct Guard(Option<Turn>);

impl Turn {
    /// Waits for one's turn. The place in the queue is taken by the call, not by the first poll.
    pub(super) fn take(&self) -> impl Future<Output = Guard> + use<> {
        let place = if self.0.taken.replace(true) {
            let (sender, receiver) = oneshot::channel();
            self.0.waiting.borrow_mut().push_back(sender);
            Err(receiver)
        } else {
            Ok(Guard(Some(self.clone())))
        };
        let this = self.clone();
        async move {
            match place {
                Ok(guard) => guard,
                // The senders live as long as this does, so one of them always has the guard in the end.
                Err(receiver) => receiver.await.unwrap_or(Guard(Some(this))),
            }
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(turn) = self.0.take() else { return };
        loop {
            let next = turn.0.waiting.borrow_mut().pop_front();
            let Some(next) = next else {
                turn.0.taken.set(false);
                return;
            };
            match next.send(Self(Some(turn.clone()))) {
                Ok(()) => return,
                // It gave up waiting, so the next one gets the turn, from here and not from that guard.
                Err(mut unused) => drop(unused.0.take()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn turns_go_round_in_order_past_those_who_gave_up() {
        let turn = Turn::default();
        let first = turn.take().now_or_never().expect("free");
        let mut second = Box::pin(turn.take());
        let third = Box::pin(turn.take());
        let mut fourth = Box::pin(turn.take());
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        assert!(fourth.as_mut().now_or_never().is_none());
        // The turn has been passed to it already; dropped unused, it goes on.
        drop(second);
        drop(third);
        let last = fourth.as_mut().now_or_never().expect("its turn");
        drop(last);
        drop(turn.take().now_or_never().expect("free again"));
    }
}

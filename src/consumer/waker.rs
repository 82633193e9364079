//! Stops a waiting consumer from another thread.

use std::fmt;
use std::sync::Arc;

use super::event::{Event, Shared};
use super::io::ConsumerIo;
use crate::net::bridge::Remote;

/// Wakes a consumer; made by [`KafkaConsumer::waker`](super::KafkaConsumer::waker).
///
/// Cheap to clone, for any thread, and free to outlive its consumer.
#[derive(Clone)]
pub struct ConsumerWaker {
    pub(super) shared: Arc<Shared>,
    pub(super) remote: Remote<ConsumerIo>,
}

impl ConsumerWaker {
    /// Makes the current `poll()`, or else the next one, return [`Woken`](crate::ErrorKind::Woken) at once. An
    /// iteration ends instead, once. Several calls before that are one.
    pub fn wake(&self) {
        if self.shared.wake() {
            // By the IO thread, so that the end of that thread is what closes the channel.
            self.remote.post(|io| io.events.send(Event::Nudge));
        }
    }
}

impl fmt::Debug for ConsumerWaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsumerWaker").finish_non_exhaustive()
    }
}

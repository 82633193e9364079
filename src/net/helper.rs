//! Short-lived threads for what blocks: the system's resolver, files, providers of credentials.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use futures_channel::oneshot;

use crate::error::{Error, ErrorKind, Result};

/// Runs `work` on a thread of its own called `name`, and awaits what it returns. Giving up the wait does not end
/// the work.
///
/// # Errors
/// [`ErrorKind::Connection`] when the system grants no thread, when as many as may be are busy already (the text
/// says so), or when the work panicked.
pub async fn on_helper_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let failed = |why: String| Error::new(ErrorKind::Connection, format!("{name}: {why}"));
    // Work that hangs must not collect threads without end.
    let busy = Busy::begin().ok_or_else(|| failed(format!("{MOST} helper threads hang already")))?;
    let (sender, receiver) = oneshot::channel();
    let body = move || {
        let _busy = busy;
        // The asker may have given up by now.
        let _ = sender.send(work());
    };
    thread::Builder::new().name(name.to_owned()).spawn(body).map_err(|error| failed(error.to_string()))?;
    receiver.await.map_err(|_| failed("panicked".to_owned()))
}

/// Counts the helper threads of the process.
struct Busy;

static BUSY: AtomicUsize = AtomicUsize::new(0);

const MOST: usize = 256;

impl Busy {
    fn begin() -> Option<Self> {
        let one_more = |count: usize| (count < MOST).then_some(count + 1);
        BUSY.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok().map(|_| Self)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.fetch_sub(1, Ordering::Relaxed);
    }
}

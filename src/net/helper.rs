//! Short-lived threads for what blocks: the system's resolver, files, providers of credentials.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use futures_channel::oneshot;

use crate::error::{Error, ErrorKind, Result};

/// One kind of helper threads. Each has a limit of its own, for all clients of the process: work of one kind that hangs
/// does not keep the others from theirs.
pub struct Helpers {
    name: &'static str,
    busy: AtomicUsize,
}

/// For look-ups of names.
pub static DNS: Helpers = Helpers::new("kavka-dns");

/// For reading certificates and keys.
pub static TLS: Helpers = Helpers::new("kavka-tls");

/// For logins: providers of credentials, and what is computed of them.
pub static SASL: Helpers = Helpers::new("kavka-sasl");

/// Work that hangs must not collect threads without end.
const MOST: usize = 256;

impl Helpers {
    /// A kind of threads of this name.
    pub const fn new(name: &'static str) -> Self {
        Self { name, busy: AtomicUsize::new(0) }
    }

    /// Runs `work` on a thread of its own, and awaits what it returns. Giving up the wait does not end the work.
    ///
    /// # Errors
    /// [`ErrorKind::Connection`] when the system grants no thread, when as many of this kind as may be are busy already
    /// (the text says so), or when the work panicked.
    pub async fn run<T: Send + 'static>(
        &'static self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let failed = |why: String| Error::new(ErrorKind::Connection, format!("{}: {why}", self.name));
        let busy =
            Busy::begin(&self.busy).ok_or_else(|| failed(format!("{MOST} helper threads hang already")))?;
        let (sender, receiver) = oneshot::channel();
        let body = move || {
            let _busy = busy;
            // The asker may have given up by now.
            let _ = sender.send(work());
        };
        let thread = thread::Builder::new().name(self.name.to_owned());
        thread.spawn(body).map_err(|error| failed(error.to_string()))?;
        receiver.await.map_err(|_| failed("panicked".to_owned()))
    }
}

/// A thread that is counted.
struct Busy(&'static AtomicUsize);

impl Busy {
    fn begin(count: &'static AtomicUsize) -> Option<Self> {
        let one_more = |count: usize| (count < MOST).then_some(count + 1);
        count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok().map(|_| Self(count))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    static HANGING: Helpers = Helpers::new("hanging");
    static WELL: Helpers = Helpers::new("well");

    #[test]
    fn a_kind_that_hangs_is_bounded_and_leaves_the_others_alone() {
        let (go, wait) = crossbeam_channel::bounded::<()>(0);
        for _ in 0..MOST {
            let wait = wait.clone();
            // Given up at once; the thread stays.
            let hangs = HANGING.run(move || wait.recv());
            assert!(hangs.now_or_never().is_none());
        }
        let error = HANGING.run(|| ()).now_or_never().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection);
        assert!(error.to_string().contains("256 helper threads hang already"), "{error}");
        let (done, is_done) = crossbeam_channel::bounded(1);
        assert!(WELL.run(move || done.send(7)).now_or_never().is_none_or(|outcome| outcome.is_ok()));
        assert_eq!(is_done.recv(), Ok(7));
        drop(go);
        while HANGING.busy.load(Ordering::Relaxed) > 0 {
            thread::yield_now();
        }
        assert!(HANGING.run(|| ()).now_or_never().is_none_or(|outcome| outcome.is_ok()));
    }
}

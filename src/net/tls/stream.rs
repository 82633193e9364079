//! A TLS session as a stream of the event loop.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice, Read, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::Mutex;

use super::TlsSession;
use crate::net::transport::{BoxStream, Stream};

/// The stream below a TLS session, with a buffer for each direction: `Read` and `Write` as TLS libraries want them,
/// saying [`io::ErrorKind::WouldBlock`] where the stream says `Pending`.
///
/// Small reads and writes (a record's header, a record) cost no system call of their own.
#[derive(Clone)]
pub struct Wire(Rc<RefCell<Inner>>);

struct Inner {
    stream: BoxStream,
    /// Wakes both tasks: either may have to wait for either direction of the stream below.
    waker: Waker,
    tasks: Arc<Tasks>,
    input: Box<[u8]>,
    start: usize,
    end: usize,
    output: Vec<u8>,
    /// How much of `output` has been written.
    sent: usize,
    /// The first bytes that the peer sent, to tell what it is if it does not speak TLS.
    first: Vec<u8>,
}

/// The reading and the writing task, while they wait.
#[derive(Default)]
struct Tasks {
    reader: Mutex<Option<Waker>>,
    writer: Mutex<Option<Waker>>,
}

impl Wake for Tasks {
    fn wake(self: Arc<Self>) {
        for task in [&self.reader, &self.writer] {
            let waker = task.lock().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

const INPUT: usize = 64 * 1024;

/// The output buffer takes no more once it holds this much.
const OUTPUT: usize = 64 * 1024;

/// How many of the peer's first bytes are kept.
const FIRST: usize = 8;

impl Wire {
    /// A wire over a stream.
    pub fn new(stream: BoxStream) -> Self {
        let tasks = Arc::new(Tasks::default());
        Self(Rc::new(RefCell::new(Inner {
            stream,
            waker: Waker::from(Arc::clone(&tasks)),
            tasks,
            input: vec![0; INPUT].into_boxed_slice(),
            start: 0,
            end: 0,
            output: Vec::new(),
            sent: 0,
            first: Vec::new(),
        })))
    }

    /// The first bytes that the peer sent, as far as they are there.
    pub(super) fn first_bytes(&self) -> Vec<u8> {
        self.0.borrow().first.clone()
    }

    fn describe(&self) -> String {
        self.0.borrow().stream.describe()
    }

    fn tasks(&self) -> Arc<Tasks> {
        Arc::clone(&self.0.borrow().tasks)
    }
}

impl Inner {
    /// Writes what waits in the output buffer.
    fn push(&mut self) -> io::Result<()> {
        while self.sent < self.output.len() {
            let rest = IoSlice::new(self.output.get(self.sent..).unwrap_or_default());
            match self.stream.poll_write(&mut Context::from_waker(&self.waker), &[rest]) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => self.sent += count,
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Err(io::ErrorKind::WouldBlock.into()),
            }
        }
        self.output.clear();
        self.sent = 0;
        Ok(())
    }

    /// Reads some of what the peer has sent into the empty input buffer; 0 at the end of the stream.
    fn fill(&mut self) -> io::Result<usize> {
        match self.stream.poll_read(&mut Context::from_waker(&self.waker), &mut self.input) {
            Poll::Ready(Ok(count)) => {
                (self.start, self.end) = (0, count);
                let missing = FIRST.saturating_sub(self.first.len()).min(count);
                self.first.extend_from_slice(self.input.get(..missing).unwrap_or_default());
                Ok(count)
            }
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut inner = self.0.borrow_mut();
        if inner.start == inner.end {
            // Whoever waits for an answer must have sent the question.
            match inner.push() {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
            if inner.fill()? == 0 {
                return Ok(0);
            }
        }
        let ready = inner.input.get(inner.start..inner.end).unwrap_or_default();
        let count = ready.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..count), ready.get(..count)) {
            to.copy_from_slice(from);
        }
        inner.start += count;
        Ok(count)
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut inner = self.0.borrow_mut();
        if inner.output.len() - inner.sent >= OUTPUT {
            inner.push()?;
        }
        let before = inner.output.len();
        for buf in bufs {
            inner.output.extend_from_slice(buf);
            if inner.output.len() - before >= OUTPUT {
                break;
            }
        }
        Ok(inner.output.len() - before)
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut inner = self.0.borrow_mut();
        inner.push()?;
        let Inner { stream, waker, .. } = &mut *inner;
        match stream.poll_flush(&mut Context::from_waker(waker)) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

/// A session and its wire.
pub struct TlsStream {
    session: Box<dyn TlsSession>,
    wire: Wire,
    tasks: Arc<Tasks>,
}

impl TlsStream {
    /// Puts a session and the wire that it speaks over together.
    pub fn new(session: Box<dyn TlsSession>, wire: Wire) -> Self {
        let tasks = wire.tasks();
        Self { session, wire, tasks }
    }

    /// Waits until the handshake has been done.
    ///
    /// # Errors
    /// As the session tells.
    pub async fn handshake(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll(cx, Task::Reader, |session| session.handshake())).await?;
        // The last message of the handshake need not wait for the first request, and what refuses it comes sooner.
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// The version and the cipher in use.
    pub fn session(&self) -> String {
        self.session.describe()
    }

    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        task: Task,
        call: impl FnOnce(&mut dyn TlsSession) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        let slot = match task {
            Task::Reader => &self.tasks.reader,
            Task::Writer => &self.tasks.writer,
        };
        // Before the call: the stream below may be ready on another thread the moment it has said `Pending`.
        slot.lock().get_or_insert_with(|| cx.waker().clone()).clone_from(cx.waker());
        match call(&mut *self.session) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            other => {
                *slot.lock() = None;
                Poll::Ready(other)
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Task {
    Reader,
    Writer,
}

impl Stream for TlsStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut wire = self.wire.clone();
        self.poll(cx, Task::Reader, |session| {
            let result = session.read(buf);
            // An alert, or the answer to a key update; if the stream takes nothing now, the next call tries again.
            let _ = wire.flush();
            result
        })
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.poll(cx, Task::Writer, |session| session.write(bufs))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, Task::Writer, |session| session.flush())
    }

    fn describe(&self) -> String {
        format!("{}, {}", self.wire.describe(), self.session.describe())
    }
}

impl Drop for TlsStream {
    fn drop(&mut self) {
        self.session.close();
    }
}

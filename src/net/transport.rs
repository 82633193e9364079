//! Bytes to and from one peer: the stream below a connection, its write queue, and its frames.
//!
//! A [`Stream`] is one link of the chain TCP, then proxy, then TLS; SASL speaks above it in whole frames. A
//! [`Transport`] puts a queue of shared chunks before the stream, so that a record batch goes from the
//! producer's buffer to the socket without another copy, and takes length-prefixed frames off it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice, Read, Write};
use std::task::{Context, Poll, Waker, ready};

use byteorder::{BigEndian, ByteOrder};
use bytes::{Buf, Bytes, BytesMut};

#[cfg(test)]
use socket2::SockRef;

use super::event_loop::{Direction, Registered};
use super::wakeup::Wakeup;
use crate::error::{Error, ErrorKind, Result};

/// A non-blocking byte stream on the event loop.
///
/// `Pending` means that `cx` is woken when the call is worth repeating. One task reads and one task writes.
pub trait Stream {
    /// Reads into `buf`; 0 is the end of the stream.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes from the buffers, in order, as much as fits.
    fn poll_write(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

    /// Pushes out what a link of the chain holds back.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Both ends, for messages.
    fn describe(&self) -> String;
}

/// A stream of any kind.
pub type BoxStream = Box<dyn Stream>;

/// A TCP socket on the event loop.
pub struct TcpStream(Registered<mio::net::TcpStream>);

impl TcpStream {
    /// Wraps a registered socket.
    pub fn new(socket: Registered<mio::net::TcpStream>) -> Self {
        Self(socket)
    }

    /// The socket itself, for its options.
    #[cfg(test)]
    pub(super) fn with_socket<T>(&self, look: impl FnOnce(SockRef<'_>) -> T) -> T {
        self.0.with(|socket| look(SockRef::from(socket)))
    }

    /// Waits until the connect that is under way has ended.
    pub(super) async fn connected(&self) -> io::Result<()> {
        poll_fn(|cx| {
            self.0.poll_io(cx, Direction::Write, |socket| {
                if let Some(error) = socket.take_error()? {
                    return Err(error);
                }
                match socket.peer_addr() {
                    Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                        Err(io::ErrorKind::WouldBlock.into())
                    }
                    other => other.map(drop),
                }
            })
        })
        .await
    }
}

impl Stream for TcpStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_io(cx, Direction::Read, |socket| socket.read(buf))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.0.poll_io(cx, Direction::Write, |socket| socket.write_vectored(bufs))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn describe(&self) -> String {
        self.0.with(|socket| match (socket.local_addr(), socket.peer_addr()) {
            (Ok(local), Ok(peer)) => format!("{local} -> {peer}"),
            _ => "closed socket".to_owned(),
        })
    }
}

/// A stream with a write queue before it.
pub struct Transport {
    /// `None` once closed.
    stream: RefCell<Option<BoxStream>>,
    queue: RefCell<VecDeque<Bytes>>,
    queued_bytes: Cell<usize>,
    /// All bytes that the stream has taken so far. Some may still be in a link of the chain.
    taken: Cell<u64>,
    /// All bytes that the system has taken so far.
    written: Cell<u64>,
    /// The socket took no more; the writer task waits for it.
    blocked: Cell<bool>,
    writer: Wakeup,
    /// Those who wait for their bytes to be written.
    waiting: RefCell<Vec<Waker>>,
}

/// The most slices handed to one vectored write; more would only be copied by the system.
const MAX_SLICES: usize = 64;

impl Transport {
    /// Puts an empty queue before a stream.
    pub fn new(stream: BoxStream) -> Self {
        Self {
            stream: RefCell::new(Some(stream)),
            queue: RefCell::default(),
            queued_bytes: Cell::new(0),
            taken: Cell::new(0),
            written: Cell::new(0),
            blocked: Cell::new(false),
            writer: Wakeup::new(),
            waiting: RefCell::default(),
        }
    }

    /// Queues chunks and writes at once what the socket takes; [`drive_writes`](Self::drive_writes) does the
    /// rest. Once closed it drops them.
    pub fn write(&self, chunks: impl IntoIterator<Item = Bytes>) {
        if self.stream.borrow().is_none() {
            return;
        }
        let mut queue = self.queue.borrow_mut();
        for chunk in chunks.into_iter().filter(|chunk| !chunk.is_empty()) {
            self.queued_bytes.set(self.queued_bytes.get() + chunk.len());
            queue.push_back(chunk);
        }
        drop(queue);
        if self.blocked.get() {
            return;
        }
        // The writer task is idle. An error is left for it to find: it is the one that can close.
        match self.poll_drain(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_)) | Poll::Pending => {
                self.blocked.set(true);
                self.writer.notify();
            }
        }
    }

    /// Bytes that wait for the socket.
    pub fn queued_bytes(&self) -> usize {
        self.queued_bytes.get()
    }

    /// Both ends, for messages.
    pub fn describe(&self) -> String {
        self.stream.borrow().as_ref().map_or_else(|| "closed".to_owned(), |stream| stream.describe())
    }

    /// Closes the socket at once and drops what is queued.
    pub fn close(&self) {
        let stream = self.stream.borrow_mut().take();
        drop(stream);
        self.queue.borrow_mut().clear();
        self.queued_bytes.set(0);
        self.wake_waiting();
    }

    /// Waits until all that is queued now has been handed to the system, or the socket is closed. What others
    /// queue meanwhile does not prolong the wait.
    pub async fn flushed(&self) {
        let goal = self.taken.get().saturating_add(self.queued_bytes.get() as u64);
        poll_fn(|cx| {
            if self.written.get() >= goal || self.stream.borrow().is_none() {
                return Poll::Ready(());
            }
            let mut waiting = self.waiting.borrow_mut();
            if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    fn wake_waiting(&self) {
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Writes queued chunks whenever the socket takes them; ends only with an error.
    pub async fn drive_writes(&self) -> io::Error {
        loop {
            self.writer.notified().await;
            if let Err(error) = poll_fn(|cx| self.poll_drain(cx)).await {
                return error;
            }
            self.blocked.set(false);
        }
    }

    fn poll_drain(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut queue = self.queue.borrow_mut();
        let mut stream = self.stream.borrow_mut();
        let Some(stream) = stream.as_mut() else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        while !queue.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let used = slices.len().min(queue.len());
            for (slice, chunk) in slices.iter_mut().zip(queue.iter()) {
                *slice = IoSlice::new(chunk);
            }
            let mut taken = match stream.poll_write(cx, slices.get(..used).unwrap_or_default()) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(taken)) => taken,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            };
            self.queued_bytes.set(self.queued_bytes.get().saturating_sub(taken));
            self.taken.set(self.taken.get().saturating_add(taken as u64));
            while taken > 0 {
                let Some(front) = queue.front_mut() else { break };
                if taken < front.len() {
                    front.advance(taken);
                    break;
                }
                taken -= front.len();
                queue.pop_front();
            }
            // Else only once the queue is empty, so that TLS fills its records.
            if !self.waiting.borrow().is_empty() {
                ready!(self.poll_flush(cx, stream))?;
            }
        }
        self.poll_flush(cx, stream)
    }

    fn poll_flush(&self, cx: &mut Context<'_>, stream: &mut BoxStream) -> Poll<io::Result<()>> {
        ready!(stream.poll_flush(cx))?;
        self.written.set(self.taken.get());
        self.wake_waiting();
        Poll::Ready(Ok(()))
    }

    async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| match self.stream.borrow_mut().as_mut() {
            Some(stream) => stream.poll_read(cx, buf),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        })
        .await
    }
}

/// Takes frames (four bytes of length, then the body) off a transport.
///
/// Small frames are copied out of one scratch buffer. A large one gets a buffer of its own that is read into
/// directly; its body is handed out as shared slices, and the buffer is used again once all of them are gone.
pub struct FrameReader {
    scratch: Box<[u8]>,
    start: usize,
    end: usize,
    recycled: VecDeque<Bytes>,
    limit: usize,
}

const SCRATCH: usize = 64 * 1024;

/// How many large buffers are remembered for another use.
const RECYCLED: usize = 4;

impl FrameReader {
    /// A reader that refuses frames of more than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            scratch: vec![0; SCRATCH].into_boxed_slice(),
            start: 0,
            end: 0,
            recycled: VecDeque::new(),
            limit,
        }
    }

    /// Sets the largest frame taken from now on.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Waits until a frame has begun to arrive. May be given up and asked again.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn arrival(&mut self, transport: &Transport) -> Result<()> {
        self.fill(transport, 4).await
    }

    /// Whether buffers are kept for another use.
    pub fn keeps_buffers(&self) -> bool {
        !self.recycled.is_empty()
    }

    /// Gives the kept buffers back to the system.
    pub fn drop_buffers(&mut self) {
        self.recycled.clear();
    }

    /// The next frame's body. A reader whose `next` was given up half-way cannot be used again.
    ///
    /// # Errors
    /// [`ErrorKind::Connection`] when the peer closes or the socket fails, [`ErrorKind::Protocol`] when the
    /// length cannot be one; the text says what the peer seems to speak.
    pub async fn next(&mut self, transport: &Transport) -> Result<Bytes> {
        self.fill(transport, 4).await?;
        let prefix = self.scratch.get(self.start..self.start + 4).unwrap_or_default();
        let length = BigEndian::read_i32(prefix);
        let length = match usize::try_from(length) {
            Ok(length) if length <= self.limit => length,
            _ => return Err(strange_length(length, prefix, self.limit)),
        };
        self.start += 4;
        if length <= SCRATCH {
            self.fill(transport, length).await?;
            let body = self.scratch.get(self.start..self.start + length).unwrap_or_default();
            let body = Bytes::copy_from_slice(body);
            self.start += length;
            return Ok(body);
        }
        let mut buffer = self.buffer(length);
        let held = self.scratch.get(self.start..self.end).unwrap_or_default();
        let mut filled = held.len();
        if let Some(front) = buffer.get_mut(..filled) {
            front.copy_from_slice(held);
        }
        self.start = 0;
        self.end = 0;
        while filled < length {
            let rest = buffer.get_mut(filled..length).unwrap_or_default();
            let end = rest.len().min(READ_PER_TURN - filled % READ_PER_TURN);
            filled += read_some(transport, rest.get_mut(..end).unwrap_or_default()).await?;
            if filled % READ_PER_TURN == 0 {
                yield_once().await;
            }
        }
        let whole = buffer.freeze();
        let body = whole.slice(..length);
        if self.recycled.len() == RECYCLED {
            self.recycled.pop_front();
        }
        self.recycled.push_back(whole);
        Ok(body)
    }

    /// Has at least `wanted` bytes in the scratch buffer.
    async fn fill(&mut self, transport: &Transport, wanted: usize) -> Result<()> {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
        if self.start + wanted > SCRATCH {
            self.scratch.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        while self.end - self.start < wanted {
            let free = self.scratch.get_mut(self.end..).unwrap_or_default();
            self.end += read_some(transport, free).await?;
        }
        Ok(())
    }

    fn buffer(&mut self, length: usize) -> BytesMut {
        let fits = |buffer: &Bytes| {
            buffer.len() >= length && buffer.len() <= length.saturating_mul(4) && buffer.is_unique()
        };
        if let Some(buffer) = self.recycled.iter().position(fits).and_then(|at| self.recycled.remove(at)) {
            if let Ok(buffer) = buffer.try_into_mut() {
                return buffer;
            }
        }
        BytesMut::zeroed(length)
    }
}

/// A peer that sends as fast as it can be read still lets other tasks have their turn after so many bytes.
const READ_PER_TURN: usize = 1024 * 1024;

async fn yield_once() {
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

async fn read_some(transport: &Transport, buf: &mut [u8]) -> Result<usize> {
    match transport.read(buf).await {
        Ok(0) => Err(Error::new(ErrorKind::Connection, "the peer closed the connection")),
        Ok(count) => Ok(count),
        Err(error) => Err(lost("the connection was lost", error)),
    }
}

/// The error of a stream that failed: its own, where a link of the chain says what happened.
pub(super) fn lost(text: &str, error: io::Error) -> Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(own) => own.clone(),
        None => Error::new(ErrorKind::Connection, text).with_source(error),
    }
}

/// What the peer is, by the first bytes that it sent, if they tell.
pub(super) fn what_speaks(first: &[u8]) -> Option<&'static str> {
    match first {
        [b'H', b'T', b'T', b'P', ..] => Some("an HTTP server, not a Kafka broker"),
        [b'S', b'S', b'H', b'-', ..] => Some("an SSH server, not a Kafka broker"),
        _ => None,
    }
}

/// A frame was refused for its size: the source of an error of [`ErrorKind::Protocol`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameTooLarge {
    /// The size that the peer announced, in bytes.
    pub length: usize,
    /// `receive.message.max.bytes`.
    pub limit: usize,
}

impl fmt::Display for FrameTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of at most {} bytes", self.length, self.limit)
    }
}

impl std::error::Error for FrameTooLarge {}

fn strange_length(length: i32, prefix: &[u8], limit: usize) -> Error {
    if let Some(peer) = what_speaks(prefix) {
        return Error::new(ErrorKind::Protocol, format!("the peer is {peer}"));
    }
    let text = match prefix {
        [0x15, 0x03, ..] => {
            "the peer answered with a TLS alert: this port speaks TLS, set security.protocol=SSL or SASL_SSL"
                .to_owned()
        }
        [0x16, 0x03, ..] => "the peer speaks TLS, set security.protocol=SSL or SASL_SSL".to_owned(),
        _ if length > 0 => {
            let text = format!(
                "a frame of {length} bytes is above receive.message.max.bytes={limit}: raise the limit, \
                 or check that the peer is a Kafka broker"
            );
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            return Error::new(ErrorKind::Protocol, text).with_source(FrameTooLarge { length, limit });
        }
        _ => format!("a frame of {length} bytes: the peer is not a Kafka broker"),
    };
    Error::new(ErrorKind::Protocol, text)
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::rc::Rc;

    use futures_util::FutureExt;

    use super::*;

    /// Gives its bytes in pieces of at most `piece`, and takes at most `room` bytes.
    struct Scripted {
        input: Bytes,
        piece: usize,
        taken: Rc<RefCell<Vec<u8>>>,
        room: Rc<Cell<usize>>,
        /// What is taken waits until it can be pushed out.
        flushes: Rc<Cell<bool>>,
    }

    impl Stream for Scripted {
        fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
            let count = self.piece.min(buf.len()).min(self.input.len());
            assert!(!buf.is_empty(), "a read into nothing looks like the end of the stream");
            buf[..count].copy_from_slice(&self.input[..count]);
            self.input.advance(count);
            Poll::Ready(Ok(count))
        }

        fn poll_write(&mut self, _: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
            let all: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
            let count = all.len().min(self.room.get());
            if count == 0 {
                return Poll::Pending;
            }
            self.room.set(self.room.get() - count);
            self.taken.borrow_mut().extend_from_slice(&all[..count]);
            Poll::Ready(Ok(count))
        }

        fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            if self.flushes.get() { Poll::Ready(Ok(())) } else { Poll::Pending }
        }

        fn describe(&self) -> String {
            "scripted".to_owned()
        }
    }

    fn transport(input: Vec<u8>, piece: usize) -> Transport {
        let (taken, room) = (Rc::default(), Rc::new(Cell::new(usize::MAX)));
        let flushes = Rc::new(Cell::new(true));
        Transport::new(Box::new(Scripted { input: input.into(), piece, taken, room, flushes }))
    }

    fn frame(length: usize, fill: u8) -> Vec<u8> {
        let mut frame = (length as u32).to_be_bytes().to_vec();
        frame.resize(4 + length, fill);
        frame
    }

    #[test]
    fn frames_of_any_size_in_pieces_of_any_size_arrive_whole() {
        let lengths = [
            0,
            1,
            3,
            4,
            SCRATCH - 9,
            SCRATCH - 8,
            SCRATCH - 5,
            SCRATCH - 4,
            SCRATCH - 3,
            SCRATCH - 1,
            SCRATCH,
            SCRATCH + 1,
            0,
            3 * SCRATCH,
            2,
            SCRATCH,
        ];
        for piece in [1, 3, 1000, SCRATCH - 1, SCRATCH, SCRATCH + 1, usize::MAX] {
            let input: Vec<u8> =
                lengths.iter().zip(1..).flat_map(|(length, fill)| frame(*length, fill)).collect();
            let transport = transport(input, piece);
            let mut reader = FrameReader::new(4 * SCRATCH);
            for (length, fill) in lengths.iter().zip(1u8..) {
                let body = reader.next(&transport).now_or_never().unwrap().unwrap();
                assert_eq!(body.len(), *length, "in pieces of {piece}");
                assert!(body.iter().all(|byte| *byte == fill), "frame {fill} in pieces of {piece}");
            }
            let end = reader.next(&transport).now_or_never().unwrap().unwrap_err();
            assert_eq!(end.kind(), ErrorKind::Connection);
        }
    }

    #[test]
    fn lengths_that_cannot_be_are_refused_before_anything_is_allocated() {
        for (prefix, word) in [
            (*b"HTTP", "HTTP"),
            (*b"SSH-", "SSH"),
            ([0x15, 3, 3, 0], "TLS"),
            ([0x16, 3, 1, 0], "TLS"),
            ((-1i32).to_be_bytes(), "-1"),
            (i32::MIN.to_be_bytes(), "not a Kafka broker"),
            (1001i32.to_be_bytes(), "receive.message.max.bytes=1000"),
            (i32::MAX.to_be_bytes(), "receive.message.max.bytes=1000"),
        ] {
            let transport = transport(prefix.to_vec(), 4);
            let error = FrameReader::new(1000).next(&transport).now_or_never().unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol);
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn a_buffer_is_used_again_only_when_nobody_holds_a_part_of_it() {
        let input: Vec<u8> = (1..=3).flat_map(|fill| frame(2 * SCRATCH, fill)).collect();
        let transport = transport(input, usize::MAX);
        let mut reader = FrameReader::new(4 * SCRATCH);
        let first = reader.next(&transport).now_or_never().unwrap().unwrap();
        let part = first.slice(10..20);
        let place = first.as_ptr();
        drop(first);
        let second = reader.next(&transport).now_or_never().unwrap().unwrap();
        assert_ne!(second.as_ptr(), place);
        assert_eq!(part, [1; 10].as_slice());
        drop(part);
        let third = reader.next(&transport).now_or_never().unwrap().unwrap();
        assert_eq!(third.as_ptr(), place);
        assert!(third.iter().all(|byte| *byte == 3) && second.iter().all(|byte| *byte == 2));
        assert!(reader.keeps_buffers());
        reader.drop_buffers();
        assert!(!reader.keeps_buffers());
    }

    #[test]
    fn a_flush_waits_for_what_was_queued_before_it_and_no_longer() {
        let (taken, room) = (Rc::new(RefCell::new(Vec::new())), Rc::new(Cell::new(3)));
        let stream = Scripted {
            input: Bytes::new(),
            piece: 1,
            taken: Rc::clone(&taken),
            room: Rc::clone(&room),
            flushes: Rc::new(Cell::new(true)),
        };
        let transport = Transport::new(Box::new(stream));
        transport.write([Bytes::from_static(b"abc"), Bytes::new(), Bytes::from_static(b"def")]);
        assert_eq!(*taken.borrow(), b"abc");
        assert_eq!(transport.queued_bytes(), 3);
        let mut flushed = Box::pin(transport.flushed());
        let mut writes = Box::pin(transport.drive_writes());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(flushed.as_mut().poll(&mut cx).is_pending());
        transport.write([Bytes::from_static(b"ghi")]);
        room.set(4);
        assert!(writes.as_mut().poll(&mut cx).is_pending());
        assert_eq!(*taken.borrow(), b"abcdefg");
        assert!(flushed.as_mut().poll(&mut cx).is_ready(), "only the later write is left");
        let mut all = Box::pin(transport.flushed());
        assert!(all.as_mut().poll(&mut cx).is_pending());
        transport.close();
        assert!(all.as_mut().poll(&mut cx).is_ready(), "a close ends the wait");
        transport.write([Bytes::from_static(b"late")]);
        assert_eq!(transport.queued_bytes(), 0);
        assert!(transport.flushed().now_or_never().is_some());
        assert!(writes.as_mut().poll(&mut cx).is_ready(), "the writer ends with the socket");
    }

    #[test]
    fn what_a_link_of_the_chain_holds_back_is_not_flushed() {
        let (room, flushes) = (Rc::new(Cell::new(usize::MAX)), Rc::new(Cell::new(false)));
        let stream = Scripted {
            input: Bytes::new(),
            piece: 1,
            taken: Rc::default(),
            room: Rc::clone(&room),
            flushes: Rc::clone(&flushes),
        };
        let transport = Transport::new(Box::new(stream));
        transport.write([Bytes::from_static(b"abc")]);
        assert_eq!(transport.queued_bytes(), 0, "the stream has taken it");
        let mut flushed = Box::pin(transport.flushed());
        let mut writes = Box::pin(transport.drive_writes());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(flushed.as_mut().poll(&mut cx).is_pending());
        assert!(writes.as_mut().poll(&mut cx).is_pending());
        assert!(flushed.as_mut().poll(&mut cx).is_pending());
        // Others go on queueing: it is pushed out all the same.
        transport.write([Bytes::from_static(b"def")]);
        room.set(2);
        flushes.set(true);
        assert!(writes.as_mut().poll(&mut cx).is_pending());
        assert_eq!(transport.queued_bytes(), 1);
        assert!(flushed.as_mut().poll(&mut cx).is_ready());
        let mut rest = Box::pin(transport.flushed());
        assert!(rest.as_mut().poll(&mut cx).is_pending());
        room.set(1);
        assert!(writes.as_mut().poll(&mut cx).is_pending());
        assert!(rest.as_mut().poll(&mut cx).is_ready());
    }
}

//! Frames over a transport: bounded, timed, and without losing a byte when a future is dropped.
//!
//! What is half read or half written stays in the [`Wire`], so every future over it may be dropped
//! and the next one goes on where it was. A body is read straight into an Arrow buffer, aligned for
//! every type; buffers that nobody holds any more are used again.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use arrow::buffer::{Buffer, MutableBuffer};
use prost::Message;
use sift_proto::frame::{self, FrameError, HEADER_BYTES, Header, Kind};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::error::{Reason, Violation};
use crate::tls;
use crate::transport::Transport;

/// Bodies that are remembered to be used again: enough for a reader that is three frames behind.
const RECYCLED_MAX: usize = 4;

/// Smaller bodies come from the allocator just as fast.
const RECYCLED_BYTES_MIN: usize = 16 << 10;

/// One frame.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    pub(crate) body: Buffer,
}

impl Frame {
    /// # Errors
    /// [`Violation::Body`].
    pub(crate) fn message<M: Message + Default>(&self) -> Result<M, Violation> {
        M::decode(self.body.as_slice())
            .map_err(|source| Violation::Body { kind: self.kind, source })
    }

    pub(crate) fn out_of_order(&self, expected: &'static str) -> Violation {
        Violation::Order { got: self.kind, expected }
    }
}

/// Both directions of one connection.
pub(crate) struct Wire {
    transport: Transport,
    outgoing: Vec<u8>,
    outgoing_sent: usize,
    incoming: Incoming,
    body_bytes_max: u32,
    recycled: VecDeque<Buffer>,
    idle: Idle,
}

enum Incoming {
    Header { bytes: [u8; HEADER_BYTES], filled: usize },
    Body { header: Header, body: MutableBuffer, filled: usize },
}

const NEXT_HEADER: Incoming = Incoming::Header { bytes: [0; HEADER_BYTES], filled: 0 };

impl Wire {
    pub(crate) fn new(transport: Transport, idle_timeout: Duration) -> Self {
        Self {
            transport,
            outgoing: Vec::new(),
            outgoing_sent: 0,
            incoming: NEXT_HEADER,
            body_bytes_max: frame::BODY_BYTES_MAX,
            recycled: VecDeque::new(),
            idle: Idle { limit: idle_timeout, sleep: None, armed: false },
        }
    }

    /// The largest body accepted from now on.
    pub(crate) fn set_body_bytes_max(&mut self, bytes: u32) {
        self.body_bytes_max = bytes;
    }

    /// Puts a message behind those that wait to be sent.
    pub(crate) fn queue(&mut self, kind: Kind, message: &impl Message) -> Result<(), FrameError> {
        self.outgoing.extend_from_slice(&frame::encode_message(kind, message)?);
        Ok(())
    }

    /// As [`queue`](Self::queue), of a frame that is encoded, or nothing.
    pub(crate) fn queue_whole(&mut self, frame: &[u8]) {
        self.outgoing.extend_from_slice(frame);
    }

    /// Sends what can be sent without waiting; the rest goes with the next frame that is awaited.
    pub(crate) fn flush_now(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        // a fault shows again at the next use
        let _ready = self.poll_flush(&mut cx);
    }

    /// The next frame, after everything queued is sent.
    pub(crate) async fn frame(&mut self) -> Result<Frame, Reason> {
        poll_fn(|cx| self.poll_frame(cx)).await
    }

    /// As [`Wire::frame`].
    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, Reason>> {
        let polled = match self.poll_flush(cx) {
            Poll::Ready(Ok(())) => self.poll_incoming(cx),
            // a server that refuses may answer before it has read everything
            Poll::Ready(Err(error)) => match self.poll_incoming(cx) {
                Poll::Ready(Ok(frame)) => Poll::Ready(Ok(frame)),
                _ => Poll::Ready(Err(gone(error))),
            },
            Poll::Pending => self.poll_incoming(cx),
        };
        match polled {
            Poll::Ready(frame) => {
                self.idle.progress();
                Poll::Ready(frame)
            }
            Poll::Pending => {
                let limit = self.idle.limit;
                ready!(self.idle.poll_expired(cx));
                Poll::Ready(Err(Reason::TimedOut { during: "answering", limit }))
            }
        }
    }

    /// Lets go of the bodies remembered to be used again.
    pub(crate) fn forget_bodies(&mut self) {
        self.recycled.clear();
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.outgoing.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while let Some(rest) = self.outgoing.get(self.outgoing_sent..).filter(|r| !r.is_empty()) {
            let sent = ready!(Pin::new(&mut self.transport).poll_write(cx, rest))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outgoing_sent += sent;
            self.idle.progress();
        }
        ready!(Pin::new(&mut self.transport).poll_flush(cx))?;
        self.outgoing.clear();
        self.outgoing_sent = 0;
        Poll::Ready(Ok(()))
    }

    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Result<Frame, Reason>> {
        loop {
            match &mut self.incoming {
                Incoming::Header { bytes, filled } => {
                    let polled = poll_fill(&mut self.transport, &mut self.idle, cx, bytes, filled);
                    // a peer of another kind may send less than a header, and wait
                    if let [first, ..] = *bytes
                        && *filled > 0
                    {
                        Kind::try_from(first).map_err(Violation::from)?;
                    }
                    ready!(polled)?;
                    let header = Header::decode(*bytes, self.body_bytes_max)
                        .map_err(|error| Reason::Violation(error.into()))?;
                    let body = self.body(header.body_bytes as usize);
                    self.incoming = Incoming::Body { header, body, filled: 0 };
                }
                Incoming::Body { header, body, filled } => {
                    let (kind, bytes) = (header.kind, body.as_slice_mut());
                    ready!(poll_fill(&mut self.transport, &mut self.idle, cx, bytes, filled))?;
                    let Incoming::Body { body, .. } =
                        std::mem::replace(&mut self.incoming, NEXT_HEADER)
                    else {
                        return Poll::Pending;
                    };
                    let body = Buffer::from(body);
                    if body.len() >= RECYCLED_BYTES_MIN {
                        self.remember(&body);
                    }
                    return Poll::Ready(Ok(Frame { kind, body }));
                }
            }
        }
    }

    /// A buffer of `bytes` bytes: the newest remembered one that nobody else holds, because it is
    /// still in the processor's cache, or a new one.
    fn body(&mut self, bytes: usize) -> MutableBuffer {
        if bytes >= RECYCLED_BYTES_MIN
            && let Some(free) = self.recycled.iter().rposition(|body| body.strong_count() == 1)
            && let Some(free) = self.recycled.remove(free)
            && let Ok(mut body) = free.into_mutable()
        {
            body.resize(bytes, 0);
            return body;
        }
        MutableBuffer::from_len_zeroed(bytes)
    }

    fn remember(&mut self, body: &Buffer) {
        if self.recycled.len() == RECYCLED_MAX {
            self.recycled.pop_front();
        }
        self.recycled.push_back(body.clone());
    }
}

impl Drop for Wire {
    /// Sends the TLS closing message (close_notify), so that the other end knows that the
    /// connection was not cut off. It does not wait: if the channel accepts no more bytes, nothing
    /// is sent.
    fn drop(&mut self) {
        self.flush_now();
        let mut cx = Context::from_waker(Waker::noop());
        let _gone = Pin::new(&mut self.transport).poll_shutdown(&mut cx);
    }
}

/// Reads until `bytes` is full.
fn poll_fill(
    transport: &mut Transport,
    idle: &mut Idle,
    cx: &mut Context<'_>,
    bytes: &mut [u8],
    filled: &mut usize,
) -> Poll<Result<(), Reason>> {
    while let Some(rest) = bytes.get_mut(*filled..).filter(|rest| !rest.is_empty()) {
        let mut buf = ReadBuf::new(rest);
        ready!(Pin::new(&mut *transport).poll_read(cx, &mut buf)).map_err(gone)?;
        match buf.filled().len() {
            0 => return Poll::Ready(Err(Reason::Closed)),
            read => *filled += read,
        }
        idle.progress();
    }
    Poll::Ready(Ok(()))
}

/// A peer that is gone is gone, however the operating system puts it; unless it has said why.
fn gone(error: io::Error) -> Reason {
    if let Some(reason) = tls::late_alert(&error) {
        return reason;
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => Reason::Closed,
        _ => Reason::Io(error),
    }
}

/// The time without progress.
struct Idle {
    limit: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    armed: bool,
}

impl Idle {
    fn progress(&mut self) {
        self.armed = false;
    }

    fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.limit)));
        if !self.armed {
            sleep.as_mut().reset(Instant::now() + self.limit);
            self.armed = true;
        }
        sleep.as_mut().poll(cx)
    }
}

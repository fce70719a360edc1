//! Frames over a transport, with limits on size and time. No byte is lost when a future is dropped.
//!
//! A frame that is partly read or written stays in the [`Wire`]. So a future may be dropped, and
//! the next one goes on where it was. A body is read directly into an Arrow buffer, which is
//! aligned for every type. A buffer is used again after its last reference is dropped.

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

/// The maximal number of buffers that are stored to be used again. It is enough for a reader that
/// is three frames behind.
const RECYCLED_MAX: usize = 4;

/// The minimal length of a body whose buffer is used again. The allocator is as fast for smaller
/// ones.
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

    /// Returns the frame in a Compressed frame; any other frame as it is.
    ///
    /// # Errors
    /// [`Violation::Compressed`].
    pub(crate) fn decompressed(self) -> Result<Self, Violation> {
        if self.kind != Kind::Compressed {
            return Ok(self);
        }
        let mut body = MutableBuffer::from_len_zeroed(frame::decompressed_bytes(&self.body)?);
        let kind = frame::decompress(&self.body, body.as_slice_mut())?;
        Ok(Self { kind, body: body.into() })
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

    /// Sets the maximal length of a body that is accepted from now on.
    pub(crate) fn set_body_bytes_max(&mut self, bytes: u32) {
        self.body_bytes_max = bytes;
    }

    /// Queues a message to be sent.
    pub(crate) fn queue(&mut self, kind: Kind, message: &impl Message) -> Result<(), FrameError> {
        self.outgoing.extend_from_slice(&frame::encode_message(kind, message)?);
        Ok(())
    }

    /// Queues an encoded frame, or nothing, to be sent.
    pub(crate) fn queue_whole(&mut self, frame: &[u8]) {
        self.outgoing.extend_from_slice(frame);
    }

    /// Sends the queued bytes as far as possible without waiting. The rest is sent while the next
    /// frame is awaited.
    pub(crate) fn flush_now(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        // the next call returns an error, too
        let _ready = self.poll_flush(&mut cx);
    }

    /// Returns the next frame, and sends everything that is queued.
    pub(crate) async fn frame(&mut self) -> Result<Frame, Reason> {
        poll_fn(|cx| self.poll_frame(cx)).await
    }

    /// Polls for the next frame, as [`Wire::frame`] does.
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

    /// Drops the buffers that are stored to be used again.
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
                    // another kind of peer may send less than a header, and wait
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

    /// Returns a buffer of `bytes` bytes. It is the newest stored one without other references,
    /// because this one is still in the processor's cache, or a new one.
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

/// Translates an error of the transport. All errors about a closed connection become one, unless
/// the peer sent a reason.
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

/// The timer for the time without progress.
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

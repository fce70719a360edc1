//! Reads frames from a stream and writes frames to it. A read that is dropped loses no bytes, and
//! the parts of a frame are written without copying them together.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use sift_proto::frame::{BODY_BYTES_MAX, Decoder, Frame, FrameError, HEADER_BYTES, Header, Kind};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::channel::stream;
use crate::fault::{Fault, Stop};

/// The size of the read buffer. Requests are small; later ones stay in the kernel.
const READ_BYTES: usize = 8 << 10;

/// The bytes that are collected before they are encrypted: the size of a TLS record. A small answer
/// is one record and one write, and wakes its client once.
const TOGETHER_BYTES_MAX: usize = 16 << 10;

/// The reading half of a connection.
#[derive(Debug)]
pub(crate) struct Reader<R> {
    half: R,
    decoder: Decoder,
    buffer: Box<[u8]>,
    /// The part of `buffer` that has been read but not decoded.
    fresh: std::ops::Range<usize>,
}

/// The reason why there is no next frame.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(crate) fn new(half: R, body_bytes_max: u32) -> Self {
        let buffer = vec![0; READ_BYTES].into_boxed_slice();
        Self { half, decoder: Decoder::new(body_bytes_max), buffer, fresh: 0..0 }
    }

    /// Accepts larger bodies from the next frame on. Call it between frames only.
    pub(crate) fn set_body_bytes_max(&mut self, body_bytes_max: u32) {
        self.decoder = Decoder::new(body_bytes_max);
    }

    /// Reads the next frame; `None` if the peer closed the stream between frames. Dropping the
    /// future loses nothing: the next call continues with the bytes that were read.
    pub(crate) async fn next(&mut self) -> Result<Option<Frame>, ReadError> {
        loop {
            if let Some(frame) = self.decode()? {
                return Ok(Some(frame));
            }
            let read = self.half.read(&mut self.buffer).await?;
            if read == 0 {
                self.decoder.clone().finish()?;
                return Ok(None);
            }
            self.fresh = 0..read;
        }
    }

    fn decode(&mut self) -> Result<Option<Frame>, FrameError> {
        let mut input = self.buffer.get(self.fresh.clone()).unwrap_or_default();
        let frame = self.decoder.decode(&mut input);
        self.fresh.start = self.fresh.end - input.len();
        frame
    }

    /// Reads and drops the remaining bytes, so that closing does not discard what the peer has not
    /// read yet.
    pub(crate) async fn drain(&mut self) {
        stream::drain(&mut self.half, &mut self.buffer).await;
    }
}

/// The writing half of a connection.
#[derive(Debug)]
pub(crate) struct Writer<W> {
    half: W,
    /// Small frames that are sent with the next flush, or before a large frame.
    held: Vec<u8>,
    stall: Duration,
    body_bytes: u64,
    waited: Duration,
    /// The part of `waited` in which the peer took nothing.
    blocked: Duration,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    /// Makes a writer that fails if the peer takes no bytes for the time `stall`.
    pub(crate) fn new(half: W, stall: Duration) -> Self {
        let (waited, blocked) = (Duration::ZERO, Duration::ZERO);
        Self { half, held: Vec::new(), stall, body_bytes: 0, waited, blocked }
    }

    /// Changes the time after which a peer that takes nothing is gone.
    pub(crate) fn set_stall(&mut self, stall: Duration) {
        self.stall = stall;
    }

    /// Returns the bytes of frame bodies that were sent since the last call, and the time for
    /// sending them.
    pub(crate) fn take_counts(&mut self) -> (u64, Duration) {
        (std::mem::take(&mut self.body_bytes), std::mem::take(&mut self.waited))
    }

    /// Returns the same as [`take_counts`](Self::take_counts), without a reset.
    pub(crate) fn counts(&self) -> (u64, Duration) {
        (self.body_bytes, self.waited)
    }

    /// Returns the time since the connection began in which the peer took nothing.
    pub(crate) fn blocked(&self) -> Duration {
        self.blocked
    }

    /// Sends a control message and flushes it.
    pub(crate) async fn send(
        &mut self,
        kind: Kind,
        message: &impl prost::Message,
    ) -> Result<(), Stop> {
        let frame = sift_proto::frame::encode_message(kind, message).map_err(|error| {
            tracing::error!(%kind, %error, "an answer does not fit its frame");
            Fault::Internal("an answer does not fit its frame")
        })?;
        self.write(&mut [IoSlice::new(&frame)], frame.len() - HEADER_BYTES).await?;
        self.flush().await
    }

    /// Sends data whose parts are in several buffers as one frame. A small frame waits for the next
    /// flush.
    pub(crate) async fn send_parts<'a>(
        &mut self,
        kind: Kind,
        parts: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), Stop> {
        let parts: Vec<&[u8]> = parts.filter(|part| !part.is_empty()).collect();
        let body_bytes = parts.iter().map(|part| part.len()).sum();
        let header = header(kind, body_bytes)?;
        let mut slices = Vec::with_capacity(1 + parts.len());
        slices.push(IoSlice::new(&header));
        slices.extend(parts.into_iter().map(IoSlice::new));
        self.write(&mut slices, body_bytes).await
    }

    /// Sends a frame with its header.
    pub(crate) async fn send_whole(&mut self, frame: &[u8]) -> Result<(), Stop> {
        let body_bytes = frame.len().saturating_sub(HEADER_BYTES);
        self.write(&mut [IoSlice::new(frame)], body_bytes).await
    }

    /// Sends the bytes that are held back here and in a TLS stream.
    pub(crate) async fn flush(&mut self) -> Result<(), Stop> {
        let start = Instant::now();
        self.write_held().await?;
        let flushed = taken(self.half.flush(), self.stall, &mut self.blocked).await;
        self.waited += start.elapsed();
        flushed.map_err(Stop::Gone)
    }

    /// Tells the peer that nothing follows.
    pub(crate) async fn shutdown(&mut self) {
        // it fails if the peer is gone
        let _ = timeout(stream::DRAIN_TIME_MAX, self.half.shutdown()).await;
    }

    async fn write(&mut self, slices: &mut [IoSlice<'_>], body_bytes: usize) -> Result<(), Stop> {
        let start = Instant::now();
        let bytes: usize = slices.iter().map(|slice| slice.len()).sum();
        if self.held.len() + bytes > TOGETHER_BYTES_MAX {
            self.write_held().await?;
        }
        if bytes > TOGETHER_BYTES_MAX {
            self.write_all(slices).await?;
        } else {
            slices.iter().for_each(|slice| self.held.extend_from_slice(slice));
        }
        self.waited += start.elapsed();
        self.body_bytes += body_bytes as u64;
        Ok(())
    }

    async fn write_held(&mut self) -> Result<(), Stop> {
        let held = std::mem::take(&mut self.held);
        let written = self.write_all(&mut [IoSlice::new(&held)]).await;
        self.held = held;
        self.held.clear();
        written
    }

    async fn write_all(&mut self, mut slices: &mut [IoSlice<'_>]) -> Result<(), Stop> {
        // this skips empty slices
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            let writing = self.half.write_vectored(slices);
            let written = taken(writing, self.stall, &mut self.blocked).await;
            match written.map_err(Stop::Gone)? {
                0 => return Err(Stop::Gone(io::ErrorKind::WriteZero.into())),
                written => IoSlice::advance_slices(&mut slices, written),
            }
        }
        Ok(())
    }
}

/// Waits until the peer takes bytes, at most for the time `stall`. Adds the time in which it took
/// none to `blocked`.
async fn taken<T>(
    operation: impl Future<Output = io::Result<T>>,
    stall: Duration,
    blocked: &mut Duration,
) -> io::Result<T> {
    let mut operation = pin!(operation);
    match poll_fn(|cx| Poll::Ready(operation.as_mut().poll(cx))).await {
        Poll::Ready(done) => done,
        Poll::Pending => {
            let start = Instant::now();
            let done = timeout(stall, operation).await;
            *blocked += start.elapsed();
            done.unwrap_or_else(|_| Err(stalled(stall)))
        }
    }
}

/// Returns the header of a data frame with a body of `body_bytes`.
pub(crate) fn header(kind: Kind, body_bytes: usize) -> Result<[u8; HEADER_BYTES], Fault> {
    match u32::try_from(body_bytes) {
        Ok(body_bytes) if body_bytes <= BODY_BYTES_MAX => Ok(Header { kind, body_bytes }.encode()),
        _ => Err(Fault::Internal("a data frame is too large")),
    }
}

fn stalled(stall: Duration) -> io::Error {
    let text = format!("the client took nothing for {} seconds", stall.as_secs());
    io::Error::new(io::ErrorKind::TimedOut, text)
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use super::*;

    /// Takes everything, and keeps the writes apart.
    #[derive(Default)]
    struct Writes(Vec<Vec<u8>>);

    impl AsyncWrite for Writes {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.get_mut().0.push(bytes.to_vec());
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn small_frames_go_together_and_all_in_order() {
        let mut writer = Writer::new(Writes::default(), Duration::from_secs(1));
        let bodies =
            [vec![1; 10], vec![2; 20], vec![3; TOGETHER_BYTES_MAX], vec![4; 30], vec![5; 0]];
        let mut expected = Vec::new();
        for body in &bodies {
            writer.send_parts(Kind::Batch, std::iter::once(&body[..])).await.unwrap();
            expected.extend(header(Kind::Batch, body.len()).unwrap());
            expected.extend(body);
        }
        let before = writer.half.0.len();
        writer.flush().await.unwrap();
        let writes = writer.half.0;
        assert_eq!(writes.concat(), expected);
        assert_eq!(writes[0].len(), 2 * HEADER_BYTES + 30);
        assert_eq!((writes.len(), writes[before].len()), (before + 1, 2 * HEADER_BYTES + 30));
    }
}

//! Frames on a stream: how they are read without losing any when the reading is dropped, and
//! written without being joined up first.

use std::io::{self, IoSlice};
use std::time::{Duration, Instant};

use sift_proto::frame::{BODY_BYTES_MAX, Decoder, Frame, FrameError, HEADER_BYTES, Header, Kind};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::fault::{Fault, Stop};

/// Requests are small; what comes beyond one stays with the kernel.
const READ_BYTES: usize = 8 << 10;

/// The reading half of a connection.
#[derive(Debug)]
pub(crate) struct Reader<R> {
    half: R,
    decoder: Decoder,
    buffer: Box<[u8]>,
    /// What of `buffer` has been read and not yet decoded.
    fresh: std::ops::Range<usize>,
}

/// Why there is no next frame.
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

    /// Accepts larger bodies from the next frame on. To be called between frames.
    pub(crate) fn set_body_bytes_max(&mut self, body_bytes_max: u32) {
        self.decoder = Decoder::new(body_bytes_max);
    }

    /// The next frame; `None` where the peer closed between frames. Dropping the future loses
    /// nothing: what was read stays for the next call.
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

    /// Reads and forgets, so that closing does not throw away what the peer has yet to read.
    pub(crate) async fn drain(&mut self) {
        drain(&mut self.half, &mut self.buffer).await;
    }
}

/// A closing peer's last bytes that are waited for.
const DRAIN_BYTES_MAX: usize = 64 << 10;
const DRAIN_TIME_MAX: Duration = Duration::from_secs(2);

/// Reads to the end of a stream whose writing side is shut down. Closing a socket that holds
/// unread bytes makes the kernel send a reset, which may overtake the last answer.
pub(crate) async fn drain(half: &mut (impl AsyncRead + Unpin), buffer: &mut [u8]) {
    let reading = async {
        let mut drained = 0;
        while drained < DRAIN_BYTES_MAX {
            match half.read(buffer).await {
                Ok(0) | Err(_) => return,
                Ok(read) => drained += read,
            }
        }
    };
    // out of time is as good as drained
    let _ = timeout(DRAIN_TIME_MAX, reading).await;
}

/// The writing half of a connection.
#[derive(Debug)]
pub(crate) struct Writer<W> {
    half: W,
    stall: Duration,
    body_bytes: u64,
    waited: Duration,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    /// A writer that gives up when the peer takes nothing for `stall`.
    pub(crate) fn new(half: W, stall: Duration) -> Self {
        Self { half, stall, body_bytes: 0, waited: Duration::ZERO }
    }

    /// Bytes of frame bodies sent since the last call, and the time that took.
    pub(crate) fn take_counts(&mut self) -> (u64, Duration) {
        (std::mem::take(&mut self.body_bytes), std::mem::take(&mut self.waited))
    }

    /// What [`take_counts`](Self::take_counts) would give.
    pub(crate) fn counts(&self) -> (u64, Duration) {
        (self.body_bytes, self.waited)
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

    /// Sends data whose parts lie in different buffers as one frame.
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

    /// Sends a frame whose header already stands before its body.
    pub(crate) async fn send_whole(&mut self, frame: &[u8]) -> Result<(), Stop> {
        let body_bytes = frame.len().saturating_sub(HEADER_BYTES);
        self.write(&mut [IoSlice::new(frame)], body_bytes).await
    }

    /// Sends what a TLS stream holds back.
    pub(crate) async fn flush(&mut self) -> Result<(), Stop> {
        let start = Instant::now();
        let flushed = timeout(self.stall, self.half.flush()).await;
        self.waited += start.elapsed();
        flushed.unwrap_or_else(|_| Err(stalled(self.stall))).map_err(Stop::Gone)
    }

    /// Tells the peer that nothing follows.
    pub(crate) async fn shutdown(&mut self) {
        // whoever is gone need not be told
        let _ = timeout(DRAIN_TIME_MAX, self.half.shutdown()).await;
    }

    async fn write(
        &mut self,
        mut slices: &mut [IoSlice<'_>],
        body_bytes: usize,
    ) -> Result<(), Stop> {
        let start = Instant::now();
        while !slices.is_empty() {
            let writing = timeout(self.stall, self.half.write_vectored(slices)).await;
            let written =
                writing.unwrap_or_else(|_| Err(stalled(self.stall))).map_err(Stop::Gone)?;
            if written == 0 {
                return Err(Stop::Gone(io::ErrorKind::WriteZero.into()));
            }
            IoSlice::advance_slices(&mut slices, written);
        }
        self.waited += start.elapsed();
        self.body_bytes += body_bytes as u64;
        Ok(())
    }
}

/// The header of a data frame of `body_bytes`.
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

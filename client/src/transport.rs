//! The byte stream of a connection, with or without TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The maximal number of first bytes of a peer that are stored: a frame of Failure with its
/// message.
const FIRST_BYTES_MAX: usize = 8 << 10;

/// The byte stream that [`connect`](crate::connect) made: not encrypted, or encrypted by one of the
/// libraries.
pub(crate) type Transport = Box<dyn Duplex>;

/// A byte stream in both directions.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Duplex for T {}

/// A TCP stream that stores the first bytes of the peer. After a failed handshake, they tell what
/// kind of peer it is.
pub(crate) struct FirstBytes {
    stream: TcpStream,
    first: Option<Vec<u8>>,
}

impl FirstBytes {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, first: Some(Vec::new()) }
    }

    /// Stops storing bytes, and drops the stored ones.
    pub(crate) fn forget(&mut self) {
        self.first = None;
    }

    /// Takes the stored bytes, and stops storing more.
    pub(crate) fn take_first(&mut self) -> Vec<u8> {
        self.first.take().unwrap_or_default()
    }
}

impl AsyncRead for FirstBytes {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if let Some(first) = &mut self.first {
            let new = buf.filled().get(before..).unwrap_or_default();
            let room = FIRST_BYTES_MAX.saturating_sub(first.len()).min(new.len());
            first.extend_from_slice(new.get(..room).unwrap_or_default());
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for FirstBytes {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    // a TLS library tries once to send its last alert, and the bytes are in several pieces
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

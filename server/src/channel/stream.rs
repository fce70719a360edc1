//! The byte stream of a connection, plain or encrypted, and how to close it.

use std::fmt;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::timeout;

/// A connection, plain or encrypted by one library or another.
pub(crate) type Stream = Box<dyn Duplex>;

/// A stream of bytes in both directions.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin> Duplex for T {}

/// The bytes of a closing peer, and the time, to wait for.
const DRAIN_BYTES_MAX: usize = 64 << 10;
pub(crate) const DRAIN_TIME_MAX: Duration = Duration::from_secs(2);

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
    // after the time limit the connection is closed anyway
    let _ = timeout(DRAIN_TIME_MAX, reading).await;
}

//! Fetch: sends the bytes of a file, or a range of them.
//!
//! A blocking thread reads one chunk ahead while the previous chunk is encrypted and sent; two
//! buffers take turns. A slow client occupies no thread. If a file is truncated or rewritten in the
//! meantime, the answer ends with `FILE_CHANGED`, never with the end marker.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Instant;

use sift_proto::frame::{Compression, HEADER_BYTES, Kind, compress};
use sift_proto::message::{FetchRequest, FetchStart};
use sift_select::{Identity, Look};
use tokio::io::AsyncWrite;

use super::wire::{self, Writer};
use crate::access::grant::Caller;
use crate::blocking::{blocking, start_blocking};
use crate::catalogue::{Catalogue, FileName, Opened};
use crate::fault::{Fault, Stop};
use crate::link::{Link, Sent};
use crate::sessions::{Running, Wait};

/// The size of a chunk: large enough to hide the switch between threads, small enough for two
/// chunks to stay in the cache.
const CHUNK_BYTES: u64 = 1 << 20;

/// The connection that takes the bytes.
pub(crate) struct Sending<'a, W> {
    pub(crate) writer: &'a mut Writer<W>,
    pub(crate) running: &'a Running,
    pub(crate) link: &'a mut Link,
    /// Says that protected files are compressed, too.
    pub(crate) compress_protected: bool,
}

/// The length of a fetched file, and of the bytes that were sent, before they were compressed.
pub(crate) struct Fetched {
    pub(crate) file_bytes: u64,
    pub(crate) plain_bytes: u64,
}

/// Sends the bytes.
pub(crate) async fn fetch<W: AsyncWrite + Unpin>(
    catalogue: Arc<Catalogue>,
    request: FetchRequest,
    caller: Caller,
    mut to: Sending<'_, W>,
) -> Result<Fetched, Stop> {
    let name = FileName::parse(&request.file)?;
    let named = name.clone();
    let opened = to.running.interrupt.or(blocking(move || catalogue.open(&named, &caller))).await?;
    let Opened { file, look, is_protected } = opened;
    let (file_bytes, told) = (look.identity().bytes, identity_text(look));
    if !request.identity.is_empty() && request.identity != told {
        return Err(Fault::ChangedSince(name.to_string()).into());
    }
    let range = range(&name, &request, file_bytes)?;
    let start = FetchStart {
        file_bytes,
        offset: range.start,
        length: range.end - range.start,
        identity: told,
    };
    to.writer.send(Kind::FetchStart, &start).await?;

    let may_compress = !is_protected || to.compress_protected;
    let reading = Reading { file: Arc::new(file), name: name.to_string(), look };
    let plain_bytes = range.end - range.start;
    chunks(&reading, range, &mut to, may_compress).await?;
    reading.check().await?;
    Ok(Fetched { file_bytes, plain_bytes })
}

async fn chunks<W: AsyncWrite + Unpin>(
    reading: &Reading,
    range: Range<u64>,
    to: &mut Sending<'_, W>,
    may_compress: bool,
) -> Result<(), Stop> {
    let compression = |link: &Link| link.compression().filter(|_| may_compress);
    let mut chosen = compression(to.link);
    let mut ahead = reading.start(range.start, range.end, Vec::new(), chosen);
    let mut spare = Vec::new();
    let mut at = range.start;
    let (mut since, mut blocked_before) = (Instant::now(), to.writer.blocked());
    while at < range.end {
        to.running.waits_for(Wait::File);
        let chunk = to.running.interrupt.or(ahead).await?;
        let next = range.end.min(at + CHUNK_BYTES);
        let (plain_bytes, sent_as) = (next - at, chosen);
        (at, chosen) = (next, compression(to.link));
        ahead = reading.start(at, range.end, spare, chosen);
        to.running.waits_for(Wait::Peer);
        to.writer.send_whole(&chunk).await?;
        to.running.set_bytes(to.writer.counts().0);
        let (now, blocked) = (Instant::now(), to.writer.blocked());
        to.link.sent(Sent {
            compression: sent_as,
            plain_bytes,
            bytes: chunk.len() as u64,
            blocked: blocked - blocked_before,
            elapsed: now - since,
        });
        (since, blocked_before) = (now, blocked);
        spare = chunk;
    }
    to.writer.flush().await
}

struct Reading {
    file: Arc<File>,
    name: String,
    look: Look,
}

impl Reading {
    /// Starts to read the chunk at `at` into `buffer`, as a frame, and compresses it. After the end
    /// it does nothing.
    fn start(
        &self,
        at: u64,
        end: u64,
        mut buffer: Vec<u8>,
        compression: Option<Compression>,
    ) -> impl Future<Output = Result<Vec<u8>, Fault>> + use<> {
        let file = Arc::clone(&self.file);
        let name = self.name.clone();
        let job = (at < end).then(|| {
            let work = move || -> Result<_, Fault> {
                read_frame(&file, at, end.min(at + CHUNK_BYTES), &mut buffer)
                    .map_err(|error| unreadable(&name, error))?;
                let compressed = compression.and_then(|compression| compress(compression, &buffer));
                Ok(compressed.unwrap_or(buffer))
            };
            start_blocking(work)
        });
        async move {
            match job {
                Some(job) => job.await,
                None => Ok(Vec::new()),
            }
        }
    }

    /// Checks that the file did not change while it was sent.
    async fn check(self) -> Result<(), Fault> {
        let Self { file, name, look } = self;
        blocking(move || {
            let holds = look.holds(&file).map_err(|error| unreadable(&name, error))?;
            if holds { Ok(()) } else { Err(Fault::Changed(name)) }
        })
        .await
    }
}

fn read_frame(file: &File, at: u64, end: u64, buffer: &mut Vec<u8>) -> io::Result<()> {
    // it is at most one chunk
    let body_bytes = usize::try_from(end - at).map_err(io::Error::other)?;
    let header = wire::header(Kind::Chunk, body_bytes)
        .map_err(|fault| io::Error::other(fault.to_string()))?;
    buffer.resize(HEADER_BYTES + body_bytes, 0);
    let (head, body) = buffer.split_at_mut(HEADER_BYTES);
    head.copy_from_slice(&header);
    file.read_exact_at(body, at)
}

fn unreadable(name: &str, error: io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Fault::Changed(name.to_owned()),
        _ => Fault::Unreadable(name.to_owned(), error),
    }
}

fn range(name: &FileName, request: &FetchRequest, file_bytes: u64) -> Result<Range<u64>, Fault> {
    let offset = request.offset;
    let length = request.length.unwrap_or_else(|| file_bytes.saturating_sub(offset));
    match offset.checked_add(length) {
        Some(end) if offset <= file_bytes && end <= file_bytes => Ok(offset..end),
        _ => Err(Fault::Range { name: name.to_string(), offset, length, file_bytes }),
    }
}

/// Returns an opaque text that changes whenever the file changes. If a change might not show, no
/// later fetch has the same text.
fn identity_text(look: Look) -> String {
    let Identity { device, inode, bytes, modified_nanos, changed_nanos } = look.identity();
    let text = format!("{device:x}-{inode:x}-{bytes:x}-{modified_nanos:x}-{changed_nanos:x}");
    if look.is_settled() { text } else { format!("{text}-{:x}", look.clock_nanos()) }
}

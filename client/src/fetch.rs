//! Fetching a file or a range of its bytes: as a stream of chunks, or into a file with resume.

use std::future::poll_fn;
use std::ops::{Bound, RangeBounds};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use arrow::buffer::Buffer;
use bytes::Bytes;
use futures_core::Stream;
use sift_proto::frame::Kind;
use sift_proto::message::{FetchRequest, FetchStart, Statistics, Status};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::answer::Answer;
use crate::error::{Error, Result, Usage, Violation};
use crate::part::{Origin, Part};
use crate::session::Session;

/// Chunks that wait for the disk: the network is not kept waiting, nor memory filled.
const CHUNKS_WAITING_MAX: usize = 2;

/// A fetch that is about to begin; made by
/// [`Connection::fetch`](crate::Connection::fetch).
#[must_use = "a fetch begins with `to_file`, `to_writer` or `chunks`"]
pub struct Fetch<'c> {
    session: &'c mut Session,
    file: String,
    start: u64,
    end: Option<u64>,
    resume: bool,
    progress: Box<dyn FnMut(Progress) + Send + 'c>,
}

/// How far a fetch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are here, those of an earlier fetch included.
    pub done: u64,
    /// Bytes that will be here at the end.
    pub total: u64,
}

/// A fetch that is done.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Fetched {
    /// Bytes that are here, those of an earlier fetch included.
    pub bytes: u64,
    /// How many of them an earlier fetch had brought.
    pub resumed: u64,
    /// Length of the whole file on the server.
    pub file_bytes: u64,
    /// Changes whenever the file does.
    pub identity: String,
    /// What the server did.
    pub statistics: Statistics,
}

impl<'c> Fetch<'c> {
    pub(crate) fn new(session: &'c mut Session, file: String) -> Self {
        let progress = Box::new(|_: Progress| {});
        Self { session, file, start: 0, end: None, resume: true, progress }
    }

    /// The bytes to fetch; the whole file without it.
    pub fn range(mut self, range: impl RangeBounds<u64>) -> Self {
        self.start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        self.end = match range.end_bound() {
            Bound::Included(last) => Some(last.saturating_add(1)),
            Bound::Excluded(end) => Some(*end),
            Bound::Unbounded => None,
        };
        self
    }

    /// Whether [`Fetch::to_file`] goes on where an earlier fetch broke off (the default).
    pub fn resume(mut self, resume: bool) -> Self {
        self.resume = resume;
        self
    }

    /// Is called at the start and after every chunk.
    pub fn progress(mut self, progress: impl FnMut(Progress) + Send + 'c) -> Self {
        self.progress = Box::new(progress);
        self
    }

    /// Begins to stream the bytes, in chunks as they come.
    ///
    /// # Errors
    /// `Failed` with the server's refusal, `BrokenStream` and `ClientServer` about the channel,
    /// `Usage` about the range.
    pub async fn chunks(self) -> Result<ChunkStream<'c>> {
        let origin = self.origin()?;
        request(self.session, &origin, 0, "").await
    }

    /// Fetches into a writer, which is flushed at the end.
    ///
    /// # Errors
    /// As [`Fetch::chunks`], and `Local` when the writer fails.
    pub async fn to_writer(mut self, writer: &mut (impl AsyncWrite + Unpin)) -> Result<Fetched> {
        let origin = self.origin()?;
        let mut chunks = request(self.session, &origin, 0, "").await?;
        let failed = |error| Error::local("write", Path::new("output"), error);
        let total = chunks.length();
        let mut done = 0;
        (self.progress)(Progress { done, total });
        while let Some(chunk) = chunks.next().await? {
            writer.write_all(&chunk).await.map_err(failed)?;
            done += chunk.len() as u64;
            (self.progress)(Progress { done, total });
        }
        writer.flush().await.map_err(failed)?;
        Ok(chunks.fetched(0))
    }

    /// Fetches into a file, which appears when it is whole.
    ///
    /// Until then the bytes are in `<path>.part`, with their origin in `<path>.part.origin`. A
    /// later fetch of the same range of the same unchanged file goes on from there; where anything
    /// differs it starts afresh. What is there already is replaced.
    ///
    /// # Errors
    /// As [`Fetch::chunks`]; `Local` when a file of this machine fails; `Usage` when another fetch
    /// is writing the same file.
    pub async fn to_file(mut self, path: impl Into<PathBuf>) -> Result<Fetched> {
        let origin = self.origin()?;
        let (path, resume) = (path.into(), self.resume);
        let opened = origin.clone();
        let part = blocking(move || Part::open(&path, &opened, resume)).await?;
        let progress = self.progress.as_mut();
        let identity = part.identity().to_owned();
        let refused = match request(self.session, &origin, part.bytes(), &identity).await {
            Ok(chunks) => return fill(chunks, part, progress).await,
            Err(error) => error,
        };
        if part.bytes() == 0 || !starts_afresh(&refused) {
            return Err(refused);
        }
        let part = blocking(move || part.restart()).await?;
        let chunks = request(self.session, &origin, 0, "").await?;
        fill(chunks, part, progress).await
    }

    fn origin(&self) -> Result<Origin> {
        let Self { file, start, end, .. } = self;
        if let Some(end) = *end
            && end < *start
        {
            return Err(Usage::Range { start: *start, end }.into());
        }
        let host = self.session.host().to_owned();
        Ok(Origin { host, file: file.clone(), start: *start, end: *end })
    }
}

/// Whether a refused resume says that the earlier part is of no use.
fn starts_afresh(error: &Error) -> bool {
    matches!(error.status(), Some(Status::FileChanged | Status::RangeInvalid))
}

/// Asks for what is missing after `have` bytes, and waits for the start of the answer.
async fn request<'c>(
    session: &'c mut Session,
    origin: &Origin,
    have: u64,
    identity: &str,
) -> Result<ChunkStream<'c>> {
    session.settle().await?;
    let offset = origin.start.saturating_add(have);
    let length = origin.end.map(|end| end.saturating_sub(offset));
    let (file, identity) = (origin.file.clone(), identity.to_owned());
    let request = FetchRequest { file, offset, length, identity: identity.clone() };
    let answer = Answer::begin(session, Kind::Fetch, &request)?;
    ChunkStream::start(answer, &request).await
}

/// Writes chunks into the part on a thread of its own while the next ones are received, and gives
/// the part its name when it is whole.
async fn fill(
    mut chunks: ChunkStream<'_>,
    part: Part,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Fetched> {
    let identity = chunks.identity().to_owned();
    let part = blocking(move || part.begin(&identity)).await?;
    let resumed = part.bytes();
    let total = resumed.saturating_add(chunks.length());
    let (sender, receiver) = mpsc::channel(CHUNKS_WAITING_MAX);
    let writer = writer(part, receiver);
    let mut done = resumed;
    let received = loop {
        progress(Progress { done, total });
        match chunks.next().await {
            Ok(Some(chunk)) => {
                done += chunk.len() as u64;
                // the writer stops early only with an error, which is told below
                if sender.send(chunk).await.is_err() {
                    break Ok(());
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    drop(sender);
    let part = joined(writer.await)??;
    received?;
    blocking(move || part.finish()).await?;
    Ok(chunks.fetched(resumed))
}

fn writer(mut part: Part, mut receiver: mpsc::Receiver<Bytes>) -> JoinHandle<Result<Part>> {
    #[expect(clippy::disallowed_methods, reason = "file I/O")]
    tokio::task::spawn_blocking(move || {
        while let Some(chunk) = receiver.blocking_recv() {
            part.write(&chunk)?;
        }
        Ok(part)
    })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    #[expect(clippy::disallowed_methods, reason = "file I/O")]
    joined(tokio::task::spawn_blocking(work).await)?
}

/// A thread that was lost with its runtime, as an error of writing.
fn joined<T>(joined: Result<T, tokio::task::JoinError>) -> Result<T> {
    joined.map_err(|error| Error::local("write", Path::new("output"), error.into()))
}

/// The bytes of a fetch, as they arrive.
///
/// They are whole when `next` has returned `None`, and only then. Dropped before, the stream cancels
/// the fetch.
pub struct ChunkStream<'c> {
    answer: Answer<'c>,
    start: FetchStart,
}

impl<'c> ChunkStream<'c> {
    /// Waits for FetchStart and holds it against the request.
    async fn start(mut answer: Answer<'c>, request: &FetchRequest) -> Result<Self> {
        let frame = poll_fn(|cx| answer.poll_frame(cx)).await?;
        let start = match frame {
            Some(frame) if frame.kind == Kind::FetchStart => frame.message::<FetchStart>(),
            Some(frame) => Err(frame.out_of_order("FetchStart")),
            None => Err(Violation::Order { got: Kind::Finished, expected: "FetchStart" }),
        };
        let checked = start.and_then(|start| check(&start, request).map(|()| start));
        match checked {
            Ok(start) => Ok(Self { answer, start }),
            Err(violation) => Err(answer.broken(violation)),
        }
    }

    /// Length of the whole file on the server.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.start.file_bytes
    }

    /// Bytes that the chunks add up to.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.start.length
    }

    /// The file's identity, which changes whenever the file does.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.start.identity
    }

    /// The next chunk, `None` at the end. The chunk is the received frame itself, not a copy; its
    /// memory is used again once it is dropped. The future may be dropped and the next call goes on.
    ///
    /// # Errors
    /// `Failed` when the server gives up, `BrokenStream` when the end marker did not come or the
    /// bytes do not add up. Every call after an error is an error.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// What the server did, once `next` has returned `None`.
    #[must_use]
    pub fn statistics(&self) -> Option<&Statistics> {
        self.answer.statistics()
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        let (got, expected) = (self.answer.bytes, self.start.length);
        let checked = match ready!(self.answer.poll_frame(cx))? {
            Some(frame) if frame.kind == Kind::Chunk => {
                let got = got.saturating_add(frame.body.len() as u64);
                match got <= expected {
                    true => Ok(Some(frame.body)),
                    false => Err(Violation::Length { got, expected }),
                }
            }
            Some(frame) => Err(frame.out_of_order("Chunk or Finished")),
            None if got == expected => Ok(None),
            None => Err(Violation::Length { got, expected }),
        };
        Poll::Ready(match checked {
            Ok(chunk) => {
                let chunk = chunk.map(|body| Bytes::from_owner(Chunk(body)));
                self.answer.bytes += chunk.as_ref().map_or(0, Bytes::len) as u64;
                Ok(chunk)
            }
            Err(violation) => Err(self.answer.broken(violation)),
        })
    }

    fn fetched(&self, resumed: u64) -> Fetched {
        Fetched {
            bytes: resumed.saturating_add(self.start.length),
            resumed,
            file_bytes: self.start.file_bytes,
            identity: self.start.identity.clone(),
            statistics: self.statistics().copied().unwrap_or_default(),
        }
    }
}

impl Stream for ChunkStream<'_> {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.answer.failed() {
            return Poll::Ready(None);
        }
        self.poll_chunk(cx).map(Result::transpose)
    }
}

struct Chunk(Buffer);

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

/// Whether what the server announces is what was asked for.
fn check(start: &FetchStart, request: &FetchRequest) -> Result<(), Violation> {
    if start.offset != request.offset {
        return Err(Violation::Length { got: start.offset, expected: request.offset });
    }
    let rest = start.file_bytes.saturating_sub(start.offset);
    let expected = request.length.unwrap_or(rest).min(rest);
    if start.length != expected {
        return Err(Violation::Length { got: start.length, expected });
    }
    if !request.identity.is_empty() && start.identity != request.identity {
        return Err(Violation::Identity);
    }
    Ok(())
}

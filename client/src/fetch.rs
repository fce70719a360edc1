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

/// The maximal number of chunks that wait for the disk. The network need not wait for each write,
/// and the memory is bounded.
const CHUNKS_WAITING_MAX: usize = 2;

/// A fetch that has not begun. [`Connection::fetch`](crate::Connection::fetch) makes it.
#[must_use = "a fetch begins with `to_file`, `to_writer` or `chunks`"]
pub struct Fetch<'c> {
    session: &'c mut Session,
    file: String,
    start: u64,
    end: Option<u64>,
    resume: bool,
    progress: Box<dyn FnMut(Progress) + Send + 'c>,
}

/// The progress of a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The number of received bytes, including those of an earlier fetch.
    pub done: u64,
    /// The number of bytes at the end of the fetch.
    pub total: u64,
}

/// The result of a complete fetch.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Fetched {
    /// The number of received bytes, including those of an earlier fetch.
    pub bytes: u64,
    /// The number of these bytes that an earlier fetch received.
    pub resumed: u64,
    /// The length of the whole file on the server.
    pub file_bytes: u64,
    /// The identity of the file, which changes whenever the file changes.
    pub identity: String,
    /// The statistics of the server.
    pub statistics: Statistics,
}

impl<'c> Fetch<'c> {
    pub(crate) fn new(session: &'c mut Session, file: String) -> Self {
        let progress = Box::new(|_: Progress| {});
        Self { session, file, start: 0, end: None, resume: true, progress }
    }

    /// Fetches only these bytes. The default is the whole file.
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

    /// Sets whether [`Fetch::to_file`] resumes an earlier fetch that broke off. By default it does.
    pub fn resume(mut self, resume: bool) -> Self {
        self.resume = resume;
        self
    }

    /// Calls `progress` at the start and after every chunk.
    pub fn progress(mut self, progress: impl FnMut(Progress) + Send + 'c) -> Self {
        self.progress = Box::new(progress);
        self
    }

    /// Begins to stream the bytes, in chunks as they arrive.
    ///
    /// # Errors
    /// `Failed` if the server refuses, `BrokenStream` and `ClientServer` about the channel, `Usage`
    /// about the range.
    pub async fn chunks(self) -> Result<ChunkStream<'c>> {
        let origin = self.origin()?;
        request(self.session, &origin, 0, "").await
    }

    /// Fetches into a writer, and flushes it at the end.
    ///
    /// # Errors
    /// The errors of [`Fetch::chunks`], and `Local` if the writer fails.
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

    /// Fetches into a file, which appears when it is complete.
    ///
    /// Until then, the bytes are in `<path>.part`, and their origin is in `<path>.part.origin`. A
    /// later fetch of the same range of the same unchanged file resumes from there. If anything
    /// differs, it starts from the beginning. An existing file is replaced.
    ///
    /// # Errors
    /// The errors of [`Fetch::chunks`]; `Local` if an operation on a file of this machine fails;
    /// `Usage` if another fetch is writing the same file.
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

/// Returns whether the error of a resumed fetch means that the earlier part cannot be used.
fn starts_afresh(error: &Error) -> bool {
    matches!(error.status(), Some(Status::FileChanged | Status::RangeInvalid))
}

/// Requests the bytes after the first `have` bytes, and waits for the start of the answer.
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

/// Writes chunks into the part on another thread while the next ones are received, and gives the
/// part its final name when it is complete.
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
                // the writer stops early only after an error, which is returned below
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

/// Translates the loss of a thread, which ended with its runtime, into an error of writing.
fn joined<T>(joined: Result<T, tokio::task::JoinError>) -> Result<T> {
    joined.map_err(|error| Error::local("write", Path::new("output"), error.into()))
}

/// The bytes of a fetch, as they arrive.
///
/// They are complete only after `next` has returned `None`. If the stream is dropped before, it
/// cancels the fetch.
pub struct ChunkStream<'c> {
    answer: Answer<'c>,
    start: FetchStart,
}

impl<'c> ChunkStream<'c> {
    /// Waits for FetchStart and compares it with the request.
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

    /// Returns the length of the whole file on the server.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.start.file_bytes
    }

    /// Returns the number of bytes of all chunks.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.start.length
    }

    /// Returns the identity of the file, which changes whenever the file changes.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.start.identity
    }

    /// Returns the next chunk; `None` at the end. The chunk is the received frame itself, not a
    /// copy; its memory is used again after it is dropped. If the future is dropped, the next call
    /// goes on where it was.
    ///
    /// # Errors
    /// `Failed` if the server gives up, `BrokenStream` if the end marker did not arrive or the
    /// number of bytes is wrong. Every call after an error is an error.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// Returns the statistics of the server after `next` has returned `None`.
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

/// Checks that the announced range and identity are the requested ones.
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

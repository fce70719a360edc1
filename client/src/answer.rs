//! A streamed answer under way: its frames in order, its end marker, and its cancellation.

use std::task::{Context, Poll, ready};

use sift_proto::frame::Kind;
use sift_proto::message::{Finished, Statistics};

use crate::connection::{Connection, State};
use crate::error::{Error, ErrorKind, Reason, Result};
use crate::wire::Frame;

/// The frames between a request and its Finished. Dropped before, it cancels.
pub(crate) struct Answer<'c> {
    pub(crate) connection: &'c mut Connection,
    /// Records and bytes that were handed out, for the error that says it was not all.
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    progress: Progress,
}

enum Progress {
    Streaming,
    Finished(Statistics),
    Failed,
}

impl<'c> Answer<'c> {
    pub(crate) fn new(connection: &'c mut Connection) -> Self {
        Self { connection, records: 0, bytes: 0, progress: Progress::Streaming }
    }

    /// The next frame; `None` after the end marker. After an error, errors only.
    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame>>> {
        match self.progress {
            Progress::Streaming => {}
            Progress::Finished(_) => return Poll::Ready(Ok(None)),
            Progress::Failed => return Poll::Ready(Err(self.error(Reason::Closed))),
        }
        let frame = match ready!(self.connection.wire.poll_frame(cx)) {
            Ok(frame) => frame,
            Err(reason) => return Poll::Ready(Err(self.broken(reason))),
        };
        Poll::Ready(match frame.kind {
            Kind::Finished => match frame.message::<Finished>() {
                Ok(finished) => {
                    self.end(Progress::Finished(finished.statistics.unwrap_or_default()));
                    Ok(None)
                }
                Err(violation) => Err(self.broken(violation)),
            },
            Kind::Failure => match frame.message() {
                Ok(failure) => {
                    self.end(Progress::Failed);
                    Err(Error::failed(failure))
                }
                Err(violation) => Err(self.broken(violation)),
            },
            _ => Ok(Some(frame)),
        })
    }

    /// The statistics, once the end marker has come.
    pub(crate) fn statistics(&self) -> Option<&Statistics> {
        match &self.progress {
            Progress::Finished(statistics) => Some(statistics),
            Progress::Streaming | Progress::Failed => None,
        }
    }

    /// Whether an error has ended it.
    pub(crate) fn failed(&self) -> bool {
        matches!(self.progress, Progress::Failed)
    }

    /// Ends the answer, and the use of the connection, with an error.
    pub(crate) fn broken(&mut self, reason: impl Into<Reason>) -> Error {
        self.progress = Progress::Failed;
        self.connection.state = State::Broken;
        self.error(reason.into())
    }

    fn error(&self, reason: Reason) -> Error {
        let host = self.connection.channel.host.clone();
        ErrorKind::BrokenStream { host, records: self.records, bytes: self.bytes, reason }.into()
    }

    fn end(&mut self, progress: Progress) {
        self.progress = progress;
        self.connection.state = State::Ready;
        self.connection.wire.forget_bodies();
    }
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        if matches!(self.progress, Progress::Streaming) {
            self.connection.abandon();
        }
    }
}

//! The stream of an answer: its frames in order, its end marker, and its cancellation.

use std::task::{Context, Poll, ready};

use prost::Message;
use sift_proto::frame::Kind;
use sift_proto::message::{Finished, Statistics};

use crate::error::{Error, ErrorKind, Reason, Result};
use crate::session::Session;
use crate::wire::Frame;

/// The frames between a request and its Finished. If it is dropped before, it cancels the request.
pub(crate) struct Answer<'c> {
    pub(crate) session: &'c mut Session,
    /// Records and bytes that the caller has received, for the error of a broken stream.
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
    /// Sends a request whose answer is a stream. The session must be settled.
    ///
    /// # Errors
    /// `Usage` if the request is larger than a frame.
    pub(crate) fn begin(
        session: &'c mut Session,
        kind: Kind,
        request: &impl Message,
    ) -> Result<Self> {
        session.begin(kind, request)?;
        Ok(Self { session, records: 0, bytes: 0, progress: Progress::Streaming })
    }

    /// Returns the next frame; `None` after the end marker. After an error, every call is an error.
    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame>>> {
        match self.progress {
            Progress::Streaming => {}
            Progress::Finished(_) => return Poll::Ready(Ok(None)),
            Progress::Failed => return Poll::Ready(Err(self.error(Reason::Closed))),
        }
        let frame = match ready!(self.session.poll_frame(cx)) {
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

    /// Returns the statistics after the end marker has arrived.
    pub(crate) fn statistics(&self) -> Option<&Statistics> {
        match &self.progress {
            Progress::Finished(statistics) => Some(statistics),
            Progress::Streaming | Progress::Failed => None,
        }
    }

    /// Returns whether the answer ended with an error.
    pub(crate) fn failed(&self) -> bool {
        matches!(self.progress, Progress::Failed)
    }

    /// Ends the answer with an error. The connection cannot be used any more.
    pub(crate) fn broken(&mut self, reason: impl Into<Reason>) -> Error {
        self.progress = Progress::Failed;
        self.session.break_off();
        self.error(reason.into())
    }

    fn error(&self, reason: Reason) -> Error {
        let host = self.session.host().to_owned();
        ErrorKind::BrokenStream { host, records: self.records, bytes: self.bytes, reason }.into()
    }

    fn end(&mut self, progress: Progress) {
        self.progress = progress;
        self.session.end();
    }
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        if matches!(self.progress, Progress::Streaming) {
            self.session.abandon();
        }
    }
}

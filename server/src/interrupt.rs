//! An interruption of an answer: by a frame of the client, or by an administrator.
//!
//! An answer must not be dropped in the middle of a frame, or the client could not understand the
//! following frames. So the answer is notified, and ends itself before its next frame.

use std::sync::OnceLock;

use sift_proto::frame::{Frame, FrameError, Kind};
use tokio::sync::Notify;

use crate::fault::Fault;

/// A flag that is raised at most once in an answer.
#[derive(Debug, Default)]
pub(crate) struct Interrupt {
    reason: OnceLock<Reason>,
    raised: Notify,
}

#[derive(Clone, Copy, Debug)]
enum Reason {
    Cancelled,
    Unexpected(Kind),
    Broken(FrameError),
    RequestEnded,
    SessionEnded,
}

impl Interrupt {
    /// Raises the flag because of a frame from the client, or because of a broken frame.
    pub(crate) fn raise(&self, heard: Result<Frame, FrameError>) {
        self.set(match heard {
            Ok(frame) if frame.kind == Kind::Cancel => Reason::Cancelled,
            Ok(frame) => Reason::Unexpected(frame.kind),
            Err(error) => Reason::Broken(error),
        });
    }

    /// Raises the flag because an administrator ends the request.
    pub(crate) fn end_request(&self) {
        self.set(Reason::RequestEnded);
    }

    /// Raises the flag because an administrator ends the session.
    pub(crate) fn end_session(&self) {
        self.set(Reason::SessionEnded);
    }

    /// The first reason stays.
    fn set(&self, reason: Reason) {
        let _ = self.reason.set(reason);
        self.raised.notify_one();
    }

    /// Returns the fault of the interruption, if there was one. An answer calls it between two
    /// frames.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        self.reason.get().map_or(Ok(()), |reason| Err(reason.fault()))
    }

    /// Waits for `work` or for an interruption.
    pub(crate) async fn or<T>(
        &self,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        self.check()?;
        tokio::select! {
            done = work => done,
            () = self.raised.notified() => {
                // the notification is used up, but the reason stays
                Err(self.reason.get().map_or(Fault::Cancelled, |reason| reason.fault()))
            }
        }
    }
}

impl Reason {
    fn fault(self) -> Fault {
        match self {
            Self::Cancelled => Fault::Cancelled,
            Self::Unexpected(kind) => Fault::WhileAnswering(kind),
            Self::Broken(error) => Fault::Frame(error),
            Self::RequestEnded => Fault::RequestEnded,
            Self::SessionEnded => Fault::SessionEnded,
        }
    }
}
